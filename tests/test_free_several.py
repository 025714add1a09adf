"""Several free courses, and free beside uniform ones, against the judge on every schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_cases import EARLY_IMMUNE, EVERY_DAY, Raw, bed_limit, limit, plain_case, uniform
from test_free_search import (
    GAP,
    answer_of,
    assert_best,
    assert_repeats_itself,
    assert_stops_with_a_true_bound,
    looked,
    occult,
    pembrolizumab,
    random_rows,
    random_slopes,
    searched,
    tumor,
    values,
)

from abscopt.instances import build, load
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.free.bounds.cuts import SharedDays
from abscopt.optimizer.search.free.bounds.pool import Pool
from abscopt.optimizer.search.free.combine import combined
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.explore import Search
from abscopt.optimizer.search.free.plans import Plans
from abscopt.optimizer.search.free.scope import applies

TABLE = {"fractions": [1, 3, 5], "limits_gy": [12.0, 20.0, 26.0]}
GOALS = ("default", "log_control", "expected_control", "log_kill")


def several(seed: int, lesions: int = 2, days: int = 3, levels: int = 2, **more: Any) -> Raw:
    """Some free lesions whose days overlap, with a random choice of every kind of limit."""
    random = np.random.default_rng([7, seed])
    shared = sorted(random.choice(8, size=days + 1, replace=False).tolist())
    shares = {"effector_share": 0.16, "precursor_share": 0.2}
    free = []
    for i in range(lesions):
        own = sorted(random.choice(shared, size=days, replace=False).tolist())
        free.append(tumor(random, own, levels, name=f"tumor{i}", **shares))
    limits = [
        bed_limit(round(float(random.uniform(20, 90)), 2)),
        limit("mean", "mean", organ="organ", cap_gy=round(float(random.uniform(4, 12)), 2)),
        limit("mean_eqd2", "voxels", organ="lungs", alpha_beta_gy=3.0,
              cap_gy=round(float(random.uniform(5, 15)), 2)),
        limit("dose_by_fractions", "table", organ="organ", point="max", **TABLE),
        limit("alc", "alc", floor_1e9_per_l=round(float(random.uniform(0.9, 1.4)), 2)),
        limit("logistics", "visits", quantity="visits", cap=int(random.integers(2, 4))),
        limit("logistics", "per_day", quantity="lesions_per_day", cap=1),
        limit("logistics", "machine", quantity="machine_days", cap=int(random.integers(2, 5))),
        limit("logistics", "sites", quantity="lesions", cap=1),
    ]  # fmt: skip
    kept = [one for one in limits if random.random() < 0.35] or limits[:1]
    organs = {"organ": {"use": "generic_late"}, "lungs": {"use": "generic_late"}}
    used = {one["organ"] for one in kept if "organ" in one}
    beside = more.pop("beside", [])
    for one in [*free, *beside]:
        one["sparing"] = {k: v for k, v in one["sparing"].items() if k in used}
    if random.random() < 0.5:
        free[0] |= {
            "growth_doubling_time_days": 40.0,
            "repopulation_doubling_time_days": 3.0,
            "kick_off_days": 2.0,
        }
    return plain_case(
        [*free, *beside, occult()],
        kept,
        horizon_days=[14, 30] if random.random() < 0.6 else [30],
        objective=GOALS[seed % 4],
        immune=EARLY_IMMUNE
        | {"priming_delay_days": int(random.integers(0, 3))}
        | ({"effect_maximum_nats": 500.0} if random.random() < 0.3 else {}),
        calendar=EVERY_DAY,
        agents=[pembrolizumab(int(random.integers(1, 3)))],
        organs={k: v for k, v in organs.items() if k in used},
        **more,
    )


def menu(name: str = "uniform") -> Raw:
    """A lesion with a menu of uniform courses."""
    random = np.random.default_rng(3)
    course = uniform([1, 2, 3], [5, 9], last_start_day=2)
    factors = {"organ": {"max": 0.7, "mean": 0.3}, "lungs": {"mean": 0.2, "second_moment": 0.06}}
    shares = {"effector_share": 0.16, "precursor_share": 0.2}
    return tumor(random, [0, 1], 2, name=name, **shares) | {"course": course, "sparing": factors}


@pytest.mark.parametrize("seed", [1, 2, 7, 13, 14, 19, 22])
def test_best_of_every_schedule_of_two(seed: int) -> None:
    assert_best(several(seed, days=3, levels=1) if seed % 2 else several(seed, days=2))


@pytest.mark.parametrize("seed", [3, 9])
def test_best_of_every_schedule_of_three(seed: int) -> None:
    assert_best(several(seed, lesions=3, days=2, levels=1))


@pytest.mark.parametrize("seed", [0, 2, 5, 8])
def test_best_of_every_schedule_beside_a_uniform_course(seed: int) -> None:
    assert_best(several(seed, lesions=1, days=2, beside=[menu()]))


def test_best_of_two_beside_a_uniform_course() -> None:
    assert_best(several(6, days=2, levels=1, beside=[menu()]))


def test_a_lesion_without_any_admissible_dose() -> None:
    raw = several(1, days=2)
    raw["limits"], raw["organs"] = [bed_limit(20.0)], {"organ": {"use": "generic_late"}}
    for one, factor in zip(raw["lesions"][:2], (0.2, 3.0), strict=True):
        one["sparing"] = {"organ": {"max": factor}}
    answer = assert_best(raw)
    assert answer.schedule is not None
    assert {fraction.lesion for fraction in answer.schedule.fractions} == {"tumor0"}


def test_the_programme_agrees() -> None:
    instance = build(several(21, days=3, levels=2))
    gap = 1e-3
    ours = answer_of(instance, gap)
    theirs = solve_single(Candidates(instance), Judge(instance), gap, 0, 1, Clock(None, None))
    assert ours.bound is not None and theirs.bound is not None
    assert ours.value <= theirs.bound + 1e-9
    assert theirs.value <= ours.bound + 1e-9


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 6, 7, 8])
def test_rows_are_valued_and_kept_as_the_judge_does(seed: int) -> None:
    instance = build(several(seed, days=5, levels=3))
    search = Search(Candidates(instance), Judge(instance), GAP, 0, Clock(None, None))
    one, judge = search.plans.of(0), Judge(instance)
    rows = random_rows(one, 60, seed)
    done = [part.of(row) for part, row in zip(one.oracles, rows, strict=True)]
    courses = [courses for courses, _ in done]
    value = one.schedules.values(courses)
    offered = np.all([fine for _, fine in done], axis=0)
    good, kept = offered & one.schedules.within_limits(courses), 0
    for i in range(60):
        verdict = judge.evaluate(search.improver.schedule(one, [row[i] for row in rows]))
        assert bool(good[i]) == verdict.feasible
        if offered[i]:
            assert value[i] == pytest.approx(verdict.objective, abs=1e-9)
            kept += bool(good[i])
    assert kept


@pytest.mark.parametrize("seed", [1, 2, 3, 11])
def test_any_prices_give_a_bound_of_spans_and_cells(seed: int) -> None:
    one = searched(several(seed, days=6, levels=3))
    rows = random_rows(one, 600)
    value = values(one, rows)
    done = [part.of(row)[0] for part, row in zip(one.oracles, rows, strict=True)]
    kill, count = done[0].kill[:, -1], (rows[0] > 0).sum(axis=1)
    kept = np.stack([courses.others_kept for courses in done], axis=1)
    own = np.stack([courses.effect for courses in done], axis=1)
    level = np.log(one.domain.effect(own, kept))
    random = np.random.default_rng(seed)
    for turn in range(12):
        spans, cell = list(one.domain.spans), one.domain.cell.copy()
        inside = np.isfinite(value)
        if turn % 3:
            low, high = np.sort(random.choice(kill, 2)).tolist()
            spans[0] = Span((low, high), (1, 3))
            inside &= (kill >= low) & (kill <= high) & (count >= 1) & (count <= 3)
        if turn % 2:
            low, high = np.sort(random.choice(level[:, 0], 2))
            cell[:, 0] = low, high
            inside &= (level[:, 0] >= low + 1e-4) & (level[:, 0] <= high - 1e-4)
        bound = looked(one, one.domain.within(tuple(spans), cell), random_slopes(one, random)).bound
        assert bound >= value[inside].max(initial=-np.inf) - 1e-9


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_joining_courses_never_loses_a_schedule(seed: int) -> None:
    one = searched(several(seed))
    shape = [part.terms.allowed.shape for part in one.oracles]  # type: ignore[attr-defined]
    each = [np.indices((a,) * t).reshape(t, -1).T for t, a in shape]
    grid = np.indices([len(own) for own in each]).reshape(2, -1)
    rows = [own[at] for own, at in zip(each, grid, strict=True)]
    best = float(values(one, rows).max())
    random = np.random.default_rng(seed)
    for precision in (
        Precision(1e-6, 1e-6, 1e-6, 10**6, "stop", "doses"),
        Precision(0.05, 0.05, 0.3, 10**6),
        Precision(0.01, 1e-3, 1e-2, 8),
    ):
        for _ in range(3):
            lagrangian_bound = looked(one, one.domain, random_slopes(one, random), fine=True)
            found = combined(one.schedules, lagrangian_bound, best - 0.1, precision, lambda: False)
            assert found is not None
            assert found.bound >= best - 1e-9


@pytest.mark.parametrize("seed", [4, 10, 12])
def test_rows_of_shared_days_hold_for_every_feasible_schedule(seed: int) -> None:
    raw = several(seed, days=6, levels=3)
    raw["limits"] = [bed_limit(60.0)]
    raw["organs"] = {"organ": {"use": "generic_late"}}
    for lesion in raw["lesions"][:2]:
        days = lesion["course"]["days"]
        lesion["sparing"] = {"organ": {"max": {"days": days, "values": [0.9] * len(days)}}}
    instance = build(raw)
    candidates = Candidates(instance)
    one = Plans(candidates).of(0)
    rows = random_rows(one, 2000)
    feasible = np.isfinite(values(one, rows))
    assert feasible.any()
    shared = SharedDays(candidates, one.schedules)
    random, found = np.random.default_rng(seed), []
    for _ in range(20):
        pool = Pool(one.oracles)
        pool.offer(list(zip(*random_rows(one, 3, int(random.integers(1000))), strict=True)))
        weights = [random.dirichlet(np.ones(len(own))) for own in pool.courses]
        found += shared.violated(pool, weights)
    assert found
    levels = [part.levels(row) for part, row in zip(one.oracles, rows, strict=True)]
    days = np.arange(levels[0].shape[1])
    for cut in found:
        load = sum(
            own[days, level].sum(axis=1) for level, own in zip(levels, cut.load, strict=True)
        )
        assert (np.asarray(load)[feasible] <= cut.rhs + 1e-9).all()
        assert all((own >= 0).all() and not own[:, 0].any() for own in cut.load)


@pytest.mark.parametrize("looks", [0, 3, 12, 40])
def test_the_bound_of_a_stopped_search_is_true(looks: int) -> None:
    assert_stops_with_a_true_bound(build(several(1, days=4, levels=2)), looks)


def test_the_answer_repeats_itself() -> None:
    assert_repeats_itself(build(several(7, days=3, levels=2)))


def test_more_room_is_never_worse() -> None:
    raw = several(4, days=3, levels=2)
    base = answer_of(build(raw), 1e-3)
    for one in raw["limits"]:
        if "cap_gy" in one:
            one["cap_gy"] *= 1.3
        elif "cap" in one:
            one["cap"] += 1
    wider = answer_of(build(raw), 1e-3)
    assert wider.bound is not None and wider.bound >= base.value - 1e-9


def test_what_is_covered() -> None:
    assert applies(Candidates(load("toy-free-pair")))
    beside = several(0, lesions=1, beside=[menu()])
    assert applies(Candidates(build(beside)))
    beside["lesions"][1]["course"] |= {"fractions": [2, 4], "fractions_per_day": 2}
    assert not applies(Candidates(build(beside)))


def test_a_free_course_beside_a_uniform_one_by_the_pipeline() -> None:
    result = solve(load("mixed-free"))
    assert result.status == "optimal"
    assert "joined" in result.certificate.objective_form
