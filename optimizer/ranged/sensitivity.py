"""What the answer to a case depends on: each limit and parameter is varied by itself.

The case is solved with each value, from the schedules, tables and proofs of the solves before on
the same axis, and of the case as it stands. A
solve has a gap, so that the change of the optimum is known between two numbers only; and whether
another schedule is needed is asked of the answer to the case as it stands, judged with the value:
it stays if it is still proved to be within the gap, and fails if it breaks a limit or a known
schedule is better by more than the gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from abscopt.instances.load import InputError, Problem, case_of
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.near.differences import differences
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.process import interrupts
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.ranged.apart import swings_of_processes
from abscopt.optimizer.ranged.axes import (
    Axis,
    axes_of_ensemble,
    axes_of_limits,
    axis_of_text,
)
from abscopt.optimizer.sweeps.workers import refuse_without_joblib

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule

STEP = 0.05
"""Of a cap, as a part of it: the step of published limits, and above what plans are off by."""
HALVINGS = 4
"""Of the range in which the schedule changes: a sixteenth of it is left."""
MOST_HALVINGS = 20
ENSEMBLE = "plausible-20"
"""Ranges where neither case nor user states any: those that the evidence leaves."""
ROUNDING = 1e-9

Stays = Literal["stays", "fails", "undecided", "unknown"]


@dataclass(frozen=True)
class Varied:
    """The answer with one value changed.

    Attributes
    ----------
    words : the value
    changes : as `--set` takes them
    kept : objective that the answer to the case as it stands has here; None if it breaks a limit
    change : least and greatest change of the optimum; None where nothing is known
    controlled : change of the expected number of lesions controlled at the last horizon
    stays : whether that answer is still within the gap of the best
    differs : in what the schedule is another one, where it fails
    """

    words: str
    value: float
    changes: tuple[str, ...]
    result: Result
    kept: float | None
    change: tuple[float, float] | None
    controlled: float | None
    stays: Stays
    differs: tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether the optimum is known to change, and in which direction."""
        return self.change is not None and (self.change[0] > 0 or self.change[1] < 0)

    @property
    def moved(self) -> float | None:
        """Middle of the interval of the change."""
        return None if self.change is None else sum(self.change) / 2


@dataclass(frozen=True)
class Swing:
    """One axis with its solves.

    Attributes
    ----------
    switches : (the last value at which the answer stays, the first at which it fails), by end
    """

    axis: Axis
    varied: tuple[Varied, ...]
    switches: tuple[tuple[float, float], ...]

    @property
    def size(self) -> float:
        """Greatest change of the optimum at either end."""
        return max((abs(v.moved) for v in self.varied if v.moved is not None), default=0.0)


@dataclass(frozen=True)
class Sensitivity:
    """What an answer depends on, the greatest swing first.

    Attributes
    ----------
    solved : the answer to the case as it stands
    complete : whether every axis was looked at; else the user ended it
    """

    case: Instance
    solved: Result
    swings: tuple[Swing, ...]
    complete: bool

    def frame(self) -> pd.DataFrame:
        """One row for each solve."""
        import pandas as pd

        from abscopt.optimizer.ranged.shown import COLUMNS, rows

        return pd.DataFrame(rows(self), columns=list(COLUMNS))


@raises_interrupted
def sensitivity(
    case: Instance | str | Path,
    *,
    ensemble: str | None = None,
    vary: Sequence[str] = (),
    limits: bool = True,
    parameters: bool = True,
    step: float = STEP,
    halvings: int = HALVINGS,
    threads: int = 1,
    **options: Any,
) -> Sensitivity:
    """What the answer to a case depends on.

    Parameters
    ----------
    ensemble : whose ranges are used; the case's own, else `plausible-20`
    vary : ranges `KEY=LOW:HIGH`, or `KEY*=LOW:HIGH` of factors; in place of an ensemble's unless
        one is named
    limits, parameters : whether limits that bind, and parameters, are varied
    step : part of a cap by which limits are tightened and relaxed; counts change by one
    halvings : of the range in which the schedule changes
    threads : limits and parameters that are varied at a time, each in a process of its own (extra
        `sweeps`); the answer is the same
    options : those of `solve`, for each solve

    Raises
    ------
    InputError
        If there is no such case, ensemble or key, a number is out of range, or joblib is missing.
    """
    instance = case_of(case)
    if not 0 < step < 1:
        raise InputError([Problem(instance.name, "step", f"{step}", "must be above 0 and below 1")])
    if not 0 <= halvings <= MOST_HALVINGS:
        rule = f"must be 0 to {MOST_HALVINGS}"
        raise InputError([Problem(instance.name, "halvings", f"{halvings}", rule)])
    axes = [axis_of_text(instance, text) for text in vary]
    if parameters and (ensemble is not None or not axes):
        named = ensemble or (None if instance.ensemble is not None else ENSEMBLE)
        axes += axes_of_ensemble(instance, named)
    for axis in axes:  # before any solve
        for _, value in axis.ends:
            instance.with_(axis.changes(value))
    refuse_without_joblib("--threads", threads)
    memory = Memory()
    solved = solve(instance, memory=memory, **options)
    if solved.schedule is None or solved.evaluation is None:
        return Sensitivity(instance, solved, (), solved.status == "infeasible")
    if limits:
        binding = [use.name for use in solved.evaluation.limits if use.binding]
        axes = [*axes_of_limits(instance, binding, step), *axes]
    study = Study(instance, solved, memory, options)
    if threads > 1 and len(axes) > 1:
        swings = swings_of_processes(study, axes, halvings, threads)
    else:
        swings = []
        for axis in axes:
            if interrupts.asked():
                break
            swings.append(study.swing(axis, halvings))
    ordered = sorted(swings, key=lambda swing: -swing.size)
    return Sensitivity(instance, solved, tuple(ordered), len(swings) == len(axes))


class Study:
    """Solves of a case with other values, and the schedules known from them.

    Each axis begins with what the solve of the case as it stands has left, so that it does not
    matter which were looked at before.
    """

    def __init__(self, case: Instance, solved: Result, memory: Memory, options: dict[str, Any]):
        assert solved.schedule is not None and solved.evaluation is not None
        self.case, self.solved, self.options = case, solved, options
        self.first, self.memory = memory, memory
        self.answer: Schedule = solved.schedule
        self.verdict: Evaluation = solved.evaluation
        self.known: dict[Schedule, None] = {}

    def swing(self, axis: Axis, halvings: int) -> Swing:
        """Both ends of an axis, and where the schedule changes on the way to each."""
        self.memory, self.known = self.first.copy(), {}
        varied, switches = [], []
        for words, value in axis.ends:
            if interrupts.asked():
                break
            varied.append(self.varied(axis, words, value))
            if varied[-1].stays == "fails" and axis.base is not None and axis.base != value:
                switches.append(self.switch(axis, value, halvings))
        return Swing(axis, tuple(varied), tuple(switches))

    def varied(self, axis: Axis, words: str, value: float) -> Varied:
        """The answer with one value."""
        changes = axis.changes(value)
        changed = self.case.with_(changes)
        result = solve(changed, memory=self.memory, **{**self.options, "start": self.answer})
        if result.schedule is not None:
            self.known[result.schedule] = None
        value_here = self._kept(changed)
        stays = self._stays(result, value_here)
        differs: tuple[str, ...] = ()
        if stays == "fails" and result.schedule is not None:
            differing = differences(self.case, result.schedule, self.answer)
            differs = tuple(dict.fromkeys(difference.words for difference in differing))
        return Varied(
            words=words,
            value=value,
            changes=tuple(str(change) for change in changes),
            result=result,
            kept=value_here,
            change=self._change(result),
            controlled=self._controlled(result),
            stays=stays,
            differs=differs,
        )

    def _kept(self, changed: Instance) -> float | None:
        """Objective of the answer in a changed case; None if it could not be the answer there."""
        verdict = Judge(changed).evaluate(self.answer)
        return verdict.objective if verdict.admissible else None

    def _stays(self, result: Result, value_here: float | None) -> Stays:
        """Whether the answer is within the gap of the best."""
        gap = result.requested_gap + ROUNDING
        if value_here is None:
            return "fails"
        if result.bound is not None and result.bound - value_here <= gap:
            return "stays"
        if result.objective is not None and result.objective - value_here > gap:
            return "fails"
        return "undecided" if result.bound is not None else "unknown"

    def _change(self, result: Result) -> tuple[float, float] | None:
        """Between which the change of the optimum lies: f - B0 and B - f0."""
        before = self.solved
        numbers = (result.objective, result.bound, before.objective, before.bound)
        if None in numbers:
            return None
        objective, bound, stated, stated_bound = (float(x or 0.0) for x in numbers)
        return objective - stated_bound, bound - stated

    def _controlled(self, result: Result) -> float | None:
        """Change of the sum of control probabilities at the last horizon."""
        if result.evaluation is None:
            return None
        return _expected(result.evaluation) - _expected(self.verdict)

    def switch(self, axis: Axis, end: float, halvings: int) -> tuple[float, float]:
        """A range in which the answer stops to stay, halved some times.

        At each middle a schedule that is known may show that it fails; else the case is solved.
        What is undecided counts as staying: the second number is one at which it fails for certain.
        """
        assert axis.base is not None
        stays, fails = axis.base, end
        for _ in range(halvings):
            middle = _middle(stays, fails, axis.whole)
            if middle in (stays, fails) or interrupts.asked():
                break
            if self._fails(axis, middle):
                fails = middle
            else:
                stays = middle
        return stays, fails

    def _fails(self, axis: Axis, value: float) -> bool:
        changed = self.case.with_(axis.changes(value))
        value_here = self._kept(changed)
        if value_here is None:
            return True
        judge, gap = Judge(changed), self.solved.requested_gap + ROUNDING
        for schedule in self.known:
            verdict = judge.evaluate(schedule)
            if verdict.admissible and verdict.objective - value_here > gap:
                return True
        return self.varied(axis, "", value).stays == "fails"


def _expected(verdict: Evaluation) -> float:
    """Expected number of lesions controlled at the last horizon."""
    return math.fsum(lesion.control_probability[-1] for lesion in verdict.lesions)


def _middle(a: float, b: float, counted: bool) -> float:
    """Middle of two values: geometric where both are positive, a whole number where they are."""
    if counted:
        return float((int(a) + int(b)) // 2) if abs(a - b) > 1 else a
    if a > 0 and b > 0:
        return float(f"{math.sqrt(a * b):.6g}")
    return float(f"{(a + b) / 2:.6g}")
