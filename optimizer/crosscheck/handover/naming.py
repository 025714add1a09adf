"""Readable names for the rows and columns of a programme.

The name of a column x says which course (or fraction) it is, that of a column y which plan, so
that a solution of the written programme is understood from its names alone. Names hold only
characters that MPS and LP readers accept, and stay below their length limits.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import courses_kept
from abscopt.optimizer.highs.solver import Matrix, SolverError
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.cuts import schedule_of

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.systemic.plans import Plan
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.schedule import Fraction

LONGEST = 120
SAME_ROW = 1e-9


@dataclass(frozen=True)
class Programme:
    """A mixed-integer program (maximize) with a name for every row and column."""

    name: str
    matrix: Matrix
    rows: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def families(self) -> dict[str, list[int]]:
        """Rows of each constraint family, in the order of the programme."""
        rows_of: dict[str, list[int]] = {}
        for row, name in enumerate(self.rows):
            rows_of.setdefault(name.partition("(")[0], []).append(row)
        return rows_of


@dataclass(frozen=True)
class Choices:
    """Names of the choices of a programme: columns x, and plans of the columns y."""

    columns: list[str]
    plans: list[str]


def choices_kept(candidates: Candidates, reduced: Kept, columns: Columns) -> Choices:
    """Names that the choices which reductions left have in the whole case.

    Parameters
    ----------
    candidates : of the whole case
    columns : of the programme of what is left
    """
    whole, menus = columns_of(candidates), courses_kept(reduced)
    names = column_names(candidates, whole)
    of_course = {
        (int(lesion), int(course)): name
        for lesion, course, name in zip(whole.lesion, whole.course, names, strict=True)
    }
    named = [
        of_course[int(lesion), int(menus[int(lesion)][int(course)])]
        for lesion, course in zip(columns.lesion, columns.course, strict=True)
    ]
    plans = plan_names(candidates)
    return Choices(named, [plans[k] for k in reduced.plans.tolist()])


def named_programme(
    candidates: Candidates,
    data: Data,
    model: Any,
    matrix: Matrix,
    position: dict[int, int],
    choices: Choices | None = None,
) -> Programme:
    """Names of a built programme; every row is checked to be the constraint it is named for.

    Parameters
    ----------
    choices : names of courses and plans; those that they have among the candidates if None

    Raises
    ------
    SolverError
        If the arrays do not say what the programme says.
    """
    columns = [f"column({i})" for i in range(len(matrix.cost))]
    for component in _components(model, "Var"):
        for variable in component.values():
            if id(variable) in position:
                columns[position[id(variable)]] = _plain(variable.name)
    if choices is None:
        choices = Choices(column_names(candidates, data.columns), plan_names(candidates))
    x, y = choices.columns, choices.plans
    for j in model.x:
        if id(model.x[j]) in position:
            columns[position[id(model.x[j])]] = x[j]
    for b, (plan, _, _) in enumerate(data.refinement.bands):
        if id(model.y[b]) in position:
            columns[position[id(model.y[b])]] = f"{y[plan][:-1]},band{b})"
    rows = _row_names(model, matrix, position)
    return Programme(candidates.instance.name, matrix, tuple(rows), tuple(columns))


def column_names(candidates: Candidates, columns: Columns) -> list[str]:
    """Names like `x(lung,3x11.5,day0,every1)`, `x(lung,none)`, `x(prostate,2.5,day3)`.

    Where a free course only counts its days, `x(prostate,2.5,anyday)`.
    """
    names = []
    for j in range(len(columns)):
        fractions = schedule_of(candidates, columns, [j], PlanId(0)).fractions
        lesion = candidates.instance.lesions[int(columns.lesion[j])].name
        words = _course(fractions, bool(columns.course[j] < 0))
        if columns.slots[j] > 1:
            words[1] = "anyday"
        names.append(f"x({','.join([_safe(lesion), *words])})")
    return _unique(names)


def plan_names(candidates: Candidates) -> list[str]:
    """Names like `y(plan3,pembrolizumab.from14.4doses)`; a band follows in a programme."""
    return [f"y(plan{k},{_plan_label(plan)})" for k, plan in enumerate(candidates.plans)]


def _plan_label(plan: Plan) -> str:
    days: dict[str, list[int]] = {}
    for drug, day, _ in plan.doses:
        days.setdefault(drug, []).append(day)
    starts = [f"{_safe(drug)}.from{min(when)}.{len(when)}doses" for drug, when in days.items()]
    label = ",".join(sorted(starts)) or "none"
    return label if len(label) <= LONGEST else f"{len(plan.doses)}doses"


def _course(fractions: tuple[Fraction, ...], free: bool) -> list[str]:
    if not fractions:
        return ["none"]
    dose, days = fractions[0].dose_gy, sorted({f.day for f in fractions})
    words = [f"{dose!r}" if free else f"{len(fractions)}x{dose!r}", f"day{days[0]}"]
    if len(days) > 1:
        words.append(f"every{min(b - a for a, b in itertools.pairwise(days))}")
    stated = ("day", "lesion", "dose_gy")
    features = [field.name for field in fields(fractions[0]) if field.name not in stated]
    for value in (getattr(fractions[0], name) for name in features):
        if isinstance(value, str) and value:
            words.append(_safe(value))
    if len(fractions) > len(days):
        words.append(f"{len(fractions) // len(days)}perday")
    return words


def _unique(names: list[str]) -> list[str]:
    """Names that occur twice, or are too long, get their number."""
    times = Counter(names)
    return [
        name if times[name] == 1 and len(name) <= LONGEST else f"{name[: LONGEST - 9]},no{j})"
        for j, name in enumerate(name.rstrip(")") if times[name] > 1 else name for name in names)
    ]


def _safe(name: str) -> str:
    """Name of the case without the signs that LP readers take for arithmetic."""
    return name.replace("-", "~").replace("+", "&")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.,()~&]", "_", name.replace("[", "(").replace("]", ")"))


def _components(model: Any, kind: str) -> Iterator[Any]:
    for component in model.component_objects():
        if component.ctype.__name__ == kind:
            yield component


def _row_names(model: Any, matrix: Matrix, position: dict[int, int]) -> list[str]:
    """Name of each row: the constraint that has the row's slack at an arbitrary point."""
    point = np.random.default_rng(0).uniform(0.5, 1.5, len(matrix.cost))
    for component in _components(model, "Var"):
        for variable in component.values():
            column = position.get(id(variable))
            value = 1.0 if column is None else float(point[column])
            variable.set_value(value, skip_validation=True)
    activity = activities(matrix, point)
    size = activities(replace(matrix, value=np.abs(matrix.value)), point) + 1.0
    names: list[str] = []
    for component in _components(model, "Constraint"):
        for constraint in component.values():
            for below, above in _sides(constraint):
                row = len(names)
                if row < len(activity) and _same(matrix, row, activity, size, below, above):
                    names.append(_plain(constraint.name))
    if len(names) != len(activity):
        raise SolverError(f"row {len(names)} of the arrays is no constraint of the programme")
    return names


def _sides(constraint: Any) -> Iterator[tuple[float, float]]:
    """(body - lower, upper - body) of each row a constraint becomes; inf without the bound."""
    body = float(constraint.body() if callable(constraint.body) else constraint.body)
    lower, upper = constraint.lb, constraint.ub
    below = np.inf if lower is None else body - lower
    above = np.inf if upper is None else upper - body
    if lower is not None and upper is not None and lower != upper:
        yield np.inf, above
        yield below, np.inf
    else:
        yield below, above


def _same(matrix: Matrix, row: int, activity: Any, size: Any, below: float, above: float) -> bool:
    low, high = activity[row] - matrix.row_lower[row], matrix.row_upper[row] - activity[row]
    return all(
        mine == theirs or abs(mine - theirs) <= SAME_ROW * (size[row] + abs(theirs))
        for mine, theirs in ((low, below), (high, above))
    )


def activities(matrix: Matrix, x: Any) -> Any:
    """Value of every row at a point."""
    products = np.append(matrix.value * x[matrix.index], 0.0)
    sums = np.add.reduceat(products, np.minimum(matrix.start[:-1], len(products) - 1))
    return np.where(np.diff(matrix.start) > 0, sums, 0.0)
