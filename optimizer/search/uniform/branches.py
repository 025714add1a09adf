"""What a search leaves to the next one: its splits, with the prices that bounded each node.

A lesion treated or not, its local log burden up to some value, the plans in two: such a split
means the same in every case with the same lesions and plans, and a Lagrangian bound holds for any
prices. A related case therefore begins where the earlier search ended: its first node drops what
the old prices exclude, and only the ends of the old tree are bounded again, each with the prices
that closed it before. What they do not close is searched as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.reduction import site_caps
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells, unknown
from abscopt.optimizer.search.uniform.bounds.plan_set import BestOfSets

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.bounds.bound import Dual
    from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet
    from abscopt.optimizer.search.uniform.bounds.prices import DualPrices


@dataclass(frozen=True)
class Split:
    """How a node is split in two.

    Attributes
    ----------
    lesion : None where the plans are halved in their order
    burden : kinds of at most this mean local log burden go to the first side; None for 'no course'
        on the first side and treatment on the second
    in_order : the first half of the kinds goes to the first side instead
    """

    lesion: int | None = None
    burden: float | None = None
    in_order: bool = False

    def sides(
        self, candidates: Candidates, shared: tuple[Shared, ...], alive: Alive
    ) -> list[Alive]:
        """The kinds of both sides of a split by lesion; together they hold all that are alive.

        By burden b: { k: mean burden_k <= b } and the others; without one: {no course} and the
        others. Where the cap on lesions is reached with the treated side, the others have no course
        there.
        """
        s = self.lesion
        assert s is not None
        if self.burden is not None:
            below = mean_burden(shared[s]) <= self.burden
            if self.in_order:
                below = np.cumsum(alive[s]) <= alive[s].sum() // 2
            return [_with(alive, s, alive[s] & below), _with(alive, s, alive[s] & ~below)]
        none = np.arange(len(alive[s])) == 0
        untreated, treated = _with(alive, s, alive[s] & none), _with(alive, s, alive[s] & ~none)
        caps = site_caps(candidates)
        certain = [i for i, mask in enumerate(treated) if not mask[0]]
        if caps and len(certain) >= min(caps):
            treated = tuple(
                mask if i in certain else mask & (np.arange(len(mask)) == 0)
                for i, mask in enumerate(treated)
            )
        return [untreated, treated]


def mean_burden(shared: Shared) -> FloatArray:
    """(kinds,) local log burden, mean over horizons and clones."""
    burden: FloatArray = shared.local.mean(axis=(1, 2))
    return burden


def _with(alive: Alive, s: int, mask: NDArray[np.bool_]) -> Alive:
    return tuple(mask if i == s else unchanged for i, unchanged in enumerate(alive))


@dataclass
class Branch:
    """One node of the tree: its prices, newest first, and how it was split."""

    prices: list[DualPrices] = field(default_factory=list)
    split: Split | None = None
    children: tuple[Branch, Branch] | None = None

    @property
    def known(self) -> bool:
        """Whether an earlier search has been here."""
        return bool(self.prices) or self.children is not None

    def copy(self) -> Branch:
        """The same node with what is below it."""
        children = self.children and (self.children[0].copy(), self.children[1].copy())
        return Branch(list(self.prices), self.split, children)

    def remember(self, prices: DualPrices) -> None:
        """Keep prices; the oldest go."""
        self.prices = [prices, *self.prices][: settings.CURRENT.most_prices]

    def divide(self, split: Split) -> tuple[Branch, Branch]:
        """The branches of both sides of a split."""
        self.split, self.children = split, (Branch(), Branch())
        return self.children

    @property
    def ends(self) -> int:
        """Number of nodes without children."""
        return sum(child.ends for child in self.children) if self.children else 1


@dataclass(frozen=True)
class Node:
    """Plans, kinds and cells; `numbers` are the multipliers not yet tried on its kinds."""

    dual: Dual
    alive: Alive
    cells: Cells
    numbers: tuple[int, ...]
    branch: Branch


def split_by_burden(dual: Dual, alive: Alive, mixtures: list[FractionalChoice] | None) -> Split:
    """Split by local log burden of the lesion s whose courses the LP mixes most (greatest spread).

    At (min + max) / 2 of the mean burdens (kinds,) that the LP mixes, else at the median of those
    alive: branching on a lesion's domain, not on single variables. Without any mixture, of the
    lesion with most kinds.
    """
    s = min(
        (s for s, mask in enumerate(alive) if mask.sum() > 1),
        key=lambda s: (-mixtures[s].spread if mixtures else 0.0, -int(alive[s].sum()), s),
    )
    burden, living = mean_burden(dual.set.shared[s]), np.flatnonzero(alive[s])
    mixed = mixtures[s].kinds if mixtures else living[:0]
    mixed = mixed[alive[s][mixed]]
    middle = float(np.median(burden[living]))
    if len(mixed) and np.ptp(burden[mixed]) > 0:
        middle = float(burden[mixed].min() + burden[mixed].max()) / 2
    return Split(s, middle, in_order=bool(burden[living].max() <= middle))


def of_subset(node: Node, plans: PlanSet, branch: Branch) -> Node:
    """The node of a part of the plans, its multipliers not yet tried."""
    cells = node.cells
    living = tuple(mask & usable for mask, usable in zip(node.alive, plans.usable, strict=True))
    dual = node.dual.of_subset(plans, cells, living)
    unbounded = unknown(cells.low, cells.high, cells.bound)
    return Node(dual, living, unbounded, tuple(range(len(dual.lagrangians))), branch)


class Trees:
    """One tree per family of plans, for cases that offer the same lesions and plans.

    Attributes
    ----------
    best : what the courses do at best under sets of plans
    duals : first ones of the families in the last case
    """

    def __init__(self) -> None:
        self.best = BestOfSets()
        self.duals: dict[tuple[PlanId, ...], Dual] = {}
        self._valued: Any = None
        self._fits: Any = None
        self._branches: dict[tuple[PlanId, ...], Branch] = {}

    def copy(self) -> Trees:
        """The same trees, to be continued apart."""
        same = Trees()
        same.best, same.duals = self.best.copy(), dict(self.duals)
        same._valued, same._fits = self._valued, self._fits
        same._branches = {plans: branch.copy() for plans, branch in self._branches.items()}
        return same

    def fit(self, candidates: Candidates) -> None:
        """Forget what means something else in this case, or has grown too large."""
        instance = candidates.instance
        fits = (
            tuple(plan.doses for plan in candidates.plans),
            tuple((limit.name, limit.kind, limit.penalty is None) for limit in instance.limits),
            tuple(lesion.name for lesion in instance.lesions),
            instance.horizon_days,
            instance.objective.kind,
            tuple(patterns.days.tobytes() for patterns in candidates.own_patterns),
        )
        grown = sum(branch.ends for branch in self._branches.values()) > settings.CURRENT.most_ends
        if self._fits != fits or grown:
            self._fits, self._branches = fits, {}
        valued = instance.lesions, instance.objective.model_copy(update={"gap": 1.0})
        if not self.best.fit(candidates) or valued != self._valued:
            self.duals, self._valued = {}, valued

    def of(self, plans: tuple[PlanId, ...]) -> Branch:
        """The tree of one family."""
        return self._branches.setdefault(plans, Branch())
