"""Combinations of kinds bound every schedule of theirs, and a search by them is right."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from random_instances import random_case
from spread_cases import spread
from table_rows import unsaturated
from tuning import tune
from widened_instances import DECISIVE, widened_case

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.leaves import combinations
from abscopt.optimizer.search.uniform.leaves.by_plan import by_plan

GAP = 1e-4


def compared(instance: Instance, seed: int) -> tuple[int, int]:
    """Random schedules in cells that say so, and those above the threshold among them."""
    candidates = Candidates(instance)
    if candidates.free or not candidates.plans:
        return 0, 0
    rng = np.random.default_rng(seed)
    groups = candidates.plan_effects.group
    plan = int(rng.integers(len(candidates.plans)))
    family = [int(k) for k in np.flatnonzero(groups == groups[plan])][:8]
    tabulated = Tabulated(candidates, plan)
    rows = np.stack([rng.integers(0, len(t.menu), 1500) for t in candidates.lesions], axis=1)
    rows[rng.random(rows.shape) < 0.4] = 0
    rows = rows[tabulated.feasible(rows)][:60]
    if not len(rows):
        return 0, 0
    value = tabulated.value(rows)
    kill = unsaturated(tabulated, rows)
    threshold = float(np.median(value))
    above = 0
    for plans in ((plan,), tuple(sorted({plan, *family}))):
        dual = Dual(PlanSet(candidates, plans))
        cells = dual.root(3)
        combined = combinations.Combinations(dual, dual.set.usable, cells, threshold)
        bounded, alive = combined.bounded(Clock())
        low = bounded.low * (1 - 1e-9) - 1e-12
        for row, worth, z in zip(rows, value, kill, strict=True):
            inside = ((low <= z) & (z <= bounded.high * (1 + 1e-9))).all(axis=1)
            bound = float(bounded.bound[inside].max(initial=-np.inf))
            if not inside.any():  # an effect of 0, below the ground that is added to it
                bound = bounded.top
            assert worth <= threshold or bound >= worth - 1e-9
            if worth > threshold:
                above += 1
                kinds = [dual.set.shared[s].kinds.of[course] for s, course in enumerate(row)]
                assert all(mask[kind] for mask, kind in zip(alive, kinds, strict=True))
                assert plan in below_plan(combined, plan, kinds, worth)
    return 2 * len(rows), above


def test_no_combination_leaves_no_plan() -> None:
    """A threshold that rounding alone keeps cells above."""
    dual = Dual(PlanSet(candidates := Candidates(build(spread(random_case(7100), 7100))), (0,)))
    high = combinations.Combinations(dual, dual.set.usable, dual.root(3), 1e3)
    high.bounded(Clock())
    assert candidates.plans and not len(high.above)
    high._state()
    values = by_plan(high)
    assert values is not None and values.plans_above(-np.inf) == ()


def below_plan(
    combined: combinations.Combinations, plan: int, kinds: list[int], worth: float
) -> tuple[int, ...]:
    """Plans that are left by themselves; a schedule lies below its combination under its plan."""
    values = by_plan(combined)
    if values is None:
        assert not combined.log_levels.size
        return (plan,)
    stated = [combined.kinds[s][places] for s, places in enumerate(values.rows.T)]
    same = (np.stack(stated, axis=1) == kinds).all(axis=1)
    assert same.sum() == 1
    assert values.value[values.plans.index(plan)][same][0] >= worth - 1e-9
    return values.plans_above(combined.threshold)


def test_schedules_lie_below_their_combinations() -> None:
    raws = [spread(random_case(seed), seed) for seed in range(7100, 7110)]
    raws += [spread(widened_case(seed), seed) for seed in range(7100, 7110)]
    counts = np.sum([compared(build(raw), seed) for seed, raw in enumerate(raws)], axis=0)
    assert counts[0] > 1000
    assert counts[1] > 300


@pytest.mark.parametrize("chunk", range(2))
def test_cases_are_solved_as_by_enumeration(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is valued at once, and cells and levels are coarse: the tree decides all."""
    tune(
        monkeypatch, settings, few=0, first_cells=2, new_prices=2,
        combination_levels=8, combination_tangents=3, course_limit=50.0,
    )  # fmt: skip
    asked = []
    bounded = combinations.Combinations.bounded

    def counted(self: combinations.Combinations, clock: Clock) -> object:
        asked.append(self.count)
        return bounded(self, clock)

    monkeypatch.setattr(combinations.Combinations, "bounded", counted)
    wrong = []
    raws = [(seed, random_case(seed)) for seed in range(340 + chunk, 352, 2)]
    raws += [(seed, widened_case(seed)) for seed in DECISIVE[80 + chunk : 94 : 2]]
    for seed, raw in raws:
        instance = build(spread(raw, seed))
        known = enumerate_by_judge(instance, Judge(instance))
        result = solve(instance, gap=GAP)
        if not agrees(result, known.best, GAP, 1e-9):
            wrong.append((seed, result.objective, result.bound, known.best))
    assert not wrong
    assert sum(number > 1 for number in asked) > 3
