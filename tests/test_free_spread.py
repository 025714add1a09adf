"""Free courses of lesions whose tumors differ in radiosensitivity: the judge on every schedule."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_cases import Raw
from spread_cases import spread
from test_free_nodes import every_course, every_schedule, random_span
from test_free_search import REGROWING, assert_best, looked, random_case, random_slopes, searched
from test_free_several import menu, several

from abscopt.instances import InputError
from abscopt.instances.load import build
from abscopt.instances.schema import Objective
from abscopt.models.tumor.population import sensitivity_factors
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.multipliers import TriedMultipliers
from abscopt.optimizer.search.free.bounds.ranges import tightened
from abscopt.optimizer.search.free.explore import Search
from abscopt.optimizer.search.free.scope import applies
from abscopt.optimizer.search.free.spread import Spread, Table
from abscopt.optimizer.tuning import using


def slow(raw: Raw) -> Raw:
    """The case without accelerated repopulation, its first lesion's alpha spread."""
    raw = copy.deepcopy(raw)
    for lesion in raw["lesions"]:
        lesion.pop("repopulation_doubling_time_days", None)
        lesion.pop("kick_off_days", None)
    raw = spread(raw, 1)
    raw["lesions"][0]["alpha_cv"] = 0.35
    return raw


def fast(raw: Raw) -> Raw:
    """The case with accelerated repopulation of all that is irradiated, alpha spread likewise."""
    raw = slow(raw)
    for lesion in raw["lesions"][:-1]:
        lesion |= REGROWING | {"kick_off_days": 1.0}
    return raw


CASES: dict[str, Raw] = {
    "alone": slow(random_case(3, days=5, levels=2)),
    "two": slow(several(1, days=5)),
    "beside a menu": slow(several(0, lesions=1, days=4, beside=[menu()])),
    "alone, regrowing": fast(random_case(4, days=5, levels=2)),
    "two, regrowing": fast(several(4, days=4)),
    "beside a menu, regrowing": fast(several(0, lesions=1, days=4, beside=[menu()])),
}


@pytest.mark.parametrize("name", CASES)
def test_any_prices_bound_nodes_and_what_is_taken_off_them(name: str) -> None:
    one, random = searched(CASES[name]), np.random.default_rng(5)
    every = every_schedule(one)
    taken, apart = 0, 0
    for _ in range(25):
        slopes = random_slopes(one, random)
        apart += bool((slopes.felt != slopes.burden).any())
        whole = looked(one, one.domain, slopes)
        tried = TriedMultipliers(slopes, tuple(look.by_count for look in whole.oracle_bounds))
        spans = [random_span(one, part, s, random) for s, part in enumerate(one.oracles)]
        low, high = np.sort(random.choice(every.courses[0].kill[:, -1], 2)).tolist()
        spans[0] = replace(spans[0], kill=(low, high))
        node = one.domain.within(tuple(spans))
        inside = every.inside(node)
        best = float(every.value[inside].max(initial=-np.inf))
        assert looked(one, node, slopes).bound >= best - 1e-9
        threshold = whole.bound - float(random.exponential(0.5))
        left, closed = tightened(one.domain, [tried], threshold)
        gone = np.ones(len(every.value), dtype=bool) if left is None else ~every.inside(left)
        assert every.value[gone].max(initial=-np.inf) <= closed + 1e-9
        taken += bool(gone.any())
    assert apart and taken > 3


@pytest.mark.parametrize("kind", ["default", "log_control", "expected_control", "log_kill"])
def test_tables_bound_all_between_their_points_and_little_more(kind: Any) -> None:
    goal, random = Objective(kind=kind), np.random.default_rng(6)
    for points in (30_000, 50):
        for _ in range(6):
            own = Spread(*sensitivity_factors(float(random.uniform(0.05, 0.9))))
            kill, felt = np.sort(random.uniform(0, 40, 2)), np.sort(random.uniform(0, 12, 2))
            local = float(random.uniform(5, 25))
            with using(settings, replace(settings.CURRENT, table_points=points)):
                table = Table(goal, own, local, tuple(kill.tolist()), tuple(felt.tolist()))
            grid = np.meshgrid(table.kill[::3], table.felt[::3])
            k = np.append(random.uniform(*kill, 3000), grid[0])
            v = np.append(random.uniform(*felt, 3000), grid[1])
            price, felt_price = random.uniform(0, 1, 2).tolist()
            found = value_of_burden(goal, own.burden(local - v, k)) - price * k - felt_price * v
            by_kill = table.by_kill(price, felt_price)
            assert by_kill.max() >= found.max()
            if points > 50:
                assert by_kill.max() <= found.max() + 0.3
            edges = np.linspace(*kill, 6)
            pieces = table.pieces(by_kill, edges[:-1], edges[1:])
            for piece, low, high in zip(pieces, edges[:-1], edges[1:], strict=True):
                assert piece >= found[(k >= low) & (k <= high)].max(initial=-np.inf)


@pytest.mark.parametrize(
    "raw",
    [
        slow(random_case(5, days=4, objective="log_control")),
        slow(random_case(7, days=4, objective="expected_control")),
        slow(random_case(4, days=4)),
        slow(several(2, days=2)),
        slow(several(13, days=3, levels=1)),
        slow(several(8, lesions=1, days=2, beside=[menu()])),
        slow(random_case(3, days=3, levels=2, immune={"effect_per_effector": 0.0})),
        fast(random_case(5, days=4, objective="log_control")),
        fast(random_case(7, days=4, objective="expected_control")),
        fast(random_case(8, days=5, levels=2)),
        fast(several(2, days=2)),
        fast(several(13, days=3, levels=1)),
        fast(several(8, lesions=1, days=2, beside=[menu()])),
        fast(several(5, lesions=1, days=2, beside=[menu()])),
    ],
    ids=[
        *("log control", "expected", "alone", "two", "two, logs", "beside a menu", "no effect"),
        *("log control, fast", "expected, fast", "alone, fast", "two, fast", "two, logs, fast"),
        *("beside a menu, fast", "beside a menu, logs, fast"),
    ],
)
def test_cases_are_solved_as_by_enumeration(raw: Raw) -> None:
    assert_best(raw)


@pytest.mark.parametrize("name", ["two, regrowing", "beside a menu, regrowing"])
def test_whole_courses_are_valued_as_the_judge_does(name: str) -> None:
    """Growth during a course included, which differs between them."""
    instance = build(CASES[name])
    judge = Judge(instance)
    search = Search(Candidates(instance), judge, 1e-3, 0, Clock(None, None))
    one, random = search.plans.of(0), np.random.default_rng(3)
    courses = [part.of(every_course(part))[0] for part in one.oracles]
    assert all(courses[s].growth.max() > 0.2 for s in one.problem.spread)
    rows = np.stack([random.integers(0, len(lot), 40) for lot in courses], axis=1)
    for row, value in zip(rows, one.schedules.values(courses, rows), strict=True):
        each = [lot.actions[i] for lot, i in zip(courses, row, strict=True)]
        verdict = judge.evaluate(search.improver.schedule(one, each))
        assert value == pytest.approx(verdict.objective, abs=1e-9)


def test_what_is_not_covered_says_so() -> None:
    raw = slow(random_case(3, days=5, levels=2))
    raw["lesions"][0] |= REGROWING
    assert applies(Candidates(build(raw)))
    with pytest.raises(InputError, match="no free courses beside it"):
        solve(build(raw), method="single")
    raw["limits"][0]["penalty"] = 1.0
    assert not applies(Candidates(build(raw)))
    with pytest.raises(InputError, match=r"lesions\[0\].alpha_cv: 0.35: .* no free courses"):
        solve(build(raw))
