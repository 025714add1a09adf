"""Seeded random cases, with caps drawn next to the loads of attractive schedules."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from brute_force import courses, plans
from drawn_calendars import any_day, with_calendar

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.models.organs import toxicity
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.schedule import Schedule

Raw = dict[str, Any]
Rng = np.random.Generator

CITED: Raw = {"source": "random", "status": "assumed"}
KINDS = {
    "bed": 1.5,
    "mean": 1.0,
    "mean_eqd2": 1.0,
    "dose_by_fractions": 3.0,
    "alc": 1.0,
    "edric": 1.0,
    "drug": 1.0,
    "lesions": 1.0,
    "visits": 1.0,
    "lesions_per_day": 1.0,
    "overall_days": 1.0,
    "floor": 3.0,
}
"""How often a kind of limit is drawn (`floor`: least number of lesions), relative."""
SAMPLED = 50
LOOSE = 1900.0
TABLE = (1, 2, 3, 5, 8, 10)


@dataclass(frozen=True)
class Size:
    """How large a random case may be."""

    irradiable: tuple[int, ...] = (1, 2, 2, 2, 3, 3)
    courses: int = 8
    courses_of_three: int = 4


SMALL = Size()
LARGER = Size(irradiable=(4,), courses=30, courses_of_three=30)


def random_case(seed: int, size: Size = SMALL) -> Raw:
    """A random case as a plain dict; odd seeds draw days of infusions and course starts."""
    rng = np.random.default_rng([2026, seed])
    raw = _unlimited(rng, seed, size)
    odds = np.array(list(KINDS.values()))
    drawn = rng.choice(list(KINDS), size=rng.integers(2, 5), replace=False, p=odds / odds.sum())
    kinds = sorted((str(kind) for kind in drawn), key=lambda kind: kind == "floor")
    if rng.random() < 0.05:
        _make_hopeless(rng, raw)
    return _limited(rng, raw, kinds)


def pick(rng: Rng, options: Any) -> Any:
    """One of several plain values."""
    return options[int(rng.integers(len(options)))]


def uniform(rng: Rng, low: float, high: float) -> float:
    """A plain float, to three decimals."""
    return round(float(rng.uniform(low, high)), 3)


def _unlimited(rng: Rng, seed: int, size: Size) -> Raw:
    days = int(rng.integers(42, 64))
    number = int(pick(rng, size.irradiable))
    raw: Raw = {
        "format": 1,
        "name": f"random-{seed}",
        "title": "random case",
        "horizon_days": [days] if rng.random() < 0.6 else [int(rng.integers(25, 40)), days],
        "provenance": {"source": "random"},
        "objective": {"kind": "tumor_bed" if rng.random() < 0.08 else "default"},
        "immune": immune_of(rng),
        "lymphocytes": {
            "initial_1e9_per_l": uniform(rng, 1.2, 2.2),
            "recovery_half_time_days": uniform(rng, 10, 60),
        },
        "organs": {
            name: {"alpha_beta_gy": uniform(rng, 2, 4), **CITED}
            for name in ("organ", "lungs", "heart")
        },
    }
    occult = number < 3 and rng.random() < 0.6
    total = number + occult
    shares = rng.dirichlet(np.ones(total)) * 0.98
    precursors = rng.dirichlet(np.ones(total)) * 0.98
    most = size.courses if number != 3 else size.courses_of_three
    raw["lesions"] = [lesion_of(rng, f"site{i}", most) for i in range(number)]
    if occult:
        raw["lesions"].append(
            {
                "use": "plain_lq",
                "name": "occult",
                "organ": "disseminated",
                "irradiable": False,
                "clonogens": uniform(rng, 1, 20),
                "growth_doubling_time_days": uniform(rng, 20, 100),
            }
        )
    for i, lesion in enumerate(raw["lesions"]):
        lesion["effector_share"] = round(float(shares[i]), 4)
        lesion["precursor_share"] = round(float(precursors[i]), 4)
    if number > 1 and rng.random() < 0.5:
        one, two = (raw["lesions"][i]["sparing"]["organ"] for i in (0, 1))
        bound = math.sqrt(one["second_moment"] * two["second_moment"])
        raw["cross_second_moments"] = [
            {"organ": "organ", "lesions": ["site0", "site1"], "value": bound * rng.random()}
        ]
    _systemic(rng, raw)
    return with_calendar(raw, seed) if seed % 2 else any_day(raw)


def immune_of(rng: Rng) -> Raw:
    if rng.random() < 0.1:
        return {"use": "off"}
    immune: Raw = {
        "use": "default",
        "preblockade_sign": pick(rng, (-1.0, -0.5, 0.0, 0.5, 1.0)),
        "effect_per_effector": uniform(rng, 0.1, 0.6),
        "blockade_effect": pick(rng, (0.0, 0.5)),
        "priming_delay_days": int(rng.integers(1, 6)),
        "mobilization_per_day": pick(rng, (0.0005, 0.01)),
        "precursor_inflow_per_day": pick(rng, (0.0, 0.01)),
        "ctla4_threshold": uniform(rng, 2, 6),
    }
    if rng.random() < 0.5:
        immune["effect_maximum_nats"] = uniform(rng, 2, 12)
    return immune


def lesion_of(rng: Rng, name: str, most: int) -> Raw:
    while True:
        count = {
            "fractions": int(rng.integers(1, 4)),
            "doses": int(rng.integers(2, 5)),
            "starts": int(rng.integers(1, 4)),
            "intervals": int(rng.integers(1, 3)),
        }
        if most // 2 <= math.prod(count.values()) <= most:
            break
    fractions = rng.choice([1, 2, 3, 5, 8, 10], size=count["fractions"], replace=False)
    intervals = rng.choice([1, 2, 7], size=count["intervals"], replace=False)
    typical = 24.0 / float(np.median(fractions)) ** 0.6
    doses = np.round(np.clip(typical * np.linspace(0.7, 1.4, count["doses"]), 2, 25) * 2) / 2
    step = int(pick(rng, (1, 2, 7)))
    first = int(pick(rng, (0, 1, 2, 7)))
    mean = uniform(rng, 0.1, 0.5)
    lesion: Raw = {
        "use": "plain_lq",
        "name": name,
        "organ": "site",
        "weight": uniform(rng, 0.4, 2.0),
        "volume_cm3": uniform(rng, 1, 40),
        "alpha_per_gy": uniform(rng, 0.2, 0.4),
        "alpha_beta_gy": uniform(rng, 4, 12),
        "clonogens": float(np.round(10 ** rng.uniform(4, 7))),
        "immunogenicity": uniform(rng, 0.2, 1.5),
        "effector_kill_per_fraction": uniform(rng, 0, 0.5),
        "lymphocyte_loss_per_fraction": uniform(rng, 0.005, 0.08),
        "integral_dose_cm3": uniform(rng, 100, 3000),
        "course": {
            "form": "uniform",
            "fractions": sorted(int(n) for n in fractions),
            "doses_gy": sorted({float(d) for d in doses}),
            "first_start_day": first,
            "last_start_day": first + step * (count["starts"] - 1),
            "start_step_days": step,
            "interval_days": sorted(int(i) for i in intervals),
        },
        "sparing": {
            "organ": {
                "max": uniform(rng, 0.3, 0.9),
                "mean": mean,
                "second_moment": round(mean**2 * uniform(rng, 1.2, 3), 5),
            },
            "lungs": {"mean": uniform(rng, 0.0, 0.2)},
            "heart": {"mean": uniform(rng, 0.0, 0.2)},
        },
    }
    if rng.random() < 0.2:
        del lesion["sparing"]["organ"]["max"]
    if rng.random() < 0.3:
        lesion["lql_transition_gy"] = uniform(rng, 5, 10)
    if rng.random() < 0.5:
        lesion["growth_doubling_time_days"] = uniform(rng, 30, 200)
    if rng.random() < 0.5:
        lesion["repopulation_doubling_time_days"] = uniform(rng, 2, 5)
        lesion["kick_off_days"] = float(rng.integers(2, 15))
    if rng.random() < 0.3:
        lesion["lymphocyte_effect_per_fraction"] = uniform(rng, 0, 0.1)
    return lesion


def _regimens(rng: Rng) -> dict[str, Raw]:
    def regimen(cycle: int, cycles: int, doses: list[tuple[str, int, float, str]]) -> Raw:
        keys = ("drug", "day", "amount", "unit")
        rows = [dict(zip(keys, dose, strict=True)) for dose in doses]
        return {"cycle_days": cycle, "max_cycles": cycles, "doses": rows, **CITED}

    weekly = [("carboplatin", 0, 2.0, "auc"), ("paclitaxel", 1, 45.0, "mg_per_m2")]
    both = [("durvalumab", 0, 20.0, "mg_per_kg"), ("tremelimumab", 1, 300.0, "mg")]
    return {
        "pd1": regimen(21, 2, [("pembrolizumab", 0, 200.0, "mg")]),
        "pd1-once": regimen(42, 1, [("pembrolizumab", 0, 400.0, "mg")]),
        "both": regimen(28, 2, both),
        "ctla4": regimen(21, int(rng.integers(1, 4)), [("ipilimumab", 0, 3.0, "mg_per_kg")]),
        "weekly": regimen(7, 3, weekly),
        "platinum": regimen(21, 2, [("cisplatin", 0, 75.0, "mg_per_m2")]),
    }


def _systemic(rng: Rng, raw: Raw) -> None:
    """At most three plans: one agent with two options, or a fixed agent and another one."""
    if rng.random() < 0.1:
        return
    regimens = _regimens(rng)
    checkpoint, chemo = ["pd1", "pd1-once", "both", "ctla4"], ["weekly", "platinum"]
    step = int(rng.integers(3, 21))
    start = int(rng.integers(0, 15))
    agents: list[Raw] = []
    if rng.random() < 0.35:
        agents.append(
            {
                "name": "chemotherapy",
                "regimens": [pick(rng, chemo)],
                "first_start_day": int(rng.integers(0, 8)),
                "optional": False,
            }
        )
        agents[-1]["last_start_day"] = agents[-1]["first_start_day"]
        step = min(step, 12)
    family = checkpoint if agents or rng.random() < 0.7 else chemo
    immune: Raw = {
        "name": "systemic",
        "regimens": [pick(rng, family)],
        "first_start_day": start,
        "last_start_day": start + step,
        "start_step_days": step,
        "optional": bool(rng.random() < 0.9),
    }
    if family is checkpoint and rng.random() < 0.3:
        immune |= {"regimens": ["pd1", "pd1-once"], "last_start_day": start}
    if rng.random() < 0.4:
        rule = pick(rng, ("after", "before", "apart", "window"))
        if rule in ("after", "window"):
            immune["min_days_after_radiation"] = int(rng.integers(0, 6))
        if rule in ("before", "window"):
            immune["max_days_after_radiation"] = int(rng.integers(6, 14))
        if rule == "apart":
            immune["min_days_between_dose_and_fraction"] = int(rng.integers(1, 4))
    agents.append(immune)
    used = {name for agent in agents for name in agent["regimens"]}
    raw["regimens"] = {name: regimens[name] for name in sorted(used)}
    raw["agents"] = agents


def _make_hopeless(rng: Rng, raw: Raw) -> None:
    """A mandatory agent that the drug limit forbids."""
    if not raw.get("agents"):
        return
    for agent in raw["agents"]:
        agent["optional"] = False
    drug = raw["regimens"][raw["agents"][-1]["regimens"][0]]["doses"][0]["drug"]
    raw["limits"] = [
        {"name": "none", "kind": "drug", "drug": drug, "quantity": "doses", "cap": 0.5, **CITED}
    ]


def _sample(rng: Rng, instance: Instance) -> list[Schedule]:
    menus = [courses(instance, lesion) for lesion in instance.lesions]
    options = plans(instance)
    size = len(options) * math.prod(len(menu) for menu in menus)
    if size <= SAMPLED:
        picked = [(*choice,) for choice in itertools.product(*menus, options)]
    else:
        picked = [
            (*(pick(rng, menu) for menu in menus), pick(rng, options)) for _ in range(SAMPLED)
        ]
    return [Schedule.of(itertools.chain(*choice[:-1]), choice[-1]) for choice in picked]


def _loose_limits(rng: Rng, raw: Raw) -> dict[str, Raw]:
    """One limit of each kind with a cap that nothing reaches."""
    organ: Raw = {"organ": "organ", "cap_gy": LOOSE}
    table = {"fractions": list(TABLE), "limits_gy": [100.0 * n**0.5 for n in TABLE]}
    spread = uniform(rng, 2, 4)
    found: dict[str, Raw] = {
        "bed": {**organ, "kind": "bed", "alpha_beta_gy": spread},
        "mean": {**organ, "kind": "mean"},
        "mean_eqd2": {**organ, "kind": "mean_eqd2", "alpha_beta_gy": spread},
        "dose_by_fractions": {"kind": "dose_by_fractions", "organ": "organ", **table},
        "alc": {"kind": "alc", "floor_1e9_per_l": 1e-6},
        "edric": {"kind": "edric", "cap_gy": LOOSE},
        "floor": {"kind": "logistics", "quantity": "lesions", "floor": 0},
    }
    for quantity in ("lesions", "visits", "lesions_per_day", "overall_days"):
        found[quantity] = {"kind": "logistics", "quantity": quantity, "cap": 9999}
    doses = [d["drug"] for r in raw.get("regimens", {}).values() for d in r["doses"]]
    if doses:
        quantity = pick(rng, ("dose_mg", "dose_mg_per_m2", "doses"))
        drug = pick(rng, doses)
        found["drug"] = {"kind": "drug", "drug": drug, "quantity": quantity, "cap": 1e6}
    no_max = all("max" not in s["sparing"]["organ"] for s in raw["lesions"] if "sparing" in s)
    if no_max:
        del found["bed"], found["dose_by_fractions"]
    return {name: {"name": name, **limit, **CITED} for name, limit in found.items()}


def _limited(rng: Rng, raw: Raw, kinds: list[str]) -> Raw:
    """The case with caps that rule out what would be best without them."""
    fixed = raw.get("limits", [])
    loose = _loose_limits(rng, raw)
    kinds = [kind for kind in kinds if kind in loose]
    trial = build({**raw, "limits": [loose[kind] for kind in kinds]})
    judge = Judge(trial)
    schedules = _sample(rng, trial)
    judged = [(schedule, judge.evaluate(schedule)) for schedule in schedules]
    judged = [pair for pair in judged if not pair[1].obstacles]
    judged.sort(key=lambda pair: -pair[1].objective)
    limits = []
    for kind in kinds:
        if not judged:
            break
        limit, judged = _tightened(rng, trial, loose[kind], kind, judged)
        if limit is not None:
            limits.append(limit)
    return {**raw, "limits": [*limits, *fixed]}


Judged = list[tuple[Schedule, Evaluation]]


def _load(verdict: Evaluation, kind: str) -> float:
    """A load that must not exceed the cap (or the floor, with its sign changed)."""
    use = next(use for use in verdict.limits if use.name == kind)
    assert use.value is not None
    return -use.value if kind in ("alc", "floor") else use.value


def _tightened(
    rng: Rng, instance: Instance, limit: Raw, kind: str, judged: Judged
) -> tuple[Raw | None, Judged]:
    """Limit that a good schedule just keeps and the best one breaks; None if there is none."""
    loads = [_load(verdict, kind) for _, verdict in judged]
    lower = [i for i, load in enumerate(loads) if load < loads[0] - 1e-6 * abs(loads[0])]
    if not lower:
        return None, judged
    chosen = lower[int(rng.integers(max(1, min(len(lower), len(judged) // 3))))]
    load = loads[chosen]
    if kind == "dose_by_fractions":
        return _tightened_table(rng, instance, limit, judged, chosen)
    exact = 1.0 if rng.random() < 0.3 else 1.0 + 10 ** rng.uniform(-6, -2)
    limit = copy.deepcopy(limit)
    if kind == "alc":
        limit["floor_1e9_per_l"] = -load / exact
        cap = load / exact
    elif kind == "floor":
        limit["floor"] = round(-load)
        cap = load
    elif limit["kind"] == "logistics":
        limit["cap"] = round(load)
        cap = load
    else:
        key = "cap" if kind == "drug" else "cap_gy"
        cap = limit[key] = max(load * exact, 1e-3)
    if kind == "alc" and limit["floor_1e9_per_l"] >= instance.lymphocytes.initial_1e9_per_l:
        return None, judged
    return limit, [pair for pair, own in zip(judged, loads, strict=True) if own <= cap]


def _tightened_table(
    rng: Rng, instance: Instance, limit: Raw, judged: Judged, chosen: int
) -> tuple[Raw | None, Judged]:
    """Scale the table so that one schedule's Miner sum is 1 or slightly less."""
    power = uniform(rng, 0.2, 0.7)
    shape = np.array([n**power for n in TABLE])
    factors = {
        lesion.name: lesion.sparing_factor("organ", "max", 0, lesion.ways[0])
        for lesion in instance.lesions
    }

    def miner(schedule: Schedule, scale: float) -> float:
        daily: dict[int, float] = {}
        for f in schedule.fractions:
            daily[f.day] = daily.get(f.day, 0.0) + factors[f.lesion] * f.dose_gy
        doses = np.array([dose for dose in daily.values() if dose > 0])
        return float(toxicity.miner_fraction(doses, TABLE, (shape * scale).tolist()).sum())

    low, high = 0.01, 500.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if miner(judged[chosen][0], middle) > 1 else (low, middle)
    scale = high * (1.0 if rng.random() < 0.3 else 1.0 + 10 ** rng.uniform(-5, -2))
    if miner(judged[chosen][0], scale) <= 0:
        return None, judged
    limit = {**limit, "limits_gy": [float(value) for value in shape * scale]}
    return limit, [pair for pair in judged if miner(pair[0], scale) <= 1 + 1e-9]
