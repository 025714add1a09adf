"""Constants of the radio-immune model, and of circulating lymphocytes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.fields import (
    LibraryTable,
    NonNegative,
    Positive,
    Share,
    Table,
    consistent,
)


class Immune(LibraryTable):
    """Constants of the systemic effect (design items 2, 3, 4 and 6); rates per day.

    Suppression (Treg, TGF-beta) multiplies the release of a fraction by
    `max(0, 1 - suppression_per_gy max(0, d - suppression_above_gy)
    - suppression_per_day max(0, days since the first fraction - suppression_after_days))`.
    `pdl1_upregulation` q multiplies a lesion's daily effect from its first fraction on by
    `1 - q (1 - occupancy)`. `burden_limit_cm3` switches the burden rule on: a lesion is credited
    with systemic effect only where its volume after radiation, `V exp(-E)`, is at most
    `burden_limit_cm3 (1 + burden_blockade * greatest occupancy)^1.5`.
    `combination` says how agents that act on one phase combine.
    """

    gate_low_gy: Positive
    gate_low_exponent: Positive
    gate_high_gy: Positive
    gate_high_exponent: Positive
    volume_exponent: NonNegative
    preblockade_sign: Annotated[float, Field(ge=-1, le=1)]
    clearance_per_day: Annotated[float, Field(gt=0, le=5)]
    priming_delay_days: Annotated[int, Field(ge=0, le=30)]
    precursors_initial: NonNegative
    precursor_inflow_per_day: NonNegative
    precursor_loss_per_day: Share
    mobilization_per_day: Share
    blockade_mobilization_per_day: Share
    effector_loss_per_day: Share
    effect_per_effector: NonNegative
    blockade_effect: NonNegative
    ctla4_threshold: Annotated[float, Field(ge=1, le=100)]
    effect_maximum_nats: Positive | None = None
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
    suppression_above_gy: NonNegative = 15.0
    suppression_per_gy: NonNegative = 0.0
    suppression_after_days: NonNegative = 14.0
    suppression_per_day: NonNegative = 0.0
    pdl1_upregulation: Share = 0.0
    burden_limit_cm3: Positive | None = None
    burden_blockade: NonNegative = 0.0
    combination: Literal["multiplicative", "additive", "strongest"] = "multiplicative"

    @consistent
    def _rates(self) -> Self:
        out = (
            self.precursor_loss_per_day
            + self.mobilization_per_day
            + self.blockade_mobilization_per_day
        )
        if out > 1:
            raise ValueError("precursor loss plus mobilization must not exceed 1 per day")
        return self


class Lymphocytes(Table):
    """Circulating lymphocytes: count before treatment and recovery."""

    initial_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = 1.7
    recovery_half_time_days: Positive = 35.0
