"""Control of a population: tumors of one kind differ in radiosensitivity from patient to patient.

A tumor's alpha is the lesion's own times a factor f, lognormal with mean 1 and coefficient of
variation `alpha_cv`. What the case can know is the average over f,

    P = E_f[1 / (1 + Σ_clones e^{u_c(f)})],     u_c(f) = number + growth − kill_c(f) − H_c S,

so that control rises with dose as a slope and not as a step. The expectation is a fixed quadrature.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.tumor.outcome import EXPONENT_CAP, total_log_burden

STEP = 0.4
"""Distance of nodes in standard deviations. 1/(1 + e^u) has its nearest poles π from the real line,
so the trapezoidal rule errs by about 2 exp(−2 π²/(STEP s)), s the standard deviation of u: 2e-3 at
s = 7, as for 20 nats of kill with a spread of 0.35 (Trefethen and Weideman 2014, The exponentially
convergent trapezoidal rule)."""

REACH = 2.8
"""Nodes lie within so many standard deviations: 0.5 % of patients lie outside."""

UNDERFLOW = 1e-290
"""Below it a sum of probabilities may have lost terms: logs are summed instead."""


@lru_cache(maxsize=64)
def sensitivity_factors(alpha_cv: float) -> tuple[FloatArray, FloatArray]:
    """Return factors of alpha and their weights, each of shape (nodes,).

    ``f_q = e^{σ x_q} / Σ_r w_r e^{σ x_r}``, ``σ² = ln(1 + cv²)``, nodes x_q equally spaced,
    w_q ∝ e^{−x_q²/2}: the trapezoidal rule for a lognormal factor of mean 1. One node, factor 1,
    where the spread is 0.

    Notes
    -----
    Source: normal or lognormal spread of alpha between patients, Webb and Nahum 1993, Phys Med
    Biol 38:653, doi:10.1088/0031-9155/38/6/001. Status: recalled source, derived numbers.
    """
    if alpha_cv == 0.0:
        return np.ones(1), np.ones(1)
    each_side = round(REACH / STEP)
    x = STEP * np.arange(-each_side, each_side + 1)
    weights = np.exp(-0.5 * x * x)
    weights /= weights.sum()
    factors = np.exp(math.sqrt(math.log1p(alpha_cv**2)) * x)
    factors /= weights @ factors
    for array in (factors, weights):
        array.flags.writeable = False
    return factors, weights


def burdens_by_node(log_burdens: ArrayLike, nodes: int) -> FloatArray:
    """Return the log burden of all clones at each node, (..., nodes × clones) to (..., nodes).

    Notes
    -----
    Source: as for `total_log_burden`. Status: derived.
    """
    burdens = np.asarray(log_burdens, dtype=np.float64)
    if burdens.shape[-1] == nodes:
        return burdens
    return total_log_burden(burdens.reshape(*burdens.shape[:-1], nodes, burdens.shape[-1] // nodes))


def population_log_burden(log_burdens: ArrayLike, weights: FloatArray) -> FloatArray:
    """Return the log burden at which one tumor has the control of the population.

    ``U = ln(1/P − 1)``, ``P = Σ_q w_q/(1 + e^{u_q})``, ``u_q = ln Σ_c e^{u_qc}``: every function of
    a log burden holds for U as it does for a single tumor; U falls and rises with each u_qc.

    Parameters
    ----------
    log_burdens
        u_qc in nats, shape (..., nodes × clones), clones of one node side by side.
    weights
        w_q, shape (nodes,), adding up to 1.

    Returns
    -------
    FloatArray
        U in nats, shape (...); with one node `total_log_burden` bit by bit.

    Notes
    -----
    ``1 − P = Σ w/(1 + e^{−u})`` and ``P = Σ w/(1 + e^u)`` are summed apart, so neither tail loses
    digits. Source: own objective (M23 of docs/reference/model.md). Status:
    derived.
    """
    if len(weights) == 1:
        return total_log_burden(log_burdens)
    burdens = burdens_by_node(log_burdens, len(weights))
    lost, controlled = shares_by_node(burdens)
    return burden_of_shares(burdens, lost @ weights, controlled @ weights, weights)


def burden_of_shares(
    burdens: FloatArray, lost: FloatArray, controlled: FloatArray, weights: FloatArray
) -> FloatArray:
    """Return `population_log_burden` where ``1 − P`` and ``P`` are known already.

    ``U = ln(1 − P) − ln P``, shape (...), of burdens u_q (..., nodes); where one of both is too
    small for a float, from the burdens in log space.

    Notes
    -----
    Source: as for `population_log_burden`. Status: derived.
    """
    with np.errstate(divide="ignore"):
        found = np.asarray(np.log(lost) - np.log(controlled), dtype=np.float64)
    deep = ~(np.minimum(lost, controlled) > UNDERFLOW)
    if deep.any():
        found[deep] = _in_log_space(burdens[deep], weights)
    return found


def shares_by_node(burdens: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``1/(1 + e^{−u})`` and ``1/(1 + e^u)``, any shape, small ones to full precision.

    Beyond |u| = 700 the smaller one stays at ``e^{−700}``.

    Notes
    -----
    Source: as for `control_probability`. Status: derived.
    """
    odds = np.asarray(np.clip(burdens, -EXPONENT_CAP, EXPONENT_CAP))
    np.exp(odds, out=odds)
    controlled = 1.0 + odds
    np.divide(1.0, controlled, out=controlled)
    odds *= controlled
    return odds, controlled


def _in_log_space(burdens: FloatArray, weights: FloatArray) -> FloatArray:
    """``ln(1 − P) − ln P`` of burdens (n, nodes) so great that P or 1 − P is 0 in a float."""
    log_weights = np.log(weights)
    lost = np.logaddexp.reduce(log_weights - np.logaddexp(0.0, -burdens), axis=-1)
    controlled = np.logaddexp.reduce(log_weights - np.logaddexp(0.0, burdens), axis=-1)
    return np.asarray(lost - controlled, dtype=np.float64)
