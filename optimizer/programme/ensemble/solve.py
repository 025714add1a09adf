"""The programme over members, refined until its bound and the judges meet.

Every programme is a relaxation in each member, so that its bound is one of the measure: that rises
with the value in any member. The judges value each answer in all members; where one differs, the
part of that member is refined there and the programme is solved again.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.answer import bound_tolerance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.mip import DoubtError, SolverError
from abscopt.optimizer.highs.solver import canary
from abscopt.optimizer.programme import refining, settings
from abscopt.optimizer.programme.arrays.matrix import chosen, matrix_of, value_at
from abscopt.optimizer.programme.cuts import excess_cuts, excluded_choice, excluded_set, schedule_of
from abscopt.optimizer.programme.ensemble.broken import excluded_by_members
from abscopt.optimizer.programme.ensemble.cells import room_of
from abscopt.optimizer.programme.ensemble.joint import joint_programme
from abscopt.optimizer.programme.ensemble.sides import Side, member_sides, stated_side
from abscopt.optimizer.programme.proved import ProgrammeAnswer, least_gap
from abscopt.optimizer.programme.solving import How, bounded, report_so_far, solved_once
from abscopt.optimizer.programme.start import Choice, choice_of
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE
from abscopt.optimizer.search.ensemble.risk import Risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.highs.solver import Outcome
    from abscopt.optimizer.ids import PlanId
    from abscopt.optimizer.programme.refinement import Cut, Refinement
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.search.ensemble.members import Members

EXACT_TOLERANCE = 1e-4
"""Relative: what programme and judges may differ by where nothing is left to refine."""


@dataclass
class MembersAnswer(ProgrammeAnswer):
    """What the programme over members found.

    Attributes
    ----------
    measure : of `schedule`; minus infinity without one
    values : (members,) its objective in each, members without a weight included
    """

    measure: float = -math.inf
    values: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def value(self) -> float:
        """The measure in hand."""
        return self.measure


@dataclass(frozen=True)
class Verdicts:
    """One schedule, judged in the case and in every member.

    Attributes
    ----------
    values : (members,) objectives
    measure : of all of them
    accepted : whether the case's limits are kept, and those of members of enough weight
    """

    stated: Evaluation
    members: tuple[Evaluation, ...]
    values: FloatArray
    measure: float
    accepted: bool


class MembersProgramme:
    """A case, its members, a measure of risk, and what is known of the best schedule."""

    def __init__(self, members: Members, risk: Risk, how: How, clock: Clock):
        self.members, self.risk, self.how, self.clock = members, risk, how, clock
        self.answer = MembersAnswer()
        self.judge = Judge(members.nominal.instance)
        self.judges = [Judge(candidates.instance) for candidates in members.candidates]
        self.counted = np.flatnonzero(members.weights > 0.0).tolist()

    def verdicts(self, schedule: Schedule) -> Verdicts:
        """A schedule in every parameter set."""
        stated = self.judge.evaluate(schedule)
        of_members = tuple(judge.evaluate(schedule) for judge in self.judges)
        values = np.array([verdict.objective for verdict in of_members])
        inadmissible = np.array([not verdict.admissible for verdict in of_members])
        broken = float(self.members.weights @ inadmissible)
        accepted = stated.admissible and broken <= self.members.chance + WITHIN_CHANCE
        return Verdicts(stated, of_members, values, float(self.risk.of(values)), accepted)

    def take(self, schedule: Schedule, verdicts: Verdicts) -> None:
        """Keep a schedule that is accepted and better."""
        if verdicts.accepted and verdicts.measure > self.answer.measure:
            self.answer.schedule, self.answer.evaluation = schedule, verdicts.stated
            self.answer.measure, self.answer.values = verdicts.measure, verdicts.values

    def prepare(self) -> Choice | None:
        """State the sides, refined at the schedule in hand; its choice, if the case offers it.

        Raises
        ------
        InputError
            If the programme does not cover the case, or it is too large.
        """
        _refuse_huge(self.members)
        self.stated = stated_side(self.members.nominal, self.judge)
        judges = [self.judges[m] for m in self.counted]
        self.sides = member_sides(self.stated, self.members, self.counted, judges)
        self.answer.columns = len(self.stated.data.columns)
        if self.answer.schedule is None:
            return None
        columns = self.stated.data.columns
        choice = choice_of(self.stated.candidates, columns, self.answer.schedule)
        if choice is not None:
            self._refine(*choice, self.verdicts(self.answer.schedule), {})
        return choice

    def run(self, begin: Choice | None) -> None:
        """Solve and refine until bound and judges meet, or the time is over."""
        for _ in range(settings.CURRENT.most_rounds):
            if self.clock.expired or not self._round(begin):
                return
        self.answer.least_gap = least_gap(self.answer, self.how.gap)

    def _round(self, begin: Choice | None) -> bool:
        """Solve one programme and judge it; whether another one is to be solved."""
        answer, how = self.answer, self.how
        data = self.stated.data
        model = joint_programme(self.stated, self.sides, self._counted_risk())
        matrix, position = matrix_of(model)
        outcome = solved_once(data, model, matrix, position, self.clock, answer, how, begin)
        if not bounded(answer, outcome, how.gap):
            return False
        if outcome.x is None:
            self._believe()
            return False
        picked, pair = chosen(model, position, outcome.x)
        plan = data.refinement.bands[pair][0]
        schedule = schedule_of(self.stated.candidates, data.columns, picked, plan)
        verdicts = self.verdicts(schedule)
        self.take(schedule, verdicts)
        self._believe()
        report_so_far(self.clock, answer, answer.bound, answer.nodes)
        closed = answer.gap is not None and answer.gap <= how.gap
        if closed or outcome.ending == "limit":
            return False
        blocks = [model, *(model.member[i] for i in range(len(self.sides)))]
        excess = {
            (i, number): value_at(block.excess[number], position, outcome.x)
            for i, block in enumerate(blocks)
            for number in block.excess
        }
        if self._refine(picked, plan, verdicts, excess):
            self.how = replace(how, exact=False)
            return True
        if not how.exact:
            self.how = replace(how, exact=True)
            return True
        return self._set_apart(picked, plan, verdicts, outcome)

    def _inexact(self) -> float:
        """By how much the programme may overstate a choice where losses of effectors are large."""
        weights = sum(lesion.weight for lesion in self.members.nominal.instance.lesions)
        return weights * max(room_of(side.data) for side in (self.stated, *self.sides))

    def _set_apart(
        self, picked: list[int], plan: PlanId, verdicts: Verdicts, outcome: Outcome
    ) -> bool:
        """Exclude a judged choice that cannot be stated more exactly; whether that may help.

        With C the choices set apart, optimum = max(max_C judged measure, optimum of all others).
        """
        answer, claimed = self.answer, outcome.objective
        apart = math.inf if claimed is None else claimed - verdicts.measure
        scale = max(1.0, float(np.abs(verdicts.values[self.counted]).max()))
        if apart > EXACT_TOLERANCE * scale + self._inexact():
            raise SolverError("programme and judges disagree where the programme is exact")
        useful = answer.bound is not None and answer.bound > answer.floor
        if not useful or answer.excluded >= settings.CURRENT.most_excluded:
            answer.least_gap = least_gap(answer, self.how.gap)
            return False
        answer.excluded += 1
        answer.floor = max(answer.floor, verdicts.measure)
        self.stated = self.stated.refined(refining.set_apart(self.stated.data, picked, plan))
        return True

    def _counted_risk(self) -> Risk:
        """The measure over the members with a weight."""
        risk, counted = self.risk, self.counted
        best = None if risk.best is None else risk.best[counted]
        return Risk(risk.kind, risk.weights[counted], risk.level, best)

    def _believe(self) -> None:
        """Raise DoubtError where a judged schedule refutes the bound by more than rows may."""
        answer = self.answer
        if answer.bound is None or answer.schedule is None:
            return
        errors = bound_tolerance(self.judge.instance, answer.value) / self.risk.level
        if answer.bound < answer.value - errors:
            text = f"the solver's bound {answer.bound!r} lies below the judged {answer.value!r}"
            doubt = DoubtError(text)
            doubt.schedule = answer.schedule
            raise doubt
        answer.bound = max(answer.bound, answer.value)

    def _refine(
        self,
        picked: list[int],
        plan: PlanId,
        verdicts: Verdicts,
        excess: dict[tuple[int, int], float],
    ) -> bool:
        """Exact at judged verdicts, or without a choice that breaks a limit; whether it changed."""
        before = self.stated, *self.sides
        after = []
        judged = (verdicts.stated, *(verdicts.members[m] for m in self.counted))
        for i, (side, verdict) in enumerate(zip(before, judged, strict=True)):
            stated = {number: x for (j, number), x in excess.items() if j == i}
            after.append(_refined(side, side.picked(picked), plan, verdict, stated))
        self.stated, self.sides = after[0], after[1:]
        limited = all(
            verdict.admissible for side, verdict in zip(before, judged, strict=True) if side.limited
        )
        if limited and not verdicts.accepted:
            weights = self.members.weights[self.counted]
            cut = excluded_by_members(
                before[0], before[1:], weights, self.members.chance, picked, plan
            )
            self._exclude(cut)
        now = self.stated, *self.sides
        return any(x.data.refinement != y.data.refinement for x, y in zip(before, now, strict=True))

    def _exclude(self, cut: Cut) -> None:
        refinement = self.stated.data.refinement
        self.stated = self.stated.refined(replace(refinement, cuts=(*refinement.cuts, cut)))


def _refined(
    side: Side, picked: list[int], plan: PlanId, verdict: Evaluation, excess: dict[int, float]
) -> Side:
    """One side, refined at its verdict."""
    if side.limited and not verdict.admissible:
        if verdict.obstacles:
            raise SolverError(f"the programme broke a rule: {verdict.obstacles[0]}")
        return side.refined(_without(side, picked, plan, verdict))
    refinement = side.data.refinement
    if side.valued:
        refinement = refining.exact_at(side.data, picked, plan, verdict)
    if side.limited and excess:
        more = excess_cuts(side.candidates, side.judge, side.ruled, picked, plan, verdict, excess)
        refinement = replace(refinement, cuts=(*refinement.cuts, *more))
    return side.refined(refinement)


def _without(side: Side, picked: list[int], plan: PlanId, verdict: Evaluation) -> Refinement:
    """Without a choice that breaks a limit or misses a demand of a side."""
    if side.valued:
        return refining.refined(side.candidates, side.judge, side.ruled, picked, plan, verdict, {})
    refinement = side.data.refinement
    limits = {limit.name for limit in side.candidates.instance.limits}
    cut = excluded_choice(side.data, picked, plan)
    if not limits.isdisjoint(verdict.broken_limits):
        cut = excluded_set(side.candidates, side.judge, side.ruled, picked, plan)
    return replace(refinement, cuts=(*refinement.cuts, cut))


def solve_members(
    members: Members,
    risk: Risk,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    starts: Sequence[Schedule] = (),
) -> MembersAnswer:
    """Best schedule of a case for its members by one programme; judged, with a proven bound.

    Parameters
    ----------
    starts : schedules known before: the answer is at least as good as those that are accepted

    Raises
    ------
    InputError
        If the programme does not cover the case, or it is too large.
    DoubtError
        If the solver contradicts itself with and without presolve.
    """
    canary()
    if not members.nominal.plans:
        return MembersAnswer(infeasible=True)
    for presolve in (None, False):
        programme = MembersProgramme(members, risk, How(gap, seed, threads, None, presolve), clock)
        try:
            with suppress(Stopped):  # what is in the answer holds at any time
                for schedule in starts:
                    programme.take(schedule, programme.verdicts(schedule))
                programme.run(programme.prepare())
            return programme.answer
        except DoubtError:
            if presolve is False:
                raise
    raise AssertionError("a solver that is not asked")


def _refuse_huge(members: Members) -> None:
    candidates = members.nominal
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days) * len(members)
    allowed = settings.CURRENT.most_coefficients
    if size > allowed:
        rule = f"--method single holds at most {allowed} coefficients; use --method auto"
        value = f"{courses} courses x {len(candidates.plans)} plans x {len(members)} members"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])
