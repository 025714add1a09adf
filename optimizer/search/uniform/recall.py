"""The ends of an earlier search's tree, bounded again with the prices that closed them before.

Only they are looked at: the nodes on the way served to find them. An end is tried with its own
prices first, then with those of the nodes above it, nearest first. Where control is a mean over
radiosensitivities, combinations of kinds closed the ends and not prices: there only the prices of
the root are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells, unknown
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet, plan_halves
from abscopt.optimizer.search.uniform.branches import Branch, Node

if TYPE_CHECKING:
    from abscopt.optimizer.search.uniform.bounds.grounds import Grounds
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.bounds.prices import DualPrices


class Recall:
    """What the tree of one family leaves open in another case.

    Parameters
    ----------
    threshold : what a schedule must exceed to matter
    fine : looseness at which halving of cells ends
    grounds : where the prices that are tried are noted
    rounds : of halving cells; None for the setting
    """

    def __init__(
        self,
        root: Node,
        threshold: float,
        fine: float,
        grounds: Grounds,
        rounds: int | None = None,
    ):
        self.root, self.threshold, self.fine, self.grounds = root, threshold, fine, grounds
        self.rounds = settings.CURRENT.recall_rounds if rounds is None else rounds
        self.duals = {root.dual.set.plans: root.dual}
        self.numbers: dict[tuple[tuple[PlanId, ...], int], int] = {}

    def of_root(self) -> Cells:
        """Cells of the whole family that its prices do not close."""
        return self._bounded(
            self.root.dual, self.root.alive, self.root.cells, self.root.branch.prices
        )

    def ends(self) -> Iterator[Node]:
        """Ends of the tree with the cells that the known prices do not close."""
        root = self.root
        stack: list[tuple[tuple[PlanId, ...], Alive, Branch, list[DualPrices]]] = []
        stack.append((root.dual.set.plans, root.alive, root.branch, []))
        while stack:
            plans, alive, branch, above = stack.pop()
            if branch.split is None or branch.children is None:
                node = self._end(plans, alive, branch, above)
                if node is not None:
                    yield node
                continue
            prices = [] if branch is root.branch else branch.prices
            subsets, sides = [plans, plans], [alive, alive]
            if branch.split.lesion is None:
                subsets = list(plan_halves(plans))
            else:
                sides = branch.split.sides(root.dual.set.candidates, root.dual.set.shared, alive)
            for subset, side, child in zip(subsets, sides, branch.children, strict=True):
                stack.append((subset, side, child, [*prices, *above]))

    def _end(
        self, plans: tuple[PlanId, ...], alive: Alive, branch: Branch, above: list[DualPrices]
    ) -> Node | None:
        """One end as far as it stays open; None if it is closed."""
        root = self.root
        if plans not in self.duals:
            plan_set = PlanSet(root.dual.set.candidates, plans, root.dual.set)
            self.duals[plans] = Dual(plan_set, root.dual)
        dual, cells = self.duals[plans], root.cells
        if dual is not root.dual:
            cells = unknown(cells.low, cells.high, cells.bound)
        alive = tuple(mask & fits for mask, fits in zip(alive, dual.set.usable, strict=True))
        if not all(mask.any() for mask in alive):
            return None
        prices = [] if branch is root.branch else [*branch.prices, *above]
        prices = prices[: settings.CURRENT.most_prices]
        cells = self._bounded(dual, alive, cells, prices)
        if not len(cells):
            return None
        if (cells.by >= 0).all():
            alive = dual.alive(cells, alive, self.threshold)
        return Node(dual, alive, cells, (), branch)

    def _bounded(
        self, dual: Dual, alive: Alive, cells: Cells, prices: Sequence[DualPrices]
    ) -> Cells:
        """Cells above the threshold by some prices, halved as long as that tells more."""
        cells = cells.take_above(self.threshold)
        numbers = self._numbers(dual, prices) if len(cells) else []
        for _ in range(self.rounds if numbers else 0):
            before = len(cells), cells.top
            cells = dual.tighten(cells, alive, numbers, self.threshold, self.fine)
            if not len(cells) or (len(cells), cells.top) == before:
                break
            alive = dual.alive(cells, alive, self.threshold)
        return cells

    def _numbers(self, dual: Dual, usable_prices: Sequence[DualPrices]) -> list[int]:
        """Numbers of the multipliers with some prices; without those for other rows."""
        rows, plans = dual.set.rows, dual.set.plans
        usable_prices = [prices for prices in usable_prices if len(prices.rows) == len(rows.right)]
        unpriced = [prices for prices in usable_prices if (plans, id(prices)) not in self.numbers]
        if unpriced:
            usable = zip(self.root.alive, dual.set.usable, strict=True)
            alive = tuple(mask & fits for mask, fits in usable)
            for number, prices in enumerate(unpriced, len(dual.lagrangians)):
                self.numbers[plans, id(prices)] = number
                self.grounds.add(dual.set, prices.rows)
            capped = [replace(prices, rows=rows.capped(prices.rows)) for prices in unpriced]
            dual.add_all(capped, alive)
        return [self.numbers[plans, id(prices)] for prices in usable_prices]
