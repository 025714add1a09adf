"""Two stages against enumeration of all first stages and continuations by the judge; laws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from brute_force import schedules
from click.testing import CliRunner
from observed_cases import Enumerated, members_of, patients_of

from abscopt.cli import main
from abscopt.instances.load import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.ensemble.observation import classes
from abscopt.optimizer.ensemble.observation.decide import TwoStageResult, decide_observed
from abscopt.optimizer.ensemble.observation.spec import Observation
from abscopt.optimizer.ensemble.observation.stages import FirstStages
from abscopt.optimizer.evaluation.observed import Observer, Quantity, before_day
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.members import Members

GAP = 1e-3
SEEDS, TELLING = (9,), (2, 4)


@pytest.fixture(autouse=True)
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases are bounded and split, not just valued."""
    monkeypatch.setattr(settings, "CURRENT", replace(settings.CURRENT, few=4, join_limit=50))


@pytest.mark.parametrize(
    ("kind", "seed"), [*((members_of, s) for s in SEEDS), *((patients_of, s) for s in TELLING)]
)
def test_two_stages_are_those_of_enumeration(kind: Callable[[int], Ensemble], seed: int) -> None:
    everything = Enumerated(kind(seed))
    if not len(everything.schedules) or not np.isfinite(everything.single()):
        pytest.skip("no schedule keeps all limits")
    observation = everything.observation(seed)
    result = decide_observed(everything.ensemble, observation, gap=GAP)
    best, single = everything.best(observation), everything.single()
    assert result.status == "optimal" and result.objective is not None and result.bound is not None
    assert best - GAP - 1e-9 <= result.objective <= best + 1e-9 <= result.bound + 2e-9
    laws(result)
    assert result.single.objective is not None
    assert abs(result.single.objective - single) <= GAP + 1e-9
    assert result.sample_information_at_least <= best - single + 1e-9  # type: ignore[operator]
    assert best - single <= result.sample_information_at_most + 1e-9  # type: ignore[operator]


def laws(result: TwoStageResult) -> None:
    """EVPI >= EVSI >= 0, and what every result holds."""
    evsi, perfect = result.sample_information, result.single.perfect_information
    assert evsi is not None and perfect is not None
    assert perfect + 1e-9 >= evsi >= 0.0
    assert result.probabilities.sum(axis=0) == pytest.approx(1.0)
    for outcome in result.outcomes:
        if outcome.schedule is not None:
            assert before_day(outcome.schedule, result.observation.day) == result.first


def test_what_is_seen_is_of_the_days_before() -> None:
    case = load("toy-two-lesions").with_({"lesions.*.lymphocyte_loss_per_fraction": 0.1})
    whole = next(s for s in schedules(case) if len(s.fractions) == 6)
    count = Observer(case, "alc", 2)
    before = np.log(case.lymphocytes.initial_1e9_per_l)
    half = case.lymphocytes.recovery_half_time_days
    kept = [1.0 if half is None else 0.5 ** ((2 - day) / half) for day in (0, 1)]
    assert count.log_value(whole) == pytest.approx(before - 0.2 * sum(kept))
    assert count.log_value(Schedule()) == pytest.approx(before)
    burden, lesion = Observer(case, "burden", 2, "large"), case.lesions[0]
    dose = next(f.dose_gy for f in whole.fractions if f.lesion == "large")
    kill = 2 * 0.3 * dose * (1 + dose / lesion.alpha_beta_gy)
    assert burden.log_value(whole) == pytest.approx(-kill, abs=1e-9)


def test_classes_are_steps_or_normal() -> None:
    sharp = Observation("alc", 7, (0.5, 1.0))
    logs = np.log([0.4, 0.5, 0.9, 1.0, 2.0])
    assert sharp.probabilities(logs).T.tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]
    ]  # fmt: skip
    blurred = Observation("alc", 7, (1.0,), 0.5)
    low, high = blurred.probabilities(np.array([0.0, -0.5, np.inf])).tolist()
    assert low == pytest.approx([0.5, 0.8413447, 0.0]) and high == pytest.approx(
        [0.5, 0.1586553, 1.0]
    )


@pytest.mark.parametrize("quantity", ["alc", "effectors"])
def test_probabilities_in_a_box_are_no_more_than_in_any_of_its_stages(
    quantity: Quantity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "ENUMERATED", 0)
    rng = np.random.default_rng(5)
    ensemble = patients_of(4)
    members = Members.of(ensemble.case, ensemble.instances, ensemble.weights)
    stages = FirstStages.before(members.nominal, 8)
    plain = classes.Classes(ensemble, Observation(quantity, 8, (1.0,)), stages)
    every = np.array([plain.log_values(key) for key in stages.whole.stages()])
    edges = tuple(float(x) for x in np.exp(np.quantile(every, [0.3, 0.6])))
    for error in (0.0, 0.2):
        seen = classes.Classes(ensemble, Observation(quantity, 8, edges, error), stages)
        box, sure = stages.whole, 0.0
        while box.size > 1:
            least = seen.least(box)
            sure = max(sure, float(least.sum(axis=0).min()))
            for key in box.stages():
                assert (least <= seen.probabilities(key) + 1e-12).all()
            place = int(rng.choice([i for i, part in enumerate(box.parts) if len(part) > 1]))
            part = box.parts[place]
            box = box.halves(place, int(part[len(part) // 2 - 1]))[int(rng.integers(2))]
        assert sure > 0.0


def test_an_error_makes_an_observation_worth_no_more() -> None:
    everything = Enumerated(patients_of(2))
    sharp = Observation("alc", 1, (1.24527,))
    worths = []
    for error in (0.0, 5.0):
        observation = replace(sharp, error=error)
        result = decide_observed(everything.ensemble, observation, gap=GAP)
        laws(result)
        assert result.objective == pytest.approx(everything.best(observation), abs=GAP + 1e-9)
        worths.append(result.sample_information)
    assert worths[0] > 0.1 and worths[1] <= 0.02 + GAP


def test_a_stopped_search_has_a_true_bound() -> None:
    everything = Enumerated(patients_of(3))
    observation = Observation("burden", 3, (0.000159192, 1.0), 0.3, "large")
    best = everything.best(observation)
    for seconds in (0.0, 1.0):
        result = decide_observed(everything.ensemble, observation, gap=1e-6, time_limit=seconds)
        assert result.bound is None or result.bound >= best - 1e-9
        assert result.objective is None or result.objective <= best + 1e-9


@pytest.mark.parametrize(
    "text",
    ["", "alc", "alc@14", "alc@0<1", "alc@99<1", "alc@7<1,0.5", "alc@7<-1", "alc@7<x",
     "alc:large@7<1", "burden@7<1", "burden:none@7<1", "alc@7<1~9", "alc@7<1,2,3,4,5", "alc@7<1200",
     "x@7<1"],
)  # fmt: skip
def test_wrong_observations_are_named(text: str) -> None:
    with pytest.raises(InputError, match="--observe"):
        Observation.of(text, load("toy-two-lesions"))


def test_an_observation_is_read_as_written() -> None:
    case = load("toy-two-lesions")
    for text in ("alc@14<0.8", "burden:large@7<0.2,0.5~0.3", "effectors@9<0.01"):
        assert Observation.of(text, case).text == text


def observed_case(**changes: object) -> Instance:
    """A case that says what is seen during the course."""
    stated = {"quantity": "burden", "lesion": "large", "day": 3, "below": [0.1, 0.4]}
    return load("toy-two-lesions").with_({"observation": stated | changes})


def test_a_case_may_state_its_observation() -> None:
    case = observed_case(log_error=0.2)
    text = "burden:large@3<0.1,0.4~0.2"
    assert Observation.stated(case) == Observation.of(text, case)
    assert Observation.stated(load("toy-two-lesions")) is None
    assert instance_digest(case) != instance_digest(load("toy-two-lesions"))
    assert "observation" not in load("toy-two-lesions").model_dump(mode="json")
    assert build(json.loads(case.model_dump_json(exclude_none=True))).observation is not None
    dated = observed_case(day="2026-01-08").observation
    assert dated is not None and dated.day == 3


@pytest.mark.parametrize(
    ("change", "place"),
    [({"day": 30}, "observation.day"), ({"day": 0}, "observation.day"),
     ({"lesion": "none"}, "observation.lesion"), ({"lesion": None}, "observation"),
     ({"quantity": "alc"}, "observation"), ({"quantity": "psa"}, "observation.quantity"),
     ({"below": [900.0, 1200.0]}, "observation.below"),
     ({"below": [0.4, 0.1]}, "observation"), ({"below": [0.0]}, "observation.below"),
     ({"below": [1, 2, 3, 4, 5]}, "observation.below"), ({"below": []}, "observation.below"),
     ({"log_error": 9.0}, "observation.log_error"), ({"days": 3}, "observation.days")],
)  # fmt: skip
def test_wrong_observations_of_a_case_are_named(change: dict[str, object], place: str) -> None:
    with pytest.raises(InputError) as caught:
        observed_case(**change)
    assert any(problem.place.startswith(place) for problem in caught.value.problems)


def test_key_and_option_give_one_answer(tmp_path: Path) -> None:
    file = tmp_path / "seen.toml"
    file.write_text(
        'format = 1\nextends = "toy-two-lesions"\nname = "seen"\ntitle = "seen"\n[observation]\n'
        'quantity = "burden"\nlesion = "large"\nday = 3\nbelow = [0.1]\n'
    )
    options = ["--ensemble", "radiobiology", "--members", "2", "--gap", "0.05", "--json"]
    by_key = CliRunner().invoke(main, ["solve", str(file), *options])
    by_option = CliRunner().invoke(
        main, ["solve", "toy-two-lesions", *options, "--observe", "burden:large@3<0.1"]
    )
    assert by_key.exit_code == by_option.exit_code == 0, by_key.output
    documents = [json.loads(done.stdout) for done in (by_key, by_option)]
    for key in ("kind", "observation", "objective", "bound", "first_stage", "continuations"):
        assert documents[0][key] == documents[1][key]
    alone = CliRunner().invoke(main, ["solve", str(file)])
    assert alone.exit_code == 2 and "states no ensemble" in alone.output
    other = CliRunner().invoke(main, ["solve", str(file), *options, "--risk", "worst"])
    assert other.exit_code == 2 and "Traceback" not in other.output


def test_the_command_decides_in_two_stages(tmp_path: Path) -> None:
    arguments = ["solve", "toy-two-lesions", "--ensemble", "radiobiology", "--members", "3"]
    arguments += ["--set", "lesions.small.course.last_start_day=3", "--gap", "0.05"]
    out = tmp_path / "out"
    done = CliRunner().invoke(
        main, [*arguments, "--observe", "burden:large@3<0.1", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "EVSI" in done.output and "worth at most" in done.output
    document = json.loads((out / "result.json").read_text())
    assert document["kind"] == "two_stage_result" and len(document["continuations"]) == 2
    assert document["value_of_sample_information"] >= 0.0
    for number, one in enumerate(document["continuations"]):
        file = out / f"continuation-{number + 1}.json"
        assert file.exists() == (one["schedule"] is not None)
        if file.exists():
            changed = ["evaluate", "toy-two-lesions", str(file), *arguments[6:8]]
            judged = CliRunner().invoke(main, [*changed, "--json"])
            assert json.loads(judged.stdout)["evaluation"]["objective"] == pytest.approx(
                one["as_stated"]
            )
    for wrong in (["--risk", "worst"], ["--chance", "0.2"], ["--simulate"]):
        refused = CliRunner().invoke(main, [*arguments, "--observe", "alc@3<1", *wrong])
        assert refused.exit_code == 2 and "Traceback" not in refused.output


@pytest.mark.parametrize("chance", [0.0, 0.9])
def test_a_member_without_a_feasible_schedule_is_not_spoken_of_as_regret(chance: float) -> None:
    """Where its limits must be kept nothing is feasible; else knowing it has no value."""
    ensemble = patients_of(2)
    first, *others = ensemble.members
    hopeless = first.instance.with_({"lesions.large.least_bed_gy": 500.0})
    ensemble = replace(ensemble, members=(replace(first, instance=hopeless), *others))
    if chance == 0.0:
        assert decide_observed(ensemble, "alc@7<1").status == "infeasible"
        assert decide(ensemble, perfect=True).status == "infeasible"
        return
    with pytest.raises(InputError, match="m0: has no feasible schedule, so that knowing it"):
        decide(ensemble, chance=chance, perfect=True)
    with pytest.raises(InputError, match="its regret means nothing"):
        decide(ensemble, "regret", chance=chance)
