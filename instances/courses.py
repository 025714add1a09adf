"""What may be chosen for one lesion: dose menus, uniform and free courses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag

from abscopt.instances.fields import Count, Day, FractionDose, Table, consistent


class DoseGrid(Table):
    """Equally spaced doses per fraction."""

    min_gy: FractionDose
    max_gy: FractionDose
    step_gy: FractionDose

    @consistent
    def _order(self) -> Self:
        if self.max_gy < self.min_gy:
            raise ValueError("max_gy must not be below min_gy")
        if (self.max_gy - self.min_gy) / self.step_gy > 2000:
            raise ValueError("at most 2000 dose levels")
        return self


def _doses_form(value: object) -> str:
    return "levels" if isinstance(value, list | tuple) else "grid"


Doses = Annotated[
    Annotated[tuple[FractionDose, ...], Field(min_length=1, max_length=2001), Tag("levels")]
    | Annotated[DoseGrid, Tag("grid")],
    Discriminator(_doses_form),
]


def _levels(doses: tuple[float, ...] | DoseGrid) -> tuple[float, ...]:
    if isinstance(doses, tuple):
        return tuple(sorted(set(doses)))
    count = int((doses.max_gy - doses.min_gy) / doses.step_gy + 1e-9) + 1
    return tuple(round(doses.min_gy + i * doses.step_gy, 9) for i in range(count))


class CourseBlock(Table):
    """Further fraction numbers and doses on a uniform menu, with the same start days."""

    fractions: Annotated[tuple[Count, ...], Field(min_length=1)]
    doses_gy: Doses
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = 1
    interval_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)
    ] = (1,)

    @consistent
    def _whole_days(self) -> Self:
        for count in self.fractions:
            if count % self.fractions_per_day:
                raise ValueError(
                    f"{count} fractions do not fill days of {self.fractions_per_day} each"
                )
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu."""
        return _levels(self.doses_gy)


class UniformCourse(CourseBlock):
    """n equal fractions from a start day, the next on the first machine day >= +interval.

    With `fractions_per_day` m, m fractions are given on each treatment day,
    `calendar.hours_between_fractions` apart. `also` adds further blocks to the menu.
    """

    form: Literal["uniform"]
    also: tuple[CourseBlock, ...] = ()
    first_start_day: Day = 0
    last_start_day: Day = 0
    start_step_days: Annotated[int, Field(ge=1, le=365)] = 1

    @consistent
    def _window(self) -> Self:
        if self.last_start_day < self.first_start_day:
            raise ValueError("last_start_day must not be before first_start_day")
        return self

    @property
    def blocks(self) -> tuple[CourseBlock, ...]:
        """All blocks of the menu, its own first."""
        return (self, *self.also)

    @property
    def start_days(self) -> range:
        """Days on which the course may start, machine days or not."""
        return range(self.first_start_day, self.last_start_day + 1, self.start_step_days)


class FreeCourse(Table):
    """Any dose of the menu, or none, on each allowed day."""

    form: Literal["free"]
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=200)]
    doses_gy: Doses
    max_fractions: Count | None = None

    @consistent
    def _days(self) -> Self:
        if any(b <= a for a, b in zip(self.days, self.days[1:], strict=False)):
            raise ValueError("days must increase")
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu, without 'none'."""
        return _levels(self.doses_gy)


Course = Annotated[UniformCourse | FreeCourse, Field(discriminator="form")]
