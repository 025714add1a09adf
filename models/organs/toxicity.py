"""Dose limits that depend on the number of fractions, as a Miner sum over unequal doses."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray

SNAP = 1e-12
"""Relative distance within which a dose counts as the tabulated one."""
TIE = 1e-9
"""Relative distance at which equal doses of a table are set apart: tolerance of limits."""


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
    3/4/5 fractions; `safe_envelope`). Status: derived.
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


def falls(fractions: Sequence[float], limits_gy: Sequence[float]) -> bool:
    """Return whether ``limit(n)/n`` falls strictly and ``limit(n)`` does not fall.

    Then a Miner sum expresses the table, and doses given on one day count at least as much as on
    days of their own.

    Parameters, source and status as for `check_tolerance_table`.
    """
    return all(
        high / more < low / fewer and high >= low
        for (fewer, low), (more, high) in pairwise(zip(fractions, limits_gy, strict=True))
    )


def safe_envelope(
    fractions: Sequence[float], limits_gy: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the largest table below a published one that `falls`.

    With ``t(n) = min over m ≥ n of limit(m)``, ``limit'(n) = n·min over m ≤ n of t(m)/m``. Whatever
    keeps it keeps every row of the published table. Equal doses per fraction are set 1e-9 apart,
    upward, as little as a limit is judged, so that the table falls strictly.

    Parameters
    ----------
    fractions, limits_gy
        Fraction numbers, increasing, and limits on the total dose in Gy, shape (rows,) each.

    Returns
    -------
    tuple
        Fraction numbers and limits, (rows,) each.

    Notes
    -----
    Own construction. Status: derived.
    """
    doses: list[float] = []
    totals = np.minimum.accumulate(np.array(limits_gy, dtype=np.float64)[::-1])[::-1].tolist()
    for number, limit in zip(fractions, totals, strict=True):
        doses.append(min([limit / number, *doses[-1:]]))
    for i in range(len(doses) - 2, -1, -1):
        if doses[i] <= doses[i + 1]:
            doses[i] = doses[i + 1] * (1 + TIE)
    pairs = zip(fractions, doses, strict=True)
    return tuple(fractions), tuple(number * dose for number, dose in pairs)


@lru_cache(maxsize=1024)
def safe_table(
    fractions: tuple[float, ...], limits_gy: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a table that falls as it is, another one as its `safe_envelope`."""
    if falls(fractions, limits_gy):
        return fractions, limits_gy
    return safe_envelope(fractions, limits_gy)


def limit_of(
    count: ArrayLike, fractions: Sequence[float], limits_gy: Sequence[float]
) -> FloatArray:
    """Return the total dose in Gy that a table allows in a number of equal fractions.

    Between rows the smaller of both neighbors; beyond the last row its limit; 0 below the first.

    Parameters
    ----------
    count
        Fraction numbers, ≥ 1, any shape.
    fractions, limits_gy
        The table, shape (rows,) each.

    Returns
    -------
    FloatArray
        Gy, same shape.

    Notes
    -----
    The published rows themselves; between them own, on the safe side where tolerance does not fall
    with the number of fractions. Status: derived.
    """
    limits = np.array([0.0, *limits_gy])
    number = np.asarray(count, dtype=np.float64)
    below = np.searchsorted(fractions, number, side="right")
    above = np.searchsorted(fractions, number, side="left") + 1
    both = np.minimum(limits[below], limits[np.minimum(above, len(limits) - 1)])
    return np.where(below == 0, 0.0, both)


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
