"""What is stated of a large case for other solvers: what no better schedule than one in hand needs.

The search of this package supplies that schedule: reductions drop the more the better it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abscopt.optimizer.assurance.ways import reduction
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.pipeline import solve

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.programme.proved import ProgrammeAnswer
    from abscopt.optimizer.progress import Clock, Progress
    from abscopt.optimizer.schedule import Schedule

SEARCH_SHARE = 0.5
"""Part of the time that the search may take for a schedule in hand; it is far less where it ends.
"""


def stated(
    instance: Instance, gap: float, seed: int, clock: Clock
) -> tuple[Candidates, Kept | None, Schedule | None]:
    """Candidates of a case, what reductions leave of it, and the schedule in hand.

    Nothing is reduced, and nothing searched, where the case is stated as it is.

    Parameters
    ----------
    gap : that schedule, or one that is left, is within this of the best of what was dropped
    """
    from abscopt.optimizer.search.uniform.fixing import worthwhile

    candidates = Candidates(instance)
    if not worthwhile(candidates):
        return candidates, None, None
    memory, in_reserve = Memory(), None

    def listener(progress: Progress) -> None:
        clock.report(f"search: {progress.phase}", progress.incumbent, progress.bound)

    limit = None if clock.remaining is None else SEARCH_SHARE * clock.remaining
    result = solve(instance, gap=gap, time_limit=limit, seed=seed, listener=listener, memory=memory)
    if result.schedule is not None and result.objective is not None:
        in_reserve = result.schedule, result.objective
    candidates = memory.candidates(instance)
    reduced, start = reduction(candidates, gap, seed, clock, in_reserve)
    return candidates, reduced, start


def assumptions(answer: ProgrammeAnswer, unit: str) -> tuple[str, ...]:
    """Sentences on what was dropped before the programme was stated; none where nothing was.

    Parameters
    ----------
    unit : of the objective
    """
    if not answer.reductions:
        return ()
    steps = "; ".join(f"{step.name}: {step.pairs}" for step in answer.reductions)
    sentences = [
        "reduced by dominance and bounds, as solve --method single does, from a schedule that the "
        f"search found; pairs of plan and course left: {steps}"
    ]
    if math.isfinite(answer.floor):
        sentences.append(f"no schedule that was dropped is better than {answer.floor:.12g} {unit}")
    return tuple(sentences)
