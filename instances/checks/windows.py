"""Start days of agents: how many the calendar offers, and in words why others are left out."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import date_of, is_infusion_day
from abscopt.instances.tables.systemic import AgentChoice

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class StartDays:
    """Start days of one regimen of an agent by what the calendar makes of them.

    `closed` are no infusion days; from `unplaced` a later dose would have to move by more than is
    tolerated.
    """

    regimen: str
    offered: tuple[int, ...]
    closed: tuple[int, ...]
    unplaced: tuple[int, ...]


def start_days(instance: Instance, agent: AgentChoice) -> tuple[StartDays, ...]:
    """Start days of every regimen of an agent, in the order of the case."""
    return tuple(_start_days(instance, agent, name) for name in agent.regimens)


def _start_days(instance: Instance, agent: AgentChoice, regimen: str) -> StartDays:
    offered, closed, unplaced = [], [], []
    first = min(dose.day for dose in instance.regimens[regimen].doses)
    for start in agent.start_days:
        if given_infusions(instance, agent, regimen, start, agent.cycles) is not None:
            offered.append(start)
        elif is_infusion_day(instance.calendar, start + first, agent.infusion_weekdays):
            unplaced.append(start)
        else:
            closed.append(start)
    return StartDays(regimen, tuple(offered), tuple(closed), tuple(unplaced))


def infusion_rule(instance: Instance) -> str:
    """The calendar's rule for infusions, in one sentence."""
    calendar = instance.calendar
    days = " ".join(WEEKDAYS[day] for day in sorted(set(calendar.infusion_weekdays)))
    closed = sorted(
        date.isoformat()
        for date in set(
            calendar.holidays if calendar.infusion_holidays is None else calendar.infusion_holidays
        )
        if 0 <= (date - calendar.start_date).days < instance.days
    )
    if len(closed) > MOST_LISTED:
        closed = [*closed[:MOST_LISTED], f"{len(closed) - MOST_LISTED} more"]
    but = f" but not on {', '.join(closed)}" if closed else ""
    within = calendar.infusion_tolerance_days
    return (
        f"Infusions on {days}{but}; a dose planned for another day is given on the next of these, "
        f"at most {_days(within)} later"
    )


MOST_LISTED = 6
"""Holidays that are listed before the rest is only counted: about what fits into two lines."""


def not_offered(instance: Instance) -> list[str]:
    """One sentence per agent and reason why start days of its window are not offered."""
    return [
        line
        for agent in instance.agents
        for found in start_days(instance, agent)
        for line in _sentences(instance, agent, found)
    ]


def unplaced_plans(instance: Instance) -> list[str]:
    """The sentences of `not_offered` on plans whose later doses find no day, or if none is left.

    That a week has days without infusions needs no mention beside an answer; a regimen that can
    hardly or not at all be given does.
    """
    return [line for _, line in unplaced_by_agent(instance)]


def unplaced_by_agent(instance: Instance) -> Iterator[tuple[int, str]]:
    """(index of an agent, sentence of `unplaced_plans`)."""
    for i, agent in enumerate(instance.agents):
        for found in start_days(instance, agent):
            if found.unplaced or not found.offered:
                for line in _sentences(instance, agent, found):
                    yield i, line


def _sentences(instance: Instance, agent: AgentChoice, found: StartDays) -> Iterator[str]:
    what, total = f"{agent.name} ({found.regimen})", _starts(len(agent.start_days))
    if found.unplaced:
        within = agent.infusion_tolerance_days
        if within is None:
            within = instance.calendar.infusion_tolerance_days
        yield (
            f"{what}: {len(found.unplaced)} of {total} not offered: a later dose has no infusion "
            f"day from its planned day to {_days(within)} later "
            f"(first {_date(instance, found.unplaced[0])})"
        )
    if found.closed:
        yield (
            f"{what}: {len(found.closed)} of {total} not offered: no infusion day "
            f"(first {_date(instance, found.closed[0])})"
        )


def _days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"


def _starts(number: int) -> str:
    return f"{number} start day" if number == 1 else f"{number} start days"


def _date(instance: Instance, day: int) -> str:
    date: datetime.date = date_of(instance.calendar, day)
    return f"day {day}, {WEEKDAYS[date.weekday()]} {date}"
