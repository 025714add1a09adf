"""A schedule: who receives what on which day. Read, written and compared as plain data."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from abscopt.instances.calendar import course_days, date_of
from abscopt.instances.fields import Day, FractionDose, Name, Positive, Table
from abscopt.instances.load import InputError, Problem, problems_of
from abscopt.instances.regimens import infusions

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.instances.schema import Instance


@dataclass(frozen=True, order=True)
class Fraction:
    """One fraction of one lesion."""

    day: int
    lesion: str
    dose_gy: float


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

    def course(self, lesion: str) -> tuple[tuple[int, float], ...]:
        """(day, Gy) of one lesion's fractions in order of day."""
        return tuple((f.day, f.dose_gy) for f in self.fractions if f.lesion == lesion)

    def to_json(self, instance: Instance) -> dict[str, Any]:
        """Plain data with dates (interface `schedule` of a result)."""
        calendar = instance.calendar
        return {
            "fractions": [
                {
                    "lesion": f.lesion,
                    "day": f.day,
                    "date": date_of(calendar, f.day).isoformat(),
                    "dose_gy": f.dose_gy,
                }
                for f in self.fractions
            ],
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
        """One row per fraction or infusion: date, day, what, amount, unit."""
        import pandas as pd

        rows = [(f.day, "radiation", f.lesion, f.dose_gy, "Gy") for f in self.fractions]
        rows += [(i.day, "drug", i.drug, i.dose_mg, "mg") for i in self.infusions]
        frame = pd.DataFrame(sorted(rows), columns=["day", "kind", "what", "amount", "unit"])
        frame.insert(0, "date", [date_of(instance.calendar, day) for day in frame["day"]])
        return frame


class FractionEntry(Table):
    """A fraction as written in a schedule file."""

    lesion: Name
    day: Day
    date: datetime.date | None = None
    dose_gy: FractionDose


class InfusionEntry(Table):
    """An infusion as written in a schedule file."""

    agent: Name
    day: Day
    date: datetime.date | None = None
    dose_mg: Positive


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
        raise InputError(list(problems_of(error, label))) from None
    problems = list(_problems(entry, instance, label))
    if problems:
        raise InputError(problems)
    return Schedule.of(
        (Fraction(f.day, f.lesion, f.dose_gy) for f in entry.fractions),
        (Infusion(i.day, i.agent, i.dose_mg) for i in entry.doses_of_drugs),
    )


def _problems(entry: ScheduleFile, instance: Instance, label: str) -> Iterable[Problem]:
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    seen: set[tuple[str, str, int]] = set()
    rows: list[tuple[str, str, FractionEntry | InfusionEntry]] = [
        (f"fractions[{i}]", f.lesion, f) for i, f in enumerate(entry.fractions)
    ]
    rows += [(f"doses_of_drugs[{i}]", d.agent, d) for i, d in enumerate(entry.doses_of_drugs)]
    for place, who, row in rows:
        if isinstance(row, FractionEntry):
            if who not in lesions:
                yield Problem(label, f"{place}.lesion", who, f"unknown; known {sorted(lesions)}")
            elif not lesions[who].irradiable:
                yield Problem(label, f"{place}.lesion", who, "must be an irradiable lesion")
            elif any(
                not isinstance(factor, float) and row.day not in factor.days
                for points in lesions[who].sparing.values()
                for factor in points.values()
            ):
                yield Problem(label, f"{place}.day", str(row.day), "no sparing factor on this day")
        elif who not in instance.drugs:
            known = sorted(instance.drugs)
            yield Problem(label, f"{place}.agent", who, f"unknown; known {known}")
        if row.day >= instance.days:
            rule = f"outside the horizon of {instance.days} days"
            yield Problem(label, f"{place}.day", str(row.day), rule)
        expected = date_of(instance.calendar, row.day)
        if row.date is not None and row.date != expected:
            rule = f"day {row.day} of this case is {expected}"
            yield Problem(label, f"{place}.date", str(row.date), rule)
        key = (place[0], who, row.day)
        if key in seen:
            yield Problem(label, f"{place}.day", str(row.day), f"{who} appears twice on this day")
        seen.add(key)


def standard_schedule(instance: Instance) -> Schedule | None:
    """The case's standard regimen as a schedule; None if it states none."""
    standard = instance.standard
    if standard is None:
        return None
    fractions = []
    for course in standard.courses:
        days = course_days(
            instance.calendar, course.start_day, course.fractions, course.interval_days
        )
        assert days is not None  # checked with the instance
        fractions += [Fraction(day, course.lesion, course.dose_gy) for day in days]
    doses = []
    for given in standard.agents:
        agent = next(agent for agent in instance.agents if agent.name == given.agent)
        regimen = given.regimen or agent.regimens[0]
        cycles = agent.cycles if given.cycles is None else given.cycles
        for drug, day, milligrams in infusions(instance, regimen, given.start_day, cycles):
            doses.append(Infusion(day, drug, milligrams))
    return Schedule.of(fractions, doses)
