"""LQ and LQ-L against published tables, 40 identities, and the laws of the curve."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor import lq

IDENTITIES = json.loads((Path(__file__).parent / "bed_identities.json").read_text())
doses = st.floats(0.0, 40.0)
ratios = st.floats(0.5, 25.0)
transitions = st.floats(0.5, 20.0)


def test_there_are_forty_identities() -> None:
    assert len(IDENTITIES) == 40


@pytest.mark.parametrize("row", IDENTITIES, ids=lambda row: f"{row['D']}/{row['n']}")
def test_bed_identity(row: dict[str, float]) -> None:
    dose = row["D"] / row["n"]
    for ratio in (10, 3, 2, 20):
        total = row["n"] * lq.bed(dose, ratio)
        assert total == pytest.approx(row[f"BED{ratio}"], abs=5.1e-7)
    for ratio in (10, 3):
        total = lq.eqd2(row["n"] * lq.bed(dose, ratio), ratio)
        assert total == pytest.approx(row[f"EQD2_{ratio}"], abs=5.1e-7)


@pytest.mark.parametrize(
    ("number", "dose", "ratio", "transition", "expected"),
    [
        (3, 18, 10, 10, 132.0),
        (3, 18, 10, None, 151.2),
        (3, 18, 10, 8.6, 124.692),
        (3, 18, 10, 20, 151.2),
        (3, 18, 3, 6, 234.0),
        (3, 18, 3, None, 378.0),
        (5, 11, 10, 10, 115.0),
        (5, 11, 10, None, 115.5),
        (5, 11, 3, 6, 215.0),
        (5, 11, 3, None, 256.6667),
        (1, 34, 10, 10, 92.0),
    ],
)
def test_linear_tail_examples(
    number: int, dose: float, ratio: float, transition: float | None, expected: float
) -> None:
    assert number * lq.bed(dose, ratio, transition) == pytest.approx(expected, abs=5e-5)


def test_published_cord_table() -> None:
    dose = np.array([2.0, 6.0, 10.0, 15.0])
    number = 60.0 / dose
    tail = lq.eqd2(number * lq.bed(dose, 2.0, 4.0), 2.0)
    plain = lq.eqd2(number * lq.bed(dose, 2.0), 2.0)
    np.testing.assert_allclose(tail, [60, 110, 126, 134], rtol=1e-12)
    np.testing.assert_allclose(plain, [60, 120, 180, 255], rtol=1e-12)


def test_cho_survival_table() -> None:
    dose = np.array([2.0, 5.0, 8.0, 10.0, 12.0, 20.0])
    tumor = lq.survival(dose, 0.05, 0.05 / 0.0114)
    np.testing.assert_allclose(tumor[:5], [0.8645, 0.5857, 0.3232, 0.1940, 0.1063], atol=5e-5)
    assert tumor[5] == pytest.approx(0.00385, abs=5e-6)
    lymphocytes = lq.survival(dose[:3], 0.182, 0.182 / 0.143)
    assert lymphocytes[0] == pytest.approx(0.392, abs=5e-4)
    assert lymphocytes[1] == pytest.approx(0.0113, abs=5e-5)
    assert lymphocytes[2] == pytest.approx(2.47e-5, abs=5e-8)
    assert lq.survival(1.655, 0.182, 0.182 / 0.143) == pytest.approx(0.5, abs=2e-4)
    damaged = np.tanh((1.0 - tumor[2]) * 0.75)
    assert damaged == pytest.approx(0.468, abs=5e-4)


@pytest.mark.parametrize(
    ("number", "dose", "kill"),
    [(5, 2, 1.752), (3, 4, 2.453), (2, 5, 2.190), (1, 5, 1.095), (1, 7, 1.737), (1, 10, 2.920)],
)
def test_kosinsky_log_kill(number: int, dose: float, kill: float) -> None:
    assert number * lq.log_kill(dose, 0.146, 10.0) == pytest.approx(kill, abs=5.1e-4)


def test_hytec_cord_limits_are_one_bed2_cap() -> None:
    number = np.arange(1, 6)
    total = number * lq.bed(np.array([12.4, 17.0, 20.3, 23.0, 25.3]) / number, 2.0)
    np.testing.assert_allclose(total, [89.3, 89.2, 89.0, 89.1, 89.3], atol=0.0501)
    assert total.max() / total.min() < 1.004
    assert 25 * lq.bed(2.0, 2.0) == pytest.approx(100.0, rel=1e-14)


def test_sensitizer_acts_on_the_linear_term_only() -> None:
    assert lq.log_kill(2.0, 0.3, 10.0, ser=1.2) == pytest.approx(0.3 * (1.2 * 2.0 + 0.4))
    assert lq.bed(20.0, 10.0, 10.0, ser=1.5) == pytest.approx(30.0 + 30.0)


def test_arguments_broadcast() -> None:
    kill = lq.log_kill(np.ones((4, 1)), 0.3, np.array([3.0, 10.0]), transition_gy=[2.0, 0.5])
    assert kill.shape == (4, 2)
    np.testing.assert_allclose(kill[2], [0.3 * (1 + 1 / 3), 0.3 * (1 + 0.75 / 10)])


@given(doses, doses, ratios, transitions)
def test_bed_rises_with_dose(one: float, other: float, ratio: float, transition: float) -> None:
    low, high = sorted((one, other))
    assert lq.bed(low, ratio, transition) <= lq.bed(high, ratio, transition)


@given(doses, ratios, transitions)
def test_tail_never_adds_and_is_plain_below_the_transition(
    dose: float, ratio: float, transition: float
) -> None:
    tail, plain = lq.bed(dose, ratio, transition), lq.bed(dose, ratio)
    assert tail <= plain * (1 + 1e-14)
    if dose <= transition:
        assert tail == plain


@given(transitions)
def test_tail_is_the_tangent(transition: float) -> None:
    step = 1e-3 * transition
    above = lq.quadratic_dose(transition + step, transition)
    assert above == pytest.approx(transition**2 + 2 * transition * step, rel=1e-13)
    twice = lq.quadratic_dose(transition + 2 * step, transition)
    assert twice - above == pytest.approx(2 * transition * step, rel=1e-9)


@given(st.lists(doses, min_size=1, max_size=6), ratios)
def test_survival_multiplies_where_kill_adds(fractions: list[float], ratio: float) -> None:
    kill = lq.log_kill(fractions, 0.03, ratio).sum()
    assert np.prod(lq.survival(fractions, 0.03, ratio)) == pytest.approx(np.exp(-kill), rel=1e-10)


@given(st.floats(0.0, 200.0), ratios)
def test_eqd2_returns_its_bed(total: float, ratio: float) -> None:
    dose = lq.eqd2(total, ratio)
    assert dose / 2.0 * lq.bed(2.0, ratio) == pytest.approx(total, rel=1e-12)


def test_only_the_single_fraction_lower_hytec_value_is_on_the_cap() -> None:
    """The published range for one fraction is 12.4-14.0 Gy; 14.0 Gy is 25 % above the cap."""
    assert lq.bed([12.4, 14.0], 2.0) == pytest.approx([89.28, 112.0], rel=1e-12)


def test_incomplete_repair_acts_on_the_quadratic_term_only() -> None:
    assert lq.bed(2.0, 10.0, ser=1.2, repair_factor=1.5) == pytest.approx(2.4 + 0.6)
    assert lq.bed(20.0, 10.0, 10.0, repair_factor=1.5) == pytest.approx(20.0 + 45.0)
    kill = lq.log_kill(2.0, 0.3, 10.0, repair_factor=[1.0, 2.0])
    np.testing.assert_allclose(kill, [0.72, 0.84])
    left = lq.survival(2.0, 0.3, 10.0, repair_factor=[1.0, 2.0])
    np.testing.assert_allclose(left, np.exp([-0.72, -0.84]))


@given(doses, ratios, transitions, st.floats(1.0, 2.0))
def test_complete_repair_changes_no_bit(
    dose: float, ratio: float, transition: float, ser: float
) -> None:
    plain = ser * dose + lq.quadratic_dose(dose, transition) / ratio
    assert lq.bed(dose, ratio, transition, ser) == plain
    assert lq.log_kill(dose, 0.3, ratio, transition, ser) == 0.3 * plain
    assert lq.survival(dose, 0.3, ratio, transition, ser) == np.exp(-(0.3 * plain))


@given(doses, ratios, st.floats(1.0, 3.0), st.floats(0.01, 2.0))
def test_worse_repair_never_kills_less(
    dose: float, ratio: float, factor: float, more: float
) -> None:
    low, high = lq.log_kill(dose, 0.3, ratio, repair_factor=[factor, factor + more])
    assert low <= high
    assert low >= lq.log_kill(dose, 0.3, ratio) * (1 - 1e-14)


def test_partial_irradiation_spares_its_share() -> None:
    left = lq.partial_survival([0.0, 0.25, 1.0], 0.8)
    np.testing.assert_allclose(left, [0.2, 0.4, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(lq.partial_survival([0.1, 0.7], [0.0, 1.0]), [1.0, 0.7])


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_partial_survival_is_never_below_the_irradiated_one(left: float, share: float) -> None:
    whole = lq.partial_survival(left, share)
    assert left - 1e-15 <= whole <= 1.0 + 1e-15
    assert whole >= 1.0 - share


def test_reoxygenation() -> None:
    factor = lq.oxygen_modification([0.0, 5.0, 10.0, 40.0], 1.7, 10.0)
    np.testing.assert_allclose(factor, [1.7, 1.35, 1.0, 1.0], rtol=1e-14)
    np.testing.assert_array_equal(lq.oxygen_modification([0.0, 99.0], 1.7, None), [1.7, 1.7])
    batch = lq.oxygen_modification([[0.0], [3.0]], [1.0, 1.7, 2.0], None)
    np.testing.assert_array_equal(batch, [[1.0, 1.7, 2.0]] * 2)


@given(st.floats(0.0, 60.0), st.floats(0.0, 10.0), st.floats(1.0, 3.0), st.floats(1.0, 40.0))
def test_hypoxia_only_wanes(day: float, later: float, factor: float, reoxygenation: float) -> None:
    before, after = lq.oxygen_modification([day, day + later], factor, reoxygenation)
    assert 1.0 <= after <= before <= factor * (1 + 1e-15)


def test_hypoxia_divides_alpha_and_the_square_of_the_dose() -> None:
    """d → d/OMF is α → α/OMF, β → β/OMF²."""
    factor = float(lq.oxygen_modification(0.0, 1.7, 10.0))
    modified = lq.log_kill(8.0 / factor, 0.3, 10.0)
    assert modified == pytest.approx(0.3 / 1.7 * 8.0 + 0.03 / 1.7**2 * 64.0, rel=1e-13)


def test_nested_beams_by_hand() -> None:
    """A boost to 0.3 of the volume inside a beam to 0.7 of it: three layers."""
    kill, share = np.array([2.0, 1.5]), np.array([0.3, 0.7])
    expected = 0.3 * math.exp(-3.5) + 0.4 * math.exp(-1.5) + 0.3
    assert lq.nested_survival(kill, share) == pytest.approx(expected)
    assert lq.nested_survival(kill[::-1], share[::-1]) == pytest.approx(expected)
    assert lq.nested_log_kill(kill, share) == pytest.approx(-math.log(expected))


def test_one_nested_beam_is_partial_and_all_of_the_volume_is_the_sum() -> None:
    kill = np.array([[0.5], [3.0]])
    assert lq.nested_survival(kill, [0.6]) == pytest.approx(
        lq.partial_survival(np.exp(-kill[:, 0]), 0.6)
    )
    assert lq.nested_log_kill([700.0, 800.0], [1.0, 1.0]) == pytest.approx(1500.0)
