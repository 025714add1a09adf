"""What all drugs of a schedule do, day by day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from abscopt.instances.regimens import relative_dose
from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import ctla4, immune, lymphocytes, pharmacokinetics
from abscopt.models.tumor import chemotherapy

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import Drug, Phase
    from abscopt.optimizer.schedule import Infusion

Doses = dict[str, list[tuple[int, float]]]
Agents = list[tuple["Drug", FloatArray]]
Relative = tuple[tuple[int, float], ...]
"""(day, reference doses) of the infusions of one drug."""


class Kinetics(TypedDict):
    """Keywords of `pharmacokinetics.concentrations`."""

    clearance_l_per_day: float
    central_volume_l: float
    intercompartmental_l_per_day: float
    peripheral_volume_l: float
    clearance_emax: float
    clearance_t50_days: float | None
    clearance_hill: float | None


@dataclass(frozen=True)
class SystemicState:
    """Daily effect of the drugs; arrays of shape (days,).

    `chemotherapy` gives day and relative dose of every infusion of each chemotherapy drug.
    """

    occupancy: FloatArray
    ctla4_bound: FloatArray
    mobilization: FloatArray
    priming_factor: FloatArray
    effect_factor: FloatArray
    relief: FloatArray
    precursor_survival: FloatArray
    sensitizer: FloatArray
    effect_weights: FloatArray
    chemotherapy_log_loss: float
    chemotherapy: dict[str, Relative]


def systemic_state(instance: Instance, infusions: tuple[Infusion, ...]) -> SystemicState:
    """Occupancy, phases of the immune response, sensitization and lymphocyte weights.

    Several PD-(L)1 inhibitors leave unblocked the product of what each leaves unblocked;
    concentrations of several CTLA-4 inhibitors add in units of their EC50; drugs that name a
    phase combine by the case's rule; sensitizer enhancement ratios multiply on shared days.
    """
    doses: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for infusion in infusions:
        doses[infusion.drug].append((infusion.day, infusion.dose_mg))
    return state_of(instance, _immune_agents(instance, doses), _chemotherapy(instance, doses))


def state_of(instance: Instance, agents: Agents, by_drug: dict[str, Relative]) -> SystemicState:
    """The same of drugs with their daily concentrations, and doses of chemotherapy."""
    constants = instance.immune
    occupancy, ratio = _occupancy(instance, agents), _ctla4_ratio(instance, agents)
    bound = ctla4.bound(ratio)
    mobilization = np.minimum(
        immune.mobilization(
            occupancy,
            constants.mobilization_per_day,
            constants.blockade_mobilization_per_day,
            bound,
            constants.ctla4_mobilization_per_day,
        )
        * _phase(instance, agents, "mobilization"),
        1.0 - constants.precursor_loss_per_day,
    )
    return SystemicState(
        occupancy=occupancy,
        ctla4_bound=bound,
        mobilization=mobilization,
        priming_factor=ctla4.priming_factor(ratio, constants.ctla4_threshold)
        * _phase(instance, agents, "priming"),
        effect_factor=(1.0 + constants.blockade_effect * occupancy)
        * _phase(instance, agents, "effector")
        * lymphocytes.count_factor(
            instance.lymphocytes.initial_1e9_per_l,
            constants.count_reference_1e9_per_l,
            constants.count_exponent,
        ),
        relief=_phase(instance, agents, "suppression"),
        precursor_survival=_precursor_survival(instance, by_drug),
        sensitizer=_sensitizer(instance, by_drug),
        effect_weights=lymphocytes.effect_weights(
            mobilization, instance.lymphocytes.recovery_half_time_days
        ),
        chemotherapy_log_loss=sum(
            instance.drugs[name].lymphocyte_log_loss_per_dose * relative
            for name, of_drug in by_drug.items()
            for _, relative in of_drug
        ),
        chemotherapy=by_drug,
    )


def _immune_agents(instance: Instance, doses: Doses) -> Agents:
    """(drug, daily concentration) of every immune agent given, by name."""
    return [
        (instance.drugs[name], concentration(instance, instance.drugs[name], doses[name]))
        for name in sorted(doses)
        if instance.drugs[name].kind == "checkpoint_inhibitor"
    ]


def concentration(instance: Instance, drug: Drug, doses: list[tuple[int, float]]) -> FloatArray:
    """(days,) concentration in mg/L of a drug given on some days, in (day, mg)."""
    return pharmacokinetics.concentrations(
        instance.days,
        [day for day, _ in doses],
        [milligrams for _, milligrams in doses],
        **kinetics(drug),
    )


def kinetics(drug: Drug) -> Kinetics:
    """Constants of the two compartments."""
    assert drug.clearance_l_per_day and drug.central_volume_l
    assert drug.intercompartmental_clearance_l_per_day and drug.peripheral_volume_l
    return {
        "clearance_l_per_day": drug.clearance_l_per_day,
        "central_volume_l": drug.central_volume_l,
        "intercompartmental_l_per_day": drug.intercompartmental_clearance_l_per_day,
        "peripheral_volume_l": drug.peripheral_volume_l,
        "clearance_emax": drug.clearance_emax,
        "clearance_t50_days": drug.clearance_t50_days,
        "clearance_hill": drug.clearance_hill,
    }


def _bound(drug: Drug, concentration: FloatArray) -> FloatArray:
    assert drug.ec50_mg_per_l
    return pharmacokinetics.occupancy(concentration, drug.ec50_mg_per_l, drug.occupancy_hill)


def _occupancy(instance: Instance, agents: Agents) -> FloatArray:
    """Share of PD-1 that the PD-(L)1 inhibitors without a phase block."""
    unblocked = np.ones(instance.days)
    for drug, concentration in agents:
        if drug.phase is None and drug.target in ("PD-1", "PD-L1"):
            unblocked = unblocked * (1.0 - _bound(drug, concentration))
    return 1.0 - unblocked


def _ctla4_ratio(instance: Instance, agents: Agents) -> FloatArray:
    """Concentration in units of the EC50 of the CTLA-4 inhibitors without a phase."""
    ratio = np.zeros(instance.days)
    for drug, concentration in agents:
        if drug.phase is None and drug.target == "CTLA-4":
            assert drug.ec50_mg_per_l
            ratio = ratio + concentration / drug.ec50_mg_per_l
    return ratio


def _phase(instance: Instance, agents: Agents, phase: Phase) -> FloatArray:
    """Joint factor of the drugs that act on one phase."""
    effects = []
    for drug, concentration in agents:
        if drug.phase == phase:
            assert drug.sign is not None and drug.strength is not None
            effects.append(drug.sign * drug.strength * _bound(drug, concentration))
    joint = immune.combined(effects, instance.immune.combination)
    return np.array(np.broadcast_to(joint, (instance.days,)))


def _chemotherapy(instance: Instance, doses: Doses) -> dict[str, Relative]:
    return {
        name: tuple((day, relative_dose(instance, name, gave)) for day, gave in doses[name])
        for name in sorted(doses)
        if instance.drugs[name].kind == "chemotherapy"
    }


def _sensitizer(instance: Instance, by_drug: dict[str, Relative]) -> FloatArray:
    ratio = np.ones(instance.days)
    for name, of_drug in by_drug.items():
        drug = instance.drugs[name]
        ratio = ratio * chemotherapy.sensitizer_enhancement(
            instance.days,
            [day for day, _ in of_drug],
            drug.sensitizer_enhancement_ratio,
            drug.sensitizing_days,
            [relative for _, relative in of_drug],
        )
    return ratio


def _precursor_survival(instance: Instance, by_drug: dict[str, Relative]) -> FloatArray:
    spared = np.ones(instance.days)
    for name, of_drug in by_drug.items():
        loss = instance.drugs[name].precursor_log_loss_per_dose
        days, relative = [day for day, _ in of_drug], [share for _, share in of_drug]
        spared = spared * chemotherapy.precursor_survival(instance.days, days, loss, relative)
    return spared
