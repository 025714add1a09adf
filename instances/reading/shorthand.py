"""What people write and the schema does not hold: prescriptions become menus, dates become days.

Both are translated after the library has completed a case and changes are made, so that dates
follow a start date that is changed. What is wrong is noted where it stands, or left to the schema.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from abscopt.instances.menus.prescriptions import RULE, Prescription, blocks, parsed
from abscopt.instances.sources import Raw
from abscopt.instances.tables.start import START_DATE

PRESCRIPTIONS = "prescriptions"
OF_BLOCKS = ("interval_days", "fractions_per_day")
INSTEAD = ("fractions", "doses_gy")
"""What prescriptions say."""
MOST_PRESCRIPTIONS = 200
DAYS = ("first_start_day", "last_start_day", "start_day", "first_day", "last_day", "day")
LISTS = ("days", "horizon_days")
TABLES = ("lesions", "agents", "standard", "limits", "horizon_days", "observation")
"""Where days are counted from day 0; days of regimens are counted from their first dose."""
ISO = re.compile(r"\d{4}-\d{2}-\d{2}")

Note = Callable[[str, object, str], None]
"""Notes place, value and rule of a problem."""


def translated(case: Raw, note: Note) -> Raw:
    """A case as the schema holds it."""
    case = dict(case)
    lesions = case.get("lesions")
    if isinstance(lesions, list):
        case["lesions"] = [_lesion(entry, f"lesions[{i}]", note) for i, entry in enumerate(lesions)]
    calendar = case.get("calendar")
    start = calendar.get("start_date") if isinstance(calendar, dict) else None
    day_0 = _date(START_DATE if start is None else start)
    if day_0 is not None:
        for key in TABLES:
            if key in case:
                case[key] = _days(case[key], key, day_0, key in LISTS)
    return case


def _lesion(entry: Any, place: str, note: Note) -> Any:
    """A lesion whose prescriptions are its menu."""
    if not isinstance(entry, dict):
        return entry
    lesion = dict(entry)
    course = lesion.get("course", {})
    if not isinstance(course, dict):
        return entry
    if PRESCRIPTIONS in lesion:
        if PRESCRIPTIONS in course:
            rule = "stand in the lesion or in its course, not in both"
            note(f"{place}.{PRESCRIPTIONS}", lesion[PRESCRIPTIONS], rule)
        course = {PRESCRIPTIONS: lesion.pop(PRESCRIPTIONS)} | course
    elif PRESCRIPTIONS in course:
        place = f"{place}.course"
    if PRESCRIPTIONS in course:
        lesion["course"] = _course(dict(course), place, note)
    return lesion


def _course(course: Raw, place: str, note: Note) -> Raw:
    """A uniform menu of prescriptions; `also` goes on after it."""
    texts = course.pop(PRESCRIPTIONS)
    place = f"{place}.{PRESCRIPTIONS}"
    if course.setdefault("form", "uniform") != "uniform":
        note(place, texts, "belong to a uniform course")
        return course
    if stated := [key for key in INSTEAD if key in course]:
        note(place, texts, f"stand instead of fractions and doses_gy, not beside {stated[0]}")
        return course
    menu = _menu(texts, place, note)
    shared = {key: course.pop(key) for key in OF_BLOCKS if key in course}
    first, *others = blocks(menu, shared)
    also = course.pop("also", [])
    if isinstance(also, list):
        also = [*others, *also]
    return {**first, **course, **({"also": also} if also else {})}


def _menu(texts: Any, place: str, note: Note) -> list[Prescription]:
    """Prescriptions of a list; a plausible one where there is none."""
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST_PRESCRIPTIONS:
        rule = f"must be a list of 1 to {MOST_PRESCRIPTIONS} prescriptions such as '50/5'"
        note(place, texts, rule)
        return [Prescription(50.0, 5)]
    menu = []
    for i, text in enumerate(texts):
        entry = parsed(text)
        if entry is None:
            note(f"{place}[{i}]", text, RULE)
        else:
            menu.append(entry)
    return menu or [Prescription(50.0, 5)]


def _days(value: Any, key: str, day_0: datetime.date, counts: bool) -> Any:
    """A value in which dates are days: those under the keys of days, `counts` for this one."""
    if isinstance(value, dict):
        return {
            inner: _days(entry, inner, day_0, inner in DAYS or inner in LISTS)
            for inner, entry in value.items()
        }
    if isinstance(value, list):
        of_items = counts and key in LISTS
        return [_days(entry, key, day_0, of_items) for entry in value]
    date = _date(value) if counts else None
    if date is None or date < day_0:  # the schema says what is wrong
        return value
    return (date - day_0).days


def _date(value: Any) -> datetime.date | None:
    """A date of TOML or in ISO form."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str) and ISO.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            return None
    return None
