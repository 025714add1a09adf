"""Courses known so far of every lesion of a plan: columns of the master."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.search.free.days.courses import Courses, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle
    from abscopt.optimizer.search.free.days.span import Span


class Pool:
    """Columns by lesion, the empty course first: courses with what bounds counted them for."""

    def __init__(self, oracles: Sequence[LesionOracle]):
        self.oracles = oracles
        self.courses = [oracle.of(oracle.nothing)[0] for oracle in oracles]

    def add(self, row: Sequence[Courses]) -> bool:
        """Add courses of each lesion; False if all are known."""
        before = [len(lot) for lot in self.courses]
        for s, offered in enumerate(row):
            all_courses = together([self.courses[s], offered])
            identity = np.concatenate(
                [all_courses.actions, all_courses.effect, all_courses.others_kept[:, None]], axis=1
            )
            first = np.unique(identity, axis=0, return_index=True)[1]
            self.courses[s] = all_courses.take(np.sort(first))
        return before != [len(lot) for lot in self.courses]

    def offer(self, rows: Sequence[Sequence[IntArray]]) -> None:
        """Add rows of a course of each lesion, by their actions."""
        if rows:
            actions_of = [np.array(actions) for actions in zip(*rows, strict=True)]
            self.add(
                [
                    oracle.of(actions)[0]
                    for oracle, actions in zip(self.oracles, actions_of, strict=True)
                ]
            )

    def renewed(self, oracles: Sequence[LesionOracle], *, exact: bool) -> Pool:
        """The same for oracles with other loads; `exact` counts courses for what they do."""
        renewed_pool, row = Pool(oracles), []
        for oracle, lot in zip(oracles, self.courses, strict=True):
            course = oracle.of(lot.actions)[0]
            row.append(course if exact else replace(lot, load=course.load))
        renewed_pool.add(row)
        return renewed_pool

    def restrict(self, spans: Sequence[Span]) -> None:
        """Leave out all but the empty course whose fractions are not those of a span."""
        for s, (oracle, span) in enumerate(zip(self.oracles, spans, strict=True)):
            count = oracle.count(self.courses[s].actions)
            held = (count >= span.count[0]) & (count <= span.count[1])
            held &= span.holds(oracle.levels(self.courses[s].actions) > 0)
            held[0] = True
            self.courses[s] = self.courses[s].take(held)
