"""Free courses by dynamic programming, against the judge on every schedule and the programme."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from clocks import Stopping
from numpy.typing import NDArray
from plain_cases import (
    CITED,
    EARLY_IMMUNE,
    EVERY_DAY,
    Raw,
    all_schedules,
    bed_limit,
    free,
    lesion,
    limit,
    plain_case,
)

from abscopt.instances import build, load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.free.bounds.lesion_oracles import FreeOracle
from abscopt.optimizer.search.free.bounds.master import Mixture
from abscopt.optimizer.search.free.bounds.multipliers import NodeBound
from abscopt.optimizer.search.free.bounds.objective import Multipliers, NodeDomain
from abscopt.optimizer.search.free.bounds.oracle import OracleBound
from abscopt.optimizer.search.free.bounds.pool import Pool
from abscopt.optimizer.search.free.combine import combined
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.days.suffix import stages_of
from abscopt.optimizer.search.free.explore import Search, solve_free
from abscopt.optimizer.search.free.node import Planned
from abscopt.optimizer.search.free.plans import Plans
from abscopt.optimizer.search.free.scope import applies
from abscopt.optimizer.solved import Solved

GAP = 1e-4


def answer_of(instance: Instance, gap: float = GAP, clock: Clock | None = None) -> Solved:
    candidates = Candidates(instance)
    assert applies(candidates)
    return solve_free(candidates, Judge(instance), gap, 0, clock or Clock(None, None))


def tumor(random: np.random.Generator, days: list[int], levels: int, **more: Any) -> Raw:
    """A free lesion that releases antigen, its organ's sparing factors changing from day to day."""
    doses = sorted({round(float(d), 1) for d in random.uniform(1.5, 12, size=levels)})
    values = [round(float(v), 3) for v in random.uniform(0.5, 1.0, size=len(days))]
    return (
        lesion(
            "tumor",
            clonogens=float(np.round(10 ** random.uniform(3, 6))),
            immunogenicity=round(float(random.uniform(0.3, 2.0)), 3),
            effector_share=0.4,
            precursor_share=0.3,
            effector_kill_per_fraction=round(float(random.uniform(0, 0.6)), 3),
            lymphocyte_loss_per_fraction=round(float(random.uniform(0, 0.2)), 3),
            course=free(days, doses),
            sparing={
                "organ": {"max": {"days": days, "values": values}, "mean": 0.3},
                "lungs": {"mean": 0.2, "second_moment": 0.06},
            },
        )
        | more
    )


def occult(**more: Any) -> Raw:
    """Disease that is not irradiated and has effectors of its own."""
    fields = {"irradiable": False, "volume_cm3": None, "organ": "disseminated"}
    plain = {"use": "plain_lq", "name": "occult", "clonogens": 4.0, "effector_share": 0.5}
    return {k: v for k, v in (plain | fields | {"precursor_share": 0.4} | more).items()
            if v is not None}  # fmt: skip


def pembrolizumab(starts: int, **more: Any) -> Raw:
    return {
        "name": "pembrolizumab",
        "regimens": ["pembrolizumab-200-q3w"],
        "first_start_day": 0,
        "last_start_day": 5 * (starts - 1),
        "start_step_days": 5,
        "optional": False,
    } | more


def random_case(seed: int, days: int = 6, levels: int = 3, **more: Any) -> Raw:
    """Days of some levels, 1-2 plans, 1-2 horizons, limits that bind."""
    random = np.random.default_rng([5, seed])
    allowed = sorted(random.choice(10, size=days, replace=False).tolist())
    one = tumor(random, allowed, levels, **more.pop("lesion", {}))
    limits = [
        bed_limit(round(float(random.uniform(20, 90)), 2)),
        limit("mean", "mean", organ="organ", cap_gy=round(float(random.uniform(4, 12)), 2)),
        limit("mean_eqd2", "voxels", organ="lungs", alpha_beta_gy=3.0,
              cap_gy=round(float(random.uniform(5, 15)), 2)),
    ]  # fmt: skip
    kept = [one for one in limits if random.random() < 0.6] or limits[:1]
    organs = {"organ": {"use": "generic_late"}, "lungs": {"use": "generic_late"}}
    used = {one["organ"] for one in kept}
    one["sparing"] = {k: v for k, v in one["sparing"].items() if k in used}
    return plain_case(
        [one, occult()],
        kept,
        horizon_days=[14, 30] if random.random() < 0.6 else [30],
        objective=more.pop("objective", "default"),
        immune=EARLY_IMMUNE
        | {"priming_delay_days": int(random.integers(0, 4))}
        | more.pop("immune", {}),
        calendar=EVERY_DAY,
        agents=[pembrolizumab(int(random.integers(1, 3)))],
        organs={k: v for k, v in organs.items() if k in used},
        **more,
    )  # fmt: skip


def best_of(instance: Instance) -> float:
    judge = Judge(instance)
    verdicts = (judge.evaluate(schedule) for schedule in all_schedules(instance))
    return max(v.objective for v in verdicts if v.admissible)


def assert_best(raw: Raw, gap: float = GAP) -> Solved:
    """The answer is within the gap of the best of all schedules, and the bound is true."""
    instance = build(raw)
    best, answer = best_of(instance), answer_of(instance, gap)
    assert answer.bound is not None
    assert best - gap - 1e-9 <= answer.value <= best + 1e-9
    assert best - 1e-9 <= answer.bound <= answer.value + gap + 1e-9
    return answer


VARIANTS: dict[str, tuple[int, Raw]] = {
    "plain": (0, {}),
    "repopulation": (
        3,
        {
            "lesion": {
                "growth_doubling_time_days": 40.0,
                "repopulation_doubling_time_days": 3.0,
                "kick_off_days": 3.0,
            }
        },
    ),
    "linear at high doses, log control": (
        5,
        {"lesion": {"lql_transition_gy": 5.0}, "objective": "log_control"},
    ),
    "inflow, expected control": (
        7,
        {"immune": {"precursor_inflow_per_day": 0.02}, "objective": "expected_control"},
    ),
    "log kill": (4, {"objective": "log_kill"}),
    "no saturation": (8, {"immune": {"effect_maximum_nats": 500.0}}),
    "suppression and preblockade": (
        10,
        {
            "immune": {
                "suppression_above_gy": 5.0,
                "suppression_per_gy": 0.1,
                "preblockade_sign": -0.7,
            }
        },
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_best_of_every_schedule(name: str) -> None:
    seed, more = VARIANTS[name]
    assert_best(random_case(seed, days=4, **copy.deepcopy(more)))


def test_number_of_fractions_and_lymphocyte_floor() -> None:
    raw = random_case(2, days=4, levels=2)
    raw["agents"] = [pembrolizumab(1)]
    raw["lesions"][0]["course"]["max_fractions"] = 2
    few = assert_best(raw)
    raw["limits"].append(limit("logistics", "visits", quantity="visits", cap=1))
    fewer = assert_best(raw)
    assert fewer.value < few.value
    raw = random_case(6, days=4, levels=2, lesion={"lymphocyte_loss_per_fraction": 0.3})
    raw["agents"] = [pembrolizumab(1)]
    freely = answer_of(build(raw))
    raw["limits"].append(limit("alc", "alc", floor_1e9_per_l=1.2))
    assert assert_best(raw).value < freely.value


def test_sensitizer_and_several_drugs() -> None:
    drug = {
        "kind": "chemotherapy",
        "sensitizer_enhancement_ratio": 1.3,
        "sensitizing_days": 2,
        "lymphocyte_log_loss_per_dose": 0.1,
        "cytotoxic_log_kill_per_dose": 0.8,
        "precursor_log_loss_per_dose": 0.7,
    }
    raw = random_case(1, days=4, levels=2)
    raw["agents"] = [pembrolizumab(1)]
    once = {"drug": "drug", "day": 0, "amount": 40, "unit": "mg"}
    chemo = {"name": "chemo", "regimens": ["cycle"], "first_start_day": 1, "last_start_day": 3}
    raw["agents"] = [*raw["agents"], chemo | {"min_days_between_dose_and_fraction": 1}]
    raw["drugs"] = {"drug": drug | CITED}
    raw["regimens"] = {"cycle": {"cycle_days": 20, "max_cycles": 1, "doses": [once]} | CITED}
    assert_best(raw)


def test_the_programme_agrees() -> None:
    raw = random_case(12, days=6, levels=4)
    raw["agents"] = [pembrolizumab(3)]
    instance = build(raw)
    gap = 1e-3
    ours = answer_of(instance, gap)
    theirs = solve_single(Candidates(instance), Judge(instance), gap, 0, 1, Clock(None, None))
    assert ours.bound is not None and theirs.bound is not None
    assert ours.value <= theirs.bound + 1e-9
    assert theirs.value <= ours.bound + 1e-9


def searched(raw: Raw, plan: int = 0) -> Planned:
    """One plan of a case as the search sees it."""
    instance = build(raw)
    return Plans(Candidates(instance)).of(plan)


def random_rows(one: Planned, number: int, seed: int = 0) -> list[Any]:
    """Courses of every part, aligned; about four in ten days have a fraction."""
    random, rows = np.random.default_rng(seed), []
    for part in one.oracles:
        assert isinstance(part, FreeOracle)
        days, actions = part.terms.allowed.shape
        given = random.random((number, days)) < 0.4
        rows.append(np.where(given, random.integers(1, actions, (number, days)), 0))
    return rows


def values(one: Planned, rows: list[Any]) -> Any:
    """(n,) objective of rows of courses, -inf where they break a limit."""
    done = [part.of(row) for part, row in zip(one.oracles, rows, strict=True)]
    courses = [courses for courses, _ in done]
    good = np.all([fine for _, fine in done], axis=0) & one.schedules.within_limits(courses)
    good &= (sum(own.load for own in courses) <= one.problem.rhs).all(axis=1)
    return np.where(good, one.schedules.values(courses), -np.inf)


def random_slopes(one: Planned, random: np.random.Generator) -> Multipliers:
    """Any prices; those of effect from tangents of the logarithm at two levels."""
    whole = one.problem
    horizons = len(whole.horizons)
    effect = np.zeros((3, horizons))
    if one.domain.alone:
        effect[0] = random.uniform(0, 0.5, horizons)
    else:
        levels = random.uniform(0.1, 1.0, (2, horizons)) * one.domain.most_effect
        price = random.uniform(0, 0.5, (2, horizons))
        effect = np.stack([price / levels, price, price * (np.log(levels) - 1)]).sum(axis=1)
    burden, load = random.uniform(0, 1, whole.local.shape), random.uniform(0, 5, len(whole.rhs))
    felt = burden.copy()
    for s in whole.spread:
        felt[s] = random.uniform(0, 1, horizons)
    return Multipliers(burden, felt, effect, load)


def looked(
    one: Planned, value: NodeDomain, slopes: Multipliers, *, fine: bool = False
) -> NodeBound:
    """The bound of some spans at some prices."""
    constant, prices = value.prices(slopes)
    looks: list[OracleBound] = [
        part.maximize(price, span, fine)
        for part, price, span in zip(one.oracles, prices, value.spans, strict=True)
    ]
    bound = constant + sum(look.bound for look in looks)
    nothing = np.zeros(0)
    mixture = Mixture(nothing, nothing, nothing, nothing, nothing, nothing, ())
    return NodeBound(bound, constant, tuple(looks), slopes, mixture, Pool(one.oracles))


@pytest.mark.parametrize("seed", [0, 3])
def test_whole_courses_are_valued_as_the_judge_does(seed: int) -> None:
    raw = random_case(seed, days=8, levels=4)
    instance = build(raw)
    search = Search(Candidates(instance), Judge(instance), GAP, 0, Clock(None, None))
    one, judge = search.plans.of(0), Judge(instance)
    drawn = random_rows(one, 40)[0]
    courses, good = one.oracles[0].of(drawn)
    value = one.schedules.values([courses])
    for i, course in enumerate(drawn):
        verdict = judge.evaluate(search.improver.schedule(one, [course]))
        unsaturated = verdict.immune["unsaturated_effect_nats"]
        assert value[i] == pytest.approx(verdict.objective, abs=1e-9)
        assert courses.effect[i] == pytest.approx(unsaturated, abs=1e-9)
        assert bool(good[i]) == (not verdict.broken_limits)


REGROWING = {
    "growth_doubling_time_days": 40.0,
    "repopulation_doubling_time_days": 2.0,
    "kick_off_days": 2.0,
}


@pytest.mark.parametrize("fields", [{}, REGROWING], ids=["plain", "regrowing"])
@pytest.mark.parametrize("patterns", [1, 6, 500])
def test_any_prices_and_any_joining_of_patterns_give_a_bound(patterns: int, fields: Raw) -> None:
    one = searched(random_case(3, days=9, levels=4, lesion=fields))
    assert one.oracles[0].terms.repopulates == bool(fields)  # type: ignore[attr-defined]
    part = one.oracles[0]
    assert isinstance(part, FreeOracle)
    part.coarse = stages_of(part.terms, patterns)
    (drawn,) = random_rows(one, 400)
    value = values(one, [drawn])
    random = np.random.default_rng(1)
    whole = one.domain.spans[0]
    for _ in range(12):
        slopes = random_slopes(one, random)
        low = int(random.integers(0, 4))
        few = one.domain.within((Span(whole.kill, (low, low + 2)),))
        within = looked(one, few, slopes).bound
        count = (drawn > 0).sum(axis=1)
        inside = (count >= low) & (count <= low + 2)
        assert within >= value[inside].max() - 1e-9
        everything = looked(one, one.domain, slopes).bound
        assert everything >= value.max() - 1e-9
        assert everything >= within - 1e-9


@pytest.mark.parametrize("fields", [{}, REGROWING], ids=["plain", "regrowing"])
@pytest.mark.parametrize("lesions", [1, 2])
def test_what_the_bound_follows_is_worth_the_bound(lesions: int, fields: Raw) -> None:
    """Up to the interpolation between grid points; and less than it counts at no price."""
    raw = random_case(3, days=9, levels=4, lesion=fields)
    if lesions > 1:
        raw["lesions"][0] |= {"effector_share": 0.2, "precursor_share": 0.15}
        raw["lesions"].insert(1, copy.deepcopy(raw["lesions"][0]) | {"name": "second"})
    one, random = searched(raw), np.random.default_rng(4)
    assert one.domain.alone == (lesions == 1)
    for _ in range(12):
        for look in looked(one, one.domain, random_slopes(one, random)).oracle_bounds:
            part = one.oracles[0]
            column = part.maximizer(look)
            counted = float(look.prices.worth(column)[0])
            exact, _ = part.of(column.actions)
            assert float(look.prices.worth(exact)[0]) <= counted + 1e-9
            assert look.bound - 0.02 <= counted <= look.bound + 1e-9


def enumerated(fields: Raw, days: int) -> tuple[Planned, FreeOracle, NDArray[np.int64]]:
    """A random case with a lymphocyte limit, its lesion, and every course of so many days."""
    raw = random_case(201, days=days, levels=3, lesion=fields)
    raw["limits"].append(limit("alc", "alc", floor_1e9_per_l=1.1))
    one = searched(raw)
    part = one.oracles[0]
    assert isinstance(part, FreeOracle)
    days, actions = part.terms.allowed.shape
    return one, part, np.indices((actions,) * days).reshape(days, -1).T


@pytest.mark.parametrize("fields", [{}, REGROWING], ids=["plain", "regrowing"])
def test_two_changes_are_all_of_them_and_valued_as_whole_courses(fields: Raw) -> None:
    one, part, every = enumerated(fields, 5)
    for course in random_rows(one, 4)[0]:
        found = part.two_changes(course, one.problem.rhs, lambda *changed: changed[-1] > 0)
        near = every[(every != course).sum(axis=1) == 2]
        near = near[part.of(near)[1]]
        assert sorted(map(tuple, found.actions.tolist())) == sorted(map(tuple, near.tolist()))
        exact, _ = part.of(found.actions)
        for name in ("kill", "effect", "others_kept", "load"):
            assert getattr(found, name) == pytest.approx(getattr(exact, name), abs=1e-12)


def test_the_search_does_not_load_pyomo() -> None:
    code = "import sys, abscopt.optimizer.search.free.explore; assert 'pyomo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("repopulates", [False, True])
def test_joining_partial_courses_never_loses_one(repopulates: bool) -> None:
    """However coarsely they are joined, the bound of a span is not below its best course."""
    fields: Raw = {"effector_kill_per_fraction": 0.3, "lymphocyte_loss_per_fraction": 0.15}
    if repopulates:
        fields |= REGROWING
    one, part, every = enumerated(fields, 6)
    value, kill = values(one, [every]), part.of(every)[0].kill
    good, count = np.isfinite(value), (every > 0).sum(axis=1)
    random = np.random.default_rng(2)
    for turn in range(5):
        low, high = np.sort(random.choice(kill[good, -1], 2)).tolist()
        span = Span((low, high), (1, 4)) if turn else one.domain.spans[0]
        inside = good & (kill[:, -1] >= span.kill[0]) & (kill[:, -1] <= span.kill[1])
        inside &= (count >= span.count[0]) & (count <= span.count[1])
        best = float(value[inside].max())
        ahead = looked(one, one.domain.within((span,)), random_slopes(one, random))
        for precision in (
            Precision(1e-6, 1e-6, 1e-6, 10**6),
            Precision(0.05, 0.05, 0.3, 10**6),
            Precision(0.01, 1e-3, 1e-2, 15),
        ):
            found = combined(one.schedules, ahead, best - 0.3, precision, lambda: False)
            assert found is not None
            assert found.bound >= best - 1e-9


def assert_stops_with_a_true_bound(instance: Instance, looks: int) -> None:
    whole = answer_of(instance, 1e-3)
    stopped = answer_of(instance, 1e-3, Stopping(looks))
    assert stopped.value <= whole.value + 1e-3
    assert stopped.bound is None or stopped.bound >= whole.value - 1e-9
    assert not stopped.infeasible


def assert_repeats_itself(instance: Instance) -> None:
    one, two = answer_of(instance, 1e-3), answer_of(instance, 1e-3)
    assert (one.schedule, one.bound, one.nodes) == (two.schedule, two.bound, two.nodes)


@pytest.mark.parametrize("looks", [0, 2, 10, 40])
def test_the_bound_of_a_stopped_search_is_true(looks: int) -> None:
    assert_stops_with_a_true_bound(build(random_case(20, days=8, levels=4)), looks)


def test_a_wider_limit_and_more_plans_are_never_worse() -> None:
    raw = random_case(13, days=6, levels=3)
    raw["agents"] = [pembrolizumab(1)]
    base = answer_of(build(raw), 1e-3)
    more = answer_of(build(raw | {"agents": [pembrolizumab(3)]}), 1e-3)
    assert more.bound is not None and more.bound >= base.value - 1e-9
    wider = copy.deepcopy(raw)
    for one in wider["limits"]:
        one["cap_gy"] *= 1.3
    wide = answer_of(build(wider), 1e-3)
    assert wide.bound is not None and wide.bound >= base.value - 1e-9


def test_the_answer_repeats_itself() -> None:
    assert_repeats_itself(build(random_case(14, days=7, levels=4)))


def test_nothing_feasible_is_told() -> None:
    raw = random_case(0, days=3)
    chemo = {"kind": "chemotherapy", "lymphocyte_log_loss_per_dose": 3.0}
    once = {"drug": "drug", "day": 0, "amount": 40, "unit": "mg"}
    raw["drugs"] = {"drug": chemo | CITED}
    raw["regimens"] = {"cycle": {"cycle_days": 20, "max_cycles": 1, "doses": [once]} | CITED}
    agent = {"name": "chemo", "regimens": ["cycle"], "first_start_day": 1, "last_start_day": 1}
    raw["agents"] = [*raw["agents"], agent | {"optional": False}]
    raw["limits"].append(limit("alc", "alc", floor_1e9_per_l=1.0))
    answer = answer_of(build(raw))
    assert answer.infeasible
    assert answer.schedule is None and answer.bound is None


@pytest.mark.parametrize("name", ["mr-linac-1", "pulsar"])
def test_other_cases_are_left_to_programme_and_search(name: str) -> None:
    assert not applies(Candidates(load(name)))


@pytest.mark.parametrize(
    "more",
    [
        {"penalty": 1.0},
        {"kind": "logistics", "quantity": "visits", "cap": 3, "last_day": 5},
        {"kind": "edric", "cap_gy": 5.0},
    ],
)
def test_limits_that_are_not_covered(more: Raw) -> None:
    raw = random_case(0)
    assert applies(Candidates(build(raw)))
    if "kind" in more:
        raw["limits"].append({"name": "more"} | more | CITED)
        raw["lesions"][0]["integral_dose_cm3"] = 100.0
    else:
        raw["limits"][0] |= more
    assert not applies(Candidates(build(raw)))


def test_the_pipeline_says_how_it_was_bounded() -> None:
    result = solve(build(random_case(1, days=5)), gap=2e-3)
    assert result.status == "optimal"
    assert "joined" in result.certificate.objective_form
    assert result.certificate.approximation_errors["joined_partial_courses"] >= 0.0
