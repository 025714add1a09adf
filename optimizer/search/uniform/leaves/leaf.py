"""What is left of one plan: combinations within the slack, joined and evaluated exactly.

A combination can beat the threshold only if its summed Lagrangian losses fit into the slack
between bound and threshold. Few combinations of courses are evaluated outright; else kinds are
joined first, and all timings of those that remain are evaluated with every calendar coupling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PlanId
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.join import count_at_most, count_joined, joined
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.grounds import Grounds
from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells, halved, joined_cells
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.bounds.timings.shapes import Shapes
from abscopt.optimizer.search.uniform.leaves.dates import DateProgramme, dated

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.candidates.tabulated import Tabulated
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.bounds.bound import Dual
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive


BOUND_SAFETY = 1e-9
FEW_COMBINATIONS = 1000
"""Of kinds, whose timings are valued without halving boxes where all of them are asked for."""
DECIDED_AT_ONCE = 5000
"""Rows whose limits are checked together, best first: the first mostly keeps all."""


@dataclass
class SearchState:
    """State of the exploration: incumbent and what is proved.

    Attributes
    ----------
    bound : no schedule is better; infinite if nothing is known
    complete : whether everything above the threshold was examined
    grounds : what closed what was examined
    open_dates : integer programmes over days that did not close their box
    """

    plan: PlanId | None = None
    row: CourseIds | None = None
    value: float = -math.inf
    bound: float | None = None
    complete: bool = False
    nodes: int = 0
    columns: int = 0
    grounds: Grounds = field(default_factory=Grounds)
    open_dates: int = 0

    def offer(self, plan: PlanId, row: CourseIds, value: float) -> None:
        """Take a better feasible row."""
        if value > self.value:
            self.plan, self.row, self.value = plan, row.copy(), value

    @property
    def every(self) -> bool:
        """Whether everything above the threshold is asked for, not the best alone."""
        return False

    def enough_of(self, tabulated: Tabulated, row: CourseIds) -> float:
        """Timings of these courses that are worth no more are not asked for."""
        return -math.inf

    def decide(self, tabulated: Tabulated, rows: CourseRows, value: FloatArray, gap: float) -> None:
        """Feasibility of rows (n, lesions) of some exact value (n,); the best one is offered.

        By falling value, in lots, until one is feasible. Only rows above the threshold matter for
        the proof, so each of those is decided.
        """
        candidates, plan = tabulated.candidates, tabulated.plan
        order = np.flatnonzero(value > self.value + gap)
        order = order[np.argsort(-value[order], kind="stable")]
        for lot in np.array_split(order, max(1, len(order) // DECIDED_AT_ONCE)):
            feasible = np.flatnonzero(tabulated.feasible(rows[lot]))
            if self.grounds.whole:
                rivals = rows[lot[: feasible[0]] if len(feasible) else lot]
                rivals = rivals[tabulated.feasible(rivals, organs=False)]
                self.grounds.add_rivals(plan, candidates.in_case(rivals))
            if len(feasible):
                best = lot[feasible[0]]
                self.offer(plan, candidates.in_case(rows[best]), float(value[best]))
                return


def check(clock: Clock) -> None:
    """Raise Stopped where the clock says so."""
    if clock.expired:
        raise Stopped


class Leaf:
    """Examines cells of one plan, boxes of them first.

    A box is closed where bound <= value + gap, with value that of the schedule in hand; else it is
    enumerated or, where it holds too much, divided.
    """

    def __init__(
        self, dual: Dual, tabulated: Tabulated, gap: float, clock: Clock, state: SearchState
    ):
        self.dual, self.tabulated = dual, tabulated
        self.gap, self.clock, self.state = gap, clock, state
        candidates = tabulated.candidates
        self.dated = not state.every and dated(tabulated)
        self.right = np.where(candidates.hard, CAP - candidates.prior, np.inf)

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter."""
        return self.state.value + self.gap

    def examine(self, cells: Cells, alive: Alive, few: bool = False) -> Cells:
        """Examine all schedules of the cells above the threshold; cells with too many are left.

        Parameters
        ----------
        few : whether the combinations of kinds are few, so that all cells are one box at first
        """
        open_cells: list[Cells] = []
        stack = [cells]
        if self.state.every:  # boxes that each hold schedules would be halved to no end
            few = few or math.prod(int(mask.sum()) for mask in alive) <= FEW_COMBINATIONS
        if few and self.whole(cells, alive):
            return cells.take(np.zeros(len(cells), dtype=bool))
        while stack:
            check(self.clock)
            box = stack.pop()
            box = box.take(box.bound + BOUND_SAFETY > self.threshold)
            if not len(box):
                continue
            low, high = box.low.min(axis=0), box.high.max(axis=0)
            bound, number = self._bound(box, alive, low, high)
            if bound - self.threshold > 2.0 * (box.top - self.threshold):
                boxes = self._parts(box, alive, number)
                if boxes:
                    stack += boxes
                    continue
            if bound + BOUND_SAFETY > self.threshold and not self._box(
                alive, low, high, bound, number
            ):
                open_cells.append(box)
        return (
            joined_cells(open_cells) if open_cells else cells.take(np.zeros(len(cells), dtype=bool))
        )

    def whole(self, cells: Cells, alive: Alive, most_timings: float = math.inf) -> bool:
        """Examine all schedules of the cells as one box; False if it holds too many.

        Parameters
        ----------
        most_timings : timings that are valued where each lesion has one kind
        """
        low, high = cells.low.min(axis=0), cells.high.max(axis=0)
        return self._box(alive, low, high, *self._bound(cells, alive, low, high), most_timings)

    def _parts(self, cells: Cells, alive: Alive, number: int) -> list[Cells]:
        """Narrower boxes; none where a single cell is narrow already."""
        if len(cells) > 1:
            return _halves(cells)
        if (cells.high / cells.low).max(initial=1.0) < 1.0 + settings.CURRENT.narrow_cell:
            return []
        boxes = self.dual.bounded(halved(cells), alive, [number])
        return [boxes.take(slice(i, i + 1)) for i in range(len(boxes))]

    def _bound(
        self, box: Cells, alive: Alive, low: FloatArray, high: FloatArray
    ) -> tuple[float, int]:
        """min_j [ L_j(hi) + log_kill_j . ln(hi / lo) ] of a box and its j, values at hi."""
        numbers, width = np.unique(box.by).tolist(), np.log(high / low)
        bounds = self.dual.bounds_at(numbers, alive, high[None])[:, 0]
        steep = [width @ self.dual.lagrangians[j].prices.log_kill for j in numbers]
        return min(zip((bounds + steep).tolist(), numbers, strict=True))

    def _box(
        self,
        alive: Alive,
        low: FloatArray,
        high: FloatArray,
        bound: float,
        number: int,
        most_timings: float = math.inf,
    ) -> bool:
        """Examine one box; False if it holds too many combinations of kinds, or of timings.

        A schedule above the threshold has sum_s loss_s <= slack = bound - threshold, with the loss
        of a course loss_c = loss_k + (term_k - term_c) >= 0 of its kind k: kinds (kinds,), then
        courses, beyond the slack are left out before they are joined.
        """
        self.state.grounds.whole = False
        lagrangian = self.dual.lagrangians[number]
        losses = self.dual.losses(lagrangian, alive, high)
        slack = self._slack(bound, losses)
        kinds_within = [KindIds(np.flatnonzero(loss <= slack)) for loss in losses]
        if not all(len(kinds) for kinds in kinds_within):
            return True
        near_losses = [loss[k] for loss, k in zip(losses, kinds_within, strict=True)]
        too_many = self._too_many(kinds_within, near_losses, slack)
        dateable = sum(len(k) for k in kinds_within) <= settings.CURRENT.date_courses
        if too_many and not (self.dated and dateable):
            return False
        courses, course_losses = [], []
        for s, kinds in enumerate(kinds_within):
            course, kind, term = self.dual.set.courses[s].courses(kinds, lagrangian.prices)
            loss = losses[s][kind] + (lagrangian.terms[s][kind] - term)
            inside = loss <= slack
            courses.append(course[inside])
            course_losses.append(np.maximum(loss[inside], 0.0))
        if any(not len(c) for c in courses):
            return True
        nodes = max(len(weights) for weights in self.tabulated.nodes)
        if count_at_most(course_losses, slack) * nodes <= settings.CURRENT.course_limit:
            self._courses(courses, course_losses, slack)
        elif self._dates_first() and self._dates(courses, low, high, number):
            return True
        elif too_many:
            return not self._dates_first() and self._dates(courses, low, high, number)
        else:
            several = any(len(kinds) > 1 for kinds in kinds_within)
            # of single kinds nothing is left to split
            timing_limit = settings.CURRENT.most_timings if several else most_timings
            if not self.dated or self._dates_first():
                return self._kinds(courses, course_losses, low, high, slack, timing_limit)
            first_limit = settings.CURRENT.few_timings
            return (
                self._kinds(courses, course_losses, low, high, slack, first_limit)
                or self._dates(courses, low, high, number)
                or self._kinds(courses, course_losses, low, high, slack, timing_limit)
            )
        return True

    def _too_many(self, kinds: list[KindIds], losses: list[FloatArray], slack: float) -> bool:
        """Whether more combinations of kinds are within the slack than are joined."""
        most, together = settings.CURRENT.join_limit, self.dual.set.together
        if count_at_most(losses, slack) <= most:
            return False
        if together is None:
            return True
        loads = [self.tabulated.loads[s][k] for s, k in enumerate(kinds)]
        pairs = together.most_shared(kinds)
        return count_joined(losses, loads, self.right, slack, pairs, most) > most

    def _dates_first(self) -> bool:
        """Whether an integer programme decides days before timings are valued one by one.

        It finds schedules where days couple lesions; its values at corners are too loose where
        control is a mean over radiosensitivities.
        """
        return self.dated and all(len(nodes) == 1 for nodes in self.tabulated.nodes)

    def _dates(
        self, courses: list[CourseIds], low: FloatArray, high: FloatArray, number: int
    ) -> bool:
        """Close a box by one integer programme over courses and days; False if it stays open."""
        too_many = sum(len(menu) for menu in courses) > settings.CURRENT.date_courses
        if too_many or self.state.open_dates > settings.CURRENT.open_programmes:
            return False
        bound = math.inf
        for prices in self._systemic_prices(number):
            programme = DateProgramme(self.dual, self.tabulated, courses, prices, low, high)
            answer = programme.solve(self.gap, self.clock, lambda: self.state.value)
            check(self.clock)
            if answer.rows:
                self.offer(CourseRows(np.stack(answer.rows)))
            bound = min(bound, answer.bound)
            if bound + BOUND_SAFETY <= self.threshold:
                return True
        self.state.open_dates += 1
        return False

    def _systemic_prices(self, number: int) -> list[DualPrices]:
        """Prices of the systemic effect under which a box is stated: those at hand, then none.

        `-log_kill . ln lo` grows with the width of the box. Where the effect hardly acts, as
        without an incumbent that narrows the box, prices of zero bound less: each value at the
        upper corner.
        """
        prices = self.dual.lagrangians[number].prices
        if not prices.log_kill.any():
            return [prices]
        zero = np.zeros_like(prices.log_kill)
        return [prices, DualPrices(np.zeros_like(prices.rows), zero, zero, 0.0)]

    def _slack(self, bound: float, losses: list[FloatArray]) -> float:
        """Summed loss that still leaves a combination above the threshold; finite."""
        greatest = (
            math.fsum(float(loss[np.isfinite(loss)].max(initial=0.0)) for loss in losses) + 1.0
        )
        return min(bound + BOUND_SAFETY - self.threshold, greatest)

    def _courses(self, courses: list[CourseIds], losses: list[FloatArray], slack: float) -> None:
        """Join courses, timings included, and evaluate every combination exactly."""
        kinds = self.tabulated.kinds
        loads = [self.tabulated.loads[s][kinds[s][c]] for s, c in enumerate(courses)]
        for rows in joined(losses, loads, self.right, slack, settings.CURRENT.join_chunk):
            check(self.clock)
            chosen = [c[rows[:, s]] for s, c in enumerate(courses)]
            self.offer(CourseRows(np.stack(chosen, axis=1)))

    def _kinds(
        self,
        courses: list[CourseIds],
        losses: list[FloatArray],
        low: FloatArray,
        high: FloatArray,
        slack: float,
        most_timings: float,
    ) -> bool:
        """Join kinds, then timings; False if more timings are left than may be looked at.

        Combinations of kinds (n, lesions) with sum_s loss_s <= slack and a ceiling above the
        threshold, by falling ceiling; each is then expanded into its timings and valued exactly.
        """
        shapes = Shapes(self.tabulated, courses, losses, low, high)
        ceilings, combinations = [], []
        chunk, together = settings.CURRENT.join_chunk, self.dual.set.together
        pairs = None if together is None else together.most_shared(shapes.kinds)
        for rows in joined(shapes.loss, shapes.loads, self.right, slack, chunk, pairs):
            check(self.clock)
            ceiling = shapes.ceiling(rows) + BOUND_SAFETY
            keep = np.flatnonzero(ceiling > self.threshold)
            ceilings.append(ceiling[keep])
            combinations.append(rows[keep].astype(np.int32))
            if self.state.row is None:
                self.offer(_first_timings(shapes, rows))
        if not combinations:
            return True
        ceiling_of, rows = np.concatenate(ceilings), np.concatenate(combinations)
        spent = 0
        for i in np.lexsort((*rows.T[::-1], -ceiling_of)).tolist():
            if ceiling_of[i] <= self.threshold:
                break
            recorded = self._known(CourseIds(_first_timings(shapes, rows[i : i + 1])[0]))
            for timed in shapes.timings(rows[i], lambda: max(self.threshold, recorded())):  # noqa: B023
                if ceiling_of[i] - 2.0 * BOUND_SAFETY <= recorded():
                    break
                check(self.clock)
                self.offer(timed)
                spent += len(timed)
            if spent > most_timings:
                return False
        return True

    def _known(self, row: CourseIds) -> Callable[[], float]:
        """By now, the value beyond which timings of some courses are asked for."""
        return lambda: self.state.enough_of(self.tabulated, row)

    def offer(self, rows: CourseRows) -> None:
        """Exact value and feasibility of rows; the best feasible one is offered."""
        if len(rows):
            self.state.decide(self.tabulated, rows, self.tabulated.value(rows), self.gap)


def _halves(cells: Cells) -> list[Cells]:
    """Cells below and above the middle of the axis along which they spread most."""
    width = np.log(cells.high.max(axis=0) / cells.low.min(axis=0))
    order = np.argsort(cells.low[:, int(width.argmax())], kind="stable")
    half = len(order) // 2
    return [cells.take(order[:half]), cells.take(order[half:])]


def _first_timings(shapes: Shapes, rows: IntArray) -> CourseRows:
    """The first timing of each kind in some combinations."""
    timings = [
        np.array([shapes.courses[s][shapes.members[s][i][0]] for i in rows[:, s]])
        for s in range(rows.shape[1])
    ]
    return CourseRows(np.stack(timings, axis=1))
