"""The immune terms one by one, and the trace against plain convolution."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abscopt.models.immunity import ctla4, immune, recursion
from abscopt.models.tumor import lq

days = st.integers(1, 25)


@pytest.mark.parametrize(
    ("blockade", "suppression", "kill", "growth", "burden", "digits"),
    [
        (0.0, 0.012, 0.05, 0.217, 84.14, 5.1e-3),
        (0.0, 0.51, 0.135, 0.217, 1.3473, 5.1e-5),
        (0.0, 1.1, 0.135, 0.217, 0.42533, 5.1e-6),
        (1.0, 0.51, 0.135, 0.217, 1.3473 * 2.83, 5e-3),
        (4.0, 0.51, 0.135, 0.217, 1.3473 * 11.2, 3e-2),
    ],
)
def test_immune_controllable_burden(
    blockade: float, suppression: float, kill: float, growth: float, burden: float, digits: float
) -> None:
    computed = immune.controllable_burden_cm3(kill, blockade, suppression, growth)
    assert computed == pytest.approx(burden, abs=digits)


def test_ctla4_factor() -> None:
    ratio = np.array([0.0, 1.0, 4.0, 20.0])
    fraction = ctla4.activated_fraction(ratio, 5.0)
    np.testing.assert_allclose(fraction, [0.2, 1 / 3, 5 / 9, 0.84], rtol=1e-14)
    np.testing.assert_allclose(ctla4.priming_factor(ratio, 5.0), 5 * fraction, rtol=1e-14)
    assert ctla4.priming_factor(0.0, 5.0) == pytest.approx(1.0, rel=1e-15)


def test_activated_fraction_is_the_competition_of_two_rates() -> None:
    """T7: a/(a + b/(1 + c4)) with b = (r − 1)·a."""
    ratio = np.linspace(0.0, 30.0, 7)
    np.testing.assert_allclose(
        ctla4.activated_fraction(ratio, 5.0), 0.3 / (0.3 + 1.2 / (1.0 + ratio)), rtol=1e-14
    )


def course_release(dose: float, number: int) -> float:
    survival = lq.survival(dose, 0.146, 10.0) ** np.arange(number + 1)
    opened = immune.gate(dose, 6.0, 4.0, 15.0, 8.0)
    return float(immune.release(opened, survival[:-1] - survival[1:], 1, 1, 0, 0, 0).sum())


@pytest.mark.parametrize(
    ("dose", "number", "expected"),
    [
        (8.0, 1, 0.663),
        (8.0, 3, 0.753),
        (6.0, 5, 0.499),
        (20.0, 1, 0.090),
        (2.0, 18, 0.012),
        (16.4, 1, 0.322),
        (10.0, 2, 0.850),
        (12.0, 2, 0.806),
    ],
)
def test_published_course_releases(dose: float, number: int, expected: float) -> None:
    assert course_release(dose, number) == pytest.approx(expected, abs=1.1e-3)


def test_gate() -> None:
    opened = immune.gate([0.0, 3.0, 8.0, 12.5], 6.0, 4.0, 15.0, 8.0)
    np.testing.assert_allclose(opened, [0.0, 0.059, 0.755, 0.770], atol=5.1e-4)
    grid = np.arange(1.0, 25.0, 0.1)
    assert 10.0 < grid[np.argmax(immune.gate(grid, 6.0, 4.0, 15.0, 8.0))] < 12.0


@given(st.floats(0.1, 12.0), st.integers(1, 12))
def test_release_of_a_course_telescopes(dose: float, number: int) -> None:
    opened = float(immune.gate(dose, 6.0, 4.0, 15.0, 8.0))
    left = float(lq.survival(dose, 0.15, 10.0)) ** number
    survival = lq.survival(dose, 0.15, 10.0) ** np.arange(number + 1)
    total = immune.release(opened, survival[:-1] - survival[1:], 1.0, 1.0, 0.0, 0.0, 0.0).sum()
    assert total == pytest.approx(opened * (1.0 - left), rel=1e-9)


def test_release_factors() -> None:
    value = immune.release(0.5, 0.8, 3.0, 8.0, 2.0 / 3.0, -1.0, [0.0, 0.25])
    np.testing.assert_allclose(value, [0.5 * 0.8 * 3.0 * 4.0, 0.5 * 0.8 * 3.0 * 4.0 * 0.75])
    assert immune.release(0.5, 0.8, 1.0, 5.0, 0.0, 1.0, 0.5) == pytest.approx(0.6)


STILL = {"regrowth_per_day": 0.0, "repeat": 0.0, "clearance_per_day": 0.1725}


def test_antigen_by_hand() -> None:
    """Survivors double every 10 days; half of what is dying signals again; clearance ln 2/10 d."""
    met = immune.antigen(
        [0.8, 0.1, 0.05],
        [0.0, 10.0, 20.0],
        regrowth_per_day=math.log(2.0) / 10.0,
        repeat=0.5,
        clearance_per_day=math.log(2.0) / 10.0,
    )
    # killed 0.8, 0.2, 0.2; dying 0.4 at the second, (0.4 + 0.2)/2 at the third fraction
    np.testing.assert_allclose(met, [0.8, 0.2 + 0.2, 0.2 + 0.15], rtol=1e-12)


def test_antigen_without_its_terms_changes_no_bit() -> None:
    killed = np.random.default_rng(0).uniform(0.0, 1.0, (4, 6))
    np.testing.assert_array_equal(immune.antigen(killed, np.arange(6.0), **STILL), killed)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), st.integers(1, 10))
def test_antigen_by_double_sum(killed: list[float], gap: int) -> None:
    days, growth, repeat, clearance = gap * np.arange(len(killed)), 0.05, 0.7, 0.2
    grown = np.array(killed) * np.exp(growth * days)
    expected = [
        grown[i]
        + repeat * sum(grown[j] * math.exp(-clearance * (days[i] - days[j])) for j in range(i))
        for i in range(len(killed))
    ]
    met = immune.antigen(
        killed, days, regrowth_per_day=growth, repeat=repeat, clearance_per_day=clearance
    )
    np.testing.assert_allclose(met, expected, rtol=1e-12, atol=1e-300)


def test_kernel_starts_after_the_delay() -> None:
    kernel = immune.clearance_kernel(7, 0.1725, 4)
    expected = 0.1725 * np.exp(-0.1725 * np.arange(3))
    np.testing.assert_allclose(kernel, [0, 0, 0, 0, *expected], rtol=1e-14)
    assert immune.clearance_kernel(5000, 0.1725, 4).sum() == pytest.approx(1.08871, abs=5e-5)


def test_mobilization() -> None:
    np.testing.assert_allclose(immune.mobilization([0.0, 0.8], 0.004, 0.05), [0.004, 0.044])


def test_saturation() -> None:
    np.testing.assert_allclose(immune.saturate([0.0, 3.0, 1e9], 3.0), [0.0, 1.5, 3.0], rtol=1e-8)
    np.testing.assert_array_equal(immune.saturate([0.0, 7.0], None), [0.0, 7.0])


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.1, 20.0))
def test_saturation_is_increasing_concave_and_below_both(
    one: float, other: float, maximum: float
) -> None:
    ends = immune.saturate([one, other], maximum)
    middle = immune.saturate((one + other) / 2, maximum)
    assert middle >= ends.mean() - 1e-12
    assert np.all(ends <= np.minimum([one, other], maximum) + 1e-12)
    assert (ends[1] - ends[0]) * (other - one) >= 0.0


RATES = {
    "precursors_initial": 0.7,
    "precursor_loss_per_day": 0.01,
    "precursor_inflow_per_day": 0.02,
    "effector_loss_per_day": 0.06,
    "effector_kill_per_fraction": 0.25,
    "clearance_per_day": 0.1725,
    "priming_delay_days": 3.5,
}


def plain_trace(
    release: np.ndarray, moved: np.ndarray, factor: np.ndarray, fractions: np.ndarray
) -> tuple[list[float], list[float]]:
    """Write the recursion out for one lesion, priming by explicit convolution."""
    length = release.size
    kernel = immune.clearance_kernel(length, 0.1725, 3.5)
    primed = np.convolve(release, kernel)[:length]
    precursor, effector = 0.7, 0.0
    precursors, effectors = [], []
    for day in range(length):
        effector, precursor = (
            0.94 * np.exp(-0.25 * fractions[day]) * effector + moved[day] * precursor,
            (0.99 - moved[day]) * precursor + factor[day] * primed[day] + 0.02,
        )
        precursors.append(precursor)
        effectors.append(effector)
    return precursors, effectors


def random_inputs(seed: int, length: int, *batch: int) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    return (
        random.random((*batch, length)),
        0.05 * random.random(length),
        1.0 + random.random(length),
        random.integers(0, 3, (*batch, length)).astype(float),
    )


@settings(max_examples=40)
@given(st.integers(0, 10**6), days)
def test_trace_is_the_written_recursion(seed: int, length: int) -> None:
    inputs = random_inputs(seed, length)
    precursors, effectors = recursion.effector_trace(*inputs, **RATES)
    expected = plain_trace(*inputs)
    np.testing.assert_allclose(precursors, expected[0], rtol=1e-11)
    np.testing.assert_allclose(effectors, expected[1], rtol=1e-11)


def test_trace_takes_batches() -> None:
    release, moved, factor, fractions = random_inputs(1, 30, 4, 3)
    precursors, effectors = recursion.effector_trace(release, moved, factor, fractions, **RATES)
    assert precursors.shape == effectors.shape == (4, 3, 30)
    for row in range(4):
        one = recursion.effector_trace(release[row, 1], moved, factor, fractions[row, 1], **RATES)
        np.testing.assert_array_equal(precursors[row, 1], one[0])
        np.testing.assert_array_equal(effectors[row, 1], one[1])


def test_trace_takes_a_parameter_per_lesion() -> None:
    release, moved, _, fractions = random_inputs(2, 20, 2)
    rates = RATES | {"effector_kill_per_fraction": [0.1, 0.9], "precursors_initial": [[1.0], [0.0]]}
    _, effectors = recursion.effector_trace(release, moved, 1.0, fractions, **rates)
    assert effectors.shape == (2, 2, 20)
    one = RATES | {"effector_kill_per_fraction": 0.9, "precursors_initial": 0.0}
    _, alone = recursion.effector_trace(release[1], moved, 1.0, fractions[1], **one)
    np.testing.assert_array_equal(effectors[1, 1], alone)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_trace_is_linear_in_release_and_start(seed: int) -> None:
    """The reason the programme may use propagators."""
    release, moved, factor, fractions = random_inputs(seed, 30)
    still = RATES | {"precursors_initial": 0.0, "precursor_inflow_per_day": 0.0}
    start = RATES | {"precursor_inflow_per_day": 0.0}
    _, of_release = recursion.effector_trace(release, moved, factor, fractions, **still)
    _, of_start = recursion.effector_trace(0 * release, moved, factor, fractions, **start)
    _, both = recursion.effector_trace(3 * release, moved, factor, fractions, **start)
    np.testing.assert_allclose(both, 3 * of_release + of_start, rtol=1e-10)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 29))
def test_another_fraction_without_release_never_adds_effectors(seed: int, day: int) -> None:
    release, moved, factor, fractions = random_inputs(seed, 30)
    _, before = recursion.effector_trace(release, moved, factor, fractions, **RATES)
    fractions[day] += 1.0
    _, after = recursion.effector_trace(release, moved, factor, fractions, **RATES)
    assert np.all(after <= before)
    assert np.all(after[:day] == before[:day])


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(-1.0, 1.0), st.floats(0.0, 1.0))
def test_release_without_suppression_changes_no_bit(
    opened: float, left: float, sign: float, occupancy: float
) -> None:
    plain = 3.0 * 8.0**0.5 * opened * (1.0 - left) * (1.0 + sign * occupancy)
    assert immune.release(opened, 1.0 - left, 3.0, 8.0, 0.5, sign, occupancy) == plain


def test_suppression_multiplies_release() -> None:
    arguments = (0.5, 0.8, 3.0, 8.0, 2.0 / 3.0, -1.0, 0.25)
    value = immune.release(*arguments, suppression=[1.0, 0.25, 0.0])
    np.testing.assert_allclose(value, [3.6, 0.9, 0.0], rtol=1e-14)


SUPPRESSED = {"high_gy": 15.0, "per_gy": 0.04, "long_days": 14.0, "per_day": 0.02}


def test_suppression_by_hand() -> None:
    """20 Gy: 5·0.04 lost; day 24: 10·0.02 lost; both add; relief scales; never negative."""
    dose, day = np.array([8.0, 20.0, 8.0, 20.0, 60.0]), np.array([14.0, 0.0, 24.0, 24.0, 90.0])
    left = immune.suppression(dose, day, 1.0, **SUPPRESSED)
    np.testing.assert_allclose(left, [1.0, 0.8, 0.8, 0.6, 0.0], rtol=1e-14)
    np.testing.assert_allclose(
        immune.suppression(20.0, 24.0, [1.0, 0.5, 0.0], **SUPPRESSED), [0.6, 0.8, 1.0]
    )
    assert immune.suppression(dose[:, np.newaxis], day, 1.0, **SUPPRESSED).shape == (5, 5)


@given(st.floats(0.0, 40.0), st.floats(0.0, 90.0), st.floats(0.0, 1.0), st.floats(0.0, 5.0))
def test_suppression_worsens_with_dose_length_and_lack_of_relief(
    dose: float, day: float, relief: float, more: float
) -> None:
    left = immune.suppression(dose, day, relief, **SUPPRESSED)
    assert 0.0 <= left <= 1.0
    assert immune.suppression(dose + more, day, relief, **SUPPRESSED) <= left
    assert immune.suppression(dose, day + more, relief, **SUPPRESSED) <= left
    assert immune.suppression(dose, day, relief / 2.0, **SUPPRESSED) >= left


def test_upregulation_lowers_the_unblocked_effect_only() -> None:
    left = immune.unblocked_effect([0.0, 0.5, 1.0], 0.4)
    np.testing.assert_allclose(left, [0.6, 0.8, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(immune.unblocked_effect([0.0, 0.9], 0.0), [1.0, 1.0])


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_unblocked_effect_rises_with_occupancy(one: float, other: float, share: float) -> None:
    low, high = immune.unblocked_effect(sorted((one, other)), share)
    assert 0.0 <= low <= high <= 1.0


RULES = ("multiplicative", "additive", "strongest")
effects = st.floats(-0.9, 3.0)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("multiplicative", 2.0 * 1.5 * 0.8), ("additive", 2.3), ("strongest", 2.0)],
)
def test_combined_by_hand(rule: str, expected: float) -> None:
    assert immune.combined([0.5, 1.0, -0.2], rule) == pytest.approx(expected, rel=1e-14)


def test_the_strongest_is_chosen_day_by_day_and_the_first_of_equals() -> None:
    one, other = np.array([0.5, -0.9, 0.3, -0.3]), np.array([-0.6, 0.8, -0.3, 0.3])
    joint = immune.combined([one, other], "strongest")
    np.testing.assert_allclose(joint, [0.4, 0.1, 1.3, 0.7], rtol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_combined_is_never_negative(rule: str) -> None:
    assert immune.combined([-3.0, 1.0], rule) == 0.0
    assert immune.combined([-3.0, -2.0], rule) == 0.0


@pytest.mark.parametrize("rule", RULES)
def test_no_agent_is_no_effect(rule: str) -> None:
    assert immune.combined([], rule) == 1.0
    assert immune.combined([], rule).shape == ()


@pytest.mark.parametrize("rule", RULES)
def test_agents_broadcast(rule: str) -> None:
    joint = immune.combined([np.zeros((2, 1)), [0.1, 0.2, 0.3]], rule)
    np.testing.assert_allclose(joint, [[1.1, 1.2, 1.3]] * 2, rtol=1e-14)


@pytest.mark.parametrize("agents", [[], [0.5]])
def test_an_unknown_rule_is_refused(agents: list[float]) -> None:
    with pytest.raises(ValueError, match="'weakest': the rule must be"):
        immune.combined(agents, "weakest")


@given(effects)
def test_one_agent_is_the_same_under_every_rule(effect: float) -> None:
    assert [float(immune.combined([effect], rule)) for rule in RULES] == [1.0 + effect] * 3


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=4))
def test_rules_are_ordered_for_helpful_agents(agents: list[float]) -> None:
    product, total, strongest = (float(immune.combined(agents, rule)) for rule in RULES)
    assert strongest <= total * (1 + 1e-14)
    assert total <= product * (1 + 1e-14)


def test_drugs_spare_a_share_of_the_precursors() -> None:
    """No release: R ← 0.8·s·R + 0.1; effectors take their 0.1·R before the drug acts."""
    still = RATES | {"precursors_initial": 1.0, "precursor_inflow_per_day": 0.1}
    still |= {"precursor_loss_per_day": 0.1, "effector_loss_per_day": 0.0}
    spared = np.array([1.0, 0.5, 1.0])
    precursors, effectors = recursion.effector_trace(
        np.zeros(3), 0.1, 1.0, np.zeros(3), **still, precursor_survival=spared
    )
    np.testing.assert_allclose(precursors, [0.9, 0.46, 0.468], rtol=1e-14)
    np.testing.assert_allclose(effectors, [0.1, 0.19, 0.236], rtol=1e-14)


def test_a_trace_without_drugs_changes_no_bit() -> None:
    _, moved, factor, fractions = random_inputs(3, 40)
    precursors, _ = recursion.effector_trace(np.zeros(40), moved, factor, fractions, **RATES)
    precursor = 0.7
    for day in range(40):
        precursor = (1.0 - 0.01 - moved[day]) * precursor + factor[day] * 0.0 + 0.02
        assert precursors[day] == precursor


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 29), st.floats(0.0, 0.99))
def test_a_drug_never_adds_precursors_nor_effectors(seed: int, day: int, left: float) -> None:
    inputs = random_inputs(seed, 30)
    spared = np.ones(30)
    spared[day] = left
    before = recursion.effector_trace(*inputs, **RATES)
    after = recursion.effector_trace(*inputs, **RATES, precursor_survival=spared)
    assert after[0][day] < before[0][day]
    assert all(np.all(low <= high) for low, high in zip(after, before, strict=True))
    np.testing.assert_array_equal(after[1][: day + 1], before[1][: day + 1])


def test_precursor_survival_takes_a_lesion_each() -> None:
    release, moved, factor, fractions = random_inputs(5, 20)
    spared = np.ones((2, 20))
    spared[1, 4] = 0.3
    both, _ = recursion.effector_trace(
        release, moved, factor, fractions, **RATES, precursor_survival=spared
    )
    assert both.shape == (2, 20)
    alone, _ = recursion.effector_trace(release, moved, factor, fractions, **RATES)
    np.testing.assert_array_equal(both[0], alone)
    assert np.all(both[1, 4:] < both[0, 4:])


def test_mobilization_by_anti_ctla4_needs_both_its_drug_and_its_constant() -> None:
    occupancy = np.array([0.0, 0.5, 1.0])
    alone = 0.05 + 0.02 * occupancy
    for off in ({}, {"ctla4_bound": 0.7}, {"ctla4_per_day": 0.03}):
        np.testing.assert_allclose(immune.mobilization(occupancy, 0.05, 0.02, **off), alone)
    both = immune.mobilization(occupancy, 0.05, 0.02, 0.7, 0.03)
    np.testing.assert_allclose(both, alone + 0.021)
