"""What fewer visits, lesions or days cost, more lymphocytes or less toxicity: points not dominated.

The epsilon-constraint method (Haimes, Lasdon and Wismer 1971): solve; ask for a measure that is
better than the answer's by a step; solve again, until there is none. The answer k is within its gap
of the best of all schedules whose measure is at most cap_k, and has measure m_k itself, so for
each cap from m_k to cap_k it is within the gap of the best, too: no point is missed.

Points are solved briefly (`solve`): each begins with what the last one left, and no cheap schedules
are judged beside it. In their place every bound is held against the answers that follow, which are
schedules of the earlier cases, too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abscopt.instances.limits import AlcLimit, LogisticsLimit
from abscopt.instances.load import InputError, Problem, case_of
from abscopt.optimizer.crosscheck import cells
from abscopt.optimizer.fronts.toxicity_factor import percent_needed, scaled_limits, with_percent
from abscopt.optimizer.highs.mip import DoubtError
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.process import interrupts
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.results.result import (
    DISCLAIMER,
    heading,
    versions,
)
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines
from abscopt.optimizer.solved import JUDGE_TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.results.result import Result

MOST_POINTS = 100
COUNT_STEP = 0.01
"""Of lymphocyte counts, in 1e9/L: less is below the error of a blood count."""
NAME = "pareto-measure"
COLUMNS = (
    "measure", "status", "objective", "bound", "gap", "gap_unit", "sites", "doses", "drug_starts",
    "binding_limits",
)  # fmt: skip


def _visits(result: Result) -> float:
    assert result.schedule is not None
    return float(len({fraction.day for fraction in result.schedule.fractions}))


def _sites(result: Result) -> float:
    assert result.schedule is not None
    return float(len({fraction.lesion for fraction in result.schedule.fractions}))


def _days(result: Result) -> float:
    assert result.schedule is not None
    days = [fraction.day for fraction in result.schedule.fractions]
    return float(max(days) - min(days) + 1) if days else 0.0


def _nadir(result: Result) -> float:
    assert result.evaluation is not None
    return float(result.evaluation.lymphocytes["nadir_1e9_per_l"])


def _percent(result: Result) -> float:
    assert result.schedule is not None and result.case is not None
    return float(percent_needed(result.case, result.schedule))


MEASURES: dict[str, tuple[Callable[[Result], float], str]] = {
    "visits": (_visits, "days with fractions"),
    "sites": (_sites, "lesions treated"),
    "time": (_days, "days from the first fraction to the last"),
    "lymphocytes": (_nadir, "lowest count, 1e9/L"),
    "toxicity": (_percent, "percent of the limits on organs that it needs"),
}
"""By name: the measure of an answer, and what it is in words; all but lymphocytes to be small."""
QUANTITIES = {"visits": "visits", "sites": "lesions", "time": "overall_days"}


@dataclass(frozen=True)
class TradeOff:
    """Points that are not dominated, from the best objective on.

    Attributes
    ----------
    complete : whether no further point exists; else the number of points or the time ended it
    hypervolume : (of the points, of their bounds) area in measure times objective between the
        first and the last point, above the last point's objective
    """

    case: Instance
    against: str
    points: tuple[tuple[float, Result], ...]
    complete: bool
    hypervolume: tuple[float, float]


@raises_interrupted
def pareto(
    case: Instance | str | Path, against: str, *, count: int = MOST_POINTS, **options: Any
) -> TradeOff:
    """The points of a case in objective and a measure, each judged and proved.

    Parameters
    ----------
    against : `visits`, `sites`, `time`, `lymphocytes` or `toxicity`
    count : points at most
    options : those of `solve`, for each point

    Raises
    ------
    InputError
        If there is no such case or measure.
    """
    instance = case_of(case)
    if against not in MEASURES:
        rule = f"unknown; known {sorted(MEASURES)}"
        raise InputError([Problem(instance.name, "against", against, rule)])
    if against == "toxicity" and not any(map(scaled_limits, instance.limits)):
        rule = "the case has no hard limit on an organ"
        raise InputError([Problem(instance.name, "against", against, rule)])
    memory, points, complete = Memory(), list[tuple[float, "Result"]](), False
    restricted: Instance | None = instance
    while restricted is not None and len(points) < count:
        result = solve(restricted, memory=memory, brief=True, **options)
        _hold_against([earlier for _, earlier in points], result)
        if result.schedule is None:
            complete = result.status == "infeasible"
            break
        stopped = interrupts.asked()
        value = MEASURES[against][0](replace(result, case=instance))
        while points and (points[-1][1].objective or 0.0) <= (result.objective or 0.0):
            points.pop()  # within the gap the earlier answer was no better
        points.append((value, result))
        if stopped:
            break
        restricted = _better(instance, against, value)
        complete = restricted is None
    return TradeOff(instance, against, tuple(points), complete, _hypervolume(against, points))


def _hold_against(earlier: list[Result], result: Result) -> None:
    """Raise DoubtError where an answer refutes the bound of an earlier one, whose case is wider."""
    if result.objective is None:
        return
    slack = JUDGE_TOLERANCE * max(1.0, abs(result.objective))
    for wider in earlier:
        if wider.bound is not None and wider.bound < result.objective - slack:
            raise DoubtError(
                f"the bound {wider.bound!r} of a point lies below {result.objective!r} of a later "
                "one, which it should hold for: solve the case by itself"
            )


def _better(instance: Instance, against: str, value: float) -> Instance | None:
    """The case that asks for a better measure than a value; None if there is none."""
    if against == "lymphocytes":
        floor = round(math.floor(value / COUNT_STEP + 1e-9) * COUNT_STEP + COUNT_STEP, 12)
        if floor >= instance.lymphocytes.initial_1e9_per_l:
            return None
        return _with(instance, AlcLimit(kind="alc", floor_1e9_per_l=floor, **STATED))
    if against == "toxicity":
        if value < 2:
            return None
        return with_percent(instance, int(value) - 1)
    if value < 1:
        return None
    quantity: Any = QUANTITIES[against]
    cap = int(value) - 1
    return _with(instance, LogisticsLimit(kind="logistics", quantity=quantity, cap=cap, **STATED))


STATED: dict[str, Any] = {"name": NAME, "source": "trade-off", "status": "assumed"}


def _with(instance: Instance, limit: AnyLimit) -> Instance:
    return instance.unchecked({"limits": (*instance.limits, limit)})


def _hypervolume(against: str, points: list[tuple[float, Result]]) -> tuple[float, float]:
    """sum_k |m_k - m_(k+1)| (f_k - f_last), with objectives f and with bounds."""
    if not points:
        return 0.0, 0.0
    lowest = points[-1][1].objective or 0.0
    areas = [0.0, 0.0]
    for (value, result), (following, _) in itertools.pairwise(points):
        for i, height in enumerate((result.objective, result.bound)):
            areas[i] += abs(value - following) * ((height or 0.0) - lowest)
    return areas[0], areas[1]


def rows(trade: TradeOff) -> list[dict[str, Any]]:
    """One row of plain data per point."""
    return [
        {
            "measure": value,
            **cells.proof(result),
            **cells.answer(result, trade.case),
        }
        for value, result in trade.points
    ]


def document(trade: TradeOff) -> dict[str, Any]:
    """What `pareto --json` prints."""
    return {
        **heading("pareto", trade.case),
        "against": trade.against,
        "complete": trade.complete,
        "hypervolume": list(trade.hypervolume),
        "rows": rows(trade),
        "seconds": [round(result.solver.seconds, 3) for _, result in trade.points],
        "versions": versions(),
    }


def csv_text(trade: TradeOff) -> str:
    """The rows as CSV."""
    return csv_rows(COLUMNS, rows(trade))


def report(trade: TradeOff) -> str:
    """The points as a table for a person."""
    table = plain_table(
        f"{trade.case.name}: objective against {trade.against} ({MEASURES[trade.against][1]})",
        f">{trade.against.capitalize()}", "Status", ">Objective", ">Bound", ">Gap", "",
        "Doses (Gy, first day)", "Drug starts",
    )  # fmt: skip
    for row in rows(trade):
        table.add_row(f"{row['measure']:g}", *cells.proof_text(row), *cells.answer_text(row))
    end = "No other point exists." if trade.complete else "Further points were not looked for."
    low, high = trade.hypervolume
    area = f"Hypervolume  {low:.4f}, at most {high:.4f}"
    return plain_text([*change_lines(trade.case), table, "", end, area, "", DISCLAIMER])
