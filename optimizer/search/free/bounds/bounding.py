"""Bounds of nodes: prices from a master, rows of shared days, ranges that are tightened by them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.multipliers import lagrangian_bound
from abscopt.optimizer.search.free.bounds.pool import Pool
from abscopt.optimizer.search.free.bounds.ranges import bounds_of, narrower, tightened
from abscopt.optimizer.search.free.node import Node

if TYPE_CHECKING:
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.free.bounds.multipliers import NodeBound
    from abscopt.optimizer.search.free.bounds.objective import Multipliers, NodeDomain
    from abscopt.optimizer.search.free.plans import Plans
    from abscopt.optimizer.search.tree import Tree

PRICED = 1e-6
"""Duals at or below it are rounding of the solver, whose tolerance is 1e-7."""


class Bounding:
    """Bounds nodes of one tree, as closely as its threshold asks for."""

    def __init__(self, plans: Plans, tree: Tree[Node], clock: Clock):
        self.plans, self.tree, self.clock = plans, tree, clock

    def stop(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def rough(self, plan: PlanId, before: Node | None) -> Node | None:
        """A first bound of a plan, with the prices and courses of the one before to begin with.

        None where the plan breaks a limit by itself.
        """
        planned = self.plans.of(plan)
        problem, domain = planned.problem, planned.domain
        if (problem.rhs < 0).any() or problem.alc_allowance < 0:
            return None
        first, pool = None, Pool(planned.oracles)
        if before is not None:
            first = before.lagrangian.multipliers
            if len(first.load) != len(problem.rhs):  # rows of shared days come later
                first = None
            pool = before.lagrangian.pool.renewed(planned.oracles, exact=True)
        lagrangian = lagrangian_bound(
            domain, planned.oracles, pool, self.stop, self.tree.threshold,
            settings.CURRENT.rough_rounds, first, fine=False,
        )  # fmt: skip
        return Node(plan, domain, lagrangian, lagrangian.bound)

    def with_rows(self, node: Node, rounds: int, *, afresh: bool = False) -> Node:
        """Bound a node with rows for shared days, as long as what is mixed breaks them.

        `afresh` drops rows that have no price; no other node of the plan may be kept then.
        """
        planned = self.plans.of(node.plan)
        for _ in range(rounds):
            before = node.bound
            if before <= self.tree.threshold or self.clock.expired:
                break
            violated = planned.shared.violated(
                node.lagrangian.pool, node.lagrangian.mixture.weights
            )
            if (
                not violated
                or len(planned.shared_rows) + len(violated) > settings.CURRENT.most_rows
            ):
                break
            if afresh:
                organ_rows, load = len(planned.shared.rhs), node.lagrangian.multipliers.load
                used = np.flatnonzero(load[organ_rows:] > PRICED)
                load = np.concatenate(
                    [load[:organ_rows], load[organ_rows + used], np.zeros(len(violated))]
                )
                planned.set_shared_rows((*(planned.shared_rows[i] for i in used), *violated))
                first = replace(node.lagrangian.multipliers, load=load)
                domain = node.domain.under(planned.problem)
                lagrangian = self._prices(node.plan, domain, node.lagrangian, first, afresh=True)
                node = Node(node.plan, domain, lagrangian, min(node.bound, lagrangian.bound))
            else:
                planned.set_shared_rows((*planned.shared_rows, *violated))
                node = planned.current(node)
                node = self.priced(node.plan, node.domain, node)
            if before - node.bound < settings.CURRENT.rows_gain * (before - self.tree.threshold):
                break
        return node

    def priced(self, plan: PlanId, domain: NodeDomain, parent: Node) -> Node:
        """A node within another: its ranges are tightened and priced as long as that tells."""
        lagrangian, bound = parent.lagrangian, parent.bound
        for _ in range(settings.CURRENT.tightened):
            before = domain
            tight, closed = tightened(domain, lagrangian.tried, self.tree.threshold)
            self.tree.close(closed)
            if tight is None:
                return Node(plan, domain, lagrangian, closed)
            domain = tight
            if lagrangian is not parent.lagrangian and not narrower(domain, before):
                break
            bounds = bounds_of(domain, lagrangian.tried)
            best = int(bounds.argmin())
            bound = min(bound, float(bounds[best]))
            first = lagrangian.tried[best].multipliers
            lagrangian = self._prices(plan, domain, lagrangian, first)
            bound = min(bound, lagrangian.bound)
            if bound <= self.tree.threshold or self.clock.expired:
                break
        return Node(plan, domain, lagrangian, bound)

    def _prices(
        self,
        plan: PlanId,
        domain: NodeDomain,
        parent: NodeBound,
        first: Multipliers,
        *,
        afresh: bool = False,
    ) -> NodeBound:
        """Fine prices of a node within another, with its courses."""
        planned = self.plans.of(plan)
        exact = not all(oracle_bound.fine for oracle_bound in parent.oracle_bounds)
        pool = parent.pool.renewed(planned.oracles, exact=exact)
        pool.offer(planned.known)
        pool.restrict(domain.spans)
        before = () if afresh else parent.tried
        return lagrangian_bound(
            domain, planned.oracles, pool, self.stop, self.tree.threshold, first=first,
            before=before,
        )  # fmt: skip
