"""Drugs that were given: amounts in the body, sensitizing windows that are open, doses counted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.regimens import relative_dose
from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import pharmacokinetics
from abscopt.optimizer.evaluation.systemic import (
    Relative,
    SystemicState,
    kinetics,
    state_of,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Infusion

Infusions = tuple["Infusion", ...]


@dataclass(frozen=True)
class DrugLevel:
    """An antibody on the evening before today.

    Attributes
    ----------
    elapsed_days : since its first dose, which changes its clearance
    amounts_mg : in the central and in the peripheral compartment
    """

    elapsed_days: int
    amounts_mg: tuple[float, float]


@dataclass(frozen=True)
class DrugsCarried:
    """What drugs doses_mg before today still do.

    Attributes
    ----------
    levels : of antibodies
    windows : chemotherapy doses that sensitize some day from today on, (day, reference doses)
    counted : per chemotherapy drug the reference doses before each horizon
    lymphocyte_log_loss : by chemotherapy
    greatest_occupancy : of PD-(L)1 so far
    mobilized : precursors mobilized per precursor so far, summed over days
    """

    levels: dict[str, DrugLevel]
    windows: dict[str, Relative]
    counted: dict[str, tuple[float, ...]]
    lymphocyte_log_loss: float
    greatest_occupancy: float
    mobilized: float


def no_drugs(instance: Instance) -> DrugsCarried:
    """Nothing was given."""
    return DrugsCarried({}, {}, {}, 0.0, 0.0, 0.0)


def after_drugs(
    instance: Instance, before: DrugsCarried, infusions: Infusions, days: tuple[int, int]
) -> tuple[SystemicState, DrugsCarried]:
    """What drugs do on some days, and what is left of them on the morning after.

    Parameters
    ----------
    infusions : on these days
    days : the first, and the one after the last
    """
    doses = _by_drug(infusions)
    agents, levels = [], {}
    for name in sorted({*before.levels, *doses}):
        if instance.drugs[name].kind == "checkpoint_inhibitor":
            level, levels[name] = _levels(instance, name, before, doses.get(name, []), days)
            agents.append((instance.drugs[name], level))
    chemotherapy = {
        name: before.windows.get(name, ())
        + tuple((day, relative_dose(instance, name, mg)) for day, mg in doses.get(name, []))
        for name in sorted({*before.windows, *doses})
        if instance.drugs[name].kind == "chemotherapy"
    }
    state = state_of(instance, agents, chemotherapy)
    occupancy = state.occupancy.copy()
    occupancy[: days[0]] = before.greatest_occupancy
    state = replace(state, occupancy=occupancy)
    return state, _left(instance, before, levels, state, days)


def _left(
    instance: Instance,
    before: DrugsCarried,
    levels: dict[str, DrugLevel],
    state: SystemicState,
    days: tuple[int, int],
) -> DrugsCarried:
    begin, end = days
    windows, counted, lost = {}, {}, before.lymphocyte_log_loss
    for name, of_drug in state.chemotherapy.items():
        drug = instance.drugs[name]
        windows[name] = tuple(dose for dose in of_drug if dose[0] + drug.sensitizing_days > end)
        new_doses = [dose for dose in of_drug if dose[0] >= begin]
        earlier = before.counted.get(name, (0.0,) * len(instance.horizon_days))
        counted[name] = tuple(
            number + sum(share for day, share in new_doses if day < horizon)
            for number, horizon in zip(earlier, instance.horizon_days, strict=True)
        )
        lost += drug.lymphocyte_log_loss_per_dose * sum(share for _, share in new_doses)
    return DrugsCarried(
        levels=levels,
        windows=windows,
        counted=counted,
        lymphocyte_log_loss=lost,
        greatest_occupancy=float(state.occupancy[:end].max(initial=before.greatest_occupancy)),
        mobilized=before.mobilized + float(state.mobilization[begin:end].sum()),
    )


def _by_drug(infusions: Infusions) -> dict[str, list[tuple[int, float]]]:
    doses: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for infusion in infusions:
        doses[infusion.drug].append((infusion.day, infusion.dose_mg))
    return doses


def _levels(
    instance: Instance,
    name: str,
    before: DrugsCarried,
    doses: list[tuple[int, float]],
    days: tuple[int, int],
) -> tuple[FloatArray, DrugLevel]:
    """(days of the case,) mg/L from the first of some days on, and the level on the morning after.

    Later days go on without further doses.
    """
    drug, (begin, end) = instance.drugs[name], days
    assert drug.central_volume_l
    level = before.levels.get(name)
    if level is None:
        first = min(day for day, _ in doses)
        level = DrugLevel(-1, (0.0, 0.0))
        begin = first
    doses_mg = np.zeros(instance.days - begin)
    for day, milligrams in doses:
        doses_mg[day - begin] += milligrams
    amounts = pharmacokinetics.amounts(
        doses_mg, level.amounts_mg, level.elapsed_days, **kinetics(drug)
    )
    concentration = np.zeros(instance.days)
    concentration[begin:] = amounts[:, 0] / drug.central_volume_l
    last = end - 1 - begin
    if last < 0:  # no day at all
        return concentration, level
    amounts_left = float(amounts[last, 0]), float(amounts[last, 1])
    return concentration, DrugLevel(level.elapsed_days + last + 1, amounts_left)
