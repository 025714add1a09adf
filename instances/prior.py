"""What doses given before use up of a limit, whatever is chosen now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abscopt.instances.limits import OrganLimit
    from abscopt.instances.schema import Instance


def prior_load(instance: Instance, limit: OrganLimit) -> float:
    """Part of a limit's cap used up by prior doses; inf where its table forbids one of them.

    Per prior dose of n fractions D of which a share rho has recovered: (1 - rho) n f(D), f the
    load of one fraction over the cap.
    """
    return math.fsum(
        (1.0 - prior.recovered)
        * prior.fractions
        * limit.load_of_fraction(prior.dose_gy, prior.second_moment_gy2)
        for prior in instance.prior_doses
        if (prior.organ, prior.point) == (limit.organ, limit.evaluation_point)
    )
