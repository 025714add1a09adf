"""What a lesion answers to prices, whatever its course is: the oracle of the Lagrangian bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.schedule import Fraction
from abscopt.optimizer.search.free.days.cost_to_go import CostToGo
from abscopt.optimizer.search.free.days.courses import Courses
from abscopt.optimizer.search.free.days.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.search.free.days.cost_to_go import Prices
    from abscopt.optimizer.search.free.days.dominance import Precision
    from abscopt.optimizer.search.free.days.exchanges import Better


@dataclass(frozen=True)
class OracleBound:
    """A lesion at some prices: no course of the span is worth more than `bound`.

    `by_count` bounds those of 0, 1, ... fractions, `cost_to_go` is that of a free course; `fine`
    says which stages it used.
    """

    prices: Prices
    span: Span
    bound: float
    by_count: FloatArray
    fine: bool
    cost_to_go: CostToGo | None

    def with_rows(self, number: int) -> OracleBound:
        """The same with so many rows more, without a price."""
        load = np.append(self.prices.load, np.zeros(number))
        prices, to_go = replace(self.prices, load=load), self.cost_to_go
        return replace(
            self, prices=prices, cost_to_go=None if to_go is None else replace(to_go, prices=prices)
        )


class LesionOracle(Protocol):
    """One lesion that is irradiated."""

    lesion: int

    @property
    def most_effect(self) -> FloatArray:
        """(H,) no course has more effect of its own."""
        ...

    @property
    def least_kept(self) -> float:
        """What a course leaves of the others' effect at least."""
        ...

    @property
    def full_span(self) -> Span:
        """The span of all its courses."""
        ...

    def kill_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """(H,) least and most kill of the courses of a span."""
        ...

    def growth_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """(H,) least and most growth beside the kill, likewise."""
        ...

    @property
    def nothing(self) -> IntArray:
        """(1, T) the empty course."""
        ...

    @property
    def days(self) -> IntArray:
        """Days on which it may have a fraction."""
        ...

    def of(self, actions: IntArray) -> tuple[Courses, BoolArray]:
        """What courses do, and which keep the limits by themselves."""
        ...

    @property
    def doses(self) -> FloatArray:
        """(A,) its doses, none first."""
        ...

    def levels(self, actions: IntArray) -> IntArray:
        """(n, days of the case) place of each day's dose among the doses."""
        ...

    def set_shared_rows(self, further: Sequence[FloatArray], rhs: FloatArray) -> None:
        """Further loads (days, A) of the doses of each day, instead of those before.

        `rhs` (M,) is that of all loads.
        """
        ...

    def maximize(self, prices: Prices, span: Span, fine: bool) -> OracleBound:
        """Bound of a span at prices."""
        ...

    def maximizer(self, oracle_bound: OracleBound) -> Courses:
        """The course that the bound is the worth of, with what the bound counts it for."""
        ...

    def courses_above(
        self,
        oracle_bound: OracleBound,
        threshold: float,
        precision: Precision,
        stop: Callable[[], bool],
    ) -> tuple[Courses, float] | None:
        """Courses that stand for all of the span worth more than a threshold; see `explored`."""
        ...

    def one_change(self, course: IntArray) -> IntArray:
        """(n, T) courses that differ little from one."""
        ...

    def two_changes(self, course: IntArray, rhs: FloatArray, better: Better) -> Courses:
        """Courses that differ more and keep loads <= rhs (M,), those that are `better`."""
        ...

    def count(self, actions: IntArray) -> IntArray:
        """(n,) fractions."""
        ...

    def fractions(self, course: IntArray) -> list[Fraction]:
        """The fractions of a course."""
        ...
