"""The fit of local control: its file and page are what the script says of the list of figures."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import benchmark_scripts
import numpy as np
import pytest
from scipy.stats import binom

from abscopt.instances.load import library
from abscopt.models.tumor.outcome import control_probability
from abscopt.models.tumor.population import sensitivity_factors


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return benchmark_scripts.script("local_control")


def test_the_fit_is_that_of_the_figures_and_no_held_out_study_is_in_it(script: ModuleType) -> None:
    document, _ = script.stored()
    assert document["sha256_of_fitted_figures"] == script.digest(), "fit again: see the script"
    assert not any(study.held_out for study in script.training())
    assert document["status"] == "calibrated"


def test_the_stored_parameters_have_the_stored_likelihood(script: ModuleType) -> None:
    document, at = script.stored()
    fit = script.Fit(script.rows_of_all(script.training(), script.Structure()), script.Structure())
    logs = np.log([document["parameters"][name]["value"] for name in fit.names])
    assert fit.parameters(logs).alpha_per_gy == pytest.approx(at.alpha_per_gy)
    assert -fit.loss(logs) == pytest.approx(document["penalized_log_likelihood"], abs=0.01)
    for place in range(len(logs)):
        for step in (-0.1, 0.1):
            aside = logs + step * (np.arange(len(logs)) == place)
            assert fit.loss(aside) > fit.loss(logs)


def test_the_page_shows_what_the_parameters_predict(script: ModuleType) -> None:
    document, at = script.stored()
    page = benchmark_scripts.script("local_control_page")
    text = page.PAGE.read_text(encoding="utf-8")
    for name, lines in page.blocks(document, at, script.Structure()).items():
        block = text.partition(f"<!-- {name}: begin -->")[2].partition("<!-- ")[0]
        assert block.strip().splitlines() == lines, "run the script without arguments"


def test_the_engine_says_the_same_for_good(script: ModuleType) -> None:
    """With these constants on a lesion, its own few factors of alpha give the same control."""
    document, at = script.stored()
    model = benchmark_scripts.script("local_control_model")
    structure = script.Structure()
    rows = script.rows_of_all(script.training(), structure)
    late = model.predicted(rows, at, structure, np.zeros(1), years=1e4)[:, 0]
    factors, weights = sensitivity_factors(at.alpha_cv)
    for row, expected in zip(rows, late, strict=True):
        kill = at.alpha_per_gy[row.group] * factors * row.dose_gy
        left = math.log(document["clonogens"][row.group]) + row.repopulated - kill
        assert float(control_probability(left) @ weights) == pytest.approx(expected, abs=0.015)


def test_repeated_studies_scatter_as_binomials_do(script: ModuleType) -> None:
    """Alike studies of one figure: the share within 5 points is a sum of binomial probabilities."""
    _, at = script.stored()
    model = benchmark_scripts.script("local_control_model")
    reachable = benchmark_scripts.script("local_control_reachable")
    structure = script.Structure()
    alike = replace(at, study_spread=0.0)
    studies = [study for study in script.training() if len(study.fitted) == 1]
    assert len(studies) >= 5
    drawn = reachable.repeated(studies, [5.0] * len(studies), alike, structure, 20_000)
    for column, study in zip(drawn.points.T, studies, strict=True):
        (row,) = model.rows_of(study, structure)
        chance = float(model.predicted([row], alike, structure, np.zeros(1))[0, 0])
        number = round(row.at_risk)
        counts = np.arange(number + 1)
        near = np.abs(counts / number - chance) <= 0.05
        expected = float(binom.pmf(counts, number, chance)[near].sum())
        assert np.mean(np.abs(column) <= 5.0) == pytest.approx(expected, abs=0.015)
        assert column.mean() == pytest.approx(0.0, abs=0.5)


def test_lesions_lost_at_one_time_stay_lost(script: ModuleType) -> None:
    """Figures of one arm do not rise with time; differences between studies widen them."""
    _, at = script.stored()
    model = benchmark_scripts.script("local_control_model")
    reachable = benchmark_scripts.script("local_control_reachable")
    structure = script.Structure()
    (study,) = (one for one in script.training() if one.id == "japan-2020-lung-metastases")
    widths = [5.0] * len(study.fitted)
    drawn = reachable.repeated([study], widths, at, structure, 2_000)
    alike = reachable.repeated([study], widths, replace(at, study_spread=0.0), structure, 2_000)
    rows = model.rows_of(study, structure)
    means = model.predicted(rows, at, structure, model.STUDIES) @ model.normal_weights(
        model.STUDIES
    )
    shares = drawn.points + 100.0 * means
    assert np.all(np.diff(shares, axis=1) <= 1e-9)
    assert np.all(drawn.points.std(axis=0) > 2.0 * alike.points.std(axis=0))


ENTRIES = {
    "lung primary": "lung_primary",
    "stage III": "stage3_nsclc",
    "visceral metastasis": "visceral_metastasis",
    "colorectal metastasis": "colorectal_metastasis",
    "bone, spine, nodes": "bone_or_node_metastasis",
}
"""Tumors of the library by group of the fit."""


@pytest.mark.parametrize("group", ENTRIES)
def test_the_library_has_the_fitted_control(group: str, script: ModuleType) -> None:
    document, _ = script.stored()
    model, entry = (
        benchmark_scripts.script("local_control_model"),
        library("tumors")[ENTRIES[group]],
    )
    alpha, spread = document["parameters"][group], document["parameters"]["alpha_cv"]
    assert entry["status"] == document["status"] == "calibrated"
    for key, fitted in (("alpha_per_gy", alpha), ("alpha_cv", spread)):
        assert entry[key] == round(fitted["value"], 2)
        assert f"({fitted['low']:.2f}-{fitted['high']:.2f})" in entry["note"]
    density, volume = model.GROUPS[group]
    assert entry["clonogens_per_cm3"] == density
    assert density * volume == document["clonogens"][group]
    assert entry["repopulation_doubling_time_days"] == model.REPOPULATION_DOUBLING_DAYS
    assert entry["kick_off_days"] == model.KICK_OFF_DAYS
