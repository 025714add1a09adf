"""The stream of edge cases draws every regime; search, programme and enumeration agree in each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from benchmark_scripts import script
from edge_limits import limited_edge_case
from edge_regimes import regimes_of

from abscopt.instances import InputError
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.pipeline import _claim_of_feasible
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.results.result import Result
from abscopt.optimizer.solved import Solved

optima = script("reliability_parts.optima")
OBJECTIVES = ("default", "log_control", "expected_control", "log_kill", "tumor_bed")
LIMITS = (
    "bed", "mean", "mean_eqd2", "dose_by_fractions", "ntcp", "alc", "edric", "drug", "lesions",
    "lesions_per_day", "visits", "overall_days", "machine_days", "course_gap_days",
)  # fmt: skip
OFTEN = (
    *(f"objective {kind}" for kind in OBJECTIVES),
    "1 horizons", "2 horizons", "3 horizons", "free courses", "free beside uniform",
    "one-(n, d) menus", "start days beside each other", "immune off", "shares zero",
    "precursor shares zero", "heavy weights", "light weights", "clones", "soft limits",
    "infusion holidays", "infusions shifted",
)  # fmt: skip
"""At least every 20th case."""
NOW_AND_THEN = (
    *(f"limit {kind}" for kind in LIMITS),
    "several free courses", "techniques", "prior doses", "least BED", "least EQD2",
    "least control", "infusion weekdays", "course start days", "doses beside the known",
    "two regimens",
)  # fmt: skip
"""At least twice."""
SEEDS = 300
SOLVED = 2
"""A case that has an optimum."""
LEFT_OPEN = Solved(claimed=0.0, bound=1.0, best_objective=0.0, least_gap=1.0)
FUZZED = range(500, 555)
"""All objectives (seed modulo 5), presolve on and off (modulo 4), gaps (modulo 5 and 3)."""


def test_every_regime_is_drawn() -> None:
    counts: Counter[str] = Counter()
    for seed in range(SEEDS):
        try:
            counts.update(["built", *regimes_of(build(limited_edge_case(seed)))])
        except InputError:
            counts["refused"] += 1
    assert counts["refused"] <= 0.04 * SEEDS
    assert [name for name in OFTEN if counts[name] < SEEDS / 20] == []
    assert [name for name in NOW_AND_THEN if counts[name] < 2] == []


def test_search_programme_and_enumeration_agree_for_every_objective() -> None:
    tally = script("reliability_parts.tally").Tally()
    for seed in FUZZED:
        tally.add(optima.examine(seed))
    assert not tally.faults
    assert [kind for kind in OBJECTIVES if tally.counts[f"objective {kind}"] < 8] == []
    ways = ("auto", "auto without presolve", "single", "single without presolve")
    assert [way for way in ways if tally.counts[f"solved by {way}"] < 10] == []


@pytest.mark.parametrize(("worse", "bound"), [(1e-3, 0.0), (0.0, 1e-3), (1e-3, 1e-3)])
def test_a_worse_answer_or_a_false_bound_is_a_fault(
    worse: float, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(instance: Instance, **asked: Any) -> Result:
        result = solve(instance, **asked)
        assert result.objective is not None and result.bound is not None
        return replace(result, objective=result.objective - worse, bound=result.bound - bound)

    assert not optima.examine(SOLVED).faults
    monkeypatch.setattr(optima, "solve", wrong)
    assert len(optima.examine(SOLVED).faults) == len(list(optima.ways(SOLVED)))


def test_only_the_sentence_that_names_it_excuses_an_open_gap() -> None:
    result = solve(build(limited_edge_case(SOLVED)), gap=1e-4)
    best = result.objective
    assert best is not None
    claim = "no schedule that the case offers is better than the bound, if one is given; "
    named = claim + "the programme cannot be refined further: {} is the smallest gap that its "
    named += "margins and the solver's tolerances allow here"

    def said(claim: str) -> Result:
        certificate = replace(result.certificate, claim=claim)
        return replace(result, status="feasible", bound=best + 2e-4, certificate=certificate)

    assert optima.disagreement(said(named.format("0.0003")), best, 1e-4, 1e-9) is None
    assert optima.disagreement(said(named.format("0.00015")), best, 1e-4, 1e-9) is not None
    assert optima.disagreement(said(named.format("0.0003") + "."), best, 1e-4, 1e-9) is not None
    stopped = said(claim + "the search was stopped before the gap closed")
    assert optima.disagreement(stopped, best, 1e-4, 1e-9) is not None


def test_the_sentence_is_the_one_that_certificates_hold() -> None:
    assert optima.NAMED.fullmatch(_claim_of_feasible(LEFT_OPEN, Clock()))
