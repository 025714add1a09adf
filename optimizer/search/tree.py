"""The tree of a branch and bound: open nodes, the one in hand, what is proved at any time (P10).

Every schedule of a case belongs at any time to something that waits for its first node, to an open
node, to the node in hand, or to what is looked at no more. With the bounds of these,

    proved = max(incumbent, waiting, open, in hand, closed) + margin

bounds the optimum wherever a search is stopped, even within a node of which only some parts were
pushed (Land and Doig 1960, An automatic method of solving discrete programming problems).
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from abscopt.optimizer.progress import Clock

Node = TypeVar("Node")


def nothing_waits() -> Iterable[float]:
    """Bounds of what waits where everything is pushed at the start."""
    return ()


class Tree(Generic[Node]):
    """Open nodes of a search that maximizes, best bound first or deepest first.

    Parameters
    ----------
    value : objective of the incumbent; -inf without one
    gap : only what exceeds the incumbent by more than this must be found
    waiting : bounds of what has no node yet, asked for whenever something is to be proved
    margin : what rounding may add to bounds: taken off the threshold, added to what is proved
    depth_first : the newest node is taken first, which keeps few open; ties of bounds are taken
        oldest first otherwise
    closes_at_threshold : the caller does not say how all that it closes is bounded; it is not above
        the threshold of its time, which never exceeds the present one

    Attributes
    ----------
    closed : bound of all that is looked at no more, as far as it was stated
    in_hand : bound of the node that is being examined; -inf if none is
    """

    def __init__(
        self,
        value: Callable[[], float],
        gap: float,
        waiting: Callable[[], Iterable[float]] = nothing_waits,
        *,
        margin: float = 0.0,
        depth_first: bool = False,
        closes_at_threshold: bool = False,
    ):
        self.value, self.gap, self.waiting, self.margin = value, gap, waiting, margin
        self.depth_first, self.closes_at_threshold = depth_first, closes_at_threshold
        self.closed = self.in_hand = -math.inf
        self._open: list[tuple[float, int, float, Node]] = []
        self._pushed = 0

    def __len__(self) -> int:
        """Number of open nodes."""
        return len(self._open)

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter: incumbent + gap - margin."""
        return self.value() + self.gap - self.margin

    @property
    def highest(self) -> float:
        """The highest bound of an open node; -inf if none is open."""
        if self.depth_first:
            return max((bound for _, _, bound, _ in self._open), default=-math.inf)
        return self._open[0][2] if self._open else -math.inf

    @property
    def proved(self) -> float:
        """No schedule is better; infinite while something has no bound."""
        closed = max(self.closed, self.threshold) if self.closes_at_threshold else self.closed
        bounds = (self.value(), closed, self.in_hand, self.highest, *self.waiting())
        return max(bounds) + self.margin

    def push(self, node: Node, bound: float) -> None:
        """Open a node, or close it where it holds nothing above the threshold."""
        if bound <= self.threshold:
            self.close(bound)
            return
        self._pushed += 1
        order = -float(self._pushed) if self.depth_first else -bound
        heapq.heappush(self._open, (order, self._pushed, bound, node))

    def take(self) -> Node | None:
        """The next node above the threshold, which is in hand then; None if all are closed.

        What was in hand before is done with: its parts are open or closed.
        """
        self.release()
        while self._open:
            _, _, bound, node = heapq.heappop(self._open)
            if bound > self.threshold:
                self.hold(bound)
                return node
            self.close(bound)
        return None

    def hold(self, bound: float) -> None:
        """Have something in hand that was no open node, until `release` or the next `take`."""
        self.in_hand = bound

    def lower(self, bound: float) -> None:
        """Know a better bound of what is in hand."""
        self.in_hand = min(self.in_hand, bound)

    def release(self) -> None:
        """Have nothing in hand: all of its parts are open or closed."""
        self.in_hand = -math.inf

    def close(self, bound: float) -> None:
        """Look at something no more, which holds nothing above `bound`."""
        self.closed = max(self.closed, bound)

    def settle(self, bound: float) -> None:
        """Look at nothing that is open or in hand any more: `bound` is known to hold for it."""
        self._open.clear()
        self.release()
        self.close(bound)

    def report(self, clock: Clock, phase: str, nodes: int | None = None) -> None:
        """Tell how far the search is; what is not finite is absent."""
        value, bound = self.value(), self.proved
        clock.report(
            phase,
            value if math.isfinite(value) else None,
            bound if math.isfinite(bound) else None,
            nodes,
        )
