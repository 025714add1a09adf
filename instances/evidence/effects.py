"""The published effect of one arm against another: estimate, 95 % interval, kind.

Effects are compared on one scale, the logarithm of the published ratio with the sign turned so that
more is better for the arm named first: minus the log of a hazard ratio, the log of an odds ratio.
An interval that is symmetric there has the standard error

    se = ln(high / low) / (2 * 1.96);

four counts without a published interval give the log odds ratio with Woolf's standard error and a
half added to every cell (Haldane 1956, Ann Hum Genet 20:309):

    ln OR = ln(a d / (b c)),    se = sqrt(1/a + 1/b + 1/c + 1/d).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from abscopt.instances.tables.fields import Name, Table

Kind = Literal["hazard_ratio", "odds_ratio", "ratio", "difference"]

QUANTILE = 1.959963984540054
"""Standard normal quantile of 97.5 %."""


class Counts(NamedTuple):
    """Patients with the good outcome, and all, in the arm and in the one it is compared with."""

    good: Annotated[int, Field(ge=0)]
    patients: Annotated[int, Field(ge=1)]
    good_against: Annotated[int, Field(ge=0)]
    patients_against: Annotated[int, Field(ge=1)]


class Effect(Table):
    """One published comparison as a number with its interval.

    Parameters
    ----------
    of, against
        The two arms of the finding.
    kind
        ``hazard_ratio``: of progression, death or failure; below 1 is better for `of`.
        ``odds_ratio``: of response, control or survival; above 1 is better for `of`.
        ``ratio``: of amounts (counts of cells, times, effects); above 1 is better for `of`.
        ``difference``: in natural logarithms of such amounts; above 0 is better for `of`.
    value, interval
        Estimate and 95 % interval, low end first.
    counts
        For an odds ratio without a published interval, in place of both.
    endpoint
        As the source calls it: PFS, OS, objective response.
    status
        How well the numbers are known; ``derived`` where they were computed from others.
    randomized
        Whether patients (or mice) were assigned to the two arms at random.
    """

    of: Name
    against: Name
    kind: Kind
    value: float | None = None
    interval: tuple[float, float] | None = None
    counts: Counts | None = None
    endpoint: Annotated[str, Field(min_length=1)]
    status: Literal["verified", "derived", "recalled"]
    randomized: bool
    patients: Annotated[int, Field(ge=1)] | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if self.of == self.against:
            raise ValueError("an effect compares two different arms")
        if self.counts is not None:
            if self.kind != "odds_ratio" or self.value is not None or self.interval is not None:
                raise ValueError("counts stand in place of value and interval of an odds ratio")
            a, n, c, m = self.counts
            if a > n or c > m:
                raise ValueError("counts: more good outcomes than patients")
            return self
        if self.value is None or self.interval is None:
            raise ValueError("state value and interval, or counts")
        low, high = self.interval
        if not low <= self.value <= high or low == high:
            raise ValueError("the interval must contain the value and have a width")
        if self.kind != "difference" and low <= 0:
            raise ValueError("a ratio is positive")
        return self

    @property
    def log_value(self) -> float:
        """Estimate as a log ratio; above 0 is better for `of`."""
        if self.counts is not None:
            a, b, c, d = self._cells
            return math.log(a * d / (b * c))
        assert self.value is not None
        return self._turned(self.value)

    @property
    def standard_error(self) -> float:
        """Of `log_value`."""
        if self.counts is not None:
            return math.sqrt(sum(1.0 / cell for cell in self._cells))
        assert self.interval is not None
        low, high = map(self._turned, self.interval)
        return abs(high - low) / (2.0 * QUANTILE)

    @property
    def log_interval(self) -> tuple[float, float]:
        """95 % interval of `log_value`, low end first."""
        if self.counts is not None:
            half = QUANTILE * self.standard_error
            return self.log_value - half, self.log_value + half
        assert self.interval is not None
        low, high = sorted(map(self._turned, self.interval))
        return low, high

    @property
    def _cells(self) -> tuple[float, float, float, float]:
        """Good and other outcomes of both arms, a half added to each."""
        assert self.counts is not None
        a, n, c, m = self.counts
        return a + 0.5, n - a + 0.5, c + 0.5, m - c + 0.5

    def _turned(self, value: float) -> float:
        """A published number on the common scale."""
        if self.kind == "difference":
            return value
        return -math.log(value) if self.kind == "hazard_ratio" else math.log(value)
