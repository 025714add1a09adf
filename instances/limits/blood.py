"""Limits on what the blood suffers: lymphocyte count, dose to circulating immune cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from abscopt.instances.limits.limit import Limit, Problem
from abscopt.instances.tables.fields import CapGy

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


class AlcLimit(Limit):
    """Absolute lymphocyte count on every fraction day: `ALC >= floor_1e9_per_l`."""

    kind: Literal["alc"] = Field(description="kind of limit")
    floor_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = Field(
        description="least count on every fraction day"
    )

    @property
    def words(self) -> str:
        """`lymphocytes >= 0.5 x 1e9/L`."""
        return f"lymphocytes >= {self.floor_1e9_per_l:g} x 1e9/L"

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """A floor that is not below the count before treatment."""
        if self.floor_1e9_per_l >= instance.lymphocytes.initial_1e9_per_l:
            yield (
                f"{place}.floor_1e9_per_l",
                self.floor_1e9_per_l,
                "contradiction: the count before treatment is already at or below the floor",
            )

    def from_below(self, value: float | None) -> bool:
        """Always."""
        return True


class EdricLimit(Limit):
    """Estimated dose to circulating immune cells (EDRIC): `<= cap_gy`."""

    kind: Literal["edric"] = Field(description="kind of limit")
    cap_gy: CapGy = Field(description="greatest estimated dose to circulating immune cells")

    @property
    def words(self) -> str:
        """`EDRIC <= 5 Gy`."""
        return f"EDRIC <= {self.cap_gy:g} Gy"

    @property
    def counted_points(self) -> tuple[tuple[str, str], ...]:
        """Mean doses of lungs and heart."""
        return (("lungs", "mean"), ("heart", "mean"))

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """Lesions of which only some techniques have an integral dose."""
        for lesion in instance.lesions:
            ways = [lesion.integral_dose_cm3, *(w.integral_dose_cm3 for w in lesion.ways)]
            if lesion.irradiable and ways[0] is None and None in ways[1:]:
                yield (
                    f"lesions.{lesion.name}.integral_dose_cm3",
                    None,
                    "an edric limit needs the integral dose of every irradiable lesion",
                )


AnyBloodLimit = AlcLimit | EdricLimit
