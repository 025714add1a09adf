"""What search or programme hands over to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.optimizer.answer import bound_tolerance

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.reduction import Step
    from abscopt.optimizer.schedule import Schedule

JUDGE_TOLERANCE = 1e-7
"""Relative: tables and judge add up the same numbers in another order."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Solved:
    """What search or programme hands over to be judged; absent values are None."""

    schedule: Schedule | None
    claimed: float | None
    bound: float | None
    infeasible: bool
    second_stage: str
    best_objective: float | None
    errors: dict[str, float]
    nodes: int
    columns: int
    plans: int
    reductions: tuple[Step, ...] = ()
    by_programme: bool = False
    by_days: bool = False
    reason: str = ""
    least_gap: float | None = None
    doubts: tuple[str, ...] = ()
    withdrawn: bool = False
    engine: str = "HiGHS"

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
        if self.bound is None or self.claimed is None:
            return False
        return self.bound - self.claimed <= gap * (1 + ROUNDING)

    def tolerance(self, instance: Instance, value: float) -> float:
        """By how much the bound may lie below a judged objective without being false."""
        if self.by_programme:
            return bound_tolerance(instance, value)
        return JUDGE_TOLERANCE * max(1.0, abs(value))
