"""Cases with a past: from a file of what was given, today's date and what was missed.

A file holds a table as `[delivered]` in a case does, or a schedule: JSON or the CSV that
`solve --out` writes. Of a schedule everything before today was given but for what was missed; what
is planned from today on makes the whole of it the plan.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from abscopt.instances.history.delivered import Delivered
from abscopt.instances.history.past import past_of
from abscopt.instances.load import InputError, Problem, problems_of
from abscopt.instances.reading.problems import first_of
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.reading.recheck import checked_schedule
from abscopt.optimizer.results.reading.schedule_files import read_document
from abscopt.optimizer.schedule import Schedule, read_schedule, schedule_of_events

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

EVENTS = ("fractions", "doses_of_drugs")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Circumstances:
    """What is said of a past beside the file.

    Attributes
    ----------
    today : a day, or a date as text
    missed : lesions or drugs; `larynx@14-18` for those days, `larynx` for today
    plan : file of the schedule that was planned
    hold : `agent@DAY`, not before that day, or `agent`, never again
    closed : days or ranges without a machine, as `21-25`
    weekends : whether lesions that have begun may use days off
    stop : lesions that receive nothing more
    """

    today: str | None = None
    missed: tuple[str, ...] = ()
    plan: str | None = None
    hold: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    weekends: bool = False
    stop: tuple[str, ...] = ()


def started(
    case: Instance, file: str | None, circumstances: Circumstances | None = None
) -> Instance:
    """The case with the past of a file.

    Raises
    ------
    InputError
        If the file cannot be read, or what it says cannot have been.
    """
    circumstances = circumstances or Circumstances()
    table = {} if file is None else _table(case, file)
    schedule_like = table.pop("schedule", None)
    if circumstances.today is not None:
        table["today"] = _day(case, circumstances.today, "--today")
    if schedule_like is not None:
        table |= _split(case, schedule_like, table, circumstances)
    elif file is None and case.delivered is not None:
        stated = case.delivered.model_dump(mode="json", exclude_none=True)
        table = stated | table
    today = _today(case, table)
    table["missed"] = [*table.get("missed", []), *_missed(case, circumstances.missed, today)]
    if circumstances.plan is not None:
        table["plan"] = events_table(_schedule(case, circumstances.plan))
    table["holds"] = [*table.get("holds", []), *(_hold(case, text) for text in circumstances.hold)]
    if circumstances.weekends:
        table["rest"] = _with_rest(table, _begun_or_planned(table), "weekends")
    if circumstances.stop:
        table["rest"] = _with_rest(table, set(circumstances.stop), "stop")
    label = file or case.name
    if not circumstances.closed:
        return with_past(case, table, label)
    if "plan" not in table:  # the standard regimen as it was planned, before days were closed
        table |= _plan_before(with_past(case, table, label))
    return with_past(_closed(case, circumstances.closed), table, label)


def _plan_before(case: Instance) -> dict[str, Any]:
    past = past_of(case)
    if past is None or past.planned_fractions is None:
        return {}
    plan = schedule_of_events(past.planned_fractions, past.planned_doses or ())
    return {"plan": events_table(plan)}


def with_past(case: Instance, table: dict[str, Any] | Delivered, label: str = "") -> Instance:
    """The case with what was delivered, checked; without a past where nothing has begun.

    Parameters
    ----------
    table : as `[delivered]` of a case
    label : names it in errors
    """
    try:
        delivered = (
            table
            if isinstance(table, Delivered)
            else Delivered.model_validate_json(json.dumps(table, default=str))
        )
    except ValidationError as error:
        raise InputError(first_of(problems_of(error, label))) from None
    begun = delivered.fractions or delivered.doses_of_drugs or delivered.missed or delivered.holds
    past = delivered if begun or delivered.today or delivered.rest else None
    if past is None and case.delivered is None:
        return case
    try:
        changed = case.model_copy(update={"delivered": past})
    except ValidationError as error:
        raise InputError(first_of(problems_of(error, label or case.name))) from None
    if case._stated is not None:
        text = None if past is None else past.model_dump_json(exclude_none=True)
        changed._stated = {k: v for k, v in case._stated.items() if k != "delivered"}
        if text is not None:
            changed._stated["delivered"] = json.loads(text)
    return changed


def _table(case: Instance, file: str) -> dict[str, Any]:
    """What a file says: keys of `[delivered]`, its events as one `schedule` where they may be more
    than what was given."""
    document = read_file(file, read_document)
    raw = document.raw
    with document.located():
        if isinstance(raw, dict) and "kind" not in raw and "schedule" not in raw:
            further = {key: value for key, value in raw.items() if key not in EVENTS}
            events = {key: raw[key] for key in EVENTS if key in raw}
            wrong = sorted(set(further) - set(Delivered.model_fields))
            if wrong:
                rule = f"unknown key; known {sorted(Delivered.model_fields)}"
                raise InputError([Problem(file, key[:80], key[:80], rule) for key in wrong])
            if events or not further:
                return further | {"schedule": read_schedule(events, case, file)}
            return further
        return {"schedule": checked_schedule(raw, case, file, cross=True, words=False)}


def _schedule(case: Instance, file: str) -> Schedule:
    document = read_file(file, read_document)
    with document.located():
        return checked_schedule(document.raw, case, file, cross=True, words=False)


def _split(
    case: Instance, schedule: Schedule, table: dict[str, Any], circumstances: Circumstances
) -> dict[str, Any]:
    """Given and planned: what is before today, and all of it where more is planned or missed."""
    days = [f.day for f in schedule.fractions] + [i.day for i in schedule.infusions]
    today = table.get("today")
    today = max(days, default=-1) + 1 if today is None else today
    missed = {(_row_day(case, row), row.get("what")) for row in table.get("missed", []) if row} | {
        (row["day"], row["what"]) for row in _missed(case, circumstances.missed, today)
    }
    planned = {(f.day, f.lesion) for f in schedule.fractions}
    planned |= {(i.day, i.drug) for i in schedule.infusions}
    for what in circumstances.missed:
        rows = _missed(case, (what,), today)
        if not any((row["day"], row["what"]) in planned for row in rows):
            rule = "the file has nothing of this on that day, so it cannot have been missed"
            raise InputError([Problem(case.name, "--missed", what, rule)])
    before = Schedule(
        tuple(f for f in schedule.fractions if f.day < today and (f.day, f.lesion) not in missed),
        tuple(i for i in schedule.infusions if i.day < today and (i.day, i.drug) not in missed),
    )
    split: dict[str, Any] = {"today": today, **events_table(before)}
    if before != schedule and "plan" not in table:
        split["plan"] = events_table(schedule)
    return split


def _row_day(case: Instance, row: dict[str, Any]) -> int | None:
    day = row.get("day")
    if day is None and isinstance(row.get("date"), str):
        return _day(case, row["date"], "missed")
    return day if isinstance(day, int) else None


def events_table(schedule: Schedule) -> dict[str, Any]:
    """Plain data of a schedule, by days."""
    fractions = [
        {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy, "fraction_of_day": f.slot + 1}
        | ({"technique": f.technique} if f.technique else {})
        for f in schedule.fractions
    ]
    doses = [{"agent": i.drug, "day": i.day, "dose_mg": i.dose_mg} for i in schedule.infusions]
    return {"fractions": fractions, "doses_of_drugs": doses}


def _today(case: Instance, table: dict[str, Any]) -> int:
    today = table.get("today")
    if isinstance(today, int):
        return today
    rows = [row for key in EVENTS for row in table.get(key, []) if isinstance(row, dict)]
    return max((_row_day(case, row) or 0 for row in rows), default=-1) + 1


def _day(case: Instance, text: str, place: str) -> int:
    """A day from day 0, of a number or a date."""
    if re.fullmatch(r"\d+", text):
        return int(text)
    try:
        return (datetime.date.fromisoformat(text) - case.calendar.start_date).days
    except ValueError:
        rule = "must be a day counted from day 0, or a date such as 2026-01-26"
        raise InputError([Problem(case.name, place, text[:80], rule)]) from None


def _days(case: Instance, text: str, place: str) -> range:
    match = RANGE.fullmatch(text)
    if match is None:
        day = _day(case, text, place)
        return range(day, day + 1)
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if last < first or last >= case.days:
        rule = f"must be a day, or FIRST-LAST, before the horizon of {case.days} days"
        raise InputError([Problem(case.name, place, text[:80], rule)])
    return range(first, last + 1)


def _missed(case: Instance, texts: Sequence[str], today: int) -> list[dict[str, Any]]:
    rows = []
    for text in texts:
        what, _, days = text.partition("@")
        on = _days(case, days, "--missed") if days else range(today, today + 1)
        rows += [{"what": what, "day": day} for day in on]
    return rows


def _hold(case: Instance, text: str) -> dict[str, Any]:
    agent, _, day = text.partition("@")
    return {"agent": agent} | ({"until_day": _day(case, day, "--hold")} if day else {})


def _closed(case: Instance, texts: Sequence[str]) -> Instance:
    """The case with days on which the machine does not run; drugs are infused as before."""
    if not texts:
        return case
    days = [day for text in texts for day in _days(case, text, "--closed")]
    calendar = case.calendar
    dates = {calendar.start_date + datetime.timedelta(days=day) for day in days}
    infusions = calendar.infusion_holidays
    return case.with_(
        {
            "calendar.holidays": sorted(d.isoformat() for d in {*calendar.holidays, *dates}),
            "calendar.infusion_holidays": [
                d.isoformat() for d in (calendar.holidays if infusions is None else infusions)
            ],
        }
    )


def _begun_or_planned(table: dict[str, Any]) -> set[str]:
    """Lesions that were irradiated, that are planned to be, or of which something is said."""
    lesions = {row["lesion"] for row in table.get("fractions", [])}
    lesions |= {row["lesion"] for row in table.get("plan", {}).get("fractions", [])}
    return lesions | {row["lesion"] for row in table.get("rest", []) if "lesion" in row}


def _with_rest(table: dict[str, Any], lesions: set[str], key: str) -> list[dict[str, Any]]:
    """What may follow, with one more thing said of some lesions."""
    rests = {row.get("lesion"): row for row in table.get("rest", [])}
    for name in sorted(lesions):
        rests[name] = {**rests.get(name, {"lesion": name}), key: True}
    return list(rests.values())
