"""Infusions that continue a past: regimens that have begun, held, stopped or gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.history.past import Past, past_of
from abscopt.instances.infusion_days import Doses, given_infusions, on_infusion_days
from abscopt.instances.regimens import infusions

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice

WAITS = (0, 7, 14, 21)
"""Days by which the next dose of a drug that has begun may be put off beyond the earliest: a drug
hold of up to three weeks, week by week (assumed; a longer one is stated as a hold)."""


def begun_doses(instance: Instance, agent: AgentChoice, past: Past) -> Doses:
    """(drug, day, mg) that an agent has given."""
    drugs = drugs_of(instance, agent)
    return tuple((drug, day, mg) for day, drug, mg in past.doses if drug in drugs)


def drugs_of(instance: Instance, agent: AgentChoice) -> set[str]:
    """Drugs of an agent's regimens."""
    return {dose.drug for name in agent.regimens for dose in instance.regimens[name].every_dose}


def continued_doses(instance: Instance, agent: AgentChoice) -> dict[Doses, int]:
    """Every way to go on with an agent: whole infusions -> number of moved ones; () for none.

    An agent that has begun stops, or gives the doses that are left of a regimen, each as much
    later as the first of them. One that has not begins within its window from today on; where its
    planned start has passed, also as soon as it can.
    """
    past = past_of(instance)
    assert past is not None
    options: dict[Doses, int] = instance.remembered(
        f"doses {agent.name}", lambda: dict(_continued(instance, agent, past))
    )
    return options


def _continued(instance: Instance, agent: AgentChoice, past: Past) -> Iterator[tuple[Doses, int]]:
    given, earliest = begun_doses(instance, agent, past), _earliest(instance, agent, past)
    if given or agent.optional:
        yield given, 0
    if earliest is None:
        return
    if not given:
        yield from _from_today(instance, agent, past, earliest)
        return
    for name in agent.regimens:
        for planned, delays in _left(instance, agent, name, given, earliest):
            for delay in delays:
                later = tuple((drug, day + delay, mg) for drug, day, mg in planned)
                moved = on_infusion_days(instance, agent, later)
                if moved is not None and all(day >= earliest for _, day, _ in moved):
                    inside = tuple(dose for dose in moved if dose[1] < instance.days)
                    yield _by_day((*given, *inside)), len(set(later) - set(moved))


def _from_today(
    instance: Instance, agent: AgentChoice, past: Past, earliest: int
) -> Iterator[tuple[Doses, int]]:
    """An agent that has not begun: its starts from today on, and its missed start made up for."""
    drugs = drugs_of(instance, agent)
    planned = [day for day, drug, _ in past.planned_doses or () if drug in drugs]
    missed = bool(planned) and min(planned) < earliest
    for name in agent.regimens:
        starts = [day for day in agent.start_days if day >= earliest]
        if missed:
            late = range(earliest, min(earliest + 28, instance.days))
            soon = (d for d in late if given_infusions(instance, agent, name, d, agent.cycles))
            starts = sorted({*starts, *list(soon)[:1]})
        for start in starts:
            doses = given_infusions(instance, agent, name, start, agent.cycles)
            if doses is not None:
                planned_doses = infusions(instance, name, start, agent.cycles)
                yield doses, len(set(planned_doses) - set(doses))


def _left(
    instance: Instance, agent: AgentChoice, name: str, given: Doses, earliest: int
) -> Iterator[tuple[Doses, list[int]]]:
    """What is left of a regimen from its own start, and by how many days it may be late.

    By count, drug by drug: the doses after the last one given. Those are late by as much as the
    last one was, if by more than calendars do, and never before `earliest`. Doses whose planned
    days have passed may also be left out for good.
    """
    regimen = instance.regimens[name]
    start = min(day for _, day, _ in given) - min(dose.day for dose in regimen.doses)
    planned = infusions(instance, name, start, agent.cycles)
    number: dict[str, int] = {}
    for drug, _, _ in given:
        number[drug] = number.get(drug, 0) + 1
    if not set(number) <= {drug for drug, _, _ in planned}:
        return
    left, done = [], dict.fromkeys(number, 0)
    lag = 0
    for drug, day, mg in planned:
        if done.get(drug, 0) < number.get(drug, 0):
            done[drug] += 1
            actual = [t for d, t, _ in given if d == drug][done[drug] - 1]
            lag = actual - day
        else:
            left.append((drug, day, mg))
    if not left:
        return
    tolerance = agent.infusion_tolerance_days
    if tolerance is None:
        tolerance = instance.calendar.infusion_tolerance_days
    lag = lag if lag > tolerance else 0
    least = max(lag, earliest - left[0][1])
    yield tuple(left), [least + wait for wait in WAITS]
    on_time = tuple(dose for dose in left if dose[1] >= earliest)
    if on_time and len(on_time) < len(left):
        yield on_time, [max(0, lag)]


def _earliest(instance: Instance, agent: AgentChoice, past: Past) -> int | None:
    """First day on which an agent may be given; None if never again."""
    assert instance.delivered is not None
    earliest: int | None = max(map(past.earliest, drugs_of(instance, agent)), default=past.today)
    for hold in instance.delivered.holds:
        if hold.agent == agent.name:
            earliest = None if hold.until_day is None else max(earliest or 0, hold.until_day)
    return earliest


def resumed_doses(instance: Instance, agent: AgentChoice) -> Doses:
    """What was given and the plan gone on with as soon as it can; only what was given without plan.

    Of all ways to go on, the one with the least change of the plan: as many doses of it as can be,
    on days as close to the planned ones as can be.
    """
    past = past_of(instance)
    assert past is not None
    given = begun_doses(instance, agent, past)
    options = continued_doses(instance, agent)
    drugs = drugs_of(instance, agent)
    if past.planned_doses is None:
        return given
    planned = sorted((drug, day, mg) for day, drug, mg in past.planned_doses if drug in drugs)
    if not planned:
        return given

    def change(doses: Doses) -> tuple[int, int]:
        apart = abs(len(doses) - len(planned))
        pairs = zip(sorted(doses), planned, strict=False)
        return apart, sum(abs(dose[1] - plan[1]) for dose, plan in pairs)

    return min(options, key=change, default=given)


def _by_day(doses: Doses) -> Doses:
    return tuple(sorted(doses, key=lambda dose: (dose[1], dose[0])))
