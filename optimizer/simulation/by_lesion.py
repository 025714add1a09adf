"""What models with one tumor per lesion have in common: rows, means over lesions, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.simulation.inputs import PD1_TARGETS, drugs_of
from abscopt.optimizer.simulation.model import needs_volume, one_a_day

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule


def distinct_rows(dose: FloatArray, drugs: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the different (drugs, dose) rows, and the row of each schedule and lesion."""
    schedules, lesions, _ = dose.shape
    repeated = np.broadcast_to(drugs[:, np.newaxis], (schedules, lesions, drugs.shape[1]))
    joined = np.concatenate([repeated, dose], axis=2).reshape(schedules * lesions, -1)
    rows, back = np.unique(joined, axis=0, return_inverse=True)
    return rows, back.reshape(schedules, lesions)


def over_lesions(values: FloatArray, back: NDArray[np.intp], weight: FloatArray) -> FloatArray:
    """Return the weighted mean over lesions, (rows, ...) to (schedules, ...)."""
    return np.asarray(np.einsum("l,sl...->s...", weight, values[back]))


def lesion_weights(instance: Instance, sites: list[int]) -> FloatArray:
    """Return the weights in the case of some lesions, adding up to 1."""
    weight = np.array([instance.lesions[site].weight for site in sites])
    return np.asarray(weight / weight.sum())


def in_part(instance: Instance, schedule: Schedule) -> list[str]:
    """Refuse a lesion of which only a part is irradiated, and events that have no daily array."""
    reasons = [*one_a_day(instance, schedule), *needs_volume(instance, schedule)]
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    partly = sorted(
        {
            f.lesion
            for f in schedule.fractions
            for lesion in [lesions[f.lesion]]
            for way in [lesion.way(f.technique)]
            if any(way.share_of(clone.name) < 1.0 for clone in lesion.populations)
        }
    )
    return reasons + [f"only a part of {name} is irradiated" for name in partly]


def one_inhibitor(instance: Instance, schedule: Schedule) -> list[str]:
    """Refuse what `in_part` does, and two PD-(L)1 inhibitors."""
    names = drugs_of(instance, schedule, PD1_TARGETS)
    several = [f"more than one PD-(L)1 inhibitor: {', '.join(names)}"] if len(names) > 1 else []
    return in_part(instance, schedule) + several
