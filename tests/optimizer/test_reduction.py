"""Dominance, bound-based fixing and the programme of pairs: nothing that matters is lost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import plain_cases as plain
import pytest
from random_instances import random_case
from tuning import tune
from widened_instances import widened_case

from abscopt.instances import build, load
from abscopt.instances.load import InputError
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import Kept, offered, restricted, undominated
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme import refining, single
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.programme.arrays.matrix import chosen, matrix_of
from abscopt.optimizer.programme.build import build as build_model
from abscopt.optimizer.programme.data import data_of
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.programme.start import choice_of, point_of
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.uniform.fixing import InHand, first_in_hand, fixed, reduced

Raw = dict[str, Any]

GAP = 1e-4
IMMUNE = {"use": "default", "effect_per_effector": 0.3}
SPARING = {"organ": {"mean": 0.3, "max": 0.5, "second_moment": 0.15}}
MEAN = plain.limit("mean", "organ_mean", organ="organ", cap_gy=8)


def case(limits: list[Raw], **fields: Any) -> Raw:
    """Two lesions with immune release, several timings, one drug on several days."""
    course = plain.uniform([1, 3], [6, 9], last_start_day=3, interval_days=[1, 2])
    constants = {
        "immunogenicity": 1.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
        "effector_kill_per_fraction": 0.2,
        "lymphocyte_loss_per_fraction": 0.05,
        "clonogens": 1e5,
        "sparing": SPARING,
        "course": course,
    }
    lesions = [plain.lesion(name, **(constants | fields.pop(name, {}))) for name in ("one", "two")]
    dose = {"drug": "pembrolizumab", "day": 0, "amount": 200, "unit": "mg"}
    regimen = {"cycle_days": 7, "max_cycles": 3, "doses": [dose], **plain.CITED}
    agent = {
        "name": "pembrolizumab",
        "regimens": ["weekly"],
        "first_start_day": 0,
        "last_start_day": 7,
        "start_step_days": 7,
        "min_days_between_dose_and_fraction": 1,
    }
    return (
        plain.plain_case(
            lesions, limits, objective=fields.pop("objective", "default"), horizon_days=[21, 42]
        )
        | {"immune": IMMUNE, "regimens": {"weekly": regimen}, "agents": [agent]}
        | fields
    )


FREE_CALENDAR = case([MEAN])
SHARED_ORGAN = case([plain.bed_limit(60)])
VISITS = case([MEAN, plain.limit("logistics", "visits", quantity="visits", cap=4)])
FLOOR = case([MEAN, plain.limit("alc", "alc", floor_1e9_per_l=1.55)])
CASES = {"calendar": FREE_CALENDAR, "organ": SHARED_ORGAN, "visits": VISITS, "floor": FLOOR}


def every_row(candidates: Candidates) -> np.ndarray[Any, Any]:
    """All combinations of courses."""
    sizes = [range(len(table.menu)) for table in candidates.lesions]
    return np.array(list(itertools.product(*sizes)))


def values_of(candidates: Candidates) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(plans, rows) objective of every schedule, -inf where infeasible, and the rows."""
    rows = every_row(candidates)
    found = []
    for k in range(len(candidates.plans)):
        tabulated = Tabulated(candidates, k)
        good = tabulated.feasible(rows)
        for s, allowed in enumerate(tabulated.allowed):
            good &= allowed[rows[:, s]]
        found.append(np.where(good, tabulated.value(rows), -np.inf))
    return np.array(found), rows


def left(kept: Kept, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(plans, rows) whether all pairs of a schedule are kept."""
    return np.all([part[:, rows[:, s]] for s, part in enumerate(kept.pairs)], axis=0)


@pytest.fixture(scope="module", params=CASES)
def known(request: pytest.FixtureRequest) -> Any:
    candidates = Candidates(build(CASES[request.param]))
    return request.param, candidates, *values_of(candidates)


def test_dominance_keeps_the_best_of_every_plan(known: Any) -> None:
    name, candidates, values, rows = known
    before = offered(candidates)
    after = undominated(candidates, before)
    assert np.isfinite(values).any(axis=1).sum() > 1
    best = np.where(left(after, rows), values, -np.inf).max(axis=1)
    assert best == pytest.approx(values.max(axis=1), abs=1e-12)
    fewer = after.count < before.count
    assert fewer == (name == "calendar")
    assert [step.name for step in after.steps] == ["offered", "dominance"]


def test_dominance_may_use_a_floor_that_cannot_bind() -> None:
    case_with = case([MEAN, plain.limit("alc", "alc", floor_1e9_per_l=0.2)])
    candidates = Candidates(build(case_with))
    before = offered(candidates)
    assert undominated(candidates, before).count < before.count


def test_where_one_lesion_is_treated_no_day_is_shared() -> None:
    one_site = plain.limit("logistics", "lesions", quantity="lesions", cap=1)
    candidates = Candidates(build(case([plain.bed_limit(60), one_site])))
    before = offered(candidates)
    assert undominated(candidates, before).count < before.count


@pytest.mark.parametrize("looseness", [math.inf, 1e-3])
def test_fixing_keeps_all_that_is_better(known: Any, looseness: float) -> None:
    name, candidates, values, rows = known
    before, clock = offered(candidates), Clock()
    flat = np.sort(values[np.isfinite(values)])
    threshold = flat[-4]  # a schedule in hand that is not the best
    plan, row = (int(i[0]) for i in np.nonzero(values == threshold))
    hand = InHand.of(plan, rows[row], threshold)
    after = fixed(candidates, before, hand, GAP, clock, looseness)
    kept = left(after, rows)
    assert kept[values > threshold + GAP].all()
    assert kept[plan, row]
    assert after.count < before.count or math.isinf(looseness) or name in ("organ", "floor")
    assert after.floor == pytest.approx(threshold + GAP)
    assert after.bound >= flat[-1]
    for k in after.plans.tolist():
        good = rows[values[k] > threshold + GAP]
        kill = Tabulated(candidates, k).systemic(good)
        most = candidates.instance.immune.effect_maximum_nats
        assert most is not None
        raw = most * kill / (most - kill)
        assert (raw <= after.effect[k] * (1 + 1e-9)).all()
        assert (raw >= after.least_effect[k] * (1 - 1e-9)).all()


@pytest.mark.parametrize("objective", ["tumor_bed", "log_kill"])
def test_fixing_keeps_all_that_is_better_by_other_objectives(objective: str) -> None:
    candidates = Candidates(build(case([MEAN, plain.bed_limit(60)], objective=objective)))
    values, rows = values_of(candidates)
    threshold = np.unique(values[np.isfinite(values)])[-4]
    plan, row = (int(i[0]) for i in np.nonzero(values == threshold))
    before, hand = offered(candidates), InHand.of(plan, rows[row], threshold)
    after = fixed(candidates, before, hand, GAP, Clock(), 1e-3)
    assert left(after, rows)[values > threshold + GAP].all()
    assert after.bound >= values.max()


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_fixing_keeps_all_that_is_better_in_random_cases(make: Callable[[int], Raw]) -> None:
    looked_at = fewer = 0
    for seed in range(9000, 9012):
        candidates = Candidates(build(make(seed)))
        if candidates.free or math.prod(len(t.menu) for t in candidates.lesions) > 2_000:
            continue
        values, rows = values_of(candidates)
        levels = np.unique(values[np.isfinite(values)])
        if len(levels) < 4:
            continue
        plan, row = (int(i[0]) for i in np.nonzero(values == levels[-4]))
        before, hand = offered(candidates), InHand.of(plan, rows[row], levels[-4])
        after = fixed(candidates, before, hand, GAP, Clock(), 1e-3)
        assert left(after, rows)[values > levels[-4] + GAP].all(), seed
        assert after.bound >= levels[-1], seed
        looked_at, fewer = looked_at + 1, fewer + (after.count < before.count)
    assert looked_at > 3
    assert fewer > 2


def test_sharper_bounds_keep_less() -> None:
    candidates, clock = Candidates(load("early-sabr-tight")), Clock()
    before = undominated(candidates, offered(candidates))
    hand = first_in_hand(candidates, before, GAP, 0, clock)
    assert hand is not None
    low = replace(hand, value=hand.value - 0.003)  # as if a worse schedule were in hand
    counts = [
        fixed(candidates, before, low, GAP, clock, looseness).count
        for looseness in (math.inf, 0.1, 1e-3)
    ]
    assert before.count > counts[0] > counts[1] > counts[2] >= 2


@pytest.mark.parametrize("stop", range(0, 12, 2))
def test_a_clock_that_runs_out_loses_nothing(stop: int) -> None:
    candidates = Candidates(build(SHARED_ORGAN))
    values, rows = values_of(candidates)
    before = offered(candidates)
    hand = InHand.of(0, rows[0], values[0, 0])
    after = fixed(candidates, before, hand, GAP, _Late(stop), 1e-3)
    assert left(after, rows)[values > values[0, 0] + GAP].all()
    assert after.bound >= values.max()
    if not stop:
        assert all((one == two).all() for one, two in zip(after.pairs, before.pairs, strict=True))


class _Late(Clock):
    """A clock that runs out after it was asked some times."""

    def __init__(self, asked: int):
        super().__init__()
        self.left = asked

    @property
    def expired(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_without_time_only_dominance_counts() -> None:
    candidates = Candidates(build(FREE_CALENDAR))
    kept, hand = reduced(candidates, GAP, 0, Clock(0.0))
    assert hand is None
    assert kept.count == undominated(candidates, offered(candidates)).count


def test_restricted_candidates_have_the_same_coefficients() -> None:
    candidates = Candidates(build(FREE_CALENDAR))
    kept = undominated(candidates, offered(candidates))
    kept.pairs[0][1] = False  # a plan without a course for one lesion
    small, fewer = restricted(candidates, kept)
    assert len(small.plans) == len(candidates.plans) - 1
    assert fewer.count == sum(int(part[kept.plans].sum()) for part in kept.pairs)
    for new, old in enumerate(kept.plans.tolist()):
        assert small.plans[new] is candidates.plans[old]
        for s, part in enumerate(kept.pairs):
            courses = np.flatnonzero(part[kept.plans].any(axis=0))
            courses = np.union1d([0], courses)
            one, two = small.effects(new)[s], candidates.effects(old)[s]
            for name in ("effect", "loss"):
                assert getattr(one, name) == pytest.approx(getattr(two, name)[courses], 1e-12)
            kinds = two.kind[courses]
            for name in ("local", "share", "tumor_bed"):
                own = getattr(one, name)[one.kind]
                assert own == pytest.approx(getattr(two, name)[kinds], 1e-12)
            loads = small.loads(new)[s][one.kind]
            assert (loads == candidates.loads(old)[s][kinds]).all()
            assert (small.allowed(new)[s] == candidates.allowed(old)[s][courses]).all()


def answer_of(candidates: Candidates, kept: Kept, **more: Any) -> single.Answer:
    judge = Judge(candidates.instance)
    return solve_single(candidates, judge, GAP, 0, 1, Clock(), kept=kept, **more)


@pytest.mark.parametrize("objective", ["default", "log_kill", "tumor_bed"])
def test_reduced_programme_is_the_best_of_all_schedules(objective: str) -> None:
    limits = [MEAN, plain.limit("logistics", "visits", quantity="visits", cap=3)]
    candidates = Candidates(build(case(limits, objective=objective)))
    best = float(values_of(candidates)[0].max())
    kept, hand = reduced(candidates, GAP, 0, Clock())
    assert hand is not None
    start = schedule_of_row(candidates, hand.plan, np.array(hand.row))
    ways: list[Raw] = [{"start": start}]
    ways += [{"start": start, "begin": False}, {}] if objective == "default" else []
    for more in ways:
        answer = answer_of(candidates, kept, **more)
        assert answer.bound is not None
        assert best - GAP <= answer.value <= best + 1e-9
        assert best - 1e-9 <= answer.bound <= best + GAP + 1e-9
        assert answer.reductions[-1].pairs == kept.count


def test_pairs_alone_are_enough() -> None:
    candidates = Candidates(build(case([MEAN], lesions=FREE_CALENDAR["lesions"][:1])))
    best = float(values_of(candidates)[0].max())
    answer = answer_of(candidates, offered(candidates))
    assert answer.bound is not None
    assert best - GAP <= answer.value <= best + 1e-9
    assert best - 1e-9 <= answer.bound <= best + GAP


def test_a_start_is_a_point_of_the_programme_worth_what_the_judge_says() -> None:
    candidates = Candidates(build(SHARED_ORGAN))
    values, rows = values_of(candidates)
    plan, row = np.unravel_index(values.argmax(), values.shape)
    schedule = schedule_of_row(candidates, int(plan), rows[row])
    for kept in (None, offered(candidates)):
        columns = columns_of(candidates, kept=kept)
        choice = choice_of(candidates, columns, schedule)
        assert choice is not None
        refinement = refining.first(candidates, columns, kept)
        data = data_of(candidates, columns, refinement, kept)
        refinement = refining.refined_at(
            candidates, Judge(candidates.instance), data, choice, schedule
        )
        data = data_of(candidates, columns, refinement, kept)
        model = build_model(data)
        matrix, position = matrix_of(model)
        point = point_of(data, model, matrix, position, choice)
        assert point is not None
        assert chosen(model, position, point)[0] == choice[0]
        assert float(matrix.cost @ point) + matrix.offset == pytest.approx(values.max(), abs=1e-5)


def test_a_schedule_that_is_not_on_offer_is_no_choice() -> None:
    candidates = Candidates(build(SHARED_ORGAN))
    columns = columns_of(candidates)
    schedule = schedule_of_row(candidates, 1, np.array([5, 7]))
    assert choice_of(candidates, columns, schedule) is not None
    moved = replace(schedule.fractions[0], day=20)
    fractions = (*schedule.fractions[1:], moved)
    assert choice_of(candidates, columns, replace(schedule, fractions=fractions)) is None
    assert choice_of(candidates, columns, replace(schedule, infusions=())) is not None  # no drug
    few = replace(schedule, infusions=schedule.infusions[:1])
    assert choice_of(candidates, columns, few) is None


def test_the_start_bounds_what_a_stopped_programme_returns() -> None:
    candidates = Candidates(build(SHARED_ORGAN))
    kept, hand = reduced(candidates, GAP, 0, Clock())
    assert hand is not None
    start = schedule_of_row(candidates, hand.plan, np.array(hand.row))
    judge = Judge(candidates.instance)
    answer = solve_single(candidates, judge, GAP, 0, 1, Clock(0.0), kept=kept, start=start)
    assert answer.value == pytest.approx(hand.value, abs=1e-9)
    assert answer.bound is not None and answer.bound >= hand.value


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Candidates(build(SHARED_ORGAN))
    kept = offered(candidates)
    tune(monkeypatch, programme, most_pairs=kept.count - 1)
    with pytest.raises(InputError, match="pairs of plan and course"):
        answer_of(candidates, kept)


def test_free_courses_are_not_reduced() -> None:
    with pytest.raises(ValueError, match="free"):
        offered(Candidates(load("mixed-free")))


@pytest.mark.parametrize("name", ["early-sabr-tight", "reirradiation", "hfrt-crt"])
def test_single_agrees_with_the_search_where_it_is_reduced(name: str) -> None:
    instance = load(name)
    search, programme = solve(instance), solve(instance, method="single")
    assert search.status == programme.status == "optimal"
    for one, other in ((search, programme), (programme, search)):
        assert one.bound is not None and other.objective is not None
        assert one.bound >= other.objective - 1e-9
    assert programme.solver.columns < search.solver.columns
    assert search.certificate.to_json()["reductions"] == []
    steps = programme.certificate.to_json()["reductions"]
    assert steps[0] == {"name": "offered", "pairs": offered(Candidates(instance)).count}
    assert steps[-1]["name"] == "dominance"
    assert 0 < steps[-1]["pairs"] < steps[0]["pairs"]


def test_courses_that_differ_in_days_are_one_choice_of_the_search() -> None:
    course = plain.uniform([1, 2], [6, 9], last_start_day=3)
    tumor = plain.lesion("tumor", course=course)
    instance = build(plain.plain_case([tumor], [], horizon_days=[6]))
    kinds, courses = 2 * 2 + 1, 2 * 2 * 4 + 1  # fractions x doses (x days), and no course
    assert solve(instance).solver.columns == kinds
    assert solve(instance, method="single").solver.columns == courses
