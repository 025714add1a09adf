"""The menu of a case as rivals see it: numbers in [0, 1), exact worth, and how far out it is.

Two codings. `ladder`: one number for the plan and one per lesion; [0, 0.25) is no course, the rest
is the rank of the course in (fractions, dose, interval, start). `axes`: a number per decision (each
agent's option; treated or not, fractions, dose, interval, start), each read as a rank among what
the decisions before it leave on the menu, so that every code is a schedule of single-lesion
feasible courses. Worth is the exact objective less a price for the sum of all excesses over limits
and rules, in parts of the caps, so that rivals may cross what is infeasible; only schedules without
excess count as found. The price is the least at which no infeasible schedule of a random sample is
worth more than the best feasible one. Tables and price are made before a rival's clock starts,
which is more than our own search is given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad
from abscopt.optimizer.candidates.limits.protocol import CourseLoad
from abscopt.optimizer.candidates.menus.courses import Menu as Courses
from abscopt.optimizer.candidates.table import CAP, Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.schedule import Schedule

Coding = Literal["ladder", "axes"]

UNTREATED = 0.25
MOST_EXCESS = 10.0
SAMPLE = 4000
DEAREST = 100.0


class OutOfTime(Exception):
    """The budget is spent."""


class Stack:
    """One array per plan, which may differ in length; equal ones are kept once."""

    def __init__(self, arrays: Sequence[NDArray[Any]]):
        places: dict[bytes, int] = {}
        kept: list[NDArray[Any]] = []
        self.begin = np.empty(len(arrays), dtype=np.int64)
        end = 0
        for plan, array in enumerate(arrays):
            key = np.ascontiguousarray(array).tobytes()
            if key not in places:
                places[key] = end
                kept.append(array)
                end += len(array)
            self.begin[plan] = places[key]
        self.values = np.concatenate(kept)

    def at(self, plans: IntArray, rows: IntArray) -> NDArray[Any]:
        """(n, ...) rows of the arrays of plans."""
        found: NDArray[Any] = self.values[self.begin[plans] + rows]
        return found


class Tables:
    """Exact value and excess of schedules under mixed plans, whole populations at once."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.candidates = Candidates(instance)
        count = len(self.candidates.plans)
        self.plans = [Tabulated(self.candidates, plan) for plan in range(count)]
        self.stacks = {
            name: [
                Stack([getattr(tabulated.effects[s], name) for tabulated in self.plans])
                for s in range(len(self.candidates.lesions))
            ]
            for name in ("kind", "local", "effect", "loss", "share", "tumor_bed")
        }
        self.allowed = [
            Stack([tabulated.allowed[s] for tabulated in self.plans])
            for s in range(len(self.candidates.lesions))
        ]
        self.chemo = np.array([tabulated.chemo for tabulated in self.plans])
        self.plan_cost = np.array([tabulated.plan_cost for tabulated in self.plans])
        keys = [
            (tuple(map(id, t.loads)), tuple(e.tobytes() for e in t.exposed), t.sensitized.tobytes())
            for t in self.plans
        ]
        groups = {key: plan for plan, key in reversed(list(enumerate(keys)))}
        self.like = np.array([groups[key] for key in keys])

    def valued(self, plans: IntArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """(n,) objective, and (n,) sum of excesses: 0 where the schedule is feasible."""
        loads = self._loads(plans, rows)
        excess = self._excess(plans, rows, loads)
        within = np.minimum(np.where(np.isfinite(loads), loads, MOST_EXCESS), MOST_EXCESS)
        return self._value(plans, rows) - self._cost(plans, rows, within), excess

    def _value(self, plans: IntArray, rows: IntArray) -> FloatArray:
        lesions = range(rows.shape[1])
        weights = self.plans[0].weights
        kinds = [self.stacks["kind"][s].at(plans, rows[:, s]) for s in lesions]
        if self.instance.objective.of_dose_alone:
            return sum(
                (weights[s] * self.stacks["tumor_bed"][s].at(plans, kinds[s]) for s in lesions),
                start=np.zeros(len(rows)),
            )
        loss = np.stack([self.stacks["loss"][s].at(plans, rows[:, s]) for s in lesions], axis=1)
        own = np.stack([self.stacks["effect"][s].at(plans, rows[:, s]) for s in lesions], axis=1)
        others = self.chemo[plans, None] + loss.sum(axis=1, keepdims=True) - loss
        raw = (np.exp(-others)[:, :, None] * own).sum(axis=1)
        systemic = immune.saturate(raw, self.instance.immune.effect_maximum_nats)
        total = np.zeros(len(rows))
        for s in lesions:
            local, share = (self.stacks[name][s].at(plans, kinds[s]) for name in ("local", "share"))
            total += weights[s] * lesion_value(
                self.instance.objective, self.plans[0].nodes[s], local, share, systemic
            )
        return total

    def _cost(self, plans: IntArray, rows: IntArray, loads: FloatArray) -> FloatArray:
        total = self.plan_cost[plans].copy()
        for column, load in enumerate(self.candidates.on_organs):
            if load.limit.penalty is not None:
                total += load.limit.penalty * np.maximum(0.0, loads[:, column] - 1.0)
        for other in self.candidates.on_courses:
            if other.limit.penalty is not None:
                excess = np.maximum(0.0, self._use(plans, rows, other) - 1.0)
                total += other.limit.penalty * excess
        return total

    def _loads(self, plans: IntArray, rows: IntArray) -> FloatArray:
        """(n, organ limits) parts of the caps; plans that act alike on organs at once."""
        loads = np.empty((len(rows), len(self.candidates.on_organs)))
        like = self.like[plans]
        for plan in np.unique(like):
            own = np.flatnonzero(like == plan)
            loads[own] = self.plans[plan].organ_loads(rows[own])
        return loads

    def _use(self, plans: IntArray, rows: IntArray, load: CourseLoad[Any]) -> FloatArray:
        use = load.use(self.plans[0], rows)
        if load.feels_chemotherapy:
            allowance = load.log_loss_allowance(self.instance)
            use = use + (self.chemo[plans] - self.chemo[0]) / allowance
        return use

    def _excess(self, plans: IntArray, rows: IntArray, loads: FloatArray) -> FloatArray:
        """(n,) sum of all excesses over hard limits and rules; 0 where feasible."""
        over = np.where(np.isfinite(loads), loads, np.inf) - 1.0
        over = np.where(over > CAP - 1.0, np.minimum(over, MOST_EXCESS), 0.0)
        beyond = ~np.isfinite(loads) * MOST_EXCESS
        total: FloatArray = np.where(self.candidates.hard, over, beyond).sum(axis=1)
        for s, allowed in enumerate(self.allowed):
            total += ~allowed.at(plans, rows[:, s]).astype(bool)
        total += self._rules(plans, rows)
        for load in self.candidates.on_courses:
            if not load.hard:
                continue
            if load.counts:
                use = self._use(plans, rows, load)
                total += np.where(use > CAP, np.minimum(use - 1.0, MOST_EXCESS), 0.0)
            if isinstance(load, CalendarLoad) and load.limit.floor:
                short = load.limit.floor - load.number(self.plans[0], rows)
                total += np.maximum(0.0, short) / load.limit.floor
        return total

    @cached_property
    def _needs(self) -> tuple[IntArray, IntArray]:
        return (
            np.array([tabulated.end_needed for tabulated in self.plans]),
            np.array([tabulated.start_needed for tabulated in self.plans]),
        )

    def _rules(self, plans: IntArray, rows: IntArray) -> FloatArray:
        """(n,) days by which radiation ends too early or starts too late for an agent."""
        first = np.full(len(rows), self.instance.days)
        last = np.full(len(rows), -1)
        for s, table in enumerate(self.candidates.lesions):
            pattern, patterns = table.menu.pattern[rows[:, s]], table.menu.patterns
            last = np.maximum(last, patterns.last[pattern])
            first = np.where(pattern > 0, np.minimum(first, patterns.first[pattern]), first)
        end, start = (need[plans] for need in self._needs)
        early = np.where(last >= 0, np.maximum(0, end - last), 0)
        late = np.where((last >= 0) & (start >= 0), np.maximum(0, first - start), 0)
        return (early + late) / self.instance.days


class Tree:
    """Rows of integer keys; a path of ranks in [0, 1) leads to one of them."""

    def __init__(self, keys: IntArray):
        self.order = np.lexsort(keys.T[::-1])
        keys = keys[self.order]
        changed = np.zeros(len(keys), dtype=bool)
        self.group: list[IntArray] = []
        self.begin: list[IntArray] = []
        for level in range(keys.shape[1]):
            changed = changed | np.concatenate([[False], np.diff(keys[:, level]) != 0])
            group = np.cumsum(changed)
            more = int(group[-1]) + 1 > (len(self.begin[-1]) - 1 if self.begin else 1)
            if more:
                self.group.append(group)
                starts = np.searchsorted(group, np.arange(group[-1] + 1))
                self.begin.append(np.append(starts, len(keys)))

    def __len__(self) -> int:
        return len(self.group)

    def find(self, path: FloatArray) -> IntArray:
        """(n,) rows of paths (n, levels)."""
        low = np.zeros(len(path), dtype=np.int64)
        high = np.full(len(path), len(self.order))
        for level, (group, begin) in enumerate(zip(self.group, self.begin, strict=True)):
            first, last = group[low], group[high - 1]
            chosen = first + np.minimum(
                (path[:, level] * (last - first + 1)).astype(np.int64), last - first
            )
            low, high = begin[chosen], begin[chosen + 1]
        found: IntArray = self.order[low]
        return found


def course_keys(courses: Courses) -> IntArray:
    """(courses less 'no course', 5) technique, fractions, dose, span and start of each."""
    first = courses.patterns.first[courses.pattern]
    keys = [
        courses.technique * 10 + courses.per_day,
        courses.fractions,
        np.unique(courses.dose, return_inverse=True)[1].reshape(-1),
        courses.patterns.last[courses.pattern] - first,
        first,
    ]
    return np.stack(keys, axis=1)[1:]


class Box:
    """Schedules of a case as numbers in [0, 1), with the clock and the best of one run.

    Attributes
    ----------
    best, answer : judged or tabulated objective of the best schedule without excess, and it
    """

    size: int

    def __init__(self) -> None:
        self.deadline = math.inf
        self.evaluations = 0
        self.best = -math.inf
        self.answer: Schedule | None = None

    def start(self, seconds: float) -> None:
        """Begin anew with a budget of wall time."""
        self.evaluations, self.best, self.answer = 0, -math.inf, None
        self.deadline = time.perf_counter() + seconds

    def worth(self, codes: FloatArray) -> FloatArray:
        """(n,) worth of codes (n, size); raises OutOfTime."""
        raise NotImplementedError

    def sample(self) -> tuple[FloatArray, FloatArray]:
        """Objective and excess of random schedules."""
        raise NotImplementedError

    @cached_property
    def price(self) -> float:
        """Objective per unit of excess: nothing infeasible of a sample is worth more."""
        value, excess = self.sample()
        good = excess == 0
        if not good.any():
            return DEAREST
        tempting = (value[~good] - value[good].max()) / excess[~good]
        return max(1.0, float(tempting.max(initial=1.0)))


class Menu(Box):
    """A case of uniform courses."""

    def __init__(self, tables: Tables, coding: Coding):
        super().__init__()
        self.tables, self.coding = tables, coding
        candidates = tables.candidates
        self._plan_tree = plan_tree(candidates)
        self._trees = [
            Tree(course_keys(table.menu)) if len(table.menu) > 1 else None
            for table in candidates.lesions
        ]
        axes = coding == "axes"
        self._plan_size = len(self._plan_tree) if axes else 1
        self._sizes = [0 if tree is None else 1 + len(tree) if axes else 1 for tree in self._trees]
        self.size = self._plan_size + sum(self._sizes)

    def decode(self, codes: FloatArray) -> tuple[IntArray, IntArray]:
        """Plans (n,) and rows of courses (n, lesions) of codes (n, size)."""
        count = len(self.tables.candidates.plans)
        if self.coding == "axes":
            plans = self._plan_tree.find(codes[:, : self._plan_size])
        else:
            plans = self._plan_tree.order[ranks(codes[:, 0], count)]
        rows = np.zeros((len(codes), len(self._trees)), dtype=np.int64)
        at = self._plan_size
        for s, (tree, size) in enumerate(zip(self._trees, self._sizes, strict=True)):
            if tree is None:
                continue
            own = codes[:, at : at + size]
            at += size
            treated = own[:, 0] >= UNTREATED
            if self.coding == "axes":
                course = tree.find(own[:, 1:])
            else:
                rank = (own[:, 0] - UNTREATED) / (1 - UNTREATED)
                course = tree.order[ranks(np.maximum(rank, 0.0), len(tree.order))]
            rows[:, s] = np.where(treated, course + 1, 0)
        return plans, rows

    def sample(self) -> tuple[FloatArray, FloatArray]:
        """See `Box`."""
        codes = np.random.default_rng(SAMPLE).random((SAMPLE, self.size))
        return self.tables.valued(*self.decode(codes))

    def worth(self, codes: FloatArray) -> FloatArray:
        """(n,) worth of codes (n, size), all at once."""
        if time.perf_counter() > self.deadline:
            raise OutOfTime
        plans, rows = self.decode(codes)
        value, excess = self.tables.valued(plans, rows)
        self.evaluations += len(codes)
        found = np.where(excess == 0, value, -math.inf)
        top = int(found.argmax())
        if found[top] > self.best:
            self.best = float(found[top])
            self.answer = schedule_of_row(self.tables.candidates, int(plans[top]), rows[top])
        worth: FloatArray = value - self.price * excess
        return worth


def plan_tree(candidates: Candidates) -> Tree:
    """Systemic plans by the option of each agent."""
    option: dict[object, int] = {}
    chosen = [
        [option.setdefault(one, len(option)) for one in plan.options] or [0]
        for plan in candidates.plans
    ]
    return Tree(np.array(chosen))


def ranks(numbers: FloatArray, count: int) -> IntArray:
    return np.minimum((numbers * count).astype(np.int64), count - 1)
