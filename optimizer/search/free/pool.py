"""Courses known so far of every lesion of a plan: columns of the master."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.search.free.days.courses import Courses, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.search.free.days.span import Span
    from abscopt.optimizer.search.free.part import Part


class Pool:
    """Columns by part, the empty course first: courses with what bounds counted them for."""

    def __init__(self, parts: Sequence[Part]):
        self.parts = parts
        self.courses = [part.of(part.nothing)[0] for part in parts]

    def add(self, row: Sequence[Courses]) -> bool:
        """Add courses of each part; False if all are known."""
        before = [len(one) for one in self.courses]
        for s, new in enumerate(row):
            every = together([self.courses[s], new])
            told = np.concatenate([every.actions, every.effect, every.kept[:, None]], axis=1)
            first = np.unique(told, axis=0, return_index=True)[1]
            self.courses[s] = every.take(np.sort(first))
        return before != [len(one) for one in self.courses]

    def offer(self, rows: Sequence[Sequence[IntArray]]) -> None:
        """Add rows of a course of each part, by their actions."""
        if rows:
            each = [np.array(own) for own in zip(*rows, strict=True)]
            self.add([part.of(own)[0] for part, own in zip(self.parts, each, strict=True)])

    def renewed(self, parts: Sequence[Part], *, exact: bool) -> Pool:
        """The same for parts with other loads; `exact` counts courses for what they do."""
        found, row = Pool(parts), []
        for part, one in zip(parts, self.courses, strict=True):
            known = part.of(one.actions)[0]
            row.append(known if exact else replace(one, load=known.load))
        found.add(row)
        return found

    def restrict(self, spans: Sequence[Span]) -> None:
        """Leave out all but the empty course whose fractions are not those of a span."""
        for s, (part, span) in enumerate(zip(self.parts, spans, strict=True)):
            count = part.count(self.courses[s].actions)
            good = (count >= span.count[0]) & (count <= span.count[1])
            good &= span.holds(part.levels(self.courses[s].actions) > 0)
            good[0] = True
            self.courses[s] = self.courses[s].take(good)
