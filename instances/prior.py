"""What doses given before use up of a limit, whatever is chosen now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abscopt.instances.limits import (
    BedLimit,
    DoseByFractionsLimit,
    MeanEqd2Limit,
    MeanLimit,
    NtcpLimit,
)
from abscopt.models import lq, toxicity

if TYPE_CHECKING:
    from abscopt.instances.limits import OrganLimit
    from abscopt.instances.organs import PriorDose
    from abscopt.instances.schema import Instance


def point_of(limit: OrganLimit) -> str:
    """Evaluation point of a limit."""
    return "mean" if isinstance(limit, MeanLimit | MeanEqd2Limit) else limit.point


def counts_voxels(limit: OrganLimit) -> bool:
    """Whether a limit is on the mean EQD2 of the voxels, which needs second moments."""
    return isinstance(limit, MeanEqd2Limit) or (
        isinstance(limit, NtcpLimit) and limit.dose == "eqd2"
    )


def reference_cap(limit: OrganLimit) -> float:
    """The cap that loads are parts of: 1 for a Miner sum, unexposed for an NTCP."""
    if isinstance(limit, DoseByFractionsLimit):
        return 1.0
    if isinstance(limit, NtcpLimit):
        return limit.cap_gy((False,) * len(limit.exposures))
    return limit.cap_gy


def prior_load(instance: Instance, limit: OrganLimit) -> float:
    """Part of a limit's cap used up by prior doses; inf where its table forbids one of them.

    Per prior dose of n fractions D of which a share rho has recovered: (1 - rho) n f(D), f the
    load of one fraction over the cap.
    """
    return math.fsum(
        (1.0 - prior.recovered) * prior.fractions * _one_fraction(limit, prior)
        for prior in instance.prior_doses
        if (prior.organ, prior.point) == (limit.organ, point_of(limit))
    )


def _one_fraction(limit: OrganLimit, prior: PriorDose) -> float:
    cap, dose = reference_cap(limit), prior.dose_gy
    if isinstance(limit, DoseByFractionsLimit):
        return float(toxicity.miner_fraction(dose, limit.fractions, limit.limits_gy))
    if isinstance(limit, BedLimit):
        return float(lq.bed(dose, limit.alpha_beta_gy)) / cap
    if not counts_voxels(limit):
        return dose / cap
    ratio = getattr(limit, "alpha_beta_gy", None)
    assert ratio is not None and prior.second_moment_gy2 is not None
    return float(lq.eqd2(dose + prior.second_moment_gy2 / ratio, ratio)) / cap
