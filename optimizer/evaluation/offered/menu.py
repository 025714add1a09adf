"""Whether a schedule keeps the rules of a case, and whether it is one that the case offers.

Rules are the calendar's and those between drugs and radiation; menus and regimens say what is on
offer, and a schedule that is not is judged like any other. A case with a past offers what begins
with it, dose by dose; what may follow is part of the case (`instances/history`), and rules of the
calendar hold from today on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.history.doses import begun_doses, continued_doses
from abscopt.instances.history.past import past_of
from abscopt.instances.history.rests import continued, has_begun, rest_of
from abscopt.instances.regimens import infusions
from abscopt.instances.tables.calendar import course_days, date_of, is_machine_day, is_start_day
from abscopt.optimizer.evaluation.offered.infusion_days import closed_days, moved
from abscopt.optimizer.evaluation.offered.phases import phases_offer

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock, FreeCourse, UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice
    from abscopt.optimizer.schedule import Schedule

Course = tuple[tuple[int, float, int], ...]


def broken_rules(instance: Instance, schedule: Schedule) -> tuple[str, ...]:
    """Rules of the case that the schedule breaks, one sentence each; empty if none."""
    return tuple(_rules(instance, schedule))


def off_menu(instance: Instance, schedule: Schedule) -> tuple[str, ...]:
    """What the schedule has that is on no menu of the case, one sentence each; empty if nothing."""
    return tuple(_off_menu(instance, schedule))


def obstacles(instance: Instance, schedule: Schedule) -> tuple[str, ...]:
    """What keeps a schedule that breaks no limit from being an answer: both of the above."""
    return (*broken_rules(instance, schedule), *off_menu(instance, schedule))


def _rules(instance: Instance, schedule: Schedule) -> Iterator[str]:
    yield from other_past(instance, schedule)
    for lesion in instance.lesions:
        yield from _lesion(instance, lesion, schedule)
    for agent in instance.agents:
        yield from _agent(instance, agent, schedule)
    yield from closed_days(instance, schedule)


def _off_menu(instance: Instance, schedule: Schedule) -> Iterator[str]:
    for lesion in instance.lesions:
        yield from _other_course(instance, lesion, schedule)
    for agent in instance.agents:
        agent_doses = _doses_of(instance, agent, schedule)
        if instance.delivered is not None:
            yield from _continues(instance, agent, agent_doses)
        elif agent_doses and not _offered(instance, agent, agent_doses):
            yield f"{agent.name}: the infusions are not a regimen the case offers in its window"
    offered_drugs = {
        dose.drug
        for agent in instance.agents
        for name in agent.regimens
        for dose in instance.regimens[name].every_dose
    }
    for drug in sorted({i.drug for i in schedule.infusions} - offered_drugs):
        yield f"{drug}: no agent of the case offers this drug"


def _lesion(instance: Instance, lesion: Lesion, schedule: Schedule) -> Iterator[str]:
    """Rules of the calendar; a course that continues a past has them from today on."""
    course = schedule.course(lesion.name)
    past = past_of(instance)
    if not course or has_begun(instance, lesion):
        yield from _on_open_days(instance, lesion, course)
        return
    if past is not None and course[0][0] < past.today:
        yield f"{lesion.name}: starts before today, day {past.today}"
    for day in sorted({day for day, _, _ in course}):
        if not is_machine_day(instance.calendar, day):
            yield f"{lesion.name}: day {day} is not a machine day"
        slots = [slot for t, _, slot in course if t == day]
        if slots != list(range(len(slots))):
            yield f"{lesion.name}: the fractions of day {day} are not numbered from the first"
    menu, first = lesion.course, course[0][0]
    if (
        menu is not None
        and menu.form != "free"
        and is_machine_day(instance.calendar, first)
        and not is_start_day(instance.calendar, first)
    ):
        yield f"{lesion.name}: no course starts on day {first}"
    if menu is None:
        yield f"{lesion.name}: must not be irradiated"


def _on_open_days(instance: Instance, lesion: Lesion, course: Course) -> Iterator[str]:
    """Days from today on that even a course which continues a past cannot take."""
    past = past_of(instance)
    if past is None or not course:
        return
    rest = rest_of(instance, lesion.name)
    for day in sorted({day for day, _, _ in course if day >= past.today}):
        closed = date_of(instance.calendar, day) in instance.calendar.holidays
        if closed or not (rest.weekends or is_machine_day(instance.calendar, day)):
            yield f"{lesion.name}: day {day} is not a machine day"


def _other_course(instance: Instance, lesion: Lesion, schedule: Schedule) -> Iterator[str]:
    """Whether a course is none that the menu offers, or that may follow what was given."""
    course, past = schedule.course(lesion.name), past_of(instance)
    if not course or course == (() if past is None else past.course(lesion.name)):
        return
    begun = continued(instance, lesion)
    if begun is not None:
        ways = schedule.techniques(lesion.name)
        doses = [gy for _, gy, _ in course]
        if not any(
            ways == theirs and all(map(_same, doses, offered))
            for offered, theirs in begun.on_days(tuple((day, slot) for day, _, slot in course))
        ):
            yield f"{lesion.name}: the course is not among those that may follow what was given"
        return
    menu, ways = lesion.course, schedule.techniques(lesion.name)
    if menu is None:
        return
    if menu.form == "phases":
        fractions = tuple((*fraction, way) for fraction, way in zip(course, ways, strict=True))
        offered = phases_offer(instance.calendar, menu, fractions)
    elif len(set(ways)) > 1:
        yield f"{lesion.name}: more than one technique"
        return
    elif menu.form == "uniform":
        offered = any(_block_offers(instance, menu, block, course) for block in menu.blocks)
    else:
        offered = _free_offers(menu, course)
    if not offered:
        yield f"{lesion.name}: the course is not on the lesion's menu"


def other_past(instance: Instance, schedule: Schedule) -> Iterator[str]:
    """Fractions and infusions before today that were not given, or that are missing."""
    past = past_of(instance)
    if past is None:
        return
    stated = {(f.day, f.lesion, f.slot): f for f in schedule.fractions if f.day < past.today}
    received = {(day, name, slot): (gy, way) for day, name, gy, slot, way in past.fractions}
    for key in sorted(stated.keys() | received.keys()):
        day, name, _ = key
        if key not in stated:
            yield f"{name}: the fraction of day {day} was given and is not in the schedule"
        elif key not in received:
            yield f"{name}: no fraction was given on day {day}, which is before today"
        elif not _same(stated[key].dose_gy, received[key][0]) or (
            stated[key].technique != received[key][1]
        ):
            yield f"{name}: on day {day} {received[key][0]:g} Gy were given, not what is stated"
    infused = {(i.day, i.drug): i.dose_mg for i in schedule.infusions if i.day < past.today}
    before = {(day, drug): mg for day, drug, mg in past.doses}
    for place in sorted(infused.keys() | before.keys()):
        day, drug = place
        if place not in infused:
            yield f"{drug}: the dose of day {day} was given and is not in the schedule"
        elif place not in before:
            yield f"{drug}: no dose was given on day {day}, which is before today"
        elif not _same(infused[place], before[place]):
            yield f"{drug}: on day {day} {before[place]:g} mg were given, not what is stated"


def _same(amount: float, stated: float) -> bool:
    return math.isclose(amount, stated, rel_tol=1e-9)


def _on_menu(dose: float, levels: tuple[float, ...]) -> bool:
    return any(math.isclose(dose, level, rel_tol=1e-9) for level in levels)


def _block_offers(
    instance: Instance, menu: UniformCourse, block: CourseBlock, course: Course
) -> bool:
    start, per_day = course[0][0], block.fractions_per_day
    doses = {dose for _, dose, _ in course}
    return (
        len(doses) == 1
        and _on_menu(min(doses), block.levels_gy)
        and len(course) in block.fractions
        and start in menu.start_days
        and any(
            _fills(course_days(instance.calendar, start, len(course) // per_day, gap), per_day)
            == [(day, slot) for day, _, slot in course]
            for gap in block.interval_days
        )
    )


def _fills(days: tuple[int, ...] | None, per_day: int) -> list[tuple[int, int]]:
    """(day, slot) of every fraction when each day has the same number."""
    return [(day, slot) for day in days or () for slot in range(per_day)]


def _free_offers(menu: FreeCourse, course: Course) -> bool:
    return all(
        day in menu.days and slot == 0 and _on_menu(dose, menu.levels_gy)
        for day, dose, slot in course
    ) and (menu.max_fractions is None or len(course) <= menu.max_fractions)


def _agent(instance: Instance, agent: AgentChoice, schedule: Schedule) -> Iterator[str]:
    agent_doses = _doses_of(instance, agent, schedule)
    if not agent_doses:
        if not agent.optional:
            yield f"{agent.name}: must be given"
        return
    start = min(day for _, day, _ in agent_doses)
    fraction_days = [f.day for f in schedule.fractions]
    if not fraction_days:
        return
    yield from _order(agent, start, min(fraction_days), max(fraction_days))
    apart = agent.min_days_between_dose_and_fraction
    if apart is not None and any(
        abs(day - fraction) < apart for _, day, _ in agent_doses for fraction in fraction_days
    ):
        yield f"{agent.name}: an infusion less than {apart} d from a fraction"


def _doses_of(
    instance: Instance, agent: AgentChoice, schedule: Schedule
) -> tuple[tuple[str, int, float], ...]:
    """(drug, day, mg) of an agent's infusions."""
    drugs = {dose.drug for name in agent.regimens for dose in instance.regimens[name].every_dose}
    return tuple(sorted((i.drug, i.day, i.dose_mg) for i in schedule.infusions if i.drug in drugs))


def _continues(
    instance: Instance, agent: AgentChoice, agent_doses: tuple[tuple[str, int, float], ...]
) -> Iterator[str]:
    past = past_of(instance)
    assert past is not None
    if agent_doses == tuple(sorted(begun_doses(instance, agent, past))):
        return
    if not any(
        len(doses) == len(agent_doses)
        and all(
            a[:2] == b[:2] and _same(a[2], b[2])
            for a, b in zip(sorted(doses), agent_doses, strict=True)
        )
        for doses in continued_doses(instance, agent)
    ):
        yield f"{agent.name}: the infusions are not among those that may follow what was given"


def _order(agent: AgentChoice, start: int, first: int, last: int) -> Iterator[str]:
    """Rules between an agent's first infusion and the first and last fraction of all."""
    low, high = agent.min_days_after_radiation, agent.max_days_after_radiation
    if low is not None and start < last + low:
        yield f"{agent.name}: starts less than {low} d after radiation"
    if high is not None and start > last + high:
        yield f"{agent.name}: starts more than {high} d after radiation"
    low, high = agent.min_days_before_radiation, agent.max_days_before_radiation
    if low is not None and first < start + low:
        yield f"{agent.name}: starts less than {low} d before radiation"
    if high is not None and first > start + high:
        yield f"{agent.name}: starts more than {high} d before radiation"


def _offered(
    instance: Instance, agent: AgentChoice, agent_doses: tuple[tuple[str, int, float], ...]
) -> bool:
    for name in agent.regimens:
        first = min(day for _, day, _ in agent_doses) - min(
            d.day for d in instance.regimens[name].doses
        )
        if first not in agent.start_days:
            continue
        placed = moved(instance, agent, infusions(instance, name, first, agent.cycles))
        offered = sorted(placed or ())
        if len(offered) == len(agent_doses) and all(
            a[:2] == b[:2] and math.isclose(a[2], b[2], rel_tol=1e-9)
            for a, b in zip(offered, agent_doses, strict=True)
        ):
            return True
    return False
