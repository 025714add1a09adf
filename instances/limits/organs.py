"""Limits on organ doses: one class per kind."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from abscopt.instances.limits.complications import NtcpLimit
from abscopt.instances.limits.limit import OrganLimit
from abscopt.instances.limits.voxels import mean_eqd2
from abscopt.instances.tables.fields import AlphaBeta, CapGy, Count, Name, consistent
from abscopt.models.organs.toxicity import check_tolerance_table, falls, miner_fraction, safe_table
from abscopt.models.tumor import lq

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


class DoseByFractionsLimit(OrganLimit):
    """A published table limit(n); unequal fractions by the Miner sum of `models.organs.toxicity`.

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


AnyOrganLimit = (
    BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit | DoseVolumeLimit | NtcpLimit
)
