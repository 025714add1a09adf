"""A search that is stopped early still says how good its answer may be."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from clocks import Stopping
from tuning import tune

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.ceilings import ceiling, ceiling_of_case
from abscopt.optimizer.candidates.systemic.propagators import BLOCK, propagators
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Clock, Progress, Stopped, tick
from abscopt.optimizer.search.uniform import explore as searching
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet, families
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


@pytest.mark.parametrize(
    ("name", "looks"), [("early-sabr", 0), ("early-sabr", 1), ("dual-checkpoint", 2),
                        ("dual-checkpoint", 4), ("dual-checkpoint", 7)]
)  # fmt: skip
def test_the_bound_of_a_stopped_search_is_true(name: str, looks: int) -> None:
    case = load(name)
    best = solve(case).certificate.best_objective
    assert best is not None
    found = searching.explore(Candidates(case), 0.005, 0, Stopping(looks))
    assert not found.complete
    assert found.bound is not None
    assert best - 1e-9 <= found.bound < math.inf


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_stopped_search_tabulates_for_its_bound_only_while_there_is_time(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = load("early-sabr")
    clock = Stopping(10**9)

    def out_of_time(search: object) -> None:
        clock.looks = 0
        raise Stopped

    monkeypatch.setattr(searching.Search, "run", out_of_time)
    tune(monkeypatch, settings, late_seconds=seconds)
    with clock.running("test"):
        found = searching.explore(Candidates(case), 0.005, 0, clock)
    assert found.bound is not None
    assert (found.bound < ceiling_of_case(case)) == (seconds > 0)


def test_what_was_closed_within_the_gap_counts_at_a_stop() -> None:
    """A node closed at incumbent plus gap may hold more than what is open is bounded by."""
    found, candidates = SearchState(value=1.0, nodes=1), Candidates(load("early-sabr"))
    trees, clock = searching.Trees(), Clock(None)
    search = searching.Search(candidates, 0.01, 0, clock, found, trees, math.inf)
    search.pending.clear()
    root = search._root((0, 1))
    search.examiner.push(root, 1.002)
    assert search.tree.proved == pytest.approx(1.01)
    search.examiner.push(root, 1.5)
    assert search.tree.proved == 1.5


def test_tables_that_stand_are_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(self: Candidates, plans: object) -> Candidates:
        raise AssertionError(f"tables of {plans} are built again")

    monkeypatch.setattr(Candidates, "of_plans", again)
    assert solve(load("early-sabr")).status == "optimal"


def test_every_reported_bound_is_true_and_none_rises() -> None:
    told: list[Progress] = []
    best = solve(load("dual-checkpoint"), listener=told.append).certificate.best_objective
    bounds = [progress.bound for progress in told if progress.bound is not None]
    assert best is not None and len(bounds) > 3
    assert min(bounds) >= best - 1e-9
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(bounds))


@pytest.mark.parametrize("name", ["early-sabr", "stage3-crt", "toy-fractionation"])
def test_the_ceiling_of_a_plan_lies_above_its_bound(name: str) -> None:
    candidates = Candidates(load(name))
    for plan in range(0, len(candidates.plans), 7):
        dual = Dual(PlanSet(candidates, (plan,)))
        rows, horizons = len(dual.set.rows.right), len(dual.ground)
        free = DualPrices(np.zeros(rows), np.zeros(horizons), np.zeros(horizons), 0.0)
        dual.add(free, dual.set.usable)
        cells = dual.tighten(dual.root(8), dual.set.usable, [0], -math.inf, 1e-6)
        assert ceiling(candidates, plan) >= cells.top - 1e-6  # caps have a tolerance


def test_without_saturation_only_control_has_a_ceiling() -> None:
    case = load("early-sabr")
    free = case.unchecked({"immune": case.immune.unchecked({"effect_maximum_nats": None})})
    best = solve(free).certificate.best_objective
    assert best is not None
    assert best <= ceiling(Candidates(free), 0) <= ceiling_of_case(free) == 0.0
    goal = free.objective.unchecked({"kind": "log_kill"})
    endless = free.unchecked({"objective": goal})
    assert ceiling(Candidates(endless), 0) == ceiling_of_case(endless) == math.inf


def test_a_solve_without_time_knows_that_control_is_at_most_certain() -> None:
    result = solve(load("oligomet-4"), time_limit=0)
    assert result.status == "unknown"
    assert result.bound == 0.0


def many_plans() -> Instance:
    """`dual-checkpoint` with so many start days that its plans are bounded in lots."""
    case = load("dual-checkpoint")
    raw = case.model_dump(mode="json")
    for agent in raw["agents"]:
        agent |= {"first_start_day": 0, "last_start_day": 30, "start_step_days": 1}
    raw["standard"] = None
    return Instance.model_validate_json(json.dumps(raw))


def test_very_many_plans_have_a_schedule_before_their_tables_and_a_true_bound() -> None:
    case = many_plans()
    candidates = Candidates(case)
    assert len(candidates.plans) > candidates.plans_at_once
    lots = families(candidates, np.arange(len(candidates.plans)))
    assert max(len(lot) for lot in lots) <= candidates.plans_at_once
    assert sorted(k for lot in lots for k in lot) == list(range(len(candidates.plans)))
    best, bounds = -math.inf, []
    for looks in (0, 2, 5):
        found = searching.explore(Candidates(case), 0.005, 0, Stopping(looks))
        assert found.row is not None and found.plan is not None and found.bound is not None
        schedule = schedule_of_row(candidates, found.plan, found.row)
        verdict = Judge(case).evaluate(schedule)
        assert verdict.feasible
        assert verdict.objective == pytest.approx(found.value, abs=1e-9)
        best = max(best, found.value)
        bounds.append(found.bound)
    assert min(bounds) >= best


def test_propagators_of_some_plans_are_those_of_all() -> None:
    candidates = Candidates(load("dual-checkpoint"))
    plans = np.arange(len(candidates.plans))
    whole = candidates.propagators(0)[0]
    small = propagators(
        candidates.instance, candidates.lesion_of(candidates.lesions[0]), whole.store.technique,
        candidates.lesions[0].menu.patterns, candidates.plan_effects, most_bytes=1,
    ).of_share(whole.share, whole.own)  # fmt: skip
    np.testing.assert_array_equal(small.resting_of(plans), whole.resting_of(plans))
    for k in (0, len(plans) // 2, len(plans) - 1):
        np.testing.assert_array_equal(small.release_of(k), whole.release_of(k))
    assert len(small.store.known) <= small.store.kept < len(plans) or len(plans) <= BLOCK


class Due(Clock):
    """Expires once it is told to."""

    due = False

    @property
    def expired(self) -> bool:
        return self.due


def test_long_loops_look_at_the_clock_that_runs() -> None:
    clock = Due()
    tick()
    with clock.running("preparing"):
        tick()
        clock.due = True
        with pytest.raises(Stopped):
            tick()
        with clock.answering():
            tick()
    tick()


def test_timings_come_in_lots_and_hold_every_one_that_matters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Few timings at a time or all at once: the same best schedule, the same bound."""
    case = load("dual-checkpoint")
    tune(monkeypatch, settings, course_limit=0)  # kinds are joined first
    one = searching.explore(Candidates(case), 0.005, 0, Clock())
    tune(monkeypatch, settings, timing_lot=7)
    other = searching.explore(Candidates(case), 0.005, 0, Clock())
    tune(monkeypatch, settings, most_timings=20)  # boxes with more are split
    third = searching.explore(Candidates(case), 0.005, 0, Clock())
    best = solve(case).certificate.best_objective
    assert best is not None
    for found in (one, other, third):
        assert found.complete and found.bound is not None
        assert found.value <= best + 0.005 and found.bound >= best - 1e-9
        assert found.bound - found.value <= 0.005 + 1e-9


def test_a_free_course_in_no_time_is_at_least_the_standard_regimen() -> None:
    """The programme has nothing in hand yet: the standard regimen keeps every limit."""
    result = solve(load("mr-linac-8"), time_limit=0.3)
    assert result.status in ("feasible", "optimal")
    assert result.objective is not None and result.standard is not None
    assert result.objective >= result.standard.objective - 1e-9
