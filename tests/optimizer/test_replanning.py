"""A fixed past: what was given stays, all it leaves behind counts, and the best rest is found."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from histories import all_rests, begun, continued_doses, rests, table_of
from random_instances import random_case
from table_rows import disagreements
from widened_instances import widened_case

from abscopt.instances import InputError, load
from abscopt.instances.history.rests import continued, resumed_course
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate, replan, solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.data import can_state
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Schedule, resumed_schedule, standard_schedule

Raw = dict[str, Any]
MENUS = {"twice_daily_days": [0, 1], "compensating_fractions": [1]}
GAP = 0.001


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_tables_and_judge_agree_on_random_histories(make: Any) -> None:
    kept = histories = 0
    for seed in range(12):
        case = begun(build(make(seed)), seed, menus=MENUS if seed % 2 else None)
        if case is None:
            continue
        found = disagreements(case, seed, 20)
        assert (found["value"], found["feasibility"]) == (0, 0), seed
        kept, histories = kept + found["kept"], histories + 1
    assert histories >= 10
    assert kept >= 20


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_the_best_rest_is_that_of_enumeration(make: Any) -> None:
    found = {"optimal": 0, "infeasible": 0, "resumed": 0}
    for seed in range(3, 15):
        case = begun(build(make(seed)), seed, menus=MENUS)
        if case is None or _number(case) > 200:
            continue
        judge = Judge(case)
        verdicts = [judge.evaluate(schedule) for schedule in all_rests(case)]
        assert not any("given" in rule for v in verdicts for rule in v.obstacles)
        best = max((v.objective for v in verdicts if v.feasible), default=None)
        result = solve(case, gap=GAP, time_limit=30)
        found["infeasible" if best is None else "optimal"] += 1
        if best is None:
            assert result.status == "infeasible"
            continue
        assert result.objective is not None and result.bound is not None
        assert best - GAP - 1e-9 <= result.objective <= best + 1e-9 <= result.bound + 2e-9
        again = resumed_schedule(case)
        if again is not None and (verdict := judge.evaluate(again)).feasible:
            found["resumed"] += 1
            assert result.objective >= verdict.objective - GAP
    assert found["optimal"] >= 2
    assert found["resumed"] >= 1


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_the_one_programme_finds_the_same_rest(make: Any) -> None:
    found = {"optimal": 0, "infeasible": 0}
    for seed in range(3, 15):
        case = begun(build(make(seed)), seed, menus=MENUS)
        if case is None or _number(case) > 100 or not can_state(case):
            continue
        judge = Judge(case)
        verdicts = [judge.evaluate(schedule) for schedule in all_rests(case)]
        best = max((v.objective for v in verdicts if v.feasible), default=None)
        result = solve(case, gap=GAP, time_limit=60, method="single")
        assert result.status == ("infeasible" if best is None else "optimal"), seed
        found[result.status] += 1
        if best is not None:
            assert result.objective is not None and result.bound is not None
            assert best - GAP - 1e-9 <= result.objective <= best + 1e-9 <= result.bound + 2e-9
    assert found["optimal"] >= 2


def _number(case: Instance) -> float:
    return math.prod(len(rests(case, lesion)) for lesion in case.lesions) * math.prod(
        len(continued_doses(case, agent)) for agent in case.agents
    )


def test_nothing_given_is_solve_and_everything_given_is_the_judged_schedule() -> None:
    case = load("early-sabr")
    fresh = solve(case, time_limit=60)
    study = replan(case, {"today": 0}, time_limit=60)
    assert study.case is case
    assert (study.result.objective, study.result.schedule) == (fresh.objective, fresh.schedule)
    assert fresh.schedule is not None
    events = table_of(fresh.schedule, case.days)
    whole = {key: events[key] for key in ("fractions", "doses_of_drugs")}
    last = max(f["day"] for f in [*whole["fractions"], *whole["doses_of_drugs"]])
    over = replan(case, {"today": last + 1, **whole}, time_limit=60)
    assert over.result.schedule == fresh.schedule
    assert over.result.objective == pytest.approx(fresh.objective, abs=1e-12)


@pytest.mark.parametrize("today", [1, 2])
def test_in_the_middle_the_best_rest_is_at_least_the_plan_resumed(today: int) -> None:
    case = load("early-sabr")
    plan = standard_schedule(case)
    assert plan is not None
    study = replan(case, table_of(plan, today), gap=0.05, time_limit=60)
    assert study.planned is not None and study.resumed is not None
    assert study.resumed.schedule == plan  # nothing was missed
    assert study.cost == pytest.approx(0.0, abs=1e-12)
    assert study.gain is not None and study.gain >= -1e-9
    given = [f for f in plan.fractions if f.day < today]
    assert study.result.schedule is not None
    assert [f for f in study.result.schedule.fractions if f.day < today] == given


def test_one_course_of_a_past_costs_nothing_more_in_memory_of_the_case() -> None:
    case = with_past(load("early-sabr"), {"today": 3})
    again = case.with_({"objective.gap": 0.02})
    assert again.delivered == case.delivered
    assert again.delivered is not None and again.delivered.today == 3


# What cannot have been.

EARLY = {"lesion": "primary", "day": 0, "dose_gy": 10.0}
WRONG = {
    "before the start": (
        {"fractions": [EARLY | {"day": None, "date": "2020-01-01"}]},
        "before day",
    ),
    "unknown lesion": ({"fractions": [EARLY | {"lesion": "spleen"}]}, "unknown lesion"),
    "a dose twice": ({"fractions": [EARLY, EARLY]}, "twice"),
    "not before today": ({"today": 0, "fractions": [EARLY]}, "not before today"),
    "unequal doses": (
        {"fractions": [EARLY, EARLY | {"dose_gy": 2.0, "fraction_of_day": 2}]},
        "need one dose",
    ),
    "a gap in the day": ({"fractions": [EARLY | {"fraction_of_day": 2}]}, "count from 1"),
    "never offered": (
        {"doses_of_drugs": [{"agent": "cisplatin", "day": 0, "dose_mg": 100.0}]},
        "no agent",
    ),
    "infused twice": (
        {"doses_of_drugs": [{"agent": "pembrolizumab", "day": 0, "dose_mg": 200.0}] * 2},
        "2 times",
    ),
    "today after the case": ({"today": 1400}, "horizon"),
    "unknown agent on hold": ({"holds": [{"agent": "aspirin"}]}, "no agent"),
    "unknown missed": ({"missed": [{"what": "spleen", "day": 3}]}, "neither a lesion nor a drug"),
}


@pytest.mark.parametrize("name", WRONG)
def test_impossible_histories_are_refused_with_their_place(name: str) -> None:
    table, rule = WRONG[name]
    case = load("pembro-rt")
    table = _without_none(table) | {}
    lesion = case.lesions[case.irradiable[0]].name
    text = str(table).replace("'primary'", f"'{lesion}'")
    with pytest.raises(InputError) as error:
        with_past(case, eval(text))  # a literal of this file
    assert any(rule in p.rule for p in error.value.problems), error.value.problems
    assert all(p.place.startswith("delivered") for p in error.value.problems)


def _without_none(table: Any) -> Any:
    if isinstance(table, dict):
        return {key: _without_none(value) for key, value in table.items() if value is not None}
    return [_without_none(entry) for entry in table] if isinstance(table, list) else table


def test_free_courses_are_refused() -> None:
    free = load("toy-fractionation")
    if free.lesions[0].course is not None and free.lesions[0].course.form == "free":
        with pytest.raises(InputError, match="uniform menus"):
            with_past(free, {"today": 1})


def test_what_was_given_may_break_a_limit_and_the_sentence_says_so() -> None:
    study = replan(_gap_case(cord_cap=10.0), _ten_of_two(), time_limit=30)
    assert study.result.status == "infeasible"
    assert study.obstacle is not None
    assert "what was given already breaks cord_bed" in study.obstacle


# Missed fractions by the published methods: BED = n d (1 + d/r) - K (T - T_k), late effects by
# BED alone, two fractions a day with incomplete repair (Thames 1985). RCR, "The timely delivery of
# radical radiotherapy", 2008, appendix B, and Dale 2002, doi:10.1053/clon.2002.0111: method and
# constants (r = 10 Gy, K = 0.9 Gy a day from day 28) recalled; numbers computed by that method.

K_GY_PER_DAY = 0.9
ALPHA = 0.3


def _gap_case(cord_cap: float = 100.0, **course: Any) -> Instance:
    cited = {"source": "x", "status": "assumed"}

    def limit(organ: str, ratio: float, cap: float) -> Raw:
        return {
            "name": f"{organ}_bed", "kind": "bed", "organ": organ, "alpha_beta_gy": ratio,
            "cap_gy": cap, **cited,
        }  # fmt: skip

    menu = {"form": "uniform", "fractions": [35], "doses_gy": [2.0], "last_start_day": 0}
    return build(
        {
            "format": 1, "name": "gap", "title": "gap", "horizon_days": [84],
            "provenance": {"source": "x", "assumed": ["everything"]},
            "objective": {"kind": "tumor_bed", "gap": 0.001}, "immune": {"use": "off"},
            "organs": {
                "cord": {"alpha_beta_gy": 2, "repair_half_time_hours": 4, **cited},
                "late": {"alpha_beta_gy": 3, **cited},
            },
            "limits": [limit("late", 3, 116.7), limit("cord", 2, cord_cap)],
            "lesions": [
                {
                    "name": "larynx", "organ": "larynx", "volume_cm3": 20, "clonogens": 1e8,
                    "alpha_per_gy": ALPHA, "alpha_beta_gy": 10, "kick_off_days": 28,
                    "repopulation_doubling_time_days": math.log(2) / (ALPHA * K_GY_PER_DAY),
                    "sparing": {"late": {"max": 1.0}, "cord": {"max": 0.6}},
                    "course": menu | course, **cited,
                }
            ],
            "standard": {
                "name": "70/35", "source": "x",
                "courses": [{"lesion": "larynx", "fractions": 35, "dose_gy": 2, "start_day": 0}],
            },
        }
    )  # fmt: skip


def _ten_of_two(**further: Any) -> Raw:
    days = [week * 7 + day for week in range(2) for day in range(5)]
    fractions = [{"lesion": "larynx", "day": day, "dose_gy": 2.0} for day in days]
    return {"today": 21, "fractions": fractions, **further}


def _tumor_bed(doses: list[float], last_day: int) -> float:
    """n d (1 + d / 10) - 0.9 (T - 28)."""
    bed = sum(dose * (1 + dose / 10) for dose in doses)
    return bed - K_GY_PER_DAY * max(0, last_day - 28)


def test_twice_a_day_makes_up_for_a_missed_week() -> None:
    study = replan(_gap_case(), _ten_of_two(), time_limit=30)
    assert study.planned is not None and study.resumed is not None
    assert study.planned.evaluation.objective == pytest.approx(67.8, abs=0.05)
    assert study.resumed.evaluation.objective == pytest.approx(61.5, abs=0.05)
    assert study.cost == pytest.approx(7 * K_GY_PER_DAY, abs=1e-6)
    assert study.result.objective == pytest.approx(_tumor_bed([2.0] * 35, 46), abs=1e-6)
    evaluation = study.result.evaluation
    assert evaluation is not None
    cord = next(use for use in evaluation.limits if use.name == "cord_bed")
    phi = 2 ** (-6 / 4)
    assert cord.value == pytest.approx(35 * 1.2 * 1.6 + 5 * 2 * phi * 1.44 / 2, abs=1e-9)


def test_two_a_day_stay_below_the_lql_transition() -> None:
    """Pairs of fractions above it have no formula: no menu states them, no past adds them."""
    tumor = {"lesions.larynx.repair_half_time_hours": 4.0, "lesions.larynx.lql_transition_gy": 1.5}
    case = _gap_case().with_(tumor)
    begun_case = with_past(case, _ten_of_two())
    further = [one for one in all_rests(begun_case) if len(one.fractions) > 10]
    assert further and all(f.slot == 0 for one in further for f in one.fractions)
    found = disagreements(begun_case, 0, 20)
    assert (found["value"], found["feasibility"]) == (0, 0)
    above = with_past(case.with_({"lesions.larynx.lql_transition_gy": 2.0}), _ten_of_two())
    assert any(f.slot == 1 for one in all_rests(above) for f in one.fractions)
    twice = {"lesion": "larynx", "day": 0, "dose_gy": 2.0, "fraction_of_day": 2}
    given = _ten_of_two()["fractions"]
    for wrong in (
        _ten_of_two(rest=[{"lesion": "larynx", "twice_daily_days": [0, 2]}]),
        _ten_of_two() | {"fractions": [*given, twice]},
    ):
        with pytest.raises(InputError, match="below the LQ-L transition"):
            with_past(case, wrong)


def test_weekends_make_up_for_it_too() -> None:
    rest = {"lesion": "larynx", "weekends": True, "twice_daily_days": [0]}
    study = replan(_gap_case(), _ten_of_two(rest=[rest]), time_limit=30)
    # 25 fractions on successive days from day 21 end on day 45.
    assert study.result.objective == pytest.approx(_tumor_bed([2.0] * 35, 45), abs=1e-6)


@pytest.mark.parametrize("number", [20, 25])
def test_larger_fractions_by_the_method_of_equal_late_effects(number: int) -> None:
    """n d (1 + d/3) fills what the late limit leaves: d = 3/2 (sqrt(1 + 4 L / (3 n)) - 1)."""
    late_left = 116.7 - 10 * 2 * (1 + 2 / 3)
    dose = 1.5 * (math.sqrt(1 + 4 * late_left / (3 * number)) - 1)
    rest = {
        "lesion": "larynx", "fractions": [number], "twice_daily_days": [0],
        "doses_gy": {"min_gy": 1.8, "max_gy": 2.6, "step_gy": 0.01}, "start_within_days": 0,
        "compensating_fractions": [],
    }  # fmt: skip
    study = replan(_gap_case(), _ten_of_two(rest=[rest]), time_limit=30)
    assert study.result.schedule is not None
    chosen = study.result.schedule.course("larynx")[-1]
    assert chosen[1] == pytest.approx(dose, abs=0.011)
    expected = _tumor_bed([2.0] * 10 + [dose] * number, chosen[0])
    assert study.result.objective == pytest.approx(expected, abs=0.1 * 2)
    assert chosen[0] == {20: 46, 25: 53}[number]


def test_a_gap_of_a_week_costs_what_the_time_factor_says() -> None:
    """70 Gy in 35 with ln 2 / (0.3 x 4) Gy a day from day 21: 67.83 Gy by day 49, 4.043 a week."""
    case = _gap_case().with_(
        {"lesions.larynx.kick_off_days": 21, "lesions.larynx.repopulation_doubling_time_days": 4}
    )
    study = replan(case, _ten_of_two(), time_limit=30)
    assert study.cost == pytest.approx(4.0433, abs=0.001)


def test_a_broken_machine_and_a_drug_on_hold() -> None:
    case = load("pembro-rt")
    plan = standard_schedule(case)
    assert plan is not None and plan.infusions
    first = plan.infusions[0]
    agent = next(a.name for a in case.agents if a.name in first.drug or first.drug in a.name)
    table = table_of(plan, first.day + 1)
    held = with_past(case, {**table, "holds": [{"agent": agent, "until_day": first.day + 40}]})
    options = continued_doses(held, next(a for a in held.agents if a.name == agent))
    assert all(day >= first.day + 40 for doses in options for _, day, _ in doses[1:])
    assert any(len(doses) > 1 for doses in options)
    never = with_past(case, {**table, "holds": [{"agent": agent}]})
    options = continued_doses(never, next(a for a in never.agents if a.name == agent))
    assert [len(doses) for doses in options] == [1]


def test_a_lesion_that_is_stopped_early_receives_nothing_more() -> None:
    case = load("oligomet-3")
    plan = standard_schedule(case)
    assert plan is not None
    first, second = (case.lesions[i].name for i in case.irradiable[:2])
    today = plan.course(first)[0][0] + 1
    table = table_of(plan, today) | {
        "rest": [{"lesion": name, "stop": True} for name in (first, second)]
    }
    table["fractions"] = [f for f in table["fractions"] if f["lesion"] != second]
    study = replan(with_past(case, table), gap=0.5, time_limit=60)
    answer = study.result.schedule
    assert answer is not None
    assert answer.course(first) == tuple(f for f in plan.course(first) if f[0] < today)
    assert answer.course(second) == ()
    assert any(name not in (first, second) for name in {f.lesion for f in answer.fractions})
    verdict = Judge(study.case).evaluate(plan)
    assert any(rule.startswith(f"{first}: the course is not among") for rule in verdict.off_menu)


def test_a_lesion_that_missed_its_start_begins_late() -> None:
    case = load("oligomet-3")
    plan = standard_schedule(case)
    assert plan is not None
    lesion = case.lesions[case.irradiable[0]]
    first = plan.course(lesion.name)[0][0]
    table = table_of(plan, first + 1)
    table["fractions"] = [f for f in table["fractions"] if f["lesion"] != lesion.name]
    started = with_past(case, table)
    course = resumed_course(started, lesion)
    assert course is not None and course[0][0] > first
    begins = continued(started, lesion)
    assert begins is not None and not begins.must
    assert all(c[0][0] > first for c in begins.courses)


def test_the_judge_refuses_another_past() -> None:
    case = load("oligomet-3")
    plan = standard_schedule(case)
    assert plan is not None
    table = table_of(plan, 5)
    table["fractions"][0]["dose_gy"] += 0.5
    verdict = evaluate(with_past(case, table), plan)
    assert any("were given, not what is stated" in rule for rule in verdict.obstacles)
    assert any(
        "not in the schedule" in rule
        for rule in evaluate(with_past(case, table), Schedule()).obstacles
    )


def test_a_past_serves_under_an_ensemble() -> None:
    from abscopt.optimizer import decide
    from abscopt.optimizer.ensemble.drawn import ensemble_of

    case = load("early-sabr")
    plan = standard_schedule(case)
    assert plan is not None
    days = sorted({f.day for f in plan.fractions})
    started = with_past(case, table_of(plan, days[1]))
    ensemble = ensemble_of(started, "radiobiology", size=2)
    answer = decide(ensemble, gap=0.2, time_limit=60)
    assert answer.answer is not None
    before = [f for f in answer.answer.schedule.fractions if f.day < days[1]]
    assert before == [f for f in plan.fractions if f.day < days[1]]
    resumed = resumed_schedule(started)
    assert resumed is not None
    kept = [judge.evaluate(resumed) for judge in map(Judge, (m.instance for m in ensemble.members))]
    if all(verdict.feasible for verdict in kept):
        assert answer.answer.risk >= np.mean([v.objective for v in kept]) - 0.2


def test_tables_that_do_not_fall_are_looked_up_in_a_started_course_too() -> None:
    rule = {
        "name": "rib", "kind": "dose_by_fractions", "organ": "late", "fractions": [1, 3, 4],
        "limits_gy": [20.0, 30.0, 44.0], "source": "x", "status": "assumed",
    }  # fmt: skip
    case = _gap_case(fractions=[3, 4], doses_gy=[10.0, 11.0]).with_(
        {"limits": [rule], "standard": None}
    )
    fraction = {"lesion": "larynx", "day": 0, "dose_gy": 11.0}
    started = with_past(case, {"today": 1, "fractions": [fraction]})
    candidates = Candidates(started)
    (loads,) = (candidates.loads(k)[0] for k in candidates.plan_ids)
    menu = candidates.shared(candidates.plan_ids[0])[0].kinds.menu
    judge, seen = Judge(started), 0
    for i in range(1, len(menu)):
        if menu.per_day[i] == 1:
            schedule = Schedule.of(menu.course(i, started.lesions[0]), ())
            use = next(u.use for u in judge.evaluate(schedule).limits if u.name == "rib")
            assert use == pytest.approx(loads[i, 0], rel=1e-12)
            seen += menu.fractions[i] == 4 and loads[i, 0] == pytest.approx(1.0)
    assert seen  # four of 11 Gy, which the table allows though three are forbidden


def test_days_of_equal_course_are_counted_once() -> None:
    case = with_past(_gap_case(), _ten_of_two())
    begins = continued(case, case.lesions[0])
    assert begins is not None
    assert len(set(begins.courses)) == len(begins.courses)
    for course in begins.courses:
        assert list(course[:10]) == [(f["day"], 2.0, 0) for f in _ten_of_two()["fractions"]]
        assert all(a[0] <= b[0] for a, b in itertools.pairwise(course))
