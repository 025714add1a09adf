"""What a search or the programme has in hand: the best judged schedule and a proven bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule


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

    def take(self, schedule: Schedule, verdict: Evaluation) -> None:
        """Keep a judged schedule if it is feasible and better."""
        if verdict.feasible and verdict.objective > self.value:
            self.schedule, self.evaluation = schedule, verdict
