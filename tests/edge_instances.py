"""Seeded tiny cases of the edge regimes, small enough that the judge sees every schedule.

`edge_case(seed)` is the third stream beside `random_case` and `widened_case`. It draws what those
leave out or draw rarely: shares of zero, immunity switched off, menus of one course, one course on
two start days, weights and clonogens over many powers of ten, free courses alone, together and
beside uniform ones, several horizons, odd calendars, days of infusions, doses of drugs.
`edge_limits` puts the caps on loads of schedules of the case, or a hair beside them, and demands
near what one of them reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from edge_further import with_days_and_doses
from random_instances import CITED, immune_of, pick, uniform

Raw = dict[str, Any]
Rng = np.random.Generator

MOST_SCHEDULES = 40
"""Combinations of courses and plans: the judge takes about a millisecond for each."""
OBJECTIVES = ("default", "log_control", "expected_control", "log_kill", "tumor_bed")
CHECKPOINT = {"pembrolizumab": 200.0, "durvalumab": 1500.0, "ipilimumab": 200.0}
CHEMO = {"cisplatin": 75.0, "paclitaxel": 45.0}


@dataclass
class Draft:
    """A case in the making: how many schedules it may still offer, and what it holds."""

    raw: Raw
    room: int = MOST_SCHEDULES
    free: bool = False
    drugs: list[str] = field(default_factory=list)

    @property
    def sites(self) -> list[Raw]:
        """Lesions that may be irradiated."""
        return [lesion for lesion in self.raw["lesions"] if "course" in lesion]


def edge_case(seed: int) -> Raw:
    """A tiny random case as a plain dict, without limits."""
    rng = np.random.default_rng([2028, seed])
    draft = Draft(_frame(rng, seed))
    number = int(pick(rng, (1, 1, 1, 2, 2, 2, 2, 3)))
    names = [f"site{i}" for i in range(number)]
    courses = [_course(rng, draft, number - i) for i in range(number)]
    draft.raw["lesions"] = [_site(rng, draft, *pair) for pair in zip(names, courses, strict=True)]
    if rng.random() < 0.3:
        draft.raw["lesions"].append(_occult(rng))
    _shares(rng, draft.raw["lesions"])
    _ways(rng, draft)
    _agents(rng, draft)
    _settle(draft)
    return with_days_and_doses(draft.raw, seed)


def generator_of_limits(seed: int) -> Rng:
    """Random numbers for the limits of a case."""
    return np.random.default_rng([2029, seed])


def _frame(rng: Rng, seed: int) -> Raw:
    """Everything but lesions, agents and limits."""
    days = int(rng.integers(30, 60))
    horizons = {
        1: [days],
        2: [int(rng.integers(2, 28)), days],
        3: [int(rng.integers(1, 9)), 20, days],
    }
    raw: Raw = {
        "format": 1,
        "name": f"edge-{seed}",
        "title": "random case",
        "horizon_days": horizons[int(pick(rng, (1, 1, 1, 2, 2, 3)))],
        "provenance": {"source": "random"},
        "objective": {"kind": OBJECTIVES[seed % len(OBJECTIVES)]},
        "immune": _immune(rng),
        "lymphocytes": {
            "initial_1e9_per_l": uniform(rng, 0.8, 2.5),
            "recovery_half_time_days": pick(rng, (5.0, 35.0, 200.0)),
        },
        "organs": {
            name: {"alpha_beta_gy": uniform(rng, 1.5, 6), **CITED}
            for name in ("organ", "lungs", "heart")
        },
    }
    if rng.random() < 0.25:
        weekdays = pick(rng, ([0, 1, 2, 3, 4, 5, 6], [0], [1, 3], [0, 2, 4]))
        raw["calendar"] = {"machine_weekdays": weekdays}
    if rng.random() < 0.1:
        raw.setdefault("calendar", {})["holidays"] = ["2026-01-06", "2026-01-12"]
    if raw["objective"]["kind"] == "default" and rng.random() < 0.3:
        raw["objective"] |= {"conceded_at_nats": pick(rng, (1.0, 2.0, 20.0))}
        raw["objective"] |= {"conceded_slope": pick(rng, (0.001, 0.2, 0.45))}
    return raw


def _immune(rng: Rng) -> Raw:
    kind = pick(rng, ("off", "off", "default", "drawn", "drawn", "strong", "weak"))
    if kind in ("off", "default"):
        return {"use": kind}
    immune = immune_of(rng) | {"use": "default"}
    if kind == "strong":
        immune |= {"effect_per_effector": uniform(rng, 1, 6), "precursors_initial": 0.0}
        immune["effect_maximum_nats"] = pick(rng, (0.5, 30.0, 200.0))
    if kind == "weak":
        immune |= {"effect_per_effector": 1e-6, "mobilization_per_day": 0.0}
        immune |= {"precursors_initial": pick(rng, (0.0, 1e-6))}
    return immune


def _course(rng: Rng, draft: Draft, lesions_left: int) -> Raw:
    """A menu whose courses, 'none' included, leave room for at least two of each other lesion."""
    most = draft.room // 2 ** (lesions_left - 1)
    while True:
        course, size = pick(rng, MENUS)(rng)
        if size <= most:
            break
    draft.room //= size
    draft.free |= course["form"] == "free"
    return dict(course)


def _dose(rng: Rng, fractions: int) -> float:
    """A dose that fits the number of fractions; now and then far less or more."""
    factor = pick(rng, (1.0, 1.0, 1.0, 1.0, 0.1, 2.5))
    typical = 22.0 / fractions**0.65 * factor * float(rng.uniform(0.7, 1.3))
    return float(np.clip(round(2 * typical) / 2, 0.5, 30.0))


def _number(rng: Rng) -> int:
    return int(pick(rng, (1, 1, 2, 3, 3, 5, 8, 10, 15)))


def _uniform(rng: Rng, **fields: Any) -> Raw:
    fractions = _number(rng)
    first = int(pick(rng, (0, 0, 0, 1, 5, 7)))
    course: Raw = {
        "form": "uniform",
        "fractions": [fractions],
        "doses_gy": [_dose(rng, fractions)],
        "first_start_day": first,
        "last_start_day": first,
    }
    return course | fields


def one_course(rng: Rng) -> tuple[Raw, int]:
    return _uniform(rng), 2


def two_start_days(rng: Rng) -> tuple[Raw, int]:
    course, step = _uniform(rng), int(pick(rng, (1, 1, 2, 7)))
    course["last_start_day"] = course["first_start_day"] + step
    return course | {"start_step_days": step}, 3


def two_doses(rng: Rng) -> tuple[Raw, int]:
    course = _uniform(rng)
    course["doses_gy"] = [
        course["doses_gy"][0],
        course["doses_gy"][0] + pick(rng, (0.5, 0.001, 4.0)),
    ]
    return course, 3


def two_numbers(rng: Rng) -> tuple[Raw, int]:
    course = _uniform(rng, fractions=[2, int(pick(rng, (3, 5, 10)))])
    return course | {"doses_gy": [_dose(rng, 3)]}, 3


def two_intervals(rng: Rng) -> tuple[Raw, int]:
    return _uniform(rng, fractions=[3], doses_gy=[_dose(rng, 3)], interval_days=[1, 7]), 3


def twice_a_day(rng: Rng) -> tuple[Raw, int]:
    return _uniform(rng, fractions=[4], doses_gy=[_dose(rng, 6)], fractions_per_day=2), 2


def two_blocks(rng: Rng) -> tuple[Raw, int]:
    fractions = _number(rng)
    block = {"fractions": [fractions], "doses_gy": [_dose(rng, fractions)]}
    return _uniform(rng, also=[block]), 3


def three_by_two(rng: Rng) -> tuple[Raw, int]:
    course, _ = two_start_days(rng)
    return course | {"doses_gy": [course["doses_gy"][0] * f for f in (0.5, 0.75, 1.0)]}, 7


def free_course(rng: Rng) -> tuple[Raw, int]:
    """Two to four days, one to three doses; now and then fewer fractions than days."""
    days, levels = pick(rng, ((2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1)))
    first = sorted(int(day) for day in rng.choice(5, size=days, replace=False))
    doses = sorted({_dose(rng, days) + 0.25 * i for i in range(levels)})
    course: Raw = {"form": "free", "days": first, "doses_gy": doses}
    if rng.random() < 0.3:
        course["max_fractions"] = int(rng.integers(1, days + 1))
    return course, (1 + len(doses)) ** days


MENUS: tuple[Callable[[Rng], tuple[Raw, int]], ...] = (
    one_course,
    one_course,
    one_course,
    two_start_days,
    two_start_days,
    two_doses,
    two_numbers,
    two_intervals,
    twice_a_day,
    two_blocks,
    three_by_two,
    free_course,
    free_course,
    free_course,
    free_course,
)


def _site(rng: Rng, draft: Draft, name: str, course: Raw) -> Raw:
    mean = uniform(rng, 0.05, 0.6)
    lesion: Raw = {
        "use": "plain_lq",
        "name": name,
        "organ": "site",
        "weight": pick(rng, (1.0, 1.0, 1.0, 0.001, 0.1, 10.0, 100.0)),
        "volume_cm3": float(10 ** rng.uniform(-1, 3)),
        "alpha_per_gy": uniform(rng, 0.03, 0.5),
        "alpha_beta_gy": uniform(rng, 1.5, 20),
        "clonogens": float(10 ** pick(rng, (0.0, 2.0, 4.0, 7.0, 9.0, 12.0))),
        "immunogenicity": pick(rng, (0.0, 0.2, 1.0, 1.0, 3.0)),
        "effector_kill_per_fraction": pick(rng, (0.0, 0.05, 0.5, 3.0)),
        "lymphocyte_loss_per_fraction": pick(rng, (0.0, 0.01, 0.05, 0.3)),
        "integral_dose_cm3": pick(rng, (0.0, 300.0, 3000.0)),
        "course": course,
        "sparing": {
            "organ": {
                "max": uniform(rng, 0.2, 1.0),
                "mean": mean,
                "second_moment": round(mean**2 * uniform(rng, 1.05, 3), 6),
            },
            "lungs": {"mean": uniform(rng, 0.0, 0.2)},
            "heart": {"mean": uniform(rng, 0.0, 0.2)},
        },
    }
    if rng.random() < 0.1:
        del lesion["sparing"]["organ"]
    if rng.random() < 0.2:
        lesion["lql_transition_gy"] = uniform(rng, 4, 12)
    if rng.random() < 0.5:
        lesion["growth_doubling_time_days"] = pick(rng, (3.0, 30.0, 500.0))
    if rng.random() < 0.4:
        lesion["repopulation_doubling_time_days"] = pick(rng, (1.0, 3.0))
        lesion["kick_off_days"] = pick(rng, (0.0, 2.0, 14.0, 100.0))
    if rng.random() < 0.2:
        lesion["lymphocyte_effect_per_fraction"] = pick(rng, (0.0, 0.1))
    if rng.random() < 0.1:
        lesion["oxygen_modification_factor"] = uniform(rng, 1.1, 2.5)
    return lesion


def _occult(rng: Rng) -> Raw:
    return {
        "use": "plain_lq",
        "name": "occult",
        "organ": "disseminated",
        "irradiable": False,
        "clonogens": float(10 ** pick(rng, (0.0, 1.0, 3.0, 8.0))),
    }


def _shares(rng: Rng, lesions: list[Raw]) -> None:
    """Shares of effect and precursors: all zero, all for one lesion, or spread."""
    for key in ("effector_share", "precursor_share"):
        kind = pick(rng, ("none", "one", "spread", "spread", "partly"))
        shares = rng.dirichlet(np.ones(len(lesions)))
        if kind == "none":
            shares = np.zeros(len(lesions))
        elif kind == "one":
            shares = np.eye(len(lesions))[int(rng.integers(len(lesions)))]
        elif kind == "partly":
            shares *= rng.random(len(lesions)) < 0.5
        for lesion, share in zip(lesions, shares, strict=True):
            lesion[key] = math.floor(float(share) * 1e4) / 1e4


def _ways(rng: Rng, draft: Draft) -> None:
    """Clones of one lesion, techniques of another."""
    if draft.raw["objective"]["kind"] == "tumor_bed":
        return
    for lesion in draft.sites:
        if rng.random() < 0.12:
            rare = float(10 ** pick(rng, (-6.0, -3.0, -0.7)))
            lesion["clones"] = [
                {"name": "plain", "share": 1.0 - rare},
                {"name": "rare", "share": rare, "alpha_per_gy": lesion["alpha_per_gy"] * 0.5},
            ]
        if rng.random() < 0.12 and draft.room >= 2 and lesion["course"]["form"] == "uniform":
            draft.room //= 2
            lesion["techniques"] = [{"name": "plain"}, _sparing_way(rng)]


def _sparing_way(rng: Rng) -> Raw:
    organ = {"max": 0.15, "mean": 0.04, "second_moment": 0.002}
    way: Raw = {"name": "sparing", "sparing": {"organ": organ}}
    if rng.random() < 0.5:
        way["irradiated_share"] = pick(rng, (0.9, 0.999, 0.5))
    if rng.random() < 0.5:
        way["node_factor"] = pick(rng, (0.0, 0.5))
    return way


def _agents(rng: Rng, draft: Draft) -> None:
    """At most two agents with few starts, as far as there is room for them."""
    number = int(pick(rng, (0, 0, 1, 1, 1, 2)))
    families = [CHECKPOINT, CHEMO] if rng.random() < 0.7 else [CHEMO, CHECKPOINT]
    regimens: Raw = {}
    agents: list[Raw] = []
    for family in families[:number]:
        starts = int(pick(rng, (1, 1, 2)))
        optional = bool(rng.random() < 0.8)
        if draft.room < starts + optional:
            continue
        draft.room //= starts + optional
        drug, amount = pick(rng, list(family.items()))
        unit = "mg" if family is CHECKPOINT else "mg_per_m2"
        dose = {"drug": drug, "day": int(pick(rng, (0, 0, 2))), "amount": amount, "unit": unit}
        cycle = {"cycle_days": int(pick(rng, (7, 21))), "max_cycles": int(rng.integers(1, 4))}
        regimens[f"{drug}-cycle"] = cycle | {"doses": [dose], **CITED}
        agents.append(_agent(rng, drug, starts, optional))
        draft.drugs.append(drug)
    if agents:
        draft.raw |= {"regimens": regimens, "agents": agents}


def _agent(rng: Rng, drug: str, starts: int, optional: bool) -> Raw:
    first, step = int(pick(rng, (0, 1, 7, 15))), int(pick(rng, (1, 3, 10)))
    agent: Raw = {
        "name": f"give-{drug}",
        "regimens": [f"{drug}-cycle"],
        "first_start_day": first,
        "last_start_day": first + step * (starts - 1),
        "start_step_days": step,
        "optional": optional,
    }
    rules = (
        ("min_days_after_radiation", (0, 3)),
        ("max_days_after_radiation", (5, 14)),
        ("min_days_before_radiation", (0, 2)),
        ("max_days_before_radiation", (3, 9)),
        ("min_days_between_dose_and_fraction", (1, 3)),
    )
    if rng.random() < 0.35:
        key, days = pick(rng, rules)
        agent[key] = int(pick(rng, days))
    return agent


def _settle(draft: Draft) -> None:
    """Drop what a case may not hold beside a free course, or beside two fractions a day."""
    for lesion in draft.sites:
        course = lesion["course"]
        if course.get("fractions_per_day", 1) > 1:
            lesion.pop("lql_transition_gy", None)
        if course["form"] != "free":
            continue
        growth = lesion.get("growth_doubling_time_days", math.inf)
        if growth < lesion.get("repopulation_doubling_time_days", 0.0):
            del lesion["growth_doubling_time_days"]
        weekdays = draft.raw.get("calendar", {}).get("machine_weekdays", [0, 1, 2, 3, 4])
        closed = {1, 7} if "holidays" in draft.raw.get("calendar", {}) else set()
        open_days = [day for day in range(60) if day % 7 in weekdays and day not in closed]
        course["days"] = [open_days[day] for day in course["days"]]
