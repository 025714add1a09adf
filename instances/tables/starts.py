"""From which day to which, and in which steps, a course or a drug may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from abscopt.instances.tables.fields import Day, Table, consistent

FirstStart = Annotated[Day, Field(description="first day on which the course may start")]
LastStart = Annotated[Day, Field(description="last day on which it may start")]
StartStep = Annotated[int, Field(ge=1, le=365, description="between two start days")]


class StartWindow(Table):
    """Start days of a table with the keys first_start_day, last_start_day and start_step_days.

    The keys stand in the tables themselves, where their order is part of the digest of a case.
    """

    if TYPE_CHECKING:
        first_start_day: int
        last_start_day: int
        start_step_days: int

    @consistent
    def _window(self) -> Self:
        if self.last_start_day < self.first_start_day:
            raise ValueError("last_start_day must not be before first_start_day")
        return self

    @property
    def start_days(self) -> range:
        """Days on which the course or the first dose may be given, open days or not."""
        return range(self.first_start_day, self.last_start_day + 1, self.start_step_days)
