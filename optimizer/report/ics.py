"""A schedule as a calendar file (RFC 5545): one whole-day event per fraction day and infusion."""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING

from icalendar import Calendar, Event

from abscopt.instances.load import InputError, Problem
from abscopt.instances.tables.calendar import date_of
from abscopt.optimizer.results.result import DISCLAIMER

if TYPE_CHECKING:
    from abscopt.optimizer.report.finding import Finding


def ics_text(finding: Finding) -> str:
    """The calendar file; the same bytes for the same schedule.

    Raises
    ------
    InputError
        If there is no schedule.
    """
    if finding.schedule is None:
        status = str(finding.document.get("status"))
        raise InputError([Problem(finding.label, "schedule", status, "has no schedule to write")])
    calendar = Calendar()
    calendar.add("prodid", "-//abscopt//schedule//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-caldesc", DISCLAIMER)
    stamp = datetime.datetime.combine(
        date_of(finding.case.calendar, 0), datetime.time(), datetime.UTC
    )
    for day, what in _events(finding):
        event, begin = Event(), date_of(finding.case.calendar, day)
        name = hashlib.sha256(f"{finding.case.name} {day} {what}".encode()).hexdigest()[:24]
        event.add("uid", f"{name}@abscopt")
        event.add("dtstamp", stamp)
        event.add("dtstart", begin)
        event.add("dtend", begin + datetime.timedelta(days=1))
        event.add("summary", what)
        event.add("description", f"Day {day} of case {finding.case.name}. {DISCLAIMER}")
        calendar.add_component(event)
    text: str = calendar.to_ical().decode("utf-8")
    return text


def _events(finding: Finding) -> list[tuple[int, str]]:
    """Day and text of every event, in the order of days."""
    schedule = finding.schedule
    assert schedule is not None
    events = []
    for lesion in finding.case.lesions:
        by_day: dict[int, list[float]] = {}
        course = schedule.course(lesion.name)
        for day, dose, _ in course:
            by_day.setdefault(day, []).append(dose)
        count = 0
        for day, doses in by_day.items():
            count += len(doses)
            number = f"fraction {count} of {len(course)}"
            if len(doses) > 1:
                number = f"fractions {count - len(doses) + 1} to {count} of {len(course)}"
            doses_text = " + ".join(f"{dose:g} Gy" for dose in doses)
            events.append((day, f"{lesion.name}: {doses_text} ({number})"))
    events += [(i.day, f"{i.drug}: {i.dose_mg:g} mg") for i in schedule.infusions]
    return sorted(events)
