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
from abscopt.optimizer.as_rows import schedule_of_row
from abscopt.optimizer.candidates.coefficients import relieves
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.uniform.ruled_out import not_ruled_out

MENUS = {"twice_daily_days": [0, 1], "compensating_fractions": [1]}
MOST = 600


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


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_no_schedule_as_good_is_lost_and_most_others_are(make: Any) -> None:
    tried = fewer = 0
    for seed in range(30):
        case = begun(build(make(seed)), seed, menus=MENUS if seed % 2 else None)
        if case is None:
            continue
        candidates = Candidates(case)
        size = len(candidates.plans) * np.prod([len(t.menu) for t in candidates.lesions])
        if not 1 < size <= MOST or candidates.free:
            continue
        every = PlanIds(np.arange(len(candidates.plans)))
        rows = _rows(candidates)
        values = _values(candidates, rows)
        for share in (0.5, 0.9, 1.0):
            least = float(np.quantile(values, share, method="lower"))
            left = not_ruled_out(candidates, (), least)
            if relieves(case, candidates.plan_effects, every):
                assert left is candidates
            assert _schedules(candidates, least) <= _schedules(left, -np.inf), (seed, share)
            tried += 1
            fewer += sum(len(t.menu) for t in left.lesions) < sum(
                len(t.menu) for t in candidates.lesions
            )
    assert tried >= 20
    assert fewer >= 8


def test_a_known_schedule_stays_with_its_plan_and_courses() -> None:
    case = next(
        c for seed in range(30) if (c := begun(build(random_case(seed)), seed, menus=MENUS))
    )
    candidates = Candidates(case)
    row = CourseIds(np.array([len(table.menu) - 1 for table in candidates.lesions]))
    known = (PlanId(0), row)
    left = not_ruled_out(candidates, [known], 1e9)  # nothing is that good
    assert [len(table.menu) for table in left.lesions] == [len({0, int(course)}) for course in row]
    assert schedule_of_row(candidates, *known) in _schedules(left, -np.inf)
