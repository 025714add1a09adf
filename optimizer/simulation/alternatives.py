"""Schedules to compare a schedule with, made from the schedule itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.infusion_days import given_infusions, on_infusion_days
from abscopt.instances.tables.calendar import course_days
from abscopt.instances.tables.sparing import DailyFactors
from abscopt.optimizer.schedule import Schedule, standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Fraction, Infusion

REST_DAYS = 7
SPACED_DAYS = 10


def alternatives(instance: Instance, schedule: Schedule, label: str) -> dict[str, Schedule]:
    """The schedule, the standard regimen and changed schedules by label, without repeats.

    Radiation alone; drugs alone; inhibitors (all as one group) from the first fraction; inhibitors
    from the first day that the case offers a week or more after the last fraction, both on infusion
    days; the same fractions daily, once a day; the same fractions every 10 days. Each only where it
    differs and fits into the horizon; none needs to be on the menu or to keep the case's limits.
    """
    named = [(label, schedule), ("standard", standard_schedule(instance))]
    by_name: dict[str, Schedule] = {}
    for name, candidate in [*named, *_changed(instance, schedule)]:
        if (
            candidate is not None
            and candidate not in by_name.values()
            and _judgeable(instance, candidate)
        ):
            by_name[name] = candidate
    return by_name


def _changed(instance: Instance, schedule: Schedule) -> Iterator[tuple[str, Schedule]]:
    fractions, infusions = schedule.fractions, schedule.infusions
    if fractions and infusions:
        yield "radiation alone", Schedule(fractions, ())
        yield "drugs alone", Schedule((), infusions)
    if not fractions:
        return
    first, last = fractions[0].day, fractions[-1].day
    for name, start in (
        ("drugs from first fraction", first),
        ("drugs after radiation", _offered(instance, infusions, last + REST_DAYS)),
    ):
        moved = _started(instance, infusions, start)
        if moved:
            yield name, Schedule.of(fractions, moved)
    for name, interval in (("daily", 1), (f"every {SPACED_DAYS} days", SPACED_DAYS)):
        spread = _spread(instance, fractions, interval)
        if spread:
            yield name, Schedule.of(spread, infusions)


def _inhibitors(instance: Instance, infusions: tuple[Infusion, ...]) -> list[Infusion]:
    return [i for i in infusions if instance.drugs[i.drug].kind == "checkpoint_inhibitor"]


def _offered(instance: Instance, infusions: tuple[Infusion, ...], earliest: int) -> int:
    """First start day from a day on that the case offers for the first inhibitor given."""
    inhibitors = _inhibitors(instance, infusions)
    if not inhibitors:
        return earliest
    days = [
        day
        for agent in instance.agents
        for name in agent.regimens
        if inhibitors[0].drug in {dose.drug for dose in instance.regimens[name].every_dose}
        for day in agent.start_days
        if day >= earliest and given_infusions(instance, agent, name, day, agent.cycles)
    ]
    return min(days, default=earliest)


def _started(
    instance: Instance, infusions: tuple[Infusion, ...], start: int
) -> list[Infusion] | None:
    """Infusions with the inhibitors moved so that the first is on a day or the next infusion day.

    None without any inhibitor, or where the calendar has no infusion day for one.
    """
    moving = _inhibitors(instance, infusions)
    if not moving or start >= instance.days:
        return None
    shift = start - moving[0].day
    shifted = [replace(i, day=i.day + shift) for i in moving if i.day + shift < instance.days]
    on_days = _on_infusion_days(instance, shifted)
    return None if on_days is None else on_days + [i for i in infusions if i not in moving]


def _on_infusion_days(instance: Instance, infusions: list[Infusion]) -> list[Infusion] | None:
    """Infusions moved to infusion days by the case's rule; None if one cannot be."""
    placed: list[Infusion] = []
    agents = {
        dose.drug: agent
        for agent in instance.agents
        for name in agent.regimens
        for dose in instance.regimens[name].every_dose
    }
    for drug in dict.fromkeys(i.drug for i in infusions):
        of_drug = sorted((i for i in infusions if i.drug == drug), key=lambda i: i.day)
        planned = [(i.drug, i.day, i.dose_mg) for i in of_drug]
        on_days = on_infusion_days(instance, agents.get(drug), planned)
        if on_days is None:
            return None
        placed += [
            replace(i, day=day)
            for i, (_, day, _) in zip(of_drug, on_days, strict=True)
            if day < instance.days
        ]
    return placed


def _spread(
    instance: Instance, fractions: tuple[Fraction, ...], interval: int
) -> list[Fraction] | None:
    """Each course from its first day at an interval; None where one does not fit."""
    spread: list[Fraction] = []
    for name in sorted({f.lesion for f in fractions}):
        course = [f for f in fractions if f.lesion == name]
        days = course_days(instance.calendar, course[0].day, len(course), interval)
        if days is None or days[-1] >= instance.days:
            return None
        spread += [replace(f, day=day, slot=0) for f, day in zip(course, days, strict=True)]
    return spread


def _judgeable(instance: Instance, schedule: Schedule) -> bool:
    """Whether every fraction has its sparing factors on its day."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    for fraction in schedule.fractions:
        lesion = lesions[fraction.lesion]
        sparing = lesion.sparing | lesion.way(fraction.technique).sparing
        for points in sparing.values():
            for factor in points.values():
                if isinstance(factor, DailyFactors) and fraction.day not in factor.days:
                    return False
    return True
