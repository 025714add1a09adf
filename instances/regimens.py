"""Infusions of a regimen: cycles, days and milligrams for this patient."""

from __future__ import annotations

from abscopt.instances.schema import Instance, Patient


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
    count = regimen.max_cycles if cycles is None else min(cycles, regimen.max_cycles)
    found = []
    for cycle in range(count):
        for dose in regimen.doses:
            day = start_day + cycle * regimen.cycle_days + dose.day
            if day < instance.days:
                milligrams = dose_in_mg(dose.amount, dose.unit, instance.patient)
                found.append((dose.drug, day, milligrams))
    return tuple(sorted(found, key=lambda item: (item[1], item[0])))
