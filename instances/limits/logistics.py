"""Limits on the calendar, on the number of lesions, and on what waiting costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.limits.limit import Limit, Problem
from abscopt.instances.tables.fields import Day, Positive, consistent

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


WINDOWED = ("visits", "lesions_per_day", "machine_days")


class LogisticsLimit(Limit):
    """Numbers of lesions, visits, machine days, lesions on one day; overall time; gaps.

    `machine_days` counts every lesion's treatment days (a visit for two lesions is two).
    `course_gap_days` is the least number of days from the last fraction of one lesion to the
    first of another, over all pairs of treated lesions; courses that overlap have a negative gap.
    """

    kind: Literal["logistics"] = Field(description="kind of limit")
    quantity: Literal[
        "lesions", "visits", "lesions_per_day", "overall_days", "machine_days", "course_gap_days"
    ] = Field(description="what is counted")
    cap: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        default=None, description="greatest number"
    )
    floor: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        default=None, description="least number"
    )
    first_day: Day | None = Field(default=None, description="count only days from this one on")
    last_day: Day | None = Field(default=None, description="count only days up to this one")

    @consistent
    def _sides(self) -> Self:
        if self.cap is None and self.floor is None:
            raise ValueError("give cap, floor or both")
        if self.floor is not None and self.quantity not in ("lesions", "course_gap_days"):
            raise ValueError("floor is defined for quantities 'lesions' and 'course_gap_days' only")
        if self.quantity == "course_gap_days" and (self.cap is not None or self.floor == 0):
            raise ValueError("'course_gap_days' has a floor of 1 or more and no cap")
        if self.cap is not None and self.floor is not None and self.floor > self.cap:
            raise ValueError("floor must not exceed cap")
        if self.penalty is not None and (self.floor is not None or self.cap == 0):
            raise ValueError("a soft logistics limit has a cap of 1 or more and no floor")
        if (self.first_day, self.last_day) != (None, None) and self.quantity not in WINDOWED:
            raise ValueError(f"first_day and last_day belong to {', '.join(WINDOWED)}")
        if None not in (self.first_day, self.last_day) and self.days(1501) == range(0):
            raise ValueError("last_day must not be before first_day")
        return self

    @property
    def measure(self) -> str:
        """The quantity."""
        return self.quantity

    @property
    def words(self) -> str:
        """`2 <= lesions <= 3`, `visits from day 5 to day 9 <= 3`."""
        floor = "" if self.floor is None else f"{self.floor} <= "
        window = "" if self.first_day is None else f" from day {self.first_day}"
        window += "" if self.last_day is None else f" to day {self.last_day}"
        cap = "" if self.cap is None else f" <= {self.cap}"
        return f"{floor}{self.quantity}{window}{cap}"

    @property
    def least_lesions(self) -> int:
        """The floor of a limit on the number of lesions."""
        return (self.floor or 0) if self.quantity == "lesions" else 0

    @property
    def windowed(self) -> bool:
        """Whether only some days count."""
        return (self.first_day, self.last_day) != (None, None)

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """More lesions asked for than may be irradiated."""
        if self.least_lesions > len(instance.irradiable):
            yield (
                f"{place}.floor",
                self.floor,
                f"contradiction: only {len(instance.irradiable)} lesions may be irradiated",
            )

    def from_below(self, value: float | None) -> bool:
        """Where there is a floor, and no cap or too small a value."""
        if self.floor is None:
            return False
        return self.cap is None or (value is not None and value < self.floor)

    def days(self, horizon: int) -> range:
        """Days on which the quantity is counted."""
        first = 0 if self.first_day is None else self.first_day
        last = horizon - 1 if self.last_day is None else min(self.last_day, horizon - 1)
        return range(first, last + 1) if last >= first else range(0)


class NewSitesLimit(Limit):
    """Expected new sites that lesions of a stated volume seed before their first fraction.

    A lesion that is not irradiated seeds until the last horizon. A soft limit with `penalty = cap`
    costs 1 nat for each expected new site beyond the cap: the log of the probability of none.
    """

    kind: Literal["new_sites"] = Field(description="kind of limit")
    cap: Annotated[float, Field(gt=0, le=100)] = Field(description="greatest expected number")
    rate_per_day: Positive = Field(
        description="new sites per day of an untreated tumor of reference_cm3"
    )
    reference_cm3: Positive = Field(description="volume that the rate is for")
    exponent: Annotated[float, Field(gt=0, le=3)] = Field(
        description="of the volume; 1 is in proportion"
    )

    @property
    def words(self) -> str:
        """`new sites <= 0.1`."""
        return f"new sites <= {self.cap:g}"

    @property
    def counts_alone(self) -> bool:
        """A lesion seeds less where it is irradiated: what one alone breaks, all may keep."""
        return False

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """Free courses, and nothing that seeds."""
        rule = f"limit {self.name} counts days before uniform courses only"
        for i, lesion in enumerate(instance.lesions):
            if lesion.course is not None and lesion.course.form == "free":
                yield f"lesions[{i}].course.form", "free", rule
        if all(lesion.volume_cm3 is None for lesion in instance.lesions):
            yield place, self.name, "no lesion states volume_cm3: nothing seeds"


AnyLogisticsLimit = LogisticsLimit | NewSitesLimit
