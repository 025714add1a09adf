"""A case and its schedules in few words: menus, limits, runs of weeks, dates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import date_of

if TYPE_CHECKING:
    from abscopt.instances.checks.notes import Note
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock
    from abscopt.instances.menus.phases import Phase
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def date_words(instance: Instance, day: int) -> str:
    """`2026-01-05 (0)`."""
    return f"{date_of(instance.calendar, day).isoformat()} ({day})"


NOT_JUDGED = (
    "Robustness  not judged: how this answer fares with other plausible parameters is not known "
    "(abscopt robustness)"
)


def change_lines(instance: Instance) -> list[str]:
    """What was changed in the case, one line each."""
    return [f"Changed  {text}" for text in instance.changes or ()]


def title_lines(instance: Instance) -> list[str]:
    """Name and title of a case, and what was changed in it."""
    return [f"{instance.name}: {instance.title}", *change_lines(instance)]


def course_rows(
    course: Sequence[tuple[int, float, int]], instance: Instance
) -> Iterable[list[str]]:
    """One row per run of successive weeks with the same dose on the same weekdays."""
    start = instance.calendar.start_date.weekday()
    weeks = [
        ((dose, tuple((day + start) % 7 for day, _, _ in days)), week, days)
        for (week, dose), group in groupby(course, key=lambda f: ((f[0] + start) // 7, f[1]))
        for days in [list(group)]
    ]
    numbered = [(pattern, week - i, days) for i, (pattern, week, days) in enumerate(weeks)]
    for (pattern, _), group in groupby(numbered, key=lambda entry: entry[:2]):
        runs = [days for _, _, days in group]
        dose, weekdays = pattern
        often = {day: weekdays.count(day) for day in weekdays}
        several = set(often.values()) if max(often.values()) > 1 else set()
        names = " ".join(
            f"{WEEKDAYS[day]} x{number}" if len(several) > 1 else WEEKDAYS[day]
            for day, number in often.items()
        )
        if len(several) == 1:
            names += f", {max(several)} a day"
        yield [
            f"{sum(len(days) for days in runs)} x {dose:g} Gy",
            date_words(instance, runs[0][0][0]),
            date_words(instance, runs[-1][-1][0]),
            names if len(runs) == 1 else f"{names}, {len(runs)} weeks",
        ]


def menu_words(lesion: Lesion) -> str:
    """Fractions and doses a lesion may receive, and what it demands."""
    return ", ".join([_course_words(lesion), *_demand_words(lesion)])


def _course_words(lesion: Lesion) -> str:
    course = lesion.course
    if course is None:
        return "not irradiable"
    if course.form == "free":
        return f"free on {len(course.days)} days, {_span(course.levels_gy)} Gy"
    if course.form == "phases":
        return "; ".join(", ".join(map(_phase, phases.phases)) for phases in course.lists)
    text = "; ".join(_block(block) for block in course.blocks)
    return text + (f", {len(lesion.techniques)} techniques" if len(lesion.ways) > 1 else "")


def _demand_words(lesion: Lesion) -> list[str]:
    words = {"BED": lesion.least_bed_gy, "EQD2": lesion.least_eqd2_gy}
    doses = [
        f"{what} >= {least_gy:g} Gy" for what, least_gy in words.items() if least_gy is not None
    ]
    chance = lesion.least_control
    return doses if chance is None else [*doses, f"control >= {100 * chance:g} %"]


def _block(block: CourseBlock) -> str:
    per_day = f" {block.fractions_per_day} a day" if block.fractions_per_day > 1 else ""
    return f"{_span(block.fractions)} x {_span(block.levels_gy)} Gy{per_day}"


def _phase(phase: Phase) -> str:
    """`25 x 1.8 Gy ebrt`; a phase that may be left out in brackets."""
    per_day = f" {phase.fractions_per_day} a day" if phase.fractions_per_day > 1 else ""
    text = f"{_span(phase.fractions)} x {_span(phase.levels_gy)} Gy{per_day}"
    if max(phase.times) > 1:
        text = f"{_span(phase.times)} times {text}"
    text += f" {phase.technique}" if phase.technique is not None else ""
    return f"({text})" if phase.optional else text


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def note_lines(notes: Iterable[Note]) -> list[str]:
    """One paragraph per note."""
    return [f"Note  {note.text}" for note in notes]


WHY_NO_RADIATION = ("menu_empty", "fails_alone", "untreated")
"""Kinds of notes that say why a lesion is not irradiated."""


def no_radiation_words(instance: Instance, schedule: Schedule, notes: Iterable[Note]) -> str:
    """`No radiation` with its reason: what the notes say of each lesion."""
    if not instance.irradiable:
        return "No radiation: the case has no lesion that may be irradiated."
    reasons = [note.text for note in notes if note.kind in WHY_NO_RADIATION]
    if len(reasons) == 1:
        return f"No radiation: {reasons[0]}."
    names = ", ".join(instance.lesions[i].name for i in instance.irradiable)
    return f"No radiation: the notes above say why for {names}."
