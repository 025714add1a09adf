"""A stopped solve leaves no lesion out that can be added with gain; late bounds are checked too."""

from __future__ import annotations

import math

import pytest
from clocks import Stopping
from tuning import tune

from abscopt.instances import load
from abscopt.optimizer import pipeline, solve
from abscopt.optimizer.assurance import improved, known, known_at_once
from abscopt.optimizer.assurance.known import best_known
from abscopt.optimizer.audit import case_audit
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Clock, Listener
from abscopt.optimizer.schedule import Schedule, standard_schedule
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.solved import Solved

pytestmark = pytest.mark.aided

CASE = "oligomet-4"
GAIN = "improves the objective by"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, the same schedules are tried."""
    monkeypatch.setattr(known_at_once, "SECONDS", 60.0)
    tune(monkeypatch, settings, last_seconds=60.0)


def of_schedule(schedule: Schedule, value: float) -> Solved:
    """A search that was stopped with a schedule and without a bound."""
    return Solved(schedule, value, best_objective=value)


def one_lesion_of_the_standard() -> tuple[Judge, Schedule, float]:
    """Judge, the bundled case's standard with its first lesion only, and its value."""
    case = load(CASE)
    judge, standard = Judge(case), standard_schedule(case)
    assert standard is not None
    first = standard.fractions[0].lesion
    fractions = [fraction for fraction in standard.fractions if fraction.lesion == first]
    schedule = Schedule.of(fractions, standard.infusions)
    verdict = judge.evaluate(schedule)
    assert verdict.feasible
    return judge, schedule, verdict.objective


def test_lesions_are_added_while_the_objective_gains() -> None:
    judge, schedule, value = one_lesion_of_the_standard()
    alone = case_audit(judge.instance).alone
    found = improved.with_lesions_added(judge, alone, of_schedule(schedule, value), None, 0.01)
    assert found.schedule is not None and found.claimed is not None
    verdict = judge.evaluate(found.schedule)
    assert verdict.feasible and verdict.objective == found.claimed > value
    assert len({fraction.lesion for fraction in found.schedule.fractions}) > 1
    assert found.best_objective == found.claimed
    assert improved.with_lesions_added(judge, alone, found, None, 0.01) == found
    same = improved.with_lesions_added(judge, alone, of_schedule(schedule, value), None, 0.01)
    assert same == found


def test_an_answer_within_its_gap_or_misjudged_stays_as_it_is() -> None:
    judge, schedule, value = one_lesion_of_the_standard()
    alone = case_audit(judge.instance).alone
    right, wrong = of_schedule(schedule, value), of_schedule(schedule, value + 1.0)
    assert improved.with_lesions_added(judge, alone, right, value + 0.005, 0.01) is right
    assert improved.with_lesions_added(judge, alone, wrong, None, 0.01) is wrong


@pytest.mark.parametrize("looks", [60, 300])
def test_no_note_says_that_a_lesion_could_be_added_with_gain(
    looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = load(CASE).unchecked({"standard": None})

    def made(limit: float | None = None, listener: Listener | None = None) -> Stopping:
        return Stopping(looks)

    monkeypatch.setattr(pipeline, "Clock", made)
    result = solve(case)
    assert result.status == "feasible"
    assert [note.text for note in result.notes if GAIN in note.text] == []


def test_an_extended_clock_ends_on_its_own_and_leaves_the_first_as_it_was() -> None:
    clock = Clock(0.0)
    reached = False
    with clock.running("test"), clock.extended(60.0):
        reached = not clock.expired
    assert reached and clock.expired
    with clock.running("test"), clock.extended(0.0):
        assert clock.expired


def test_a_bound_that_closes_at_the_limit_is_held_against_cheap_schedules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "LATE_SECONDS", 3.0)
    case = load(CASE)
    found = best_known(Candidates(case), Judge(case), None, 0, Clock(0.0))
    assert found is not None and math.isfinite(found[1])
