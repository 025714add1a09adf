"""What contradicts in a stated past: doses that cannot have been given, or are no past at all."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.history.walks import BELOW_TRANSITION, most_of_a_pair
from abscopt.instances.reading.problems import listing
from abscopt.instances.regimens import dose_problem
from abscopt.instances.tables.calendar import date_of

if TYPE_CHECKING:
    from abscopt.instances.history.delivered import Delivered, OldPlan, Rest
    from abscopt.instances.history.events import Dated, FractionEntry
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.limits.plans import OnePlanLimit
    from abscopt.instances.schema import Instance

Problem = tuple[str, object, str]
OF_UNIFORM = (
    "fractions", "doses_gy", "interval_days", "compensating_fractions",
)  # fmt: skip
"""Keys of what may follow that say something of uniform courses only."""
SAME_GY = 1e-5
"""Doses of one plan over their ratios: stated with up to nine decimals (as the judge has it)."""


def history_problems(instance: Instance) -> Iterator[Problem]:
    """Everything wrong with what a case says was delivered."""
    delivered = instance.delivered
    if delivered is None:
        return
    if delivered.today is not None and delivered.today >= instance.days:
        yield "delivered.today", delivered.today, f"outside the horizon of {instance.days} days"
    yield from _events(instance, delivered, "delivered", delivered.today)
    if delivered.plan is not None:
        yield from _events(instance, delivered.plan, "delivered.plan", None)
    for i, lesion in enumerate(instance.lesions):
        if lesion.course is not None and lesion.course.form == "free":
            rule = (
                "a treatment that has begun needs uniform menus: free courses are not gone on with"
            )
            yield f"lesions[{i}].course.form", "free", rule
    for i, limit in enumerate(instance.limits):
        if limit.kind == "one_plan" and (apart := _apart(instance, delivered, limit)) is not None:
            yield f"limits[{i}].lesions", ", ".join(limit.lesions), apart
    yield from _names(instance, delivered)


def _apart(instance: Instance, delivered: Delivered, limit: OnePlanLimit) -> str | None:
    """Where lesions of one plan have not received the same, dose by dose over its ratio."""
    doses = {
        (row.lesion, row.on(instance.calendar), row.fraction_of_day): row.dose_gy
        for row in delivered.fractions
    }
    first, ratio = limit.lesions[0], limit.ratios[0]
    for name, its_ratio in zip(limit.lesions[1:], limit.ratios[1:], strict=True):
        places = sorted({key[1:] for key in doses if key[0] in (first, name)})
        for day, number in places:
            given, its_dose = doses.get((first, day, number)), doses.get((name, day, number))
            expected = None if given is None else given * its_ratio / ratio
            if its_dose is None or expected is None or abs(its_dose - expected) > SAME_GY:
                return (
                    f"one plan gives each fraction to all of its lesions: on day {day} "
                    f"{_received(first, given)} and {_received(name, its_dose)}; state what all "
                    "received or missed, or remove this limit to go on with each lesion alone"
                )
    return None


def _received(name: str, dose_gy: float | None) -> str:
    return f"{name} received {'nothing' if dose_gy is None else f'{dose_gy:g} Gy'}"


def _names(instance: Instance, delivered: Delivered) -> Iterator[Problem]:
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    for i, row in enumerate(delivered.missed):
        if row.what not in lesions and row.what not in instance.drugs:
            rule = f"neither a lesion nor a drug; known {listing({*lesions, *instance.drugs})}"
            yield f"delivered.missed[{i}].what", row.what, rule
        yield from _day(instance, f"delivered.missed[{i}]", row, None)
    agents = [agent.name for agent in instance.agents]
    for i, hold in enumerate(delivered.holds):
        if hold.agent not in agents:
            rule = f"no agent of this case; it has {listing(agents)}"
            yield f"delivered.holds[{i}].agent", hold.agent, rule
    for i, rest in enumerate(delivered.rest):
        lesion = lesions.get(rest.lesion)
        if lesion is None:
            rule = f"unknown lesion; known {listing(lesions)}"
            yield f"delivered.rest[{i}].lesion", rest.lesion, rule
        elif lesion.course is None or lesion.course.form == "free":
            rule = "must be a lesion with a uniform course"
            yield f"delivered.rest[{i}].lesion", rest.lesion, rule
        elif lesion.course.form == "phases":
            for key in OF_UNIFORM:
                if getattr(rest, key) is not None:
                    rule = "belongs to a uniform course: phases go on as their menu says"
                    yield f"delivered.rest[{i}].{key}", getattr(rest, key), rule
        if lesion is not None:
            yield from _twice_daily(lesion, rest, f"delivered.rest[{i}].twice_daily_days")


def _twice_daily(lesion: Lesion, rest: Rest, place: str) -> Iterator[Problem]:
    """Days with two fractions that are asked for, of doses whose pairs have no formula."""
    course = lesion.course
    if course is None or not any(rest.twice_daily_days or ()):
        return
    levels = rest.levels_gy or course.levels_gy
    if course.form == "uniform" and rest.levels_gy is None:
        levels = tuple(dose for block in course.blocks for dose in block.levels_gy)
    if min(levels) > most_of_a_pair(lesion):
        rule = f"{BELOW_TRANSITION} ({most_of_a_pair(lesion):g} Gy)"
        yield place, rest.twice_daily_days, rule


def _events(
    instance: Instance, table: Delivered | OldPlan, place: str, today: int | None
) -> Iterator[Problem]:
    for i, row in enumerate(table.fractions):
        where = f"{place}.fractions[{i}]"
        yield from _fraction(instance, where, row)
        yield from _day(instance, where, row, today)
    yield from _days_of_lesions(instance, table, f"{place}.fractions")
    offered = {
        dose.drug
        for agent in instance.agents
        for name in agent.regimens
        if name in instance.regimens
        for dose in instance.regimens[name].every_dose
    }
    for i, dose in enumerate(table.doses_of_drugs):
        where = f"{place}.doses_of_drugs[{i}]"
        if dose.agent not in offered:
            yield (
                f"{where}.agent",
                dose.agent,
                f"no agent of the case offers it: {listing(offered)}",
            )
        elif (rule := dose_problem(instance, dose.agent, dose.dose_mg)) is not None:
            yield f"{where}.dose_mg", dose.dose_mg, rule
        yield from _day(instance, where, dose, today)
    days = Counter((dose.agent, dose.on(instance.calendar)) for dose in table.doses_of_drugs)
    for (drug, day), number in days.items():
        if number > 1:
            yield f"{place}.doses_of_drugs", day, f"{drug} appears {number} times on this day"


def _fraction(instance: Instance, where: str, row: FractionEntry) -> Iterator[Problem]:
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    lesion = lesions.get(row.lesion)
    if lesion is None:
        yield f"{where}.lesion", row.lesion, f"unknown lesion; known {listing(lesions)}"
    elif not lesion.irradiable:
        yield f"{where}.lesion", row.lesion, "must be an irradiable lesion"
    elif (row.technique or lesion.ways[0].name) not in [way.name for way in lesion.ways]:
        names = listing([way.name for way in lesion.ways if way.name]) or "none"
        yield f"{where}.technique", row.technique, f"unknown technique; known {names}"


def _day(instance: Instance, where: str, row: Dated, today: int | None) -> Iterator[Problem]:
    day = row.on(instance.calendar)
    key, value = ("date", str(row.date)) if row.day is None else ("day", str(row.day))
    if day < 0:
        yield f"{where}.{key}", value, f"before day 0, {instance.calendar.start_date}"
    elif day >= instance.days:
        yield f"{where}.{key}", value, f"outside the horizon of {instance.days} days"
    elif today is not None and day >= today:
        yield f"{where}.{key}", value, f"not before today, day {today}: nothing was given yet"
    elif row.date is not None and row.date != date_of(instance.calendar, day):
        yield f"{where}.date", row.date, f"day {day} is {date_of(instance.calendar, day)}"


def _days_of_lesions(
    instance: Instance, table: Delivered | OldPlan, place: str
) -> Iterator[Problem]:
    """Fractions twice in one place, days of unequal doses, lesions of several techniques."""
    days: defaultdict[tuple[str, int], list[FractionEntry]] = defaultdict(list)
    ways: dict[str, str | None] = {}
    phased = {
        lesion.name
        for lesion in instance.lesions
        if lesion.course is not None and lesion.course.form == "phases"
    }
    for i, row in enumerate(table.fractions):
        days[row.lesion, row.on(instance.calendar)].append(row)
        one_way = row.lesion not in phased
        if one_way and ways.setdefault(row.lesion, row.technique) != row.technique:
            yield f"{place}[{i}].technique", row.technique, f"{row.lesion} has another one before"
    most = {lesion.name: most_of_a_pair(lesion) for lesion in instance.lesions}
    for (lesion, day), rows in days.items():
        if len(rows) > 1 and max(r.dose_gy for r in rows) > most.get(lesion, math.inf):
            yield place, day, f"{BELOW_TRANSITION} ({most[lesion]:g} Gy of {lesion})"
        slots = sorted(row.fraction_of_day for row in rows)
        if len(set(slots)) < len(slots):
            yield place, day, f"{lesion} has one fraction twice on this day"
        elif slots != list(range(1, len(slots) + 1)):
            yield place, day, f"fraction_of_day of {lesion} must count from 1 on this day"
        if len({row.technique for row in rows}) > 1:
            yield place, day, f"fractions of {lesion} on one day need one technique"
        if len({row.dose_gy for row in rows}) > 1:
            rule = f"fractions of {lesion} on one day need one dose (state one that was broken off "
            yield place, day, rule + "and gone on with as one fraction)"
