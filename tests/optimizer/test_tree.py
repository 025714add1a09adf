"""The tree on toy problems, stopped at every step: what is proved is true, the end closes the gap.

A toy is a choice of one of several knapsacks and of items for it. Every knapsack is a root that
waits until it gets a node; items are taken or not, by falling value per weight, and bounded by the
linear relaxation (Dantzig 1957, Discrete-variable extremum problems).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from abscopt.optimizer.progress import Clock, Progress
from abscopt.optimizer.search.tree import Tree

Item = tuple[int, int]
"""Value and weight."""
Load = tuple[int, int, int, int]
"""Knapsack, items decided, value and weight of those taken."""


@dataclass
class Knapsacks:
    """Branch and bound over a choice of knapsack and of items, one step at a time."""

    items: list[Item]
    capacities: list[int]
    gap: float = 0.0
    depth_first: bool = False
    closes_at_threshold: bool = False
    margin: float = 0.0
    patience: int = 10**9
    best: float = -math.inf
    waiting: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.items.sort(key=lambda item: -item[0] / item[1])
        self.waiting = list(range(len(self.capacities)))
        everything = float(sum(value for value, _ in self.items))
        self.tree: Tree[Load] = Tree(
            lambda: self.best, self.gap, lambda: [everything] * len(self.waiting),
            margin=self.margin, depth_first=self.depth_first,
            closes_at_threshold=self.closes_at_threshold,
        )  # fmt: skip

    @property
    def optimum(self) -> float:
        """By enumeration."""
        loads = [
            [sum(column) for column in zip((0, 0), *chosen, strict=True)]
            for size in range(len(self.items) + 1)
            for chosen in itertools.combinations(self.items, size)
        ]
        return max(value for value, weight in loads if weight <= max(self.capacities))

    def bound(self, load: Load) -> float:
        """The remaining items by falling value per weight, the last one in part."""
        knapsack, decided, total, weight = load
        room, bound = self.capacities[knapsack] - weight, float(total)
        for value, heavy in self.items[decided:]:
            bound += value * min(1.0, room / heavy)
            room -= min(room, heavy)
        return bound

    def steps(self) -> Iterator[None]:
        """Solve; whoever iterates may stop after any step."""
        while self.waiting:
            root = (self.waiting[0], 0, 0, 0)
            self.tree.push(root, self.bound(root))
            yield
            self.waiting.pop(0)
            if self.depth_first:
                yield from self._examined()
            yield
        yield from self._examined()

    def _examined(self) -> Iterator[None]:
        taken = 0
        while (node := self.tree.take()) is not None:
            yield
            knapsack, decided, total, weight = node
            taken += 1
            self.best = max(self.best, float(total))
            yield
            if taken > self.patience:
                self.tree.close(self.bound(node))  # left open for good
            elif decided < len(self.items):
                value, heavy = self.items[decided]
                parts = [(knapsack, decided + 1, total, weight)]
                if weight + heavy <= self.capacities[knapsack]:
                    parts.append((knapsack, decided + 1, total + value, weight + heavy))
                for part in parts:
                    bound = self.bound(part)
                    if bound > self.tree.threshold or not self.closes_at_threshold:
                        self.tree.push(part, bound)
                    yield


def toy(seed: int, **asked: float) -> Knapsacks:
    """Some random items, and two or three knapsacks."""
    draw = np.random.default_rng(seed)
    items = [(int(v), int(w)) for v, w in draw.integers(1, 30, (8, 2))]
    capacities = [int(c) for c in draw.integers(10, 60, int(draw.integers(2, 4)))]
    return Knapsacks(items, capacities, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("gap", [0.0, 6.0])
@pytest.mark.parametrize("closes_at_threshold", [False, True])
@pytest.mark.parametrize("depth_first", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_true_wherever_the_search_is_stopped(
    seed: int, depth_first: bool, closes_at_threshold: bool, gap: float
) -> None:
    search = toy(seed, depth_first=depth_first, closes_at_threshold=closes_at_threshold, gap=gap)
    optimum = search.optimum
    count = 0
    for _ in search.steps():
        count += 1
        assert search.tree.proved >= optimum - 1e-9
        assert search.best <= optimum
    assert count > 10
    assert search.tree.proved <= search.best + gap + 1e-9
    assert search.tree.take() is None and not len(search.tree)


@pytest.mark.parametrize("depth_first", [False, True])
@pytest.mark.parametrize("patience", [0, 1, 5])
def test_what_is_left_open_for_good_counts(patience: int, depth_first: bool) -> None:
    search = toy(1, depth_first=depth_first, patience=patience, closes_at_threshold=True)
    optimum = search.optimum
    for _ in search.steps():
        assert search.tree.proved >= optimum - 1e-9
    assert search.best < optimum
    search.tree.settle(search.tree.proved)
    assert search.tree.proved >= optimum - 1e-9


def test_what_waits_without_a_bound_leaves_none() -> None:
    tree: Tree[str] = Tree(lambda: 1.0, 0.5, lambda: [math.inf])
    assert tree.proved == math.inf


def test_a_margin_is_taken_off_the_threshold_and_added_to_what_is_proved() -> None:
    """So bounds that rounding made too small by less than the margin prove nothing false."""
    tree: Tree[str] = Tree(lambda: 1.0, 0.5, margin=0.25)
    assert (tree.threshold, tree.proved) == (1.25, 1.25)
    tree.push("closed", 1.25)
    assert (len(tree), tree.proved) == (0, 1.5)


@pytest.mark.parametrize(
    ("depth_first", "order"),
    [(False, ["high", "first", "second"]), (True, ["high", "second", "first"])],
)
def test_nodes_are_taken_in_an_order_that_ties_do_not_change(
    depth_first: bool, order: list[str]
) -> None:
    tree: Tree[str] = Tree(lambda: 0.0, 1.0, depth_first=depth_first)
    for node, bound in (("first", 2.0), ("second", 2.0), ("closed", 1.0), ("high", 3.0)):
        tree.push(node, bound)
    assert tree.highest == 3.0
    assert list(iter(tree.take, None)) == order
    assert tree.closed == 1.0


def test_a_better_incumbent_closes_what_is_open() -> None:
    value = [0.0]
    tree: Tree[str] = Tree(lambda: value[0], 0.1)
    tree.push("low", 1.0)
    tree.push("high", 2.0)
    assert tree.take() == "high" and tree.in_hand == 2.0
    value[0] = 0.95
    assert tree.take() is None
    assert (tree.in_hand, tree.closed, tree.proved) == (-math.inf, 1.0, 1.0)


def test_progress_holds_what_is_known() -> None:
    told: list[Progress] = []
    clock = Clock(None, told.append)
    tree: Tree[str] = Tree(lambda: -math.inf, 0.1, lambda: [math.inf])
    tree.report(clock, "search")
    tree = Tree(lambda: 1.0, 0.1)
    tree.push("open", 2.0)
    tree.report(clock, "search")
    assert [(p.incumbent, p.bound) for p in told] == [(None, None), (1.0, 2.0)]
