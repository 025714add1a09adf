"""An answer is believed if no judged schedule refutes it; else it is looked for in other ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError
from abscopt.optimizer.assurance.known import Known, best_known
from abscopt.optimizer.highs.mip import DoubtError
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.solved import JUDGE_TOLERANCE, Solved

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule

Way = tuple[str, Callable[["Known | None"], Solved]]
"""Name of a way to solve a case, and the way itself from the best schedule known."""


def undoubted(
    candidates: Candidates,
    judge: Judge,
    ways: Iterable[Way],
    in_reserve: Known | None,
    gap: float,
    seed: int,
    clock: Clock,
    aided: bool = True,
) -> Solved:
    """The answer of the first way that no judged schedule refutes; the bound is withdrawn if none.

    Parameters
    ----------
    aided : whether cheap schedules are judged for that, besides those in hand

    Raises
    ------
    DoubtError
        If a solver contradicts itself every time, and no feasible schedule is known.
    """
    doubts: list[str] = []
    known, last = in_reserve, None
    for name, way in ways:
        try:
            solved = way(known)
        except DoubtError as error:
            last, refuted = error, str(error)
            rivals = [known, _valued(judge, error.schedule)]
        except Stopped:
            if not doubts:
                raise
            break
        except InputError:
            if not doubts:
                raise
            continue  # too large to be stated as one programme
        else:
            if _misjudged(judge, solved):
                return solved  # our own failure; `_judged` says which
            answer = solved.schedule
            rival = best_known(candidates, judge, answer, seed, clock) if aided else None
            doubt = _refuted(judge.instance, solved, _better(known, rival))
            if doubt is None:
                solved = no_worse(solved, known if solved.closed(gap) else _better(known, rival))
                return replace(solved, doubts=tuple(doubts))
            rivals, refuted = [known, rival, _valued(judge, answer)], doubt
        doubts.append(f"{name}: {refuted}")
        known = _better(*rivals)
    if known is None:
        raise last or DoubtError(doubts[-1])
    schedule, value = known
    return Solved(
        schedule, value, best_objective=value, plans=len(candidates.plans),
        doubts=tuple(doubts), withdrawn=True,
    )  # fmt: skip


def _misjudged(judge: Judge, solved: Solved) -> bool:
    """Whether the judge rejects a schedule, or values it otherwise than is claimed."""
    if solved.schedule is None or solved.claimed is None:
        return False
    verdict = judge.evaluate(solved.schedule)
    apart = abs(verdict.objective - solved.claimed)
    return not verdict.admissible or apart > JUDGE_TOLERANCE * max(1.0, abs(solved.claimed))


def _valued(judge: Judge, schedule: Schedule | None) -> Known | None:
    """A schedule with its objective, if it is feasible."""
    if schedule is None:
        return None
    worth = judge.worth(schedule)
    return None if worth is None else (schedule, worth)


def _better(*known: Known | None) -> Known | None:
    """The best of some schedules."""
    return max(
        (judged for judged in known if judged is not None),
        key=lambda judged: judged[1],
        default=None,
    )


def _refuted(instance: Instance, solved: Solved, rival: Known | None) -> str | None:
    """What a judged schedule says against an answer; None if nothing."""
    if rival is None:
        return None
    if solved.infeasible:
        return f"says infeasible, the judge knows a schedule worth {rival[1]!r}"
    if solved.bound is None or solved.bound >= rival[1] - solved.tolerance(instance, rival[1]):
        return None
    return f"the bound {solved.bound!r} lies below a judged schedule worth {rival[1]!r}"


def no_worse(solved: Solved, in_reserve: tuple[Schedule, float] | None) -> Solved:
    """The answer, or the schedule in hand where that is better within the gap."""
    if in_reserve is None or solved.infeasible:
        return solved
    if solved.value >= in_reserve[1]:
        return solved
    schedule, value = in_reserve
    best = value if solved.best_objective is None else max(value, solved.best_objective)
    return replace(solved, schedule=schedule, claimed=value, best_objective=best)
