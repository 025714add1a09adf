"""A schedule: who receives what on which day. Read, written and compared as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from abscopt.instances.history.doses import resumed_doses
from abscopt.instances.history.events import FractionEntry, InfusionEntry
from abscopt.instances.history.past import past_of
from abscopt.instances.history.rests import resumed_fractions
from abscopt.instances.history.standard import GivenDose, GivenFraction, standard_events
from abscopt.instances.load import InputError, Problem, problems_of
from abscopt.instances.reading.problems import first_of
from abscopt.instances.regimens import dose_problem
from abscopt.instances.tables.calendar import date_of
from abscopt.instances.tables.fields import Table

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.instances.history.past import Past
    from abscopt.instances.schema import Instance


SCHEDULE_COLUMNS = (
    "date", "day", "kind", "what", "amount", "unit", "fraction_of_day", "technique",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Fraction:
    """One fraction of one lesion; `slot` 0, 1, 2 is its position in the day."""

    day: int
    lesion: str
    dose_gy: float
    slot: int = 0
    technique: str = ""

    def to_json(self, instance: Instance) -> dict[str, Any]:
        """Plain data; position in the day and technique only where there is a choice."""
        document: dict[str, Any] = {
            "lesion": self.lesion,
            "day": self.day,
            "date": date_of(instance.calendar, self.day).isoformat(),
            "dose_gy": self.dose_gy,
        }
        if self.slot > 0:
            document["fraction_of_day"] = self.slot + 1
        if self.technique:
            document["technique"] = self.technique
        return document


@dataclass(frozen=True, order=True)
class Infusion:
    """One dose of one drug."""

    day: int
    drug: str
    dose_mg: float


@dataclass(frozen=True)
class Schedule:
    """Fractions and infusions, each sorted by day."""

    fractions: tuple[Fraction, ...] = ()
    infusions: tuple[Infusion, ...] = ()

    @classmethod
    def of(cls, fractions: Iterable[Fraction], infusions: Iterable[Infusion]) -> Schedule:
        """Schedule from fractions and infusions in any order."""
        return cls(tuple(sorted(fractions)), tuple(sorted(infusions)))

    def course(self, lesion: str) -> tuple[tuple[int, float, int], ...]:
        """(day, Gy, slot) of one lesion's fractions in the order in which they are given."""
        fractions = ((f.day, f.dose_gy, f.slot) for f in self.fractions if f.lesion == lesion)
        return tuple(sorted(fractions, key=lambda fraction: (fraction[0], fraction[2])))

    def techniques(self, lesion: str) -> tuple[str, ...]:
        """Technique of each fraction of `course`, in its order."""
        ways = sorted((f.day, f.slot, f.technique) for f in self.fractions if f.lesion == lesion)
        return tuple(way for _, _, way in ways)

    def technique(self, lesion: str) -> str | None:
        """Techniques of a lesion in their order, `ebrt+hdr`; None without fractions."""
        ways = dict.fromkeys(self.techniques(lesion))
        return "+".join(ways) if ways else None

    def to_json(self, instance: Instance) -> dict[str, Any]:
        """Plain data with dates (interface `schedule` of a result)."""
        calendar = instance.calendar
        return {
            "fractions": [f.to_json(instance) for f in self.fractions],
            "doses_of_drugs": [
                {
                    "agent": i.drug,
                    "day": i.day,
                    "date": date_of(calendar, i.day).isoformat(),
                    "dose_mg": i.dose_mg,
                }
                for i in self.infusions
            ],
        }

    def frame(self, instance: Instance) -> pd.DataFrame:
        """One row per fraction or infusion; columns `SCHEDULE_COLUMNS`."""
        import pandas as pd

        return pd.DataFrame(self.rows(instance), columns=list(SCHEDULE_COLUMNS))

    def rows(self, instance: Instance) -> list[dict[str, Any]]:
        """Plain data of every fraction and infusion by day, with the keys `SCHEDULE_COLUMNS`."""
        events: list[tuple[Any, ...]] = [
            (f.day, "radiation", f.lesion, f.slot, f.dose_gy, "Gy", f.slot + 1, f.technique)
            for f in self.fractions
        ]
        events += [(i.day, "drug", i.drug, 0, i.dose_mg, "mg", None, "") for i in self.infusions]
        return [
            {
                "date": date_of(instance.calendar, day),
                "day": day,
                "kind": kind,
                "what": what,
                "amount": amount,
                "unit": unit,
                "fraction_of_day": of_day,
                "technique": technique,
            }
            for day, kind, what, _, amount, unit, of_day, technique in sorted(
                events, key=lambda event: event[:4]
            )
        ]


class ScheduleFile(Table):
    """The `schedule` table of a result, or a schedule file of its own."""

    fractions: Annotated[tuple[FractionEntry, ...], Field(max_length=20_000)] = ()
    doses_of_drugs: Annotated[tuple[InfusionEntry, ...], Field(max_length=20_000)] = ()


def read_schedule(raw: Any, instance: Instance, label: str) -> Schedule:
    """Schedule from parsed JSON, checked against the case; raises InputError."""
    import json

    try:
        entry = ScheduleFile.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise InputError(first_of(problems_of(error, label))) from None
    problems = first_of(_problems(entry, instance, label))
    if problems:
        raise InputError(problems)
    calendar = instance.calendar
    return Schedule.of(
        (
            Fraction(f.on(calendar), f.lesion, f.dose_gy, f.fraction_of_day - 1, f.technique or "")
            for f in entry.fractions
        ),
        (Infusion(i.on(calendar), i.agent, i.dose_mg) for i in entry.doses_of_drugs),
    )


def _problems(entry: ScheduleFile, instance: Instance, label: str) -> Iterator[Problem]:
    seen: set[tuple[str, int, int]] = set()
    rows = [(f"fractions[{i}]", fraction) for i, fraction in enumerate(entry.fractions)]
    for place, row in rows:
        yield from _fraction_problems(place, row, instance, label)
        yield from _day_problems(place, row, instance, label)
        day = row.on(instance.calendar)
        key = (row.lesion, day, row.fraction_of_day)
        if key in seen:
            rule = (
                f"{row.lesion} appears twice on this day: a second fraction has fraction_of_day 2"
            )
            if row.fraction_of_day > 1:
                rule += f" with fraction_of_day {row.fraction_of_day}"
            yield Problem(label, f"{place}.day", str(day), rule)
        seen.add(key)
    for place, row in rows:
        day = row.on(instance.calendar)
        if row.fraction_of_day > 1 and (row.lesion, day, row.fraction_of_day - 1) not in seen:
            rule = f"{row.lesion} has no fraction {row.fraction_of_day - 1} on day {day}"
            yield Problem(label, f"{place}.fraction_of_day", str(row.fraction_of_day), rule)
    yield from _infusion_problems(entry, instance, label)


def _fraction_problems(
    place: str, row: FractionEntry, instance: Instance, label: str
) -> Iterator[Problem]:
    """Whether the lesion is there to be irradiated, in this way and on this day."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    lesion = lesions.get(row.lesion)
    if lesion is None:
        yield Problem(label, f"{place}.lesion", row.lesion, f"unknown; known {sorted(lesions)}")
        return
    if not lesion.irradiable:
        yield Problem(label, f"{place}.lesion", row.lesion, "must be an irradiable lesion")
        return
    ways = {way.name: way for way in lesion.ways}
    if (row.technique or "") not in ways:
        techniques = sorted(name for name in ways if name)
        rule = (
            f"must be one of {techniques}" if techniques else f"{row.lesion} states no techniques"
        )
        yield Problem(label, f"{place}.technique", str(row.technique), rule)
        return
    day = row.on(instance.calendar)
    if any(
        not isinstance(factor, float) and day not in factor.days
        for points in (lesion.sparing | ways[row.technique or ""].sparing).values()
        for factor in points.values()
    ):
        yield Problem(label, f"{place}.day", str(day), "no sparing factor on this day")


def _day_problems(
    place: str, row: FractionEntry | InfusionEntry, instance: Instance, label: str
) -> Iterator[Problem]:
    """Whether the day is inside the case and fits its date."""
    day = row.on(instance.calendar)
    where, value = ("date", str(row.date)) if row.day is None else ("day", str(row.day))
    if day >= instance.days:
        rule = f"outside the horizon of {instance.days} days"
        yield Problem(label, f"{place}.{where}", value, rule)
        return
    if day < 0:
        rule = f"before day 0 of this case, {instance.calendar.start_date}"
        yield Problem(label, f"{place}.{where}", value, rule)
        return
    expected = date_of(instance.calendar, day)
    if row.date is not None and row.date != expected:
        rule = f"day {day} of this case is {expected}"
        yield Problem(label, f"{place}.date", str(row.date), rule)


def _infusion_problems(entry: ScheduleFile, instance: Instance, label: str) -> Iterator[Problem]:
    seen: set[tuple[str, int]] = set()
    for i, row in enumerate(entry.doses_of_drugs):
        place = f"doses_of_drugs[{i}]"
        if row.agent not in instance.drugs:
            drugs = sorted(instance.drugs)
            yield Problem(label, f"{place}.agent", row.agent, f"unknown; known {drugs}")
        elif (rule := dose_problem(instance, row.agent, row.dose_mg)) is not None:
            yield Problem(label, f"{place}.dose_mg", f"{row.dose_mg:g}", rule)
        yield from _day_problems(place, row, instance, label)
        day = row.on(instance.calendar)
        if (row.agent, day) in seen:
            rule = f"{row.agent} appears twice on this day"
            yield Problem(label, f"{place}.day", str(day), rule)
        seen.add((row.agent, day))


def given_schedule(instance: Instance) -> Schedule:
    """What was given before today; empty where nothing has begun."""
    past = past_of(instance)
    return Schedule() if past is None else schedule_of_events(past.fractions, past.doses)


def resumed_schedule(instance: Instance) -> Schedule | None:
    """What was given and the plan resumed as soon as the calendar allows; None without a plan."""
    past = past_of(instance)
    if past is None or past.planned_fractions is None:
        return None
    fractions = [
        (day, lesion.name, gy, slot, way)
        for lesion in instance.lesions
        for day, gy, slot, way in resumed_fractions(instance, lesion) or _given(past, lesion.name)
        if day < instance.days
    ]
    doses = [
        (day, drug, milligrams)
        for agent in instance.agents
        for drug, day, milligrams in resumed_doses(instance, agent)
    ]
    return schedule_of_events(fractions, doses)


def _given(past: Past, lesion: str) -> Iterator[tuple[int, float, int, str]]:
    """Day, Gy, position in the day and technique of what a lesion has received."""
    ways = past.ways(lesion)
    return ((*fraction, way) for fraction, way in zip(past.course(lesion), ways, strict=True))


def schedule_of_events(fractions: Iterable[GivenFraction], doses: Iterable[GivenDose]) -> Schedule:
    """Schedule from plain events."""
    return Schedule.of(
        (Fraction(day, name, gy, slot, way) for day, name, gy, slot, way in fractions),
        (Infusion(day, drug, milligrams) for day, drug, milligrams in doses),
    )


def standard_schedule(instance: Instance) -> Schedule | None:
    """The case's standard regimen as a schedule; None without one, or if treatment has begun."""
    standard = instance.standard
    if standard is None or instance.delivered is not None:
        return None
    return schedule_of_events(*standard_events(instance, standard))
