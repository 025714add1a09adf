"""A solve that remembers related cases proves the same as one that begins with nothing."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from clocks import Stopping
from random_instances import random_case
from tuning import tune

from abscopt.instances import load
from abscopt.instances.checks.restriction import restricts
from abscopt.instances.load import InputError, build
from abscopt.instances.schema import Instance
from abscopt.optimizer import Memory, evaluate, frontier, solve
from abscopt.optimizer.candidates.by_rows import kill_of_row
from abscopt.optimizer.candidates.reuse import OF_EFFECTORS, candidates_like
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.fronts.pareto import with_cap
from abscopt.optimizer.pipeline import Method
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule
from abscopt.optimizer.search.uniform import explore as searching
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds import grounds
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.bounds.rows import rows_of
from abscopt.optimizer.search.uniform.branches import Branch, Trees
from abscopt.optimizer.search.uniform.leaves.leaf import SearchState

SEEDS = (702, 703, 704, 705)
CASE, GAP = "dual-checkpoint", 0.03
SEARCHED = load("high-low-dose").with_({"lesions.*.alpha_cv": 0})
"""Its tree has nodes to save; control in it is a step, that of `CASE` a slope."""


def changed(instance: Instance, **tables: Any) -> Instance:
    """The case with some top-level tables replaced."""
    return Instance.model_validate_json(json.dumps(instance.model_dump(mode="json") | tables))


def scaled_caps(instance: Instance, factor: float) -> Instance:
    """All doses that limits allow times a factor."""
    limits = instance.model_dump(mode="json")["limits"]
    for limit in limits:
        for key in ("cap_gy", "limits_gy"):
            if key in limit:
                value = limit[key]
                limit[key] = [v * factor for v in value] if key == "limits_gy" else value * factor
    return changed(instance, limits=limits)


def scaled_immune(instance: Instance, name: str, factor: float) -> Instance:
    immune = instance.model_dump(mode="json")["immune"]
    return changed(instance, immune=immune | {name: immune[name] * factor})


def without_last_dose(instance: Instance) -> Instance:
    """Every menu without its largest dose, so that an earlier answer may be off it."""
    lesions = instance.model_dump(mode="json")["lesions"]
    for lesion in lesions:
        for block in [lesion["course"] or {}, *((lesion["course"] or {}).get("blocks") or [])]:
            doses = block.get("doses_gy")
            if isinstance(doses, list) and len(doses) > 1:
                block["doses_gy"] = sorted(doses)[:-1]
            elif isinstance(doses, dict):
                doses["max_gy"] -= doses["step_gy"]
    return changed(instance, lesions=lesions)


def family(instance: Instance) -> Iterator[Instance]:
    """Related cases, the first one itself."""
    yield instance
    yield scaled_caps(instance, 0.95)
    yield scaled_caps(instance, 1.1)
    yield scaled_immune(instance, "effect_per_effector", 1.3)
    yield without_last_dose(instance)
    yield scaled_caps(instance, 0.8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_family_of_random_cases_is_solved_as_by_enumeration(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once as ever, and once with nothing enumerated before it has been bounded.

    A case that restricts another has no better schedule.
    """
    gap = 0.01 if seed % 2 else 1e-4
    cases = list(family(build(random_case(seed))))
    best = [enumerate_by_judge(case, Judge(case)).best for case in cases]
    for (one, value), (other, wide) in itertools.permutations(zip(cases, best, strict=True), 2):
        if restricts(one, other) and value is not None:
            assert wide is not None and value <= wide + 1e-12
    for most in (settings.CURRENT.few, 0):
        tune(monkeypatch, settings, few=most)
        memory = Memory()
        for case, value in zip(cases, best, strict=True):
            assert agrees(solve(case, gap=gap, memory=memory), value, gap)


def test_a_related_bundled_case_is_solved_as_from_nothing() -> None:
    """A wider cap, then another immune constant."""
    case, memory = load("resistance"), Memory()
    solve(case, memory=memory)
    wider = with_cap(case, "lungs_mean", 12.0)
    for one in (wider, scaled_immune(case, "effect_per_effector", 1.1)):
        warm, cold = solve(one, memory=memory), solve(one)
        assert warm.status == cold.status == "optimal"
        assert warm.objective is not None and warm.bound is not None
        assert cold.objective is not None and cold.bound is not None
        assert warm.bound >= cold.objective - 1e-9
        assert cold.bound >= warm.objective - 1e-9


@cache
def searched() -> tuple[SearchState, Trees]:
    """A case, searched from nothing, and the tree that this left."""
    trees = Trees()
    found = searching.explore(Candidates(SEARCHED), GAP / 2, 0, Clock(), trees=trees)
    assert found.complete
    return found, trees


def prices_of(branch: Branch) -> Iterator[Any]:
    yield from branch.prices
    for child in branch.children or ():
        yield from prices_of(child)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_no_schedule_beats_a_bound_by_prices_of_another_case(factor: float) -> None:
    case, (_, trees) = SEARCHED, searched()
    other = scaled_immune(scaled_caps(case, factor**0.2), "effect_per_effector", factor)
    candidates = Candidates(other)
    plans = tuple(range(len(candidates.plans)))
    known = list(prices_of(trees.of(plans)))
    assert len(known) > 10
    rng = np.random.default_rng(5)
    best = -math.inf
    for plan in rng.choice(len(plans), min(12, len(plans)), replace=False):
        tabulated = Tabulated(candidates, int(plan))
        rows = np.stack([rng.integers(len(t.menu), size=4000) for t in candidates.lesions], axis=1)
        good = tabulated.feasible(rows)
        best = max(best, float(tabulated.value(rows[good]).max(initial=-math.inf)))
    dual = Dual(PlanSet(candidates, plans))
    for prices in known:
        dual.add(prices, dual.set.usable)
    top = [
        dual.tighten(dual.root(8), dual.set.usable, [j], -math.inf, 1e9).top
        for j in range(len(known))
    ]
    assert math.isfinite(best)
    assert min(top) >= best
    assert min(top) < best + 8.0, "the bounds tell something: the best is that of random rows"


def test_the_tree_of_an_earlier_search_saves_nodes() -> None:
    first, trees = searched()
    assert first.row is not None and first.plan is not None
    start = [(first.plan, first.row)]
    again = searching.explore(
        Candidates(SEARCHED), GAP / 2, 0, Clock(), start, copy.deepcopy(trees)
    )
    assert again.complete
    assert again.value == first.value
    assert again.nodes < first.nodes / 2


@pytest.mark.parametrize("looks", [0, 3, 8, 20])
def test_a_stopped_search_that_remembers_has_a_true_bound(looks: int) -> None:
    first, trees = searched()
    assert first.plan is not None and first.row is not None
    start = [(first.plan, np.zeros_like(first.row))]
    stopped = searching.explore(
        Candidates(SEARCHED), 1e-4, 0, Stopping(looks), start, copy.deepcopy(trees)
    )
    assert stopped.bound is not None and not stopped.complete
    assert stopped.bound >= first.value


def test_tables_are_taken_over_where_they_hold() -> None:
    case = load(CASE)
    first = Candidates(case)
    tighter = candidates_like(first, scaled_caps(case, 0.9))
    assert tighter.lesions is first.lesions
    assert tighter.instance is not first.instance
    scenario = candidates_like(first, scaled_immune(case, "effect_per_effector", 1.1))
    assert scenario.lesions is first.lesions
    for other in (
        scaled_immune(case, "clearance_per_day", 1.1),
        without_last_dose(case),
        changed(case, horizon_days=[180]),
    ):
        assert candidates_like(first, other).lesions is not first.lesions
    narrow = Candidates(scaled_caps(case, 0.5))
    assert candidates_like(narrow, case).lesions is not narrow.lesions, "it lacks courses"


@pytest.mark.parametrize("name", ["dual-checkpoint", "hfrt-crt"])
def test_tables_taken_over_say_what_new_ones_say(name: str) -> None:
    case = load(name)
    other = scaled_caps(case, 0.9)
    weights = other.model_dump(mode="json")["lesions"]
    weights[0]["weight"] = 2.0
    immune = other.model_dump(mode="json")["immune"]
    for constant in sorted(OF_EFFECTORS):
        value = immune[constant]
        immune[constant] = value + 1 if isinstance(value, int) else 0.9 * (value or 0.1)
    other = changed(other, lesions=weights, immune=immune)
    first = Candidates(case)
    Tabulated(first, 0).value(np.zeros((1, len(first.lesions)), dtype=np.int64))
    taken, fresh = candidates_like(first, other), Candidates(other)
    assert taken.lesions is first.lesions
    judge, rng = Judge(other), np.random.default_rng(3)
    feasible = 0
    for plan in (0, len(taken.plans) - 1):
        menus = [table.menu for table in taken.lesions]
        rows = np.stack([rng.integers(len(menu), size=60) for menu in menus], axis=1)
        tabulated = Tabulated(taken, plan)
        good, value = tabulated.feasible(rows), tabulated.value(rows)
        for row, fits, worth in zip(rows, good, value, strict=True):
            fractions = itertools.chain.from_iterable(
                menu.course(int(c), other.lesions[menu.lesion])
                for menu, c in zip(menus, row, strict=True)
            )
            doses = [Infusion(day, drug, mg) for drug, day, mg in taken.plans[plan].doses]
            verdict = judge.evaluate(Schedule.of(fractions, doses))
            assert verdict.feasible == fits
            assert not fits or abs(verdict.objective - worth) < 1e-9
            feasible += bool(fits)
    assert feasible > 3
    assert sum(len(t.menu) for t in fresh.lesions) <= sum(len(t.menu) for t in taken.lesions)


def test_a_tighter_case_needs_no_new_proof_and_a_wider_one_does() -> None:
    case, memory = load("resistance"), Memory()
    first = solve(case, memory=memory)
    tighter = solve(with_cap(case, "lungs_mean", 7.0), memory=memory)
    assert tighter.status == "optimal"
    assert tighter.solver.nodes == 0
    assert tighter.bound == first.bound
    assert solve(with_cap(case, "lungs_mean", 9.0), memory=memory).solver.nodes > 0


def restricted(case: Instance) -> Iterator[tuple[str, Instance, bool]]:
    """Changed cases, and whether they offer nothing that the case does not."""
    raw = case.model_dump(mode="json")
    yield "same", case, True
    yield "tighter", scaled_caps(case, 0.9), True
    yield "wider", scaled_caps(case, 1.1), False
    yield "biology", scaled_immune(case, "effect_per_effector", 0.9), False
    yield "renamed", changed(case, name="other", title="other"), True
    yield "gap", changed(case, objective=raw["objective"] | {"gap": 0.1}), True
    yield "objective", changed(case, objective=raw["objective"] | {"kind": "log_kill"}), False
    yield "fewer limits", changed(case, limits=raw["limits"][1:]), False
    soft = [raw["limits"][0] | {"penalty": 1.0}, *raw["limits"][1:]]
    yield "softer", changed(case, limits=soft), False
    alc = [
        limit
        | ({"floor_1e9_per_l": limit["floor_1e9_per_l"] * 0.9} if limit["kind"] == "alc" else {})
        for limit in raw["limits"]
    ]
    yield "lower floor", changed(case, limits=alc), False


def test_what_restricts_a_case() -> None:
    case = load(CASE)
    for what, other, expected in restricted(case):
        assert restricts(other, case) == expected, what
    fewer = changed(case, limits=case.model_dump(mode="json")["limits"][1:])
    assert restricts(case, fewer)
    soft = next(other for what, other, _ in restricted(case) if what == "softer")
    assert restricts(case, soft)
    replanned = load("reirradiation")
    before = changed(replanned, prior_doses=[])
    assert restricts(replanned, before)
    assert not restricts(before, replanned)


def test_a_start_is_repaired_where_it_does_not_fit() -> None:
    """Courses off the menu, plans that are not offered and limits that are broken."""
    case = load("toy-two-lesions")
    best = solve(case).certificate.best_objective
    assert best is not None
    starts = [
        Schedule(),
        Schedule.of([Fraction(day, "large", 33.0) for day in (0, 1, 2)], []),
        Schedule.of([Fraction(3, "large", 7.77)], []),
    ]
    for start in starts:
        result = solve(case, start=start)
        assert result.status == "optimal"
        assert result.objective is not None and result.bound is not None
        assert result.objective >= best - case.objective.gap - 1e-9
        assert result.bound >= best - 1e-9


@pytest.mark.parametrize(
    ("name", "method"),
    [("early-sabr", "auto"), ("toy-blockade", "single"), ("toy-free-20", "auto")],
)
def test_the_answer_is_at_least_as_good_as_a_feasible_start(name: str, method: Method) -> None:
    """Also where there is no time to find another, or a wide gap is closed at once."""
    case = load(name)
    start = solve(case, method=method, time_limit=1.5).schedule
    assert start is not None
    before = evaluate(case, start)
    assert before.feasible
    result = solve(case, gap=5.0, method=method, start=start, time_limit=0.3)
    assert result.objective is not None
    assert result.objective >= before.objective - 1e-12


def test_a_series_gives_the_same_answers_again() -> None:
    case = load("resistance")
    told = []
    for _ in range(2):
        memory = Memory()
        cases = (case, scaled_immune(case, "effect_per_effector", 1.1))
        results = [solve(one, memory=memory).to_json(one) for one in cases]
        for document in results:
            del document["solver"]["seconds"]
        told.append(json.dumps(results))
    assert told[0] == told[1]


def test_the_points_of_a_frontier_are_those_of_single_solves() -> None:
    case, caps = load("resistance"), (3.0, 1.5, 6.0)
    found = frontier(case, "lungs_mean", caps)
    assert [point.cap for point in found.points] == list(caps)
    values = {}
    for point in found.points:
        cold, result = solve(with_cap(case, "lungs_mean", point.cap)), point.result
        assert result.status == cold.status == "optimal"
        assert cold.objective is not None and cold.bound is not None
        assert result.objective is not None and result.bound is not None
        assert cold.objective - 1e-9 <= result.bound
        assert result.objective <= cold.bound + 1e-9
        values[point.cap] = result.objective
    assert values[1.5] < values[3.0] - case.objective.gap, "the cap matters"


@pytest.mark.parametrize(("limit", "cap"), [("nothing", 1.0), ("ipilimumab_doses", -1.0)])
def test_a_frontier_of_what_is_not_there_is_refused(limit: str, cap: float) -> None:
    with pytest.raises(InputError):
        frontier(load(CASE), limit, (cap,))


def with_hard_limits(case: Instance) -> Instance:
    raw = case.model_dump(mode="json")
    return changed(case, limits=[limit | {"penalty": None} for limit in raw["limits"]])


@pytest.mark.parametrize("most", [settings.CURRENT.few, 0])
def test_a_proof_says_how_far_its_bound_moves_with_the_caps(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No schedule of the case with other caps is better; mostly it is told within the gap."""
    tune(monkeypatch, settings, few=most)
    gap, told, near = 1e-4, 0, 0
    for seed in range(710, 714):
        case, memory = with_hard_limits(build(random_case(seed))), Memory()
        solve(case, gap=gap, memory=memory)
        for factor in (0.9, 1.03, 1.2):
            other = scaled_caps(case, factor)
            candidates = memory.candidates(other)
            if candidates.lesions is not memory.candidates(case).lesions:
                continue
            bound = memory.bound(candidates)
            best = enumerate_by_judge(other, Judge(other)).best
            if not math.isfinite(bound) or best is None:
                continue
            assert bound >= best - 1e-12
            told += 1
            near += bound < best + 10 * gap
    assert told >= 6
    assert near >= told / 2


def test_bounds_rise_with_the_caps_as_their_prices_say() -> None:
    """No schedule of a case with other caps is better than the old bound with the rise."""
    case, risen, needed = load("toy-two-lesions"), 0, 0
    before = Candidates(case)
    dual = Dual(PlanSet(before, (0,)))
    alive = dual.set.usable
    rows = np.array(list(itertools.product(*(range(len(t.menu)) for t in before.lesions))))
    kill = np.stack([kill_of_row(before, 0, row) for row in rows])
    kill = np.maximum(kill, dual.root(1).low[0])
    for factor in (0.9, 1.05, 1.1, 1.3):
        after = candidates_like(before, scaled_caps(case, factor))
        assert grounds._allows_no_more(after, before)
        tabulated = Tabulated(after, 0)
        feasible = tabulated.feasible(rows)
        value = np.where(feasible, tabulated.value(rows), -np.inf)
        for at in np.unique(kill, axis=0):
            one, _, _ = dual.prices_at(at, alive, -math.inf, 1e-9)
            bound = dual.bounds_at([len(dual.lagrangians) - 1], alive, kill)[0]
            rise = grounds._rise(dual.set.rows, rows_of(after, (0,), (0,)), one.prices.rows[None])
            assert (value <= bound + rise + 1e-9).all()
            risen += bool(rise > 0)
            needed += bool((value > bound + 1e-6).any())
    assert risen
    assert needed
