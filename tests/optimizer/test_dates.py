"""Rows of the programme over courses and days, each against every schedule by the judge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from plain_cases import EVERY_DAY, Raw, lesion, limit, plain_case, uniform

from abscopt.instances import build
from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.highs import solver
from abscopt.optimizer.highs.mip import SolverError
from abscopt.optimizer.highs.tiny_programs import misjudged
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Infusion, Schedule
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.leaves.dates import DateProgramme

GAP = 1e-6


@dataclass
class OfPlan:
    """All choices of courses of a case without systemic effect, under one plan."""

    candidates: Candidates
    plan: PlanId

    def programme(self) -> DateProgramme:
        """The programme over all courses; no prices, no effect."""
        dual = Dual(PlanSet(self.candidates, (self.plan,)))
        horizons = len(self.candidates.instance.horizon_days)
        zero = np.zeros(horizons)
        prices = DualPrices(np.zeros(len(dual.set.rows.right)), zero, zero, 0.0)
        courses = [CourseIds(np.arange(len(table.menu))) for table in self.candidates.lesions]
        tabulated = Tabulated(self.candidates, self.plan)
        return DateProgramme(dual, tabulated, courses, prices, np.ones(horizons), zero)

    @cached_property
    def rows(self) -> list[CourseIds]:
        """(lesions,) courses of each choice."""
        menus = [range(len(table.menu)) for table in self.candidates.lesions]
        return [CourseIds(np.array(row)) for row in itertools.product(*menus)]

    @cached_property
    def verdicts(self) -> list[Evaluation]:
        """What the judge says of each choice."""
        judge = Judge(self.candidates.instance)
        return [judge.evaluate(self.schedule(row)) for row in self.rows]

    def schedule(self, row: CourseIds) -> Schedule:
        """A choice as the judge reads it."""
        tables, instance = self.candidates.lesions, self.candidates.instance
        courses = (
            table.menu.course(int(c), instance.lesions[table.menu.lesion])
            for table, c in zip(tables, row, strict=True)
        )
        doses = self.candidates.plans[self.plan].doses
        infusions = [Infusion(day, drug, mg) for drug, day, mg in doses]
        return Schedule.of(itertools.chain.from_iterable(courses), infusions)

    def keeps(self, lesions: list[int], row: CourseIds) -> bool:
        """Whether the courses of some lesions alone keep every limit but floors."""
        only = CourseIds(np.where(np.isin(np.arange(len(row)), lesions), row, 0))
        return may_grow(self.verdicts[self.numbers[tuple(only.tolist())]])

    @cached_property
    def numbers(self) -> dict[tuple[int, ...], int]:
        """Where a choice stands among all."""
        return {tuple(row.tolist()): i for i, row in enumerate(self.rows)}


def may_grow(verdict: Evaluation) -> bool:
    """Whether every limit is kept, or is a floor that further courses may reach."""
    return all(name.endswith("floor") for name in verdict.broken_limits)


def left_of(programme: DateProgramme, number: int, row: CourseIds) -> float:
    """Left side of a row of the programme for a choice."""
    columns, values, _ = programme.rows[number]
    chosen = programme.course == row[programme.owner]
    return float(values @ chosen[columns])


def cases_of(raw: Raw) -> Iterator[OfPlan]:
    candidates = Candidates(build(raw))
    for plan in range(len(candidates.plans)):
        yield OfPlan(candidates, PlanId(plan))


def three(random: np.random.Generator, last_start_day: int, **fields: Any) -> list[Raw]:
    """Three lesions of different weight, with one or two fractions from some days on."""
    return [
        lesion(
            f"l{number}",
            weight=float(random.choice([0.5, 1.0, 3.0])),
            clonogens=1e4,
            course=uniform(
                [int(random.integers(1, 3))],
                [4.0, 7.0],
                last_start_day=last_start_day,
                start_step_days=int(random.integers(1, 3)),
                interval_days=[int(random.integers(1, 3))],
            ),
            **fields,
        )
        for number in range(3)
    ]


def case_of_rules(seed: int) -> Raw:
    """A drug that must follow radiation soon, one that must not come long before, or both."""
    random = np.random.default_rng(seed)
    rules = [
        {"max_days_after_radiation": int(random.integers(0, 4))},
        {"max_days_before_radiation": int(random.integers(0, 3))},
    ]
    agent = {
        "name": "pembrolizumab",
        "regimens": ["pembrolizumab-200-q3w"],
        "first_start_day": 0,
        "last_start_day": 4,
        "start_step_days": 4,
        "optional": bool(seed % 2),
    }
    for rule in (rules[:1], rules[1:], rules)[seed % 3]:
        agent |= rule
    return plain_case(
        three(random, 2), [], horizon_days=[30], objective="log_kill", calendar=EVERY_DAY,
        agents=[agent],
    )  # fmt: skip


def case_of_shared_days(seed: int, floor: int = 0) -> Raw:
    """An organ that all lesions share: what two doses of one day add, no row states."""
    random = np.random.default_rng(seed)
    cap = (9.0, 18.0, 27.0, 36.0, 45.0, 54.0)[seed % 6]
    limits = [limit("bed", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=cap)]
    if seed % 2:
        limits.append(limit("logistics", "days", quantity="lesions_per_day", cap=2))
    if floor:
        limits.append(limit("logistics", "lesions_floor", quantity="lesions", floor=floor))
    return plain_case(
        three(random, 3, sparing={"organ": {"max": 0.6}}),
        limits,
        horizon_days=[30],
        objective="log_kill",
        calendar=EVERY_DAY,
    )


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_rules_leave_what_keeps_the_rules(seed: int) -> None:
    """There is no limit: rows are those of rules, and a choice keeps all iff the judge says so."""
    stated = 0
    for case in cases_of(case_of_rules(seed)):
        programme = case.programme()
        if not programme.tabulated.end_needed >= 0 and programme.tabulated.start_needed < 0:
            assert not programme.rows
        broken_by = np.zeros(len(programme.rows), dtype=int)
        for row, verdict in zip(case.rows, case.verdicts, strict=True):
            rows = enumerate(programme.rows)
            broken = [left_of(programme, i, row) > right for i, (_, _, right) in rows]
            assert verdict.feasible == (not any(broken)), row
            broken_by += np.array(broken, dtype=int)
        assert (broken_by > 0).all(), "a row that cuts nothing off"
        stated += len(programme.rows)
    assert stated


def test_cuts_are_smallest_parts_that_break_a_limit() -> None:
    """Parts of two or three lesions, as courses fit alone; some cuts forbid several courses."""
    cuts = [cut for seed in range(6) for cut in cuts_of(case_of_shared_days(seed, floor=seed % 3))]
    assert {core for core, _ in cuts} == {2, 3}
    assert any(columns > core for core, columns in cuts)


def cuts_of(raw: Raw) -> Iterator[tuple[int, int]]:
    """Lesions and columns of the cut of every choice that breaks a limit.

    Each forbids the choice, no schedule that the judge admits, and has no lesion too many.
    """
    (case,) = cases_of(raw)
    programme = case.programme()
    every, feasible = np.array(case.rows), np.array([v.feasible for v in case.verdicts])
    for row, verdict in zip(case.rows, case.verdicts, strict=True):
        before = len(programme.rows)
        if may_grow(verdict):
            assert not programme._cut(row)
            assert len(programme.rows) == before
            continue
        assert programme._cut(row)
        columns, values, right = programme.rows.pop()
        core = sorted(set(programme.owner[columns].tolist()))
        assert (values == 1.0).all()
        assert right == len(core) - 1
        assert not case.keeps(core, row)
        assert all(case.keeps([s for s in core if s != left], row) for left in core)
        chosen = programme.course[columns]
        inside = [set(chosen[programme.owner[columns] == s].tolist()) for s in core]
        assert all(row[s] in courses for s, courses in zip(core, inside, strict=True))
        forbidden = np.ones(len(every), dtype=bool)
        for s, courses in zip(core, inside, strict=True):
            forbidden &= np.isin(every[:, s], list(courses))
        assert not feasible[forbidden].any()
        yield len(core), len(columns)


def test_cuts_beside_a_rule_forbid_one_choice() -> None:
    """A rule may ask for a course that a smaller part leaves out."""
    raw = case_of_rules(2)
    for one in raw["lesions"]:
        one["sparing"] = {"organ": {"max": 0.6}}
    raw["organs"] = {"organ": {"use": "generic_late"}}
    raw["limits"] = [limit("bed", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=30.0)]
    cuts = 0
    for case in cases_of(raw):
        programme = case.programme()
        if programme.tabulated.end_needed < 0 and programme.tabulated.start_needed < 0:
            continue
        for row, verdict in zip(case.rows, case.verdicts, strict=True):
            if not may_grow(verdict):
                assert programme._cut(row)
                number = len(programme.rows) - 1
                right = programme.rows[number][2]
                forbidden = [o for o in case.rows if left_of(programme, number, o) > right]
                assert [other.tolist() for other in forbidden] == [row.tolist()]
                programme.rows.pop()
                cuts += 1
                if cuts % 20 == 0:
                    break
    assert cuts


def solved(case: OfPlan) -> tuple[float, list[IntArray]]:
    """Bound and choices of the programme, without a schedule in hand."""
    answer = case.programme().solve(GAP, Clock(), lambda: -math.inf)
    return answer.bound, answer.rows


@pytest.mark.parametrize("seed", [0, 2, 3, 5])
@pytest.mark.parametrize("floor", [None, 0, 3])
def test_the_programme_ends_at_the_best_of_all_schedules(seed: int, floor: int | None) -> None:
    """Without systemic effect its value is the objective: bound and last choice are the best."""
    raw = case_of_rules(seed % 3) if floor is None else case_of_shared_days(seed, floor)
    for case in cases_of(raw):
        bound, rows = solved(case)
        best = max((v.objective for v in case.verdicts if v.feasible), default=None)
        if best is None:
            assert bound == -math.inf
            continue
        assert bound >= best
        last = case.schedule(CourseIds(rows[-1]))
        verdict = Judge(case.candidates.instance).evaluate(last)
        assert verdict.feasible
        assert verdict.objective >= best - GAP
        assert bound <= best + 1e-4


def test_no_integer_programme_is_solved_by_a_solver_that_the_canary_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = next(iter(cases_of(case_of_shared_days(0, 0))))
    wrong = [(matrix, best + 1.0) for matrix, best in misjudged()]
    solver.canary.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(solver, "misjudged", lambda: wrong)
        with pytest.raises(SolverError, match="is right"):
            solved(case)
    solved(case)
