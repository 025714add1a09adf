"""Equivalent uniform dose over the bins of histograms.

A lesion's fractions of one day and technique give bin i, which has `delta_i` Gy per Gy prescribed,

    E_i = [R delta_i sum_a d_a + delta_i^2 / r sum_{a,b} phi^|a-b| d_a d_b] / (1 + 2/r)

(Gy as they are where the limit is on physical dose), and `(sum_i v_i E_i^(1/n))^n` is their
equivalent uniform dose. Doses of other days, lesions and techniques add: for n <= 1 the sum is
never below the equivalent uniform dose of everything together (Minkowski), and for equal fractions
of one lesion it is the same. Two of them on one day add what their product can be at most
(Hoelder).
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.organs import ntcp
from abscopt.models.tumor import lq

if TYPE_CHECKING:
    from abscopt.instances.limits import NtcpLimit
    from abscopt.instances.tables.sparing import Histogram
    from abscopt.optimizer.evaluation.organs import Part


def geud_of_day(
    limit: NtcpLimit, fractions: list[Part], enhancement: float, unrepaired: float
) -> float:
    """Gy, or Gy EQD2, that the fractions of one day add to the limit's dose.

    Parameters
    ----------
    enhancement : R, of doses on this day
    unrepaired : phi, share of damage that is left after one slot
    """
    beams: defaultdict[tuple[str, str], list[Part]] = defaultdict(list)
    for fraction in fractions:
        if _bins(limit, fraction) is not None:
            beams[fraction.lesion.name, fraction.technique.name].append(fraction)
    total = sum(_of_beam(limit, of_beam, enhancement, unrepaired) for of_beam in beams.values())
    if limit.alpha_beta_gy is None:
        return total
    for first, second in itertools.combinations(beams.values(), 2):
        product = sum(
            unrepaired ** abs(a.slot - b.slot) * a.prescribed_gy * b.prescribed_gy
            for a in first
            for b in second
        )
        moment = math.sqrt(_second_moment(limit, first[0]) * _second_moment(limit, second[0]))
        total += float(lq.eqd2(2 * product * moment / limit.alpha_beta_gy, limit.alpha_beta_gy))
    return total


def _of_beam(
    limit: NtcpLimit, fractions: list[Part], enhancement: float, unrepaired: float
) -> float:
    bins, n = _bins(limit, fractions[0]), limit.volume_exponent
    assert bins is not None and n is not None
    relative = np.array(bins.doses)
    linear = relative * sum(fraction.prescribed_gy for fraction in fractions)
    if limit.alpha_beta_gy is None:
        return float(ntcp.geud(linear, bins.shares, n))
    square = relative**2 * sum(
        unrepaired ** abs(a.slot - b.slot) * a.prescribed_gy * b.prescribed_gy
        for a in fractions
        for b in fractions
    )
    bed = enhancement * linear + square / limit.alpha_beta_gy
    return float(ntcp.geud(lq.eqd2(bed, limit.alpha_beta_gy), bins.shares, n))


def _bins(limit: NtcpLimit, fraction: Part) -> Histogram | None:
    return fraction.lesion.histogram(limit.organ, fraction.technique)


def _second_moment(limit: NtcpLimit, fraction: Part) -> float:
    """Equivalent uniform value of delta^2."""
    bins, n = _bins(limit, fraction), limit.volume_exponent
    assert bins is not None and n is not None
    return float(ntcp.geud(np.array(bins.doses) ** 2, bins.shares, n))
