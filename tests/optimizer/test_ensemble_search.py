"""The search over members against enumeration, by tables and by the judge; laws of the measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_force import schedules
from ensembles import ensemble, plain_risk
from hypothesis import given
from hypothesis import strategies as st

from abscopt.instances.load import InputError, load
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.counted import Counted
from abscopt.optimizer.search.ensemble.explore import (
    EnsembleState,
    Search,
    ceiling_of_members,
    explore,
)
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE, Members, of_limits
from abscopt.optimizer.search.ensemble.plan import Plans
from abscopt.optimizer.search.ensemble.risk import Risk, RiskKind
from abscopt.optimizer.search.join import every_row

GAP = 1e-3
RISKS: tuple[tuple[RiskKind, float], ...] = (
    ("mean", 1.0), ("cvar", 0.2), ("cvar", 0.5), ("worst", 1.0), ("regret", 1.0),
)  # fmt: skip
SEEDS = range(16)
finite = st.floats(-20.0, 5.0)


@pytest.fixture(autouse=True)
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases are bounded and split, not just valued."""
    small = replace(settings.CURRENT, few=4, join_limit=50, shortlist=3)
    monkeypatch.setattr(settings, "CURRENT", small)


def tables(members: Members) -> tuple[FloatArray, BoolArray]:
    """(schedules, members) values of all schedules by each member's tables; which are feasible."""
    rows = every_row([np.arange(len(table.menu)) for table in members.nominal.lesions])
    values, feasible = [], []
    for plan in range(len(members.nominal.plans)):
        of_members = [Tabulated(c, plan) for c in members.candidates]
        values.append(np.stack([t.value(rows) for t in of_members], axis=1))
        broken = np.stack([~t.feasible(rows) for t in of_members], axis=1) @ members.weights
        within = broken <= members.chance + WITHIN_CHANCE
        feasible.append(Tabulated(members.nominal, plan).feasible(rows) & within)
    return np.concatenate(values), np.concatenate(feasible)


def solved(members: Members, kind: RiskKind, level: float, best: FloatArray) -> EnsembleState:
    """What the search finds."""
    return explore(members, Risk(kind, members.weights, level, best), GAP, Clock())


@pytest.mark.parametrize("seed", SEEDS)
def test_each_risk_is_that_of_brute_force(seed: int) -> None:
    case, cases, weights = ensemble(seed)
    chance = 0.3 if seed % 3 == 0 else 0.0
    members = Members.of(case, cases, weights, chance)
    if not members.nominal.plans:
        pytest.skip("the case has no plan")
    values, feasible = tables(members)
    best = values[feasible].max(axis=0) if feasible.any() else np.zeros(len(weights))
    for kind, level in RISKS:
        state = solved(members, kind, level, best)
        assert state.complete
        if not feasible.any():
            assert state.row is None
            continue
        off = best if kind == "regret" else 0.0
        plain = "worst" if kind == "regret" else kind
        risks = [plain_risk(plain, level, weights, row) for row in values[feasible] - off]
        optimum = max(risks)
        assert state.value <= optimum + 1e-9 <= state.bound + 2e-9
        assert state.value >= optimum - GAP - 1e-9


@pytest.mark.parametrize("seed", [0, 2, 4, 9])
def test_the_judge_agrees_in_every_member(seed: int) -> None:
    case, cases, weights = ensemble(seed)
    members = Members.of(case, cases, weights)
    state = solved(members, "mean", 1.0, np.zeros(len(weights)))
    judges, nominal = [Judge(member) for member in cases], Judge(case)
    best = -np.inf
    for schedule in schedules(case):
        if not nominal.evaluate(schedule).feasible:
            continue
        verdicts = [judge.evaluate(schedule) for judge in judges]
        if all(verdict.feasible for verdict in verdicts):
            best = max(best, float(weights @ [verdict.objective for verdict in verdicts]))
    if state.row is None or state.plan is None or state.values is None:
        assert best == -np.inf
        return
    assert state.value <= best + 1e-9 <= state.bound + 2e-9
    found = schedule_of_row(members.nominal, state.plan, state.row)
    judged = [judge.evaluate(found).objective for judge in judges]
    assert state.values == pytest.approx(judged, abs=1e-9)


def test_one_member_is_the_case_itself() -> None:
    case, _, _ = ensemble(2)
    members = Members.of(case, [case], np.ones(1))
    values, feasible = tables(members)
    optimum = float(values[feasible].max())
    for kind, level in RISKS[:4]:
        state = solved(members, kind, level, np.zeros(1))
        assert optimum - GAP - 1e-9 <= state.value <= optimum + 1e-9


def test_the_order_of_members_does_not_matter() -> None:
    case, cases, weights = ensemble(4)
    order = np.random.default_rng(0).permutation(len(cases))
    for kind, level in RISKS[:4]:
        forth = solved(Members.of(case, cases, weights), kind, level, np.zeros(len(cases)))
        turned = Members.of(case, [cases[i] for i in order], weights[order])
        back = solved(turned, kind, level, np.zeros(len(cases)))
        assert back.value == pytest.approx(forth.value, abs=GAP)


def test_members_without_a_weight_do_not_count() -> None:
    case, cases, weights = ensemble(4)
    some = weights.copy()
    some[0] = 0.0
    some /= some.sum()
    for kind, level in RISKS[:4]:
        whole = solved(Members.of(case, cases, some), kind, level, np.zeros(len(cases)))
        fewer = solved(Members.of(case, cases[1:], some[1:]), kind, level, np.zeros(len(cases) - 1))
        assert whole.value == pytest.approx(fewer.value, abs=GAP)


@pytest.mark.parametrize("seed", [0, 2, 4, 9])
def test_shared_tables_are_those_of_a_member_alone(seed: int) -> None:
    case, cases, weights = ensemble(seed)
    members = Members.of(case, cases, weights)
    rows = every_row([np.arange(len(table.menu)) for table in members.nominal.lesions])
    for shared, member in zip(members.candidates, cases, strict=True):
        alone = Candidates(member)
        for plan in range(len(members.nominal.plans)):
            of_shared, of_alone = Tabulated(shared, plan), Tabulated(alone, plan)
            assert of_shared.value(rows) == pytest.approx(of_alone.value(rows), rel=1e-12)
            assert (of_shared.feasible(rows) == of_alone.feasible(rows)).all()


def test_growth_changes_no_effectors() -> None:
    """Propagators are those of the case as it is stated; values are those of the member alone."""
    case = load("toy-blockade")
    keys = [f"lesions.{lesion.name}.growth_doubling_time_days" for lesion in case.lesions]
    grown = case.with_(dict.fromkeys(keys, 61.0))
    members = Members.of(case, [case, grown], np.array([0.5, 0.5]))
    stores = [c.propagators(0)[0].store for c in (members.nominal, *members.candidates)]
    assert stores[0] is stores[1] is stores[2]
    alone, under = Candidates(grown), Plans(members).of(PlanId(0))
    rows = every_row([np.arange(len(table.menu)) for table in alone.lesions])[::7]
    values = under.values(rows)
    assert values[:, 1] == pytest.approx(Tabulated(alone, PlanId(0)).value(rows), rel=1e-9)
    assert abs(values[:, 1] - values[:, 0]).max() > 0.01
    units = under.effects[0].of(0)
    assert units is under.effects[0].of(1)


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("lacking", [0.0, 1e9])
def test_members_that_count_late_change_no_answer(
    seed: int, lacking: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds of hardly more members than a tail holds, made anew at once or never."""
    least = replace(settings.CURRENT, tail_reach=1.0, lacking=lacking, few=1, join_limit=1)
    monkeypatch.setattr(settings, "CURRENT", least)
    case, cases, weights = ensemble(100 + seed)
    members = Members.of(case, cases, weights)
    values, feasible = tables(members)
    if not feasible.any():
        pytest.skip("nothing is feasible")
    start = [(PlanId(0), CourseIds(np.zeros(len(case.lesions), dtype=np.int64)))]
    best = values[feasible].max(axis=0)
    for kind, level in RISKS[1:]:
        state = explore(members, Risk(kind, weights, level, best), GAP, Clock(), start)
        off = best if kind == "regret" else 0.0
        plain = "worst" if kind == "regret" else kind
        optimum = max(plain_risk(plain, level, weights, row) for row in values[feasible] - off)
        assert state.complete
        assert optimum - GAP - 1e-9 <= state.value <= optimum + 1e-9 <= state.bound + 2e-9


@given(
    st.lists(st.tuples(finite, st.floats(0.01, 1.0)), min_size=2, max_size=9),
    st.integers(0, 8),
    st.floats(0.05, 1),
)
def test_the_risk_over_members_that_count_is_no_less(
    rows: list[tuple[float, float]], shift: int, level: float
) -> None:
    """It is the risk itself where these have been seen in the tail."""
    values = np.array([value for value, _ in rows])
    weights = np.array([weight for _, weight in rows])
    weights /= weights.sum()
    other = np.roll(values, shift)
    for kind in ("mean", "cvar", "worst", "regret"):
        risk = Risk(kind, weights, level, np.zeros(len(weights)))
        counted = Counted(risk)
        counted.notice(other)
        assert counted.lowered(values, counted.members) >= -1e-9
        counted.notice(values)
        assert counted.lowered(values, counted.members) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("name", "concerned"), [("oligomet-4", False), ("stage3-crt", True)])
def test_growth_concerns_limits_only_where_tumors_seed(name: str, concerned: bool) -> None:
    stated = load(name)
    grown = stated.with_({f"lesions.{stated.lesions[0].name}.growth_doubling_time_days": 77})
    assert (of_limits(grown) != of_limits(stated)) is concerned


def test_a_stopped_search_has_a_true_bound() -> None:
    case, cases, weights = ensemble(9)
    members = Members.of(case, cases, weights)
    values, feasible = tables(members)
    optimum = float((values @ weights)[feasible].max())
    for seconds in (0.0, 0.01, 0.03):
        clock = Clock(seconds)
        with clock.running("search"):
            state = explore(members, Risk("mean", weights), GAP, clock)
        assert state.value <= optimum + 1e-9 <= state.bound + 2e-9


@pytest.mark.parametrize("kind", ["mean", "worst"])
def test_a_search_stopped_once_its_plans_are_opened_has_a_bound_of_its_own(kind: RiskKind) -> None:
    """Below what holds before anything is bounded, though no plan but the first was split."""
    case = load("toy-blockade")
    members = Members.of(case, [case, case.with_({"immune.release_factor": 0.5})], np.full(2, 0.5))
    risk = Risk(kind, members.weights)
    search = Search(members, risk, 1e-4, Clock())
    search.begin_with(())
    search.open()
    assert not search.waiting
    assert search.tree.proved < ceiling_of_members(members, risk) - 0.01
    whole = explore(members, risk, 1e-4, Clock())
    assert whole.value <= search.tree.proved + 1e-9


def test_free_courses_and_other_offers_are_refused() -> None:
    free = load("toy-free-20")
    with pytest.raises(InputError, match="uniform courses only"):
        Members.of(free, [free], np.ones(1))
    case = load("toy-blockade")
    with pytest.raises(InputError, match="same courses and drugs"):
        Members.of(case, [load("toy-fractionation")], np.ones(1))


@given(
    st.lists(st.tuples(finite, st.floats(0.01, 1.0)), min_size=1, max_size=9), st.floats(0.05, 1)
)
def test_measures_of_risk_are_those_of_their_definition(
    rows: list[tuple[float, float]], level: float
) -> None:
    values = np.array([value for value, _ in rows])
    weights = np.array([weight for _, weight in rows])
    weights /= weights.sum()
    tail = float(Risk("cvar", weights, level).of(values))
    assert tail == pytest.approx(plain_risk("cvar", level, weights, values.tolist()), abs=1e-9)
    mean, worst = (float(Risk(kind, weights).of(values)) for kind in ("mean", "worst"))
    assert worst - 1e-9 <= tail <= mean + 1e-9
    assert float(Risk("cvar", weights, 1.0).of(values)) == pytest.approx(mean, abs=1e-9)
    assert worst == pytest.approx(values.min())
    inside = Risk("cvar", weights, level)
    caps = inside.most
    assert caps is not None
    drawn = inside.projected(np.random.default_rng(0).dirichlet(np.ones(len(weights))))
    assert drawn.sum() == pytest.approx(1.0) and (drawn <= caps + 1e-9).all()
