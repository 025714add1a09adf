"""Dose limits that depend on the number of fractions, as a Miner sum over unequal doses."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray

SNAP = 1e-12
"""Relative distance within which a dose counts as the tabulated one."""


def check_tolerance_table(fractions: Sequence[float], limits_gy: Sequence[float]) -> None:
    """Refuse a table of limits by fraction number that no Miner sum can express.

    ``n`` must increase and ``limit(n)/n`` must fall strictly, both positive.

    Parameters
    ----------
    fractions
        Fraction numbers, shape (rows,).
    limits_gy
        Physical limits on the total dose in Gy, shape (rows,).

    Raises
    ------
    ValueError
        Empty table, unequal lengths, or the first offending row or pair of rows, by its numbers.

    Notes
    -----
    Source: own rule, so that the Miner sum is sound; some protocol maxima fail (18/26/30 Gy in
    3/4/5 fractions). Status: derived.
    """
    if len(fractions) != len(limits_gy) or not len(fractions):
        raise ValueError(f"{len(fractions)} fraction numbers for {len(limits_gy)} limits")
    rows = list(zip(fractions, limits_gy, strict=True))
    for number, limit in rows:
        if not (0 < number < np.inf and 0 < limit < np.inf):
            raise ValueError(f"({number} fx, {limit} Gy): both must be positive and finite")
    for (fewer, low), (more, high) in pairwise(rows):
        pair = f"({fewer} fx, {low} Gy) and ({more} fx, {high} Gy)"
        if not fewer < more:
            raise ValueError(f"{pair}: the number of fractions must increase")
        if not high / more < low / fewer:
            raise ValueError(f"{pair}: limit/n must fall strictly")


def tolerance_fractions(
    dose_gy: ArrayLike, fractions: Sequence[float], limits_gy: Sequence[float]
) -> FloatArray:
    """Return how many fractions of a dose the organ tolerates.

    ``N(D)`` solves ``N·D = limit(N)``, the limit interpolated log-log in ``N``, which makes
    ``ln N`` piecewise linear in ``ln D``. Below ``limit(n_max)/n_max`` the total stays at
    ``limit(n_max)``; above ``limit(n_min)/n_min`` no fraction is tolerated.

    Parameters
    ----------
    dose_gy
        Dose per fraction to the organ's evaluation point in Gy, ≥ 0, any shape.
    fractions, limits_gy
        The table, as for `check_tolerance_table`.

    Returns
    -------
    FloatArray
        ``N``, same shape: 0 when forbidden, infinite at zero dose.

    Raises
    ------
    ValueError
        The table is refused by `check_tolerance_table`.

    Notes
    -----
    Doses within 1e-12 of a tabulated ``limit(n)/n`` give ``n`` itself. Source: the tables of
    TG-101, doi:10.1118/1.3438081; Miner's rule, doi:10.1115/1.4009458 (recalled).
    Status: derived; reproduces every tabulated row.
    """
    check_tolerance_table(fractions, limits_gy)
    numbers = np.asarray(fractions, dtype=np.float64)
    limits = np.asarray(limits_gy, dtype=np.float64)
    nodes = limits / numbers
    dose = np.asarray(dose_gy, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        inside = np.exp(np.interp(np.log(dose), np.log(nodes[::-1]), np.log(numbers[::-1])))
        below = limits[-1] / dose
    tolerated = np.where(dose < nodes[-1], below, np.where(dose > nodes[0], 0.0, inside))
    for number, node in zip(numbers, nodes, strict=True):
        tolerated = np.where(np.abs(dose - node) <= SNAP * node, number, tolerated)
    return tolerated


def miner_fraction(
    dose_gy: ArrayLike, fractions: Sequence[float], limits_gy: Sequence[float]
) -> FloatArray:
    """Return the share of an organ's tolerance that one fraction uses up.

    ``f(D) = 1/N(D)``; a schedule is allowed when ``Σ f ≤ 1``. ``f(0) = 0`` and ``f`` is infinite
    for a forbidden dose. Parameters, shapes, errors, source and status as for
    `tolerance_fractions`; dimensionless.
    """
    with np.errstate(divide="ignore"):
        return np.reciprocal(tolerance_fractions(dose_gy, fractions, limits_gy))
