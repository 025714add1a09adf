"""Notes on an answer: lesions left out, courses that gain nothing or end before a horizon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.checks.notes import Note, note
from abscopt.instances.history.rests import has_begun
from abscopt.optimizer.audit.adding import MOST_WORK, Tried, added, try_courses
from abscopt.optimizer.audit.breaks import in_words, words_of
from abscopt.optimizer.audit.gain import no_gain_notes
from abscopt.optimizer.audit.horizons import horizon_notes
from abscopt.optimizer.audit.patients import spread_notes
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from abscopt.instances.menus.courses import FreeCourse, UniformCourse
    from abscopt.instances.menus.phases import PhasesCourse
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.audit.alone import Alone
    from abscopt.optimizer.audit.case import CaseAudit
    from abscopt.optimizer.evaluation import Evaluation, Judge
    from abscopt.optimizer.results.result import Result


def answer_notes(judge: Judge, audit: CaseAudit, result: Result) -> tuple[Note, ...]:
    """Notes beside an answer: on the case, on lesions left out, on courses and what they gain."""
    if result.schedule is None or result.evaluation is None:
        return audit.notes
    proved = result.status == "optimal"
    return notes_beside(judge, audit, result.schedule, result.evaluation, proved)


def notes_beside(
    judge: Judge, audit: CaseAudit, schedule: Schedule, evaluation: Evaluation, proved: bool
) -> tuple[Note, ...]:
    """Notes beside a schedule that is an answer, proved to be within its gap or not.

    First whether the standard regimen is better on average over patients.
    """
    spread = spread_notes(judge, schedule)
    untreated = untreated_notes(judge, schedule, audit.alone, evaluation.objective, proved)
    gains = no_gain_notes(evaluation, judge.instance.horizon_days)
    ends = horizon_notes(judge.instance, schedule)
    return (*spread, *audit.notes, *untreated, *gains, *ends)


def untreated_notes(
    judge: Judge,
    schedule: Schedule,
    alone: tuple[Alone, ...],
    objective: float,
    proved: bool,
) -> Iterator[Note]:
    """Why each lesion that could be irradiated is not; those without any course have a note."""
    instance = judge.instance
    treated = {fraction.lesion for fraction in schedule.fractions}
    possible = [
        lesion_alone
        for lesion_alone in alone
        if instance.lesions[lesion_alone.lesion].name not in treated
        and not lesion_alone.excluded
        and not has_begun(instance, instance.lesions[lesion_alone.lesion])
    ]
    work = MOST_WORK // max(1, 2 * len(possible))
    for lesion_alone in possible:
        lesion = instance.lesions[lesion_alone.lesion]
        tried = try_courses(instance, lesion, schedule, work)
        if tried.fits is not None:
            reason = _no_improvement(judge, schedule, tried, objective, proved)
        else:
            lowered = try_courses(instance, lesion, _lowered(instance, schedule), work)
            room = f"room for {len(treated)} of {len(alone)} lesions"
            reason = _no_room(tried, lowered, room if treated else "")
        yield note(
            "untreated", f"lesions[{lesion_alone.lesion}]", lesion=lesion.name, reason=reason
        )


def _lowered(instance: Instance, schedule: Schedule) -> Schedule:
    """The schedule with every fraction at the least dose on its lesion's menu."""
    lowest_gy = {
        lesion.name: min(_levels(lesion.course))
        for lesion in instance.lesions
        if lesion.course is not None
    }
    fractions = (
        replace(f, dose_gy=min(f.dose_gy, lowest_gy[f.lesion])) for f in schedule.fractions
    )
    return Schedule.of(fractions, schedule.infusions)


def _levels(course: UniformCourse | PhasesCourse | FreeCourse) -> list[float]:
    blocks = course.blocks if course.form == "uniform" else (course,)
    return [dose for block in blocks for dose in block.levels_gy]


def _no_improvement(
    judge: Judge, schedule: Schedule, tried: Tried, objective: float, proved: bool
) -> str:
    assert tried.fits is not None
    course, unit = tried.fits, judge.instance.objective.unit
    change = judge.evaluate(added(schedule, course)).objective - objective
    example = f"{words_of(course)} from day {course[0].day}"
    if proved:
        return (
            "no course of it improves the objective by more than the gap; "
            f"{example} changes it by {change:+.4g} {unit}"
        )
    if change > 0:
        return (
            f"the search was stopped before it tried to add {example}, which improves the "
            f"objective by {change:.4g} {unit}"
        )
    return f"no better schedule with it was found; {example} changes it by {change:+.4g} {unit}"


def _no_room(tried: Tried, lowered: Tried, room: str) -> str:
    """Which limits forbid a lesion beside the rest, and whether lower doses would make room."""
    outcome = lowered if lowered.excluded else tried
    if outcome.nearest is None:
        return "none of its courses was tried"
    course, breaks = outcome.nearest, in_words(outcome.breaks)
    example = f"{words_of(course)} from day {course[0].day}: {breaks}"
    if not outcome.complete:
        return f"beside the rest no course of it was found that keeps the limits; {example}"
    doses = ", whatever the doses" if lowered.excluded else " at these doses"
    names = " and ".join(outcome.common)
    if not names or not room:
        limits = names or "a limit or rule"
        return f"beside the rest every course of it breaks {limits}{doses}; nearest {example}"
    verb = "leaves" if len(outcome.common) == 1 else "leave"
    return f"{names} {verb} {room} here{doses}; nearest course is {example}"
