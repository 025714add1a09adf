"""The daily map of Cho 2023: exact identities, equilibrium, fold and published constants."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from abscopt.models.immunity import immune
from abscopt.models.simulators import cho

NO_MEMORY_2 = replace(cho.FIGURE_2, memory=0.0)
NO_MEMORY_3 = replace(cho.FIGURE_3, memory=0.0)
IRRADIATED = {"fig3": cho.FIGURE_3, "fig4-5": cho.FIGURES_4_5, "fig6": cho.FIGURE_6}


def log_kill(parameters: cho.Parameters, doses: np.ndarray) -> np.ndarray:
    radiosensitivity = parameters.radiosensitivity
    assert radiosensitivity is not None
    return -radiosensitivity.log_survival(doses)[0]


@pytest.mark.parametrize("parameters", IRRADIATED.values(), ids=IRRADIATED)
def test_t1_log_tumor_is_a_sum(parameters: cho.Parameters) -> None:
    rng = np.random.default_rng(1)
    doses = np.where(rng.random((40, 200)) < 0.08, rng.uniform(1.0, 12.0, (40, 200)), 0.0)
    drugs = rng.uniform(0.0, 4.0, (2, 40, 200))
    response = cho.simulate(parameters, doses, *drugs, tumor_cm3=0.2, lymphocytes=0.1)
    total = 200 * parameters.growth_per_day - log_kill(parameters, doses).sum(axis=-1)
    total -= (response.primary + response.secondary).sum(axis=-1)
    grown = response.log_viable[:, -1] - response.log_viable[:, 0]
    np.testing.assert_allclose(grown, total, rtol=0.0, atol=1e-10)


def balance(tumor: float, suppression: float, anti_pd1: float = 0.0) -> float:
    """Growth minus kill of an equilibrium, times 1 + κ·…"""
    p = cho.FIGURE_2
    per_tumor = p.infiltration / p.lymphocyte_loss_per_day
    resisted = suppression * per_tumor * tumor ** (5 / 3) / (1.0 + anti_pd1)
    return float(p.growth_per_day * (1.0 + resisted) - p.kill_per_lymphocyte * per_tumor * tumor)


@pytest.mark.parametrize(("suppression", "size"), [(0.012, 27.926), (0.010, 22.082)])
def test_t2_equilibrium(suppression: float, size: float) -> None:
    assert brentq(balance, 1.0, 36.0, args=(suppression,)) == pytest.approx(size, abs=1e-3)
    untreated = replace(NO_MEMORY_2, suppression=suppression)
    response = cho.simulate(untreated, np.zeros(1200), tumor_cm3=1e-3)
    assert response.viable_cm3[-1] == pytest.approx(size, abs=1e-3)
    equilibrium = response.lymphocytes[-1] * cho.FIGURE_2.lymphocyte_loss_per_day
    assert equilibrium == pytest.approx(cho.FIGURE_2.infiltration * size, abs=1e-3)


def test_t3_fold() -> None:
    critical, size = cho.escape_fold(cho.FIGURE_2)
    assert critical == pytest.approx(0.012599, abs=1e-6)
    assert size == pytest.approx(36.35, abs=5e-3)
    assert balance(float(size), float(critical)) == pytest.approx(0.0, abs=1e-12)
    suppression = np.array([0.0120, 0.0126, 0.01262, 0.0127])
    swept = replace(NO_MEMORY_2, suppression=suppression)
    response = cho.simulate(swept, np.zeros(1500), tumor_cm3=1e-3)
    np.testing.assert_array_equal(response.viable_cm3[:, -1] > 100.0, [False, False, True, True])


@pytest.mark.parametrize("blockade", [0.5, 1.0, 4.0])
def test_t3_anti_pd1_moves_the_fold_by_one_plus_its_level(blockade: float) -> None:
    critical, size = cho.escape_fold(cho.FIGURE_2)
    moved, same_size = cho.escape_fold(cho.FIGURE_2, blockade)
    assert moved == pytest.approx((1.0 + blockade) * critical, rel=1e-15)
    assert same_size == size
    suppression = moved * np.array([0.995, 1.005])
    swept = replace(NO_MEMORY_2, suppression=suppression)
    response = cho.simulate(swept, np.zeros(1500), blockade, tumor_cm3=1e-3)
    np.testing.assert_array_equal(response.viable_cm3[:, -1] > 100.0, [False, True])


@pytest.mark.parametrize(
    ("parameters", "size"),
    [(cho.FIGURE_2, 84.14), (cho.FIGURE_3, 1.3473), (cho.FIGURES_4_5, 0.42533)],
)
def test_t4_unlimited_lymphocytes_shrink_up_to_a_size(
    parameters: cho.Parameters, size: float
) -> None:
    p = parameters
    for blockade, factor in ((0.0, 1.0), (1.0, 2.8284), (4.0, 11.1803)):
        limit = immune.controllable_burden_cm3(
            p.kill_per_lymphocyte, blockade, p.suppression, p.growth_per_day
        )
        assert limit == pytest.approx(size * factor, rel=1e-4)
        response = cho.simulate(
            replace(p, memory=0.0),
            [0.0],
            blockade,
            tumor_cm3=limit * np.array([0.999, 1.001]),
            lymphocytes=1e9,
        )
        shrinks = response.log_viable[:, 1] < response.log_viable[:, 0]
        np.testing.assert_array_equal(shrinks, [True, False])


def test_t5_survival_table() -> None:
    doses = np.array([2.0, 5.0, 8.0, 10.0, 12.0, 20.0])
    tumor, lymphocytes = cho.Radiosensitivity(0.05, 0.0114).log_survival(doses)
    table = [0.8645, 0.5857, 0.3232, 0.1940, 0.1063, 0.00385]
    np.testing.assert_allclose(np.exp(tumor), table, atol=5.1e-5)
    digits = [f"{survival:.3g}" for survival in np.exp(lymphocytes[:3])]
    assert digits == ["0.392", "0.0113", "2.47e-05"]
    half = cho.Radiosensitivity(0.05, 0.0114).log_survival(np.array(1.655))[1]
    assert np.exp(half) == pytest.approx(0.5, abs=2e-4)


def test_t5_radiation_consumes_triggering_cells() -> None:
    dosed = cho.simulate(cho.FIGURES_4_5, [8.0], tumor_cm3=0.1, damaged_volume=0.75)
    activation = 1.0 - dosed.triggering[1] / np.exp(-0.182 * 8 - 0.143 * 64)
    assert activation == pytest.approx(0.468, abs=5.1e-4)
    arrived = 0.5 * 0.1 + 300 * activation * 0.1
    assert dosed.lymphocytes[1] == pytest.approx(arrived, rel=1e-12)


def test_t6_untreated() -> None:
    response = cho.simulate(NO_MEMORY_3, np.zeros(60), tumor_cm3=1e-3)
    table = [0.008709, 0.07159, 0.3971, 0.8686, 1.260, 2.068]
    for size, expected in zip(response.viable_cm3[10::10], table, strict=True):
        assert f"{size:.4g}" == f"{expected:.4g}"


def test_t7_secondary_response_is_the_activated_fraction() -> None:
    levels = np.array([[0.0], [1.0], [4.0], [20.0]])
    response = cho.simulate(
        cho.FIGURE_3, np.zeros((4, 1)), 0.0, levels, tumor_cm3=1.0, lymphocytes=2.0
    )
    share = response.secondary[:, 0] / (0.0314 * response.primary[:, 0])
    np.testing.assert_allclose(share, [1 / 5, 1 / 3, 5 / 9, 21 / 25], rtol=1e-14)


def test_one_day_by_hand() -> None:
    p = cho.FIGURES_4_5
    response = cho.simulate(
        p, [2.0], 1.0, 4.0, tumor_cm3=8.0, doomed_cm3=1.0, lymphocytes=3.0, triggering=0.5
    )
    kept, spared = np.exp(-0.1 - 0.0456), np.exp(-0.364 - 0.572)
    primary = 0.135 * 3.0 / (1.0 + 1.1 * 4.0 * 3.0 / 2.0)
    kill = primary * (1.0 + 0.0314 * 5 / 9)
    activation = np.tanh(1.0 - kept)
    assert response.viable_cm3[1] == pytest.approx(kept * 8.0 * np.exp(0.217 - kill), rel=1e-14)
    doomed = (1 - kept) * 8 * np.exp(0.217) + kept * 8 * np.exp(0.217) * (1 - np.exp(-kill))
    assert response.doomed_cm3[1] == pytest.approx(0.955 + doomed, rel=1e-14)
    attracted = 0.5 * 8.0 + 300 * activation * 0.5 * 8.0
    assert response.lymphocytes[1] == pytest.approx(0.955 * spared * 3.0 + attracted, rel=1e-14)
    assert response.triggering[1] == pytest.approx(
        (1 - activation) * (0.5 * spared + 0.5 * 0.045), rel=1e-14
    )
    assert response.burden_cm3[0] == pytest.approx(9.0)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_immune_response_is_monotone_in_drug_and_cells_are_never_negative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    doses = np.where(rng.random(40) < 0.1, 4.0, 0.0)
    level = np.array([[0.0], [0.5], [3.0]]) * np.ones(40)
    response = cho.simulate(replace(cho.FIGURE_3, memory=0.0), doses, level, tumor_cm3=0.3)
    assert np.all(np.diff(response.primary[:, :2], axis=0) >= 0.0)
    for trace in (response.doomed_cm3, response.lymphocytes, response.triggering):
        assert np.all(trace >= 0.0)
    assert np.all(response.triggering <= 1.0)


def test_batches_of_schedules_and_parameter_sets() -> None:
    rng = np.random.default_rng(3)
    doses = np.where(rng.random((5, 30)) < 0.2, 6.0, 0.0)
    suppression = np.array([0.2, 0.5, 1.1])[:, np.newaxis]
    sensitivity = cho.Radiosensitivity(np.array([0.05, 0.1, 0.2])[:, np.newaxis], 0.0114)
    swept = replace(cho.FIGURES_4_5, suppression=suppression, radiosensitivity=sensitivity)
    together = cho.simulate(swept, doses, tumor_cm3=0.2)
    assert together.burden_cm3.shape == (3, 5, 31)
    assert together.primary.shape == (3, 5, 30)
    one = replace(
        cho.FIGURES_4_5, suppression=1.1, radiosensitivity=cho.Radiosensitivity(0.2, 0.0114)
    )
    alone = cho.simulate(one, doses[4], tumor_cm3=0.2)
    np.testing.assert_allclose(together.log_viable[2, 4], alone.log_viable, rtol=1e-13)
    np.testing.assert_allclose(together.lymphocytes[2, 4], alone.lymphocytes, rtol=1e-12)


def test_no_days_is_the_start() -> None:
    response = cho.simulate(cho.FIGURE_3, np.zeros((2, 0)), tumor_cm3=[1.0, 2.0])
    np.testing.assert_allclose(response.burden_cm3, [[1.0], [2.0]])
    assert response.primary.shape == (2, 0)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no radiosensitivity"):
        cho.simulate(cho.FIGURE_2, [0.0, 2.0], tumor_cm3=1.0)
    with pytest.raises(ValueError, match="dose_gy must be finite"):
        cho.simulate(cho.FIGURE_3, [np.nan], tumor_cm3=1.0)
    with pytest.raises(ValueError, match="dose_gy needs an axis"):
        cho.simulate(cho.FIGURE_3, 2.0, tumor_cm3=1.0)
    with pytest.raises(ValueError, match="anti_pd1 has 3 days, dose_gy 2"):
        cho.simulate(cho.FIGURE_3, [0.0, 2.0], [1.0] * 3, tumor_cm3=1.0)
    with pytest.raises(ValueError, match="tumor_cm3"):
        cho.simulate(cho.FIGURE_3, [2.0], tumor_cm3=0.0)
