"""How a schedule differs from the optimum, in words and by what differs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

MOST_NAMED = 8
"""Days that are read one by one: those of stereotactic courses."""
TIMING = ("drug-start", "days")


@dataclass(frozen=True)
class Difference:
    """One decision that is another one.

    Attributes
    ----------
    aspect : `sites`, `regimen`, `technique`, `fractions`, `dose`, `drug-start` or `days`
    name : of the lesion or drug
    words : such as `liver 4 x 12 Gy, not 3 x 14 Gy`
    """

    aspect: str
    name: str
    words: str


def differences(case: Instance, schedule: Schedule, optimum: Schedule) -> tuple[Difference, ...]:
    """Every decision in which a schedule is another than the optimum, lesions first."""
    differing = [
        difference
        for lesion in case.lesions
        for difference in _of_lesion(lesion.name, schedule, optimum)
    ]
    drugs = sorted({i.drug for plan in (schedule, optimum) for i in plan.infusions})
    for drug in drugs:
        differing += _of_drug(drug, schedule, optimum)
    return tuple(differing)


def _of_lesion(name: str, schedule: Schedule, optimum: Schedule) -> Iterator[Difference]:
    course, usual = schedule.course(name), optimum.course(name)
    if not course or not usual:
        if course:
            yield Difference("sites", name, f"{name} {_dose(course)}, not spared")
        if usual:
            yield Difference("sites", name, f"{name} not irradiated")
        return
    way, usual_way = schedule.technique(name), optimum.technique(name)
    if way != usual_way:
        yield Difference("technique", name, f"{name} by {way}, not {usual_way}")
    words = f"{name} {_dose(course)}, not {_dose(usual)}"
    a_day, usual_a_day = _most_a_day(course), _most_a_day(usual)
    other_number = (len(course), a_day) != (len(usual), usual_a_day)
    other_dose = sorted({d for _, d, _ in course}) != sorted({d for _, d, _ in usual})
    if other_number:
        if a_day != usual_a_day:
            words += f", {a_day} a day, not {usual_a_day}"
        yield Difference("fractions", name, words)
    if other_dose:
        yield Difference("dose", name, words)
    days, usual_days = ([day for day, _, _ in fractions] for fractions in (course, usual))
    if days != usual_days:
        yield Difference("days", name, f"{name} on {_days(days)}, not {_days(usual_days)}")


def _days(days: list[int]) -> str:
    """`days 0 2 4`; of long courses the first and the last day and how many."""
    named = sorted(set(days))
    if len(named) <= MOST_NAMED:
        return f"days {' '.join(map(str, named))}"
    return f"{len(named)} days {named[0]}-{named[-1]}"


def _dose(course: tuple[tuple[int, float, int], ...]) -> str:
    """`3 x 14 Gy`; doses that vary by their sum."""
    doses = {dose for _, dose, _ in course}
    if len(doses) == 1:
        return f"{len(course)} x {course[0][1]:g} Gy"
    return f"{sum(dose for _, dose, _ in course):g} Gy in {len(course)}"


def _most_a_day(course: tuple[tuple[int, float, int], ...]) -> int:
    days = [day for day, _, _ in course]
    return max(days.count(day) for day in set(days))


def _of_drug(drug: str, schedule: Schedule, optimum: Schedule) -> Iterator[Difference]:
    doses, usual = (
        [(i.day, i.dose_mg) for i in plan.infusions if i.drug == drug]
        for plan in (schedule, optimum)
    )
    if not doses or not usual:
        words = f"{drug} {_regimen(doses)}, not left out" if doses else f"no {drug}"
        yield Difference("regimen", drug, words)
        return
    if _regimen(doses) != _regimen(usual):
        words = f"{drug} {_regimen(doses)}, not {_regimen(usual)}"
        yield Difference("regimen", drug, words)
    if doses[0][0] != usual[0][0]:
        words = f"{drug} from day {doses[0][0]}, not {usual[0][0]}"
        yield Difference("drug-start", drug, words)
    elif _regimen(doses) == _regimen(usual) and doses != usual:
        words = (
            f"{drug} {len(doses)} doses to day {doses[-1][0]}, not {len(usual)} to {usual[-1][0]}"
        )
        yield Difference("regimen", drug, words)


def _regimen(doses: list[tuple[int, float]]) -> str:
    """`200 mg every 21 d`: doses, and the usual distance of two."""
    amounts = "/".join(f"{mg:g}" for mg in sorted({mg for _, mg in doses}))
    days = [day for day, _ in doses]
    apart = [after - before for before, after in itertools.pairwise(days)]
    rhythm = f" every {max(set(apart), key=apart.count)} d" if apart else " once"
    return f"{amounts} mg{rhythm}"


def group_of(differing: tuple[Difference, ...]) -> tuple[tuple[str, str], ...]:
    """What differs, days of fractions and infusions only where nothing else does."""
    decisions = [d for d in differing if d.aspect not in TIMING] or list(differing)
    return tuple((d.aspect, d.name) for d in decisions)


def heading_of(group: tuple[tuple[str, str], ...]) -> str:
    """`dose (liver, lung), fractions (liver)`."""
    by_aspect: dict[str, list[str]] = {}
    for aspect, name in group:
        by_aspect.setdefault(aspect, []).append(name)
    return ", ".join(f"{aspect} ({', '.join(names)})" for aspect, names in by_aspect.items())
