"""The ends of an earlier search's tree, bounded again with the prices that closed them before.

Only they are looked at: the nodes on the way served to find them. An end is tried with its own
prices first, then with those of the nodes above it, nearest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.cells import Cells, unknown
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet, plan_halves
from abscopt.optimizer.search.uniform.branches import MOST_PRICES, Branch, Node

if TYPE_CHECKING:
    from abscopt.optimizer.search.uniform.bounds.grounds import Grounds
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.bounds.prices import DualPrices

ROUNDS = 4


class Recall:
    """What the tree of one family leaves open in another case.

    Parameters
    ----------
    threshold : what a schedule must exceed to matter
    fine : looseness at which halving of cells ends
    grounds : where the prices that are tried are noted
    """

    def __init__(self, root: Node, threshold: float, fine: float, grounds: Grounds):
        self.root, self.threshold, self.fine, self.grounds = root, threshold, fine, grounds
        self.duals = {root.dual.set.plans: root.dual}
        self.numbers: dict[tuple[tuple[int, ...], int], int] = {}

    def of_root(self) -> Cells:
        """Cells of the whole family that its prices do not close."""
        return self._bounded(
            self.root.dual, self.root.alive, self.root.cells, self.root.branch.prices
        )

    def ends(self) -> Iterator[Node]:
        """Ends of the tree with the cells that the known prices do not close."""
        root = self.root
        stack: list[tuple[tuple[int, ...], Alive, Branch, list[DualPrices]]] = []
        stack.append((root.dual.set.plans, root.alive, root.branch, []))
        while stack:
            plans, alive, branch, above = stack.pop()
            if branch.cut is None or branch.children is None:
                node = self._end(plans, alive, branch, above)
                if node is not None:
                    yield node
                continue
            own = [] if branch is root.branch else branch.prices
            parts, sides = [plans, plans], [alive, alive]
            if branch.cut.lesion is None:
                parts = list(plan_halves(plans))
            else:
                sides = branch.cut.sides(root.dual.set.candidates, root.dual.set.shared, alive)
            for part, side, child in zip(parts, sides, branch.children, strict=True):
                stack.append((part, side, child, [*own, *above]))

    def _end(
        self, plans: tuple[int, ...], alive: Alive, branch: Branch, above: list[DualPrices]
    ) -> Node | None:
        """One end as far as it stays open; None if it is closed."""
        root = self.root
        if plans not in self.duals:
            own = PlanSet(root.dual.set.candidates, plans, root.dual.set)
            self.duals[plans] = Dual(own, root.dual)
        dual, cells = self.duals[plans], root.cells
        if dual is not root.dual:
            cells = unknown(cells.low, cells.high, cells.bound)
        alive = tuple(mask & fits for mask, fits in zip(alive, dual.set.usable, strict=True))
        if not all(mask.any() for mask in alive):
            return None
        known = [] if branch is root.branch else [*branch.prices, *above][:MOST_PRICES]
        cells = self._bounded(dual, alive, cells, known)
        if not len(cells):
            return None
        if (cells.by >= 0).all():
            alive = dual.alive(cells, alive, self.threshold)
        return Node(dual, alive, cells, (), branch)

    def _bounded(
        self, dual: Dual, alive: Alive, cells: Cells, known: Sequence[DualPrices]
    ) -> Cells:
        """Cells above the threshold by some prices, halved as long as that tells more."""
        cells = cells.take_above(self.threshold)
        numbers = self._numbers(dual, known) if len(cells) else []
        for _ in range(ROUNDS if numbers else 0):
            before = len(cells), cells.top
            cells = dual.tighten(cells, alive, numbers, self.threshold, self.fine)
            if not len(cells) or (len(cells), cells.top) == before:
                break
            alive = dual.alive(cells, alive, self.threshold)
        return cells

    def _numbers(self, dual: Dual, known: Sequence[DualPrices]) -> list[int]:
        """Numbers of the multipliers with some prices; without those for other rows."""
        rows, plans = dual.set.rows, dual.set.plans
        known = [prices for prices in known if len(prices.rows) == len(rows.right)]
        new = [prices for prices in known if (plans, id(prices)) not in self.numbers]
        if new:
            usable = zip(self.root.alive, dual.set.usable, strict=True)
            alive = tuple(mask & fits for mask, fits in usable)
            for number, prices in enumerate(new, len(dual.lagrangians)):
                self.numbers[plans, id(prices)] = number
                self.grounds.add(dual.set, prices.rows)
            capped = [replace(prices, rows=rows.capped(prices.rows)) for prices in new]
            dual.add_all(capped, alive)
        return [self.numbers[plans, id(prices)] for prices in known]
