"""What the second stage prefers, against enumeration by the judge with each preference in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from brute_force import schedules

from abscopt.instances.load import InputError, load
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import is_machine_day
from abscopt.optimizer import decide, solve
from abscopt.optimizer.ensemble import second_stage
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import Schedule, standard_schedule

GAP = 1.0


def two_lesions() -> Instance:
    """Two lesions on one organ, with a choice of days, numbers and doses."""
    course = {"form": "uniform", "fractions": [2, 3], "doses_gy": [8.0, 10.0]}
    course |= {"interval_days": [1, 3], "last_start_day": 4, "start_step_days": 2}
    return load("toy-two-lesions").with_(
        {
            "lesions.large.course": course,
            "lesions.small.course": course,
            "objective.gap": GAP,
            "standard.courses": [
                {"lesion": "large", "fractions": 2, "dose_gy": 10, "start_day": 2},
                {"lesion": "small", "fractions": 2, "dose_gy": 8, "start_day": 4,
                 "interval_days": 3},
            ],
        }
    )  # fmt: skip


def visits(_case: Instance, schedule: Schedule) -> float:
    return len({f.day for f in schedule.fractions})


def gaps(case: Instance, schedule: Schedule) -> float:
    number = 0
    for lesion in case.lesions:
        days = {f.day for f in schedule.fractions if f.lesion == lesion.name}
        span = range(min(days), max(days) + 1) if days else range(0)
        number += sum(is_machine_day(case.calendar, d) and d not in days for d in span)
    return number


def apart(case: Instance, schedule: Schedule) -> float:
    standard, number = standard_schedule(case), 0
    assert standard is not None
    for lesion in case.lesions:
        sides = [x.course(lesion.name) for x in (schedule, standard)]
        facts = [
            (len(c), c[0][1], x.technique(lesion.name), c[0][0], c[-1][0]) if c else (None,) * 5
            for c, x in zip(sides, (schedule, standard), strict=True)
        ]
        number += sum(a != b for a, b in zip(*facts, strict=True))
    for drug in {i.drug for i in (*schedule.infusions, *standard.infusions)}:
        days = [[i.day for i in x.infusions if i.drug == drug] for x in (schedule, standard)]
        ours, usual = ((len(d), min(d)) if d else (None, None) for d in days)
        number += (ours[0] != usual[0]) + (ours[1] != usual[1])
    return number


def starts(case: Instance, schedule: Schedule) -> float:
    return sum(
        min((f.day for f in schedule.fractions if f.lesion == x.name), default=0)
        for x in case.lesions
    )


PREFERENCES: dict[str, Callable[[Instance, Schedule], float]] = {
    "fewest-visits": visits,
    "consecutive-days": gaps,
    "closest-to-standard": apart,
    "earliest": starts,
}


@pytest.mark.parametrize("name", PREFERENCES)
def test_the_preferred_schedule_is_that_of_enumeration(name: str) -> None:
    case = two_lesions().with_({"objective.prefer": [name]})
    result, judge, measure = solve(case), Judge(case), PREFERENCES[name]
    assert result.schedule is not None and result.bound is not None
    assert result.objective is not None and result.objective >= result.bound - GAP - 1e-9
    verdicts = ((s, judge.evaluate(s)) for s in schedules(case))
    within = [s for s, v in verdicts if v.feasible and v.objective >= result.bound - GAP + 1e-6]
    values = [measure(case, schedule) for schedule in within]
    assert measure(case, result.schedule) <= min(values)
    assert len(set(values)) > 1, "there is a choice"


def test_preferences_count_in_turn() -> None:
    both = {}
    for order in (["fewest-visits", "closest-to-standard"], ["closest-to-standard", "earliest"]):
        case = two_lesions().with_({"objective.prefer": order})
        answer = solve(case).schedule
        assert answer is not None
        both[order[0]] = (visits(case, answer), apart(case, answer))
    assert both["fewest-visits"][0] <= both["closest-to-standard"][0]
    assert both["closest-to-standard"][1] <= both["fewest-visits"][1]
    assert both["fewest-visits"] != both["closest-to-standard"]


def test_the_default_is_the_least_load() -> None:
    case = two_lesions()
    stated = case.with_({"objective.prefer": ["least-load"]})
    assert solve(case).schedule == solve(stated).schedule
    assert "prefer" not in case.model_dump(exclude_none=True)["objective"]
    assert instance_digest(case) != instance_digest(stated)


def test_drugs_stay_with_the_standard_where_it_is_free() -> None:
    case = load("toy-blockade").with_({"objective.gap": 10.0})
    near = case.with_({"objective.prefer": ["closest-to-standard"]})
    answer, usual = solve(near), standard_schedule(near)
    assert answer.schedule is not None and usual is not None
    assert apart(near, answer.schedule) == 0.0 and answer.schedule == usual


@pytest.mark.parametrize(
    "change",
    [{"objective.prefer": ["quickest"]}, {"objective.prefer": ["earliest", "earliest"]},
     {"objective.prefer": []}, {"objective.prefer": ["closest-to-standard"], "standard": None}],
)  # fmt: skip
def test_wrong_preferences_are_named(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="prefer"):
        two_lesions().with_(change)  # type: ignore[arg-type]


@pytest.mark.parametrize("risk", ["mean", "worst"])
def test_for_members_a_tenth_of_the_gap_is_given_up(
    risk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = two_lesions().with_({"objective.prefer": ["fewest-visits"]})
    members = ensemble_of(case, "radiobiology", size=4)
    after = decide(members, risk)
    monkeypatch.setattr(second_stage, "MOST_VERDICTS", 0)
    before = decide(members, risk)
    assert after.status == before.status == "optimal"
    assert after.answer is not None and before.answer is not None and after.bound is not None
    assert after.answer.risk >= before.answer.risk - 0.1 * GAP - 1e-9
    assert after.answer.risk >= after.bound - GAP - 1e-9
    assert after.answer.nominal.feasible and after.answer.broken == 0.0
    counts = [visits(case, x.answer.schedule) for x in (after, before)]  # type: ignore[union-attr]
    assert counts[0] <= counts[1]
    least = min(
        visits(case, s) for s in _one_change(case, after.answer.schedule)
        if _risk(members, risk, s) >= before.answer.risk - 0.1 * GAP + 1e-9
    )  # fmt: skip
    assert counts[0] <= least, "no single change has fewer"


def _one_change(case: Instance, answer: Schedule) -> Iterator[Schedule]:
    """The answer and all schedules that differ from it in one lesion."""
    judge = Judge(case)
    for schedule in schedules(case):
        differ = [x for x in case.lesions if schedule.course(x.name) != answer.course(x.name)]
        if len(differ) <= 1 and judge.evaluate(schedule).feasible:
            yield schedule


def _risk(members: Ensemble, risk: str, schedule: Schedule) -> float:
    values = [Judge(x).evaluate(schedule).objective for x in members.instances]
    return float(members.weights @ values) if risk == "mean" else min(values)
