"""What is looked at in the middle of a course, and at which values decisions part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.tables.fields import Day, Name, Table, consistent

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

MOST_THRESHOLDS = 4
"""Five classes: more are not told apart by a laboratory, and each is one more decision."""

MOST_VALUE = 1000.0
"""Of a threshold: counts in cells per microliter are a thousand times those that are asked for."""


class StatedObservation(Table):
    """One observation: the plan before its day is common, one continuation holds for each class."""

    quantity: Literal["alc", "effectors", "burden"] = Field(
        description="lymphocytes (1e9/L), effectors (unit of the immune model), or the surviving "
        "part of a lesion's clonogens"
    )
    lesion: Name | None = Field(default=None, description="of `burden`")
    day: Annotated[Day, Field(ge=1)] = Field(description="it is seen on the morning of this day")
    below: Annotated[
        tuple[Annotated[float, Field(gt=0, le=MOST_VALUE)], ...],
        Field(min_length=1, max_length=MOST_THRESHOLDS),
    ] = Field(description="increasing values between which a continuation holds")
    log_error: Annotated[float, Field(ge=0, le=5)] = Field(
        default=0.0, description="standard deviation of the natural log of what is measured"
    )

    @consistent
    def _consistent(self) -> Self:
        if any(b <= a for a, b in zip(self.below, self.below[1:], strict=False)):
            raise ValueError("values of below must increase")
        if (self.quantity == "burden") != (self.lesion is not None):
            raise ValueError("burden, and nothing else, names a lesion")
        return self


def observation_problems(instance: Instance) -> Iterator[tuple[str, object, str]]:
    """Contradictions between an observation and the case: its day and its lesion."""
    observation = instance.observation
    if observation is None:
        return
    if observation.day >= instance.days:
        yield "observation.day", observation.day, f"the day must be from 1 to {instance.days - 1}"
    names = [lesion.name for lesion in instance.lesions]
    if observation.lesion is not None and observation.lesion not in names:
        yield "observation.lesion", observation.lesion, f"unknown lesion; known {names}"
