"""What every forward model of a case's schedules says of itself, takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.simulation.inputs import (
    CTLA4_TARGETS,
    PD1_TARGETS,
    beyond_horizon,
    drugs_of,
    several_a_day,
)

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule


LOG_CELL_CM3 = float(np.log(1e-9))
"""ln of the volume of one cell in cm³ (10⁶ cells in 1 mm³, as in Rauf 2025 and Gonzalez-Crespo)."""


@dataclass(frozen=True)
class Simulated:
    """Several schedules in one model.

    Parameters
    ----------
    log_burden
        ln of the visible burden over its value on day 0, shape (schedules, days + 1); ``None``
        where the model has no tumor. Over several tumors or animals it is a weighted mean, so its
        exponential is a geometric mean.
    effect
        Immune log kill in nats up to each horizon, shape (schedules, horizons), or ``None``.
    score
        What the model ranks by, higher is better, shape (schedules,): minus ``log_burden`` on the
        last day, or what the model's ``score_name`` says.
    responders
        Share of tumors and animals without visible tumor on the last day, shape (schedules,), or
        ``None``.
    """

    log_burden: FloatArray | None
    effect: FloatArray | None
    score: FloatArray
    responders: FloatArray | None = None


Reasons = Callable[["Instance", "Schedule"], list[str]]
Forward = Callable[["Instance", Sequence["Schedule"]], Simulated]


@dataclass(frozen=True)
class Model:
    """A published model in the case's own currency.

    Parameters
    ----------
    name, source, status
        Short name, where equations and numbers come from, how well they are known.
    scale
        ``mouse`` or ``patient``.
    validity
        Range outside which a schedule is refused, in words.
    represents, leaves_out
        What of a case enters, and what does not, in words.
    targets
        Targets of the drugs that enter.
    score_name, score_unit, against
        What ``score`` is; ``against`` names the surrogate's number that it is compared with:
        ``objective`` or ``nadir``.
    impossible
        Reasons why the equations do not take a schedule at all.
    outside
        Reasons why a schedule that they take is outside the stated range.
    forward
        The simulation itself, without any check of range.
    """

    name: str
    source: str
    status: str
    scale: str
    validity: str
    represents: str
    leaves_out: str
    impossible: Reasons
    outside: Reasons
    forward: Forward
    targets: tuple[str, ...] = PD1_TARGETS + CTLA4_TARGETS
    score_name: str = "burden score"
    score_unit: str = "nat"
    against: str = "objective"

    def refusals(self, instance: Instance, schedule: Schedule) -> list[str]:
        """Reasons why a schedule is outside the range of the model; none if it is inside."""
        return [*self.impossible(instance, schedule), *self.outside(instance, schedule)]

    def run(
        self, instance: Instance, schedules: Sequence[Schedule], *, beyond_validity: bool = False
    ) -> Simulated:
        """Simulate schedules, all at once.

        Parameters
        ----------
        instance, schedules
            The case and at least one schedule of it.
        beyond_validity
            Whether to run schedules outside the stated range; those that the equations do not take
            are refused all the same.

        Raises
        ------
        ValueError
            No schedule, or one that is refused, with the reasons.
        """
        if not schedules:
            raise ValueError("no schedule to simulate")
        check = self.impossible if beyond_validity else self.refusals
        for schedule in schedules:
            reasons = check(instance, schedule)
            if reasons:
                raise ValueError(f"{self.name}: {'; '.join(reasons)}")
        return self.forward(instance, schedules)

    def unrepresented(self, instance: Instance, schedules: Sequence[Schedule]) -> list[str]:
        """Drugs of these schedules that the model knows nothing of, sorted."""
        drugs = {i.drug for schedule in schedules for i in schedule.infusions}
        represented = {name for s in schedules for name in drugs_of(instance, s, self.targets)}
        return sorted(drugs - represented)


def one_a_day(instance: Instance, schedule: Schedule) -> list[str]:
    """Refuse several fractions of a lesion on one day, and events after the last horizon."""
    reasons = []
    if several_a_day(schedule):
        reasons.append("several fractions of a lesion on one day")
    if beyond_horizon(instance, schedule):
        reasons.append(f"an event outside the horizon of {instance.days} days")
    return reasons + [
        f"techniques of {lesion.name} that irradiate different parts of it"
        for lesion in instance.lesions
        if _different_parts(lesion, schedule)
    ]


def _different_parts(lesion: Lesion, schedule: Schedule) -> bool:
    """Whether fractions of a lesion reach different shares of some clone."""
    ways = [lesion.way(name) for name in set(schedule.techniques(lesion.name))]
    return any(len({way.share_of(c.name) for way in ways}) > 1 for c in lesion.populations)


def at_most(highest_gy: float) -> Reasons:
    """Refuse a dose per fraction above the model's highest."""

    def reasons(_: Instance, schedule: Schedule) -> list[str]:
        highest = max((f.dose_gy for f in schedule.fractions), default=0.0)
        if highest <= highest_gy:
            return []
        return [f"{highest:g} Gy per fraction, above {highest_gy:g} Gy"]

    return reasons


def none(_: Instance, __: Schedule) -> list[str]:
    """Refuse nothing."""
    return []


def visible(instance: Instance) -> list[int]:
    """Indices of the lesions that have a volume; occult disease has none."""
    return [i for i, lesion in enumerate(instance.lesions) if lesion.volume_cm3 is not None]


def needs_volume(instance: Instance, _: Schedule) -> list[str]:
    """Refuse a case in which no lesion has a volume."""
    return [] if visible(instance) else ["no lesion has a volume"]


def log_burden(log_viable: FloatArray, doomed_cm3: FloatArray) -> FloatArray:
    """Return ln of the visible volume, with a tumor of less than one cell gone for good.

    Parameters
    ----------
    log_viable
        ln of the viable volume in cm³, shape (..., days + 1).
    doomed_cm3
        Doomed volume in cm³, same shape.

    Returns
    -------
    FloatArray
        At least ln of one cell, same shape.

    Notes
    -----
    Source: the published equations are continuous and let a tumor grow again from a billionth of a
    cell; the third-party code of Gonzalez-Crespo rounds less than half a cell to none. Status: the
    rule and its use in the other models are derived.
    """
    eradicated = np.minimum.accumulate(log_viable, axis=-1) < LOG_CELL_CM3
    with np.errstate(divide="ignore"):
        total = np.logaddexp(
            np.where(eradicated, -np.inf, log_viable), np.log(np.maximum(doomed_cm3, 0.0))
        )
    return np.asarray(np.maximum(total, LOG_CELL_CM3))


def logarithm(volume_cm3: FloatArray) -> FloatArray:
    """Return ln of a volume in cm³, minus infinity for none."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(volume_cm3))


def at_horizons(instance: Instance, daily_nats: FloatArray) -> FloatArray:
    """Return the sum of the days before each horizon, (..., days) to (..., horizons)."""
    total = np.cumsum(daily_nats, axis=-1)
    return total[..., [day - 1 for day in instance.horizon_days]]
