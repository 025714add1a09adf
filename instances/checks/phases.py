"""What contradicts in a menu of phases, and places of its phases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.history.walks import BELOW_TRANSITION
from abscopt.instances.reading.problems import listing

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.phases import Phase, PhasesCourse
    from abscopt.instances.schema import Instance

Problem = tuple[str, object, str]


def phases_of(course: PhasesCourse, place: str) -> Iterator[tuple[str, Phase]]:
    """(place, phase) of every phase of a menu."""
    for number, phases in enumerate(course.lists):
        where = place if number == 0 else f"{place}.also[{number - 1}]"
        for j, phase in enumerate(phases.phases):
            yield f"{where}.phases[{j}]", phase


def phase_problems(
    instance: Instance, i: int, lesion: Lesion, course: PhasesCourse
) -> Iterator[Problem]:
    """Windows outside the horizon, unknown techniques, weekdays without a machine, LQ-L."""
    place, names = f"lesions[{i}].course", [way.name for way in lesion.ways]
    if course.last_start_day >= instance.days:
        rule = f"window outside the horizon of {instance.days} days"
        yield f"{place}.last_start_day", course.last_start_day, rule
    for where, phase in phases_of(course, place):
        if phase.technique is not None and phase.technique not in names:
            known = [name for name in names if name]
            rule = f"unknown technique; known {listing(known)}" if known else "no techniques stated"
            yield f"{where}.technique", phase.technique, rule
        open_days = set(instance.calendar.machine_weekdays)
        if phase.weekdays is not None and not open_days & set(phase.weekdays):
            yield f"{where}.weekdays", phase.weekdays, "the machine runs on none of these"
        transition = lesion.lql_transition_gy
        most = max(phase.levels_gy)
        if phase.fractions_per_day > 1 and transition is not None and most > transition:
            yield f"{where}.doses_gy", most, BELOW_TRANSITION
