"""From a finding to cases and readouts: each rule by a number that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abscopt.instances import load
from abscopt.instances.evidence import Finding, findings
from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evidence.measures import scale_of, surrogate_measure, verdict_of
from abscopt.optimizer.evidence.score import measured, trials
from abscopt.optimizer.evidence.settings import Trial, default_constants, trial_of
from abscopt.optimizer.schedule import Fraction, Schedule

BY_ID = {finding.id: finding for finding in findings()}
STAGE_III = "pacific-2017-consolidation"


def named(name: str) -> Trial:
    found = {finding.id: trial for finding, trial in trials()}[name]
    assert isinstance(found, Trial)
    return found


def changed(name: str, **changes: object) -> Trial:
    """A finding of the list with a changed setting."""
    finding = BY_ID[name]
    setting = finding.setting.unchecked(changes)
    return trial_of(finding.unchecked({"setting": setting}))


def verdict(trial: Trial) -> str:
    return verdict_of(trial.finding, measured(trial), scale_of(trial.finding))


def burdens(trial: Trial, arm: str) -> dict[str, FloatArray]:
    case, schedule = trial.arms[arm]
    outcomes = Judge(case).evaluate(schedule).lesions
    return {lesion.name: np.array(lesion.log_burden) for lesion in outcomes}


def measure(trial: Trial, arm: str) -> FloatArray:
    return surrogate_measure(trial.finding, trial.finding.arms[arm], *trial.arms[arm])


def test_stage_iii_has_its_primary_and_hidden_disease_and_nothing_else() -> None:
    case, _ = named(STAGE_III).arms["placebo"]
    assert [lesion.name for lesion in case.lesions] == ["primary", "hidden"]
    hidden = case.lesions[1]
    assert not hidden.irradiable and hidden.clonogen_number == 5


@pytest.mark.parametrize(
    "name", [STAGE_III, "keynote-867-2024-pembrolizumab", "lu002-2024-local-consolidation"]
)
def test_hidden_disease_has_one_share_whatever_is_visible(name: str) -> None:
    for case, _ in named(name).arms.values():
        shares = {lesion.name: lesion.effector_share for lesion in case.lesions}
        assert shares.pop("hidden") == 0.5
        assert sum(shares.values()) == pytest.approx(0.5)


def test_survival_of_mice_is_the_time_to_a_size() -> None:
    """Untreated, a tumor is 20 times its size on day 7 after log2(20) doublings of 3 days more."""
    finding = BY_ID["dovedi-2014-concomitant-vs-sequential"]
    case, _ = trial_of(finding).arms["sequential"]
    none = case.immune.unchecked({"effect_per_effector": 0.0})
    untouched = case.unchecked({"immune": none})
    days = surrogate_measure(finding, finding.arms["sequential"], untouched, Schedule.of([], []))
    np.testing.assert_allclose(days, [7.0 + 3.0 * math.log2(20.0)], rtol=1e-12)


def test_release_is_what_the_fractions_give_off() -> None:
    """8 Gy once, LQ: gate times the share killed times the volume to the power."""
    trial = named("vanpouille-box-2017-repeated-fractions")
    case, _ = trial.arms["8x1"]
    constants, lesion = case.immune, case.lesions[0]
    killed = 1.0 - math.exp(-0.146 * 8.0 * (1.0 + 8.0 / 10.0))
    gate = float(immune.gate(8.0, 6.0, 4.0, 15.0, 8.0))
    released = gate * killed * 0.1**constants.volume_exponent * lesion.immunogenicity
    # all of it but what is not cleared by the end primes, in steps of a day
    steps = np.arange(case.days - constants.priming_delay_days)
    primed = released * 0.1725 * np.exp(-0.1725 * steps).sum()
    np.testing.assert_allclose(measure(trial, "8x1"), [primed], rtol=1e-3)
    assert verdict(trial) == "reproduced"


def test_infiltration_is_read_on_its_day() -> None:
    """Nothing before the delay, and clearance after it."""
    trial = named("frey-2017-infiltration-window")
    early, peak, late = (float(measure(trial, f"day-{day}")[0]) for day in (2, 8, 14))
    assert early == 0.0
    assert late / peak == pytest.approx(math.exp(-6 * 0.1725))


def test_conditions_of_the_host() -> None:
    depleted, _ = named("moore-2021-cd8-depletion").arms["ten-days-depleted"]
    assert [lesion.effector_share for lesion in depleted.lesions] == [0.0]
    lacking, _ = named("vanpouille-box-2017-ifnar1").arms["8x3+CTLA-4-lacking"]
    assert {lesion.immunogenicity for lesion in lacking.lesions} == {0.0}
    gate = named("chen-2020-lymphocytes-gate")
    low, high = (gate.arms[name][0] for name in ("alc-low", "alc-high"))
    assert low.lymphocytes.initial_1e9_per_l < high.lymphocytes.initial_1e9_per_l
    assert low.lesions == high.lesions


def test_a_doublet_with_pemetrexed_has_the_enhancement_of_its_own_course() -> None:
    """8.6 Gy over 13 fractions of 2 Gy by the library's rule; etoposide keeps 20."""
    trial = named("proclaim-2016-doublets")
    ratios = {
        name: case.drugs["cisplatin"].sensitizer_enhancement_ratio
        for name, (case, _) in trial.arms.items()
    }
    assert ratios == {"pemetrexed": round(1.0 + 8.6 / 26.0, 2), "etoposide": 1.2}
    beds = [burdens(trial, name)["primary"][0] for name in ratios]
    assert abs(beds[0] - beds[1]) < 0.25


def test_deaths_by_toxicity_are_a_matter_of_limits() -> None:
    """RTOG 0617: 74 Gy breaks limits of stage III chemoradiation that 60 Gy keeps."""
    finding = BY_ID["rtog-0617-2015-74-gy"]
    assert finding.outside is not None
    case = load("stage3-crt")
    broken = {}
    for name, arm in finding.arms.items():
        course = [Fraction(f.day, "primary", f.dose_gy) for f in arm.fractions]
        limits = Judge(case).evaluate(Schedule.of(course, [])).limits
        broken[name] = {use.name for use in limits if use.broken}
    assert broken["2x30"] < broken["2x37"]


def test_mice_keep_the_clock_of_the_library() -> None:
    case, _ = named("rauf-2025-abscopal").arms["8x1"]
    for name in ("clearance_per_day", "priming_delay_days", "effector_loss_per_day"):
        assert getattr(case.immune, name) == getattr(default_constants(), name)


def test_an_untreated_mouse_shows_less_than_a_fifth_of_the_effect() -> None:
    """Of every schedule of two to five fractions through the open gate, at every horizon."""
    checked = 0
    for finding, trial in trials():
        if finding.scale != "mouse" or not isinstance(trial, Trial):
            continue
        for case, schedule in trial.arms.values():
            doses = [fraction.dose_gy for fraction in schedule.fractions]
            if len(doses) > 1 and all(7.5 <= dose <= 12.5 for dose in doses) and released(finding):
                judge = Judge(case)
                alone = np.array(judge.evaluate(Schedule.of([], [])).immune["systemic_effect_nats"])
                whole = np.array(judge.evaluate(schedule).immune["systemic_effect_nats"])
                assert np.all(alone < 0.2 * whole), finding.id
                checked += 1
    assert checked >= 8


def released(finding: Finding) -> bool:
    return all(arm.condition != "release-0" for arm in finding.arms.values())
