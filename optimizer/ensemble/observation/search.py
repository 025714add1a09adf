"""Branch and bound over first stages: classes apart bound it, branches make them agree.

A policy is a first stage p and a schedule x_k that begins with p for each class k. With P_k(m, p)
the probability that member m is observed in class k, and V*_m the best value of member m alone,
every policy whose first stage lies in a box B has (P18)

    sum_m w_m sum_k P_k(m, p) V_m(x_k)
        <= sum_k max_{x in B} sum_m w_m P-_k(m) V_m(x) + sum_m w_m (1 - sum_k P-_k(m)) V*_m,

    P-_k(m) = min_{p in B} P_k(m, p).

Where the maxima of the classes begin differently, the box is halved between them (scenario
decomposition with branching on the first stage: Caroe and Schultz 1999, Dual decomposition in
stochastic integer programming).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.tree import Tree

if TYPE_CHECKING:
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.observation.classes import Classes
    from abscopt.optimizer.ensemble.observation.continuations import Continuation, Continuations
    from abscopt.optimizer.ensemble.observation.stages import Box, FirstStages, Key
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule

ROUNDING = 1e-9
SHARE = 0.5
"""Of the time that is left: for one class of one box, so that others come to their turn."""


@dataclass(frozen=True)
class Policy:
    """A first stage and what follows it in each class; None where no member is observed so."""

    key: Key
    schedules: tuple[Schedule | None, ...]
    value: float


Bounded = tuple["Continuation | None", ...]
"""Per class what is known of it; None where no member is sure to be observed so."""


@dataclass(frozen=True)
class Node:
    """A box, and what its parent knows of each class."""

    box: Box
    before: Bounded


class TwoStages:
    """The tree over first stages.

    Parameters
    ----------
    weights : (members,) of the ensemble
    alone : (members,) no schedule is better in a member
    value : of a policy in hand: one schedule whatever is observed
    """

    def __init__(
        self,
        stages: FirstStages,
        classes: Classes,
        continuations: Continuations,
        weights: FloatArray,
        alone: FloatArray,
        gap: float,
        value: float,
        clock: Clock,
    ):
        self.stages, self.classes, self.continuations = stages, classes, continuations
        self.weights, self.alone, self.clock = weights, alone, clock
        self.value, self.policy = value, None  # type: tuple[float, Policy | None]
        self.tried: set[Key] = set()
        self.nodes, self.complete = 0, False
        self.tree: Tree[Node] = Tree(lambda: self.value, gap)

    def run(self) -> None:
        """Examine boxes, the highest bound first, until the gap is closed or the time is over."""
        ceiling = float(self.weights @ self.alone) + ROUNDING
        number = len(self.classes.observation.thresholds) + 1
        self.tree.push(Node(self.stages.whole, (None,) * number), ceiling)
        try:
            while (node := self.tree.take()) is not None:
                self._check()
                self.tree.report(self.clock, "search over first stages")
                self._examine(node)
            self.complete = True
        except Stopped:
            pass

    @property
    def bound(self) -> float:
        """No policy is better."""
        return self.tree.proved

    def _check(self) -> None:
        if self.clock.expired:
            raise Stopped

    def _examine(self, node: Node) -> None:
        """Bound a box, try what its classes begin with, halve it."""
        self.nodes += 1
        sure = self.classes.least(node.box)
        bounded = self._continued(node, sure * self.weights)
        self.tree.lower(self._bounded(bounded, sure))
        self._check()
        bound = self.tree.in_hand
        if bound <= self.tree.threshold:
            self.tree.close(bound)
            return
        for key in _begun(bounded):
            self._try(key, bounded)
        if node.box.size == 1:
            self.tree.close(bound)
            return
        for half in node.box.halves(*_cut(node.box, bounded)):
            self.tree.push(Node(half, bounded), bound)

    def _bounded(self, bounded: Bounded, sure: FloatArray) -> float:
        """Bound of a box: classes apart, and members alone where their class is not sure.

        sum_k bound_k + sum_m w_m (1 - sum_k P-_k(m)) V*_m;  minus infinity where a class is empty
        """
        bounds = [of_class.bound for of_class in bounded if of_class is not None]
        if -math.inf in bounds:
            return -math.inf
        unsure = np.maximum(0.0, 1.0 - sure.sum(axis=0)) * self.weights
        counted = unsure > 0.0
        return sum(bounds) + float(unsure[counted] @ self.alone[counted]) + ROUNDING

    def _continued(self, node: Node, weights: FloatArray) -> Bounded:
        """Each class in a box; None where no member is sure to be observed so."""
        bounded: list[Continuation | None] = []
        for of_class, before in zip(weights, node.before, strict=True):
            if not (of_class > 0.0).any():
                bounded.append(None)
                continue
            bounded.append(self._solved(node.box, of_class, before))
        return tuple(bounded)

    def _solved(self, box: Box, weights: FloatArray, before: Continuation | None) -> Continuation:
        """One class in a box: what is known of a larger one, where its schedule is inside."""
        inside = before is not None and before.key is not None and before.key in box
        if before is not None and inside and np.array_equal(before.weights, weights):
            return before
        starts = []
        if before is not None and inside and before.plan is not None and before.row is not None:
            starts = [(before.plan, before.row)]
        remaining = self.clock.remaining
        seconds = None if remaining is None else SHARE * remaining
        return self.continuations.best(box, weights, seconds, starts)

    def _try(self, key: Key, bounded: Bounded) -> None:
        """The best continuation of each class after one first stage."""
        if key in self.tried:
            return
        self._check()
        self.tried.add(key)
        box = self.stages.box_of(key)
        weights = self.classes.probabilities(key) * self.weights
        after = self._continued(Node(box, bounded), weights)
        sure = [of_class for of_class in after if of_class is not None]
        value = sum(of_class.value for of_class in sure)
        if math.isfinite(value) and value > self.value:
            schedules = tuple(None if of_class is None else of_class.schedule for of_class in after)
            self.value, self.policy = value, Policy(key, schedules, value)


def _begun(bounded: Bounded) -> list[Key]:
    """First stages of the best schedules of the classes, each once."""
    keys = [of_class.key for of_class in bounded if of_class is not None]
    return list(dict.fromkeys(key for key in keys if key is not None))


def _cut(box: Box, bounded: Bounded) -> tuple[int, int]:
    """Where a box is halved: between first stages of the classes, else its longest side."""
    keys = _begun(bounded)
    for place, side in enumerate(box.parts):
        numbers = sorted({key[place] for key in keys})
        if len(numbers) > 1:
            first, last = np.searchsorted(side, [numbers[0], numbers[-1]])
            return place, int(side[(first + last) // 2 if last > first + 1 else first])
    place = max(range(len(box.parts)), key=lambda i: len(box.parts[i]))
    side = box.parts[place]
    return place, int(side[(len(side) - 1) // 2])
