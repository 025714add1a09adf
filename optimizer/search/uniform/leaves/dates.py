"""What is left of one plan where days couple lesions: one integer programme over courses and days.

For multipliers of the systemic effect (`bound`) and a box `lo <= Z <= hi` of it, no schedule in the
box is better than

    constant - log_kill . ln lo + max sum_s sum_c (value_s(c, hi) + term_s(c)) x[s, c]

over all choices x of one course per lesion that keep the rows (`rows`) as constraints, instead of
being charged for them. With x integer this is the stronger the more the days decide (slots of a
machine, gaps, visits, lymphocytes that recover). Where no systemic effect acts, value and term are
the objective itself and one programme decides the plan. It also states

* what limits add to rows of courses (`CourseLoad.state`): visits, overall days,
* rules between radiation and drugs that ask for some course: others only beside one in time.

What no row states (doses of shared days, EDRIC of all fractions together) is found in the answer
and cut off: a smallest part of the choice that breaks a limit, as in logic-based Benders
decomposition (Hooker and Ottosson 2003, "Logic-based Benders decomposition").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.highs.solver import Matrix, canary, solve_matrix
from abscopt.optimizer.ids import CourseIds, CourseRows, PatternIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tabulated import Tabulated
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.bounds.bound import Dual


MARGIN = 1e-6
"""Relative to the objective's size: HiGHS keeps rows and integrality to 1e-6."""


def dated(tabulated: Tabulated) -> bool:
    """Whether some hard limit lets days couple lesions."""
    return any(limit.hard and limit.dated for limit in tabulated.candidates.on_courses)


@dataclass
class DateAnswer:
    """Bound of all schedules of the box, -inf if there is none, and the choices met on the way."""

    bound: float
    rows: list[IntArray]


class DateProgramme:
    """One course for each lesion out of some, under one plan, in a box of systemic effect.

    Parameters
    ----------
    courses : per lesion those that count
    prices : multipliers of the systemic effect; the rows are not priced
    low, high : (horizons,) the box
    """

    def __init__(
        self,
        dual: Dual,
        tabulated: Tabulated,
        courses: Sequence[CourseIds],
        prices: DualPrices,
        low: FloatArray,
        high: FloatArray,
    ):
        """Columns x[s, c]: values v_s(c, hi) + term_s(c) (columns,), loads A (columns, rows).

        term_s(c) = effect . g_c - (sum_h log_kill[h]) a_c; rows are stated, not priced. The
        constant is effect . ground - cost - (sum_h log_kill[h]) chemo - offset - log_kill . ln lo.
        """
        self.dual, self.tabulated = dual, tabulated
        self.courses = list(courses)
        self.owner = np.repeat(np.arange(len(courses)), [len(chosen) for chosen in courses])
        self.course = np.concatenate(self.courses)
        self.menus = [table.menu for table in tabulated.candidates.lesions]
        unpriced = DualPrices(
            np.zeros_like(prices.rows), prices.log_kill, prices.effect, prices.offset
        )
        values, load = [], []
        for s, chosen in enumerate(self.courses):
            kinds, pattern = tabulated.kinds[s][chosen], self.menus[s].pattern[chosen]
            _, rows, loss, gain = dual.set.courses[s].columns(kinds, pattern)
            term = gain @ unpriced.effect - loss * float(unpriced.log_kill.sum())
            values.append(dual.values.lesions[s].at(high, kinds) + term)
            load.append(rows)
        self.values, self.load = np.concatenate(values), np.concatenate(load)
        ground = float(unpriced.effect @ dual.ground)
        self.constant = (
            ground
            - dual.set.cost
            - float(unpriced.log_kill.sum()) * dual.set.chemo
            - unpriced.offset
            - float(np.log(low) @ unpriced.log_kill)
        )
        self.rows: list[tuple[IntArray, FloatArray, float]] = []  # columns, values, right side
        self.extra_upper: list[float] = []
        self.extra_cost: list[float] = []
        self._state()

    @property
    def days(self) -> int:
        """Days of the case."""
        return self.tabulated.instance.days

    @property
    def lesions(self) -> range:
        """Lesions that choose one course each."""
        return range(len(self.courses))

    def pattern(self, s: int) -> tuple[PatternIds, Patterns]:
        """(courses,) day pattern of each column of a lesion."""
        return self.menus[s].pattern[self.courses[s]], self.menus[s].patterns

    def columns(self, s: int) -> IntArray:
        """Columns of a lesion's courses."""
        return np.flatnonzero(self.owner == s)

    def doses(self, s: int) -> FloatArray:
        """(courses, most fractions) Gy of each fraction, or (courses, 1) where all are equal."""
        return self.menus[s].doses[self.courses[s]]

    def number_of(self, lesion: str) -> int:
        """Number of a lesion by its name."""
        candidates = self.tabulated.candidates
        return [candidates.lesion_of(table).name for table in candidates.lesions].index(lesion)

    def further(self, upper: float, cost: float = 0.0) -> int:
        """A continuous column between 0 and `upper`; its number."""
        self.extra_upper.append(upper)
        self.extra_cost.append(cost)
        return len(self.owner) + len(self.extra_upper) - 1

    def row(self, columns: IntArray, values: FloatArray, right: float) -> None:
        """sum values x <= right."""
        self.rows.append((columns, values, right))

    def _state(self) -> None:
        """Rows sum_c A[r, c] x[c] - e_f <= b_r; e_f >= 0 at penalty p_f where limit f is soft.

        With what limits state themselves and rules in time, as the module says.
        """
        rows = self.dual.set.rows
        relief = [self.further(np.inf, float(price)) for price in rows.penalty]
        for r, right in enumerate(rows.right.tolist()):
            used = np.flatnonzero(self.load[:, r])
            values, family = self.load[used, r], int(rows.family[r])
            if family >= 0:  # soft: what exceeds it costs its penalty
                used, values = np.append(used, relief[family]), np.append(values, -1.0)
            if len(used):
                self.row(used, values, right)
        for limit in self.tabulated.candidates.on_courses:
            if limit.hard:
                limit.state(self)
        self._in_time()

    def _in_time(self) -> None:
        """Per lesion s: sum_(c of s, late) x[s, c] <= sum_(c in time, of any lesion) x[c].

        A rule in time asks for some course that ends (begins) late (early) enough.
        """
        needs: list[Callable[[Patterns, PatternIds], BoolArray]] = []
        end, start = self.tabulated.end_needed, self.tabulated.start_needed
        if end >= 0:
            needs.append(lambda patterns, chosen: patterns.last[chosen] >= end)
        if start >= 0:
            needs.append(lambda patterns, chosen: patterns.first[chosen] <= start)
        for in_time in needs:
            timely_by_lesion, untimely_by_lesion = [], []
            for s in range(len(self.courses)):
                pattern, patterns = self.pattern(s)
                fits = in_time(patterns, pattern) & (pattern > 0)
                timely_by_lesion.append(self.columns(s)[fits])
                untimely_by_lesion.append(self.columns(s)[~fits & (pattern > 0)])
            timely = np.concatenate(timely_by_lesion)
            for chosen in untimely_by_lesion:
                if len(chosen):
                    values = np.append(np.ones(len(chosen)), -np.ones(len(timely)))
                    self.row(np.append(chosen, timely), values, 0.0)

    def matrix(self) -> Matrix:
        """The programme, to be maximized.

        constant + value . x - price . e, sum_c x[s, c] = 1 for each s, rows <= right, x binary, 0
        <= e <= upper; columns x first, then the continuous ones; rows compressed one after the
        other.
        """
        chosen, further = len(self.owner), len(self.extra_upper)
        rows = [
            (self.columns(s), np.ones(len(courses)), 1.0) for s, courses in enumerate(self.courses)
        ]
        lower = [1.0] * len(rows) + [-np.inf] * len(self.rows)
        rows += self.rows
        return Matrix.of_rows(
            rows,
            cost=np.append(self.values, -np.array(self.extra_cost)),
            lower=np.zeros(chosen + further),
            upper=np.append(np.ones(chosen), np.array(self.extra_upper)),
            integer=np.arange(chosen + further) < chosen,
            row_lower=np.array(lower),
            offset=self.constant,
        )

    def solve(self, gap: float, clock: Clock, incumbent_value: Callable[[], float]) -> DateAnswer:
        """Bound of the box, and choices of courses (lesions,) that may be good schedules.

        Parameters
        ----------
        incumbent_value : value of the best schedule; a bound within `gap` of it is enough
        """
        canary()
        answer = DateAnswer(np.inf, [])
        for _ in range(settings.CURRENT.date_cuts):
            if clock.expired:
                return answer
            outcome = solve_matrix(
                self.matrix(),
                absolute_gap=gap / 4,
                time_limit=clock.remaining,
                most_nodes=settings.CURRENT.date_nodes,
                listener=lambda *_: clock.expired,
            )
            if outcome.ending == "infeasible":
                answer.bound = -np.inf
                return answer
            if outcome.bound is not None:
                margin = MARGIN * max(1.0, abs(outcome.bound))
                answer.bound = min(answer.bound, outcome.bound + margin)
            if outcome.x is None:
                return answer
            row = self._row_of(outcome.x)
            answer.rows.append(row)
            if answer.bound <= incumbent_value() + gap or self.tabulated.feasible(row[None])[0]:
                return answer
            if outcome.ending != "optimal" or not self._cut(row):
                return answer
        return answer

    def _row_of(self, x: FloatArray) -> CourseIds:
        """(lesions,) the chosen courses."""
        picked = x[: len(self.owner)]
        best = [int(picked[self.owner == s].argmax()) for s in range(len(self.courses))]
        return CourseIds(np.array([c[i] for c, i in zip(self.courses, best, strict=True)]))

    def _cut(self, row: CourseIds) -> bool:
        """Forbid a smallest part of a choice that breaks a limit; False if no part does.

        sum_(s in core, c forbidden) x[s, c] <= |core| - 1 (a canonical cut lifted over the courses
        of its last lesion: Balas and Jeroslow 1972, Canonical cuts on the unit hypercube). Loads
        only grow with further courses, so whatever contains the core breaks the limit too.
        """
        broken = row.copy()
        if self._keeps(broken):
            return False
        if self.tabulated.end_needed >= 0 or self.tabulated.start_needed >= 0:
            # a rule may ask for the course that is left out: the whole choice is cut off
            columns_of_row = np.flatnonzero(row[self.owner] == self.course)
            self.row(columns_of_row, np.ones(len(columns_of_row)), float(len(row)) - 1.0)
            return True
        for s in np.flatnonzero(row > 0):
            without = broken.copy()
            without[s] = 0
            if not self._keeps(without):
                broken = without
        core = np.flatnonzero(broken > 0)
        if not len(core):
            return False
        columns: list[IntArray] = []
        for s in core[:-1]:
            columns.append(np.flatnonzero((self.owner == s) & (self.course == broken[s])))
        last = int(core[-1])
        tried = CourseRows(np.repeat(broken[None], len(self.courses[last]), axis=0))
        tried[:, last] = self.courses[last]
        bad = ~self.tabulated.feasible(tried, floors=False) & (self.courses[last] > 0)
        bad |= self.courses[last] == broken[last]
        columns.append(self.columns(last)[bad])
        forbidden = np.concatenate(columns)
        self.row(forbidden, np.ones(len(forbidden)), float(len(core)) - 1.0)
        return True

    def _keeps(self, row: CourseIds) -> bool:
        return bool(self.tabulated.feasible(row[None], floors=False)[0])
