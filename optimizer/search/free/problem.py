"""A case under one plan, read into numbers: what its lesions share, and the terms of a free one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.models.immunity import lymphocytes, recursion
from abscopt.optimizer.candidates.columns import free_course
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.free.days.terms import (
    OTHERS,
    PRECURSORS,
    QUEUE,
    SURVIVORS,
    TINY,
    Daily,
    Terms,
)
from abscopt.optimizer.search.free.spread import Spread

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.systemic.flows import Flow
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class PlanProblem:
    """What the lesions of a case share under one plan; P are irradiated, free ones first.

    Attributes
    ----------
    local : (lesions, H) log burdens without fractions and effect; the irradiated are first
    share, weight : (lesions,)
    horizons : (H,)
    resting : (H,) effect of the lesions that are not irradiated, before any loss
    binding : (organ limits,) those that some schedule can break, M of them
    rhs : (M,) what is left of them, as shares of the caps
    alc_allowance : log loss of lymphocytes that is left; infinite without a limit
    cost : of the plan's excess over soft limits on drugs
    spread : of those irradiated lesions whose control is a mean over radiosensitivities
    """

    plan: PlanId
    irradiated: tuple[int, ...]
    local: FloatArray
    share: FloatArray
    weight: FloatArray
    horizons: FloatArray
    resting: FloatArray
    binding: BoolArray
    rhs: FloatArray
    alc_allowance: float
    cost: float
    spread: dict[int, Spread]


def plan_problem_of(candidates: Candidates, columns: Columns, plan: PlanId) -> PlanProblem:
    """The case under one plan, courses aside.

    A limit m can bind if the greatest loads of all lesions exceed what prior doses leave of its
    cap: sum_i L_im > rhs_m. Where P lesions share days, (sum_i d_i)^2 <= P sum_i d_i^2 gives P
    times the sum; loads of a dose table have no such factor and count as able to bind.
    """
    instance, effects = candidates.instance, candidates.plan_effects
    group = int(effects.group[plan])
    horizons = len(instance.horizon_days)
    tables = {table.menu.lesion: s for s, table in enumerate(candidates.lesions)}
    alone = candidates.effects(plan)
    uniform = [i for i in instance.irradiable if i not in candidates.free]
    irradiated = (*candidates.free, *uniform)
    order = [*irradiated, *(i for i in range(len(instance.lesions)) if i not in irradiated)]
    local = np.stack(
        [
            alone[tables[i]].local[0, :, 0]
            if i in tables
            else columns.constant_local[group, i, :, 0]
            for i in order
        ]
    )
    resting = np.zeros(horizons)
    for i in order[len(irradiated) :]:
        resting = resting + chemo_factor(candidates, plan) * alone[tables[i]].effect[0]
    greatest = sum(_greatest_load(columns, i, group) for i in irradiated)
    rhs = CAP - candidates.prior
    binding = greatest > rhs
    if len(irradiated) > 1:  # days may be shared: no quadratic load is more than P times the sum
        shared = np.array([load.shared_at_most(len(irradiated)) for load in candidates.on_organs])
        binding = np.where(greatest > 0, shared, 0.0) * np.maximum(greatest, TINY) > rhs
    alc_left = math.inf
    for limit in candidates.on_courses:
        allowance = limit.log_loss_allowance(instance) * CAP
        alc_left = min(alc_left, allowance - float(effects.chemotherapy_log_loss[plan]))
    return PlanProblem(
        plan=plan,
        irradiated=irradiated,
        local=local,
        share=np.array([columns.share[i, 0] for i in order]),
        weight=np.array([instance.lesions[i].weight for i in order]),
        horizons=np.array(instance.horizon_days, dtype=float),
        resting=resting,
        binding=binding,
        rhs=rhs[binding],
        alc_allowance=alc_left,
        cost=candidates.plan_cost(plan),
        spread={
            s: spread
            for s, i in enumerate(irradiated)
            if (spread := Spread.of(instance.lesions[i])) is not None
        },
    )


def chemo_factor(candidates: Candidates, plan: PlanId) -> float:
    """What the lymphocyte loss by a plan's chemotherapy leaves of every effect."""
    return math.exp(-float(candidates.plan_effects.chemotherapy_log_loss[plan]))


def _greatest_load(columns: Columns, lesion: int, group: int) -> FloatArray:
    """(organ limits,) load that no course of a lesion exceeds."""
    rows = np.flatnonzero(columns.lesion == lesion)
    loads, days = columns.loads[group][rows], columns.day[rows]
    total = np.zeros(loads.shape[1])
    for day in np.unique(days):
        total += loads[days == day].max(axis=0)
    return total


def terms_of(
    candidates: Candidates, columns: Columns, flow: Flow | None, problem: PlanProblem, lesion: int
) -> Terms:
    """Coefficients of a free lesion (its index in the case) under one plan.

    The columns of the case (one for each day and dose) become tables (T, A), with 0 for no dose:

        kill = -local,   survival = e^{-kill at the last horizon},
        others_kept = e^{-loss of effect},   start = (1, 1, 0, R_0 share, 0 ..)

    The effect of a lesion that is alone holds that of those at rest; that of several does not.
    """
    instance, effects, plan = candidates.instance, candidates.plan_effects, problem.plan
    spec, c = instance.lesions[lesion], instance.immune
    columns_here = np.flatnonzero(columns.lesion == lesion)
    dose = np.concatenate([[0.0], np.unique(columns.dose[columns_here])])
    days = np.unique(columns.day[columns_here])
    if not len(days):  # no dose keeps the limits
        days = np.array(free_course(spec).days[:1])
    shape = (len(days), len(dose))
    where = (
        np.searchsorted(days, columns.day[columns_here]),
        np.searchsorted(dose, columns.dose[columns_here]),
    )
    group = int(effects.group[plan])
    horizons = len(instance.horizon_days)
    allowed = np.zeros(shape, dtype=bool)
    allowed[where] = columns.allowed[plan, columns_here]
    allowed[:, 0] = True
    kill = np.zeros((*shape, horizons))
    kill[where] = -columns.local[group][columns_here, :, 0]
    survived = np.zeros(shape)
    survived[where] = -columns.local[group][columns_here, -1, 0]
    release = np.zeros(shape)
    if flow is not None:
        rows = [flow.row[int(j)] for j in columns_here]
        release[where] = flow.release[plan, rows, 0]
    load = np.zeros((*shape, len(problem.rhs)))
    load[where] = columns.loads[group][columns_here][:, problem.binding]
    daily = Daily(
        effect=chemo_factor(candidates, plan)
        * (c.effect_per_effector * effects.effect_factor[plan])[:, None]
        * (np.arange(instance.days)[:, None] < np.array(instance.horizon_days)),
        steps=recursion.days_of(
            instance.days,
            effects.mobilization[plan],
            effects.priming_factor[plan],
            effects.precursor_survival[plan],
            1.0 - c.effector_loss_per_day,
            precursor_loss_per_day=c.precursor_loss_per_day,
            clearance_per_day=c.clearance_per_day,
            inflow=c.precursor_inflow_per_day * spec.precursor_share,
        ),
        entry=c.clearance_per_day,
        lag=int(c.priming_delay_days),
    )
    start = np.zeros(QUEUE + daily.lag)
    start[[SURVIVORS, OTHERS]] = 1.0
    start[PRECURSORS] = c.precursors_initial * spec.precursor_share
    lost = spec.effect_loss(spec.ways[0]) * effects.effect_weights[plan][days]
    growth, kick_off = _repopulation(spec)
    loss = spec.lymphocyte_loss(spec.ways[0])
    return Terms(
        lesion=lesion,
        days=days,
        dose=dose,
        allowed=allowed,
        kill=kill,
        survival=np.exp(-survived),
        release=release,
        load=load,
        rhs=problem.rhs,
        organ_rows=len(problem.rhs),
        effectors_kept=math.exp(-spec.effector_kill(spec.ways[0])),
        others_kept=np.exp(-lost),
        daily=daily,
        start=start,
        others=problem.resting if len(problem.irradiated) == 1 else np.zeros(horizons),
        horizons=problem.horizons,
        growth=growth,
        kick_off=kick_off,
        growth_apart=spec.spread,
        alc_loss=loss,
        alc_kept=float(lymphocytes.recovery(1.0, instance.lymphocytes.recovery_half_time_days)),
        alc_allowance=problem.alc_allowance,
        most_fractions=_most_fractions(candidates, spec, len(days)),
    )


def _most_fractions(candidates: Candidates, lesion: Lesion, days: int) -> int:
    """Most fractions of a free course: its days, its own cap, visits and machine days."""
    course = free_course(lesion)
    caps = [days] if course.max_fractions is None else [days, course.max_fractions]
    limits = (limit.most_fractions for limit in candidates.on_courses)
    return min([*caps, *(most for most in limits if most is not None)])


def _repopulation(lesion: Lesion) -> tuple[float, float]:
    fast, slow = lesion.repopulation_doubling_time_days, lesion.growth_doubling_time_days
    if fast is None:
        return 0.0, 0.0
    rate = math.log(2.0) / fast - (0.0 if slow is None else math.log(2.0) / slow)
    return rate, lesion.kick_off_days
