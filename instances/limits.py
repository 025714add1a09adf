"""Toxicity and logistics limits: one class per kind, `load <= cap` (or `>= floor`) each."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.fields import (
    AlphaBeta,
    CapGy,
    Count,
    Day,
    LibraryTable,
    Name,
    Positive,
    Table,
    consistent,
)
from abscopt.models import ntcp
from abscopt.models.toxicity import check_tolerance_table


class Limit(LibraryTable):
    """What every limit has: a name unique in its case, a source, and perhaps a penalty.

    A limit with a penalty is soft: it may be broken, and costs
    `penalty * max(0, load / cap - 1)` of the objective, in its unit.
    """

    name: Name = Field(description="of the limit")
    penalty: Positive | None = Field(
        default=None, description="soft limit: objective lost per unit of load/cap above 1"
    )


class BedLimit(Limit):
    """BED at one evaluation point: `sum_t D_t (1 + D_t / alpha_beta) <= cap_gy`."""

    kind: Literal["bed"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    point: Name = Field(default="max", description="of the organ, as in `sparing`")
    alpha_beta_gy: AlphaBeta = Field(description="of the organ for this limit")
    cap_gy: CapGy = Field(description="greatest BED")


class MeanLimit(Limit):
    """Physical mean dose of an organ: `sum_t D_t <= cap_gy`."""

    kind: Literal["mean"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    cap_gy: CapGy = Field(description="greatest mean dose")


class MeanEqd2Limit(Limit):
    """Mean of the voxels' EQD2; needs the second moment mean(delta^2) of every lesion."""

    kind: Literal["mean_eqd2"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    alpha_beta_gy: AlphaBeta = Field(description="of the organ for this limit")
    cap_gy: CapGy = Field(description="greatest mean EQD2")


class DoseByFractionsLimit(Limit):
    """A published table limit(n); unequal fractions by the Miner sum of `models.toxicity`."""

    kind: Literal["dose_by_fractions"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    point: Name = Field(default="max", description="of the organ, as in `sparing`")
    fractions: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="tabulated numbers of fractions"
    )
    limits_gy: Annotated[tuple[CapGy, ...], Field(min_length=1)] = Field(
        description="total dose allowed in each number of fractions"
    )

    @consistent
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


class Exposure(Table):
    """A drug class whose doses near a fraction raise the risk, by a risk or an odds ratio.

    A schedule is exposed when some infusion of the class is given from `days_before` days
    before to `days_after` days after some fraction that irradiates the organ.
    """

    drugs: Literal["chemotherapy", "checkpoint_inhibitor"] = Field(description="class of drugs")
    days_before: Annotated[int, Field(ge=0, le=365)] = Field(
        description="an infusion so many days before a fraction counts"
    )
    days_after: Annotated[int, Field(ge=0, le=365)] = Field(
        description="an infusion so many days after a fraction counts"
    )
    risk_ratio: Annotated[float, Field(ge=1, le=100)] = Field(
        default=1.0, description="multiplies the probability where exposed"
    )
    odds_ratio: Annotated[float, Field(ge=1, le=100)] = Field(
        default=1.0, description="multiplies the odds where exposed"
    )


class NtcpLimit(Limit):
    """Complication probability `NTCP(dose) <= cap`, per state of exposure.

    The dose is the physical mean dose (or an equivalent uniform dose, which adds up to at most
    the sum over lesions), or with `dose = "eqd2"` the mean EQD2 of the voxels. `logistic`:
    1/(1 + exp(-(intercept + slope D))); `lkb`: Phi((D - TD50)/(m TD50)).
    """

    kind: Literal["ntcp"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    point: Name = Field(default="mean", description="of the organ, as in `sparing`")
    dose: Literal["physical", "eqd2"] = Field(
        default="physical", description="physical mean dose or mean EQD2"
    )
    alpha_beta_gy: AlphaBeta | None = Field(
        default=None, description="of the organ, for dose = 'eqd2'"
    )
    model: Literal["logistic", "lkb"] = Field(description="of the complication probability")
    intercept: Annotated[float, Field(ge=-50, le=0)] | None = Field(
        default=None, description="log odds without dose (logistic)"
    )
    slope_per_gy: Annotated[float, Field(gt=0, le=10)] | None = Field(
        default=None, description="log odds per Gy (logistic)"
    )
    td50_gy: CapGy | None = Field(default=None, description="dose of probability one half (lkb)")
    m: Annotated[float, Field(gt=0, le=5)] | None = Field(
        default=None, description="relative width (lkb)"
    )
    cap: Annotated[float, Field(gt=0, lt=1)] = Field(description="greatest probability")
    exposures: Annotated[tuple[Exposure, ...], Field(max_length=2)] = Field(
        default=(), description="drugs near fractions that raise the risk"
    )

    @consistent
    def _complete(self) -> Self:
        logistic, lkb = (self.intercept, self.slope_per_gy), (self.td50_gy, self.m)
        needed, other = (logistic, lkb) if self.model == "logistic" else (lkb, logistic)
        if None in needed or other != (None, None):
            keys = "intercept and slope_per_gy" if self.model == "logistic" else "td50_gy and m"
            raise ValueError(f"model '{self.model}' needs {keys}, and nothing else")
        if (self.dose == "eqd2") != (self.alpha_beta_gy is not None):
            raise ValueError("alpha_beta_gy belongs to dose = 'eqd2'")
        if self.dose == "eqd2" and self.point != "mean":
            raise ValueError("dose = 'eqd2' needs point = 'mean'")
        if len({exposure.drugs for exposure in self.exposures}) < len(self.exposures):
            raise ValueError("a class of drugs is listed twice")
        for state in itertools.product((False, True), repeat=len(self.exposures)):
            if self.cap_gy(state) <= 0:
                raise ValueError(f"no dose keeps the cap {self.cap:g} in exposure state {state}")
        return self

    def _ratios(self, state: tuple[bool, ...]) -> tuple[float, float]:
        risk = odds = 1.0
        for exposed, exposure in zip(state, self.exposures, strict=True):
            if exposed:
                risk, odds = risk * exposure.risk_ratio, odds * exposure.odds_ratio
        return risk, odds

    def probability(self, dose_gy: float, state: tuple[bool, ...]) -> float:
        """NTCP of a dose in Gy in a state of exposure (one flag per exposure)."""
        if self.model == "logistic":
            assert self.intercept is not None and self.slope_per_gy is not None
            base = ntcp.logistic(dose_gy, self.intercept, self.slope_per_gy)
        else:
            assert self.td50_gy is not None and self.m is not None
            base = ntcp.lkb(dose_gy, self.td50_gy, self.m)
        return float(ntcp.modified(base, *self._ratios(state)))

    def cap_gy(self, state: tuple[bool, ...]) -> float:
        """Largest dose in Gy that keeps the cap in a state of exposure."""
        base = float(ntcp.base_probability(self.cap, *self._ratios(state)))
        if self.model == "logistic":
            assert self.intercept is not None and self.slope_per_gy is not None
            return float(ntcp.dose_at_logistic(base, self.intercept, self.slope_per_gy))
        assert self.td50_gy is not None and self.m is not None
        return float(ntcp.dose_at_lkb(base, self.td50_gy, self.m))


class AlcLimit(Limit):
    """Absolute lymphocyte count on every fraction day: `ALC >= floor_1e9_per_l`."""

    kind: Literal["alc"] = Field(description="kind of limit")
    floor_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = Field(
        description="least count on every fraction day"
    )


class EdricLimit(Limit):
    """Estimated dose to circulating immune cells (EDRIC): `<= cap_gy`."""

    kind: Literal["edric"] = Field(description="kind of limit")
    cap_gy: CapGy = Field(description="greatest estimated dose to circulating immune cells")


class DrugLimit(Limit):
    """Cumulative dose, dose per body surface or number of doses of one drug, or irAE risk.

    `irae_risk` is `1 - prod(1 - p)` over the infusions of the drug, or of all drugs.
    """

    kind: Literal["drug"] = Field(description="kind of limit")
    drug: Name | None = Field(default=None, description="counted; all drugs if absent")
    quantity: Literal["dose_mg", "dose_mg_per_m2", "doses", "irae_risk"] = Field(
        description="what is counted"
    )
    cap: Positive = Field(description="greatest amount, in the unit of the quantity")

    @consistent
    def _sides(self) -> Self:
        if self.drug is None and self.quantity != "irae_risk":
            raise ValueError("drug is missing (only 'irae_risk' may count all drugs)")
        if self.quantity == "irae_risk" and self.cap >= 1:
            raise ValueError("the cap of 'irae_risk' is a probability below 1")
        return self


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

    def days(self, horizon: int) -> range:
        """Days on which the quantity is counted."""
        first = 0 if self.first_day is None else self.first_day
        last = horizon - 1 if self.last_day is None else min(self.last_day, horizon - 1)
        return range(first, last + 1) if last >= first else range(0)


AnyLimit = Annotated[
    BedLimit
    | MeanLimit
    | MeanEqd2Limit
    | DoseByFractionsLimit
    | NtcpLimit
    | AlcLimit
    | EdricLimit
    | DrugLimit
    | LogisticsLimit,
    Field(discriminator="kind"),
]
OrganLimit = BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit | NtcpLimit
ORGAN_KINDS = (BedLimit, MeanLimit, MeanEqd2Limit, DoseByFractionsLimit, NtcpLimit)
