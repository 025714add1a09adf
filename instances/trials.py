"""Arms of published trials: schedules with their sources, and what came of them.

The arms are `library/trials.toml`. Day 0 is the first treatment day of anything, and a Monday.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from abscopt.instances.load import InputError, Problem, library
from abscopt.instances.tables.fields import (
    Count,
    Day,
    FractionDose,
    Name,
    NonNegative,
    Positive,
    Status,
    Table,
)

SATURDAY = 5
MOST_PER_DAY = 3

Sites = Annotated[int, Field(ge=1, le=40)]


class TrialCourse(Table):
    """Equal fractions to each of `min_sites`-`max_sites` lesions.

    `days` has one entry per fraction: a day that is listed twice has two. `sites` is the number
    of lesions irradiated unless they are named; `max_sites` if absent.
    """

    fractions: Count
    dose_gy: FractionDose
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=200)]
    min_sites: Sites
    max_sites: Sites
    sites: Sites | None = None
    target: str | None = None
    status: Status = Field(description="of number and dose of the fractions")
    days_status: Status
    note: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.days) != self.fractions:
            raise ValueError("days must have one entry per fraction")
        if list(self.days) != sorted(self.days):
            raise ValueError("days must not decrease")
        if max(Counter(self.days).values()) > MOST_PER_DAY:
            raise ValueError(f"at most {MOST_PER_DAY} fractions a day")
        if any(day % 7 >= SATURDAY for day in self.days):
            raise ValueError("fractions fall on weekdays when day 0 is a Monday")
        if not self.min_sites <= self.usual_sites <= self.max_sites:
            raise ValueError("sites must lie between min_sites and max_sites")
        return self

    @property
    def usual_sites(self) -> int:
        """Number of lesions irradiated where the case has enough and none are named."""
        return self.max_sites if self.sites is None else self.sites


class TrialInfusions(Table):
    """Equal doses of one library drug on the days listed."""

    drug: Name
    amount: Positive
    unit: Literal["mg", "mg_per_kg", "mg_per_m2", "auc"]
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=100)]
    status: Status = Field(description="of drug and dose")
    days_status: Status
    note: str | None = None


class Published(Table):
    """Outcome as published; absent numbers were not found.

    `hr_pfs` and `pfs_months` are event-free where the trial reports that (early stage);
    `status` covers every number here.
    """

    result: str
    orr_pct: NonNegative | None = Field(default=None, description="objective response")
    oof_orr_pct: NonNegative | None = Field(default=None, description="response out of field")
    hr_pfs: Positive | None = Field(default=None, description="against the trial's comparator")
    hr_os: Positive | None = Field(default=None, description="against the trial's comparator")
    pfs_months: Positive | None = Field(default=None, description="median")
    os_months: Positive | None = Field(default=None, description="median")
    status: Status
    note: str | None = None


class TrialArm(Table):
    """One arm: radiation (none, or one entry per dose level), drugs, chemotherapy, outcome.

    `case` is the bundled case on which the arm is judged in the documentation.
    """

    name: Name
    title: str
    trial: str
    year: Annotated[int, Field(ge=1990, le=2100)]
    arm: str
    setting: str
    case: Name
    source: str
    doi: str | None = None
    note: str | None = None
    contested: str | None = Field(
        default=None, description="what speaks for and against, where that is an open question"
    )
    radiation: tuple[TrialCourse, ...] = ()
    drugs: tuple[TrialInfusions, ...] = ()
    chemotherapy: tuple[TrialInfusions, ...] = ()
    published: Published | None = Field(default=None, description="absent if none was read")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        days = [day for course in self.radiation for day in course.days]
        given = [(entry.drug, day) for entry in self.infusions for day in entry.days]
        twice = [f"{drug} on day {day}" for (drug, day), n in Counter(given).items() if n > 1]
        if twice:
            raise ValueError(f"given twice: {', '.join(twice)}")
        if min([*days, *(day for _, day in given)], default=None) != 0:
            raise ValueError("the first treatment must be on day 0")
        return self

    @property
    def infusions(self) -> tuple[TrialInfusions, ...]:
        """Drugs and chemotherapy."""
        return (*self.drugs, *self.chemotherapy)

    @property
    def least_sites(self) -> int:
        """Number of lesions that a case must have for the arm; 0 without radiation."""
        return sum(course.min_sites for course in self.radiation)

    @property
    def most_sites(self) -> int:
        """Largest number of lesions that the arm irradiates."""
        return sum(course.max_sites for course in self.radiation)

    def statuses(self) -> Iterator[tuple[str, Status, Status]]:
        """('radiation' or a drug, status of its dose, status of its days), in the arm's order."""
        for course in self.radiation:
            yield "radiation", course.status, course.days_status
        for entry in self.infusions:
            yield entry.drug, entry.status, entry.days_status

    def days_summary(self) -> str:
        """How well the days are known, in one line; doses that are worse known are marked."""
        by_status: dict[str, list[str]] = {}
        for what, dose, days in self.statuses():
            named = by_status.setdefault(days, [])
            weak = dose in ("recalled", "assumed") and dose != days
            text = f"{what} (dose {dose})" if weak else what
            if text not in named:
                named.append(text)
        return "; ".join(f"{', '.join(named)}: {status}" for status, named in by_status.items())


@lru_cache(maxsize=1)
def trial_arms() -> dict[str, TrialArm]:
    """Every arm of the library by name, in the order of the file; checked once."""
    return {
        name: TrialArm.model_validate_json(json.dumps({"name": name, **entry}))
        for name, entry in library("trials").items()
    }


def trial_arm(name: str, label: str = "trials") -> TrialArm:
    """One arm of the library; raises InputError, with `label` as the file, if there is none."""
    arms = trial_arms()
    if name not in arms:
        rule = f"no such trial arm; known: {sorted(arms)}"
        raise InputError([Problem(label, "regimen", name[:80], rule)])
    return arms[name]
