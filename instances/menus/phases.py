"""Courses of several phases: a boost, a second technique, clusters of fractions, a planned gap."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.tables.doses import Doses, levels_of
from abscopt.instances.tables.fields import Count, Name, Table, Weekdays, consistent
from abscopt.instances.tables.starts import FirstStart, LastStart, StartStep, StartWindow

Gaps = Annotated[tuple[Annotated[int, Field(ge=1, le=400)], ...], Field(min_length=1)]
MOST_PHASES = 8


class Phase(Table):
    """n equal fractions in a regular rhythm and one technique, or clusters of them.

    It begins on the first open day at least `gap_days` after the last fraction before it; open
    days are machine days, of `weekdays` where these are stated. With `times` above 1 the same n
    fractions are given again, each time from the first open day at least `every_days` after the
    first one of the time before.
    """

    fractions: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="numbers of fractions on the menu, of one time"
    )
    doses_gy: Doses = Field(description="doses per fraction on the menu")
    technique: Name | None = Field(
        default=None, description="of the lesion's techniques; each of them if absent"
    )
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = Field(
        default=1, description="fractions on each treatment day"
    )
    interval_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)
    ] = Field(default=(1,), description="least days from a treatment day to the next")
    weekdays: Weekdays | None = Field(
        default=None, description="of its treatment days (0 = Monday); all machine days if absent"
    )
    gap_days: Gaps = Field(
        default=(1,), description="least days from the last fraction of the phase before"
    )
    times: Annotated[tuple[Annotated[int, Field(ge=1, le=26)], ...], Field(min_length=1)] = Field(
        default=(1,), description="how many times the fractions are given"
    )
    every_days: Gaps | None = Field(
        default=None, description="least days from the first fraction of a time to that of the next"
    )
    optional: bool = Field(default=False, description="may it be left out?")

    @consistent
    def _rhythm(self) -> Self:
        for count in self.fractions:
            if count % self.fractions_per_day:
                raise ValueError(
                    f"{count} fractions do not fill days of {self.fractions_per_day} each"
                )
        if max(self.times) > 1 and self.every_days is None:
            raise ValueError("times above 1 need every_days, from one time to the next")
        if max(self.times) == 1 and self.every_days is not None:
            raise ValueError("every_days needs times above 1")
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu."""
        return levels_of(self.doses_gy)

    def timings(self, first: bool) -> int:
        """Numbers, intervals, gaps and repeats on the menu: at most so many timings."""
        repeats = sum(1 if n == 1 else len(set(self.every_days or ())) for n in set(self.times))
        gaps = 1 if first else len(set(self.gap_days))
        return len(set(self.fractions)) * len(set(self.interval_days)) * gaps * repeats


class PhaseList(Table):
    """Phases in their order."""

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=MOST_PHASES)] = Field(
        description="in their order"
    )

    @consistent
    def _order(self) -> Self:
        if "gap_days" in self.phases[0].model_fields_set:
            raise ValueError("the first phase has no gap_days: it begins on a start day")
        return self

    def size(self, ways: int) -> tuple[int, int]:
        """At most so many courses from one start day, and so many timings of them.

        Parameters
        ----------
        ways : techniques of the lesion, on the menu of a phase that names none
        """
        courses = timings = 1
        for i, phase in enumerate(self.phases):
            number = phase.timings(i == 0) * (ways if phase.technique is None else 1)
            courses *= number * len(phase.levels_gy) + phase.optional
            timings *= number + phase.optional
        return courses, timings


class PhasesCourse(PhaseList, StartWindow):
    """Phases one after another from a start day, each with what its menu offers.

    A uniform course is one phase. `also` adds other lists of phases to the menu.
    """

    form: Literal["phases"] = Field(description="one or several phases, one after another")
    also: tuple[PhaseList, ...] = Field(default=(), description="further lists of phases")
    first_start_day: FirstStart = 0
    last_start_day: LastStart = 0
    start_step_days: StartStep = 1

    @property
    def lists(self) -> tuple[PhaseList, ...]:
        """All lists of phases on the menu, its own first."""
        return (self, *self.also)

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction of any phase, each once."""
        phases = (phase for phases in self.lists for phase in phases.phases)
        return tuple(sorted({dose for phase in phases for dose in phase.levels_gy}))

    def sizes(self, ways: int) -> tuple[int, int]:
        """At most so many courses, and so many timings, from all start days."""
        sizes = [phases.size(ways) for phases in self.lists]
        courses, timings = (math.fsum(column) for column in zip(*sizes, strict=True))
        return len(self.start_days) * int(courses), len(self.start_days) * int(timings)
