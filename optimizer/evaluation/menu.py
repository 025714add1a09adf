"""Whether a schedule is one the case offers: menus, machine days, windows, intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.calendar import course_days, is_machine_day
from abscopt.instances.regimens import infusions

if TYPE_CHECKING:
    from abscopt.instances.schema import FreeCourse, Instance, UniformCourse
    from abscopt.instances.systemic import AgentChoice
    from abscopt.optimizer.schedule import Schedule


def broken_rules(instance: Instance, schedule: Schedule) -> tuple[str, ...]:
    """Rules of the case that the schedule breaks, one sentence each; empty if none."""
    return tuple(_rules(instance, schedule))


def _rules(instance: Instance, schedule: Schedule) -> Iterator[str]:
    for lesion in instance.lesions:
        course = schedule.course(lesion.name)
        for day, _ in course:
            if not is_machine_day(instance.calendar, day):
                yield f"{lesion.name}: day {day} is not a machine day"
        if course and lesion.course is not None:
            offered = (
                _uniform_offers(instance, lesion.course, course)
                if lesion.course.form == "uniform"
                else _free_offers(lesion.course, course)
            )
            if not offered:
                yield f"{lesion.name}: the course is not on the lesion's menu"
    for agent in instance.agents:
        yield from _agent(instance, agent, schedule)
    offered_drugs = {
        dose.drug
        for agent in instance.agents
        for name in agent.regimens
        for dose in instance.regimens[name].doses
    }
    for drug in sorted({i.drug for i in schedule.infusions} - offered_drugs):
        yield f"{drug}: no agent of the case offers this drug"


def _on_menu(dose: float, levels: tuple[float, ...]) -> bool:
    return any(math.isclose(dose, level, rel_tol=1e-9) for level in levels)


def _uniform_offers(
    instance: Instance, menu: UniformCourse, course: tuple[tuple[int, float], ...]
) -> bool:
    days, doses = [day for day, _ in course], [dose for _, dose in course]
    start = days[0]
    return (
        len(set(doses)) == 1
        and _on_menu(doses[0], menu.levels_gy)
        and len(days) in menu.fractions
        and menu.first_start_day <= start <= menu.last_start_day
        and (start - menu.first_start_day) % menu.start_step_days == 0
        and any(
            course_days(instance.calendar, start, len(days), interval) == tuple(days)
            for interval in menu.interval_days
        )
    )


def _free_offers(menu: FreeCourse, course: tuple[tuple[int, float], ...]) -> bool:
    return all(day in menu.days and _on_menu(dose, menu.levels_gy) for day, dose in course) and (
        menu.max_fractions is None or len(course) <= menu.max_fractions
    )


def _agent(instance: Instance, agent: AgentChoice, schedule: Schedule) -> Iterator[str]:
    drugs = {dose.drug for name in agent.regimens for dose in instance.regimens[name].doses}
    given = tuple(sorted((i.drug, i.day, i.dose_mg) for i in schedule.infusions if i.drug in drugs))
    if not given:
        if not agent.optional:
            yield f"{agent.name}: must be given"
        return
    if not _offered(instance, agent, given):
        yield f"{agent.name}: the infusions are not a regimen the case offers in its window"
    start = min(day for _, day, _ in given)
    fraction_days = [f.day for f in schedule.fractions]
    if not fraction_days:
        return
    last = max(fraction_days)
    if agent.min_days_after_radiation is not None and start < last + agent.min_days_after_radiation:
        yield f"{agent.name}: starts less than {agent.min_days_after_radiation} d after radiation"
    if agent.max_days_after_radiation is not None and start > last + agent.max_days_after_radiation:
        yield f"{agent.name}: starts more than {agent.max_days_after_radiation} d after radiation"
    apart = agent.min_days_between_dose_and_fraction
    if apart is not None and any(
        abs(day - fraction) < apart for _, day, _ in given for fraction in fraction_days
    ):
        yield f"{agent.name}: an infusion less than {apart} d from a fraction"


def _offered(
    instance: Instance, agent: AgentChoice, given: tuple[tuple[str, int, float], ...]
) -> bool:
    for name in agent.regimens:
        first = min(day for _, day, _ in given) - min(d.day for d in instance.regimens[name].doses)
        if first not in agent.start_days:
            continue
        offered = sorted(infusions(instance, name, first, agent.cycles))
        if len(offered) == len(given) and all(
            a[:2] == b[:2] and math.isclose(a[2], b[2], rel_tol=1e-9)
            for a, b in zip(offered, given, strict=True)
        ):
            return True
    return False
