"""What may be chosen for one lesion: uniform courses, courses of phases, free ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from abscopt.instances.menus.phases import PhasesCourse
from abscopt.instances.menus.prescriptions import written
from abscopt.instances.tables.doses import Doses, levels_of
from abscopt.instances.tables.fields import Count, Day, Table, consistent
from abscopt.instances.tables.starts import FirstStart, LastStart, StartStep, StartWindow

PRESCRIPTIONS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "description": 'the menu as "50/5", "50 Gy in 5" or "5 x 10 Gy", instead of fractions and '
    "doses_gy",
}
"""Key of files that becomes fractions and doses when they are read."""


class CourseBlock(Table):
    """Further fraction numbers and doses on a uniform menu, with the same start days."""

    fractions: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="numbers of fractions on the menu"
    )
    doses_gy: Doses = Field(description="doses per fraction on the menu")
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = Field(
        default=1, description="fractions on each treatment day"
    )
    interval_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)
    ] = Field(default=(1,), description="least days from a treatment day to the next")

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
        return levels_of(self.doses_gy)


def with_prescriptions(schema: dict[str, Any]) -> None:
    """For the schema of files: prescriptions, and what they or the library say is not required."""
    schema["properties"]["prescriptions"] = PRESCRIPTIONS
    schema.pop("required", None)


class UniformCourse(CourseBlock, StartWindow):
    """n equal fractions from a start day, the next on the first machine day >= +interval.

    With `fractions_per_day` m, m fractions are given on each treatment day,
    `calendar.hours_between_fractions` apart. `also` adds further blocks to the menu. A file may
    state `prescriptions` such as "50/5" instead of fractions and doses.
    """

    model_config = ConfigDict(json_schema_extra=with_prescriptions)

    form: Literal["uniform"] = Field(description="equal fractions in a regular rhythm")
    also: tuple[CourseBlock, ...] = Field(default=(), description="further blocks of the menu")
    first_start_day: FirstStart = 0
    last_start_day: LastStart = 0
    start_step_days: StartStep = 1

    @property
    def blocks(self) -> tuple[CourseBlock, ...]:
        """All blocks of the menu, its own first."""
        return (self, *self.also)

    @property
    def prescriptions(self) -> tuple[str, ...]:
        """The menu as people write it, `50/5`, in its order."""
        return tuple(
            written(count, dose)
            for block in self.blocks
            for count in block.fractions
            for dose in block.levels_gy
        )


class FreeCourse(Table):
    """Any dose of the menu, or none, on each allowed day."""

    form: Literal["free"] = Field(description="any dose on any day")
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=200)] = Field(
        description="on which a fraction may be given"
    )
    doses_gy: Doses = Field(description="doses on the menu, without none")
    max_fractions: Count | None = Field(
        default=None, description="greatest number of fractions; the days' if absent"
    )

    @consistent
    def _days(self) -> Self:
        if any(b <= a for a, b in zip(self.days, self.days[1:], strict=False)):
            raise ValueError("days must increase")
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu, without 'none'."""
        return levels_of(self.doses_gy)


Course = Annotated[UniformCourse | PhasesCourse | FreeCourse, Field(discriminator="form")]
