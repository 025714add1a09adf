"""One mouse tumor per lesion under spaced pulses of radiation: the model behind Xing 2025."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.simulators import xing
from abscopt.optimizer.simulation.by_lesion import (
    distinct_rows,
    in_part,
    lesion_weights,
    over_lesions,
)
from abscopt.optimizer.simulation.inputs import PD1_TARGETS, daily_inputs
from abscopt.optimizer.simulation.model import (
    LOG_CELL_CM3,
    Model,
    Simulated,
    at_horizons,
    log_burden,
    visible,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

START_CM3 = 0.1
"""Volume of a tumor on day 0; the mice of the fit had 0.03 to 0.2 cm³ at their first fraction.
Status: derived (their start of 1.2 to 10 mm³ grown for 14 days); only extinction depends on it."""

DOSES_GY = (5.0, 15.0)
"""Doses per fraction that are accepted: the fit knows 10 Gy alone, and a fraction calls as many
T cells whatever its dose. Status: assumed."""


def simulate_xing(instance: Instance, schedules: Sequence[Schedule]) -> Simulated:
    """Simulate each lesion as one tumor; full receptor occupancy is the greatest drug level.

    Parameters
    ----------
    instance, schedules
        The case and its schedules.

    Returns
    -------
    Simulated
        Means over lesions by their weight in the case. Effect: sum of ``Z``. Responders: tumors of
        less than one cell.

    Raises
    ------
    ValueError
        A schedule that has no daily arrays.

    Notes
    -----
    ``p1 = 3·x/(1 + x)``, ``x`` the sum of concentration/EC50 over the PD-(L)1 inhibitors: the code
    of the model knows four infusions into mice only, whose level is capped at 3. Status: derived.
    """
    inputs = daily_inputs(instance, schedules)
    sites = visible(instance)
    rows, back = distinct_rows(inputs.dose_gy[:, sites], inputs.anti_pd1)
    anti_pd1, dose = np.split(rows, 2, axis=1)
    level = xing.HIGHEST_LEVEL * anti_pd1 / (1.0 + anti_pd1)
    response = xing.simulate(xing.Parameters(), dose, level, tumor_cm3=START_CM3)
    volume = log_burden(response.log_viable, response.doomed_cm3)
    eradicated = volume[:, -1] <= LOG_CELL_CM3
    weight = lesion_weights(instance, sites)
    burden = over_lesions(volume - volume[:, :1], back, weight)
    return Simulated(
        burden,
        at_horizons(instance, over_lesions(response.immune_kill, back, weight)),
        -burden[:, -1],
        over_lesions(eradicated.astype(np.float64), back, weight),
    )


def _doses(_: Instance, schedule: Schedule) -> list[str]:
    """Refuse doses per fraction far from that of the fit."""
    low, high = DOSES_GY
    outside = sorted({f.dose_gy for f in schedule.fractions if not low <= f.dose_gy <= high})
    if not outside:
        return []
    return [f"{outside[0]:g} Gy per fraction, outside {low:g} to {high:g} Gy"]


XING = Model(
    name="xing",
    source="github MLenaBleile/RPAI (a co-author of Xing 2025, doi:10.3934/mbe.2025044)",
    status="equations and constants verified in that code, not in the paper; drug level derived",
    scale="mouse",
    validity="5 to 15 Gy per fraction (fitted to 10 Gy)",
    represents=(
        "a tumor of 0.1 cm3 per lesion whose T cells come with its own fractions; PD-(L)1 "
        "inhibitors by their joint occupancy"
    ),
    leaves_out=(
        "any effect of one lesion on another, lesions without a volume, the case's own "
        "sensitivity and growth, immunity without radiation, anti-CTLA-4, chemotherapy, other "
        "targets, lymphocytes of the blood"
    ),
    impossible=in_part,
    outside=_doses,
    forward=simulate_xing,
    targets=PD1_TARGETS,
)
