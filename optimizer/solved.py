"""What search or programme hands over to be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abscopt.optimizer.answer import bound_tolerance
from abscopt.optimizer.differences import closes

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.reduction import Step
    from abscopt.optimizer.schedule import Schedule

JUDGE_TOLERANCE = 1e-7
"""Relative: tables and judge add up the same numbers in another order."""


@dataclass(frozen=True)
class Solved:
    """What search, free search or programme hands over to be judged; absent values are None.

    Attributes
    ----------
    claimed : objective of the schedule by the tables of what found it
    bound : no schedule of the case is better
    infeasible : whether it is proved that no schedule keeps limits and rules
    best_objective : before the second stage, which may give some of the gap away
    errors : what relaxations may have added to the claimed objective or the bound
    reason : of infeasibility, where no search was needed
    doubts, withdrawn : bounds that a judged schedule refuted; whether all were
    """

    schedule: Schedule | None = None
    claimed: float | None = None
    bound: float | None = None
    infeasible: bool = False
    second_stage: str = "none"
    best_objective: float | None = None
    errors: dict[str, float] = field(default_factory=dict)
    nodes: int = 0
    columns: int = 0
    plans: int = 0
    reductions: tuple[Step, ...] = ()
    by_programme: bool = False
    by_days: bool = False
    reason: str = ""
    least_gap: float | None = None
    doubts: tuple[str, ...] = ()
    withdrawn: bool = False
    engine: str = "HiGHS"

    @property
    def value(self) -> float:
        """Claimed objective; -inf without a schedule."""
        return -math.inf if self.claimed is None else self.claimed

    @property
    def proved_by(self) -> str:
        """What stated the bound and what closed it; empty where nothing was proved."""
        if self.withdrawn or (self.bound is None and not self.infeasible):
            return ""
        if self.by_programme:
            return f"abscopt programme, MILPs by {self.engine}"
        if self.reason:
            return "abscopt audit of single courses"
        if self.by_days:
            return f"abscopt free search, LPs by {self.engine}"
        return f"abscopt search, LPs and MILPs by {self.engine}"

    def closed(self, gap: float) -> bool:
        """Whether bound and claimed objective are within a gap."""
        return closes(self.bound, self.claimed, gap)

    def tolerance(self, instance: Instance, value: float) -> float:
        """By how much the bound may lie below a judged objective without being false."""
        if self.by_programme:
            return bound_tolerance(instance, value)
        return JUDGE_TOLERANCE * max(1.0, abs(value))
