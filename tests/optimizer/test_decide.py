"""Decisions under ensembles, as users ask for them: judged values, laws, stops, wrong input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from ensembles import plain_risk

from abscopt.cli import main
from abscopt.instances.load import InputError, load
from abscopt.optimizer import solve
from abscopt.optimizer.differences import closes
from abscopt.optimizer.ensemble.asked import Asked
from abscopt.optimizer.ensemble.decide import EnsembleResult, decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.ensemble.study.robustness import quantiles
from abscopt.optimizer.evaluation import Judge

GAP = 0.01
RISKS = ("mean", "cvar:0.3", "worst", "regret")


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    """Members of a case with two lesions, in radiosensitivity and growth."""
    return ensemble_of(load("toy-two-lesions"), "radiobiology", size=5)


@pytest.fixture(scope="module")
def answers(ensemble: Ensemble) -> dict[str, EnsembleResult]:
    return {risk: decide(ensemble, risk, gap=GAP) for risk in RISKS}


def test_every_value_is_the_judges(ensemble: Ensemble, answers: dict[str, EnsembleResult]) -> None:
    for risk, result in answers.items():
        assert result.status == "optimal" and result.answer is not None
        schedule, best = result.answer.schedule, 0.0 if result.best is None else result.best
        values = [Judge(member).evaluate(schedule).objective for member in ensemble.instances]
        assert result.answer.values == pytest.approx(values)
        off = best if risk == "regret" else 0.0
        kind, _, level = risk.partition(":")
        expected = plain_risk(
            "worst" if kind == "regret" else kind,
            float(level or 1.0),
            ensemble.weights,
            list(np.array(values) - off),
        )
        assert result.objective == pytest.approx(expected)


def test_each_measure_is_best_at_its_own(answers: dict[str, EnsembleResult]) -> None:
    def measure(risk: str, result: EnsembleResult) -> float:
        assert result.answer is not None
        kind, _, level = risk.partition(":")
        weights = result.ensemble.weights
        return plain_risk(kind, float(level or 1.0), weights, result.answer.values.tolist())

    for risk in ("mean", "cvar:0.3", "worst"):
        own = measure(risk, answers[risk])
        for other in answers.values():
            assert own >= measure(risk, other) - GAP - 1e-9
        nominal, standard = answers[risk].nominal, answers[risk].standard
        assert nominal is None or nominal.risk <= own + 1e-9
        assert standard is None or standard.risk <= own + 1e-9


def test_regret_and_perfect_information_are_not_negative(
    ensemble: Ensemble, answers: dict[str, EnsembleResult]
) -> None:
    regret = answers["regret"]
    assert regret.objective is not None and regret.objective <= 0.0
    known = decide(ensemble, "mean", gap=GAP, perfect=True)
    assert known.perfect_information is not None and known.perfect_information >= 0.0
    price = known.price_of_robustness
    assert price is not None and price >= 0.0
    for result in (known, *answers.values()):
        least = result.perfect_information_at_least
        assert least is not None and least >= 0.0
        if result.perfect_information is not None:
            assert least <= result.perfect_information + 1e-9


def test_one_member_as_stated_is_the_case_alone() -> None:
    case = load("toy-two-lesions")
    alone = Ensemble("alone", case, (Member("only", 1.0, (), case),))
    optimum = solve(case, gap=1e-6).objective
    assert optimum is not None
    for risk in RISKS[:3]:
        result = decide(alone, risk, gap=1e-4)
        assert result.objective == pytest.approx(optimum, abs=1e-4 + 1e-6)


def test_a_stopped_decision_has_a_true_bound(
    ensemble: Ensemble, answers: dict[str, EnsembleResult]
) -> None:
    best = answers["mean"].objective
    assert best is not None
    for seconds in (0.0, 0.05, 0.2):
        result = decide(ensemble, "mean", gap=1e-6, time_limit=seconds)
        assert result.bound is not None and result.bound >= best - 1e-9
        assert result.objective is None or result.objective <= best + GAP + 1e-9


def test_measures_are_read_as_written() -> None:
    assert Asked.of("cvar:0.25") == Asked("cvar", 0.25) and Asked.of("worst").text == "worst"
    for wrong in ("median", "cvar", "cvar:0", "cvar:1.5", "cvar:x", "mean:0.5", ""):
        with pytest.raises(InputError, match="--risk"):
            Asked.of(wrong)
    for chance in (float("nan"), -0.1, 1.0):
        with pytest.raises(InputError, match="--chance"):
            Asked.of("mean", chance)
    command = ["solve", "toy-blockade", "--ensemble", "plausible-20", "--chance", "nan"]
    assert CliRunner().invoke(main, command).exit_code == 2


def test_quantiles_count_weights() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    assert quantiles(values, weights, (0.1, 0.5, 0.8, 1.0)) == [1.0, 1.0, 2.0, 3.0]


def test_the_command_decides_and_writes(tmp_path: Path) -> None:
    arguments = ["toy-two-lesions", "--ensemble", "radiobiology", "--members", "4", "--gap", "0.05"]
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["solve", *arguments, "--risk", "cvar:0.5", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "mean of the worst 50 % of the members" in " ".join(done.output.split())
    document = json.loads((out / "result.json").read_text())
    assert document["kind"] == "ensemble_result" and len(document["members"]) == 4
    assert math.isclose(sum(m["weight"] for m in document["members"]), 1.0)
    judged = CliRunner().invoke(main, ["evaluate", "toy-two-lesions", str(out / "schedule.json")])
    assert judged.exit_code == 0
    again = CliRunner().invoke(main, ["solve", *arguments, "--risk", "cvar:0.5", "--json"])
    first, second = document, json.loads(again.stdout)
    first.pop("seconds"), second.pop("seconds")
    assert first == second


@pytest.mark.parametrize(
    "arguments",
    [
        ["toy-two-lesions", "--risk", "mean"],
        ["toy-two-lesions", "--ensemble", "radiobiology", "--risk", "median"],
        ["toy-two-lesions", "--ensemble", "none-such"],
        ["toy-two-lesions", "--ensemble", "radiobiology", "--method", "single",
         "--observe", "alc@3<1"],
        ["toy-two-lesions", "--ensemble", "radiobiology", "--simulate"],
        ["toy-free-20", "--ensemble", "radiobiology", "--observe", "alc@3<1"],
    ],
)  # fmt: skip
def test_what_does_not_go_is_said(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["solve", *arguments])
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_a_bound_that_is_the_value_plus_the_gap_closes_it() -> None:
    """As floating-point numbers they may be apart by more than the gap: 1e-5 from -35.95."""
    bound, value, gap = -35.95002619658558, -35.95003619658559, 1e-5
    assert bound - value > gap * (1 + 1e-9)
    assert closes(bound, value, gap)
    assert not closes(value + 1.001 * gap, value, gap)
    assert not closes(None, value, gap) and not closes(value, None, gap)
