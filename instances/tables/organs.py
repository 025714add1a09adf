"""Organs at risk: radiobiology, doses given before, sparing that varies from day to day."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from abscopt.instances.tables.fields import (
    AlphaBeta,
    Count,
    FractionDose,
    LibraryTable,
    Name,
    NonNegative,
    Positive,
    Table,
)


class CrossMoment(Table):
    """mean(delta_s * delta_s') of two lesions in one organ; else the safe geometric mean."""

    organ: Name = Field(description="that both lesions' doses reach")
    lesions: tuple[Name, Name] = Field(description="the two lesions")
    value: NonNegative = Field(description="mean of the product of their sparing factors")


class Organ(LibraryTable):
    """A tissue at risk; alpha/beta may come from a library tissue named in `use`."""

    alpha_beta_gy: AlphaBeta = Field(description="ratio of linear and quadratic coefficient")
    sensitizer_enhancement_ratio: Annotated[float, Field(ge=1, le=3)] = Field(
        default=1.0, description="of its dose on days on which a drug sensitizes"
    )
    repair_half_time_hours: Positive | None = Field(
        default=None, description="of sublethal damage; complete repair between fractions if absent"
    )


class PriorDose(Table):
    """Dose that a point of an organ has received before: equal fractions, once a day.

    `recovered` is the part of its load that no longer counts. For mean_eqd2 limits the point is
    'mean' and `second_moment_gy2` = mean(D^2) per fraction is needed.
    """

    organ: Name = Field(description="that received it")
    point: Name = Field(description="of the organ")
    fractions: Count = Field(description="number of fractions")
    dose_gy: FractionDose = Field(description="dose of each fraction at the point")
    second_moment_gy2: NonNegative | None = Field(
        default=None, description="mean square of the dose of each fraction, for point 'mean'"
    )
    recovered: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="part of its load that no longer counts"
    )
    source: str = Field(description="where it is documented")
