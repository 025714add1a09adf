"""Limits on complication probabilities."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.limits.bins import without_bins
from abscopt.instances.limits.limit import OrganLimit, Problem
from abscopt.instances.limits.voxels import mean_eqd2
from abscopt.instances.tables.fields import AlphaBeta, CapGy, Name, Table, consistent
from abscopt.models.organs import ntcp

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


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


class NtcpLimit(OrganLimit):
    """Complication probability `NTCP(dose) <= cap`, per state of exposure.

    The dose is the physical mean dose (or an equivalent uniform dose, which adds up to at most
    the sum over lesions), or with `dose = "eqd2"` the mean EQD2 of the voxels. With
    `volume_exponent` it is the equivalent uniform dose of the bins that lesions state as
    `histograms`, each with its own EQD2 for `dose = "eqd2"`. `logistic`:
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
    volume_exponent: Annotated[float, Field(ge=0.005, le=1)] | None = Field(
        default=None,
        description="n of the generalized equivalent uniform dose over the bins of `histograms`: "
        "1 is the mean, towards 0 the maximum; the dose at `point` if absent",
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
        if (self.dose == "eqd2" or self.counts_bins) and self.point != "mean":
            raise ValueError("dose = 'eqd2' and volume_exponent need point = 'mean'")
        if len({exposure.drugs for exposure in self.exposures}) < len(self.exposures):
            raise ValueError("a class of drugs is listed twice")
        for state in itertools.product((False, True), repeat=len(self.exposures)):
            if self.cap_gy(state) <= 0:
                raise ValueError(f"no dose keeps the cap {self.cap:g} in exposure state {state}")
        return self

    @property
    def words(self) -> str:
        """`lungs.mean NTCP (logistic) <= 20 %`, `rectum gEUD(0.09) EQD2(3) NTCP (lkb) <= 15 %`."""
        what = f"{self.organ}.{self.point}"
        if self.counts_bins:
            ratio = "" if self.alpha_beta_gy is None else f" EQD2({self.alpha_beta_gy:g})"
            what = f"{self.organ} gEUD({self.volume_exponent:g}){ratio}"
        return f"{what} NTCP ({self.model}) <= {100 * self.cap:g} %"

    @property
    def counts_voxels(self) -> bool:
        """Where the dose is the mean EQD2 of the voxels."""
        return self.dose == "eqd2" and not self.counts_bins

    @property
    def counts_bins(self) -> bool:
        """Where the dose is that of the bins of histograms."""
        return self.volume_exponent is not None

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """Besides organs and points: doses of which no bins are stated."""
        yield from super().problems(place, instance)
        if self.counts_bins and self.organ in instance.organs:
            yield from without_bins(instance, self.organ, self.name)

    @property
    def reference_cap(self) -> float:
        """Dose in Gy that keeps the cap without exposure."""
        return self.cap_gy((False,) * len(self.exposures))

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """The dose that the probability is of, over the cap without exposure."""
        if self.counts_bins:
            raise NotImplementedError("a dose at one point says nothing of bins")
        if not self.counts_voxels:
            return dose_gy / self.reference_cap
        assert self.alpha_beta_gy is not None
        return mean_eqd2(dose_gy, second_moment_gy2, self.alpha_beta_gy) / self.reference_cap

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
