"""A SCIP model of uniform courses with its binaries: sums over the chosen course and plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pyscipopt import quicksum

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated


@dataclass
class Programme:
    """A SCIP model with what leads back to a schedule.

    Attributes
    ----------
    course : per lesion, the binary of each course
    plan : the binary of each plan
    both : per lesion, the product of both as (course, plan)
    """

    model: Any
    candidates: Candidates
    tables: list[Tabulated]
    course: list[list[Any]]
    plan: list[Any]
    both: list[dict[tuple[int, int], Any]]

    @property
    def size(self) -> dict[str, int]:
        """Variables and constraints as stated."""
        return {
            "variables": self.model.getNVars(transformed=False),
            "binaries": len(self.plan) + sum(map(len, self.course)),
            "constraints": self.model.getNConss(transformed=False),
        }

    @property
    def active(self) -> list[int]:
        """Lesions with more than 'no course' on the menu."""
        return [s for s, menu in enumerate(self.course) if len(menu) > 1]

    def table(self, s: int, name: str, column: int | None = None) -> Any:
        """Coefficient of the chosen course and plan of one lesion, as a linear expression."""
        values = [of_courses(table, s, name) for table in self.tables]
        if name == "local":
            values = [value[:, :, 0] for value in values]
        if column is not None:
            values = [value[:, column] for value in values]
        if all(np.array_equal(value, values[0]) for value in values):
            return self.course_sum(s, values[0])
        return quicksum(
            float(values[k][j]) * w for (j, k), w in self.both[s].items() if values[k][j] != 0
        )

    def course_sum(self, s: int, values: FloatArray) -> Any:
        """Value of the chosen course, whatever the plan."""
        return quicksum(float(v) * x for v, x in zip(values, self.course[s], strict=True) if v)

    def plan_sum(self, values: FloatArray) -> Any:
        """Value of the chosen plan."""
        return quicksum(float(v) * y for v, y in zip(values, self.plan, strict=True) if v)


def of_courses(table: Tabulated, s: int, name: str) -> FloatArray:
    """(courses, ...) loads or effects of one lesion under one plan."""
    if name == "loads":
        return table.loads[s][table.kinds[s]]
    values: FloatArray = getattr(table.effects[s], name)
    return values if name in ("effect", "loss") else values[table.kinds[s]]
