"""Days on which a regimen is given: planned by its cycles, moved to the case's infusion days."""

from __future__ import annotations

from collections.abc import Iterable

from abscopt.instances.regimens import infusions
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import is_infusion_day
from abscopt.instances.tables.systemic import AgentChoice

Doses = tuple[tuple[str, int, float], ...]


def given_infusions(
    instance: Instance,
    agent: AgentChoice,
    regimen_name: str,
    start_day: int,
    cycles: int | None = None,
) -> Doses | None:
    """(drug, day, mg) of a regimen's infusions on the infusion days of the case, in order of day.

    Parameters
    ----------
    cycles : number of cycles; None for the regimen's maximum

    Returns
    -------
    The first dose is on its planned day. Every other dose is on the first infusion day from its
    planned day on (`on_infusion_days`); those that fall on or after the last horizon are left out.
    None if the first dose would move, or another by more days than tolerated.
    """
    planned = infusions(instance, regimen_name, start_day, cycles)
    moved = on_infusion_days(instance, agent, planned)
    if moved is None or any(
        plan[1] == planned[0][1] != dose[1] for plan, dose in zip(planned, moved, strict=True)
    ):
        return None
    within = (dose for dose in moved if dose[1] < instance.days)
    return tuple(sorted(within, key=lambda dose: (dose[1], dose[0])))


def on_infusion_days(
    instance: Instance, agent: AgentChoice | None, planned: Iterable[tuple[str, int, float]]
) -> Doses | None:
    """Planned doses, in order of day, each moved to an infusion day; None if one cannot be.

    A dose of day p is given on the first infusion day from p on, and after the drug's dose before
    it where that one was planned earlier; at most `infusion_tolerance_days` after p. Doses taken
    at home stay. Without an agent the calendar's rule holds.
    """
    calendar = instance.calendar
    weekdays = None if agent is None else agent.infusion_weekdays
    tolerance = calendar.infusion_tolerance_days
    if agent is not None and agent.infusion_tolerance_days is not None:
        tolerance = agent.infusion_tolerance_days
    last: dict[str, tuple[int, int]] = {}
    moved = []
    for drug, day, milligrams in planned:
        actual = day
        if not instance.drugs[drug].taken_at_home:
            before, taken = last.get(drug, (-1, -1))
            earliest = max(day, taken + 1 if before < day else taken)
            while not is_infusion_day(calendar, earliest, weekdays):
                earliest += 1
                if earliest > day + tolerance:
                    return None
            actual = earliest
        if actual > day + tolerance:
            return None
        last[drug] = (day, actual)
        moved.append((drug, actual, milligrams))
    return tuple(moved)
