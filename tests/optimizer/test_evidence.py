"""Findings as cases, their verdicts, the requirements and what calibration says."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pytest

from abscopt.instances import InputError
from abscopt.instances.evidence import Finding, findings
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evidence import document
from abscopt.optimizer.evidence.measures import (
    ALIKE,
    BURDEN,
    CLEARLY,
    SYSTEMIC,
    Verdict,
    surrogate_measure,
    verdict_of,
)
from abscopt.optimizer.evidence.requirements import requirements
from abscopt.optimizer.evidence.score import Scored, score_of, scored, trials
from abscopt.optimizer.evidence.settings import (
    Unrepresented,
    default_constants,
    trial_of,
    with_scenario,
)
from abscopt.optimizer.evidence.simulators import simulators

BY_ID = {finding.id: finding for finding in findings()}


NARROW = {
    "of": "2x3",
    "against": "8x3",
    "kind": "hazard_ratio",
    "value": 1.0,
    "interval": [0.79, 1.27],
    "endpoint": "OS",
    "status": "verified",
    "randomized": True,
}


def finding(**changes: object) -> Finding:
    """A small finding about a mouse with two tumors."""
    raw = {
        "id": "made-up-2026",
        "title": "made up",
        "topic": "dose per fraction",
        "item": "P1",
        "source": "this test",
        "study": "this-test",
        "status": "verified",
        "scale": "mouse",
        "days": "verified",
        "doses": "verified",
        "setting": {
            "tumor": "none",
            "lesions": ["primary", "distant"],
            "assessed": ["distant"],
            "endpoint": "out_of_field",
        },
        "arms": {
            "8x3": {"radiation": [{"days": [0, 1, 2], "dose_gy": 8.0}]},
            "2x3": {"radiation": [{"days": [0, 1, 2], "dose_gy": 2.0}]},
        },
        "expected": ["8x3 > 2x3"],
    } | changes
    return Finding.model_validate_json(json.dumps(raw))


@pytest.mark.parametrize(
    ("relation", "ahead", "expected"),
    [
        (">", CLEARLY * 1.01, "reproduced"),
        (">", CLEARLY * 0.99, "contradicted"),
        (">", -1.0, "contradicted"),
        (">=", -CLEARLY * 0.99, "reproduced"),
        (">=", -CLEARLY * 1.01, "contradicted"),
        ("~", ALIKE * 0.99, "reproduced"),
        ("~", -ALIKE * 1.01, "contradicted"),
    ],
)
@pytest.mark.parametrize("scale", [SYSTEMIC, BURDEN])
def test_orders_at_their_margins(relation: str, ahead: float, expected: str, scale: object) -> None:
    """Best arm 1, so that shares and nats are the same numbers."""
    made = finding(expected=[f"8x3 {relation} 2x3"], effects=[NARROW])
    one, other = (1.0, 1.0 - ahead) if ahead > 0 else (1.0 + ahead, 1.0)
    values = {"8x3": np.array([one]), "2x3": np.array([other])}
    assert verdict_of(made, values, scale) == expected  # type: ignore[arg-type]


def test_alike_needs_a_published_interval_within_the_margin() -> None:
    values = {"8x3": np.array([1.0]), "2x3": np.array([1.0])}
    wide = NARROW | {"interval": [0.77, 1.27]}
    for effects, expected in (([], "not_informative"), ([wide], "not_informative")):
        made = finding(expected=["8x3 ~ 2x3"], effects=effects)
        assert verdict_of(made, values, BURDEN) == expected
    # what is not informative is left out beside what is
    both = finding(expected=["8x3 ~ 2x3", "8x3 > 2x3"], effects=[wide])
    assert verdict_of(both, values, BURDEN) == "contradicted"


def test_an_order_must_hold_at_every_horizon() -> None:
    values = {"8x3": np.array([2.0, 1.0]), "2x3": np.array([1.0, 1.0])}
    assert verdict_of(finding(), values, BURDEN) == "contradicted"


def test_a_finding_becomes_the_case_it_describes() -> None:
    trial = trial_of(finding())
    case, schedule = trial.arms["8x3"]
    assert [(f.day, f.lesion, f.dose_gy) for f in schedule.fractions] == [
        (0, "primary", 8.0),
        (1, "primary", 8.0),
        (2, "primary", 8.0),
    ]
    assert [lesion.effector_share for lesion in case.lesions] == [0.5, 0.5]
    assert case.lesions[0].alpha_per_gy == 0.146
    assert case.days == 60
    verdict = Judge(case).evaluate(schedule)
    measure = surrogate_measure(trial.finding, trial.finding.arms["8x3"], case, schedule)
    distant = next(lesion for lesion in verdict.lesions if lesion.name == "distant")
    np.testing.assert_allclose(measure, -np.array(distant.log_burden), rtol=1e-14)


def test_two_fractions_a_day_and_hidden_disease() -> None:
    made = finding(
        scale="human",
        setting={"tumor": "none", "lesions": ["primary"], "endpoint": "survival"},
        arms={
            "a": {"radiation": [{"days": [7, 7], "dose_gy": 0.5}]},
            "b": {"drugs": [{"agent": "durvalumab", "days": [0, 400], "dose_mg": 1500.0}]},
        },
        expected=["a >= b"],
    )
    trial = trial_of(made)
    assert [(f.day, f.slot) for f in trial.arms["a"][1].fractions] == [(7, 0), (7, 1)]
    assert [lesion.name for lesion in trial.arms["a"][0].lesions] == ["primary", "hidden"]
    assert [i.day for i in trial.arms["b"][1].infusions] == [0]  # day 400 is past the horizons


def test_conditions_change_patient_tumor_or_constants() -> None:
    radiation = [{"days": [0, 1, 2], "dose_gy": 8.0}]
    names = ("alc-low", "poorly-immunogenic", "blockade-resistant", "release-0")
    made = finding(
        arms={name: {"radiation": radiation, "condition": name} for name in names},
        expected=["alc-low >= blockade-resistant"],
    )
    cases = {name: case for name, (case, _) in trial_of(made).arms.items()}
    assert cases["alc-low"].lymphocytes.initial_1e9_per_l == 0.6
    assert cases["release-0"].lesions[0].immunogenicity == 0.0
    assert cases["poorly-immunogenic"].lesions[0].immunogenicity == 0.1
    assert cases["blockade-resistant"].immune.share_factor == 0.5
    assert cases["alc-low"].immune.share_factor == 1.0


@pytest.mark.parametrize("endpoint", ["toxicity", "marker"])
def test_endpoints_without_a_measure_are_outside(endpoint: str) -> None:
    made = finding(setting={"tumor": "none", "lesions": ["primary"], "endpoint": endpoint})
    with pytest.raises(Unrepresented):
        trial_of(made)


def test_other_constants_keep_those_of_mice() -> None:
    changed = default_constants().unchecked({"gate_low_gy": 5.5, "mobilization_per_day": 0.003})
    case, _ = trial_of(finding()).under(changed).arms["8x3"]
    assert case.immune.gate_low_gy == 5.5
    assert case.immune.mobilization_per_day == 0.05
    assert with_scenario(changed, "exhaustion").effector_loss_per_day == 0.12
    assert with_scenario(changed, "exhaustion").gate_low_gy == 5.5


def test_list_is_mostly_within_range_and_has_thirty_verified() -> None:
    verified = [(f, t) for f, t in trials() if f.status == "verified"]
    outside = [f for f, t in verified if isinstance(t, str)]
    assert len(verified) >= 30
    assert len(outside) <= 0.15 * len(verified)


def test_requirements_hold_with_the_default_constants() -> None:
    found = requirements(default_constants())
    assert len(found) == 5
    assert [r.statement for r in found if not r.holds] == []
    effects = next(r for r in found if "consolidation" in r.statement).numbers
    assert all(len(values) == 3 for values in effects.values())


def test_t13_the_optimum_for_immunity_alone() -> None:
    """T13: between 10 and 13 Gy per fraction when nothing but the systemic effect counts."""
    optimum = next(r for r in requirements(default_constants()) if "8 to 13" in r.statement)
    assert all(10.0 <= dose <= 13.0 for dose in optimum.numbers["dose_gy"])


def test_requirements_can_fail() -> None:
    """No effector dies in the beam and none is lost: concurrent blockade then wins."""
    spoiled = default_constants().unchecked(
        {"gate_low_gy": 2.0, "gate_low_exponent": 1.0, "mobilization_per_day": 0.05}
    )
    failed = [r.statement for r in requirements(spoiled) if not r.holds]
    assert any("out of field" in statement for statement in failed)
    assert any("radiation alone" in statement for statement in failed)


def test_the_default_constants_beat_tumor_bed_on_both_halves() -> None:
    results = scored()
    for split in ("training", "held_back"):
        half = [one for one in results if one.finding.split == split]
        score = score_of(half)
        assert score.total >= 20
        assert score.reproduced > score_of(half, lambda one: one.baseline).reproduced


def test_repeated_release_gives_more_to_three_fractions() -> None:
    """8 x 3 against 8 x 1: release of dying cells at later fractions widens the difference."""
    name = "vanpouille-box-2017-repeated-fractions"
    default = default_constants()
    plain, repeated = (
        scored(constants, only=[name])[0].measures
        for constants in (default, with_scenario(default, "repeated-release"))
    )
    assert repeated["8x3"] / repeated["8x1"] > 1.05 * plain["8x3"] / plain["8x1"]


def test_contested_findings_are_scenario_pairs() -> None:
    names = [name for name, found in BY_ID.items() if found.contested is not None]
    for one in scored(only=names):
        assert one.surrogate == "scenario"
        assert not one.counts
        assert set(one.scenarios) == set(one.finding.contested or ())


def test_simulators_speak_where_they_can() -> None:
    """Each model's verdict on a finding it can express and on one that it cannot."""
    run = simulators()
    told = {f.id: t for f, t in trials() if not isinstance(t, str)}
    can = {
        "cho": "rauf-2025-abscopal",
        "kosinsky": "kosinsky-2018-single-dose-late",
        "icd": "rauf-2025-abscopal",
        "maclennan": "maclennan-1978-fraction-number",
        "edric": "maclennan-1978-fraction-number",
    }
    for model, name in can.items():
        verdict = run[model](told[name])
        assert verdict in ("reproduced", "contradicted") or model == "edric", model
    assert run["icd"](told["rauf-2025-abscopal"]) == "reproduced"
    assert run["kosinsky"](told["kosinsky-2018-single-dose-late"]) == "reproduced"
    assert run["maclennan"](told["maclennan-1978-fraction-number"]) == "reproduced"
    assert run["xing"](told["moore-2021-pulsar-spacing"]) == "reproduced"
    assert run["kosinsky"](told["theelen-2020-response-by-schedule"]) == "outside_range"
    assert run["cho"](told["maclennan-1978-fraction-number"]) == "outside_range"
    assert run["cho"](told["chen-2020-lymphocytes-gate"]) == "outside_range"


def test_the_document_has_its_stable_keys() -> None:
    results = scored(only=["moore-2021-pulsar-spacing", "mb49-2020-timing"])
    found = document.evidence_document(results, [])
    assert found["format"] == 1
    assert found["kind"] == "evidence"
    for row in found["findings"]:
        assert {"id", "source", "status", "split", "surrogate", "simulators"} <= set(row)
        assert row["split"] in ("training", "held_back")
        assert {"first_split", "study", "cohort", "effects"} <= set(row)
        assert row["surrogate"] in get_args(Verdict)
    assert set(found["effect_sizes"]) == {"training", "held_back", "all", "local"}
    assert "moore-2021-pulsar-spacing" in document.evidence_report(results, [])


def test_an_unknown_finding_or_scenario_is_wrong_input() -> None:
    from abscopt.optimizer.evidence.command import evidence

    with pytest.raises(InputError) as error:
        evidence(["no-such-finding"], "no-such-scenario")
    assert len(error.value.problems) == 2


def test_the_score_counts_only_verified_and_settled() -> None:
    known = next(f for f in findings() if f.status == "recalled" and f.contested is None)
    settled = next(f for f in findings() if f.status == "verified" and f.contested is None)
    results = [
        Scored(known, "reproduced", "reproduced"),
        Scored(settled, "contradicted", "reproduced"),
        Scored(settled, "outside_range", "reproduced"),
    ]
    score = score_of(results)
    assert (score.reproduced, score.contradicted, score.outside_range) == (0, 1, 1)
    assert score.share == 0.0
