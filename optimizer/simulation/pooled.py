"""The whole disease as one tumor of several parts: the daily map of Cho 2023."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.simulators import cho
from abscopt.optimizer.simulation.inputs import Inputs, daily_inputs
from abscopt.optimizer.simulation.model import (
    Model,
    Simulated,
    at_horizons,
    log_burden,
    needs_volume,
    none,
    one_a_day,
    visible,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

START_CM3 = 0.1
"""Volume of the pooled tumor on day 0, without lymphocytes: mouse-scale, the size to which the
tumors of the paper's figures grow in three weeks. Status: assumed."""


def simulate_pooled(
    instance: Instance,
    schedules: Sequence[Schedule],
    parameters: cho.Parameters = cho.FIGURES_4_5,
    start_cm3: float = START_CM3,
) -> Simulated:
    """Simulate schedules of a case in which every lesion with a volume is part of one tumor.

    Parameters
    ----------
    instance, schedules
        The case and its schedules.
    parameters
        A published set.
    start_cm3
        Volume of all parts together on day 0; the parts keep the shares of the lesions' volumes.

    Returns
    -------
    Simulated
        Effect: sum of ``Z_p + Z_s`` over the days before each horizon.

    Raises
    ------
    ValueError
        A schedule that has no daily arrays (`inputs.daily_inputs`).
    """
    inputs = daily_inputs(instance, schedules)
    dose, share = parts_of(instance, inputs)
    undivided = dose.shape[1] == 1
    response = cho.simulate(
        parameters,
        dose[:, 0] if undivided else dose,
        inputs.anti_pd1,
        inputs.anti_ctla4,
        tumor_cm3=start_cm3,
        part_shares=None if undivided else share,
    )
    burden = log_burden(response.log_viable, response.doomed_cm3) - math.log(start_cm3)
    effect = at_horizons(instance, response.primary + response.secondary)
    return Simulated(burden, effect, -burden[:, -1])


def parts_of(instance: Instance, inputs: Inputs) -> tuple[FloatArray, FloatArray]:
    """Return dose (schedules, parts, days) and share of the volume (schedules, parts).

    One part per lesion with a volume, and one for all that techniques leave out of the beam.
    """
    sites = visible(instance)
    volumes = np.array([instance.lesions[site].volume_cm3 for site in sites], dtype=np.float64)
    volumes /= volumes.sum()
    inside = volumes * inputs.irradiated_share[:, sites]
    dose = inputs.dose_gy[:, sites]
    outside = (volumes - inside).sum(axis=1, keepdims=True)
    if not np.any(outside > 0.0):
        return dose, inside
    unirradiated = np.zeros_like(dose[:, :1])
    return np.concatenate([dose, unirradiated], axis=1), np.concatenate([inside, outside], axis=1)


def _model(name: str, figures: str, parameters: cho.Parameters, growth: str) -> Model:
    return Model(
        name=name,
        source=f"Cho, Yoon, Suh and Scott 2023, doi:10.1088/1361-6560/ace819, {figures}",
        status=(
            "equations and numbers verified in third-party code; several parts and the start "
            "volume derived or assumed"
        ),
        scale="mouse",
        validity="no range of dose is stated",
        represents=(
            f"a {growth} tumor of {START_CM3:g} cm3 whose parts are the lesions in the shares of "
            "their volumes; LQ kill of tumor and immune cells, anti-PD-(L)1, anti-CTLA-4"
        ),
        leaves_out=(
            "lesions without a volume, the case's own sensitivity, growth and immunogenicity, "
            "chemotherapy, other targets, lymphocytes of the blood"
        ),
        impossible=lambda instance, schedule: [
            *one_a_day(instance, schedule),
            *needs_volume(instance, schedule),
        ],
        outside=none,
        forward=partial(simulate_pooled, parameters=parameters),
    )


CHO = _model("cho", "parameters of figures 4 and 5", cho.FIGURES_4_5, "fast growing")
CHO_SLOW = _model("cho-slow", "parameters of figure 6", cho.FIGURE_6, "slowly growing")
