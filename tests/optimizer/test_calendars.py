"""Caps on days: which kinds go together, whole calendars, and searches by them, by enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from random_instances import random_case
from spread_cases import spread
from tuning import tune
from widened_instances import widened_case

from abscopt.instances.limits import LogisticsLimit
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.search.uniform import examine, settings
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet

GAP = 1e-4
QUANTITIES = ("visits", "visits", "overall_days")


def capped(seed: int, widened: bool = False) -> Instance:
    """A random case with a cap on days; in every second one control is a mean."""
    raw = widened_case(seed) if widened else random_case(seed)
    case = build(spread(raw, seed) if seed % 2 else raw)
    rng = np.random.default_rng(seed)
    quantity = QUANTITIES[seed % 3]
    cap = int(rng.integers(1, 6)) if quantity == "visits" else int(rng.integers(1, 12))
    limit = LogisticsLimit(
        name="few-days", kind="logistics", quantity=quantity, cap=cap, source="test",
        status="assumed",
    )  # fmt: skip
    return case.unchecked({"limits": (*case.limits, limit)})


def suited(case: Instance, seed: int) -> int:
    """Feasible schedules, each held against pairs and calendars of its kinds; how many."""
    candidates = Candidates(case)
    if candidates.free or not candidates.plans:
        return 0
    rng = np.random.default_rng(seed)
    plan = int(rng.integers(len(candidates.plans)))
    group = np.flatnonzero(
        candidates.plan_effects.group == candidates.plan_effects.group[plan]
    ).tolist()
    tabulated = Tabulated(candidates, plan)
    rows = np.stack([rng.integers(0, len(t.menu), 4000) for t in candidates.lesions], axis=1)
    rows[rng.random(rows.shape) < 0.2] = 0
    rows = np.unique(rows[tabulated.feasible(rows)], axis=0)[:60]
    plans = PlanSet(candidates, tuple(group))
    assert plans.together is not None and plans.calendars is not None
    for row in rows:
        kinds = [KindIds(shared.kinds.of[[c]]) for shared, c in zip(plans.shared, row, strict=True)]
        assert all(mask[kind[0]] for mask, kind in zip(plans.usable, kinds, strict=True))
        for (i, j), most in plans.together.most_shared(kinds).items():
            shared = tabulated.shared_days(row[None], i, j)[0]
            assert shared <= most[0, 0]
        timings = plans.calendars.timings(kinds)
        assert timings is not None
        assert (timings == row).all(axis=1).sum() == 1
    return len(rows)


def test_feasible_schedules_stand_on_calendars() -> None:
    counts = [suited(capped(seed, widened=seed > 7630), seed) for seed in range(7600, 7660)]
    assert sum(count > 0 for count in counts) > 30
    assert sum(counts) > 200


@pytest.mark.parametrize("chunk", range(4))
def test_cases_are_solved_as_by_enumeration(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is valued at once, and cells and levels are coarse: the tree decides all."""
    tune(
        monkeypatch, settings, few=0, first_cells=2, new_prices=2,
        combination_levels=8, combination_tangents=5, course_limit=50.0, calendar_tangents=2,
        most_calendars=(20_000, 40)[chunk % 2],
    )  # fmt: skip
    valued = []
    decided = examine.Examiner._decided

    def counted(self: examine.Examiner, *arguments: object) -> int | None:
        valued.append(decided(self, *arguments))  # type: ignore[arg-type]
        return valued[-1]

    monkeypatch.setattr(examine.Examiner, "_decided", counted)
    wrong = []
    for seed in range(7700 + chunk, 7772, 4):
        case = capped(seed, widened=seed % 8 > 3)
        known = enumerate_by_judge(case, Judge(case))
        result = solve(case, gap=GAP)
        if not agrees(result, known.best, GAP, 1e-9):
            wrong.append((seed, result.objective, result.bound, known.best))
    assert not wrong
    assert sum(number is not None and number > 0 for number in valued) > 3
