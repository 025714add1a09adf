"""Lesions that one treatment plan serves: one isocenter, one course, one histogram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.limits.limit import Limit, Problem
from abscopt.instances.tables.fields import Name, consistent

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


class OnePlanLimit(Limit):
    """All of its lesions are irradiated on the same days, in a fixed ratio of doses, or none is.

    The plan's dose to organs is stated once, as sparing factors of one of the lesions per Gy
    prescribed to that one; 0 or nothing for the others.
    """

    kind: Literal["one_plan"] = Field(description="kind of limit")
    lesions: Annotated[tuple[Name, ...], Field(min_length=2, max_length=40)] = Field(
        description="that the plan serves"
    )
    dose_ratios: tuple[Annotated[float, Field(gt=0.05, lt=20)], ...] | None = Field(
        default=None,
        description="doses per fraction of the lesions relative to each other; equal if absent",
    )

    @consistent
    def _hard(self) -> Self:
        if self.penalty is not None:
            raise ValueError("a plan is kept or not: no penalty")
        if len(set(self.lesions)) < len(self.lesions):
            raise ValueError("a lesion is listed twice")
        if self.dose_ratios is not None and len(self.dose_ratios) != len(self.lesions):
            raise ValueError("dose_ratios must have one number for each lesion")
        return self

    @property
    def ratios(self) -> tuple[float, ...]:
        """Dose ratio of each lesion."""
        return self.dose_ratios or (1.0,) * len(self.lesions)

    @property
    def counts_alone(self) -> bool:
        """Of one lesion alone it says nothing."""
        return False

    @property
    def matched(self) -> tuple[str, ...]:
        """All of its lesions."""
        return self.lesions

    @property
    def words(self) -> str:
        """`one plan: a, b`."""
        return f"one plan: {', '.join(self.lesions)}"

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """Lesions that there are not, that may not be irradiated, or in several ways."""
        known = {lesion.name: lesion for lesion in instance.lesions}
        for i, name in enumerate(self.lesions):
            where, lesion = f"{place}.lesions[{i}]", known.get(name)
            if lesion is None:
                yield where, name, "unknown lesion"
            elif lesion.course is None:
                yield where, name, "may not be irradiated"
            elif len(lesion.ways) > 1:
                yield where, name, "one plan is one technique: the lesion states several"
            elif lesion.course.form == "free":
                yield where, name, "the lesions of one plan have no free courses"
        stated = [name for name in self.lesions if name in known and known[name].integral_dose_cm3]
        if len(stated) > 1:
            yield place, ", ".join(stated), "the plan's integral dose is stated of one lesion"
        others = [limit for limit in instance.limits if isinstance(limit, OnePlanLimit)]
        shared = {name for limit in others if limit is not self for name in limit.lesions}
        for i, name in enumerate(self.lesions):
            if name in shared:
                yield f"{place}.lesions[{i}]", name, "a lesion belongs to one plan"
