"""Where the calendar of a case puts infusions; counted apart from what makes the plans."""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from abscopt.instances.history.past import past_of

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.calendar import Calendar
    from abscopt.instances.tables.systemic import AgentChoice
    from abscopt.optimizer.schedule import Schedule

Dose = tuple[str, int, float]


@lru_cache(maxsize=256)
def _open_days(calendar: Calendar, weekdays: tuple[int, ...], until: int) -> tuple[int, ...]:
    """Infusion days 0, ..., until - 1."""
    holidays = calendar.holidays
    if calendar.infusion_holidays is not None:
        holidays = calendar.infusion_holidays
    closed = {(date - calendar.start_date).days for date in holidays}
    first = calendar.start_date.weekday()
    return tuple(t for t in range(until) if (first + t) % 7 in weekdays and t not in closed)


def closed_days(instance: Instance, schedule: Schedule) -> Iterator[str]:
    """Rules broken by infusions on days without infusions, one sentence each."""
    calendar = instance.calendar
    today = 0 if (past := past_of(instance)) is None else past.today
    for infusion in schedule.infusions:
        if infusion.day < today or instance.drugs[infusion.drug].taken_at_home:
            continue
        weekdays = calendar.infusion_weekdays
        for agent in instance.agents:
            if infusion.drug in _drugs(instance, agent) and agent.infusion_weekdays is not None:
                weekdays = agent.infusion_weekdays
        if infusion.day not in _open_days(calendar, weekdays, instance.days):
            date = calendar.start_date + datetime.timedelta(days=infusion.day)
            yield f"{infusion.drug}: day {infusion.day} ({date:%a} {date}) is not an infusion day"


def _drugs(instance: Instance, agent: AgentChoice) -> set[str]:
    return {dose.drug for name in agent.regimens for dose in instance.regimens[name].every_dose}


def moved(
    instance: Instance, agent: AgentChoice, planned: tuple[Dose, ...]
) -> tuple[Dose, ...] | None:
    """Planned doses of one agent on its infusion days, unsorted; None if one has no place.

    Drug by drug and planned day by planned day, each on the first open day that is neither before
    its planned day nor on or before the drug's last one. The first planned day does not move, no
    other by more than the tolerance; days from the last horizon on are left out.
    """
    calendar, tolerance = instance.calendar, agent.infusion_tolerance_days
    if tolerance is None:
        tolerance = calendar.infusion_tolerance_days
    weekdays = agent.infusion_weekdays or calendar.infusion_weekdays
    # Every planned day is before the last horizon.
    days = _open_days(calendar, weekdays, instance.days + tolerance + 1)
    first = min((day for _, day, _ in planned), default=0)
    doses: list[Dose] = []
    for drug in {name for name, _, _ in planned}:
        place = -1
        for day in sorted({t for name, t, _ in planned if name == drug}):
            if instance.drugs[drug].taken_at_home:
                place = day
            else:
                at = bisect_left(days, max(day, place + 1))
                if at == len(days) or days[at] - day > (0 if day == first else tolerance):
                    return None
                place = days[at]
            doses += [(drug, place, mg) for name, t, mg in planned if (name, t) == (drug, day)]
    return tuple(dose for dose in doses if dose[1] < instance.days)
