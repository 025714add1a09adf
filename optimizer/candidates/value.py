"""What a lesion is worth at a given systemic log kill: the case's objective, vectorized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.models.tumor import outcome
from abscopt.models.tumor.population import population_log_burden

if TYPE_CHECKING:
    from abscopt.instances.schema import Objective


ROUNDING = 1e-12
"""Far below the 1e-9 by which a demand may be missed, above what sums of log burdens err by."""


def value_of_burden(goal: Objective, burden: FloatArray) -> FloatArray:
    """Value of log burdens, any shape; falls with the burden for every objective."""
    if goal.kind == "log_control":
        return outcome.log_control(burden)
    if goal.kind == "expected_control":
        return outcome.control_probability(burden)
    if goal.kind == "log_kill":
        return -burden
    return outcome.conceding_value(burden, goal.conceded_at_nats, goal.conceded_slope)


def lesion_value(
    goal: Objective, nodes: FloatArray, local: FloatArray, share: FloatArray, systemic: FloatArray
) -> FloatArray:
    """Mean over horizons of one lesion's value; the arrays broadcast in all but the last axes.

    Parameters
    ----------
    nodes : weights of the lesion's radiosensitivities (`Lesion.sensitivities`)
    local : (..., horizons, nodes x clones) log burdens without systemic effect
    share : (..., nodes x clones) of the systemic effect
    systemic : (..., horizons) saturated systemic log kill
    """
    if local.shape[-1] == 1:
        burden = local[..., 0] - share * systemic
    else:
        by_effect = share[..., None, :] * systemic[..., None]
        burden = population_log_burden(_less(local, by_effect), nodes)
    mean: FloatArray = value_of_burden(goal, burden).mean(axis=-1)
    return mean


def _less(local: FloatArray, kill: FloatArray) -> FloatArray:
    """local - kill; the second array, which may be large, is overwritten where it can be."""
    fits = np.broadcast_shapes(local.shape, kill.shape) == kill.shape
    return np.subtract(local, kill, out=kill if fits else None)


def controllable(
    nodes: FloatArray, local: FloatArray, share: FloatArray, kill: FloatArray, most: float
) -> NDArray[np.bool_]:
    """Whether log burdens at the last horizon are at most those that a demand allows.

    `U <= most`, of one tumor U = ln sum_c e^(local_c - share_c S); falls with the burdens, rises
    with the effect S.

    Parameters
    ----------
    nodes : weights of the lesion's radiosensitivities (`Lesion.sensitivities`)
    local : (..., horizons, nodes x clones) log burdens without systemic effect
    share : (..., nodes x clones) of the systemic effect
    kill : (...) saturated systemic log kill at the last horizon
    """
    burden = population_log_burden(local[..., -1, :] - share * kill[..., None], nodes)
    within: NDArray[np.bool_] = np.asarray(burden <= most + ROUNDING * (1.0 + abs(most)))
    return within
