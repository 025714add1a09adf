"""What a search or the programme has in hand: the best judged schedule and a proven bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule


ROW_ERROR = 1e-6
"""Rows of a large programme hold to that, HiGHS' tolerance with presolve."""
WEIGHTED_ERROR = 1e-8
"""Error of a burden in a small one (1e-7 at most, mostly far less), times a lesion's weight."""


def bound_tolerance(instance: Instance, value: float) -> float:
    """By how much a solver's bound may lie below a judged objective without being false."""
    weights = sum(lesion.weight for lesion in instance.lesions)
    return ROW_ERROR * max(1.0, abs(value)) + WEIGHTED_ERROR * weights


@dataclass
class Answer:
    """Best judged schedule and proven bound; None when absent.

    `relaxation_error` is what a relaxation added to the value of the best schedule.
    """

    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    bound: float | None = None
    infeasible: bool = False
    nodes: int = 0
    columns: int = 0
    relaxation_error: float = 0.0

    @property
    def value(self) -> float:
        """Objective in hand; -inf without a schedule."""
        return -math.inf if self.evaluation is None else self.evaluation.objective

    @property
    def gap(self) -> float | None:
        """Bound minus objective; None without both."""
        if self.bound is None or self.evaluation is None:
            return None
        return self.bound - self.value

    def take(self, schedule: Schedule, verdict: Evaluation) -> None:
        """Keep a judged schedule if it is feasible and better."""
        if verdict.admissible and verdict.objective > self.value:
            self.schedule, self.evaluation = schedule, verdict
