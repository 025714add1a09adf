"""Points of objective and a measure against enumeration by the judge."""

from __future__ import annotations

import pytest
from brute_force import schedules
from random_instances import random_case

from abscopt.instances.load import InputError, build
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule
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
