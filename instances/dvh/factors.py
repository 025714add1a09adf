"""Sparing factors at the points that limits count, and what histograms do not say of them.

A factor is a dose of the plan over its prescription (a mean square over the prescription squared).
A limit that no plan supplies stays out of the case and is named. One that some plans supply and
others do not is asked for: leaving it out would free all of them from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from abscopt.instances.dvh.mapping import BODY, Map
from abscopt.instances.dvh.measures import Curve, mean, union
from abscopt.instances.dvh.plans import Plan
from abscopt.instances.dvh.points import Asked, asked, asked_by, dose_at
from abscopt.instances.reading.problems import InputError, Problem, refused
from abscopt.instances.tables.sparing import SECOND_MOMENT

DIGITS = 6
"""Of a factor: more than a histogram has."""

Factors = dict[str, dict[str, dict[str, float]]]
"""By lesion, organ and point."""
Point = tuple[str, str]


@dataclass(frozen=True)
class Supplied:
    """What some plans say of the limits of a set.

    Attributes
    ----------
    limits : names of those that the case takes from the set
    lacking : those that it does not, and why
    factors : by lesion, organ and point
    lines : doses and factors in words
    """

    limits: list[str]
    lacking: list[str]
    factors: Factors
    lines: list[str] = field(default_factory=list)


def supplied(plans: Sequence[Plan], answers: Map, limit_set: str) -> Supplied:
    """Factors of the limits of a set and of the map.

    Raises
    ------
    InputError
        Where a limit of the map lacks a point, or some plans supply one and others do not.
    """
    leaders = [plan for plan in plans if plan.leader is None]
    stated = asked_by(answers.rest.get("limits"))
    out = answers.left_out
    wanted = [*asked(limit_set), *stated]
    _check_left_out(answers, [limit.name for limit in wanted])
    doses = Doses(leaders, answers)
    made = Supplied([], [], {plan.lesion: {} for plan in leaders})
    partly: dict[Lack, list[str]] = {}
    for limit in wanted:
        if limit.name in out:
            made.lacking.append(f"{limit.name}: left out by the map")
            continue
        lacks = doses.lacks(limit)
        reasons = "; ".join(dict.fromkeys(_reasons(limit, lacks)))
        if reasons and (not lacks or doses.nobody_says(lacks)):
            if limit in stated:
                raise refused(answers.label, "limits", limit.name, reasons)
            made.lacking.append(f"{limit.name}: {reasons}")
            continue
        for lack in lacks:
            partly.setdefault(lack, []).append(limit.name)
        if lacks:
            continue
        if limit not in stated:
            made.limits.append(limit.name)
        for plan in leaders:
            made.lines.extend(_add(made.factors[plan.lesion], plan, limit, doses))
    if partly:
        raise InputError([_question(lack, names, answers) for lack, names in partly.items()])
    _add_followers(made.factors, plans)
    return made


def organ_curve(plan: Plan, answers: Map, organ: str) -> Curve | None:
    """Curve of the structures that are one organ in a plan; None if there is none."""
    curves = [plan.curves[s] for s in answers.mapped_to(organ) if s in plan.curves]
    if not curves:
        return None
    try:
        return union(curves)
    except ValueError as error:
        raise refused(answers.label, f"structures ({organ})", organ, str(error)) from None


def integral_dose(plan: Plan, answers: Map) -> float | None:
    """Integral dose of the body in Gy cm3 per Gy prescribed; None without it."""
    stated = answers.lesions[plan.lesion].get("integral_dose_cm3")
    if isinstance(stated, int | float):
        return float(stated)
    curve = organ_curve(plan, answers, BODY)
    if curve is None or curve.volume_cm3 is None:
        return None
    return float(f"{mean(curve) * curve.volume_cm3 / plan.rx.total_gy:.{DIGITS}g}")


@dataclass(frozen=True)
class Lack:
    """A dose that a plan does not say: why, and the key of its lesion that would say it."""

    plan: Plan
    what: str
    key: str
    reason: str


class Doses:
    """Doses of plans at points of organs."""

    def __init__(self, plans: Sequence[Plan], answers: Map):
        self.plans, self.answers = plans, answers
        self.unreached = {plan.lesion: _no_dose(plan, answers) for plan in plans}
        organs = {*answers.structures.values()} - {*answers.lesions}
        self.curves = {
            (plan.lesion, organ): organ_curve(plan, answers, organ)
            for plan in plans
            for organ in organs
        }

    def stated(self, plan: Plan, organ: str, point: str) -> bool:
        """Whether the map states the factor itself."""
        sparing = self.answers.lesions[plan.lesion].get("sparing", {})
        return isinstance(sparing, dict) and point in sparing.get(organ, {})

    def at(self, plan: Plan, organ: str, point: str) -> float | Lack:
        """Gy (Gy2 for a mean square), or why it is not known."""
        if organ in self.unreached[plan.lesion]:
            return 0.0
        curve = self.curves.get((plan.lesion, organ))
        if curve is None:
            reason = f"no structure of the plan of {plan.lesion} is mapped to {organ}"
            return Lack(plan, f"{organ} {point}", f'no_dose = ["{organ}"]', reason)
        dose = dose_at(curve, point, self.answers.absolute_max)
        if isinstance(dose, str):
            what = f"{organ} {point}"
            return Lack(plan, what, f"sparing.{organ}.{point}", f"{what}: {dose}")
        return dose

    def lacks(self, limit: Asked) -> list[Lack]:
        """What plans do not say of a limit."""
        lacking = []
        for plan in self.plans:
            for organ, point in limit.points:
                dose = 0.0 if self.stated(plan, organ, point) else self.at(plan, organ, point)
                if isinstance(dose, Lack):
                    lacking.append(dose)
            if limit.integral and integral_dose(plan, self.answers) is None:
                reason = f'no structure of the plan of {plan.lesion} is mapped to "{BODY}"'
                lacking.append(Lack(plan, BODY, "integral_dose_cm3", reason))
        return lacking

    def nobody_says(self, lacks: Sequence[Lack]) -> bool:
        """Whether no plan says one of the doses."""
        plans = Counter(lack.what for lack in lacks)
        return max(plans.values()) == len(self.plans)


def _no_dose(plan: Plan, answers: Map) -> frozenset[str]:
    """Organs that the map says a plan gives no dose; a structure of the plan contradicts it."""
    organs = answers.lesions[plan.lesion].get("no_dose", [])
    for organ in organs:
        for structure in answers.mapped_to(organ):
            if structure in plan.curves:
                place = f"lesions.{plan.lesion}.no_dose"
                rule = f"structure {structure} of its plan is mapped to it: that is its dose"
                raise refused(answers.label, place, organ, rule)
    return frozenset(organs)


def _reasons(limit: Asked, lacks: Sequence[Lack]) -> Iterator[str]:
    """Why a limit cannot be stated."""
    if not limit.points:
        yield "no limit on doses of organs; write it under [[limits]] of the map if it is meant"
    yield from (lack.reason for lack in lacks)


def _question(lack: Lack, names: Sequence[str], answers: Map) -> Problem:
    """What to do where one of several plans does not say what a limit counts."""
    what = "where it gives none" if lack.key.startswith("no_dose") else "with its value"
    left_out = ", ".join(f'"{name}"' for name in names)
    rule = (
        f"{lack.reason}, and another plan has its dose: map a structure of "
        f"{', '.join(lack.plan.files)}, or write {lack.key} in this lesion {what}; "
        f"leave_out = [{left_out}] at the top of the map leaves the limit out for all plans"
    )
    return Problem(answers.label, f"lesions.{lack.plan.lesion}", f"limit {', '.join(names)}", rule)


def _check_left_out(answers: Map, known: Sequence[str]) -> None:
    for name in sorted(answers.left_out - {*known}):
        rule = f"no limit of this name; known: {', '.join(known)}"
        raise refused(answers.label, "leave_out", name, rule)


def _add(
    factors: dict[str, dict[str, float]], plan: Plan, limit: Asked, doses: Doses
) -> Iterator[str]:
    """Put the points of a limit into the factors of a plan; yield each in words."""
    for organ, point in limit.points:
        into = factors.setdefault(organ, {})
        if point in into or doses.stated(plan, organ, point):
            continue
        dose = doses.at(plan, organ, point)
        assert isinstance(dose, float)
        power = 2 if point == SECOND_MOMENT else 1
        into[point] = float(f"{dose / plan.rx.total_gy**power:.{DIGITS}g}")
        unit = "Gy2" if power == 2 else "Gy"
        yield (
            f"{plan.lesion}: {organ} {point} {dose:.4g} {unit}, {into[point]:.4g} per "
            f"{unit} prescribed"
        )


def _add_followers(factors: Factors, plans: Sequence[Plan]) -> None:
    """Lesions beside the first of a plan have factors of 0 at its points."""
    for plan in plans:
        if plan.leader is not None:
            factors[plan.lesion] = {
                organ: dict.fromkeys(points, 0.0) for organ, points in factors[plan.leader].items()
            }
