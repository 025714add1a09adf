"""One programme handed to a solver: how, what it may leave of the gap, what it proves."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.highs.mip import DoubtError, checked
from abscopt.optimizer.highs.solver import solve_matrix
from abscopt.optimizer.programme.proved import ProgrammeAnswer, solver_margin
from abscopt.optimizer.programme.start import Choice, point_of

if TYPE_CHECKING:
    from abscopt.optimizer.highs.solver import Matrix, Outcome
    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.progress import Clock

OBJECTIVE_SCALE = 100.0
"""Of what is maximized: differences that count are far above HiGHS' feasibility tolerance."""


class Engine(Protocol):
    """Another solver; `data`, `model` and `position` tell what rows and columns mean."""

    def __call__(
        self,
        matrix: Matrix,
        *,
        data: Data,
        model: Any,
        position: dict[int, int],
        absolute_gap: float,
        time_limit: float | None,
        threads: int,
        seed: int,
    ) -> Outcome:
        """Maximize the programme."""
        ...


@dataclass(frozen=True)
class How:
    """How a programme is solved; `exact` for its very optimum, where `gap` was not enough."""

    gap: float
    seed: int
    threads: int
    engine: Engine | None
    presolve: bool | None
    exact: bool = False

    @property
    def solver_gap(self) -> float:
        """Part of the gap that the solver may leave, nat."""
        return 0.0 if self.exact else self.gap / 4


def solved_once(
    data: Data,
    model: Any,
    matrix: Matrix,
    position: dict[int, int],
    clock: Clock,
    answer: ProgrammeAnswer,
    how: How,
    begin: Choice | None,
) -> Outcome:
    """What the solver makes of one programme, if it can be true."""
    started = time.perf_counter()
    if how.engine is None:
        point = None if begin is None else point_of(data, model, matrix, position, begin)
        outcome = _highs(matrix, clock, answer, how, point)
    else:
        outcome = how.engine(
            matrix,
            data=data,
            model=model,
            position=position,
            absolute_gap=how.solver_gap,
            time_limit=clock.remaining,
            threads=how.threads,
            seed=how.seed,
        )
    answer.solver_seconds.append(time.perf_counter() - started)
    answer.rounds += 1
    answer.nodes += outcome.nodes
    return checked(matrix, outcome)


def bounded(answer: ProgrammeAnswer, outcome: Outcome, gap: float) -> bool:
    """Take over what the solver proves; whether it leaves anything to be judged."""
    if outcome.ending == "infeasible":
        if answer.excluded and answer.value <= answer.floor:  # no other choice is left
            answer.bound = answer.floor
            return False
        if answer.schedule is not None:
            raise DoubtError(
                f"the solver says infeasible, the judge knows a schedule worth {answer.value!r}"
            )
        answer.infeasible = True
        return False
    if outcome.bound is not None:
        bound = outcome.bound + solver_margin(gap)
        proved = bound if answer.bound is None else min(bound, answer.bound)
        answer.bound = max(proved, answer.floor)
    return True


def _highs(
    matrix: Matrix,
    clock: Clock,
    answer: ProgrammeAnswer,
    how: How,
    start: NDArray[np.float64] | None,
) -> Outcome:
    """Maximize with HiGHS, the objective scaled up.

    HiGHS 1.16 drops branches that promise less than its feasibility tolerance above the incumbent,
    and then reports the incumbent as the bound.
    """

    def told(_: float | None, bound: float | None, nodes: int) -> bool:
        scaled = None if bound is None else bound / OBJECTIVE_SCALE
        return report_so_far(clock, answer, scaled, answer.nodes + nodes)

    outcome = solve_matrix(
        replace(matrix, cost=matrix.cost * OBJECTIVE_SCALE, offset=matrix.offset * OBJECTIVE_SCALE),
        absolute_gap=how.solver_gap * OBJECTIVE_SCALE,
        time_limit=clock.remaining,
        threads=how.threads,
        seed=how.seed,
        listener=told,
        start=start,
        presolve=how.presolve,
    )
    objective, bound = (
        None if value is None else value / OBJECTIVE_SCALE
        for value in (outcome.objective, outcome.bound)
    )
    return replace(outcome, objective=objective, bound=bound)


def report_so_far(clock: Clock, answer: ProgrammeAnswer, bound: float | None, nodes: int) -> bool:
    """Tell objective and bound in hand; whether the time is over."""
    bounds = [value for value in (bound, answer.bound) if value is not None]
    value = None if answer.evaluation is None else answer.value
    clock.report("programme", value, max(min(bounds), answer.floor) if bounds else None, nodes)
    return clock.expired
