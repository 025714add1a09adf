"""Small cases as plain data, built by the tests that need an instance of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from abscopt.instances import build
from abscopt.instances.menus.courses import FreeCourse, UniformCourse
from abscopt.instances.schema import Instance
from abscopt.optimizer.candidates.menus.courses import enumerate_menu
from abscopt.optimizer.candidates.systemic.plans import enumerate_plans
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

Raw = dict[str, Any]

CITED = {"source": "test", "status": "assumed"}
AMOUNTS = {"cisplatin": 135.0}
"""mg of one infusion: 75 mg/m2, at which the library knows the effect, in 1.8 m2."""
EVERY_DAY = {
    "machine_weekdays": [0, 1, 2, 3, 4, 5, 6],
    "infusion_weekdays": [0, 1, 2, 3, 4, 5, 6],
}
EARLY_IMMUNE = {
    "use": "default",
    "gate_low_gy": 4.0,
    "clearance_per_day": 0.6,
    "priming_delay_days": 1,
    "effect_per_effector": 0.4,
    "effect_maximum_nats": 6.0,
}


def lesion(name: str = "tumor", **fields: Any) -> Raw:
    """A plain LQ lesion (alpha 0.3, alpha/beta 10) that takes no part in the immune effect."""
    plain = {"use": "plain_lq", "name": name, "organ": "test", "volume_cm3": 10}
    return plain | {"immunogenicity": 0} | fields


def uniform(fractions: Sequence[int], doses_gy: Sequence[float], **fields: Any) -> Raw:
    """A menu of uniform courses."""
    return {"form": "uniform", "fractions": list(fractions), "doses_gy": list(doses_gy)} | fields


def free(days: Iterable[int], doses_gy: Iterable[float], **fields: Any) -> Raw:
    """A menu of doses per day."""
    return {"form": "free", "days": list(days), "doses_gy": list(doses_gy)} | fields


def limit(kind: str, name: str, **fields: Any) -> Raw:
    """A limit with a source."""
    return {"kind": kind, "name": name} | fields | CITED


def bed_limit(cap_gy: float, alpha_beta_gy: float = 3.0, organ: str = "organ") -> Raw:
    """A BED cap at the organ's maximum."""
    name = f"{organ}_{alpha_beta_gy:g}"
    return limit("bed", name, organ=organ, alpha_beta_gy=alpha_beta_gy, cap_gy=cap_gy)


def plain_case(
    lesions: Sequence[Raw],
    limits: Sequence[Raw],
    *,
    horizon_days: Sequence[int],
    objective: str = "tumor_bed",
    **fields: Any,
) -> Raw:
    """A case with every organ that its lesions mention and no immune effect."""
    organs = sorted({organ for one in lesions for organ in one.get("sparing", {})})
    return {
        "format": 1,
        "name": "test-case",
        "title": "test",
        "horizon_days": list(horizon_days),
        "objective": {"kind": objective},
        "provenance": {"source": "test"},
        "immune": {"use": "off"},
        "organs": {organ: {"use": "generic_late"} for organ in organs},
        "limits": list(limits),
        "lesions": list(lesions),
    } | fields


def best_of_all(raw: Raw) -> float | None:
    """Objective of the best schedule of a case: the judge asked about every one of them."""
    instance = build(raw)
    judge = Judge(instance)
    verdicts = (judge.evaluate(schedule) for schedule in all_schedules(instance))
    return max((v.objective for v in verdicts if v.admissible), default=None)


def all_schedules(instance: Instance) -> Iterator[Schedule]:
    """Every combination of courses and systemic plans that the menus state."""
    courses = [_courses(instance, s) for s in range(len(instance.lesions))]
    for plan in enumerate_plans(instance):
        infusions = [Infusion(day, drug, mg) for drug, day, mg in plan.doses]
        for choice in itertools.product(*courses):
            yield Schedule.of(itertools.chain.from_iterable(choice), infusions)


def _courses(instance: Instance, index: int) -> list[list[Fraction]]:
    one = instance.lesions[index]
    if isinstance(one.course, FreeCourse):
        levels = (None, *one.course.levels_gy)
        days = one.course.days
        return [
            [
                Fraction(day, one.name, dose, 0, one.ways[0].name)
                for day, dose in zip(days, doses, strict=True)
                if dose
            ]
            for doses in itertools.product(levels, repeat=len(days))
        ]
    if isinstance(one.course, UniformCourse):
        menu = enumerate_menu(instance, index)
        return [menu.course(c, one) for c in range(len(menu))]
    return [[]]
