"""The optimum is that of brute force by the judge: toys, random cases, larger random cases."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from brute_force import Enumeration, agrees, binding, enumerate_by_judge, greedy, schedules
from random_instances import LARGER, Raw, random_case
from table_rows import schedule_of

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge

GAP = 1e-4
MILP_TOLERANCE = 1e-6
"""The bound of the one programme is as exact as the rows of a MILP are in HiGHS."""
TOYS = {"toy-blockade": 25, "toy-fractionation": 81, "toy-two-lesions": 25}
RANDOM = 216
CHUNKS = 12
EVERY_SINGLE = 4
LARGE_SEEDS = (10_000, 10_001, 10_002, 10_003, 10_005, 10_006, 10_007, 10_008, 10_009, 10_010)
CITED: Raw = {"source": "test", "status": "assumed"}


@dataclass(frozen=True)
class Case:
    """A random case and what the judge says of all its schedules."""

    instance: Instance
    found: Enumeration
    greedy: float | None


@cache
def random_enumerated(seed: int) -> Case:
    instance = build(random_case(seed))
    judge = Judge(instance)
    return Case(instance, enumerate_by_judge(instance, judge), greedy(instance, judge))


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("gap", [1e-4, 0.01])
def test_a_toy_is_solved_as_by_enumeration(name: str, gap: float) -> None:
    instance = load(name)
    found = enumerate_by_judge(instance, Judge(instance))
    assert found.count == TOYS[name]
    assert agrees(solve(instance, gap=gap), found.best, gap)
    assert agrees(solve(instance, gap=gap, method="single"), found.best, gap)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_cases_are_solved_as_by_enumeration(chunk: int) -> None:
    wrong = []
    for seed in range(chunk, RANDOM, CHUNKS):
        case = random_enumerated(seed)
        gap = 0.01 if seed % 10 == 9 else GAP
        result = solve(case.instance, gap=gap)
        if not agrees(result, case.found.best, gap):
            wrong.append((seed, result.status, result.objective, result.bound, case.found.best))
    assert not wrong


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_one_programme_solves_random_cases_as_by_enumeration(chunk: int) -> None:
    wrong = []
    for seed in [s for i, s in enumerate(range(chunk, RANDOM, CHUNKS)) if i % EVERY_SINGLE == 0]:
        case = random_enumerated(seed)
        try:
            result = solve(case.instance, gap=GAP, method="single")
        except Exception as error:
            wrong.append((seed, repr(error)))
            continue
        if not agrees(result, case.found.best, GAP, MILP_TOLERANCE):
            wrong.append((seed, repr((result.status, result.objective, case.found.best))))
    assert not wrong


def test_the_random_cases_are_not_trivial() -> None:
    """At the optima limits bind, lymphocytes matter and greedy choices fail."""
    counts: Counter[str] = Counter()
    for seed in range(RANDOM):
        case = random_enumerated(seed)
        found = case.found
        kinds = {limit.name: limit.kind for limit in case.instance.limits}
        if found.best is None or found.schedule is None or found.evaluation is None:
            counts["infeasible"] += 1
            continue
        limiting = binding(found)
        counts.update(limiting)
        counts.update({kinds[name] for name in limiting if kinds.get(name) == "logistics"})
        factors = [lesion.lymphocyte_factor for lesion in found.evaluation.lesions]
        days = [(f.day, f.lesion) for f in found.schedule.fractions]
        drugs = {i.drug for i in found.schedule.infusions}
        counts["given"] += bool(days or drugs)
        counts["irradiated"] += bool(days)
        counts["lymphocytes"] += min(factors) < 0.95
        counts["not greedy"] += case.greedy is None or case.greedy < found.best - 1e-6
        counts["shared days"] += len({day for day, _ in days}) < len(days)
        counts["checkpoint"] += bool(drugs & {"pembrolizumab", "durvalumab", "ipilimumab"})
        counts["CTLA-4"] += bool(drugs & {"ipilimumab", "tremelimumab"})
        counts["sensitized"] += bool(drugs & {"cisplatin", "carboplatin"}) and bool(days)
        counts["conceded"] += bool(found.evaluation.conceded)
        counts["tumor_bed"] += case.instance.objective.kind == "tumor_bed"
        counts["schedules"] += found.count
    print(dict(sorted(counts.items())))
    assert counts["given"] >= 0.7 * RANDOM
    assert counts["infeasible"] >= 5
    for kind in ("bed", "mean", "mean_eqd2", "dose_by_fractions", "alc", "edric", "drug"):
        assert counts[kind] >= 10, kind
    for kind in ("logistics", "lesions", "visits", "lesions_per_day", "overall_days", "rules"):
        assert counts[kind] >= 10, kind
    assert counts["floor"] >= 1
    assert counts["lymphocytes"] >= 30
    assert counts["not greedy"] >= 30
    assert counts["shared days"] >= 20
    for what in ("checkpoint", "CTLA-4", "sensitized", "tumor_bed"):
        assert counts[what] >= 10, what


@pytest.mark.parametrize("seed", LARGE_SEEDS)
def test_larger_random_cases_are_solved_as_by_enumeration_of_the_tables(seed: int) -> None:
    instance = build(random_case(seed, LARGER))
    judge, candidates = Judge(instance), Candidates(instance)
    rng = np.random.default_rng(seed)
    sizes = [len(table.menu) for table in candidates.lesions]
    best: tuple[float, int, np.ndarray] | None = None
    for plan in range(len(candidates.plans)):
        tabulated = Tabulated(candidates, plan)
        for first in range(sizes[0]):
            rest = [np.arange(size) for size in sizes[1:]]
            grid = np.meshgrid(np.array([first]), *rest, indexing="ij")
            rows = np.stack([axis.reshape(-1) for axis in grid], axis=1)
            value = tabulated.value(rows)
            if best is not None:
                rows, value = rows[value > best[0]], value[value > best[0]]
            order = np.argsort(-value, kind="stable")
            for part in np.array_split(order, max(1, len(order) // 500)):
                good = np.flatnonzero(tabulated.feasible(rows[part])) if len(part) else []
                if len(good):
                    top = part[good[0]]
                    best = (float(value[top]), plan, rows[top])
                    break
        for _ in range(200 // len(candidates.plans) + 1):
            row = np.array([rng.integers(size) for size in sizes])
            verdict = judge.evaluate(schedule_of(candidates, plan, row))
            value = tabulated.value(row[None, :])
            assert value[0] == pytest.approx(verdict.objective, rel=1e-9, abs=1e-9)
            assert bool(tabulated.feasible(row[None, :])[0]) == verdict.feasible
    result = solve(instance, gap=GAP)
    if best is None:
        assert result.status == "infeasible"
        return
    verdict = judge.evaluate(schedule_of(candidates, best[1], best[2]))
    assert verdict.feasible
    assert verdict.objective == pytest.approx(best[0], rel=1e-9, abs=1e-9)
    assert agrees(result, best[0], GAP)


# Seeds whose programme once had to split a band: HiGHS takes rows as kept up to 1e-6, which was
# also the width of the split.
SPLIT_SEEDS = (24, 88, 120, 136)


@pytest.mark.parametrize("seed", SPLIT_SEEDS)
def test_a_split_band_is_seen_by_the_solver(seed: int) -> None:
    case = random_enumerated(seed)
    result = solve(case.instance, gap=GAP, method="single")
    assert agrees(result, case.found.best, GAP, MILP_TOLERANCE)


def plain(name: str, clonogens: float, doses: list[float], **more: object) -> Raw:
    """A lesion without growth that sends half its dose to the organ."""
    course = {"form": "uniform", "fractions": [3], "doses_gy": doses}
    return {
        "use": "plain_lq",
        "name": name,
        "organ": "site",
        "volume_cm3": 10.0,
        "clonogens": clonogens,
        "course": course,
        "sparing": {"organ": {"max": 0.5, "mean": 0.5}},
        **more,
    }


def small_case(lesions: list[Raw], limits: list[Raw], **more: object) -> Instance:
    """A case without systemic effect unless stated."""
    return build(
        {
            "format": 1,
            "name": "small",
            "title": "small",
            "horizon_days": [40],
            "provenance": {"source": "test"},
            "immune": {"use": "off"},
            "organs": {"organ": {"use": "generic_late"}},
            "lesions": lesions,
            "limits": [{**limit, **CITED} for limit in limits],
            **more,
        }
    )


def floor_and_shared_days() -> Instance:
    """Both lesions must be treated, and on shared days they break the organ's limit."""
    later = {"form": "uniform", "fractions": [3], "doses_gy": [6.0, 8.0], "last_start_day": 1}
    return small_case(
        [plain("a", 1e6, [6.0, 8.0]), plain("b", 1e6, [6.0], course=later)],
        [
            {
                "name": "organ",
                "kind": "bed",
                "organ": "organ",
                "alpha_beta_gy": 3,
                "cap_gy": 52,
            },
            {"name": "two", "kind": "logistics", "quantity": "lesions", "floor": 2},
        ],
    )


def nothing_fits(*limits: Raw) -> Instance:
    """No course of the only lesion keeps the organ's limit."""
    organ = {"name": "organ", "kind": "mean", "organ": "organ", "cap_gy": 0.001}
    return small_case([plain("a", 1e6, [6.0, 8.0])], [organ, *limits])


def visits_of_nothing() -> Instance:
    """A cap on visits where no course is left."""
    return nothing_fits({"name": "v", "kind": "logistics", "quantity": "visits", "cap": 2})


def late_first_infusion(**rule: int) -> Instance:
    """A regimen whose first infusion is on day 3 of the cycle, with an interval rule."""
    dose = {"drug": "pembrolizumab", "day": 3, "amount": 200, "unit": "mg"}
    agent = {"name": "p", "regimens": ["p"], "first_start_day": 4, "last_start_day": 4, **rule}
    return small_case(
        [plain("a", 1e7, [8.0, 10.0], effector_share=0.5, precursor_share=0.5)],
        [],
        immune={"use": "default"},
        regimens={"p": {"cycle_days": 21, "max_cycles": 1, "doses": [dose], **CITED}},
        agents=[agent],
    )


def nothing_but_effect() -> Instance:
    """No limit at all, two courses and occult disease; HiGHS ended with a solve error."""
    site: Raw = {"use": "plain_lq", "organ": "site", "volume_cm3": 14.534}
    other: Raw = {"use": "plain_lq", "organ": "site", "volume_cm3": 9.847}
    ten: Raw = {"form": "uniform", "fractions": [10], "doses_gy": [8.5]}
    two: Raw = {"form": "uniform", "fractions": [2], "doses_gy": [22.0]}
    occult: Raw = {
        "use": "plain_lq",
        "name": "occult",
        "organ": "disseminated",
        "irradiable": False,
        "clonogens": 8.225,
        "effector_share": 0.2244,
        "precursor_share": 0.176,
    }
    lesions = [
        {**site, "name": "a", "course": ten, "precursor_share": 0.1559},
        {**other, "name": "b", "course": two, "precursor_share": 0.6481},
        occult,
    ]
    immune = {"use": "default", "effect_per_effector": 0.573, "mobilization_per_day": 0.01}
    return small_case(lesions, [], horizon_days=[56], immune=immune)


SPECIAL = {
    "nothing but effect": nothing_but_effect,
    "floor and shared days": floor_and_shared_days,
    "nothing fits": nothing_fits,
    "visits of nothing": visits_of_nothing,
    "late first infusion, min": lambda: late_first_infusion(min_days_after_radiation=5),
    "late first infusion, max": lambda: late_first_infusion(max_days_after_radiation=3),
}


@pytest.mark.parametrize("name", sorted(SPECIAL))
@pytest.mark.parametrize("method", ["auto", "single"])
def test_a_special_case_is_solved_as_by_enumeration(name: str, method: str) -> None:
    instance = SPECIAL[name]()
    found = enumerate_by_judge(instance, Judge(instance))
    result = solve(instance, gap=GAP, method="auto" if method == "auto" else "single")
    assert agrees(result, found.best, GAP), (result.status, result.objective, found.best)


def test_the_enumeration_counts_every_schedule_once() -> None:
    instance = load("toy-blockade")
    all_of_them = list(schedules(instance))
    assert len(all_of_them) == len(set(all_of_them)) == 25
    pairs = itertools.combinations(all_of_them, 2)
    assert all(one != two for one, two in pairs)
