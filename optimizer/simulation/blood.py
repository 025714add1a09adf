"""Published laws of lymphocytes as models that rank schedules by what the blood keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.simulators import blood
from abscopt.optimizer.evaluation.limits import edric_gy
from abscopt.optimizer.simulation.model import Model, Simulated, none

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

MEASURED_FRACTIONS = (5, 20)
"""Least and greatest number of fractions in MacLennan 1978."""


def count_by_fractions(_: Instance, schedules: Sequence[Schedule]) -> Simulated:
    """Score: lymphocytes in 10⁹/L three months after as many fractions, whatever their dose."""
    numbers = [len(schedule.fractions) for schedule in schedules]
    return Simulated(None, None, blood.cranial_lymphocytes(numbers))


def minus_edric(instance: Instance, schedules: Sequence[Schedule]) -> Simulated:
    """Score: minus the estimated dose of radiation to immune cells in Gy."""
    return Simulated(None, None, 0.0 - np.array([edric_gy(instance, s) for s in schedules]))


def _extrapolated(_: Instance, schedule: Schedule) -> list[str]:
    number, (fewest, largest) = len(schedule.fractions), MEASURED_FRACTIONS
    return (
        []
        if fewest <= number <= largest
        else [f"{number} fractions, measured {fewest} to {largest}"]
    )


def _unstated(instance: Instance, schedule: Schedule) -> list[str]:
    if not schedule.fractions or edric_gy(instance, schedule) > 0.0:
        return []
    return ["the case states no dose to lungs, heart or body"]


MACLENNAN = Model(
    name="maclennan",
    source="MacLennan 1978, Cancer 41:108",
    status="counts verified in the abstract; law derived, two parameters from three points",
    scale="patient",
    validity="5 to 20 fractions of 24 Gy to the head in all",
    represents="the number of fractions of all lesions",
    leaves_out="dose, site, field, time, drugs, and the tumor",
    impossible=none,
    outside=_extrapolated,
    forward=count_by_fractions,
    targets=(),
    score_name="lymphocytes after three months",
    score_unit="1e9/L",
    against="nadir",
)

EDRIC = Model(
    name="edric",
    source="EDRIC: Jin's formula, Ladbury 2019; Jin 2021, doi:10.3390/cancers13246193",
    status="formula verified in code, not in the paper",
    scale="patient",
    validity="fitted to thoracic radiotherapy; no range is stated",
    represents="mean lung and heart dose, integral dose and number of fractions of the case",
    leaves_out="time, drugs, and the tumor",
    impossible=_unstated,
    outside=none,
    forward=minus_edric,
    targets=(),
    score_name="minus EDRIC",
    score_unit="Gy",
    against="nadir",
)
