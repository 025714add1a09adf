"""What a schedule in hand rules out before the search: nothing that is as good (P23)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from histories import begun
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances.load import build
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.coefficients import relieves
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.uniform.ruling.alone import greatest_worths
from abscopt.optimizer.search.uniform.ruling.group_bounds import GroupBounds
from abscopt.optimizer.search.uniform.ruling.ruled_out import not_ruled_out

MENUS = {"twice_daily_days": [0, 1], "compensating_fractions": [1]}
MOST = 600
GAP = 0.01
ROUNDING = 1e-9


def _values(candidates: Candidates, rows: CourseRows) -> np.ndarray:
    """(plans, rows) value of every schedule, limits aside."""
    plans = range(len(candidates.plans))
    return np.array([Tabulated(candidates, PlanId(k)).value(rows) for k in plans])


def _rows(candidates: Candidates) -> CourseRows:
    menus = [range(len(table.menu)) for table in candidates.lesions]
    return CourseRows(np.array(list(itertools.product(*menus)), dtype=np.int64))


def _schedules(candidates: Candidates, least: float) -> set[Schedule]:
    rows = _rows(candidates)
    values = _values(candidates, rows)
    return {
        schedule_of_row(candidates, PlanId(int(k)), CourseIds(rows[i]))
        for k, i in zip(*np.nonzero(values >= least), strict=True)
    }


def _small(make: Any, seed: int) -> Candidates | None:
    """Candidates of a random case that has begun, if they can be enumerated."""
    case = begun(build(make(seed)), seed, menus=MENUS if seed % 2 else None)
    if case is None:
        return None
    candidates = Candidates(case)
    size = len(candidates.plans) * np.prod([len(t.menu) for t in candidates.lesions])
    return candidates if 1 < size <= MOST and not candidates.free else None


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_no_schedule_as_good_is_lost_and_most_others_are(make: Any) -> None:
    tried = fewer = raised = 0
    for seed in range(30):
        candidates = _small(make, seed)
        if candidates is None:
            continue
        rows = _rows(candidates)
        values = _values(candidates, rows)
        for share in (0.5, 0.9, 1.0):
            least = float(np.quantile(values, share, method="lower"))
            ruled = not_ruled_out(candidates, (), least, GAP, Clock(None))
            left = ruled.candidates
            assert _schedules(candidates, ruled.least) <= _schedules(left, -np.inf), (seed, share)
            if ruled.least == least:
                assert all(_value_of(left, start) <= least + GAP for start in ruled.starts)
            else:  # only for a schedule that may be given
                assert _value_of(left, ruled.starts[-1]) == pytest.approx(ruled.least + GAP)
                raised += 1
            tried += 1
            fewer += sum(len(t.menu) for t in left.lesions) < sum(
                len(t.menu) for t in candidates.lesions
            )
    assert tried >= 20
    assert fewer >= 8
    assert raised >= 4


def _value_of(candidates: Candidates, start: tuple[PlanId, CourseIds]) -> float:
    """Value of a schedule that keeps every limit; -inf if it breaks one."""
    tabulated, row = Tabulated(candidates, start[0]), CourseRows(start[1][None, :])
    return float(tabulated.value(row)[0]) if tabulated.feasible(row)[0] else -np.inf


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_what_courses_and_plans_are_worth_at_most_is_above_every_schedule(make: Any) -> None:
    compared = 0
    for seed in range(30, 60):
        candidates = _small(make, seed)
        if candidates is None or candidates.instance.objective.of_dose_alone:
            continue
        rows, effects = _rows(candidates), candidates.plan_effects
        values = _values(candidates, rows)
        for group in np.unique(effects.group):
            plans = PlanIds(np.flatnonzero(effects.group == group))
            best = values[plans].max(axis=0)
            for bounds, column in zip(greatest_worths(candidates, plans), rows.T, strict=True):
                assert (best <= bounds[column] + ROUNDING).all(), seed
            compared += len(rows)
            if relieves(candidates.instance, effects, plans):
                continue
            every = [np.ones(len(table.menu), dtype=bool) for table in candidates.lesions]
            bound_of_plans = GroupBounds(candidates.of_plans(plans.tolist())).plans(every)
            assert (values[plans].max(axis=1) <= bound_of_plans + ROUNDING).all(), seed
    assert compared >= 200


def test_a_known_schedule_stays_with_its_plan_and_courses() -> None:
    case = next(
        c for seed in range(30) if (c := begun(build(random_case(seed)), seed, menus=MENUS))
    )
    candidates = Candidates(case)
    row = CourseIds(np.array([len(table.menu) - 1 for table in candidates.lesions]))
    known = (PlanId(0), row)
    ruled = not_ruled_out(candidates, [known], 1e9, GAP, Clock(None))  # nothing is that good
    left = ruled.candidates
    assert [len(table.menu) for table in left.lesions] == [len({0, int(course)}) for course in row]
    assert schedule_of_row(candidates, *known) in _schedules(left, -np.inf)
    assert schedule_of_row(left, *ruled.starts[0]) == schedule_of_row(candidates, *known)
