"""Lagrangian multipliers of the rows and of the systemic effect, and the function they define."""

from __future__ import annotations

from dataclasses import dataclass

from abscopt.models.arrays import FloatArray


@dataclass(frozen=True)
class DualPrices:
    """Multipliers of the rows and of `Z >= z` in its linear form, all >= 0.

    With mu[h, l] the multiplier of the tangent of ln G at the level G[h, l] (`generation`):
    log_kill[h] = sum_l mu[h, l], effect[h] = sum_l mu[h, l] / G[h, l] and
    offset = sum_hl mu[h, l] (1 - ln G[h, l]).

    Attributes
    ----------
    rows : (rows,)
    log_kill : (horizons,) price of a unit of ln Z
    effect : (horizons,) price of a unit of unsaturated effect before everybody's losses
    offset : what the tangents add whatever the choice
    """

    rows: FloatArray
    log_kill: FloatArray
    effect: FloatArray
    offset: float


@dataclass(frozen=True)
class Lagrangian:
    """The Lagrangian function at fixed multipliers, over the courses of one set of plans.

    L(z; y) = constant - log_kill . ln z + sum_s max_kind [ value_s(kind, z) + terms_s[kind] ]

    Attributes
    ----------
    prices : the multipliers y
    terms : per lesion (kinds,) greatest term of the courses of each kind
    constant : what does not depend on z
    """

    prices: DualPrices
    terms: tuple[FloatArray, ...]
    constant: float
