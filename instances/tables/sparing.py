"""What a plan does to an organ per Gy prescribed: factors at points, bins of a histogram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Discriminator, Field, Tag

from abscopt.instances.tables.fields import Day, Table, consistent

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.models.arrays import FloatArray

SECOND_MOMENT = "second_moment"
MOST_BINS = 1000
"""Bins of one histogram: doses up to the greatest factor, 3, by steps of 0.3 %."""
ROUNDED = 1e-3
"""Shares of the bins may add up to 1 with so much lost to rounding; they are used as parts."""


class DailyFactors(Table):
    """Sparing factors that vary from day to day."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = Field(
        description="fraction days that have a factor; every day on offer must be one"
    )
    values: Annotated[tuple[Annotated[float, Field(ge=0, le=3)], ...], Field(min_length=1)] = Field(
        description="sparing factors"
    )

    @consistent
    def _lengths(self) -> Self:
        if len(self.days) != len(self.values):
            raise ValueError("days and values must have the same length")
        if len(set(self.days)) < len(self.days):
            raise ValueError("a day is listed twice")
        return self


def factor_form(value: object) -> str:
    """Whether a factor is a number or one for each day."""
    return "table" if isinstance(value, dict | DailyFactors) else "number"


SparingFactor = Annotated[
    Annotated[float, Field(ge=0, le=3), Tag("number")] | Annotated[DailyFactors, Tag("table")],
    Discriminator(factor_form),
]


def varies_by_day(lesion: Lesion) -> bool:
    """Whether what some organ receives, by the factors of a lesion or its ways, depends on days."""
    tables = (lesion.sparing, *(way.sparing for way in lesion.ways))
    every = (f for sparing in tables for points in sparing.values() for f in points.values())
    return any(isinstance(factor, DailyFactors) for factor in every)


class Histogram(Table):
    """Differential dose-volume histogram of an organ: what each part of it receives.

    Doses are per Gy prescribed, so that a fraction of d Gy gives the part of bin i `doses_i d` Gy.
    """

    doses: Annotated[
        tuple[Annotated[float, Field(ge=0, le=3)], ...],
        Field(min_length=1, max_length=MOST_BINS),
    ] = Field(description="mean dose in each bin per Gy prescribed, rising")
    shares: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...],
        Field(min_length=1, max_length=MOST_BINS),
    ] = Field(description="part of the organ in each bin; they add up to 1")
    volume_cm3: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        default=None, description="volume of the organ, for points such as `d2cm3`"
    )
    source: str = Field(description="where it comes from, such as SHA-256 of a file")

    @consistent
    def _bins(self) -> Self:
        if len(self.doses) != len(self.shares):
            raise ValueError("doses and shares must have the same length")
        if any(high <= low for low, high in zip(self.doses, self.doses[1:], strict=False)):
            raise ValueError("doses must rise from bin to bin")
        if abs(sum(self.shares) - 1.0) > ROUNDED:
            raise ValueError(f"the shares add up to {sum(self.shares):.6g}, not 1")
        return self

    @property
    def parts(self) -> tuple[FloatArray, FloatArray]:
        """Doses per Gy prescribed and shares that add up to 1, (bins,) each."""
        shares = np.array(self.shares, dtype=np.float64)
        return np.array(self.doses, dtype=np.float64), shares / shares.sum()

    @property
    def mean(self) -> float:
        """Mean dose of the organ per Gy prescribed."""
        doses, shares = self.parts
        return float(doses @ shares)


def check_sparing(place: str, sparing: Mapping[str, Mapping[str, SparingFactor]]) -> None:
    """Raises ValueError for second moments that contradict means."""
    for organ, points in sparing.items():
        if SECOND_MOMENT in points and "mean" not in points:
            raise ValueError(f"{place}.{organ}.second_moment needs {place}.{organ}.mean")
        mean, square = points.get("mean"), points.get(SECOND_MOMENT)
        if isinstance(mean, float) and isinstance(square, float) and square < mean**2 * 0.999:
            raise ValueError(f"{place}.{organ}.second_moment is below the square of the mean")
