"""Toxicity and logistics limits: one class per kind, `load <= cap` (or `>= floor`) each."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from abscopt.instances.fields import AlphaBeta, CapGy, Count, LibraryTable, Name, Positive
from abscopt.models.toxicity import check_tolerance_table


class Limit(LibraryTable):
    """What every limit has: a name unique in its case, and a source."""

    name: Name


class BedLimit(Limit):
    """BED at one evaluation point: `sum_t D_t (1 + D_t / alpha_beta) <= cap_gy`."""

    kind: Literal["bed"]
    organ: Name
    point: Name = "max"
    alpha_beta_gy: AlphaBeta
    cap_gy: CapGy


class MeanLimit(Limit):
    """Physical mean dose of an organ: `sum_t D_t <= cap_gy`."""

    kind: Literal["mean"]
    organ: Name
    cap_gy: CapGy


class MeanEqd2Limit(Limit):
    """Mean of the voxels' EQD2; needs the second moment mean(delta^2) of every lesion."""

    kind: Literal["mean_eqd2"]
    organ: Name
    alpha_beta_gy: AlphaBeta
    cap_gy: CapGy


class DoseByFractionsLimit(Limit):
    """A published table limit(n); unequal fractions by the Miner sum of `models.toxicity`."""

    kind: Literal["dose_by_fractions"]
    organ: Name
    point: Name = "max"
    fractions: Annotated[tuple[Count, ...], Field(min_length=1)]
    limits_gy: Annotated[tuple[CapGy, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if len(self.fractions) != len(self.limits_gy):
            raise ValueError("fractions and limits_gy must have the same length")
        check_tolerance_table(self.fractions, self.limits_gy)
        for i, (low, high) in enumerate(itertools.pairwise(self.limits_gy)):
            if high < low:
                n = self.fractions[i + 1]
                raise ValueError(
                    f"limit({n}) = {high:g} Gy is below {low:g} Gy for fewer fractions"
                )
        return self


class AlcLimit(Limit):
    """Absolute lymphocyte count on every fraction day: `ALC >= floor_1e9_per_l`."""

    kind: Literal["alc"]
    floor_1e9_per_l: Annotated[float, Field(gt=0, le=20)]


class EdricLimit(Limit):
    """Estimated dose to circulating immune cells (EDRIC): `<= cap_gy`."""

    kind: Literal["edric"]
    cap_gy: CapGy


class DrugLimit(Limit):
    """Cumulative dose, dose per body surface, or number of doses of one drug."""

    kind: Literal["drug"]
    drug: Name
    quantity: Literal["dose_mg", "dose_mg_per_m2", "doses"]
    cap: Positive


class LogisticsLimit(Limit):
    """Numbers of lesions treated, visits, lesions on one day, or days from first to last."""

    kind: Literal["logistics"]
    quantity: Literal["lesions", "visits", "lesions_per_day", "overall_days"]
    cap: Annotated[int, Field(ge=0, le=10_000)] | None = None
    floor: Annotated[int, Field(ge=0, le=10_000)] | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if self.cap is None and self.floor is None:
            raise ValueError("give cap, floor or both")
        if self.floor is not None and self.quantity != "lesions":
            raise ValueError("floor is defined for quantity 'lesions' only")
        if self.cap is not None and self.floor is not None and self.floor > self.cap:
            raise ValueError("floor must not exceed cap")
        return self


AnyLimit = Annotated[
    BedLimit
    | MeanLimit
    | MeanEqd2Limit
    | DoseByFractionsLimit
    | AlcLimit
    | EdricLimit
    | DrugLimit
    | LogisticsLimit,
    Field(discriminator="kind"),
]
OrganLimit = BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit
