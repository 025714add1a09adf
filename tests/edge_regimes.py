"""Which regimes a case belongs to: what a stream of random cases must really draw."""

from __future__ import annotations

from collections.abc import Iterator

from abscopt.instances.lesions import Lesion
from abscopt.instances.schema import Instance

HEAVY, LIGHT = 50.0, 0.01
"""Weights that are far from 1."""


def regimes_of(instance: Instance) -> set[str]:
    """Names of the regimes of a case."""
    names = {f"objective {instance.objective.kind}", f"{len(instance.horizon_days)} horizons"}
    names |= {f"limit {limit.kind}" for limit in instance.limits}
    names |= {f"limit {q}" for x in instance.limits if (q := getattr(x, "quantity", None))}
    checks = (*_courses(instance), *_rest(instance))
    return names | {name for name, holds in checks if holds}


def _courses(instance: Instance) -> Iterator[tuple[str, bool]]:
    courses = [lesion.course for lesion in instance.lesions if lesion.course is not None]
    free = [course.form == "free" for course in courses]
    yield "free courses", any(free)
    yield "several free courses", sum(free) > 1
    yield "free beside uniform", any(free) and not all(free)
    yield "one-(n, d) menus", any(_single(lesion) for lesion in instance.lesions)
    yield (
        "start days beside each other",
        any(course.form == "uniform" and len(course.start_days) > 1 for course in courses),
    )


def _single(lesion: Lesion) -> bool:
    course = lesion.course
    return (
        course is not None
        and course.form == "uniform"
        and len(course.blocks) == 1
        and len(course.blocks[0].fractions) == 1
        and len(course.blocks[0].levels_gy) == 1
    )


def _rest(instance: Instance) -> Iterator[tuple[str, bool]]:
    lesions, calendar = instance.lesions, instance.calendar
    active = instance.immune.effect_per_effector > 0
    yield "immune off", not active
    yield "shares zero", active and not any(s.effector_share for s in lesions)
    yield "precursor shares zero", active and not any(s.precursor_share for s in lesions)
    yield "heavy weights", any(s.weight > HEAVY for s in lesions)
    yield "light weights", any(s.weight < LIGHT for s in lesions)
    yield "clones", any(s.clones for s in lesions)
    yield "techniques", any(s.techniques for s in lesions)
    yield "least BED", any(s.least_bed_gy is not None for s in lesions)
    yield "least EQD2", any(s.least_eqd2_gy is not None for s in lesions)
    yield "least control", any(s.least_control is not None for s in lesions)
    yield "prior doses", bool(instance.prior_doses)
    yield "soft limits", any(limit.penalty is not None for limit in instance.limits)
    yield "infusion weekdays", bool(instance.agents) and len(calendar.infusion_weekdays) < 5
    yield "infusion holidays", bool(instance.agents) and bool(calendar.infusion_holidays)
    yield "infusions shifted", bool(instance.agents) and calendar.infusion_tolerance_days > 0
    yield "course start days", calendar.course_start_weekdays is not None
    drawn = [d for r in instance.regimens.values() for d in r.doses]
    yield "doses beside the known", any(_beside(instance, d.drug, d.amount) for d in drawn)
    yield "two regimens", any(len(agent.regimens) > 1 for agent in instance.agents)


def _beside(instance: Instance, drug: str, amount: float) -> bool:
    known = instance.drugs[drug].reference_doses
    return known is not None and all(amount != dose.amount for dose in known)
