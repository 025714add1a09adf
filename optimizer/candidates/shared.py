"""What courses do under all plans of one group: kill, growth and antigen, kind by kind.

Plans of a group sensitize and poison tumors alike; what effectors make of the antigen differs from
plan to plan (`coefficients`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import lq, repair, repopulation
from abscopt.optimizer.candidates.menus.fractions import Fractions
from abscopt.optimizer.candidates.menus.kinds import kinds_of
from abscopt.optimizer.candidates.menus.loads import by_technique
from abscopt.optimizer.candidates.systemic.plans import direct_doses
from abscopt.optimizer.highs.mip import finite_fields
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.lesions import Clone, Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.menus.kinds import Kinds
    from abscopt.optimizer.candidates.systemic.plans import Plan


@dataclass(frozen=True)
class Shared:
    """What all plans of one group (same sensitization, same chemotherapy) have in common.

    Attributes
    ----------
    kinds : kinds of courses; all arrays have a row for each of them
    survival : (kinds, fractions + 1) of the whole lesion
    antigen : (kinds, fractions) that each fraction meets, in shares of the lesion
    local : (kinds, horizons, nodes x clones) log burden without systemic effect, the clones of
        each of the lesion's radiosensitivities side by side
    bed : (kinds,) Gy, sensitizers and equivalent BED included, without loss to repopulation
    tumor_bed : (kinds,) the same less repopulation
    unsuppressed, release : (kinds, fractions) release of antigen by each fraction, no drug acting
        on it; before and after suppression by radiation itself
    """

    kinds: Kinds
    fractions: Fractions
    survival: FloatArray
    antigen: FloatArray
    local: FloatArray
    bed: FloatArray
    tumor_bed: FloatArray
    unsuppressed: FloatArray
    release: FloatArray

    @cached_property
    def release_by_block(self) -> FloatArray:
        """(kinds, fractions) release of the kinds in the order of blocks."""
        return self.release[self.kinds.by_block]


def shared_effects(
    instance: Instance, every_course: Menu, sensitizer: FloatArray, plan: Plan
) -> Shared:
    """Kill, growth and antigen of every course under the chemotherapy of one plan.

    Arrays (kinds, fractions), summed over fractions:

        BED = sum_i D_i (R_i + g_i D_i / r) + equivalent BED of drugs,    D_i = d / OMF_i
        antigen_i from the survival S_{i-1} - S_i;    release_i = gate(d) antigen_i suppression_i

    with R the sensitizer enhancement and g the repair between fractions of a day.
    """
    lesion = instance.lesions[every_course.lesion]
    tick()
    kinds = kinds_of(instance, every_course, sensitizer, plan)
    menu = kinds.menu
    tick()
    fractions = _fractions(instance, lesion, menu, sensitizer)
    tick()
    kills = [fractions.kill(lesion, clone) for clone in lesion.populations]
    tick()
    survival = _survival(lesion, menu, kills)
    tick()
    extra = _equivalent_bed(instance, menu, plan)
    bed = fractions.bed(lesion).sum(axis=1) + extra[:, -1]
    local = _local(instance, lesion, menu, kills, fractions, extra, _cytotoxic(instance, plan))
    tick()
    antigen = _antigen(instance, lesion, fractions, survival)
    release = _release(instance, lesion, menu, fractions, antigen)
    suppressed = suppression_by_radiation(instance, menu.doses, fractions.since, 1.0)
    result = Shared(
        kinds=kinds,
        fractions=fractions,
        survival=survival,
        antigen=antigen,
        unsuppressed=release,
        release=release * suppressed,
        local=local,
        bed=bed,
        tumor_bed=bed - _bed_loss(lesion, menu),
    )
    return finite_fields(f"courses of {lesion.name}", result)


def _fractions(instance: Instance, lesion: Lesion, menu: Menu, sensitizer: FloatArray) -> Fractions:
    """(kinds, fractions) fractions of every kind of course."""
    days = menu.patterns.days[menu.pattern]
    phi = float(
        repair.unrepaired(instance.calendar.hours_between_fractions, lesion.repair_half_time_hours)
    )
    most_per_day = int(menu.patterns.per_day.max())
    factor = repair.slot_factors(most_per_day, phi)[menu.patterns.slot[menu.pattern]]
    return Fractions.felt(lesion, menu.doses, days, days[:, :1], sensitizer[days], factor)


def _survival(lesion: Lesion, menu: Menu, kills: list[FloatArray]) -> FloatArray:
    """(kinds, fractions + 1) radiation survival of the whole lesion, 1 at first.

    S_i = sum_c share_c [1 - f_c + f_c e^-(kill of clone c by fractions 1..i)],    f in the beam
    """
    total = np.zeros((len(menu), kills[0].shape[1] + 1))
    for clone, kill in zip(lesion.populations, kills, strict=True):
        if menu.patterns.way is None:
            irradiated = _irradiated(lesion, menu, clone)
            inside = np.exp(-np.cumsum(kill, axis=1))
            after = lq.partial_survival(inside, irradiated[:, None])
        else:
            of_ways = np.cumsum(_by_way(lesion, menu, kill), axis=1)
            after = lq.nested_survival(of_ways, _shares(lesion, clone))
        total += clone.share * np.concatenate([np.ones((len(menu), 1)), after], axis=1)
    return total


def _irradiated(lesion: Lesion, menu: Menu, clone: Clone) -> FloatArray:
    """(kinds,) share of a clone in the beam."""
    return by_technique(lesion, menu, lambda way: way.share_of(clone.name))


def _shares(lesion: Lesion, clone: Clone) -> FloatArray:
    """(techniques,) share of a clone in the beam."""
    return np.array([way.share_of(clone.name) for way in lesion.ways])


def _by_way(lesion: Lesion, menu: Menu, kill: FloatArray) -> FloatArray:
    """(kinds, fractions, techniques) kill of each fraction under its own technique, 0 elsewhere."""
    assert menu.patterns.way is not None
    way = menu.patterns.way[menu.pattern]
    by_way: FloatArray = kill[..., None] * (way[..., None] == np.arange(len(lesion.ways)))
    return by_way


def _antigen(
    instance: Instance, lesion: Lesion, fractions: Fractions, survival: FloatArray
) -> FloatArray:
    """(kinds, fractions) antigen that each fraction meets, in shares of the lesion."""
    c = instance.immune
    return immune.antigen(
        survival[:, :-1] - survival[:, 1:],
        fractions.since,
        regrowth_per_day=lesion.regrowth_per_day(c),
        repeat=c.repeat_release,
        clearance_per_day=c.clearance_per_day,
    )


def _release(
    instance: Instance, lesion: Lesion, menu: Menu, fractions: Fractions, antigen: FloatArray
) -> FloatArray:
    """(kinds, fractions) immunogenic release, as far as the draining node primes it."""
    c = instance.immune
    opening = immune.gate(
        menu.doses,
        c.gate_low_gy,
        c.gate_low_exponent,
        c.gate_high_gy,
        c.gate_high_exponent,
        c.gate_plateau,
    )
    released = immune.release(
        opening,
        antigen,
        lesion.release_scale(c),
        lesion.volume_cm3 or 0.0,  # a lesion without one is never irradiated
        c.volume_exponent,
        0.0,
        0.0,
    )
    node = by_technique(lesion, menu, lambda way: way.node_factor)
    primed = node[:, None] if menu.patterns.way is None else node
    return np.where(fractions.given, released, 0.0) * primed


def suppression_by_radiation(
    instance: Instance, dose_gy: FloatArray, since: IntArray, relief: ArrayLike
) -> FloatArray:
    """What suppression by radiation leaves of the release of fractions."""
    c = instance.immune
    return immune.suppression(
        dose_gy,
        since,
        relief,
        c.suppression_above_gy,
        c.suppression_per_gy,
        c.suppression_after_days,
        c.suppression_per_day,
    )


def _equivalent_bed(instance: Instance, menu: Menu, plan: Plan) -> FloatArray:
    """(kinds, horizons + 1) BED of concurrent chemotherapy up to each horizon, then in all."""
    cuts = [*instance.horizon_days, instance.days]
    total = np.zeros((len(menu.patterns.count), len(cuts)))
    for name, day, relative in direct_doses(instance, plan):
        drug = instance.drugs[name]
        if drug.equivalent_bed_gy_per_dose == 0:
            continue
        window = menu.patterns.incidence[:, day : day + drug.sensitizing_days]
        bed = relative * drug.equivalent_bed_gy_per_dose
        concurrent = np.where(window.any(axis=1), bed, 0.0)
        total += np.outer(concurrent, day < np.array(cuts))
    gathered: FloatArray = total[menu.pattern]
    return gathered


def least_burdens(
    instance: Instance, menu: Menu, sensitizer: FloatArray, plans: Sequence[Plan]
) -> FloatArray:
    """(courses, horizons, nodes x clones) log burdens without systemic effect, of any plan least.

    Parameters
    ----------
    sensitizer : (days,) greatest enhancement of the plans
    plans : one of each that differ in what drugs do to the tumors themselves
    """
    lesion = instance.lesions[menu.lesion]
    fractions = _fractions(instance, lesion, menu, sensitizer)
    kills = [fractions.kill(lesion, clone) for clone in lesion.populations]
    tick()
    extra = np.max([_equivalent_bed(instance, menu, plan) for plan in plans], axis=0)
    cytotoxic = np.max([_cytotoxic(instance, plan) for plan in plans], axis=0)
    return _local(instance, lesion, menu, kills, fractions, extra, cytotoxic)


def _cytotoxic(instance: Instance, plan: Plan) -> FloatArray:
    """(horizons,) log kill by the drugs of a plan before each horizon, of a clone of factor 1."""
    doses = [
        (day, relative * instance.drugs[name].cytotoxic_log_kill_per_dose)
        for name, day, relative in direct_doses(instance, plan)
    ]
    return np.array([sum(kill for day, kill in doses if day < h) for h in instance.horizon_days])


def _local(
    instance: Instance,
    lesion: Lesion,
    menu: Menu,
    kills: list[FloatArray],
    fractions: Fractions,
    extra: FloatArray,
    cytotoxic: FloatArray,
) -> FloatArray:
    """(kinds, horizons, nodes x clones) log burden without systemic effect, alpha times a factor.

        ln(N share) + growth - kill - drugs,     -ln(1 - f + f e^-kill) for a share f in the beam

    all up to the horizon: kill of its fractions and of the BED that drugs are worth.

    Parameters
    ----------
    kills : (kinds, fractions) of each clone
    extra : (kinds, horizons + 1) BED of drugs (`_equivalent_bed`)
    cytotoxic : (horizons,) log kill by drugs
    """
    factors, clones = lesion.sensitivities[0], lesion.populations
    local = np.empty((len(menu), len(instance.horizon_days), len(factors) * len(clones)))
    for h, horizon in enumerate(instance.horizon_days):
        grown = repopulation.log_growth(
            horizon,
            lesion.growth_doubling_time_days,
            lesion.repopulation_doubling_time_days,
            _accelerated(lesion, menu, horizon),
        )
        for c, (clone, kill) in enumerate(zip(clones, kills, strict=True)):
            alpha, _ = lesion.clone_constants(clone)
            number = math.log(lesion.clonogen_number * clone.share)
            before = _summed(lesion, menu, np.where(fractions.days < horizon, kill, 0.0))
            poisoned = clone.drug_kill_factor * cytotoxic[h]
            for f, factor in enumerate(factors):
                killed = _in_beams(lesion, menu, clone, before, alpha * extra[:, h], factor)
                local[:, h, f * len(clones) + c] = number + grown - killed - poisoned
    return local


def _summed(lesion: Lesion, menu: Menu, kill: FloatArray) -> FloatArray:
    """(kinds,) kill of all fractions (kinds, n), or (kinds, techniques) where techniques follow."""
    if menu.patterns.way is None:
        return np.asarray(kill.sum(axis=1))
    return np.asarray(_by_way(lesion, menu, kill).sum(axis=1))


def _in_beams(
    lesion: Lesion, menu: Menu, clone: Clone, kill: FloatArray, drugs: FloatArray, factor: float
) -> FloatArray:
    """(kinds,) kill of a clone by its fractions (`_summed`) and drugs, alpha times a factor.

    factor (sum kill + drugs), or -ln(1 - f + f e^-that); nested where techniques follow

    Parameters
    ----------
    drugs : (kinds,)
    """
    if menu.patterns.way is not None:
        shares = _shares(lesion, clone)
        of_ways = factor * kill
        used = (menu.patterns.way[menu.pattern][..., None] == np.arange(len(shares))) & (
            menu.patterns.days[menu.pattern] >= 0
        )[..., None]
        widest = np.where(used.any(axis=1), shares, -1.0).argmax(axis=1)
        of_ways[np.arange(len(menu)), widest] += factor * drugs
        nested: FloatArray = lq.nested_log_kill(of_ways, shares)
        return nested
    irradiated = _irradiated(lesion, menu, clone)
    killed = kill + drugs
    killed = factor * killed
    partial = np.where(irradiated < 1, irradiated, 0.0)
    outside = -np.log1p(partial * np.expm1(-killed))
    return np.asarray(np.where(irradiated < 1, outside, killed))


def _accelerated(lesion: Lesion, menu: Menu, until: int | None) -> FloatArray:
    patterns = menu.patterns
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    days = repopulation.accelerated_days(patterns.first, patterns.last, lesion.kick_off_days, until)
    return np.where(patterns.count > 0, days, 0.0)[menu.pattern]


def _bed_loss(lesion: Lesion, menu: Menu) -> FloatArray:
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    per_day = repopulation.bed_loss_per_day(
        lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
    )
    return per_day * _accelerated(lesion, menu, None)
