"""What a programme is first approximated by, and how it is refined where the judge differs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.systemic.flows import flows_of
from abscopt.optimizer.highs.mip import SolverError
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.cuts import (
    excess_cuts,
    excluded_choice,
    excluded_set,
    growing,
)
from abscopt.optimizer.programme.data import Data, data_of
from abscopt.optimizer.programme.refinement import (
    LEAST_EFFECT,
    Refinement,
    first_pairs,
    first_refinement,
)

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Evaluation, Judge
    from abscopt.optimizer.programme.start import Choice
    from abscopt.optimizer.schedule import Schedule


def first(candidates: Candidates, columns: Columns, reduction: Kept | None) -> Refinement:
    """The first approximation: bands, or pairs where reductions went before."""
    instance = candidates.instance
    if reduction is None or instance.objective.of_dose_alone:
        active = tuple(
            s
            for s in flows_of(candidates, columns)
            if instance.lesions[s].immune_active(instance.immune)
        )
        return first_refinement(instance, columns, active)
    chemo = candidates.plan_effects.chemotherapy_log_loss
    losses = []
    for extreme, closed in ((np.min, np.inf), (np.max, -np.inf)):
        loss = np.where(columns.allowed, columns.loss, closed)
        of_lesions = [
            extreme(loss[:, columns.lesion == s], axis=1) for s in range(len(instance.lesions))
        ]
        losses.append(np.sum(of_lesions, axis=0) + chemo)
    blank = Refinement(bands=(), effects=(), gains=(1.0,))
    return first_pairs(
        len(candidates.plans),
        [1 if lesion.spread else len(lesion.populations) for lesion in instance.lesions],
        data_of(candidates, columns, blank, reduction).effect_range,
        (losses[0], losses[1]),
        instance.immune.effect_maximum_nats,
    )


def refined(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    picked: list[int],
    plan: PlanId,
    verdict: Evaluation,
    excess: dict[int, float],
) -> Refinement:
    """Exact at the judged point; or without it, if it breaks a limit."""
    if not verdict.admissible:
        if verdict.obstacles:
            raise SolverError(f"the programme broke a rule: {verdict.obstacles[0]}")
        if growing(candidates).isdisjoint(verdict.broken_limits):
            # A demand or a limit that falls with fractions, missed within a tolerance of HiGHS.
            cut = excluded_choice(data, picked, plan)
            refined = exact_at(data, picked, plan, verdict)
            return replace(refined, cuts=(*refined.cuts, cut))
        cut = excluded_set(candidates, judge, data, picked, plan)
        return replace(data.refinement, cuts=(*data.refinement.cuts, cut))
    refined = exact_at(data, picked, plan, verdict)
    cuts = excess_cuts(candidates, judge, data, picked, plan, verdict, excess)
    return replace(refined, cuts=(*refined.cuts, *cuts))


def exact_at(data: Data, picked: list[int], plan: PlanId, verdict: Evaluation) -> Refinement:
    """Bands, tangents and break points at one feasible schedule."""
    losses = [
        float(sum(data.columns.loss[plan, j] for j in picked if data.columns.lesion[j] == s))
        for s in data.lesions
    ]
    total = sum(losses)
    effects = [float(z) for z in verdict.immune["unsaturated_effect_nats"]]
    refined = data.refinement
    if refined.paired:
        loss_factor = math.exp(total + float(data.chemo[plan]))
        refined = refined.with_gains([max(z, LEAST_EFFECT) * loss_factor for z in effects])
    else:
        refined = refined.with_losses(plan, total, {s: total - losses[s] for s in data.free})
    return refined.with_point(
        effects,
        np.array([lesion.log_burden for lesion in verdict.lesions]),
        [np.array(verdict.lesions[s].clone_log_burden)[data.clones(s)].T for s in data.lesions],
        verdict.immune["systemic_effect_nats"] if data.spread else [],
    )


def refined_at(
    candidates: Candidates, judge: Judge, data: Data, choice: Choice | None, start: Schedule
) -> Refinement:
    """Exact at a known schedule, if it is one of those offered and feasible."""
    verdict = judge.evaluate(start)
    if choice is None or not verdict.admissible:
        return data.refinement
    return exact_at(data, *choice, verdict)


def set_apart(data: Data, picked: list[int], plan: PlanId) -> Refinement:
    """Exclude a judged choice that the programme cannot state more exactly.

    Margins of bands (times effect and weight) and tolerances of the solver (times the size of the
    objective) overstate a choice by more than a small gap. With C the choices set apart,
    optimum = max(max_C judged value, optimum of all others); the first is `ProgrammeAnswer.floor`.
    """
    cut = excluded_choice(data, picked, plan)
    return replace(data.refinement, cuts=(*data.refinement.cuts, cut))
