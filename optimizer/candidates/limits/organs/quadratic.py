"""BED of a day's fractions and of two lesions' fractions on one day, with repair between them.

Fractions i and j of one day, h hours apart each, act together as far as damage is left:

    BED = sum_i D_i + 1/r [ sum_i D_i^2 + 2 sum_{i<j} phi^(j-i) D_i D_j ],   phi = 2^(-h / T_rep)

(Thames 1985, "An incomplete-repair model for survival after fractionated and continuous
irradiations", without what is left overnight).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.models.arrays import FloatArray
from abscopt.models.tumor import lq, repair

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


def unrepaired_in(instance: Instance, organ: str) -> float:
    """phi: share of the damage of one fraction that the next one of the day finds unrepaired."""
    half = instance.organs[organ].repair_half_time_hours
    return float(repair.unrepaired(instance.calendar.hours_between_fractions, half))


def pairs_of(instance: Instance, organ: str, first: int, second: int) -> float:
    """sum_{i < first, j < second} phi^|i - j| of two lesions' fractions on one day."""
    return float(repair.paired_slots(first, second, unrepaired_in(instance, organ)))


def bed_of_day(
    instance: Instance,
    organ: str,
    number: int,
    enhanced: FloatArray,
    square: FloatArray,
    ratio: float,
) -> FloatArray:
    """(n,) BED of m equal fractions on one day: m R D + pairs D^2 / r.

    Parameters
    ----------
    enhanced, square : (n,) m R D and D^2 (or its mean over voxels)
    ratio : r, alpha/beta of the organ
    """
    return enhanced + pairs_of(instance, organ, number, number) * square / ratio


def mean_eqd2_of_day(
    instance: Instance,
    organ: str,
    beam: Beam,
    enhanced: FloatArray,
    dose_gy: FloatArray,
    day: int,
    ratio: float,
) -> FloatArray:
    """(n,) mean EQD2 over voxels: (m R mean(delta) d + pairs mean(delta^2) d^2 / r) / (1 + 2/r)."""
    lesion, technique, number = beam
    square = lesion.sparing_factor(organ, "second_moment", day, technique) * dose_gy**2
    return lq.eqd2(bed_of_day(instance, organ, number, enhanced, square, ratio), ratio)


def mean_eqd2_of_pair(
    instance: Instance, organ: str, first: Beam, second: Beam, day: int, ratio: float
) -> float:
    """Mean EQD2 per d d' of two lesions: 2 pairs mean(delta delta') / r / (1 + 2/r)."""
    pairs = pairs_of(instance, organ, first[2], second[2])
    moment = instance.cross_moment(organ, first[:2], second[:2], day)
    return float(lq.eqd2(2.0 * pairs * moment / ratio, ratio))
