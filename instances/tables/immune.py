"""Constants of the radio-immune model, and of circulating lymphocytes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.tables.fields import (
    LibraryTable,
    NonNegative,
    Positive,
    Share,
    Table,
    consistent,
)


class Immune(LibraryTable):
    """Constants of the systemic effect; rates per day.

    Suppression (Treg, TGF-beta) multiplies the release of a fraction by
    `max(0, 1 - suppression_per_gy max(0, d - suppression_above_gy)
    - suppression_per_day max(0, days since the first fraction - suppression_after_days))`.
    `pdl1_upregulation` q multiplies a lesion's daily effect from its first fraction on by
    `1 - q (1 - occupancy)`. `burden_limit_cm3` switches the burden rule on: a lesion is credited
    with systemic effect only where its volume after radiation, `V exp(-E)`, is at most
    `burden_limit_cm3 (1 + burden_blockade * greatest occupancy)^1.5`.
    `combination` says how agents that act on one phase combine.
    """

    gate_low_gy: Positive = Field(description="dose at which release has half of its rise")
    gate_low_exponent: Positive = Field(description="steepness of the rise")
    gate_high_gy: Positive = Field(description="dose at which release has half of its fall")
    gate_high_exponent: Positive = Field(description="steepness of the fall")
    volume_exponent: NonNegative = Field(description="release grows with this power of the volume")
    preblockade_sign: Annotated[float, Field(ge=-1, le=1)] = Field(
        description="change of release per unit of occupancy at irradiation"
    )
    clearance_per_day: Annotated[float, Field(gt=0, le=5)] = Field(
        description="rate at which released antigen is cleared and primes"
    )
    priming_delay_days: Annotated[int, Field(ge=0, le=30)] = Field(
        description="days from release to priming"
    )
    precursors_initial: NonNegative = Field(
        description="precursors of all lesions before treatment"
    )
    precursor_inflow_per_day: NonNegative = Field(description="new precursors of all lesions")
    precursor_loss_per_day: Share = Field(description="share of precursors lost")
    mobilization_per_day: Share = Field(description="share of precursors that become effectors")
    blockade_mobilization_per_day: Share = Field(description="further share at full occupancy")
    effector_loss_per_day: Share = Field(description="share of effectors lost")
    effect_per_effector: NonNegative = Field(description="log kill per effector and day")
    blockade_effect: NonNegative = Field(description="gain of the effect at full occupancy")
    ctla4_threshold: Annotated[float, Field(ge=1, le=100)] = Field(
        description="Serre's threshold of the priming factor under anti-CTLA-4"
    )
    effect_maximum_nats: Positive | None = Field(
        default=None, description="greatest systemic log kill; unbounded if absent"
    )
    release_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="multiplies every lesion's immunogenicity (antigen loss)"
    )
    share_factor: Share = Field(
        default=1.0, description="multiplies every lesion's effector_share (antigen loss)"
    )
    release_regrowth: Share = Field(
        default=0.0, description="share of the growth between fractions that adds antigen"
    )
    repeat_release: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0, description="release of a dying cell at each later fraction"
    )
    suppression_above_gy: NonNegative = Field(
        default=15.0, description="dose above which release is suppressed"
    )
    suppression_per_gy: NonNegative = Field(
        default=0.0, description="suppression of release per Gy above"
    )
    suppression_after_days: NonNegative = Field(
        default=14.0, description="days after the first fraction from which release is suppressed"
    )
    suppression_per_day: NonNegative = Field(
        default=0.0, description="suppression of release per day after"
    )
    pdl1_upregulation: Share = Field(
        default=0.0, description="effect lost without blockade from the lesion's first fraction on"
    )
    burden_limit_cm3: Positive | None = Field(
        default=None,
        description="volume left after radiation above which a lesion has no systemic effect; "
        "no rule if absent",
    )
    burden_blockade: NonNegative = Field(
        default=0.0, description="growth of that volume with the greatest occupancy"
    )
    gate_plateau: Share = Field(
        default=0.0, description="share of the gate that the highest doses keep"
    )
    own_loss: Share = Field(
        default=0.0,
        description="share of the lymphocyte loss of a lesion's own course that its own effectors "
        "feel; those of other lesions feel all of it",
    )
    liver_release_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="multiplies the immunogenicity of lesions in the liver"
    )
    liver_siphon_nats: NonNegative = Field(
        default=0.0,
        description="log loss of other lesions' effectors by each lesion in the liver that is not "
        "irradiated",
    )
    ctla4_mobilization_per_day: Share = Field(
        default=0.0,
        description="further share of precursors that become effectors while all CTLA-4 is bound",
    )
    ctla4_depletion: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0,
        description="gain of release on a day on which all CTLA-4 is bound by depleting antibodies",
    )
    count_exponent: Annotated[float, Field(ge=0, le=5)] = Field(
        default=0.0,
        description="the systemic effect grows with this power of the lymphocyte count before "
        "treatment",
    )
    count_reference_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = Field(
        default=1.7, description="count before treatment at which that power is 1"
    )
    combination: Literal["multiplicative", "additive", "strongest"] = Field(
        default="multiplicative", description="how agents of one phase combine"
    )

    @consistent
    def _rates(self) -> Self:
        out = (
            self.precursor_loss_per_day
            + self.mobilization_per_day
            + self.blockade_mobilization_per_day
            + self.ctla4_mobilization_per_day
        )
        if out > 1:
            raise ValueError("precursor loss plus mobilization must not exceed 1 per day")
        return self


class Lymphocytes(Table):
    """Circulating lymphocytes: count before treatment and recovery."""

    initial_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = Field(
        default=1.7, description="count before treatment"
    )
    recovery_half_time_days: Positive = Field(
        default=35.0, description="half time of recovery from a loss"
    )
