"""Courses of phases beside free courses: every search against enumeration."""

from __future__ import annotations

from typing import Any

import pytest
from brute_force import agrees, enumerate_by_judge
from test_free_search import answer_of
from test_free_several import menu, several

from abscopt.instances import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.search.free.scope import applies

Raw = dict[str, Any]

GAP = 1e-3

PHASES = [
    {"fractions": [1, 2], "doses_gy": [5, 9]},
    {"fractions": [1], "doses_gy": [3, 9], "gap_days": [1, 2], "optional": True},
]


def two_phases(per_day: int = 1, ways: bool = False) -> Raw:
    """A lesion with two phases: of another dose each, twice a day or in two ways if asked for."""
    beside = menu("phased")
    phases: list[Raw] = [dict(phase) for phase in PHASES]
    if per_day > 1:
        phases[1] |= {"fractions": [per_day], "fractions_per_day": per_day}
    if ways:
        beside["techniques"] = [
            {"name": "ebrt"},
            {"name": "hdr", "lymphocyte_loss_per_fraction": 0.01, "irradiated_share": 0.95},
        ]
        phases[0]["technique"], phases[1]["technique"] = "ebrt", "hdr"
    beside["course"] = {"form": "phases", "last_start_day": 1, "phases": phases}
    return beside


def best_of(instance: Instance) -> float:
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert best is not None
    return best


@pytest.mark.parametrize("seed", [0, 2, 5, 8, 11, 14])
def test_the_free_search_finds_the_best_of_every_schedule(seed: int) -> None:
    instance = build(several(seed, lesions=1, days=2, beside=[two_phases()]))
    best, answer = best_of(instance), answer_of(instance, GAP)
    assert answer.bound is not None
    assert best - GAP - 1e-9 <= answer.value <= best + 1e-9
    assert best - 1e-9 <= answer.bound <= answer.value + GAP + 1e-9


@pytest.mark.parametrize("seed", [1, 4, 7])
@pytest.mark.parametrize("how", [{"per_day": 2}, {"ways": True}])
def test_the_programme_covers_what_the_search_does_not(seed: int, how: Raw) -> None:
    instance = build(several(seed, lesions=1, days=2, beside=[two_phases(**how)]))
    assert not applies(Candidates(instance))
    assert agrees(solve(instance, gap=GAP, time_limit=60), best_of(instance), GAP)


@pytest.mark.parametrize("seed", [2, 5])
def test_one_programme_finds_the_same(seed: int) -> None:
    instance = build(several(seed, lesions=1, days=2, beside=[two_phases()]))
    result = solve(instance, gap=GAP, method="single", time_limit=60)
    assert agrees(result, best_of(instance), GAP)
