"""Points of objective and a measure against enumeration by the judge."""

from __future__ import annotations

import pytest
from brute_force import schedules
from random_instances import random_case
from spread_cases import spread
from tuning import tune
from widened_instances import widened_case

from abscopt.instances.load import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.fronts.toxicity_factor import keeps_at, percent_needed, scaled_limits
from abscopt.optimizer.fronts.tradeoff import pareto
from abscopt.optimizer.schedule import Schedule, standard_schedule
from abscopt.optimizer.search.uniform import examine, settings
from abscopt.optimizer.search.uniform.leaves.by_plan import ByPlan
from abscopt.optimizer.search.uniform.leaves.combinations import Combinations

GAP = 1e-4


def measured(against: str, schedule: Schedule) -> int:
    """Visits, lesions or days of a schedule, counted anew."""
    days = sorted({fraction.day for fraction in schedule.fractions})
    if against == "visits":
        return len(days)
    if against == "sites":
        return len({fraction.lesion for fraction in schedule.fractions})
    return days[-1] - days[0] + 1 if days else 0


def needs(case: Instance, against: str, schedule: Schedule, m: float) -> bool:
    """Whether a schedule's measure is at least m; for toxicity it breaks the limits below m."""
    if against == "toxicity":
        return m < 2 or not keeps_at(case, schedule, int(m) - 1)
    return measured(against, schedule) >= m


@pytest.mark.parametrize("few", [settings.CURRENT.few, 0])
@pytest.mark.parametrize("first", range(0, 66, 6))
def test_points_are_those_of_enumeration(
    first: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each schedule is beaten within the gap by a point of no worse measure, and points are right.

    Once as ever, and once with nothing enumerated before it has been bounded.
    """
    tune(monkeypatch, settings, few=few)
    for seed in range(first + (3 if few else 0), first + (6 if few else 3)):
        against = ("visits", "sites", "time", "toxicity")[seed % 4]
        hold_against_enumeration(build(random_case(seed)), against)


def test_points_under_radiosensitivities_are_those_of_enumeration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Combinations of kinds close the searches, plan by plan where the tree is known before."""
    tune(
        monkeypatch, settings, few=0, first_cells=2, recalled_cells=2, combination_levels=8,
        combination_tangents=3, course_limit=50.0,
    )  # fmt: skip
    fewer = []
    screened = examine.by_plan

    def counted(combinations: Combinations) -> ByPlan | None:
        values = screened(combinations)
        if values is not None:
            fewer.append(len(values.plans_above(combinations.threshold)) < len(values.plans))
        return values

    monkeypatch.setattr(examine, "by_plan", counted)
    raws = [(seed, random_case(seed)) for seed in (104, 118, 119, 125, 132, 143)]
    raws += [(seed, widened_case(seed)) for seed in (100, 109, 129, 136, 137, 155)]
    for seed, raw in raws:
        for against in ("toxicity", "sites"):
            hold_against_enumeration(build(spread(raw, seed)), against)
    assert sum(fewer) > 20 and not all(fewer)


def hold_against_enumeration(case: Instance, against: str) -> None:
    """Every schedule is beaten within the gap by a point that is no worse, and points are right."""
    if against == "toxicity" and not any(map(scaled_limits, case.limits)):
        against = "visits"
    judge = Judge(case)
    verdicts = [(schedule, judge.evaluate(schedule)) for schedule in schedules(case)]
    feasible = [(s, verdict.objective) for s, verdict in verdicts if verdict.feasible]
    trade = pareto(case, against, gap=GAP)
    assert trade.complete
    assert bool(trade.points) == bool(feasible)
    for value, result in trade.points:
        assert result.schedule is not None and result.objective is not None
        assert needs(case, against, result.schedule, value)
        assert result.bound is not None and result.bound - result.objective <= GAP * (1 + 1e-9)
        if against != "toxicity":
            assert measured(against, result.schedule) == value
        verdict = judge.evaluate(result.schedule)
        assert verdict.feasible and verdict.objective == result.objective
    for schedule, objective in feasible:
        reached = [
            value for value, r in trade.points if (r.objective or 0.0) >= objective - GAP - 1e-9
        ]
        assert reached, "the first point is the best"
        assert needs(case, against, schedule, reached[-1])
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
