"""Limits on organ doses: one class per kind."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from abscopt.instances.fields import AlphaBeta, CapGy, Count, Name, Table, consistent
from abscopt.instances.limits.limit import OrganLimit
from abscopt.models import lq, ntcp
from abscopt.models.toxicity import check_tolerance_table, falls, miner_fraction, safe_table

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


class BedLimit(OrganLimit):
    """BED at one evaluation point: `sum_t D_t (1 + D_t / alpha_beta) <= cap_gy`."""

    kind: Literal["bed"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    point: Name = Field(default="max", description="of the organ, as in `sparing`")
    alpha_beta_gy: AlphaBeta = Field(description="of the organ for this limit")
    cap_gy: CapGy = Field(description="greatest BED")

    @property
    def unit(self) -> str:
        """`Gy BED3`."""
        return f"Gy BED{self.alpha_beta_gy:g}"

    @property
    def reference_cap(self) -> float:
        """The cap."""
        return self.cap_gy

    @property
    def words(self) -> str:
        """`cord.max BED2 <= 100 Gy`."""
        return f"{self.organ}.{self.point} BED{self.alpha_beta_gy:g} <= {self.cap_gy:g} Gy"

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """D (1 + D / alpha_beta) / cap."""
        return float(lq.bed(dose_gy, self.alpha_beta_gy)) / self.cap_gy


class MeanLimit(OrganLimit):
    """Physical mean dose of an organ: `sum_t D_t <= cap_gy`."""

    kind: Literal["mean"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    cap_gy: CapGy = Field(description="greatest mean dose")

    @property
    def reference_cap(self) -> float:
        """The cap."""
        return self.cap_gy

    @property
    def words(self) -> str:
        """`lungs mean <= 20 Gy`."""
        return f"{self.organ} mean <= {self.cap_gy:g} Gy"

    @property
    def evaluation_point(self) -> str:
        """The mean."""
        return "mean"


class MeanEqd2Limit(OrganLimit):
    """Mean of the voxels' EQD2; needs the second moment mean(delta^2) of every lesion."""

    kind: Literal["mean_eqd2"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    alpha_beta_gy: AlphaBeta = Field(description="of the organ for this limit")
    cap_gy: CapGy = Field(description="greatest mean EQD2")

    @property
    def unit(self) -> str:
        """Gy."""
        return "Gy EQD2"

    @property
    def reference_cap(self) -> float:
        """The cap."""
        return self.cap_gy

    @property
    def words(self) -> str:
        """`lungs mean EQD2(3) <= 20 Gy`."""
        return f"{self.organ} mean EQD2({self.alpha_beta_gy:g}) <= {self.cap_gy:g} Gy"

    @property
    def evaluation_point(self) -> str:
        """The mean."""
        return "mean"

    @property
    def counts_voxels(self) -> bool:
        """It does."""
        return True

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """Mean EQD2 of the voxels over the cap."""
        return mean_eqd2(dose_gy, second_moment_gy2, self.alpha_beta_gy) / self.cap_gy


def mean_eqd2(dose_gy: float, second_moment_gy2: float | None, alpha_beta_gy: float) -> float:
    """Mean over voxels of the EQD2 of one fraction: (mean(D) + mean(D^2)/r) / (1 + 2/r)."""
    assert second_moment_gy2 is not None
    return float(lq.eqd2(dose_gy + second_moment_gy2 / alpha_beta_gy, alpha_beta_gy))


class DoseByFractionsLimit(OrganLimit):
    """A published table limit(n); unequal fractions by the Miner sum of `models.toxicity`.

    Some published maxima allow more per fraction in more fractions; a Miner sum cannot say that.
    Where one lesion alone loads the point, with equal fractions once a day, such a table is looked
    up by the number of fractions of its course (`looked_up`); elsewhere the largest table below it
    that falls per fraction counts (`safe`).
    """

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
        if any(high <= low for low, high in itertools.pairwise(self.fractions)):
            raise ValueError("fractions must increase")
        check_tolerance_table(*self.safe)
        return self

    @property
    def safe(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The table itself, or the largest one below it that falls per fraction."""
        return safe_table(self.fractions, self.limits_gy)

    def looked_up(self, instance: Instance) -> bool:
        """Whether a table that does not fall counts as published, by a course's own number.

        One lesion with a uniform course once a day loads the point, the same every day, and nothing
        else does: no other lesion, no prior dose, no sensitizer of the organ.
        """
        if falls(self.fractions, self.limits_gy) or any(
            (prior.organ, prior.point) == (self.organ, self.point) for prior in instance.prior_doses
        ):
            return False
        loading = [
            lesion
            for lesion in instance.lesions
            if any(self._reaches(lesion.sparing) or self._reaches(w.sparing) for w in lesion.ways)
        ]
        if len(loading) != 1 or instance.organs[self.organ].sensitizer_enhancement_ratio != 1:
            return False
        lesion = loading[0]
        factors = [lesion.sparing, *(way.sparing for way in lesion.ways)]
        return (
            lesion.course is not None
            and lesion.course.form == "uniform"
            and all(block.fractions_per_day == 1 for block in lesion.course.blocks)
            and all(isinstance(f.get(self.organ, {}).get(self.point, 0.0), float) for f in factors)
        )

    def falls_with_fractions(self, instance: Instance) -> bool:
        """Where the table is looked up: it may allow more per fraction in more fractions."""
        return self.looked_up(instance)

    def _reaches(self, sparing: dict[str, Any]) -> bool:
        return bool(sparing.get(self.organ, {}).get(self.point, 0.0) != 0.0)

    @property
    def words(self) -> str:
        """`cord.max <= 14/21.9 Gy in 1/3`."""
        doses = "/".join(f"{dose:g}" for dose in self.limits_gy)
        counts = "/".join(str(count) for count in self.fractions)
        return f"{self.organ}.{self.point} <= {doses} Gy in {counts}"

    @property
    def unit(self) -> str:
        """None: a sum of shares."""
        return "Miner sum"

    @property
    def reference_cap(self) -> float:
        """1: the load is a Miner sum."""
        return 1.0

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """Miner fraction of one dose; infinite beyond the table."""
        return float(miner_fraction(dose_gy, *self.safe))

    def greatest_daily_gy(self, days: int) -> float | None:
        """limit(n)/n, log-log between the rows of the table."""
        fractions, limits_gy = self.safe
        n = min(max(days, fractions[0]), fractions[-1])
        doses = np.interp(math.log(n), np.log(fractions), np.log(limits_gy))
        return math.exp(doses) / max(days, n)

    def no_room_for(self, dose_gy: float) -> str:
        """The dose lies beyond the table."""
        most = self.safe[1][0] / self.safe[0][0]
        return (
            f"{dose_gy:g} Gy in one fraction is beyond the table of limit {self.name} "
            f"(at most {most:g} Gy in one fraction)"
        )


class DoseVolumeLimit(OrganLimit):
    """Dose to the hottest part v of an organ, physical or EQD2: `D_v <= cap_gy`.

    The same as `V_cap <= v`: at most v receives more than the cap. The point says v (`d1cm3`,
    `d35pct`) and `sparing` its dose per Gy. Exact for an organ that one plan reaches, since all of
    its doses scale together; doses of several lesions at the point add.
    """

    kind: Literal["dose_volume"] = Field(description="kind of limit")
    organ: Name = Field(description="at risk")
    point: Name = Field(
        description="its hottest part, as in `sparing`: `d1cm3` the hottest 1 cm3, `d35pct` the "
        "hottest 35 %"
    )
    dose: Literal["physical", "eqd2"] = Field(
        default="physical", description="total dose or its EQD2"
    )
    alpha_beta_gy: AlphaBeta | None = Field(
        default=None, description="of the organ, for dose = 'eqd2'"
    )
    cap_gy: CapGy = Field(description="greatest dose there; x of V_x <= v")

    @consistent
    def _complete(self) -> Self:
        if (self.dose == "eqd2") != (self.alpha_beta_gy is not None):
            raise ValueError("alpha_beta_gy belongs to dose = 'eqd2'")
        return self

    @property
    def unit(self) -> str:
        """Gy."""
        return "Gy EQD2" if self.dose == "eqd2" else "Gy"

    @property
    def reference_cap(self) -> float:
        """The cap."""
        return self.cap_gy

    @property
    def words(self) -> str:
        """`lungs.d35pct <= 20 Gy`."""
        what = "" if self.alpha_beta_gy is None else f" EQD2({self.alpha_beta_gy:g})"
        return f"{self.organ}.{self.point}{what} <= {self.cap_gy:g} Gy"

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """D / cap, or its EQD2 over the cap."""
        if self.alpha_beta_gy is None:
            return dose_gy / self.cap_gy
        bed = lq.bed(dose_gy, self.alpha_beta_gy)
        return float(lq.eqd2(bed, self.alpha_beta_gy)) / self.cap_gy


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

    @property
    def words(self) -> str:
        """`lungs.mean NTCP (logistic) <= 20 %`."""
        return f"{self.organ}.{self.point} NTCP ({self.model}) <= {100 * self.cap:g} %"

    @property
    def counts_voxels(self) -> bool:
        """Where the dose is the mean EQD2 of the voxels."""
        return self.dose == "eqd2"

    @property
    def reference_cap(self) -> float:
        """Dose in Gy that keeps the cap without exposure."""
        return self.cap_gy((False,) * len(self.exposures))

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """The dose that the probability is of, over the cap without exposure."""
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


AnyOrganLimit = (
    BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit | DoseVolumeLimit | NtcpLimit
)
