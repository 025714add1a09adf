"""Days with any fraction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.counted import CappedDays, visits
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.limits.protocol import CourseProgramme
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated


class Visits(CappedDays):
    """No rows of courses alone: lesions may share a visit."""

    measure = "visits"

    def most_days(self, candidates: Candidates) -> int | None:
        """The cap, where it is hard and of all days."""
        return self.limit.cap if self.hard and not self.limit.windowed else None

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) days of the window with any fraction."""
        return visits(tabulated, rows, self.limit.days(tabulated.instance.days))

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) days with any fraction."""
        number: IntArray = (dosed.sum(axis=0) > 0).sum(axis=1)
        return number

    def state(self, programme: CourseProgramme) -> None:
        """v[t] >= sum_c x[s, c] over the courses with a fraction on t; sum_t v[t] <= cap."""
        days = self.limit.days(programme.days)
        visit = np.array([programme.further(1.0) for _ in days], dtype=np.int64)
        for s in programme.lesions:
            pattern, patterns = programme.pattern(s)
            has_fraction = patterns.incidence[pattern][:, days.start : days.stop] > 0
            for t in np.flatnonzero(has_fraction.any(axis=0)):
                chosen = programme.columns(s)[has_fraction[:, t]]
                values = np.append(np.ones(len(chosen)), -1.0)
                programme.row(np.append(chosen, visit[t]), values, 0.0)
        if len(visit):
            programme.row(visit, np.ones(len(visit)), float(self.limit.cap or 0))
