"""What robustness costs: the case as it is stated against the mean over the members of an ensemble.

Points are the best for some weight of the mean: max (1 - w) f(x) + w m(x), f the objective as
stated and m the mean over members, each by the search over members with a proved bound. Between two
points the weight at which both are worth the same is asked next (Aneja and Nair 1979, Bicriteria
transportation problem); no third one is better there by more than the gap, or it is a new point.
Schedules that are dominated by no other one, but by mixtures of two, are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import case_of
from abscopt.optimizer.crosscheck import cells
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.process import interrupts
from abscopt.optimizer.ranged.sensitivity import ENSEMBLE
from abscopt.optimizer.results.result import DISCLAIMER, heading, versions
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ensemble.decide import EnsembleResult
    from abscopt.optimizer.schedule import Schedule

ENDS = (0.01, 0.99)
"""Least and greatest weight: beyond, a gap of one would be a hundred gaps of the other."""
MOST_POINTS = 20
COLUMNS = (
    "measure", "objective", "weight", "status", "weighted", "bound", "gap", "gap_unit", "sites",
    "doses", "drug_starts", "binding_limits",
)  # fmt: skip


@dataclass(frozen=True)
class RobustPoint:
    """An answer that is best for a weight.

    Attributes
    ----------
    weight : of the mean over members
    mean, objective : over members, and in the case as it is stated
    result : its objective and bound are of the weighted sum
    """

    weight: float
    mean: float
    objective: float
    schedule: Schedule
    result: EnsembleResult


@dataclass(frozen=True)
class RobustTradeOff:
    """Points from the best objective on.

    Attributes
    ----------
    complete : whether no weight in `ENDS` has a better answer, beyond the gap
    infeasible : whether it is proved that no schedule keeps the limits of case and members
    """

    case: Instance
    ensemble: Ensemble
    points: tuple[RobustPoint, ...]
    complete: bool
    infeasible: bool = False

    @property
    def hypervolume(self) -> float:
        """sum_k |m_k - m_(k+1)| (f_k - f_last), with objectives f and means m."""
        last = self.points[-1].objective if self.points else 0.0
        pairs = zip(self.points, self.points[1:], strict=False)
        return sum(abs(a.mean - b.mean) * (a.objective - last) for a, b in pairs)

    def frame(self) -> pd.DataFrame:
        """One row per point."""
        import pandas as pd

        return pd.DataFrame(rows(self), columns=list(COLUMNS))


def pareto_robust(
    case: Instance | str | Path,
    ensemble: Ensemble | str | None = None,
    *,
    count: int = MOST_POINTS,
    **options: Any,
) -> RobustTradeOff:
    """Points of a case in its objective as stated and in the mean over an ensemble.

    Parameters
    ----------
    ensemble : or its name; the case's own if None, else `plausible-20`
    count : points at most
    options : those of `decide`, for each point

    Raises
    ------
    InputError
        If there is no such case or ensemble, or some course is free.
    """
    instance = case_of(case)
    if not isinstance(ensemble, Ensemble):
        named = ensemble or (None if instance.ensemble is not None else ENSEMBLE)
        ensemble = ensemble_of(instance, named)
    hull = _Hull(ensemble, options)
    complete = hull.searched(count)
    points = sorted(hull.points, key=lambda point: (-point.objective, -point.mean))
    return RobustTradeOff(instance, ensemble, tuple(points), complete, hull.infeasible)


class _Hull:
    """Points, and the answers for weights between them."""

    def __init__(self, ensemble: Ensemble, options: dict[str, Any]):
        self.ensemble, self.options = ensemble, options
        self.points: list[RobustPoint] = []
        self.infeasible = False

    def searched(self, count: int) -> bool:
        """Ask weight after weight; whether nothing better is left for any."""
        ends = [self.asked(weight) for weight in ENDS]
        if None in ends:
            return self.infeasible
        first, last = (point for point in ends if point is not None)
        self._keep(first)
        stack = [(first, last)] if self._keep(last) else []
        complete = self._closed(first) and self._closed(last)
        while stack:
            high, robust = stack.pop()
            if len(self.points) >= count or interrupts.asked():
                return False
            weight = _tie(high, robust)
            if weight is None:
                continue
            point = self.asked(weight)
            if point is None:
                return False
            complete = complete and self._closed(point)
            recorded = max(_value(at, weight) for at in self.points)
            gap = point.result.requested_gap
            if _value(point, weight) > recorded + gap and self._keep(point):
                stack += [(high, point), (point, robust)]
        return complete

    def asked(self, weight: float) -> RobustPoint | None:
        """The answer for a weight of the mean; None if nothing is known."""
        members = [replace(m, weight=weight * m.weight) for m in self.ensemble.members]
        stated = Member("as stated", 1.0 - weight, (), self.ensemble.case)
        both = replace(self.ensemble, members=(stated, *members))
        start = max(self.points, key=lambda at: _value(at, weight), default=None)
        begun = {} if start is None else {"start": start.schedule}
        result = decide(both, "mean", **self.options | begun)
        if result.answer is None:
            self.infeasible = result.status == "infeasible"
            return None
        values = result.answer.values
        mean = float(self.ensemble.weights @ values[1:])
        return RobustPoint(weight, mean, float(values[0]), result.answer.schedule, result)

    def _keep(self, point: RobustPoint) -> bool:
        """Keep a point that is no worse than every other in one of both; drop those it beats."""
        if any(_dominates(at, point) for at in self.points):
            return False
        self.points = [at for at in self.points if not _dominates(point, at)]
        self.points.append(point)
        return True

    @staticmethod
    def _closed(point: RobustPoint) -> bool:
        return point.result.status == "optimal"


def _value(point: RobustPoint, weight: float) -> float:
    """(1 - w) f + w m."""
    return (1.0 - weight) * point.objective + weight * point.mean


def _dominates(a: RobustPoint, b: RobustPoint) -> bool:
    return a.objective >= b.objective and a.mean >= b.mean


def _tie(high: RobustPoint, robust: RobustPoint) -> float | None:
    """Weight at which two points are worth the same; None where one is no worse in both."""
    lost, won = high.objective - robust.objective, robust.mean - high.mean
    return lost / (lost + won) if lost > 0 and won > 0 else None


def rows(trade: RobustTradeOff) -> list[dict[str, Any]]:
    """One row of plain data per point."""
    return [
        {
            "measure": point.mean,
            "objective": point.objective,
            "weight": point.weight,
            "status": point.result.status,
            "weighted": point.result.objective,
            "bound": point.result.bound,
            "gap": point.result.gap,
            "gap_unit": trade.case.objective.unit,
            "sites": cells.sites(point.schedule, trade.case),
            "doses": cells.doses(point.schedule, trade.case),
            "drug_starts": cells.drug_starts(point.schedule),
            "binding_limits": cells.binding(
                point.result.answer.nominal if point.result.answer else None
            ),
        }
        for point in trade.points
    ]


def document(trade: RobustTradeOff) -> dict[str, Any]:
    """What `pareto --against robustness --json` prints."""
    return {
        **heading("pareto", trade.case),
        "against": "robustness",
        "ensemble": trade.ensemble.name,
        "members": len(trade.ensemble.members),
        "complete": trade.complete,
        "hypervolume": trade.hypervolume,
        "rows": rows(trade),
        "seconds": [round(point.result.seconds, 3) for point in trade.points],
        "versions": versions(),
    }


def csv_text(trade: RobustTradeOff) -> str:
    """The rows as CSV."""
    return csv_rows(COLUMNS, rows(trade))


def report(trade: RobustTradeOff) -> str:
    """The points as a table for a person."""
    name, members = trade.ensemble.name, len(trade.ensemble.members)
    title = f"{trade.case.name}: objective as stated against the mean over {members} of {name}"
    table = plain_table(
        title, ">Mean", ">As stated", ">Weight", "Status", ">Gap", "Doses (Gy, first day)",
        "Drug starts",
    )  # fmt: skip
    for row in rows(trade):
        gap = "-" if row["gap"] is None else f"{row['gap']:.4f} {row['gap_unit']}"
        table.add_row(
            f"{row['measure']:.4f}", f"{row['objective']:.4f}", f"{row['weight']:.3f}",
            row["status"], gap,
            *(", ".join(row[key]) or "-" for key in ("doses", "drug_starts")),
        )  # fmt: skip
    end = "Not complete: other weights were not asked for, or not closed."
    if trade.infeasible:
        end = "No schedule keeps the limits of the case and of every member."
    elif trade.complete:
        low, high = ENDS
        end = (
            f"No schedule is better by more than the gap for any weight of the mean from {low:g} "
            f"to {high:g}; schedules that only mixtures of two points beat are not listed."
        )
    area = f"Hypervolume  {trade.hypervolume:.4f}"
    return plain_text([*change_lines(trade.case), table, "", end, area, "", DISCLAIMER])
