"""Points of objective and a measure against enumeration by the judge."""

from __future__ import annotations

import pytest
from brute_force import schedules
from random_instances import random_case

from abscopt.instances.load import InputError, build, load
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule, standard_schedule
from abscopt.optimizer.toxicity_factor import keeps_at, percent_needed
from abscopt.optimizer.tradeoff import pareto

GAP = 1e-4


def measured(against: str, schedule: Schedule) -> int:
    """Visits, lesions or days of a schedule, counted anew."""
    days = sorted({fraction.day for fraction in schedule.fractions})
    if against == "visits":
        return len(days)
    if against == "sites":
        return len({fraction.lesion for fraction in schedule.fractions})
    return days[-1] - days[0] + 1 if days else 0


@pytest.mark.parametrize("seed", [0, 3, 11])
@pytest.mark.parametrize("against", ["visits", "sites", "time"])
def test_points_are_those_of_enumeration(seed: int, against: str) -> None:
    case = build(random_case(seed))
    judge, best = Judge(case), dict[int, float]()
    for schedule in schedules(case):
        verdict = judge.evaluate(schedule)
        if verdict.feasible:
            m = measured(against, schedule)
            best[m] = max(best.get(m, verdict.objective), verdict.objective)
    trade = pareto(case, against, gap=GAP)
    assert trade.complete
    assert bool(trade.points) == bool(best)
    for value, result in trade.points:
        assert result.schedule is not None and result.objective is not None
        assert measured(against, result.schedule) == value
        within = [objective for m, objective in best.items() if m <= value]
        assert result.objective >= max(within) - GAP - 1e-9
    for m, objective in best.items():  # each schedule is beaten within the gap by some point
        reached = [
            r.objective for value, r in trade.points if value <= m and r.objective is not None
        ]
        assert max(reached) >= objective - GAP - 1e-9
    values = [value for value, _ in trade.points]
    objectives = [result.objective for _, result in trade.points]
    assert values == sorted(set(values), reverse=True)
    assert objectives == sorted(objectives, key=lambda x: -(x or 0.0))
    assert 0.0 <= trade.hypervolume[0] <= trade.hypervolume[1]


def test_more_lymphocytes_cost_control() -> None:
    trade = pareto("toy-two-lesions", "lymphocytes", count=3)
    counts = [value for value, _ in trade.points]
    assert counts == sorted(counts) and len(counts) == len(set(counts))


def test_unknown_measures_are_refused() -> None:
    with pytest.raises(InputError, match="known"):
        pareto("toy-two-lesions", "beauty")


@pytest.mark.parametrize("seed", [0, 7])
def test_points_against_toxicity_are_those_of_enumeration(seed: int) -> None:
    """Each percent of the limits is a case of its own: its best, by judging everything."""
    case = build(random_case(seed))
    trade = pareto(case, "toxicity", gap=GAP)
    assert trade.complete and trade.points
    percents = [int(value) for value, _ in trade.points]
    assert percents == sorted(set(percents), reverse=True)
    feasible = []
    judge = Judge(case)
    for schedule in schedules(case):
        verdict = judge.evaluate(schedule)
        if verdict.feasible:
            feasible.append((percent_needed(case, schedule), verdict.objective))
    for percent, result in trade.points:
        assert result.schedule is not None and result.objective is not None
        assert percent_needed(case, result.schedule) == percent
        within = [objective for needed, objective in feasible if needed <= percent]
        assert result.objective >= max(within) - GAP - 1e-9
    for needed, objective in feasible:
        reached = [r.objective for p, r in trade.points if p <= needed and r.objective is not None]
        assert max(reached) >= objective - GAP - 1e-9


def test_percent_is_the_greatest_use_where_loads_are_parts_of_caps() -> None:
    case = load("oligomet-4").with_({"limits.stomach_max.limits_gy": [30.0, 40.0, 45.0]})
    schedule = standard_schedule(case)
    assert schedule is not None
    percent = percent_needed(case, schedule)
    assert keeps_at(case, schedule, percent) and not keeps_at(case, schedule, percent - 1)
    uses = [use.use for use in Judge(case).evaluate(schedule).limits if use.name == "lungs_mean"]
    assert uses[0] is not None and percent >= 100 * uses[0] - 1e-9


def test_without_a_limit_on_an_organ_there_is_no_toxicity() -> None:
    with pytest.raises(InputError, match="no hard limit on an organ"):
        pareto(load("toy-blockade").unchecked({"limits": ()}), "toxicity")
