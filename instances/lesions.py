"""Tumor sites: sensitivity, clones, techniques, sparing factors."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import ConfigDict, Discriminator, Field, Tag

from abscopt.instances.menus.courses import Course, with_prescriptions
from abscopt.instances.tables.fields import (
    AlphaBeta,
    CapGy,
    FractionDose,
    LibraryTable,
    Name,
    NonNegative,
    Positive,
    Share,
    Table,
    consistent,
)
from abscopt.instances.tables.sparing import (
    DailyFactors,
    Histogram,
    SparingFactor,
    check_sparing,
    factor_form,
)
from abscopt.models.tumor.population import sensitivity_factors

if TYPE_CHECKING:
    from abscopt.instances.tables.immune import Immune
    from abscopt.models.arrays import FloatArray

KEPT = 1.0 + 1e-9
"""What is demanded may exceed what is reached by this factor, as loads may exceed caps."""


DEMANDS = ("least_bed_gy", "least_eqd2_gy", "least_control")
"""Keys of a lesion that demand a least outcome of it."""


class Clone(Table):
    """A part of a lesion's clonogens with its own sensitivity; absent values are the lesion's."""

    name: Name = Field(description="of the clone")
    share: Annotated[float, Field(gt=0, le=1, description="of the lesion's clonogens")]
    alpha_per_gy: Annotated[float, Field(gt=0, le=3)] | None = Field(
        default=None, description="linear coefficient of log kill; the lesion's if absent"
    )
    alpha_beta_gy: AlphaBeta | None = Field(
        default=None,
        description="ratio of linear and quadratic coefficient; the lesion's if absent",
    )
    effector_share_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="multiplies the lesion's share of the systemic effect"
    )
    drug_kill_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="multiplies the log kill of cytotoxic drugs"
    )


class Technique(Table):
    """One way to irradiate a lesion: absent values are the lesion's.

    `irradiated_share` is the part f of the clonogens in the beam, survival `(1 - f) + f S`; a
    table gives it clone by clone (clones not named: 1). Release is scaled by the irradiated
    share of the whole lesion. `node_factor` multiplies the priming of the release (an irradiated
    draining node lowers it).
    """

    later: ClassVar = ("histograms",)
    name: Name = Field(description="of the technique")
    sparing: dict[Name, dict[Name, SparingFactor]] = Field(
        default_factory=dict, description="replaces the lesion's factors of the organs it names"
    )
    histograms: dict[Name, Histogram] | None = Field(
        default=None, description="replaces the lesion's histograms of the organs it names"
    )
    irradiated_share: Annotated[
        Annotated[float, Field(gt=0, le=1), Tag("number")]
        | Annotated[dict[Name, Share], Tag("table")],
        Discriminator(factor_form),
    ] = Field(
        default=1.0, description="part of the clonogens in the beam, of all or clone by clone"
    )
    node_factor: Share = Field(default=1.0, description="multiplies the priming of the release")
    integral_dose_cm3: NonNegative | None = Field(
        default=None, description="integral dose (Gy cm3) per Gy prescribed"
    )
    effector_kill_per_fraction: NonNegative | None = Field(
        default=None, description="log loss of the lesion's effectors per fraction"
    )
    lymphocyte_loss_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None, description="log loss of circulating lymphocytes per fraction"
    )
    lymphocyte_effect_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None, description="log loss of other lesions' effectors per fraction"
    )

    @property
    def bins(self) -> dict[str, Histogram]:
        """Its own histograms by organ."""
        return self.histograms or {}

    def share_of(self, clone: str) -> float:
        """Irradiated share of one clone."""
        share = self.irradiated_share
        return share.get(clone, 1.0) if isinstance(share, dict) else share


class Lesion(LibraryTable):
    """A tumor site; tumor constants may come from a library tumor named in `use`.

    Doses act as `d / OMF` (`oxygen_modification_factor`, 1 + (OMF - 1)(1 - days since the first
    fraction / reoxygenation_days) where reoxygenation is stated).
    """

    model_config = ConfigDict(json_schema_extra=with_prescriptions)
    later: ClassVar = ("histograms",)

    name: Name = Field(description="of the lesion")
    organ: str = Field(
        description="where it is; the word liver in it counts where immune terms of the liver act"
    )
    irradiable: bool = Field(default=True, description="whether it may be irradiated")
    weight: Annotated[float, Field(gt=0, le=100)] = Field(
        default=1.0, description="in the objective"
    )
    volume_cm3: Annotated[float, Field(gt=0, le=5000)] | None = Field(
        default=None, description="volume before treatment"
    )
    alpha_per_gy: Annotated[float, Field(gt=0, le=3)] = Field(
        description="linear coefficient of log kill"
    )
    alpha_beta_gy: AlphaBeta = Field(description="ratio of linear and quadratic coefficient")
    alpha_cv: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="coefficient of variation of alpha between patients, over which control is "
        "averaged; one tumor of mean alpha if absent",
    )
    lql_transition_gy: FractionDose | None = Field(
        default=None, description="dose above which log kill goes on along its tangent"
    )
    clonogens: Annotated[float, Field(gt=0, le=1e15)] | None = Field(
        default=None, description="number before treatment"
    )
    clonogens_per_cm3: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        default=None, description="density before treatment"
    )
    clones: Annotated[tuple[Clone, ...], Field(max_length=6)] = Field(
        default=(), description="parts of the clonogens with constants of their own"
    )
    oxygen_modification_factor: Annotated[float, Field(ge=1, le=4)] = Field(
        default=1.0, description="doses act divided by it"
    )
    reoxygenation_days: Positive | None = Field(
        default=None, description="days from the first fraction until the factor is 1"
    )
    repair_half_time_hours: Positive | None = Field(
        default=None, description="of sublethal damage; complete repair between fractions if absent"
    )
    growth_doubling_time_days: Positive | None = Field(
        default=None, description="of untreated growth; no growth if absent"
    )
    repopulation_doubling_time_days: Positive | None = Field(
        default=None, description="of accelerated growth from the kick-off to the last fraction"
    )
    kick_off_days: Annotated[float, Field(ge=0, le=365)] = Field(
        default=0.0, description="days from the first fraction to accelerated growth"
    )
    immunogenicity: NonNegative = Field(
        default=1.0, description="scale of the release of a fraction; 1 is a typical lesion"
    )
    effector_share: Share = Field(default=0.0, description="H: share of the systemic effect")
    precursor_share: Share = Field(default=0.0, description="share of initial precursors")
    effector_kill_per_fraction: NonNegative = Field(
        default=0.0, description="log loss of the lesion's effectors per fraction"
    )
    lymphocyte_loss_per_fraction: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.0, description="log loss of circulating lymphocytes per fraction"
    )
    lymphocyte_effect_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None, description="lambda'; the loss per fraction unless given"
    )
    integral_dose_cm3: NonNegative | None = Field(
        default=None, description="integral total dose (Gy cm3) per Gy prescribed"
    )
    sparing: dict[Name, dict[Name, SparingFactor]] = Field(
        default_factory=dict, description="dose at each point of each organ per Gy prescribed"
    )
    histograms: dict[Name, Histogram] | None = Field(
        default=None,
        description="dose bins of organs; points that `sparing` does not state come from them",
    )
    techniques: Annotated[tuple[Technique, ...], Field(max_length=8)] = Field(
        default=(), description="ways to irradiate it; the lesion's own values if none"
    )
    course: Course | None = Field(default=None, description="menu of courses")
    least_bed_gy: CapGy | None = Field(
        default=None,
        description="hard demand: BED of its course at its own alpha/beta, as the report prints "
        "it, without loss to repopulation; the lesion must be irradiated",
    )
    least_eqd2_gy: CapGy | None = Field(
        default=None, description="hard demand: the same as EQD2, BED / (1 + 2 / alpha_beta)"
    )
    least_control: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="hard demand: control probability at the last horizon, irradiated or not",
    )

    @consistent
    def _consistent(self) -> Self:
        if (self.clonogens is None) == (self.clonogens_per_cm3 is None):
            raise ValueError("give clonogens or clonogens_per_cm3, not both")
        if self.irradiable:
            if self.volume_cm3 is None:
                raise ValueError("volume_cm3 is missing (needed for an irradiable lesion)")
            if self.course is None:
                raise ValueError("course is missing (needed for an irradiable lesion)")
        elif self.course is not None or self.sparing or self.histograms or self.techniques:
            raise ValueError(
                "a lesion with irradiable = false has no course, no sparing and no techniques"
            )
        elif self.least_bed is not None:
            raise ValueError("least_bed_gy and least_eqd2_gy need irradiable = true")
        if self.clonogens_per_cm3 is not None and self.volume_cm3 is None:
            raise ValueError("clonogens_per_cm3 needs volume_cm3")
        check_sparing("sparing", self.sparing)
        for technique in self.techniques:
            check_sparing(f"techniques.{technique.name}.sparing", technique.sparing)
        self._check_clones()
        return self

    def _check_clones(self) -> None:
        total = sum(clone.share for clone in self.clones)
        if self.clones and abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of the clones add up to {total:.9g}, not 1")
        known = {clone.name for clone in self.clones}
        for names in ([c.name for c in self.clones], [t.name for t in self.techniques]):
            if len(set(names)) < len(names):
                raise ValueError("names of clones and of techniques must be unique")
        for technique in self.techniques:
            if isinstance(technique.irradiated_share, dict):
                unknown = sorted(set(technique.irradiated_share) - known)
                if unknown:
                    raise ValueError(f"techniques.{technique.name}: unknown clones {unknown}")

    @property
    def bins(self) -> dict[str, Histogram]:
        """Histograms by organ, those of techniques apart."""
        return self.histograms or {}

    @property
    def populations(self) -> tuple[Clone, ...]:
        """The clones; a lesion that states none has one."""
        return self.clones or (Clone(name="all", share=1.0),)

    @property
    def spread(self) -> bool:
        """Whether its control is a mean over radiosensitivities."""
        return bool(self.alpha_cv)

    @property
    def sensitivities(self) -> tuple[FloatArray, FloatArray]:
        """Factors of alpha and their weights, (nodes,) each; one node without a spread."""
        return sensitivity_factors(self.alpha_cv or 0.0)

    @property
    def ways(self) -> tuple[Technique, ...]:
        """The techniques; a lesion that states none has one, called ''."""
        return self.techniques or (PLAIN,)

    def way(self, name: str) -> Technique:
        """Technique of a name ('' where the lesion states none)."""
        for technique in self.ways:
            if technique.name == name:
                return technique
        raise LookupError(f"{self.name}: no technique {name!r}")

    def clone_constants(self, clone: Clone) -> tuple[float, float]:
        """(alpha in 1/Gy, alpha/beta in Gy) of one clone."""
        alpha = self.alpha_per_gy if clone.alpha_per_gy is None else clone.alpha_per_gy
        ratio = self.alpha_beta_gy if clone.alpha_beta_gy is None else clone.alpha_beta_gy
        return alpha, ratio

    def eqd2(self, bed_gy: float) -> float:
        """EQD2 in Gy of a BED at the lesion's own alpha/beta."""
        return bed_gy / (1.0 + 2.0 / self.alpha_beta_gy)

    @property
    def least_bed(self) -> float | None:
        """Least BED in Gy that keeps both demands on dose, rounding allowed; None without any."""
        asked = [] if self.least_bed_gy is None else [self.least_bed_gy]
        if self.least_eqd2_gy is not None:
            asked.append(self.least_eqd2_gy * (1.0 + 2.0 / self.alpha_beta_gy))
        return max(asked) / KEPT if asked else None

    @property
    def most_log_burden(self) -> float | None:
        """Log burden at the last horizon that keeps the demanded control, rounding allowed.

        `P = 1 / (1 + e^u) >= p` is `u <= ln(1/p - 1)`; None without such a demand.
        """
        if self.least_control is None:
            return None
        return math.log(KEPT / self.least_control - 1.0)

    @property
    def clonogen_number(self) -> float:
        """Clonogens at day 0."""
        if self.clonogens is not None:
            return self.clonogens
        assert self.clonogens_per_cm3 is not None and self.volume_cm3 is not None
        return self.clonogens_per_cm3 * self.volume_cm3

    def immune_active(self, immune: Immune) -> bool:
        """Whether its own release or precursors add to the systemic effect."""
        released = self.release_scale(immune) > 0
        return immune.effect_per_effector > 0 and (released or self.precursor_share > 0)

    @property
    def in_liver(self) -> bool:
        """Whether its organ has the word liver in it."""
        return "liver" in re.findall(r"[a-z]+", self.organ.lower())

    def release_scale(self, immune: Immune) -> float:
        """Immunogenicity under the factors of the immune response."""
        site = immune.liver_release_factor if self.in_liver else 1.0
        return self.immunogenicity * immune.release_factor * site

    def siphon(self, immune: Immune) -> float:
        """Log loss of other lesions' effectors as long as it is not irradiated, in nats."""
        return immune.liver_siphon_nats if self.in_liver else 0.0

    def regrowth_per_day(self, immune: Immune) -> float:
        """Log growth of survivors between fractions that counts as antigen."""
        if self.growth_doubling_time_days is None:
            return 0.0
        return immune.release_regrowth * math.log(2.0) / self.growth_doubling_time_days

    def effector_kill(self, technique: Technique) -> float:
        """lambda of M16: own effectors lost per fraction, in nats."""
        given = technique.effector_kill_per_fraction
        return self.effector_kill_per_fraction if given is None else given

    def lymphocyte_loss(self, technique: Technique) -> float:
        """kappa of M31: lymphocytes lost per fraction, in nats."""
        stated = technique.lymphocyte_loss_per_fraction
        return self.lymphocyte_loss_per_fraction if stated is None else stated

    def effect_loss(self, technique: Technique) -> float:
        """lambda' of M20, in nats; the lymphocyte loss unless given."""
        for given in (
            technique.lymphocyte_effect_per_fraction,
            self.lymphocyte_effect_per_fraction,
        ):
            if given is not None:
                return given
        return self.lymphocyte_loss(technique)

    def integral_dose(self, technique: Technique) -> float:
        """Integral dose in Gy cm3 per Gy prescribed; 0 if none is stated."""
        given = technique.integral_dose_cm3
        return (self.integral_dose_cm3 if given is None else given) or 0.0

    def sparing_factor(self, organ: str, point: str, day: int, technique: Technique) -> float:
        """Dose to an organ's point per Gy prescribed on `day`; 0 if none is stated."""
        points = technique.sparing.get(organ, self.sparing.get(organ, {}))
        factor = points.get(point, 0.0)
        if isinstance(factor, DailyFactors):
            return factor.values[factor.days.index(day)]
        return factor

    def histogram(self, organ: str, technique: Technique) -> Histogram | None:
        """Bins of an organ under a technique; None where its dose is stated at points only.

        A technique that states an organ's factors and no bins has none: the lesion's are of
        another plan.
        """
        if organ in technique.bins or organ in technique.sparing:
            return technique.bins.get(organ)
        return self.bins.get(organ)


PLAIN = Technique.model_construct(
    name="",
    sparing={},
    histograms=None,
    irradiated_share=1.0,
    node_factor=1.0,
    integral_dose_cm3=None,
    effector_kill_per_fraction=None,
    lymphocyte_loss_per_fraction=None,
    lymphocyte_effect_per_fraction=None,
)
"""The one technique of a lesion that states none."""
