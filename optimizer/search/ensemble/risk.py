"""What is made of the values that one schedule has in the members of an ensemble.

All of them are to be maximized, and each is the least weighted mean over a set Q of weights,

    risk(V) = min_{q in Q} sum_m q_m (V_m - best_m),

    mean     Q = {w}                                          best = 0
    cvar     Q = {0 <= q_m <= w_m / level, sum q = 1}         best = 0
    worst    Q = {0 <= q, sum q = 1}                          best = 0
    regret   Q = {0 <= q, sum q = 1}                          best_m = optimum of member m alone

(coherent measures of risk: Artzner, Delbaen, Eber and Heath 1999, Coherent measures of risk;
conditional value at risk: Rockafellar and Uryasev 2000, Optimization of conditional value-at-risk).
Any q in Q gives an upper bound, so that a bound of a weighted mean is a bound of the risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray

RiskKind = Literal["mean", "cvar", "worst", "regret"]


@dataclass(frozen=True, eq=False)
class Risk:
    """A measure of risk over members.

    Attributes
    ----------
    kind : which
    weights : (members,) probabilities, summing to 1
    level : of `cvar`: the share of the probability that its mean is taken over, the worst one
    best : (members,) value of the best schedule of each member alone; counts for `regret` only
    """

    kind: RiskKind
    weights: FloatArray
    level: float = 1.0
    best: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.kind == "regret" and self.best is None:
            raise ValueError("regret needs the best value of each member")
        if not 0.0 < self.level <= 1.0:
            raise ValueError(f"a level of {self.level!r} is not in (0, 1]")

    @property
    def offset(self) -> FloatArray:
        """(members,) what is taken from the values first."""
        if self.kind == "regret" and self.best is not None:
            return self.best
        return np.zeros(len(self.weights))

    @property
    def most(self) -> FloatArray | None:
        """(members,) greatest weight of each member in Q; None where Q has but one element."""
        if self.kind == "mean":
            return None
        if self.kind == "cvar":
            return self.weights / self.level
        return np.where(self.weights > 0.0, 1.0, 0.0)

    def among(self, counted: IntArray) -> Risk:
        """The least mean over the weights in Q that are zero in all other members: no less.

        Parameters
        ----------
        counted : (members that count,) of such weight together that Q has such an element
        """
        best = None if self.best is None else self.best[counted]
        return Risk(self.kind, self.weights[counted], self.level, best)

    def at(self, weights: FloatArray) -> Risk:
        """The mean with other weights: what is taken from the values changes no order of rows."""
        return Risk("mean", weights)

    def weights_at(self, values: FloatArray) -> FloatArray:
        """(..., members) the weights q in Q at which the mean of values (..., members) is least.

        The lowest values get as much as they may, in turn.
        """
        if self.most is None:
            return np.broadcast_to(self.weights, values.shape)
        below = values - self.offset
        order = np.argsort(below, axis=-1, kind="stable")
        caps = self.most[order]
        before = np.cumsum(caps, axis=-1) - caps
        spent = np.clip(1.0 - before, 0.0, caps)
        weights = np.zeros_like(below)
        np.put_along_axis(weights, order, spent, axis=-1)
        return weights

    def of(self, values: FloatArray) -> FloatArray:
        """(...) the risk of values (..., members)."""
        below = values - self.offset
        return np.asarray((self.weights_at(values) * below).sum(axis=-1))

    def projected(self, weights: FloatArray) -> FloatArray:
        """Weights (members,) near some that solve a linear program, inside Q beyond rounding."""
        caps = self.most
        if caps is None:
            return self.weights
        inside = np.clip(weights, 0.0, caps)
        lacking = 1.0 - float(inside.sum())
        if lacking > 0.0:
            room = caps - inside
            inside = inside + room * (lacking / max(float(room.sum()), lacking))
        return np.asarray(inside / inside.sum() if lacking < 0.0 else inside)
