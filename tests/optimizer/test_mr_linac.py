"""Patients 1-8 of Perez Haas et al. 2023: the engine against the exact continuous optimum."""

import json
from pathlib import Path

import pytest

from abscopt.instances import load
from abscopt.optimizer import solve

PATIENTS = {
    patient["id"]: patient
    for patient in json.loads(
        (Path(__file__).parent / "adaptive_fractionation_2023_patients_1_8.json").read_text()
    )["patients"]
}


@pytest.mark.parametrize("patient", sorted(PATIENTS))
def test_dose_grid_costs_less_than_two_hundredths_of_a_gray(patient: int) -> None:
    result = solve(load(f"mr-linac-{patient}"))

    exact = PATIENTS[patient]["exact_BED10"]
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.bound is not None
    assert exact - 0.02 <= result.objective <= exact + 1e-4
    assert result.bound <= exact + 1e-4 + result.requested_gap


@pytest.mark.parametrize("patient", sorted(PATIENTS))
def test_case_states_the_published_sparing_factors(patient: int) -> None:
    lesion = load(f"mr-linac-{patient}").lesions[0]
    factors = [lesion.sparing_factor("oar", "max", day, lesion.ways[0]) for day in range(5)]
    assert factors == PATIENTS[patient]["delta"]
