"""Infusions of a regimen: cycles, days and milligrams for this patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.schema import Instance, Patient
from abscopt.models.tumor import chemotherapy

if TYPE_CHECKING:
    from abscopt.instances.tables.systemic import Regimen, RegimenDose


def dose_in_mg(amount: float, unit: str, patient: Patient) -> float:
    """Convert mg, mg/kg, mg/m2 or a carboplatin AUC to mg.

    AUC uses Calvert's formula, dose = AUC (GFR + 25) (J Clin Oncol 1989;7:1748; recalled).
    """
    if unit == "mg":
        return amount
    if unit == "mg_per_kg":
        return amount * patient.weight_kg
    if unit == "mg_per_m2":
        return amount * patient.bsa_m2
    if unit == "auc":
        return amount * (patient.gfr_ml_per_min + 25.0)
    raise ValueError(f"unknown dose unit {unit!r}")


def infusions(
    instance: Instance, regimen_name: str, start_day: int, cycles: int | None = None
) -> tuple[tuple[str, int, float], ...]:
    """(drug, day, mg) of every infusion of a regimen before the last horizon, in order of day.

    Parameters
    ----------
    cycles : number of cycles; None for the regimen's maximum
    """
    regimen = instance.regimens[regimen_name]
    count = regimen.all_cycles if cycles is None else min(cycles, regimen.all_cycles)
    found = []
    for begin, doses in regimen.cycles_in_order(count):
        for dose in doses:
            day = start_day + begin + dose.day
            if day < instance.days:
                milligrams = dose_in_mg(dose.amount, dose.unit, instance.patient)
                found.append((dose.drug, day, milligrams))
    return tuple(sorted(found, key=lambda item: (item[1], item[0])))


def places_of_doses(name: str, regimen: Regimen) -> Iterator[tuple[str, RegimenDose]]:
    """(place in a file, infusion) of one cycle of each sort."""
    for i, dose in enumerate(regimen.doses):
        yield f"regimens.{name}.doses[{i}]", dose
    for j, phase in enumerate(regimen.then):
        for i, dose in enumerate(phase.doses):
            yield f"regimens.{name}.then[{j}].doses[{i}]", dose


def reference_mg(instance: Instance, drug: str) -> tuple[float, float] | None:
    """Range in mg of the doses at which a drug's effects per dose are known; None if unknown.

    Those that the drug states, else those of the case's regimens.
    """
    stated = instance.drugs[drug].reference_doses
    known = stated or [
        dose
        for regimen in instance.regimens.values()
        for dose in regimen.every_dose
        if dose.drug == drug
    ]
    milligrams = [dose_in_mg(dose.amount, dose.unit, instance.patient) for dose in known]
    return (min(milligrams), max(milligrams)) if milligrams else None


def relative_dose(instance: Instance, drug: str, given_mg: float) -> float:
    """A dose of chemotherapy in reference doses; 1 where the drug has no effect per dose.

    Raises
    ------
    ValueError
        If the drug has effects per dose, and no dose is known at which they hold.
    """
    if not instance.drugs[drug].acts_by_dose:
        return 1.0
    known = reference_mg(instance, drug)
    if known is None:
        raise ValueError(f"{drug}: {NO_REFERENCE}")
    return chemotherapy.relative_dose(given_mg, *known)


NO_REFERENCE = "its effects per dose need reference_doses, or a regimen that gives it"


def dose_problem(instance: Instance, drug: str, given_mg: float) -> str | None:
    """Why the effects of a dose are not known; None where they are."""
    if not instance.drugs[drug].acts_by_dose:
        return None
    known = reference_mg(instance, drug)
    if known is None:
        return NO_REFERENCE
    if given_mg <= chemotherapy.MOST_RELATIVE * known[1] * (1 + 1e-9):
        return None
    least, greatest = (f"{milligrams:.4g}" for milligrams in known)
    span = least if least == greatest else f"{least} to {greatest}"
    return (
        f"the effect of {drug} is known at {span} mg per dose, and proportional to the dose up to "
        f"{chemotherapy.MOST_RELATIVE:g} times as much"
    )
