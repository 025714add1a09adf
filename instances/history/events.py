"""Fractions and infusions as files write them: on a day, on a date, or on both."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from abscopt.instances.tables.fields import Day, FractionDose, Name, Positive, Table

if TYPE_CHECKING:
    from abscopt.instances.tables.calendar import Calendar


class Dated(Table):
    """What happens on a day, given as `day`, as `date` or as both."""

    day: Day | None = Field(default=None, description="counted from day 0")
    date: datetime.date | None = Field(default=None, description="in place of the day, or with it")

    @model_validator(mode="after")
    def _when(self) -> Self:
        if self.day is None and self.date is None:
            raise ValueError("needs a day (counted from day 0) or a date")
        return self

    def on(self, calendar: Calendar) -> int:
        """Day from day 0; negative for a date before it."""
        if self.day is not None:
            return self.day
        assert self.date is not None  # `_when`
        return (self.date - calendar.start_date).days


class FractionEntry(Dated):
    """A fraction of one lesion."""

    lesion: Name = Field(description="irradiated")
    dose_gy: FractionDose = Field(description="of the fraction")
    fraction_of_day: Annotated[int, Field(ge=1, le=3)] = Field(
        default=1, description="its position among the lesion's fractions of the day"
    )
    technique: Name | None = Field(default=None, description="of a lesion that offers several")


class InfusionEntry(Dated):
    """A dose of one drug."""

    agent: Name = Field(description="the drug")
    dose_mg: Positive = Field(description="dose")


class MissedDay(Dated):
    """A day on which something planned was not given."""

    what: Name = Field(description="lesion or drug")
