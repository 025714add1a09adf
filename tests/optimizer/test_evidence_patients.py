"""Shares of patients: against patients drawn one by one, and by hand where nothing differs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abscopt.instances.evidence import Finding, findings
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.likelihood import Comparison, comparisons
from abscopt.optimizer.evidence.patients import (
    Left,
    fitted,
    left_over,
    log_odds,
    shares,
)
from abscopt.optimizer.evidence.score import scored, trials
from abscopt.optimizer.evidence.settings import Trial, times_of_patients, trial_of

BY_ID = {finding.id: finding for finding in findings()}
DRAWN = 40_000


def named(name: str) -> Trial:
    found = {finding.id: trial for finding, trial in trials()}[name]
    assert isinstance(found, Trial)
    return found


def share_of(measure: FloatArray) -> FloatArray:
    return np.exp(-np.exp(-measure))


def read(trial: Trial, arm: str, **stated: float) -> tuple[Left, FloatArray]:
    """What an arm leaves, and its share of patients."""
    case, schedule = trial.arms[arm]
    left = left_over(case, schedule)
    settings = times_of_patients() | stated
    return left, share_of(shares(trial.finding, trial.finding.arms[arm], case, left, settings))


@pytest.mark.parametrize(
    ("name", "arm"),
    [
        ("chisel-2019-sabr-vs-conventional", "2x33"),
        ("pacific-2017-consolidation", "consolidation"),
        ("sabr-comet-2020-all-lesions", "all-lesions"),
        ("sabr-comet-2020-all-lesions", "none"),
    ],
)
def test_shares_are_those_of_patients_drawn_one_by_one(name: str, arm: str) -> None:
    """Each with an alpha, a growth and an effect of its own; kill is proportional to alpha."""
    trial = named(name)
    case, _ = trial.arms[arm]
    left, found = read(trial, arm, effect_spread=1.0)
    stated, constants = times_of_patients(), fitted()
    draws = np.random.default_rng(0).standard_normal((3, DRAWN))
    sigma = math.sqrt(math.log1p(constants["alpha_cv"] ** 2))
    alpha = np.exp(sigma * draws[0] - 0.5 * sigma**2)
    growth, effect = np.exp(constants["regrowth_spread"] * draws[1]), np.exp(draws[2])
    most = case.immune.effect_maximum_nats
    assert most is not None
    felt = most * effect * left.effect[-1] / (effect * left.effect[-1] + most)
    survival = trial.finding.setting.endpoint == "survival"
    free = np.ones((3, DRAWN))
    for lesion in case.lesions:
        if trial.finding.setting.endpoint == "irradiated" and lesion.name == "hidden":
            continue
        # two radiosensitivities give the line of kill over alpha
        burdens, factors = left.burdens[lesion.name], case.lesions[0].sensitivities[0]
        slope = (burdens[-1] - burdens[0]) / (factors[-1] - factors[0])
        burden = burdens[0] + slope * (alpha - factors[0]) - lesion.effector_share * felt
        hidden = lesion.name == "hidden"
        irradiated = lesion.name in trial.finding.arms[arm].sites
        density = 1e6 if hidden else lesion.clonogens_per_cm3
        rate = constants["regrowth"]
        seen = stated["hidden_seen_cm3"] * 1e6 if hidden else lesion.clonogen_number
        if not hidden and not irradiated:
            rate = math.log(2.0) * 365.25 / 139.0
            seen *= 1.728
        if survival:
            assert density is not None
            seen = density * 1000.0
        for i, years in enumerate((1.0, 2.0, 3.0)):
            waiting = np.log1p(seen * np.exp(-rate * growth * years))
            free[i] *= 1.0 / (1.0 + np.exp(np.minimum(burden - waiting, 300.0)))
    np.testing.assert_allclose(found, free.mean(axis=1), atol=0.02)


def test_responses_are_those_of_patients_drawn_one_by_one() -> None:
    trial = named("mcbride-2021-response")
    case, _ = trial.arms["nivolumab"]
    left, found = read(trial, "nivolumab", effect_spread=1.3)
    raw = np.exp(1.3 * np.random.default_rng(1).standard_normal(DRAWN))[:, None] * left.effect
    most = case.immune.effect_maximum_nats
    assert most is not None
    kill = case.lesions[1].effector_share * most * raw / (raw + most)
    np.testing.assert_allclose(found, (kill >= -3.0 * math.log(0.7)).mean(axis=0), atol=0.01)


def test_the_judge_and_what_is_left_agree() -> None:
    """The median patient's burden: what is left, less the effect felt, plus the growth."""
    from abscopt.optimizer.evaluation import Judge

    trial = named("keynote-867-2024-pembrolizumab")
    case, schedule = trial.arms["18x3+pembrolizumab"]
    left = left_over(case, schedule)
    most = case.immune.effect_maximum_nats
    assert most is not None
    felt = most * left.effect[-1] / (left.effect[-1] + most)
    for lesion, outcome in zip(case.lesions, Judge(case).evaluate(schedule).lesions, strict=True):
        assert lesion.growth_doubling_time_days is not None
        middle = left.burdens[lesion.name][len(left.weights) // 2]
        grown = math.log(2.0) * case.days / lesion.growth_doubling_time_days
        expected = middle + grown - lesion.effector_share * felt
        assert outcome.clone_log_burden[0][-1] == pytest.approx(expected, rel=1e-12)


def test_dose_helps_patients_as_a_slope_and_not_as_a_step() -> None:
    """Local control of one primary at three years: never all or nothing, never falling."""
    base = BY_ID["chisel-2019-sabr-vs-conventional"]
    radiation = base.arms["18x3"].radiation[0]
    free = []
    for dose in range(8, 21, 2):
        arm = base.arms["18x3"].model_copy(
            update={"radiation": (radiation.model_copy(update={"dose_gy": float(dose)}),)}
        )
        made = base.model_copy(update={"arms": {"18x3": arm, "2x33": base.arms["2x33"]}})
        free.append(read(trial_of(made), "18x3")[1][-1])
    steps = np.diff(free)
    assert np.all(steps > 0.0) and np.all(steps < 0.25)
    assert 0.1 < free[0] < free[-1] < 0.98


def test_a_resected_primary_is_not_read() -> None:
    trial = named("altorki-2023-disease-free-survival")
    case, schedule = trial.arms["8x3+durvalumab"]
    left = left_over(case, schedule)
    other = Left(
        {**left.burdens, "primary": left.burdens["primary"] + 50.0}, left.weights, left.effect
    )
    arm, stated = trial.finding.arms["8x3+durvalumab"], times_of_patients()
    np.testing.assert_array_equal(
        shares(trial.finding, arm, case, left, stated),
        shares(trial.finding, arm, case, other, stated),
    )
    results = scored(only=[trial.finding.id])
    assert len(comparisons(results)) == 1 and comparisons(results, local=True) == []


def test_local_comparisons_are_sizes_and_not_nats_of_burden() -> None:
    names = ["chisel-2019-sabr-vs-conventional", "sabr-comet-2020-all-lesions"]
    names.append("lustre-2024-sabr-vs-hypofractionated")
    found: list[Comparison] = comparisons(scored(only=names), local=True)
    assert len(found) == 3
    assert all(0.0 < one.predicted < 3.0 for one in found)


def test_log_odds_of_a_share() -> None:
    share = np.array([1e-6, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(log_odds(-np.log(-np.log(share))), np.log(share / (1 - share)))


def test_an_odds_ratio_is_compared_as_one() -> None:
    finding: Finding = BY_ID["sabr-comet-2020-all-lesions"]
    (one,) = comparisons(scored(only=[finding.id]), local=True)
    (result,) = scored(only=[finding.id])
    of, against = (share_of(result.measures[name]) for name in ("all-lesions", "none"))
    by_hand = np.log(of / (1 - of)) - np.log(against / (1 - against))
    assert one.predicted == pytest.approx(float(by_hand.mean()))
