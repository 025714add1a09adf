"""Branch and bound over systemic plans, with everything inside a plan joined exactly.

Per plan: a Lagrangian bound of all courses; combinations of shapes whose losses fit into the
slack between bound and incumbent; ceilings over all timings of each combination; and, for the
few that remain, all timings, evaluated exactly with every calendar coupling. A plan whose
combinations are too many is split: first its box of systemic effect, then its courses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import LogisticsLimit
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.bound import Bound, Box, PlanBounds, StaticRows, ceiling
from abscopt.optimizer.search.join import count_at_most, joined
from abscopt.optimizer.search.local import climb, enough_sites, local_search
from abscopt.optimizer.search.shapes import Shapes

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

JOIN_LIMIT = 5e6
COURSE_LIMIT = 2e5
TIMING_LIMIT = 2_000_000
JOIN_CHUNK = 200_000
SEARCHED_PLANS = 6
BOUND_SAFETY = 1e-9
MIXED = 0.1


@dataclass
class Found:
    """State of the exploration: incumbent and what is proved.

    Attributes
    ----------
    bound : no schedule is better; infinite if nothing is known
    complete : whether everything above the threshold was examined
    """

    plan: int | None = None
    row: IntArray | None = None
    value: float = -math.inf
    bound: float | None = None
    complete: bool = False
    nodes: int = 0
    columns: int = 0
    open_bounds: dict[int, float] = field(default_factory=dict)

    def offer(self, plan: int, row: IntArray, value: float) -> None:
        """Take a better feasible row."""
        if value > self.value:
            self.plan, self.row, self.value = plan, row.copy(), value


@dataclass(frozen=True)
class Node:
    """Some courses per lesion and a box of systemic effect, with its bound."""

    courses: list[IntArray]
    box: Box
    bound: Bound


class Stopped(Exception):
    """Out of time or interrupted."""


def explore(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    start: tuple[int, IntArray, float] | None = None,
) -> Found:
    """Best schedule of uniform courses and a bound within `gap` of it.

    `start` is the plan, row and objective of a feasible schedule to begin with.

    Stops early when the clock says so; the bound is then that of what was left open.
    """
    found = Found()
    if start is not None:
        found.offer(*start)
    try:
        _explore(candidates, gap, seed, clock, found)
        found.complete = True
    except Stopped:
        pass
    if not found.complete:
        _close(candidates, found)
    tail = max(found.open_bounds.values(), default=-math.inf)
    found.bound = max(found.value, tail)
    return found


def _close(candidates: Candidates, found: Found) -> None:
    """Bounds of the plans that were not looked at, one computation per group of plans."""
    known: dict[int, float] = {}
    for plan in range(len(candidates.plans)):
        if plan not in found.open_bounds:
            group = int(candidates.plan_effects.group[plan])
            if group not in known:
                known[group] = ceiling(candidates, plan) + BOUND_SAFETY
            found.open_bounds[plan] = known[group]


def _explore(candidates: Candidates, gap: float, seed: int, clock: Clock, found: Found) -> None:
    rng = np.random.default_rng(seed)
    rows = StaticRows(candidates)
    planned: dict[int, PlanBounds] = {}
    roots: dict[int, Node] = {}
    if found.plan is not None and found.row is not None:
        _check(clock)
        tabulated = Tabulated(candidates, found.plan)
        lesions = list(range(len(found.row)))
        found.offer(found.plan, *climb(tabulated, found.row, found.value, lesions))
    for plan in range(len(candidates.plans)):
        _check(clock)
        planned[plan] = PlanBounds(Tabulated(candidates, plan), rows)
        roots[plan] = _root(planned[plan])
        found.open_bounds[plan] = roots[plan].bound.value + BOUND_SAFETY
        found.columns += sum(len(c) for c in roots[plan].courses)
        if found.row is None:
            _begin(planned[plan].tabulated, plan, found)
        clock.report("bounds", found.value if found.row is not None else None, None)
    order = sorted(roots, key=lambda plan: (-roots[plan].bound.value, plan))
    idle = 0
    for rank, plan in enumerate(order):
        _check(clock)
        bounds = planned.pop(plan)
        tabulated = bounds.tabulated
        if found.open_bounds[plan] > found.value + gap and rank < SEARCHED_PLANS and idle < 2:
            before = found.value
            _improve(tabulated, roots[plan], plan, rng, found)
            idle = 0 if found.value > before else idle + 1
        elif found.row is not None and found.open_bounds[plan] > found.value + gap:
            _adopt(tabulated, plan, found.row, found)
        top = max(found.open_bounds.values())
        clock.report("search", found.value if found.row is not None else None, top)
        _examine(bounds, roots[plan], plan, gap, clock, found)


def _begin(tabulated: Tabulated, plan: int, found: Found) -> None:
    """A first incumbent within moments: single-lesion best responses from few lesions."""
    lesions = len(tabulated.candidates.lesions)
    row = enough_sites(tabulated, list(range(lesions)))
    feasible = bool(tabulated.feasible(row[None, :])[0])
    value = float(tabulated.value(row[None, :])[0]) if feasible else -math.inf
    row, value = climb(tabulated, row, value, list(range(lesions)))
    if math.isfinite(value):
        found.offer(plan, row, value)


def _check(clock: Clock) -> None:
    if clock.expired:
        raise Stopped


def _root(bounds: PlanBounds) -> Node:
    courses = [np.flatnonzero(allowed) for allowed in bounds.tabulated.allowed]
    box = bounds.root(courses)
    return Node(courses, box, bounds.bound(courses, box))


def _improve(
    tabulated: Tabulated, root: Node, plan: int, rng: np.random.Generator, found: Found
) -> None:
    """Local search under one plan, from the incumbent's courses and from scratch."""
    shortlist = [
        c[np.argsort(loss, kind="stable")]
        for c, loss in zip(root.courses, root.bound.losses, strict=True)
    ]
    starts = [] if found.row is None else [found.row]
    row, value = local_search(tabulated, shortlist, starts, rng)
    if row is not None:
        found.offer(plan, row, value)


def _adopt(tabulated: Tabulated, plan: int, row: IntArray, found: Found) -> None:
    """The incumbent's courses under another plan."""
    if tabulated.feasible(row[None, :])[0]:
        found.offer(plan, row, float(tabulated.value(row[None, :])[0]))


def _examine(
    bounds: PlanBounds, root: Node, plan: int, gap: float, clock: Clock, found: Found
) -> None:
    """Examine all schedules of a plan that could beat the incumbent by more than the gap."""
    stack = [root]
    while stack:
        node = stack.pop()
        _check(clock)
        found.nodes += 1
        if node.bound.value + BOUND_SAFETY <= found.value + gap:
            continue
        parts = _split_sites(bounds, node)
        if parts is None and _joinable(
            node, found.value + gap, list(node.bound.losses), COURSE_LIMIT
        ):
            _enumerate_courses(bounds, node, plan, gap, clock, found)
            continue
        if parts is None:
            shapes = Shapes(bounds, node.courses, node.box, node.bound.losses)
            parts = _split(bounds, node, shapes, found.value + gap)
            if parts is None:
                parts = _enumerate(bounds, node, shapes, plan, gap, clock, found)
        children = [Node(c, b, bounds.bound(c, b)) for c, b in parts]
        children.sort(key=lambda child: child.bound.value)
        stack += children
    found.open_bounds[plan] = min(found.open_bounds[plan], found.value + gap)


def _slack(node: Node, threshold: float, losses: list[FloatArray]) -> float:
    """Summed loss that still leaves a combination above the threshold; finite."""
    most = math.fsum(float(loss.max()) for loss in losses) + 1.0
    return min(node.bound.value + BOUND_SAFETY - threshold, most)


def _joinable(node: Node, threshold: float, losses: list[FloatArray], most: float) -> bool:
    """Whether the combinations of courses, or of shapes, within the slack are at most so many."""
    slack = _slack(node, threshold, losses)
    return count_at_most(losses, slack) <= most


def _enumerate_courses(
    bounds: PlanBounds, node: Node, plan: int, gap: float, clock: Clock, found: Found
) -> None:
    """Join courses, timings included, and evaluate every combination exactly."""
    losses = list(node.bound.losses)
    slack = _slack(node, found.value + gap, losses)
    loads = [load[c] for load, c in zip(bounds.loads, node.courses, strict=True)]
    for rows in joined(losses, loads, bounds.room, slack, JOIN_CHUNK):
        _check(clock)
        chosen = np.stack([c[rows[:, s]] for s, c in enumerate(node.courses)], axis=1)
        _best_timing(bounds.tabulated, chosen, plan, gap, found)


Part = tuple[list[IntArray], Box]


def _split(bounds: PlanBounds, node: Node, shapes: Shapes, threshold: float) -> list[Part] | None:
    """Two parts of a node with too many combinations; None if it can be joined as it is."""
    if _joinable(node, threshold, shapes.loss, JOIN_LIMIT):
        return None
    mixed = _mixed_site(node, threshold)
    if mixed is not None:
        return _treated_or_not(node, mixed)
    slack = _slack(node, threshold, shapes.loss)
    axis, width = _widest(bounds, node)
    if width > 0.2 * min(slack, 1.0):
        return [(node.courses, box) for box in node.box.halves(axis)]
    return _halve_courses(bounds, node)


def _split_sites(bounds: PlanBounds, node: Node) -> list[Part] | None:
    """Where fewer lesions may be treated than could be: one lesion treated, or not."""
    caps = [
        limit.cap
        for limit in bounds.instance.limits
        if isinstance(limit, LogisticsLimit)
        and limit.quantity == "lesions"
        and limit.cap is not None
        and limit.penalty is None
    ]
    possible = [s for s, c in enumerate(node.courses) if c.max() > 0]
    if not caps or len(possible) <= min(caps):
        return None
    certain = [s for s in possible if node.courses[s].min() > 0]
    if len(certain) >= min(caps):
        none = np.zeros(1, dtype=np.int64)
        return [([c if s in certain else none for s, c in enumerate(node.courses)], node.box)]
    s = max((s for s in possible if s not in certain), key=lambda s: len(node.courses[s]))
    return _treated_or_not(node, s)


def _treated_or_not(node: Node, s: int) -> list[Part]:
    """One lesion left out, or treated."""
    courses = node.courses[s]
    parts = []
    for side in (courses[courses == 0], courses[courses > 0]):
        chosen = list(node.courses)
        chosen[s] = side
        parts.append((chosen, node.box))
    return parts


def _mixed_site(node: Node, threshold: float) -> int | None:
    """A lesion that the bound may treat by halves: 'no course' loses as little as treatment."""
    slack = _slack(node, threshold, list(node.bound.losses))
    best: tuple[float, int] | None = None
    for s, (courses, loss) in enumerate(zip(node.courses, node.bound.losses, strict=True)):
        if courses.min() > 0 or courses.max() == 0:
            continue
        worse = max(float(loss[courses == 0].min()), float(loss[courses > 0].min()))
        if worse <= MIXED * slack and (best is None or worse < best[0]):
            best = (worse, s)
    return None if best is None else best[1]


def _widest(bounds: PlanBounds, node: Node) -> tuple[int, float]:
    """Horizon whose interval moves the scores most, and by how much."""
    if not bounds.systemic:
        return 0, 0.0
    widths = []
    for axis in range(len(node.box.low)):
        corner = tuple(
            low if i == axis else high
            for i, (low, high) in enumerate(zip(node.box.low, node.box.high, strict=True))
        )
        best = [int(loss.argmin()) for loss in node.bound.losses]
        change = sum(
            float(bounds.scores(s, c[[b]], node.box.high)[0] - bounds.scores(s, c[[b]], corner)[0])
            for s, (c, b) in enumerate(zip(node.courses, best, strict=True))
        )
        widths.append(change)
    axis = int(np.argmax(widths))
    return axis, widths[axis]


def _halve_courses(bounds: PlanBounds, node: Node) -> list[Part] | None:
    """Split the lesion with most courses by total dose, or by start where all doses agree."""
    s = int(np.argmax([len(c) for c in node.courses]))
    courses = node.courses[s]
    if len(courses) < 2:
        return None
    menu = bounds.tables[s].menu
    key = (menu.fractions * menu.dose)[courses]
    if key.min() == key.max():
        key = menu.patterns.first[menu.pattern[courses]].astype(float)
    order = np.argsort(key, kind="stable")
    half = len(order) // 2
    parts = []
    for side in (order[:half], order[half:]):
        chosen = list(node.courses)
        chosen[s] = np.sort(courses[side])
        parts.append((chosen, node.box))
    return parts


def _enumerate(
    bounds: PlanBounds,
    node: Node,
    shapes: Shapes,
    plan: int,
    gap: float,
    clock: Clock,
    found: Found,
) -> list[Part]:
    """Join shapes, then timings; returns parts that must be split further."""
    slack = _slack(node, found.value + gap, shapes.loss)
    alive: list[tuple[float, IntArray]] = []
    for rows in joined(shapes.loss, shapes.loads, bounds.room, slack, JOIN_CHUNK):
        _check(clock)
        ceiling = shapes.ceiling(rows) + BOUND_SAFETY
        keep = np.flatnonzero(ceiling > found.value + gap)
        alive += [(float(ceiling[i]), rows[i]) for i in keep]
        if found.row is None:
            _first_feasible(bounds.tabulated, shapes, rows, plan, found)
    alive.sort(key=lambda item: (-item[0], tuple(item[1])))
    left: list[Part] = []
    for ceiling_value, row in alive:
        _check(clock)
        if ceiling_value <= found.value + gap:
            break
        timings = shapes.timings(row, found.value + gap, TIMING_LIMIT)
        if timings is None:
            left += _narrowed(shapes, node, row)
        else:
            _best_timing(bounds.tabulated, timings, plan, gap, found)
    return left


def _first_feasible(
    tabulated: Tabulated, shapes: Shapes, rows: IntArray, plan: int, found: Found
) -> None:
    """Any feasible schedule at all, from the first timing of each shape."""
    first = np.stack(
        [
            np.array([shapes.courses[s][shapes.members[s][i][0]] for i in rows[:, s]])
            for s in range(rows.shape[1])
        ],
        axis=1,
    )
    good = np.flatnonzero(tabulated.feasible(first))
    if len(good):
        values = tabulated.value(first[good])
        best = int(values.argmax())
        found.offer(plan, first[good[best]], float(values[best]))


def _narrowed(shapes: Shapes, node: Node, row: IntArray) -> list[Part]:
    """One shape combination with too many timings: halve the lesion with most, by first day."""
    members = [np.sort(shapes.courses[s][shapes.members[s][row[s]]]) for s in range(len(row))]
    s = int(np.argmax([len(m) for m in members]))
    half = len(members[s]) // 2
    parts: list[Part] = []
    for side in (members[s][:half], members[s][half:]):
        chosen = list(members)
        chosen[s] = side
        parts.append((chosen, node.box))
    return parts


def _best_timing(tabulated: Tabulated, rows: IntArray, plan: int, gap: float, found: Found) -> None:
    """Exact value and feasibility of timings; the best feasible one is offered.

    Only rows above the threshold matter for the proof, so each is decided.
    """
    if not len(rows):
        return
    value = tabulated.value(rows)
    order = np.flatnonzero(value > found.value + gap)
    order = order[np.argsort(-value[order], kind="stable")]
    for part in np.array_split(order, max(1, len(order) // 5000)):
        good = np.flatnonzero(tabulated.feasible(rows[part]))
        if len(good):
            found.offer(plan, rows[part[good[0]]], float(value[part[good[0]]]))
            return
