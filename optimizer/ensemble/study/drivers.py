"""Which parameter drives the value: Sobol' indices of groups of coordinates.

With A and B two independent samples of the unit cube (n points each) and AB_i sample A with the
coordinates of key i taken from B, `scipy.stats.sobol_indices` estimates for each key the part of
the variance that it explains alone (first order) and with all others (total). All coordinates of a
key are exchanged together, so that a key with one draw for each lesion has one index. Intervals:
95 % of resamples of the n points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.ensemble.drawn import sobol_points
from abscopt.optimizer.ensemble.draws import Draws
from abscopt.optimizer.evaluation import Judge

if TYPE_CHECKING:
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.schedule import Schedule

RESAMPLES = 200
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Driver:
    """Sobol' indices of one key or choice for one quantity, each with its 95 % interval."""

    quantity: str
    parameter: str
    first: float
    first_low: float
    first_high: float
    total: float
    total_low: float
    total_high: float


def drivers(
    ensemble: Ensemble,
    schedule: Schedule,
    standard: Schedule | None,
    points: int,
    seed: int = 0,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Driver, ...]:
    """Indices of the schedule's objective, and of its gain over the standard regimen.

    Parameters
    ----------
    points : n, a power of two; (keys + 2) n parameter sets are judged
    tick : called before each parameter set with how many are done, and of how many

    Raises
    ------
    InputError
        If members are listed or keys correlated: the indices are defined for independent draws.
    """
    bare, stated = ensemble.case, ensemble.stated
    if stated is None or stated.members or stated.correlations:
        rule = "indices need independent draws: an ensemble of `vary` and `choices`, uncorrelated"
        raise InputError([Problem(bare.name, "ensemble", "--drivers", rule)])
    if points < 4 or points & (points - 1):
        raise InputError([Problem(bare.name, "--drivers", str(points), "must be 4, 8, 16, ...")])
    draws = Draws(bare, stated)
    groups = _groups(draws)
    both = sobol_points(points, 2 * len(draws.dimensions), seed)
    first, second = np.split(both, 2, axis=1)
    samples = [first, second]
    for columns in groups.values():
        mixed = first.copy()
        mixed[:, columns] = second[:, columns]
        samples.append(mixed)
    total = points * len(samples)
    schedules = [schedule] if standard is None else [schedule, standard]
    values = np.zeros((len(samples), len(schedules), points))
    for i, sample in enumerate(samples):
        for j, point in enumerate(sample):
            tick(i * points + j, total)
            judge = Judge(bare.with_(draws.changes(point)))
            values[i, :, j] = [judge.evaluate(x).objective for x in schedules]
    if standard is not None:
        values[:, 1] = values[:, 0] - values[:, 1]
    return _indices(values, list(groups), seed)


def _groups(draws: Draws) -> dict[str, list[int]]:
    """Coordinates of each key and choice."""
    groups: dict[str, list[int]] = {}
    for i, dimension in enumerate(draws.dimensions):
        if dimension.choice is not None:
            label = draws.stated.choices[dimension.choice].name
        else:
            assert dimension.spread is not None
            label = draws.stated.vary[dimension.spread].key
        groups.setdefault(label, []).append(i)
    return groups


def _indices(values: FloatArray, parameters: list[str], seed: int) -> tuple[Driver, ...]:
    """Indices of values (samples, quantities, n): samples are A, B and AB of each parameter."""
    points = values.shape[2]
    spread = np.ptp(values[:2], axis=(0, 2)) > 1e-12
    quantities = [name for name, moves in zip(("value", "gain"), spread, strict=False) if moves]
    values = values[:, spread]
    if not quantities:
        return ()
    estimates = _estimate(values)
    random = np.random.default_rng(seed)
    again = [_estimate(values[:, :, random.integers(0, points, points)]) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(np.array(again), LEVELS, axis=0)
    return tuple(
        Driver(
            quantity,
            parameter,
            *(float(x[0, q, p]) for x in (estimates, low, high)),
            *(float(x[1, q, p]) for x in (estimates, low, high)),
        )
        for q, quantity in enumerate(quantities)
        for p, parameter in enumerate(parameters)
    )


def _estimate(values: FloatArray) -> FloatArray:
    """(2, quantities, parameters): first and total indices."""
    from scipy.stats import sobol_indices  # type: ignore[import-untyped]

    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without variance
        result = sobol_indices(
            func={"f_A": values[0], "f_B": values[1], "f_AB": values[2:]}, n=values.shape[2]
        )
    shape = (values.shape[1], len(values) - 2)
    return np.array([np.reshape(x, shape) for x in (result.first_order, result.total_order)])
