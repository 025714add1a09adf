"""NTCP against the published tables, its inverses, and the modifiers."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.organs import ntcp

QUANTEC = (-3.87, 0.126)
BELDERBOS = {"td50_gy": 47.0, "m": 0.36}
SEPPENWOOLDE = {"td50_gy": 30.8, "m": 0.374}

doses = st.floats(0.0, 80.0)
probabilities = st.floats(1e-9, 1.0 - 1e-9)
ratios = st.floats(0.2, 5.0)


@pytest.mark.parametrize(("dose", "percent"), [(13, 9.7), (20, 20.6), (24, 30.0), (27, 38.5)])
def test_quantec_pneumonitis(dose: float, percent: float) -> None:
    risk = ntcp.logistic(dose, *QUANTEC)
    assert 100.0 * risk == pytest.approx(percent, abs=0.0501)
    assert risk == pytest.approx(1.0 / (1.0 + math.exp(3.87 - 0.126 * dose)), rel=1e-13)


def test_quantec_half_dose() -> None:
    assert ntcp.dose_at_logistic(0.5, *QUANTEC) == pytest.approx(30.714, abs=5e-4)
    assert ntcp.logistic(3.87 / 0.126, *QUANTEC) == pytest.approx(0.5, rel=1e-14)


@pytest.mark.parametrize("model", [BELDERBOS, SEPPENWOOLDE])
@pytest.mark.parametrize("dose", [0.0, 10.0, 20.0, 34.0, 60.0])
def test_lkb_is_the_probit(model: dict[str, float], dose: float) -> None:
    normal = NormalDist(model["td50_gy"], model["m"] * model["td50_gy"])
    assert ntcp.lkb(dose, **model) == pytest.approx(normal.cdf(dose), rel=1e-12)
    assert ntcp.lkb(model["td50_gy"], **model) == 0.5
    assert ntcp.dose_at_lkb(0.2, **model) == pytest.approx(normal.inv_cdf(0.2), rel=1e-13)


def test_lkb_by_the_normal_table() -> None:
    """One and two standard deviations off, and a tail that cancellation would lose."""
    offsets = np.array([-8.0, -2.0, -1.0, 1.0, 2.0])
    risk = ntcp.lkb(47.0 * (1.0 + 0.36 * offsets), **BELDERBOS)
    expected = [6.220961e-16, 0.02275013, 0.1586553, 0.8413447, 0.9772499]
    np.testing.assert_allclose(risk, expected, rtol=3e-7)


def test_seppenwoolde_at_twenty_gray() -> None:
    """(20 − 30.8)/(0.374·30.8) = −0.93757 standard deviations."""
    assert ntcp.lkb(20.0, **SEPPENWOOLDE) == pytest.approx(0.17423, abs=5e-5)


def test_extreme_doses_neither_overflow_nor_warn() -> None:
    np.testing.assert_array_equal(ntcp.logistic([-1e6, 1e6], *QUANTEC), [0.0, 1.0])
    np.testing.assert_array_equal(ntcp.lkb([-1e6, 1e6], **BELDERBOS), [0.0, 1.0])


def test_inverses_at_the_ends() -> None:
    ends = [0.0, 0.01, 1.0, 1.5]
    for dose in (ntcp.dose_at_logistic(ends, *QUANTEC), ntcp.dose_at_lkb(ends, 47.0, 0.6)):
        assert dose[0] == -np.inf
        assert -np.inf < dose[1] < 0.0
        assert np.all(dose[2:] == np.inf)
    assert np.isnan(ntcp.dose_at_lkb(np.nan, **BELDERBOS))
    assert np.isnan(ntcp.dose_at_logistic(np.nan, *QUANTEC))


@given(probabilities, st.floats(-8.0, 2.0), st.floats(0.01, 1.0))
def test_logistic_inverse(probability: float, intercept: float, slope: float) -> None:
    dose = ntcp.dose_at_logistic(probability, intercept, slope)
    assert ntcp.logistic(dose, intercept, slope) == pytest.approx(probability, rel=1e-10)
    assert ntcp.logistic(dose + 1e-3, intercept, slope) > probability


@given(probabilities, st.floats(5.0, 80.0), st.floats(0.03, 0.8))
def test_lkb_inverse(probability: float, td50: float, m: float) -> None:
    dose = ntcp.dose_at_lkb(probability, td50, m)
    assert ntcp.lkb(dose, td50, m) == pytest.approx(probability, rel=1e-7)
    assert ntcp.lkb(dose + 0.01, td50, m) > probability


@given(doses, st.floats(0.01, 20.0))
def test_risk_is_a_probability_that_rises_with_dose(dose: float, extra: float) -> None:
    for low, high in (
        ntcp.logistic([dose, dose + extra], *QUANTEC),
        ntcp.lkb([dose, dose + extra], **BELDERBOS),
    ):
        assert 0.0 < low < high < 1.0


def test_models_broadcast() -> None:
    dose = np.array([[10.0], [20.0]])
    assert ntcp.logistic(dose, [-3.87, -3.0, -2.0], 0.126).shape == (2, 3)
    assert ntcp.lkb(dose, [47.0, 51.0, 30.8], [0.36, 0.32, 0.374]).shape == (2, 3)
    assert ntcp.dose_at_lkb(dose / 100.0, [47.0, 51.0, 30.8], 0.3).shape == (2, 3)


def test_geud_by_hand() -> None:
    assert ntcp.geud([10.0, 30.0], [3.0, 1.0], 1.0) == pytest.approx(15.0, rel=1e-14)
    assert ntcp.geud([10.0, 30.0], [3.0, 1.0], 0.5) == pytest.approx(math.sqrt(300.0), rel=1e-14)
    assert ntcp.geud([4.0, 9.0], [50.0, 50.0], 2.0) == pytest.approx(6.25, rel=1e-14)
    expected = (0.2 * 60.0 ** (1 / 0.69) + 0.8 * 10.0 ** (1 / 0.69)) ** 0.69
    assert ntcp.geud([60.0, 10.0], [0.2, 0.8], 0.69) == pytest.approx(expected, rel=1e-13)


def test_geud_of_no_dose_and_of_tiny_exponents() -> None:
    np.testing.assert_array_equal(ntcp.geud([[0.0, 0.0], [7.0, 7.0]], [1, 3], 0.7), [0.0, 7.0])
    assert ntcp.geud([70.0, 76.0], [0.5, 0.5], 1e-3) == pytest.approx(76.0 * 0.5**1e-3, rel=1e-12)


doses = st.one_of(st.just(0.0), st.floats(1e-6, 80.0))  # no dose so small that digits are lost
histograms = st.lists(st.tuples(doses, st.floats(0.01, 100.0)), min_size=1, max_size=8)


@given(histograms, st.floats(0.02, 1.0), st.floats(0.5, 9.0))
def test_geud_lies_between_the_mean_and_the_maximum(
    histogram: list[tuple[float, float]], n: float, unit: float
) -> None:
    dose, volume = np.array(histogram).T
    equivalent = float(ntcp.geud(dose, volume, n))
    mean = float(dose @ volume / volume.sum())
    assert mean * (1 - 1e-10) <= equivalent <= dose.max() * (1 + 1e-10)
    assert ntcp.geud(dose, unit * volume, n) == pytest.approx(equivalent, rel=1e-10)
    assert ntcp.geud(2.0 * dose, volume, n) == pytest.approx(2.0 * equivalent, rel=1e-10)


@pytest.mark.parametrize(
    ("with_blockade", "without", "ratio"),
    [
        (94 / 475, 33 / 234, 1.40),
        (0.339, 0.248, 1.37),
        (0.034, 0.026, 1.31),
        (27 / 51, 20 / 55, 1.46),
    ],
    ids=["PACIFIC G2+", "PACIFIC any", "PACIFIC G3-4", "Jang G2+"],
)
def test_blockade_risk_ratios(with_blockade: float, without: float, ratio: float) -> None:
    assert ntcp.modified(without, with_blockade / without) == pytest.approx(with_blockade)
    assert ntcp.modified(without, ratio) == pytest.approx(with_blockade, abs=0.005 * without)
    assert ntcp.base_probability(with_blockade, ratio) == pytest.approx(without, rel=0.005)


def test_carboplatin_paclitaxel_odds() -> None:
    """Odds 1:4 become 3.33:4 (Palma 2013)."""
    assert ntcp.modified(0.2, odds_ratio=3.33) == pytest.approx(3.33 / 7.33, rel=1e-14)
    assert ntcp.modified(0.2, 1.4, 3.33) == pytest.approx(1.4 * 3.33 / 7.33, rel=1e-14)
    assert ntcp.modified(0.6, 2.0, 3.33) == 1.0


def test_a_cap_that_cannot_be_exceeded() -> None:
    assert ntcp.base_probability(1.0, 1.4, 3.33) == 1.0
    assert ntcp.base_probability(2.0, 9.0, 3.33) == 1.0
    assert ntcp.base_probability(0.7, 0.6, 3.33) == 1.0
    assert ntcp.base_probability(0.7, 1.4, 1.0) == pytest.approx(0.5, rel=1e-14)
    np.testing.assert_array_equal(ntcp.base_probability([0.0, 1.0], 1.4), [0.0, 1.0])


@given(st.floats(0.0, 1.0))
def test_without_modifiers_nothing_changes(probability: float) -> None:
    assert ntcp.modified(probability) == probability
    assert ntcp.base_probability(probability) == probability


@given(probabilities, ratios, ratios)
def test_modifiers_act_on_the_log_odds(probability: float, risk: float, odds: float) -> None:
    log_odds = math.log(probability) - math.log1p(-probability) + math.log(odds)
    expected = min(1.0, risk / (1.0 + math.exp(-log_odds)))
    assert ntcp.modified(probability, risk, odds) == pytest.approx(expected, rel=1e-9)


@given(probabilities, ratios, ratios)
def test_base_probability_is_the_largest_that_keeps_the_cap(
    cap: float, risk: float, odds: float
) -> None:
    base = float(ntcp.base_probability(cap, risk, odds))
    assert 0.0 <= base <= 1.0
    reached = ntcp.modified(base, risk, odds)
    if base == 1.0:
        assert reached <= cap * (1 + 1e-12)
    else:
        assert reached == pytest.approx(cap, rel=1e-9)
    if base < 0.999:
        assert ntcp.modified(base * (1 + 1e-6), risk, odds) > cap


@given(probabilities, probabilities, ratios, ratios)
def test_modified_risk_is_a_probability_that_rises(
    one: float, other: float, risk: float, odds: float
) -> None:
    low, high = ntcp.modified(sorted((one, other)), risk, odds)
    assert 0.0 <= low <= high * (1 + 1e-14)
    assert high <= 1.0
