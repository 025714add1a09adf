"""Organs at risk: radiobiology, doses given before, sparing that varies from day to day."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from abscopt.instances.fields import (
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

    organ: Name
    lesions: tuple[Name, Name]
    value: NonNegative


class Organ(LibraryTable):
    """A tissue at risk; alpha/beta may come from a library tissue named in `use`."""

    alpha_beta_gy: AlphaBeta
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

    organ: Name
    point: Name
    fractions: Count
    dose_gy: FractionDose
    second_moment_gy2: NonNegative | None = None
    recovered: Annotated[float, Field(ge=0, lt=1)] = 0.0
    source: str
