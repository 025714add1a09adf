"""Plans within a margin of the best: complete where they are few, else a selection that says so.

The case is solved; the search then looks once more with the threshold best - within and keeps the
best schedule of each class (`aspects`). Where that is too much, it asks for the best schedule that
differs in each single decision. What is listed was judged; what was not listed is stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError, Problem, case_of
from abscopt.optimizer.candidates.as_rows import closest_row, schedule_of_row
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.highs.solver import SolverError
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.near.aspects import DIFFER, classes_of, parts_that_differ
from abscopt.optimizer.near.differences import Difference, differences, group_of
from abscopt.optimizer.near.selection import by_group
from abscopt.optimizer.near.timings import Reach, reach
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.uniform.near import (
    ROUNDING,
    BestOfPart,
    Gathered,
    Near,
    NearSearch,
    ended,
)
from abscopt.optimizer.solved import JUDGE_TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.search.uniform.near import Classes, Ending

COUNT = 10
MOST_LISTED = 1000
MOST_CLASSES = 5000
"""Classes that are kept: a person reads some tens, and a margin that holds more is too wide."""


@dataclass(frozen=True)
class Alternative:
    """One plan near the best: the best timing of its class.

    Attributes
    ----------
    below : by how much its objective falls short of the best
    differs : every decision in which it is another plan than the optimum; empty for the optimum
    reach : first days between which its courses and drugs may begin within the margin
    """

    schedule: Schedule
    evaluation: Evaluation
    below: float
    differs: tuple[Difference, ...]
    reach: Reach

    @property
    def group(self) -> tuple[tuple[str, str], ...]:
        """(aspect, name) of all that differs."""
        return group_of(self.differs)


@dataclass(frozen=True)
class Alternatives:
    """Plans within a margin of the best.

    Attributes
    ----------
    within : margin, in the objective's unit
    solved : the answer of `solve`; its second stage may have chosen another of these plans
    plans : the best first, then the others of each group, best groups first
    ending : `complete` (no other class is within the margin), `many` (others were not looked at) or
        `stopped` (by the clock or the user)
    known : number of classes within the margin that are known, those not listed included
    by_group : how many of them differ in what
    asked : words of the single decisions for which the best other plan was asked, each with whether
        that was answered; only where `ending` is `many`
    """

    case: Instance
    within: float
    differ: str | None
    solved: Result
    plans: tuple[Alternative, ...]
    ending: Ending
    known: int
    by_group: tuple[tuple[tuple[tuple[str, str], ...], int], ...]
    asked: tuple[tuple[str, bool], ...] = ()
    seconds: float = 0.0

    def frame(self) -> pd.DataFrame:
        """One row per plan; cells of several entries are lists."""
        import pandas as pd

        from abscopt.optimizer.near.shown import COLUMNS, rows

        return pd.DataFrame(rows(self), columns=list(COLUMNS))


@raises_interrupted
def alternatives(
    case: Instance | str | Path,
    *,
    within: float | None = None,
    count: int = COUNT,
    differ: str | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    listener: Listener | None = None,
) -> Alternatives:
    """Plans whose objective is within a margin of the best, each judged.

    Parameters
    ----------
    within : in the objective's unit; the case's own gap if None
    count : plans that are listed at most, the optimum included
    differ : one plan for each other choice of `sites`, `dose`, `fractions`, `drug-start` or `days`;
        if None, of lesions, number of fractions, dose, technique and regimens
    gap, time_limit, threads, seed, listener : as for `solve`; the time holds for everything

    Raises
    ------
    InputError
        If there is no such case, a number is out of range, or a course is free.
    """
    instance = case_of(case)
    margin = instance.objective.gap if within is None else within
    _check(instance, margin, count, differ)
    memory, clock = Memory(), Clock(time_limit, listener)
    solved = solve(
        instance, gap=gap, time_limit=time_limit, threads=threads, seed=seed, listener=listener,
        memory=memory,
    )  # fmt: skip
    if solved.schedule is None:
        ending: Ending = "complete" if solved.status == "infeasible" else "stopped"
        return Alternatives(instance, margin, differ, solved, (), ending, 0, ())
    with clock.running("alternatives"):
        candidates = memory.candidates(instance)
        hunt = _Hunt(candidates, margin, differ, solved, seed, clock, memory)
        ending = hunt.everything()
        asked = hunt.single_decisions() if ending == "many" else ()
        listed, sizes = hunt.listed(count)
        listing = Alternatives(
            instance, margin, differ, solved, listed, ending, sum(n for _, n in sizes), sizes, asked
        )
        return replace(listing, seconds=clock.elapsed)


def _check(instance: Instance, margin: float, count: int, differ: str | None) -> None:
    """Refuse what cannot be asked; raises InputError."""
    problems = []
    if not (math.isfinite(margin) and margin > 0):
        problems.append(Problem(instance.name, "within", f"{margin}", "must be finite and > 0"))
    if not 1 <= count <= MOST_LISTED:
        problems.append(Problem(instance.name, "count", f"{count}", f"must be 1 to {MOST_LISTED}"))
    if differ is not None and differ not in DIFFER:
        problems.append(Problem(instance.name, "differ", differ, f"unknown; known {list(DIFFER)}"))
    for lesion in instance.lesions:
        if lesion.course is not None and lesion.course.form == "free":
            rule = (
                "alternatives are listed for uniform courses; the days and doses of a free course "
                "have no classes to list (abscopt pareto trades visits, days or lesions)"
            )
            problems.append(Problem(instance.name, f"lesions.{lesion.name}.course", "free", rule))
    if problems:
        raise InputError(problems)


class _Hunt:
    """Everything within the margin, or what differs in single decisions."""

    def __init__(
        self,
        candidates: Candidates,
        margin: float,
        differ: str | None,
        solved: Result,
        seed: int,
        clock: Clock,
        memory: Memory,
    ):
        assert solved.schedule is not None
        self.candidates, self.differ, self.solved = candidates, differ, solved
        self.margin, self.seed, self.clock, self.memory = margin, seed, clock, memory
        self.classes: Classes = classes_of(candidates, differ)
        self.start = closest_row(candidates, solved.schedule)
        self.gathered = Gathered(self.classes, margin + ROUNDING, MOST_CLASSES)

    def everything(self) -> Ending:
        """Gather all classes within the margin, as far as they are not too many."""
        search = NearSearch(
            self.candidates, -(self.margin + ROUNDING), self.seed, self.clock, self.gathered,
            self.memory.trees,
        )  # fmt: skip
        return ended(search, [self.start])

    def single_decisions(self) -> tuple[tuple[str, bool], ...]:
        """Add the best schedule, within half a gap, that differs in each single decision."""
        optimum, asked = self.gathered.ranked()[0][1], []
        for words, subset in parts_that_differ(self.candidates, self.differ, optimum):
            state = BestOfPart(subset, optimum.value - self.margin - ROUNDING)
            gap = self.solved.requested_gap / 2
            search = NearSearch(self.candidates, gap, self.seed, self.clock, state, subset=subset)
            answered = ended(search, []) == "complete"
            asked.append((words, answered))
            if state.plan is not None and state.row is not None:
                self._add(Near(state.value, state.plan, state.row))
        return tuple(asked)

    def _add(self, schedule_near: Near) -> None:
        key = self.classes.key(schedule_near.plan, schedule_near.row)
        recorded = self.gathered.best.get(key)
        if recorded is None or recorded.value < schedule_near.value:
            self.gathered.best[key] = schedule_near
        self.gathered.value = max(self.gathered.value, schedule_near.value)

    def listed(
        self, count: int
    ) -> tuple[tuple[Alternative, ...], tuple[tuple[tuple[tuple[str, str], ...], int], ...]]:
        """The plans to be listed, judged, with how many are known of each group."""
        case, ranked = self.candidates.instance, self.gathered.ranked()
        plans = [
            schedule_of_row(self.candidates, schedule_near.plan, schedule_near.row)
            for _, schedule_near in ranked
        ]
        differs = [differences(case, plan, plans[0]) for plan in plans]
        chosen, sizes = by_group([group_of(listing) for listing in differs], count)
        judge, best = Judge(case), ranked[0][1].value
        listed = []
        for i in chosen:
            schedule_near = ranked[i][1]
            with self.clock.answering():
                verdict = _judged(judge, plans[i], schedule_near.value)
            days = reach(self.candidates, schedule_near, best - self.margin - ROUNDING, self.clock)
            listed.append(
                Alternative(plans[i], verdict, best - schedule_near.value, differs[i], days)
            )
        return tuple(listed), sizes


def _judged(judge: Judge, schedule: Schedule, claimed: float) -> Evaluation:
    """The judge's verdict; a claim that it does not share is our failure, not an alternative."""
    verdict = judge.evaluate(schedule)
    apart = abs(verdict.objective - claimed)
    if not verdict.admissible or apart > JUDGE_TOLERANCE * max(1.0, abs(claimed)):
        raise SolverError(f"an alternative claimed {claimed!r}, the judge finds {verdict!r}")
    return verdict
