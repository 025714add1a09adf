"""A search that is stopped early still says how good its answer may be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from clocks import Stopping

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.by_rows import ceiling
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.progress import Progress
from abscopt.optimizer.search import explore as searching
from abscopt.optimizer.search.bound import Dual
from abscopt.optimizer.search.plan_set import PlanSet
from abscopt.optimizer.search.priced import Prices


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
        free = Prices(np.zeros(rows), np.zeros(horizons), np.zeros(horizons), 0.0)
        dual.add(free, dual.set.usable)
        cells = dual.tighten(dual.root(8), dual.set.usable, [0], -math.inf, 1e-6)
        assert ceiling(candidates, plan) >= cells.top - 1e-6  # caps have a tolerance


def test_a_case_without_saturation_has_no_ceiling() -> None:
    case = load("early-sabr")
    free = case.model_copy(
        update={"immune": case.immune.model_copy(update={"effect_maximum_nats": None})}
    )
    assert ceiling(Candidates(free), 0) == math.inf


def test_a_free_course_in_no_time_is_at_least_the_standard_regimen() -> None:
    """The programme has nothing in hand yet: the standard regimen keeps every limit."""
    result = solve(load("mr-linac-8"), time_limit=0.3)
    assert result.status in ("feasible", "optimal")
    assert result.objective is not None and result.standard is not None
    assert result.objective >= result.standard.objective - 1e-9
