"""A course that has begun: what was given until today, what was planned, what may follow."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from abscopt.instances.history.events import FractionEntry, InfusionEntry, MissedDay
from abscopt.instances.tables.doses import Doses, levels_of
from abscopt.instances.tables.fields import Count, Day, Name, Table, consistent

MOST_EVENTS = 2000
MOST_TWICE = 60


class OldPlan(Table):
    """The schedule that was planned, from its first day on."""

    fractions: Annotated[tuple[FractionEntry, ...], Field(max_length=MOST_EVENTS)] = Field(
        default=(), description="planned, those already given among them"
    )
    doses_of_drugs: Annotated[tuple[InfusionEntry, ...], Field(max_length=MOST_EVENTS)] = Field(
        default=(), description="planned, those already given among them"
    )


class Hold(Table):
    """A drug that must not be given for now, or any more."""

    agent: Name = Field(description="agent of the case")
    until_day: Day | None = Field(
        default=None, description="first day on which it may be given again; never if absent"
    )


class Rest(Table):
    """What may follow the fractions that a lesion has received; absent keys as for every lesion.

    n further fractions of one dose, the next on the first open day at least `interval_days` after
    the one before; on some of the days two fractions, if asked for.
    """

    lesion: Name = Field(description="that has received fractions, or missed its start")
    fractions: (
        Annotated[tuple[Annotated[int, Field(ge=0, le=200)], ...], Field(min_length=1)] | None
    ) = Field(
        default=None,
        description="further fractions on the menu; if absent none, what is missing to a number on "
        "the lesion's menu, and up to what the plan has left",
    )
    doses_gy: Doses | None = Field(
        default=None,
        description="doses of further fractions; those of the lesion's menu and the dose given "
        "last if absent",
    )
    interval_days: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)] | None
    ) = Field(default=None, description="least days between treatment days; the menu's if absent")
    start_within_days: Annotated[int, Field(ge=0, le=60)] = Field(
        default=6, description="days by which the next fraction may wait beyond the first open day"
    )
    twice_daily_days: (
        Annotated[tuple[Annotated[int, Field(ge=0, le=MOST_TWICE)], ...], Field(min_length=1)]
        | None
    ) = Field(
        default=None,
        description="numbers of days with two fractions on the menu (the first, the last, or one a "
        "week); up to the number of missed treatment days if absent",
    )
    compensating_fractions: tuple[Count, ...] | None = Field(
        default=None,
        description="how many of the further fractions may have a dose other than the last one "
        "given, the others having that; the number missed if absent",
    )
    weekends: bool = Field(
        default=False, description="may further fractions be on days off other than holidays?"
    )
    stop: bool = Field(
        default=False, description="does the lesion receive nothing more, whatever was planned?"
    )

    @property
    def levels_gy(self) -> tuple[float, ...] | None:
        """Doses of further fractions; None where the lesion's menu says."""
        return None if self.doses_gy is None else levels_of(self.doses_gy)


class Delivered(Table):
    """The past of a patient under treatment: it is kept as it was, and the rest is chosen.

    Everything before `today` is what is listed here; nothing is added to it.
    """

    today: Day | None = Field(
        default=None,
        description="first day that is still to be decided; the day after the last one listed if "
        "absent",
    )
    fractions: Annotated[tuple[FractionEntry, ...], Field(max_length=MOST_EVENTS)] = Field(
        default=(), description="that were given"
    )
    doses_of_drugs: Annotated[tuple[InfusionEntry, ...], Field(max_length=MOST_EVENTS)] = Field(
        default=(), description="that were given"
    )
    missed: Annotated[tuple[MissedDay, ...], Field(max_length=MOST_EVENTS)] = Field(
        default=(),
        description="days on which something planned was not given, beside those that the plan "
        "tells; on a day from today on: will not be given",
    )
    plan: OldPlan | None = Field(
        default=None,
        description="what was planned; the standard regimen if absent and it was followed",
    )
    holds: tuple[Hold, ...] = Field(default=(), description="drugs on hold")
    rest: tuple[Rest, ...] = Field(default=(), description="what may follow, lesion by lesion")

    @consistent
    def _once(self) -> Self:
        for key, names in (
            ("rest", [rest.lesion for rest in self.rest]),
            ("holds", [hold.agent for hold in self.holds]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names one thing twice")
        return self
