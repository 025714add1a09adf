"""Days from the first fraction of any lesion to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.limits.protocol import CourseProgramme
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated


class OverallDays(CalendarLoad):
    """No rows of courses alone: it depends on the first and the last of all."""

    measure = "overall_days"

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) last - first + 1; 0 without a fraction."""
        last = np.full(len(rows), -1)
        first = np.full(len(rows), tabulated.instance.days)
        for s in range(rows.shape[1]):
            begin, end, treated = tabulated.ends(rows, s)
            last = np.where(treated, np.maximum(last, end), last)
            first = np.where(treated, np.minimum(first, begin), first)
        return np.where(last >= 0, last - first + 1, 0).astype(float)

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) last - first + 1; 0 without a fraction."""
        busy: BoolArray = np.asarray(dosed.any(axis=0))
        first, last = busy.argmax(axis=1), busy.shape[1] - 1 - busy[:, ::-1].argmax(axis=1)
        number: IntArray = np.where(np.asarray(busy.any(axis=1)), last - first + 1, 0)
        return number

    def most_days(self, candidates: Candidates) -> int | None:
        """Most days, in so many days in a row, on which some course has a fraction."""
        cap = self.limit.cap
        if not self.hard or cap is None:
            return None
        days = [table.menu.patterns.incidence.any(axis=0) for table in candidates.lesions]
        before = np.concatenate([[0], np.cumsum(np.any(days, axis=0))])
        ends = np.minimum(np.arange(len(before)) + cap, len(before) - 1)
        return int((before[ends] - before).max())

    def state(self, programme: CourseProgramme) -> None:
        """E - S + 1 <= cap with S + (T - first_c) x[s, c] <= T, E >= last_c x[s, c]."""
        horizon = float(programme.days)
        begin, end = programme.further(horizon), programme.further(horizon)
        for s in programme.lesions:
            pattern, patterns = programme.pattern(s)
            chosen, treats = programme.columns(s), pattern > 0
            if not treats.any():
                continue
            chosen, first = chosen[treats], patterns.first[pattern[treats]]
            last = patterns.last[pattern[treats]]
            programme.row(np.append(chosen, begin), np.append(horizon - first, 1.0), horizon)
            programme.row(np.append(chosen, end), np.append(last.astype(float), -1.0), 0.0)
        right = float(self.limit.cap or 0) - 1.0
        programme.row(np.array([end, begin]), np.array([1.0, -1.0]), right)
