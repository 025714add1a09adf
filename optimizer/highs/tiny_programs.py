"""Tiny programs with known optima that some versions of HiGHS answer wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from abscopt.optimizer.highs.mip import Matrix

CANARY_ERROR = 1e-6
LOSABLE_BEST = -5.31809565095832


def losable(margin: float) -> Matrix:
    """maximize v, v <= -u, u >= 16.118 x1 + 5.318 (x2 + x3), x1 + x2 + x3 = 1, x binary.

    The bounds of u and v lie one and two margins off what the rows imply. The optimum of -5.318 is
    lost by presolve for a margin of just its tolerance, and for no other that was tried.
    """
    worst, best = 16.1180956509583, -LOSABLE_BEST
    return Matrix(
        cost=np.array([0.0, 0.0, 0.0, 0.0, 1.0]),
        lower=np.array([0.0, 0.0, 0.0, best - margin, -worst - 2.0 * margin]),
        upper=np.array([1.0, 1.0, 1.0, worst + margin, -best + margin]),
        integer=np.array([True, True, True, False, False]),
        row_lower=np.array([1.0, -np.inf, -np.inf]),
        row_upper=np.array([1.0, 0.0, 0.0]),
        start=np.array([0, 3, 7, 9], dtype=np.int32),
        index=np.array([0, 1, 2, 0, 1, 2, 3, 3, 4], dtype=np.int32),
        value=np.array([1.0, 1.0, 1.0, worst, best, best, -1.0, 1.0, 1.0]),
    )


def misjudged() -> Iterator[tuple[Matrix, float]]:
    """Two programs that HiGHS 1.14 answers wrongly, each with its optimum, by hand.

    maximize -(c1 u + c2 z),  u + z >= need,  low <= u <= high,  0 <= z <= z_high, z whole
    """
    cases = (
        ((2.0, 3.0), (0.0, 10.0), 10.0, 4.5, 9.0),
        ((2.0, 1.0), (8.0, 20.0), 20.0, 20.1, 28.2),
    )
    for cost, (low, high), z_high, need, least_cost in cases:
        matrix = Matrix(
            cost=-np.array(cost),
            lower=np.array([low, 0.0]),
            upper=np.array([high, z_high]),
            integer=np.array([False, True]),
            row_lower=np.array([need]),
            row_upper=np.array([np.inf]),
            start=np.array([0, 2], dtype=np.int32),
            index=np.array([0, 1], dtype=np.int32),
            value=np.array([1.0, 1.0]),
        )
        yield matrix, -least_cost
