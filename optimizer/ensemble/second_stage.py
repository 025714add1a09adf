"""Second stage of a decision for an ensemble: less load where the members lose next to nothing.

From the answer, one course or the plan is changed at a time to what the case prefers, then to what
loads the patient less (`search/uniform/incumbent/second_stage`), as long as the measure over the
members stays within `SHARE` of the gap of the best one and within the gap of the bound. Changes
that lose more in the case as it is stated, or by the tables of the search in the members, are not
tried; the judge values each other one in every member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.as_rows import closest_row, schedule_of_row
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseRows
from abscopt.optimizer.search.uniform.incumbent.second_stage import keys_of
from abscopt.optimizer.solved import JUDGE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.ensemble.decide import Judged, Panel
    from abscopt.optimizer.ids import CourseIds, PlanId
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.ensemble.plan import Plans

SHARE = 0.1
"""Of the gap: what may be given up for less load."""
STATED = 2.0
"""Of what may be given up: what a change may lose in the case as it is stated to be tried."""
MOST_VERDICTS = 1500
"""Of the judge, over all members: some 3 s; calibrated, a local search need not end."""

Key = tuple[float, ...]


def least_loading(
    panel: Panel, plans: Plans, answer: Judged, bound: float, gap: float, clock: Clock
) -> Judged:
    """The answer, or one that loads less and whose measure is next to as great.

    Parameters
    ----------
    plans : what schedules are worth in every member, by the tables of the search
    bound : no schedule has a greater measure
    """
    candidates = plans.members.nominal
    plan, row = closest_row(candidates, answer.schedule)
    if schedule_of_row(candidates, plan, row) != answer.schedule:
        return answer
    floor = max(answer.risk - SHARE * gap, bound - gap)
    verdicts = 0
    key = _key(candidates, plan, row)
    while True:
        better = None
        for smaller, k, changed in _smaller(candidates, plan, row, key, STATED * SHARE * gap):
            if (
                panel.risk(plans.of(k).values(CourseRows(changed[None, :]))[0])
                < floor - JUDGE_TOLERANCE
            ):
                continue
            verdicts += 1 + len(panel.judges)
            if clock.expired or verdicts > MOST_VERDICTS:
                return answer
            judged = panel.judged(schedule_of_row(candidates, k, changed))
            if judged.risk >= floor and panel.accepts(judged):
                better = judged, smaller, k, changed
                break
        if better is None:
            return answer
        answer, key, plan, row = better


def _key(candidates: Candidates, plan: PlanId, row: CourseIds) -> Key:
    return tuple(keys_of(Tabulated(candidates, plan), row[None, :])[0].tolist())


def _smaller(
    candidates: Candidates, plan: PlanId, row: CourseIds, key: Key, slack: float
) -> Iterator[tuple[Key, PlanId, CourseIds]]:
    """Changes of one course or of the plan with smaller keys, the least first.

    Feasible where the case is as it is stated, and worth no less than the row there minus a slack.
    """
    tabulated = Tabulated(candidates, plan)
    least = float(tabulated.value(row[None, :])[0]) - slack
    listed: list[tuple[Key, PlanId, CourseIds]] = []
    for s, table in enumerate(candidates.lesions):
        rows = CourseRows(np.repeat(row[None, :], len(table.menu), axis=0))
        rows[:, s] = np.arange(len(table.menu))
        listed += _within(tabulated, rows, key, least)
    for k in candidates.plan_ids:
        if k != plan:
            listed += _within(Tabulated(candidates, k), row[None, :], key, least)
    yield from sorted(listed, key=lambda entry: entry[0])


def _within(
    tabulated: Tabulated, rows: CourseRows, key: Key, least: float
) -> list[tuple[Key, PlanId, CourseIds]]:
    """Feasible rows of at least a value whose keys are smaller."""
    rows = rows[np.flatnonzero(tabulated.value(rows) >= least)]
    if not len(rows):
        return []
    keys = [tuple(numbers) for numbers in keys_of(tabulated, rows).tolist()]
    rows_below = [i for i, smaller in enumerate(keys) if smaller < key]
    feasible = np.flatnonzero(tabulated.feasible(rows[np.array(rows_below, dtype=np.int64)]))
    return [(keys[rows_below[i]], tabulated.plan, rows[rows_below[i]]) for i in feasible.tolist()]
