"""Uniform and free courses as one flat list of columns, as the programme chooses them.

A column of a uniform lesion is a whole course ('no course' included); one of a free lesion is
one dose on one day, or, where days do not matter, one dose on any of its days. Coefficients add
over the chosen columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import lymphocytes
from abscopt.models.tumor import chemotherapy, repopulation
from abscopt.optimizer.candidates.limits.blood.edric import edric_alone
from abscopt.optimizer.candidates.menus.courses import Patterns
from abscopt.optimizer.candidates.menus.fractions import Fractions
from abscopt.optimizer.candidates.systemic.plans import allowed_patterns, direct_doses, exposures_of
from abscopt.optimizer.highs.mip import finite_fields
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import FreeCourse
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class Columns:
    """Everything the programme needs to know of what may be chosen.

    J columns, K plans, G groups of plans that act alike on tumors and organs, C clones times
    radiosensitivities (of the lesion that has most of them; entries beyond a lesion's own are 0; a
    free lesion has the mean one only).

    Attributes
    ----------
    lesion : (J,) index of the lesion in the case
    course : (J,) index in the lesion's menu; -1 for a column of a free lesion
    day, dose : (J,) day and Gy of a free column (day -1 for uniform courses)
    slots : (J,) how often a column may be chosen: 1, or the days of a free course in count form
    incidence : (J, days) 1 on fraction days
    fractions : (J,)
    loads : (G, J, organ limits) parts of the caps, without shared days
    alc_loss : (J, days) log loss of lymphocytes on each day
    body : (3, J) mean lung dose, mean heart dose and integral dose
    local : (G, J, horizons, C) log burden of uniform courses; minus the kill of free columns
    bed, tumor_bed : (G, J) Gy without and with what a uniform course loses to repopulation
    gain : (K, J, horizons) e^a v of uniform courses
    loss : (K, J) a
    allowed : (K, J)
    credit : (K, J) whether a uniform course is credited with systemic effect (burden rule)
    exposed : (K, J, exposures)
    constant_local : (G, lesions of the case, horizons, C) log burden of a free lesion left alone
    share : (lesions of the case, C) share of the systemic effect
    """

    lesion: IntArray
    course: IntArray
    day: IntArray
    dose: FloatArray
    slots: IntArray
    incidence: FloatArray
    fractions: FloatArray
    loads: FloatArray
    alc_loss: FloatArray
    body: FloatArray
    local: FloatArray
    bed: FloatArray
    tumor_bed: FloatArray
    gain: FloatArray
    loss: FloatArray
    allowed: BoolArray
    credit: BoolArray
    exposed: BoolArray
    constant_local: FloatArray
    share: FloatArray

    def __len__(self) -> int:
        return len(self.lesion)

    @property
    def counted(self) -> bool:
        """Whether free columns count the days of one dose."""
        return bool((self.slots > 1).any())

    @property
    def last(self) -> IntArray:
        """(J,) last fraction day, -1 for 'no course'."""
        days = np.arange(self.incidence.shape[1])
        result: IntArray = np.where(self.incidence > 0, days, -1).max(axis=1)
        return result

    @property
    def first(self) -> IntArray:
        """(J,) first fraction day, the horizon for 'no course'."""
        days = np.arange(self.incidence.shape[1])
        result: IntArray = np.where(self.incidence > 0, days, self.incidence.shape[1]).min(axis=1)
        return result


def columns_of(
    candidates: Candidates, *, by_day: bool = False, kept: Kept | None = None
) -> Columns:
    """Flat columns of a case; `by_day` keeps a free course from being counted.

    With `kept`, only its pairs of plan and course are allowed.
    """
    counted = not by_day and countable(candidates)
    pieces = [_uniform(candidates, s) for s in range(len(candidates.lesions))]
    pieces += [_free(candidates, i, counted) for i in candidates.free]
    tick()
    most_clones = max(piece["local"].shape[3] for piece in pieces)
    for piece in pieces:
        missing = most_clones - piece["local"].shape[3]
        piece["local"] = np.pad(piece["local"], ((0, 0), (0, 0), (0, 0), (0, missing)))
    joined = {
        key: np.concatenate([piece[key] for piece in pieces], axis=AXIS.get(key, 0))
        for key in pieces[0]
    }
    if kept is not None:
        joined["allowed"] = joined["allowed"] & np.concatenate(kept.pairs, axis=1)
    joined["loads"] = np.where(np.isposinf(joined["loads"]), 0.0, joined["loads"])  # not allowed
    columns = Columns(
        **joined,
        constant_local=_constant_local(candidates, most_clones),
        share=_share(candidates, most_clones),
    )
    return finite_fields("columns of the programme", columns)


AXIS = {
    "loads": 1, "body": 1, "local": 1, "bed": 1, "tumor_bed": 1,
    "gain": 1, "loss": 1, "allowed": 1, "credit": 1, "exposed": 1,
}  # fmt: skip


def first_plans(candidates: Candidates) -> list[PlanId]:
    """First plan of each group."""
    groups = candidates.plan_effects.group
    return [PlanId(int(np.flatnonzero(groups == g)[0])) for g in range(int(groups.max()) + 1)]


def _uniform(candidates: Candidates, s: int) -> dict[str, NDArray[Any]]:
    table, plans = candidates.lesions[s], candidates.plan_ids
    menu = table.menu
    groups = first_plans(candidates)
    effects = [candidates.effects(k)[s] for k in plans]
    tick()
    size = len(menu)
    return {
        "lesion": np.full(size, menu.lesion),
        "course": np.arange(size),
        "day": np.full(size, -1),
        "dose": menu.dose,
        "slots": np.ones(size, dtype=np.int64),
        "incidence": menu.patterns.incidence[menu.pattern],
        "fractions": menu.fractions.astype(float),
        "loads": np.stack([candidates.loads(k)[s][effects[k].kind] for k in groups]),
        "alc_loss": table.alc_loss(CourseIds(np.arange(size))),
        "body": np.stack(edric_alone(candidates.instance, menu)),
        "local": np.stack([effects[k].local[effects[k].kind] for k in groups]),
        "bed": np.stack([candidates.shared(k)[s].bed[effects[k].kind] for k in groups]),
        "tumor_bed": np.stack([effects[k].tumor_bed[effects[k].kind] for k in groups]),
        "gain": np.stack([np.exp(e.loss)[:, None] * e.effect for e in effects]),
        "loss": np.stack([e.loss for e in effects]),
        "allowed": np.stack([candidates.allowed(k)[s] for k in plans]),
        "credit": np.stack([(e.share.max(axis=1) > 0)[e.kind] for e in effects]),
        "exposed": np.stack([candidates.exposed(k)[s] for k in plans]),
    }


def _free(candidates: Candidates, index: int, counted: bool) -> dict[str, FloatArray]:
    instance, effects = candidates.instance, candidates.plan_effects
    lesion = instance.lesions[index]
    way, course = lesion.ways[0], free_course(lesion)
    days = course.days[:1] if counted else course.days
    levels = np.array(course.levels_gy)
    day = np.repeat(np.array(days, dtype=np.int64), len(levels))
    dose = np.tile(levels, len(days))
    groups = first_plans(candidates)
    tick()
    loads = np.stack([_free_loads(candidates, lesion, days, levels, k) for k in groups])
    fits = np.stack([candidates.within(load) for load in loads])
    keep = fits.any(axis=0)
    day, dose, loads, fits = day[keep], dose[keep], loads[:, keep], fits[:, keep]
    horizon = np.arange(instance.days)
    incidence = (day[:, None] == horizon).astype(float)
    felt = [Fractions.felt(lesion, dose, day, day, effects.sensitizer[k][day]) for k in groups]
    kill = np.stack(
        [np.stack([f.kill(lesion, clone) for clone in lesion.populations], axis=1) for f in felt]
    )
    bed = np.stack([fractions.bed(lesion) for fractions in felt])
    counts = (day[:, None] < np.array(instance.horizon_days)).astype(float)
    half = instance.lymphocytes.recovery_half_time_days
    since = horizon[None, :] - day[:, None]
    remaining = np.where(since >= 0, lymphocytes.recovery(since, half), 0.0)
    patterns = Patterns.of([((), 1), *(((int(d),), 1) for d in days)], instance.days)
    row = 1 + np.searchsorted(np.array(days), day)
    allowed = [allowed_patterns(instance, plan, patterns)[row] for plan in candidates.plans]
    plans = len(candidates.plans)
    return {
        "lesion": np.full(len(day), index),
        "course": np.full(len(day), -1),
        "day": day,
        "dose": dose,
        "slots": np.full(len(day), len(course.days) if counted else 1),
        "incidence": incidence,
        "fractions": np.ones(len(day)),
        "loads": loads,
        "alc_loss": lesion.lymphocyte_loss(way) * remaining,
        "body": _free_body(lesion, day, dose),
        "local": -kill[:, :, None, :] * counts[None, :, :, None],
        "bed": bed,
        "tumor_bed": bed,
        "gain": np.zeros((plans, len(day), len(instance.horizon_days))),
        "loss": lesion.effect_loss(way) * effects.effect_weights[:, day],
        "allowed": np.stack(allowed) & fits[effects.group],
        "credit": np.ones((plans, len(day)), dtype=bool),
        "exposed": _free_exposed(candidates, lesion, patterns, row, day),
    }


def free_course(lesion: Lesion) -> FreeCourse:
    """The course of a free lesion."""
    assert lesion.course is not None and lesion.course.form == "free"
    return lesion.course


def _free_loads(
    candidates: Candidates, lesion: Lesion, days: tuple[int, ...], levels: FloatArray, plan: PlanId
) -> FloatArray:
    """(days x levels, organ limits) load of each dose on each day under one plan."""
    beam = (lesion, lesion.ways[0], 1)
    loads = np.zeros((len(days) * len(levels), len(candidates.on_organs)))
    for column, load in enumerate(candidates.on_organs):
        loads[:, column] = np.concatenate(
            [
                load.day_load(
                    candidates.instance, beam, levels, day,
                    bool(candidates.plan_effects.sensitizer[plan, day] > 1),
                )
                for day in days
            ]
        )  # fmt: skip
    return loads


def _free_body(lesion: Lesion, day: IntArray, dose: FloatArray) -> FloatArray:
    way = lesion.ways[0]
    factors = [
        [lesion.sparing_factor(organ, "mean", t, way) for t in day.tolist()]
        for organ in ("lungs", "heart")
    ]
    body: FloatArray = np.array([*factors, [lesion.integral_dose(way)] * len(day)]) * dose
    return body


def _free_exposed(
    candidates: Candidates, lesion: Lesion, patterns: Patterns, row: IntArray, day: IntArray
) -> BoolArray:
    """(plans, columns, exposures) whether a dose on its day meets the plan's infusions."""
    tick()
    kinds = tuple(exposure for _, _, exposure in candidates.exposures)
    limits = [candidates.on_organs[number].limit for number, _, _ in candidates.exposures]
    points = [(limit.organ, limit.evaluation_point) for limit in limits]
    touched = np.array(
        [
            [lesion.sparing_factor(*point, t, lesion.ways[0]) > 0 for point in points]
            for t in day.tolist()
        ],
        dtype=bool,
    ).reshape(len(day), len(kinds))
    return np.stack(
        [
            exposures_of(candidates.instance, plan, patterns, kinds)[row] & touched
            for plan in candidates.plans
        ]
    )


def _constant_local(candidates: Candidates, most_clones: int) -> FloatArray:
    instance = candidates.instance
    groups = first_plans(candidates)
    shape = (len(groups), len(instance.lesions), len(instance.horizon_days), most_clones)
    constant = np.zeros(shape)
    for s in candidates.free:
        lesion = instance.lesions[s]
        grown = repopulation.log_growth(
            np.array(instance.horizon_days),
            lesion.growth_doubling_time_days,
            lesion.repopulation_doubling_time_days,
            0.0,
        )
        for g, k in enumerate(groups):
            poisoned = _drug_kill(candidates, k)
            for c, clone in enumerate(lesion.populations):
                number = math.log(lesion.clonogen_number * clone.share)
                constant[g, s, :, c] = number + grown - clone.drug_kill_factor * poisoned
    return constant


def _drug_kill(candidates: Candidates, plan: PlanId) -> FloatArray:
    """(horizons,) cytotoxic kill of a plan."""
    instance = candidates.instance
    horizons = np.array(instance.horizon_days)
    total = np.zeros(len(horizons))
    for name, day, relative in direct_doses(instance, candidates.plans[plan]):
        kill = instance.drugs[name].cytotoxic_log_kill_per_dose
        total += chemotherapy.cytotoxic_kill([day], kill, horizons, relative)
    return total


def _share(candidates: Candidates, most_clones: int) -> FloatArray:
    instance = candidates.instance
    share = np.zeros((len(instance.lesions), most_clones))
    for s, lesion in enumerate(instance.lesions):
        nodes = 1 if s in candidates.free else len(lesion.sensitivities[1])
        for c, clone in enumerate(lesion.populations * nodes):
            factor = instance.immune.share_factor * clone.effector_share_factor
            share[s, c] = lesion.effector_share * factor
    return share


def countable(candidates: Candidates) -> bool:
    """Whether the days of the case's one free course do not matter, only its doses.

    So it is for one irradiable lesion with constant sparing factors, no release, no burden rule
    with clones, no drug that asks for days, no loss of anybody's effectors, and no limit that
    looks at days. Accelerated repopulation counts only the days from the first to the last
    fraction, so n fractions lose least on the n allowed days that lie closest (`closest_days`).
    """
    instance, effects = candidates.instance, candidates.plan_effects
    if len(candidates.free) != 1 or len(instance.irradiable) != 1:
        return False
    lesion = instance.lesions[candidates.free[0]]
    days, way = np.array(free_course(lesion).days), lesion.ways[0]
    constant = all(
        isinstance(factor, float | int)
        for points in [*lesion.sparing.values(), *way.sparing.values()]
        for factor in points.values()
    )
    plain = instance.objective.of_dose_alone or instance.immune.effect_per_effector == 0
    rested = plain or not lesion.immune_active(instance.immune)
    spared = plain or lesion.effect_loss(way) == 0
    dated = any(limit.tied_to_days for limit in candidates.on_courses)
    return (
        constant
        and rested
        and spared
        and not dated
        and not candidates.exposures
        and (instance.immune.burden_limit_cm3 is None or len(lesion.populations) == 1)
        and int(days[-1]) < instance.horizon_days[0]
        and bool((effects.sensitizer[:, days] == 1).all())
        and not any(_asks_for_days(candidates, k) for k in candidates.plan_ids)
    )


def closest_days(days: tuple[int, ...], number: int) -> tuple[int, ...]:
    """The earliest `number` consecutive allowed days with the fewest days from first to last."""
    if number == 0:
        return ()
    begins = range(len(days) - number + 1)
    first = min(begins, key=lambda i: days[i + number - 1] - days[i])
    return days[first : first + number]


def _asks_for_days(candidates: Candidates, plan: PlanId) -> bool:
    """Whether a rule ties an agent that the plan gives to fraction days."""
    names = (
        "min_days_after_radiation",
        "max_days_after_radiation",
        "min_days_before_radiation",
        "max_days_before_radiation",
        "min_days_between_dose_and_fraction",
    )
    agents = candidates.instance.agents
    return any(
        getattr(agents[option.agent], name) is not None
        for option in candidates.plans[plan].options
        if option.doses
        for name in names
    )
