"""What every simulator takes and returns: inputs per day, a tumor over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray

Value = float | FloatArray
"""A parameter: one number, or an array that broadcasts against the leading axes of the inputs."""


@dataclass(frozen=True)
class Trajectory:
    """Tumor at the start of each day, before the fraction and the drugs of that day.

    Parameters
    ----------
    viable_cm3, doomed_cm3
        Volume that can still grow and volume that is dying, shape (..., days + 1).
    """

    viable_cm3: FloatArray
    doomed_cm3: FloatArray

    @property
    def burden_cm3(self) -> FloatArray:
        """Visible volume, viable and doomed, shape (..., days + 1)."""
        return self.viable_cm3 + self.doomed_cm3


def daily(dose_gy: ArrayLike, **drugs: ArrayLike) -> list[FloatArray]:
    """Return the dose and the drugs as arrays of one number of days.

    Parameters
    ----------
    dose_gy
        Dose of the fraction of each day in Gy, shape (..., days).
    **drugs
        Any other inputs per day, shape (..., days), or one number for all days.

    Returns
    -------
    list of FloatArray
        Day first, shape (days, ...), in the order given; the leading axes are not broadcast.

    Raises
    ------
    ValueError
        No axis of days, another number of days, or a number that is negative or not finite.

    Notes
    -----
    Source: none, the interface of this package. Status: derived.
    """
    inputs = {"dose_gy": dose_gy, **drugs}
    dose = np.asarray(dose_gy, dtype=np.float64)
    if not dose.ndim:
        raise ValueError("dose_gy needs an axis of days")
    arrays = []
    for name, value in inputs.items():
        array = np.asarray(value, dtype=np.float64)
        if not np.all((array >= 0.0) & (array < np.inf)):
            raise ValueError(f"{name} must be finite and not negative")
        if array.ndim == 0:
            array = np.full(dose.shape[-1], array)
        if array.shape[-1] != dose.shape[-1]:
            raise ValueError(f"{name} has {array.shape[-1]} days, dose_gy {dose.shape[-1]}")
        arrays.append(np.ascontiguousarray(np.moveaxis(array, -1, 0)))
    return arrays


def batch_of(parameters: object, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the broadcast shape of the fields of a parameter set and of other shapes.

    Notes
    -----
    Source: none, the interface of this package. Status: derived.
    """
    return np.broadcast_shapes(*shapes, *(np.shape(value) for value in vars(parameters).values()))


def treated_days(*inputs: FloatArray) -> list[int]:
    """Return the days on which any schedule has something of day-first inputs, ascending.

    Notes
    -----
    Source: none, the interface of this package. Status: derived.
    """
    given = [np.flatnonzero(array.any(axis=tuple(range(1, array.ndim)))) for array in inputs]
    return sorted({day for days in given for day in days.tolist()})


def stacked(*traces: list[FloatArray]) -> list[FloatArray]:
    """Return lists of one array per day as arrays of one shape (..., days), days last.

    Notes
    -----
    Source: none, the interface of this package. Status: derived.
    """
    batch = np.broadcast_shapes(*(state.shape for trace in traces for state in trace))
    return [
        np.stack([np.broadcast_to(state, batch) for state in trace], axis=-1)
        if trace
        else np.empty((*batch, 0))
        for trace in traces
    ]
