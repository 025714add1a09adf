"""Control averaged over radiosensitivities: what a lesion is worth by kill and effect felt.

The burden of one tumor is `local - v - k`, k its log kill and v the systemic effect that it feels,
less the accelerated growth during its course: a function of one number. With a spread of alpha
(M23) the lesion has the control of tumors with burdens `local - v - f_q k`, factors f_q of weights
w_q, so that its value is one of two numbers,

    Psi(k, v) = phi(U),     1 / (1 + e^U) = sum_q w_q / (1 + e^{local - v - f_q k}),

which have a price each (P6). `Table` bounds `max Psi(k, v) - p k - t v` over a box, for all prices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.tumor import outcome
from abscopt.models.tumor.population import population_log_burden
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.search.free import settings

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Objective

BENDS = {"expected_control": 1.0 / (6.0 * math.sqrt(3.0)), "log_kill": 0.5}
"""How fast the slope of phi(U) falls by a burden at most: |q (1 - q) (1 - 2 q)| of a control q for
the mean of controls, 1/4 each for the logs of control and of its complement, whose difference is
-U. Other objectives: 1/4, for a log of control or at most half of -U (lines that concede)."""


@dataclass(frozen=True)
class Spread:
    """Factors of alpha and their weights, (nodes,) each."""

    factors: FloatArray
    weights: FloatArray

    @staticmethod
    def of(lesion: Lesion) -> Spread | None:
        """A lesion's; None for one tumor."""
        return Spread(*lesion.sensitivities) if lesion.spread else None

    def burden(self, rested: FloatArray, kill: FloatArray) -> FloatArray:
        """Log burden U at kills of mean alpha and burdens without them, of one shape."""
        return population_log_burden(
            rested[..., None] - kill[..., None] * self.factors, self.weights
        )

    def bends(self, goal: Objective) -> tuple[float, float]:
        """(A, B): the second derivatives of Psi in k and in v are at least -A and -B.

        With p = 1 / (1 + e^u): of ln sum_q w_q p_q it is, in k, a variance less a mean of
        f_q^2 p_q (1 - p_q), hence at least -max f^2 / 4; of sum_q w_q p_q at least
        -sum_q w_q f_q^2 max |p''|. In v likewise with f = 1.
        """
        bend = BENDS.get(goal.kind, 0.25)
        if goal.kind == "expected_control":
            return bend * float(self.weights @ self.factors**2), bend
        return bend * float(self.factors.max()) ** 2, bend


class Table:
    """Psi over a box, from above: any maximum over cells of its grid is a bound in these cells.

    Along a line whose second derivative is at least -A a function exceeds the greater end of a
    step d by at most A d^2 / 8; over a cell, one axis after the other,

        max Psi - p k - t v <= greatest at its corners + (A dk^2 + B dv^2) / 8,

    the last term the same for all cells, and added to all values. Where lesions may be conceded phi
    is the greater of two such functions on both sides of u_L; the line counts at all corners of a
    cell that reaches beyond.

    Attributes
    ----------
    kill, felt : (n,) and (m,) grids of k and v from end to end of the box
    value : (n, m) Psi, with what cells may exceed it by
    """

    def __init__(
        self,
        goal: Objective,
        spread: Spread,
        local: float,
        kill: tuple[float, float],
        felt: tuple[float, float],
    ):
        """As many points as the error asked for needs, fewer where these would be too many."""
        bends = spread.bends(goal)
        widths = np.array([kill[1] - kill[0], felt[1] - felt[0]])
        points = settings.CURRENT.table_points
        wanted = widths * np.sqrt(np.array(bends) / (4.0 * settings.CURRENT.table_error))
        wanted = np.maximum(wanted, 1.0)
        wanted = np.clip(wanted / math.sqrt(max(1.0, wanted.prod() / points)), 1.0, points)
        steps = np.where(widths > 0.0, np.ceil(wanted), 0).astype(int).tolist()
        self.kill = np.linspace(*kill, steps[0] + 1)
        self.felt = np.linspace(*felt, steps[1] + 1)
        rested = np.broadcast_to(local - self.felt, (len(self.kill), len(self.felt)))
        burden = spread.burden(rested, np.broadcast_to(self.kill[:, None], rested.shape))
        self.value = value_of_burden(goal, burden)
        if goal.kind not in ("log_control", "expected_control", "log_kill"):
            beyond = burden - outcome.concession_burden(goal.conceded_at_nats)
            greatest = np.pad(beyond, ((1, 0), (1, 0)), mode="edge")[:-1, :-1]  # of its cells
            line = -goal.conceded_at_nats - goal.conceded_slope * beyond
            self.value = np.where(greatest > 0.0, np.maximum(self.value, line), self.value)
        self.value = self.value + sum(
            bend * (width / step) ** 2 / 8.0
            for bend, width, step in zip(bends, widths, steps, strict=True)
            if step
        )

    def by_kill(self, price: float, felt_price: float) -> FloatArray:
        """(n,) greatest value less prices at each kill of the grid."""
        greatest: FloatArray = (self.value - felt_price * self.felt).max(axis=1)
        greatest -= price * self.kill
        return greatest

    def pieces(self, by_kill: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """(pieces,) the greatest over the cells that reach into ranges of kill."""
        first = np.clip(np.searchsorted(self.kill, low, "right") - 1, 0, len(self.kill) - 1)
        last = np.clip(np.searchsorted(self.kill, high, "left"), first, len(self.kill) - 1)
        pairs = zip(first.tolist(), last.tolist(), strict=True)
        return np.array([by_kill[i : j + 1].max() for i, j in pairs])
