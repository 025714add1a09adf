"""One integer programme over kinds of course where no systemic effect acts.

Without systemic effect the value of a lesion depends on its own course alone, and hard limits are
all that couples lesions. A Lagrangian bound mixes kinds there, and stays above the best schedule by
what their mixtures are worth; the programme takes one kind for each lesion:

    maximize sum_s sum_k v_s(k) x[s, k] - cost - sum_f penalty_f e_f,
    sum_k x[s, k] = 1,  sum A[r, k] x[s, k] - e_f(r) <= b_r,  x binary,  e >= 0,

A[r, k] the least load of the kind's timings under any of the plans, so that nothing feasible is
lost (P20 of docs/reference/proofs.md). A choice that it finds is decided with its days and plans,
and cut off; of two plans that allow the same courses only one is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.highs.solver import Matrix, canary, solve_matrix
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.branches import Node, of_subset
from abscopt.optimizer.search.uniform.leaves.dates import MARGIN
from abscopt.optimizer.search.uniform.leaves.leaf import Leaf, check

if TYPE_CHECKING:
    from collections.abc import Hashable

    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.tree import Tree
    from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


@dataclass(frozen=True)
class Choice:
    """One kind for each lesion, (lesions,), that keeps the rows; its schedules are no better."""

    kinds: IntArray
    value: float


class KindProgramme:
    """The kinds alive in a node, one for each lesion, in the rows of its plans."""

    def __init__(self, node: Node):
        """Columns x[s, k]: values v_s(k) (columns,) at most, loads (columns, rows)."""
        plans, high = node.dual.set, node.dual.low_and_high[1]
        chosen, values, loads = [], [], []
        for s, mask in enumerate(node.alive):
            lesion, kinds = node.dual.values.lesions[s], KindIds(np.flatnonzero(mask))
            kinds = KindIds(kinds[lesion.reaches(high, kinds)])
            chosen.append(kinds)
            values.append(lesion.at(high, kinds))
            loads.append(plans.courses[s].least_rows(kinds))
        self.rows, self.constant = plans.rows, -plans.cost
        self.kind = np.concatenate(chosen)
        self.owner = np.repeat(np.arange(len(chosen)), [len(kinds) for kinds in chosen])
        self.values, self.loads = np.concatenate(values), np.concatenate(loads)
        self.lesions = len(chosen)
        self.cuts: list[IntArray] = []

    @property
    def empty(self) -> bool:
        """Whether some lesion has no kind, so that there is no choice."""
        return len(np.unique(self.owner)) < self.lesions

    def matrix(self) -> Matrix:
        """The programme, columns x first, then e; rows compressed one after the other."""
        further = len(self.rows.penalty)
        rows = [
            (np.flatnonzero(self.owner == s), np.ones(int((self.owner == s).sum())), 1.0)
            for s in range(self.lesions)
        ]
        lower = [1.0] * len(rows)
        for r, right in enumerate(self.rows.right.tolist()):
            used = np.flatnonzero(self.loads[:, r])
            load, family = self.loads[used, r], int(self.rows.family[r])
            if family >= 0:
                used, load = np.append(used, len(self.owner) + family), np.append(load, -1.0)
            if len(used):
                rows.append((used, load, right))
        rows += [(cut, np.ones(len(cut)), len(cut) - 1.0) for cut in self.cuts]
        lower += [-np.inf] * (len(rows) - len(lower))
        return Matrix.of_rows(
            rows,
            cost=np.append(self.values, -self.rows.penalty),
            lower=np.zeros(len(self.owner) + further),
            upper=np.append(np.ones(len(self.owner)), np.full(further, np.inf)),
            integer=np.arange(len(self.owner) + further) < len(self.owner),
            row_lower=np.array(lower),
            offset=self.constant,
        )

    def best(self, gap: float, clock: Clock) -> tuple[float, Choice | None]:
        """Bound of every choice that is not cut off, -inf without any, and a best one.

        None where the solver was stopped before it had a choice within `gap` of its bound.
        """
        canary()
        outcome = solve_matrix(
            self.matrix(),
            absolute_gap=gap,
            time_limit=clock.remaining,
            most_nodes=settings.CURRENT.date_nodes,
            listener=lambda *_: clock.expired,
        )
        if outcome.ending == "infeasible":
            return -math.inf, None
        if outcome.bound is None:
            return math.inf, None
        bound = outcome.bound + MARGIN * max(1.0, abs(outcome.bound))
        if outcome.ending != "optimal" or outcome.x is None:
            return bound, None
        picked = outcome.x[: len(self.owner)]
        place = [
            int(np.flatnonzero(self.owner == s)[picked[self.owner == s].argmax()])
            for s in range(self.lesions)
        ]
        return bound, Choice(self.kind[place], self.constant + float(self.values[place].sum()))

    def cut(self, choice: Choice) -> None:
        """Forbid one choice: sum_s x[s, k_s] <= lesions - 1."""
        columns = [
            int(np.flatnonzero((self.owner == s) & (self.kind == k))[0])
            for s, k in enumerate(choice.kinds.tolist())
        ]
        self.cuts.append(np.array(columns, dtype=np.int64))


class Separable:
    """Decides nodes without systemic effect by choices of kinds.

    Attributes
    ----------
    left_open : nodes that were not decided so; after a few no more are tried
    """

    def __init__(self, tree: Tree[Node], clock: Clock, state: SearchState):
        self.tree, self.clock, self.state = tree, clock, state
        self.left_open = 0

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter."""
        return self.tree.threshold

    def examine(self, node: Node) -> Cells:
        """The cells of a node that stay above the threshold, with the programme's bound."""
        count = sum(int(mask.sum()) for mask in node.alive)
        if self.left_open > settings.CURRENT.open_programmes or (
            count > settings.CURRENT.date_courses
        ):
            return node.cells
        self.state.grounds.whole = False  # other caps might let something in
        bound = max(self._bound(KindProgramme(node), node), self.threshold)
        cells = replace(node.cells, bound=np.minimum(node.cells.bound, bound))
        above = cells.take_above(self.threshold)
        self.left_open += len(above) > 0
        return above

    def _bound(self, programme: KindProgramme, node: Node) -> float:
        """Bound of what is not decided: that of the choices that are not cut off."""
        bound = -math.inf if programme.empty else math.inf
        for _ in range(settings.CURRENT.date_cuts):
            if bound <= self.threshold:
                break
            check(self.clock)
            least, choice = programme.best(self.tree.gap / 4, self.clock)
            bound = min(bound, least)
            if bound <= self.threshold or choice is None or not self._decided(node, choice):
                break
            programme.cut(choice)
        return bound

    def _decided(self, node: Node, choice: Choice) -> bool:
        """Value the timings of a choice under each plan; False if they are too many."""
        alive = tuple(
            mask & (np.arange(len(mask)) == k)
            for mask, k in zip(node.alive, choice.kinds.tolist(), strict=True)
        )
        asked: set[Hashable] = set()
        candidates = node.dual.set.candidates
        for plan in node.dual.set.plans:
            if choice.value <= self.threshold:
                return True
            check(self.clock)
            tabulated = Tabulated(candidates, plan)
            offered = _offered(tabulated, alive)
            if offered not in asked and not self._timed(node, alive, tabulated):
                return False
            asked.add(offered)
        return True

    def _timed(self, node: Node, alive: Alive, tabulated: Tabulated) -> bool:
        """Value the timings of one kind for each lesion under one plan; False if too many."""
        plans = PlanSet(node.dual.set.candidates, (tabulated.plan,), node.dual.set)
        alone = of_subset(replace(node, alive=alive), plans, node.branch)
        if not all(mask.any() for mask in alone.alive):
            return True
        cells = alone.dual.bounded(alone.cells, alone.alive, alone.numbers)
        leaf = Leaf(alone.dual, tabulated, self.tree.gap, self.clock, self.state)
        return leaf.whole(cells, alone.alive, settings.CURRENT.few_timings)


def _offered(tabulated: Tabulated, alive: Alive) -> Hashable:
    """What a plan allows of some kinds, and asks of a schedule where no systemic effect acts."""
    masks = []
    for s, mask in enumerate(alive):
        courses = mask[tabulated.kinds[s]]
        masks.append(
            (tabulated.begun[s][courses].tobytes(), tabulated.exposed[s][courses].tobytes())
        )
    needs = tabulated.end_needed, tabulated.start_needed
    return tuple(masks), needs, tabulated.plan_cost, tabulated.chemo
