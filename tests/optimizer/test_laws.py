"""Laws that hold whatever the numbers are, up to the sum of both gaps."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import pytest
from random_instances import Raw, Size, random_case

from abscopt.instances.load import build
from abscopt.optimizer import solve

GAP = 1e-4
SLACK = 2 * GAP + 1e-9
SEEDS = range(2000, 2012)
SIZE = Size(irradiable=(1, 2, 2, 3), courses=6, courses_of_three=4)
CHECKPOINT = {"pd1", "pd1-once", "both", "ctla4"}


def optimum(raw: Raw) -> float:
    """Objective of the answer; -inf if infeasible."""
    result = solve(build(raw), gap=GAP)
    if result.status == "infeasible":
        return -math.inf
    assert result.status == "optimal"
    assert result.objective is not None
    return result.objective


def case(seed: int) -> Raw:
    return random_case(seed, SIZE)


def tightened(raw: Raw) -> Iterator[Raw]:
    """The case with one limit tighter, for every limit."""
    before = raw["lymphocytes"]["initial_1e9_per_l"]
    for i, limit in enumerate(raw["limits"]):
        harder = copy.deepcopy(raw)
        own = harder["limits"][i]
        if limit["kind"] == "alc":
            own["floor_1e9_per_l"] = math.sqrt(before * limit["floor_1e9_per_l"])
        elif limit["kind"] == "logistics" and "floor" in limit:
            if limit["floor"] >= sum("course" in lesion for lesion in raw["lesions"]):
                continue
            own["floor"] += 1
        elif limit["kind"] == "logistics":
            if limit["cap"] == 0:
                continue
            own["cap"] -= 1
        elif limit["kind"] == "dose_by_fractions":
            own["limits_gy"] = [0.9 * value for value in limit["limits_gy"]]
        elif limit["kind"] == "drug":
            own["cap"] = 0.9 * limit["cap"]
        else:
            own["cap_gy"] = 0.9 * limit["cap_gy"]
        yield harder


def extended(raw: Raw) -> Iterator[Raw]:
    """The case with one more dose level, start day, interval or regimen."""
    for i, lesion in enumerate(raw["lesions"]):
        if "course" not in lesion:
            continue
        for key in ("doses_gy", "last_start_day", "interval_days"):
            richer = copy.deepcopy(raw)
            course = richer["lesions"][i]["course"]
            if key == "doses_gy":
                course[key].append(course[key][-1] - 0.25)
            elif key == "last_start_day":
                course[key] += course["start_step_days"]
            else:
                course[key].append(3)
            yield richer
    for i, agent in enumerate(raw.get("agents", [])):
        richer = copy.deepcopy(raw)
        richer["regimens"]["extra"] = {
            **raw["regimens"][agent["regimens"][0]],
            "max_cycles": 1,
        }
        richer["agents"][i]["regimens"] = [*agent["regimens"], "extra"]
        yield richer


def rearranged(raw: Raw) -> Raw:
    """The same case with lesions renamed and everything in reverse order."""
    other = copy.deepcopy(raw)
    names = {lesion["name"]: f"renamed-{9 - i}" for i, lesion in enumerate(raw["lesions"])}
    for lesion in other["lesions"]:
        lesion["name"] = names[lesion["name"]]
    for moment in other.get("cross_second_moments", []):
        moment["lesions"] = [names[name] for name in reversed(moment["lesions"])]
    other["lesions"].reverse()
    other["limits"].reverse()
    other.get("agents", []).reverse()
    return other


def inert(seed: int) -> Raw:
    """A case whose drugs do nothing: checkpoint inhibitors without systemic effect or rules."""
    raw = case(seed)
    raw["immune"] = {"use": "off"}
    raw["agents"] = [
        {
            key: value
            for key, value in agent.items()
            if "days_after" not in key and "days_between" not in key
        }
        for agent in raw.get("agents", [])
        if set(agent["regimens"]) <= CHECKPOINT
    ]
    raw["limits"] = [limit for limit in raw["limits"] if limit["kind"] != "drug"]
    return raw


def test_tightening_a_limit_never_improves() -> None:
    worse = total = 0
    for seed in SEEDS:
        raw = case(seed)
        before = optimum(raw)
        for harder in tightened(raw):
            after = optimum(harder)
            assert after <= before + SLACK, (seed, harder["limits"])
            worse += after < before - SLACK
            total += 1
    print(f"{worse} of {total} tighter limits cost something")
    assert worse >= 5


def test_an_additional_option_never_worsens() -> None:
    better = total = 0
    for seed in SEEDS:
        raw = case(seed)
        before = optimum(raw)
        for richer in extended(raw):
            after = optimum(richer)
            assert after >= before - SLACK, seed
            better += after > before + SLACK
            total += 1
    print(f"{better} of {total} options were worth something")
    assert better >= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_order_and_names_do_not_matter(seed: int) -> None:
    raw = case(seed)
    before, after = optimum(raw), optimum(rearranged(raw))
    assert after == before or abs(after - before) <= SLACK


def test_without_systemic_effect_drug_windows_do_not_matter() -> None:
    compared = 0
    for seed in SEEDS:
        raw = inert(seed)
        if not raw["agents"]:
            continue
        before = optimum(raw)
        later, none = copy.deepcopy(raw), copy.deepcopy(raw)
        for agent in later["agents"]:
            agent["first_start_day"] += 3
            agent["last_start_day"] += 9
        none["agents"] = []
        for other in (later, none):
            after = optimum(other)
            assert after == before or abs(after - before) <= SLACK, seed
            compared += math.isfinite(before)
    assert compared >= 10


def test_with_systemic_effect_drug_windows_matter() -> None:
    """The law above is not empty: the same change of windows matters where drugs act."""
    changed = 0
    for seed in SEEDS:
        raw = inert(seed)
        raw["immune"] = {"use": "default", "effect_per_effector": 0.3}
        none = {**raw, "agents": []}
        changed += bool(raw["agents"]) and abs(optimum(raw) - optimum(none)) > SLACK
    assert changed >= 3
