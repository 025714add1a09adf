"""What two plans may differ in, as codes of courses and systemic plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, IntArray
from abscopt.optimizer.search.uniform.near import Classes, Part

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.systemic.plans import Plan
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.near import Near

DIFFER = ("sites", "dose", "fractions", "drug-start", "days")
"""What alternatives may be asked to differ in; else lesions, n, d, technique and regimen."""


def classes_of(candidates: Candidates, differ: str | None) -> Classes:
    """Schedules alike in what they may be asked to differ in.

    By default in lesions treated, number of fractions, fractions a day, dose, technique and
    regimens.
    """
    lesions = tuple(_numbered(*_columns(table.menu, differ)) for table in candidates.lesions)
    return Classes(_of_plans(candidates, differ), lesions, by_days=differ == "days")


def _columns(menu: Menu, differ: str | None) -> list[IntArray]:
    """(courses,) columns of numbers whose equality makes two courses of a lesion alike."""
    dose = np.unique(menu.level, return_inverse=True)[1].reshape(-1)
    treated = (np.arange(len(menu)) > 0).astype(np.int64)
    # Patterns of phases may differ in techniques alone.
    days = np.unique(menu.patterns.days, axis=0, return_inverse=True)[1].reshape(-1)
    by_name: dict[str, list[IntArray]] = {
        "sites": [treated],
        "dose": [treated, dose],
        "fractions": [menu.fractions, menu.per_day * treated],
        "drug-start": [np.zeros_like(treated)],
        "days": [days[menu.pattern]],
    }
    everything = [menu.fractions, menu.per_day * treated, dose, menu.technique, treated]
    return [np.asarray(column) for column in by_name.get(differ or "", everything)]


def _numbered(*columns: IntArray) -> IntArray:
    """(n,) equal numbers where all columns are equal."""
    number: IntArray = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1]
    return number.reshape(-1)


def _of_plans(candidates: Candidates, differ: str | None) -> IntArray:
    """(plans,) codes of systemic plans."""
    if differ == "drug-start":
        names: list[Hashable] = [
            tuple(sorted(first_days(plan).items())) for plan in candidates.plans
        ]
    elif differ is None:
        names = [regimens(plan) for plan in candidates.plans]
    else:
        names = [()] * len(candidates.plans)
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.int64)


def first_days(plan: Plan) -> dict[str, int]:
    """First day of each drug."""
    days: dict[str, int] = {}
    for drug, day, _ in plan.doses:
        days[drug] = min(day, days.get(drug, day))
    return days


def regimens(plan: Plan) -> tuple[Hashable, ...]:
    """Per agent its regimen, or what is given where the rest of a treatment has no name."""
    return tuple(
        option.regimen or tuple(sorted({(drug, mg) for drug, _, mg in option.doses}))
        for option in plan.options
    )


def parts_that_differ(
    candidates: Candidates, differ: str | None, optimum: Near
) -> Iterator[tuple[str, Part]]:
    """Parts of a case in which one decision is another than in the optimum, with words for each.

    Every schedule that is of another class than the optimum is in one of them, but for days.
    """
    every_plan = np.ones(len(candidates.plans), dtype=bool)
    every_course = [np.ones(len(table.menu), dtype=bool) for table in candidates.lesions]
    for s, table in enumerate(candidates.lesions):
        name = candidates.lesion_of(table).name
        for words, mask in _other_courses(table.menu, int(optimum.row[s]), differ):
            if mask.any():
                courses = (*every_course[:s], mask, *every_course[s + 1 :])
                yield words.format(name), Part(every_plan, courses)
    for words, mask in _other_plans(candidates.plans, candidates.plans[optimum.plan], differ):
        if mask.any():
            yield words, Part(mask, tuple(every_course))


def _other_courses(menu: Menu, course: int, differ: str | None) -> Iterator[tuple[str, BoolArray]]:
    """(courses,) masks of the courses of a lesion that differ in one way from its own."""
    treated = np.arange(len(menu)) > 0
    if differ in (None, "sites"):
        words = "{} not irradiated" if course else "{} irradiated"
        yield words, ~treated if course else treated
    if not course or differ in ("sites", "drug-start", "days"):
        return
    number = menu.fractions != menu.fractions[course]
    dose = np.asarray(menu.level != menu.level[course])
    a_day = menu.per_day != menu.per_day[course]
    if differ in (None, "fractions"):
        yield "{} in another number of fractions", treated & (number | a_day)
    if differ == "dose":
        yield "{} with another dose per fraction", treated & dose
    if differ is None:
        yield "{} with another dose per fraction", treated & dose & ~number & ~a_day
        technique = menu.technique != menu.technique[course]
        yield "{} by another technique", treated & technique & ~number & ~a_day & ~dose


def _other_plans(
    plans: Sequence[Plan], chosen: Plan, differ: str | None
) -> Iterator[tuple[str, BoolArray]]:
    """(plans,) masks of the plans that differ in one agent's regimen, or in one drug's start."""
    if differ is None:
        of_chosen = regimens(chosen)
        for i, regimen in enumerate(of_chosen):
            yield "another regimen", np.array([regimens(plan)[i] != regimen for plan in plans])
    if differ == "drug-start":
        days = first_days(chosen)
        for drug in sorted({drug for plan in plans for drug in first_days(plan)}):
            mask = [first_days(plan).get(drug) != days.get(drug) for plan in plans]
            yield f"{drug} from another day", np.array(mask)
