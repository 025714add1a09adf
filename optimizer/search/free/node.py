"""Nodes of the tree, and the plans that they belong to, with their rows of shared days."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import IntArray
    from abscopt.optimizer.search.free.bounds.cuts import SharedDayRow, SharedDays
    from abscopt.optimizer.search.free.bounds.multipliers import NodeBound
    from abscopt.optimizer.search.free.bounds.objective import NodeDomain
    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle
    from abscopt.optimizer.search.free.problem import PlanProblem
    from abscopt.optimizer.search.free.schedules import Schedules


@dataclass
class Planned:
    """One plan with what is computed once for it.

    `known` are rows of courses that keep the limits, `begun` those that were improved.
    """

    problem: PlanProblem
    oracles: tuple[LesionOracle, ...]
    domain: NodeDomain
    schedules: Schedules
    shared: SharedDays
    shared_rows: tuple[SharedDayRow, ...] = ()
    known: list[Sequence[IntArray]] = field(default_factory=list)
    begun: set[bytes] = field(default_factory=set)

    def set_shared_rows(self, shared_rows: tuple[SharedDayRow, ...]) -> None:
        """Rows of shared days instead of those before."""
        self.shared_rows = shared_rows
        rhs = np.append(self.shared.rhs, [row.rhs for row in shared_rows])
        self.problem = replace(self.problem, rhs=rhs)
        for s, oracle in enumerate(self.oracles):
            oracle.set_shared_rows([row.load[s] for row in shared_rows], rhs)
        self.domain = self.domain.under(self.problem)
        self.schedules.problem = self.problem

    def current(self, node: Node) -> Node:
        """A node with all rows; those that came after it have no price."""
        new = len(self.problem.rhs) - len(node.domain.problem.rhs)
        if not new:
            return node
        lagrangian = node.lagrangian
        oracle_bounds = tuple(
            oracle_bound.with_rows(new) for oracle_bound in lagrangian.oracle_bounds
        )
        tried = tuple(trial.with_rows(new) for trial in lagrangian.tried)
        domain = node.domain.under(self.problem)
        lagrangian = replace(
            lagrangian,
            multipliers=lagrangian.multipliers.with_rows(new),
            oracle_bounds=oracle_bounds,
            tried=tried,
        )
        return Node(node.plan, domain, lagrangian, node.bound)


@dataclass(frozen=True)
class Node:
    """Schedules of one plan in the spans and the cell of `domain`; none is above `bound`."""

    plan: PlanId
    domain: NodeDomain
    lagrangian: NodeBound
    bound: float
