"""A schedule and its verdict in the cells of a table: sites, doses, drugs, limits used up."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import course_days

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule


def sites(schedule: Schedule | None, instance: Instance) -> list[str]:
    """Lesions that receive a fraction, in the order of the case."""
    treated = {fraction.lesion for fraction in schedule.fractions} if schedule else set()
    return [lesion.name for lesion in instance.lesions if lesion.name in treated]


def doses(schedule: Schedule | None, instance: Instance) -> list[str]:
    """Like `lung 5x8 d0`, or `lung 10x3 2/day modulated d0 every 7 d`.

    Doses that vary are told by their sum; days that are no rhythm by the first and the last.
    """
    cells = []
    for name in sites(schedule, instance):
        assert schedule is not None
        fractions = schedule.course(name)
        levels = {dose for _, dose, _ in fractions}
        total = sum(dose for _, dose, _ in fractions)
        dose_words = f"x{fractions[0][1]:g}" if len(levels) == 1 else ""
        words = [
            name,
            f"{len(fractions)}{dose_words}" if dose_words else f"{total:g} in {len(fractions)}",
        ]
        days = tuple(sorted({day for day, _, _ in fractions}))
        a_day = set(Counter(day for day, _, _ in fractions).values())
        if len(a_day) == 1 and a_day != {1}:
            words.append(f"{a_day.pop()}/day")
        interval = _interval(days, instance)
        if technique := schedule.technique(name):
            words.append(technique)
        words.append(f"d{days[0]}" if interval is not None else f"d{days[0]}-{days[-1]}")
        if interval is not None and interval > 1:
            words.append(f"every {interval} d")
        cells.append(" ".join(words))
    return cells


def _interval(days: tuple[int, ...], instance: Instance) -> int | None:
    """Interval that gives these days: 1 if it does, the one between all of them, the least.

    None if there is no such interval.
    """
    between = {after - before for before, after in pairwise(days)} or {1}
    tried: list[int] = [1, *(between if len(between) == 1 else range(2, max(between) + 1))]
    for interval in tried:
        if course_days(instance.calendar, days[0], len(days), interval) == days:
            return interval
    return None


def drug_starts(schedule: Schedule | None) -> list[str]:
    """Like `pembrolizumab d14`."""
    starts: dict[str, int] = {}
    for infusion in schedule.infusions if schedule else ():
        starts[infusion.drug] = min(infusion.day, starts.get(infusion.drug, infusion.day))
    return [f"{drug} d{day}" for drug, day in sorted(starts.items())]


def binding(evaluation: Evaluation | None) -> list[str]:
    """Limits that are used up."""
    return [use.name for use in evaluation.limits if use.binding] if evaluation else []


def proof(result: Result) -> dict[str, Any]:
    """What is proved of an answer."""
    return {
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "gap_unit": result.unit,
    }


def answer(result: Result, instance: Instance) -> dict[str, Any]:
    """What an answer does, and the limits that it uses up."""
    return {
        "sites": sites(result.schedule, instance),
        "doses": doses(result.schedule, instance),
        "drug_starts": drug_starts(result.schedule),
        "binding_limits": binding(result.evaluation),
    }


def proof_text(row: Mapping[str, Any]) -> list[str]:
    """Status, objective, bound, gap and unit of a row with the cells of `proof`."""
    numbers = (row[key] for key in ("objective", "bound", "gap"))
    shown = ("-" if number is None else f"{number:.4f}" for number in numbers)
    return [row["status"], *shown, row["gap_unit"]]


def answer_text(row: Mapping[str, Any]) -> list[str]:
    """Doses and starts of drugs of a row with the cells of `answer`."""
    return [", ".join(row[key]) or "-" for key in ("doses", "drug_starts")]
