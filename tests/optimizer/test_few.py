"""Many plans at once: values are those of single plans, and what is decided is enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import enumerate_by_judge
from random_instances import random_case

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.by_rows import kills_of_rows, rows_above, values_of_rows
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.uniform.bounds.plan_set import families
from abscopt.optimizer.search.uniform.leaves.few import are_few, evaluate
from abscopt.optimizer.search.uniform.leaves.leaf import SearchState

MANY_ROWS = 40


def decided(candidates: Candidates, gap: float, found: SearchState) -> SearchState:
    """What is found when every family is decided at once."""
    courses = [np.arange(len(table.menu)) for table in candidates.lesions]
    for plans in families(candidates, np.arange(len(candidates.plans))):
        assert are_few(plans, courses)
        evaluate(candidates, plans, courses, gap, Clock(), found)
    return found


@pytest.mark.parametrize("name", ["oligomet-4", "stage3-crt", "capacity", "co-targets"])
def test_values_under_all_plans(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a drug relieves the suppression of release, and in parts of the plans."""
    monkeypatch.setattr("abscopt.optimizer.candidates.by_rows.MOST_ENTRIES", 3_000)
    candidates, rng = Candidates(load(name)), np.random.default_rng(7)
    plans = np.arange(len(candidates.plans))
    menus = [len(table.menu) for table in candidates.lesions]
    rows = np.stack([rng.integers(most, size=MANY_ROWS) for most in menus], axis=1)
    found = values_of_rows(candidates, plans, rows)
    assert found.shape == (len(plans), MANY_ROWS)
    most = candidates.instance.immune.effect_maximum_nats
    for k in rng.choice(plans, min(8, len(plans)), replace=False):
        tabulated = Tabulated(candidates, int(k))
        exact = tabulated.value(rows) + tabulated.cost(rows)
        assert found[k] == pytest.approx(exact, rel=1e-9)
        raw = kills_of_rows(candidates, np.array([k]), rows)[0]
        assert immune.saturate(raw, most) == pytest.approx(tabulated.systemic(rows), rel=1e-9)


def test_all_schedules_of_random_cases_are_decided() -> None:
    """None that the judge allows is better than what is found by more than the gap."""
    some = 0
    for seed in range(8100, 8112):
        instance = build(random_case(seed))
        candidates, best = Candidates(instance), enumerate_by_judge(instance, Judge(instance)).best
        for gap in (0.0, 0.01):
            found = decided(candidates, gap, SearchState())
            assert (found.row is None) == (best is None)
            if best is None or found.row is None or found.plan is None:
                continue
            slack = 1e-9 * max(1.0, abs(best))
            assert best - gap - slack <= found.value <= best + slack
            tabulated = Tabulated(candidates, found.plan)
            assert tabulated.feasible(found.row[None])[0]
            assert found.value == pytest.approx(tabulated.value(found.row[None])[0], rel=1e-12)
            some += 1
    assert some > 12


@pytest.mark.parametrize("name", ["co-targets", "young-timing"])
def test_all_schedules_of_many_plans_are_decided(name: str) -> None:
    """From nothing, and from a schedule that others beat."""
    candidates = Candidates(load(name))
    rows = every_row([np.arange(len(table.menu)) for table in candidates.lesions])
    values = []
    for plan in range(len(candidates.plans)):
        tabulated = Tabulated(candidates, plan)
        values.append(np.where(tabulated.feasible(rows), tabulated.value(rows), -np.inf))
    every = np.stack(values)
    assert decided(candidates, 0.0, SearchState()).value == pytest.approx(every.max(), rel=1e-12)
    order = np.unique(every[np.isfinite(every)])
    known = SearchState(plan=0, row=rows[0], value=float(order[-5]))
    assert decided(candidates, 0.0, known).value == pytest.approx(order[-1], rel=1e-12)
    gap = float(order[-1] - order[-5]) * (1 + 1e-6)
    known = SearchState(plan=0, row=rows[0], value=float(order[-5]))
    assert decided(candidates, gap, known).value == order[-5]


@pytest.mark.parametrize("name", ["oligomet-4", "stage3-crt", "capacity", "sequencing"])
def test_rows_that_may_be_worth_a_value_hold_all_that_are(name: str) -> None:
    """And few more; under plans of several groups, each with its own greatest occupancy."""
    candidates, rng = Candidates(load(name)), np.random.default_rng(11)
    plans = rng.choice(len(candidates.plans), min(20, len(candidates.plans)), replace=False)
    menus = [len(table.menu) for table in candidates.lesions]
    rows = np.stack([rng.integers(most, size=10 * MANY_ROWS) for most in menus], axis=1)
    values = values_of_rows(candidates, plans, rows)
    for least in (-np.inf, *np.quantile(values, [0.0, 0.5, 0.95, 1.0]), values.max() + 1.0):
        few, worths = rows_above(candidates, plans, rows, float(least))
        reach = np.flatnonzero((values >= least).any(axis=0))
        kept = {tuple(row) for row in few.tolist()}
        assert {tuple(row) for row in rows[reach].tolist()} <= kept
        known = {tuple(row): values[:, i] for i, row in enumerate(rows.tolist())}
        for row, worth in zip(few.tolist(), worths.T, strict=True):
            assert worth == pytest.approx(known[tuple(row)], rel=1e-12)
    assert not len(rows_above(candidates, plans, rows, values.max() + 1.0)[0])
