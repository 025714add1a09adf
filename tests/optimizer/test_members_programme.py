"""One programme over members against enumeration by the judge, uniform and free courses; stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ensembles import RISKS, accepted, ensemble, free_ensemble, measure
from observed_cases import patients_of

from abscopt.instances.load import InputError, load
from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.mip import DoubtError, Outcome
from abscopt.optimizer.highs.solver import solve_matrix
from abscopt.optimizer.programme import solving
from abscopt.optimizer.programme.ensemble.solve import MembersAnswer, solve_members
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.risk import Risk

GAP = 1e-3
SEEDS, FREE_SEEDS = range(5), range(4)
CAP_GY = 160.0


def solved(
    case: Instance,
    cases: list[Instance],
    weights: FloatArray,
    chance: float,
    risk: tuple[str, float],
    best: FloatArray,
    clock: Clock | None = None,
) -> MembersAnswer:
    """What the programme makes of members."""
    members = Members.of(case, cases, weights, chance, searched=False)
    asked = Risk(risk[0], weights, risk[1], best)  # type: ignore[arg-type]
    return solve_members(members, asked, GAP, 0, 1, clock or Clock())


@pytest.mark.parametrize(
    ("drawn", "seed"), [*((ensemble, s) for s in SEEDS), *((free_ensemble, s) for s in FREE_SEEDS)]
)
def test_a_measure_is_that_of_brute_force(
    drawn: Callable[[int], tuple[Instance, list[Instance], FloatArray]], seed: int
) -> None:
    case, cases, weights = drawn(seed)
    chance = 0.3 if seed % 3 == 0 else 0.0
    values = np.array([of for _, of in accepted(case, cases, weights, chance)])
    best = values.max(axis=0) if len(values) else np.zeros(len(weights))
    risk = RISKS[seed % len(RISKS)]
    answer = solved(case, cases, weights, chance, risk, best)
    if not len(values):
        assert answer.infeasible and answer.schedule is None
        return
    optimum = max(measure(*risk, weights, row, best) for row in values)
    assert answer.schedule is not None and answer.bound is not None
    assert optimum - GAP - 1e-9 <= answer.value <= optimum + 1e-9 <= answer.bound + 1e-6
    judged = [Judge(member).evaluate(answer.schedule).objective for member in cases]
    assert answer.values == pytest.approx(judged)


def test_limits_of_members_may_be_broken_up_to_the_chance() -> None:
    """Organs of members move: each chance has its own optimum, none breaks limits in more."""
    case, cases, weights = organs_that_differ()
    optima = []
    for chance in (0.0, 0.3, 0.55):
        listed = list(accepted(case, cases, weights, chance))
        optimum = max(float(weights @ values) for _, values in listed)
        answer = solved(case, cases, weights, chance, ("mean", 1.0), np.zeros(3))
        assert answer.schedule in [schedule for schedule, _ in listed]
        assert optimum - GAP - 1e-9 <= answer.value <= optimum + 1e-9
        searched = Members.of(case, cases, weights, chance)
        assert searched.own_limits.any()
        optima.append(optimum)
    assert optima[0] < optima[1] < optima[2]


def organs_that_differ() -> tuple[Instance, list[Instance], FloatArray]:
    """Two lesions on one organ whose alpha/beta is not known, and whose BED is limited."""
    bed = {"name": "organ_bed", "kind": "bed", "organ": "organ", "cap_gy": CAP_GY}
    case = load("toy-two-lesions").with_(
        {
            "lesions.*.sparing.organ.max": 0.5,
            "limits": [bed | {"source": "toy", "status": "assumed"}],
            "standard": None,
        }
    )
    cases = [case.with_({"organs.organ.alpha_beta_gy": ratio}) for ratio in (2.6, 2.2, 1.5)]
    return case, cases, np.array([0.45, 0.3, 0.25])


def test_members_without_a_weight_do_not_count() -> None:
    case, cases, weights = ensemble(4)
    some = np.where(np.arange(len(weights)) == 0, 0.0, weights)
    some /= some.sum()
    whole = solved(case, cases, some, 0.0, ("worst", 1.0), np.zeros(len(some)))
    fewer = solved(case, cases[1:], some[1:], 0.0, ("worst", 1.0), np.zeros(len(some) - 1))
    assert whole.value == pytest.approx(fewer.value, abs=GAP)
    assert len(whole.values) == len(cases)


def test_the_command_line_s_ways_agree() -> None:
    members = ensemble_of(load("toy-two-lesions"), "radiobiology", size=4)
    for risk in ("mean", "regret"):
        searched, stated = (decide(members, risk, method=way) for way in ("auto", "single"))
        assert searched.objective is not None and stated.objective is not None
        assert stated.status == "optimal" and stated.by_programme and not searched.by_programme
        gaps = searched.requested_gap
        assert abs(searched.objective - stated.objective) <= gaps + 1e-9


def test_free_courses_are_decided_and_stop_with_a_true_bound() -> None:
    case, cases, weights = free_ensemble(1)
    values = np.array([of for _, of in accepted(case, cases, weights, 0.0)])
    optimum = float((values @ weights).max())
    members = Members.of(case, cases, weights, 0.0, searched=False)
    for seconds in (0.0, 0.3, 1.0):
        clock = Clock(seconds)
        with clock.running("programme"):
            answer = solve_members(members, Risk("mean", weights), 1e-9, 0, 1, clock)
        assert answer.value <= optimum + 1e-9
        assert answer.bound is None or answer.bound >= optimum - 1e-6


def test_a_bound_below_a_judged_schedule_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    case, cases, weights = ensemble(4)

    def wrong(matrix: object, **asked: object) -> Outcome:
        outcome = solve_matrix(matrix, **asked)  # type: ignore[arg-type]
        assert outcome.bound is not None and outcome.objective is not None
        return replace(outcome, bound=outcome.bound - 1e3, objective=outcome.objective - 1e3)

    monkeypatch.setattr(solving, "solve_matrix", wrong)
    with pytest.raises(DoubtError):
        solved(case, cases, weights, 0.0, ("mean", 1.0), np.zeros(len(weights)))


def test_what_the_programme_does_not_cover_is_said() -> None:
    case, cases, weights = organs_that_differ()
    costly = [x.with_({"limits.organ_bed.penalty": 1.0}) for x in (case, *cases)]
    with pytest.raises(InputError, match="soft limits"):
        solved(costly[0], costly[1:], weights, 0.5, ("mean", 1.0), np.zeros(3))
    with pytest.raises(InputError, match="uniform courses only"):
        Members.of(load("toy-free-20"), [load("toy-free-20")], np.ones(1))


def test_large_losses_of_effectors_are_no_disagreement() -> None:
    """After losses of 10 nats tangents of ln Z overstate the kill by 0.02: it is set apart."""
    ensemble = patients_of(2)
    changes = {
        "allow_unusual": True,
        "immune.use": "default",
        "lesions.large.lymphocyte_effect_per_fraction": 2.0,
        "lesions.*.effector_share": 0.3,
        "lesions.*.precursor_share": 0.3,
    }
    members = tuple(
        replace(member, instance=member.instance.with_(changes)) for member in ensemble.members
    )
    losing = replace(ensemble, case=ensemble.case.with_(changes), members=members)
    by_programme = decide(losing, gap=1e-5, method="single")
    by_search = decide(losing, gap=1e-5)
    assert by_programme.status == by_search.status == "optimal"
    assert by_programme.objective == pytest.approx(by_search.objective, abs=2e-5)
