"""Robustness against enumeration of all schedules in all members, and against separate solves."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from brute_force import schedules
from ensembles import ensemble as random_ensemble

from abscopt.instances import InputError, load
from abscopt.instances.schema import Instance
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer import solve
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.ensemble.study.decisions import (
    Decision,
    Value,
    decided,
    decisions,
    fixed,
    holds,
)
from abscopt.optimizer.ensemble.study.document import document, findings, report
from abscopt.optimizer.ensemble.study.drivers import _indices
from abscopt.optimizer.ensemble.study.identified import Fixed, verdict
from abscopt.optimizer.ensemble.study.robustness import Robustness, quantiles, robustness
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import check_seal
from abscopt.optimizer.schedule import Schedule, standard_schedule

SEEDS = (4, 6, 8, 14, 16, 25)
"""Ensembles whose members do not all choose the same."""
GAP = 1e-4
SOURCE = {"source": "test", "status": "assumed"}


def listed(case: Instance, instances: list[Instance], weights: FloatArray) -> Ensemble:
    """An ensemble of cases that are there already."""
    members = (
        Member(f"m{i}", float(weight), (), instance)
        for i, (instance, weight) in enumerate(zip(instances, weights, strict=True))
    )
    return Ensemble("listed", case, tuple(members))


@cache
def enumerated(seed: int) -> tuple[Ensemble, list[Schedule], FloatArray, BoolArray]:
    """Random ensemble, all schedules of its case, their values, and where each keeps its limits."""
    case, instances, weights = random_ensemble(seed)
    offered = list(schedules(case))
    values = np.empty((len(offered), len(instances)))
    kept = np.empty(values.shape, dtype=bool)
    for k, instance in enumerate(instances):
        judge = Judge(instance)
        for i, schedule in enumerate(offered):
            evaluation = judge.evaluate(schedule)
            values[i, k], kept[i, k] = evaluation.objective, evaluation.feasible
    return listed(case, instances, weights / weights.sum()), offered, values, kept


@cache
def study(seed: int) -> Robustness:
    """Robustness of the nominal optimum in a random ensemble."""
    ensemble = enumerated(seed)[0]
    answer = solve(ensemble.case, gap=GAP).schedule
    return robustness(ensemble.case, answer or Schedule(), ensemble, gap=GAP)


@pytest.mark.parametrize("seed", SEEDS)
def test_optima_and_regrets_are_those_of_enumeration(seed: int) -> None:
    _, offered, values, kept = enumerated(seed)
    found = study(seed)
    best = np.where(kept, values, -np.inf).max(axis=0)
    for k, status in enumerate(found.optima.statuses):
        assert status == ("optimal" if np.isfinite(best[k]) else "infeasible")
        if np.isfinite(best[k]):
            assert found.pool.best[k] == pytest.approx(best[k], abs=GAP * 1.01)
            assert found.optima.bounds[k] >= best[k] - 1e-9
    row = offered.index(found.pool.schedules[found.schedule])
    np.testing.assert_allclose(found.pool.values[found.schedule], values[row], rtol=1e-12)
    regret = np.where(kept[row], best - values[row], np.nan)
    np.testing.assert_allclose(found.regrets, regret, atol=GAP * 1.01)
    assert not found.stopped


@pytest.mark.parametrize("seed", SEEDS)
def test_the_identification_table_is_that_of_enumeration(seed: int) -> None:
    ensemble, offered, values, kept = enumerated(seed)
    case, within = ensemble.case, np.where(kept, values, -np.inf)
    best = within.max(axis=0)
    alive = np.isfinite(best)
    compared = 0
    for row in study(seed).table:
        for value in row.values:
            rows = [holds(row.decision, value.value, x, case) for x in offered]
            with_value = within[np.array(rows)].max(axis=0, initial=-np.inf)
            regret = (best - with_value)[alive].max(initial=0.0)
            assert value.settled
            if math.isinf(regret):
                assert math.isinf(value.regret)
            elif len(row.values) > 1:
                assert value.regret == pytest.approx(regret, abs=2.1 * GAP)
                assert value.at_least <= regret + GAP
                compared += 1
        shares: dict[Value, float] = {}
        for k in np.flatnonzero(alive):
            optimum = study(seed).optima.schedules[k]
            assert optimum is not None
            value_of = decided(row.decision, optimum, case)
            shares[value_of] = shares.get(value_of, 0.0) + float(ensemble.weights[k])
            chosen = [holds(row.decision, value_of, x, case) for x in offered]
            assert within[np.array(chosen)][:, k].max() >= best[k] - GAP * 1.01
        total = sum(shares.values())
        told = {value.value: value.share for value in row.values if value.share > 0}
        assert told == pytest.approx({name: share / total for name, share in shares.items()})


def test_random_ensembles_have_decisions_to_compare() -> None:
    costs = [
        value.regret
        for seed in SEEDS
        for row in study(seed).table
        for value in row.values
        if len(row.values) > 1
    ]
    assert len(costs) >= 10
    assert sum(10 * GAP < cost < math.inf for cost in costs) >= 5
    assert {row.verdict for seed in SEEDS for row in study(seed).table} >= {"identified"}


@pytest.mark.parametrize("seed", [4, 25])
def test_a_case_with_a_decision_fixed_offers_what_decides_so(seed: int) -> None:
    ensemble, offered, _, _ = enumerated(seed)
    case = ensemble.case
    stated = Judge(case)
    offered = [x for x in offered if not stated.evaluate(x).obstacles]
    for decision in decisions(case):
        for value in {decided(decision, schedule, case) for schedule in offered}:
            expected = {x for x in offered if holds(decision, value, x, case)}
            restricted = fixed(case, decision, value)
            assert restricted is not None
            judge = Judge(restricted)
            offers = {x for x in schedules(restricted) if _offered(judge, x)}
            if decision.kind != "start":  # doses planned for other days may coincide
                assert offers == expected, (decision, value)
            assert offers <= expected


def _offered(judge: Judge, schedule: Schedule) -> bool:
    """Whether a schedule breaks no rule and no demand of a lesion."""
    evaluation = judge.evaluate(schedule)
    demands = evaluation.limits[len(judge.instance.limits) :]
    return not evaluation.obstacles and not any(use.broken for use in demands)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_one_member_is_the_case_itself(seed: int) -> None:
    case = enumerated(seed)[0].case
    answer = solve(case, gap=GAP)
    if answer.schedule is None:
        return
    found = robustness(case, answer.schedule, listed(case, [case], np.ones(1)), gap=GAP)
    summary = found.summary()
    assert summary["mean"] == pytest.approx(answer.objective, abs=1e-9)
    for key in ("largest_regret", "evpi_at_most", "price_of_robustness"):
        assert -1e-12 <= summary[key] <= 2 * GAP
    assert all(row.values[0].share == pytest.approx(1) for row in found.table)


def test_the_order_of_members_changes_nothing() -> None:
    ensemble = enumerated(6)[0]
    schedule = study(6).pool.schedules[study(6).schedule]
    turned = Ensemble("listed", ensemble.case, ensemble.members[::-1])
    other = robustness(ensemble.case, schedule, turned, gap=GAP).summary()
    for key, value in study(6).summary().items():
        if key not in ("schedules_compared", "members", "solved"):
            assert other[key] == pytest.approx(value, abs=3 * GAP), key


def test_expected_value_of_perfect_information_is_bounded_by_enumeration() -> None:
    for seed in SEEDS:
        ensemble, _, values, kept = enumerated(seed)
        summary = study(seed).summary()
        safe = kept.all(axis=1)
        best = np.where(kept, values, -np.inf).max(axis=0)
        if summary["evpi_at_most"] is None or not safe.any():
            continue
        evpi = ensemble.weights @ best - (values[safe] @ ensemble.weights).max()
        assert summary["evpi_at_most"] >= evpi - 1e-9 >= -1e-9


def case_with_scenarios() -> Instance:
    """A toy whose members disagree on the day of the drug."""
    options = [
        {"name": "early", "set": {"immune.blockade_mobilization_per_day": 0.5}},
        {"name": "as-stated"},
        {"name": "none", "weight": 2, "set": {"immune.use": "off"}},
    ]
    return load("toy-blockade", {"ensemble": SOURCE | {"members": options}})


def test_lines_say_what_is_identified() -> None:
    case = case_with_scenarios()
    answer = solve(case).schedule
    assert answer is not None
    found = robustness(case, answer, matters=1e-3, gap=1e-4)
    first, second = found.lines()
    assert "better than the standard in" in first
    assert "3 parameter sets (of the case)" in first
    rows = {row.decision.name: row for row in found.table}
    starts = rows["pembrolizumab: first dose"]
    assert len(starts.values) > 1
    words = report(found)
    assert words.index(first.split(";")[0][:40]) < words.index("Value in each member")
    assert starts.verdict in second
    sealed = document(found)
    check_seal(sealed, "document")
    assert sealed["lines"] == [first, second]
    assert sealed["members"][2]["weight"] == 0.5


def test_frames_have_a_row_for_each() -> None:
    found = study(4)
    tables = found.frames
    assert len(tables["members"]) == len(found.ensemble.members)
    assert len(tables["decisions"]) == len(found.table)
    lesions = len(found.ensemble.case.lesions)
    assert len(tables["control"]) == lesions * (1 if found.standard is None else 2)
    assert tables["members"]["weight"].sum() == pytest.approx(1)
    findings(found)


@pytest.mark.parametrize("name", ["stage3-crt", "early-sabr"])
def test_the_table_agrees_with_separate_solves_of_every_member(name: str) -> None:
    case = load(name)
    ensemble = ensemble_of(case, "radiobiology", size=2)
    standard = standard_schedule(case)
    assert standard is not None
    found = robustness(case, standard, ensemble, exact=False, gap=0.05)
    for decision, row in zip(decisions(case), found.table, strict=True):
        assert row.decision == decision
    for k, member in enumerate(ensemble.members):
        alone = solve(member.instance, gap=0.05)
        assert alone.objective is not None and alone.bound is not None
        assert found.optima.bounds[k] >= alone.objective
        assert found.pool.best[k] >= alone.bound - 0.05 - 1e-9
        chosen = found.optima.schedules[k]
        assert chosen is not None
        for row in found.table:
            value = decided(row.decision, chosen, case)
            (entry,) = (x for x in row.values if x.value == value)
            assert entry.share >= 0.5 - 1e-9


def test_time_that_is_up_leaves_what_is_known() -> None:
    case = load("oligomet-4")
    standard = standard_schedule(case)
    assert standard is not None
    ensemble = ensemble_of(case, "radiobiology", size=2)
    found = robustness(case, standard, ensemble, time_limit=1e-6)
    assert found.stopped
    assert set(found.optima.statuses) == {"not solved"}
    assert "stopped before all was solved" in found.lines()[0]
    assert {row.verdict for row in found.table} == {"open"}
    assert found.summary()["evpi_at_most"] is None
    assert "not solved" in report(found)
    findings(found)


def test_a_listener_may_stop_it() -> None:
    case = case_with_scenarios()
    standard = standard_schedule(case)
    assert standard is not None

    def listener(progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robustness(case, standard, listener=listener)


def test_verdicts() -> None:
    def value(share: float, regret: float, settled: bool = True, at_least: float = 0) -> Fixed:
        return Fixed(1, share, regret, at_least, settled)

    assert verdict([value(0.6, 0.01), value(0.4, 0.02)], 0.05) == "does not matter"
    assert verdict([value(0.6, 0.01), value(0.4, 0.2)], 0.05) == "identified"
    assert verdict([value(1.0, 0.0)], 0.05) == "identified"
    assert verdict([value(0.6, 0.2), value(0.4, 0.3)], 0.05) == "not identified"
    assert verdict([value(0.6, 0.2), value(0.4, 0.01)], 0.05) == "identified"  # the second is safe
    assert verdict([value(0.6, 0.2), value(0.4, 0.3, False)], 0.05) == "open"
    assert verdict([value(0.6, 0.2, False)], 0.05) == "open"
    assert verdict([value(0.6, 0.2, False, 0.1)], 0.05) == "not identified"
    assert verdict([value(0.6, 0.0), value(0.4, 0.2, False)], 0.05) == "open"
    assert verdict([], 0.05) == "open"


def test_quantiles_are_weighted() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    assert quantiles(values, weights, (0.1, 0.5, 0.8, 0.9, 1.0)) == [1, 1, 2, 3, 3]
    ten = np.arange(10.0)
    assert quantiles(ten, np.full(10, 0.1)) == [0, 4, 8]


def test_drivers_of_a_sum_are_in_proportion_to_its_variances() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 2, 2048))
    samples = [first, second]
    for i in range(2):
        mixed = first.copy()
        mixed[i] = second[i]
        samples.append(mixed)
    values = np.array([[2 * x[0] + x[1], np.zeros(2048)] for x in samples])
    found = _indices(values, ["a", "b"], 0)
    assert [driver.quantity for driver in found] == ["value", "value"]  # the gain is constant
    for driver, truth in zip(found, (0.8, 0.2), strict=True):
        assert driver.first == pytest.approx(truth, abs=0.06)
        assert driver.total == pytest.approx(truth, abs=0.03)
        assert driver.first_low < truth < driver.first_high
        assert driver.total_low < truth < driver.total_high


def test_drivers_say_which_parameter_counts() -> None:
    case = load("toy-blockade")
    schedule = standard_schedule(case)
    assert schedule is not None
    vary = [
        {"key": "lesions.*.alpha_per_gy", "distribution": "uniform", "low": 0.8, "high": 1.2},
        {"key": "immune.effector_loss_per_day", "distribution": "uniform", "low": 0.99,
         "high": 1.01},
    ]  # fmt: skip
    own = case.with_({"ensemble": SOURCE | {"size": 2, "vary": vary}})
    found = robustness(own, schedule, exact=False, driver_points=8)
    value = {d.parameter: d for d in found.drivers if d.quantity == "value"}
    alpha, loss = value["lesions.*.alpha_per_gy"], value["immune.effector_loss_per_day"]
    assert alpha.total > 0.2 > 0.05 > loss.total
    again = robustness(own, schedule, exact=False, driver_points=8)
    assert again.drivers == found.drivers
    for bad in (case_with_scenarios(), own):
        with pytest.raises(InputError):
            robustness(bad, schedule, exact=False, driver_points=8 if bad is not own else 6)


def test_words_of_decisions() -> None:
    assert Decision("lesions").words(("a", "b")) == "a, b"
    assert Decision("lesions").words(()) == "none"
    assert Decision("start", "drug").words(0) == "day 0"
    assert Decision("dose", "lung").words(11.5) == "11.5 Gy"
    assert Decision("fractions", "lung").words(None) == "none"
    assert Decision("interval", "lung").name == "lung: days between fractions"
