"""Doses per fraction on a menu: a list, or a grid."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Discriminator, Field, Tag

from abscopt.instances.tables.fields import FractionDose, Table, consistent


class DoseGrid(Table):
    """Equally spaced doses per fraction."""

    min_gy: FractionDose = Field(description="least dose")
    max_gy: FractionDose = Field(description="greatest dose")
    step_gy: FractionDose = Field(description="between two doses")

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


def levels_of(doses: tuple[float, ...] | DoseGrid) -> tuple[float, ...]:
    """Doses in Gy in their order, each once."""
    if isinstance(doses, tuple):
        return tuple(sorted(set(doses)))
    count = int((doses.max_gy - doses.min_gy) / doses.step_gy + 1e-9) + 1
    return tuple(round(doses.min_gy + i * doses.step_gy, 9) for i in range(count))
