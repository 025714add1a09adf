"""What makes very long menus cheap leaves answers as they are, here on short ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from brute_force import enumerate_by_judge
from random_instances import random_case
from tuning import tune
from widened_instances import widened_case

import abscopt.optimizer.search.uniform.examine as examining
import abscopt.optimizer.search.uniform.narrow as narrowing
from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.levels.values import Values
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.incumbent import second_stage as staging

NAMES = ["early-sabr", "stage3-crt", "resistance", "dual-checkpoint"]


@pytest.mark.parametrize("name", NAMES)
def test_leaves_find_the_best_kind(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates, rng = Candidates(load(name)), np.random.default_rng(3)
    plans = PlanSet(candidates, (len(candidates.plans) // 2,))
    tune(monkeypatch, settings, most_leaves=7)
    values = Values(candidates, plans.shared, plans.share)
    kills = rng.exponential(2.0, (30, plans.horizons))
    some_leaf_holds_several = False
    for lesion, one in zip(values.lesions, plans.shared, strict=True):
        count = len(one.kinds)
        terms = rng.normal(0.0, 2.0, (3, count))
        terms[rng.random(terms.shape) < 0.3] = -np.inf
        terms[:, 0] = 0.0
        every = np.stack([lesion.at(kill, np.arange(count)) for kill in kills])
        greatest = (every + terms[:, None]).max(axis=2)
        assert lesion.best_at(kills, terms) == pytest.approx(greatest)
        most, _ = lesion.best(kills / 1.2, kills * 1.1, terms)
        assert (most.max(axis=2) >= greatest - 1e-12).all()
        rooms = lesion.ceilings(kills / 1.2, kills * 1.1, terms[0], np.zeros(most.shape[1:]))
        alive = terms[0] > -np.inf
        assert (rooms[alive] >= every.max(axis=0)[alive] - 1e-12).all()
        assert (rooms[~alive] == -np.inf).all()
        some_leaf_holds_several |= not lesion.leaves.single
    assert some_leaf_holds_several


def test_narrowed_nodes_end_at_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow, done = narrowing.narrow, []

    def counted(*arguments: Any) -> Any:
        found = narrow(*arguments)
        done.append(found is not None)
        return found

    monkeypatch.setattr(examining, "narrow", counted)
    tune(monkeypatch, settings, few=0, narrow_from=0, narrow_share=0.95, most_leaves=5)
    for seed in range(7300, 7315):
        instance = build(random_case(seed) if seed % 2 else widened_case(seed))
        best = enumerate_by_judge(instance, Judge(instance)).best
        result = solve(instance, gap=1e-6)
        if best is None:
            assert result.status == "infeasible", seed
            continue
        assert result.status == "optimal" and result.objective is not None, seed
        assert math.isclose(result.objective, best, abs_tol=2e-6), seed
    assert sum(done) > 5


@pytest.mark.parametrize("name", ["oligomet-4", "sequencing", "stage3-crt"])
def test_narrowed_candidates_are_worth_the_same(name: str) -> None:
    candidates, rng = Candidates(load(name)), np.random.default_rng(5)
    kept = [np.unique([0, *rng.integers(0, len(t.menu), 12).tolist()]) for t in candidates.lesions]
    few = candidates.narrowed(kept)
    again = few.narrowed([np.arange(0, len(own), 2) for own in kept])
    for small, courses in ((few, kept), (again, [own[::2] for own in kept])):
        rows = np.stack([rng.integers(0, len(own), 40) for own in courses], axis=1)
        wide = np.stack([small.in_case(row) for row in rows])
        for row, whole in zip(rows, wide, strict=True):
            assert (small.of_case(whole) == row).all()
        plan = int(rng.integers(len(candidates.plans)))
        one, other = Tabulated(small, plan), Tabulated(candidates, plan)
        assert one.value(rows) == pytest.approx(other.value(wide), rel=1e-12)
        assert (one.feasible(rows) == other.feasible(wide)).all()
    absent = np.array([len(t.menu) - 1 for t in candidates.lesions])
    assert again.of_case(absent) is None or all(len(t.menu) == 1 for t in again.lesions)


@pytest.mark.parametrize("name", ["oligomet-4", "sequencing", "stage3-crt", "capacity"])
def test_least_uses_are_no_more_than_uses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates, rng = Candidates(load(name)), np.random.default_rng(11)
    plan = int(rng.integers(len(candidates.plans)))
    tabulated = Tabulated(candidates, plan)
    row = np.array([int(rng.integers(len(t.menu))) for t in candidates.lesions])
    tune(monkeypatch, settings, long_kinds=0)
    for s, table in enumerate(candidates.lesions):
        rows = np.repeat(row[None, :], len(table.menu), axis=0)
        rows[:, s] = np.arange(len(table.menu))
        uses = tabulated.uses(rows)
        least = tabulated.least_uses(rows, s)
        finite = np.isfinite(uses)
        assert (least[finite] <= uses[finite] + 1e-9).all()
        value = tabulated.value(rows)
        floor = float(np.quantile(value, 0.8))
        tried = staging._worth_trying(tabulated, row, s, floor)
        above = np.flatnonzero(value >= floor + 1e-12)  # rows are valued one by one there
        assert np.isin(above, tried).all()
