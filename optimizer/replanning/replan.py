"""The rest of a treatment chosen anew, beside the plan as it was and the plan resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.history.past import past_of
from abscopt.instances.load import case_of
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.replanning.changes import changed_parts
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import (
    Schedule,
    given_schedule,
    resumed_schedule,
    schedule_of_events,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from abscopt.instances.history.delivered import Delivered
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import Result


@dataclass(frozen=True)
class Judged:
    """A schedule and what the judge says of it."""

    schedule: Schedule
    evaluation: Evaluation


@dataclass(frozen=True)
class Step:
    """One part of a plan that is changed: a lesion or a drug.

    Attributes
    ----------
    what : lesion or agent
    gain : of this change alone over the plan resumed, in the objective's unit; None where it breaks
        a limit or rule by itself
    """

    what: str
    gain: float | None


@dataclass(frozen=True)
class Replan:
    """What is known of the rest of a treatment.

    Attributes
    ----------
    case : with its past
    result : the rest chosen anew
    planned : the plan as it was, had nothing come between; None where no plan is known
    resumed : what was given and the plan resumed; None without a plan
    stopped : what was given and nothing more
    steps : what changes against the plan resumed
    obstacle : why no rest is feasible; None where one is
    """

    case: Instance
    result: Result
    planned: Judged | None
    resumed: Judged | None
    stopped: Judged
    steps: tuple[Step, ...]
    obstacle: str | None

    @property
    def cost(self) -> float | None:
        """What the interruption costs where the plan is resumed: planned minus resumed."""
        if self.planned is None or self.resumed is None:
            return None
        return self.planned.evaluation.objective - self.resumed.evaluation.objective

    @property
    def gain(self) -> float | None:
        """What the new rest gains over the plan resumed."""
        if self.resumed is None or self.result.objective is None:
            return None
        return self.result.objective - self.resumed.evaluation.objective


@raises_interrupted
def replan(
    case: Instance | str | Path,
    delivered: Delivered | Mapping[str, Any] | None = None,
    **options: Any,
) -> Replan:
    """The best rest of a treatment, and what the plan resumed would be worth.

    Parameters
    ----------
    case : a case, the name of a bundled one, or a path
    delivered : what was given, as `[delivered]` of a case; the case's own if None
    options : those of `solve`

    Raises
    ------
    InputError
        If what was given cannot have been given.
    """
    instance = case_of(case)
    if delivered is not None:
        table = dict(delivered) if not hasattr(delivered, "model_fields_set") else delivered
        instance = with_past(instance, table)  # type: ignore[arg-type]
    judge = Judge(instance)
    return compared(judge, solve(instance, judge=judge, **options))


def compared(judge: Judge, result: Result) -> Replan:
    """A result for a judge's case with its past, beside what else could be done."""
    instance = judge.instance
    so_far = given_schedule(instance)
    stopped = Judged(so_far, judge.evaluate(so_far))
    planned, resumed = _planned(instance), resumed_schedule(instance)
    again = None if resumed is None else Judged(resumed, judge.evaluate(resumed))
    steps = () if again is None else _steps(judge, again, result.schedule)
    obstacle = _obstacle(stopped, again) if result.status == "infeasible" else None
    return Replan(instance, result, planned, again, stopped, steps, obstacle)


def _planned(instance: Instance) -> Judged | None:
    """The plan as it was, judged as if nothing had come between."""
    plan = planned_schedule(instance)
    if plan is None:
        return None
    before = instance.unchecked({"delivered": None})
    return Judged(plan, Judge(before).evaluate(plan))


def planned_schedule(instance: Instance) -> Schedule | None:
    """The plan that a past states or follows."""
    past = past_of(instance)
    if past is None or past.planned_fractions is None:
        return None
    return schedule_of_events(past.planned_fractions, past.planned_doses or ())


def _steps(judge: Judge, resumed: Judged, answer: Schedule | None) -> tuple[Step, ...]:
    """Each lesion and agent whose rest changes, with what that alone gains."""
    if answer is None:
        return ()
    parts = changed_parts(judge.instance, resumed.schedule, answer)
    return tuple(_step(judge, resumed, *part) for part in parts)


def _step(judge: Judge, resumed: Judged, what: str, changed: Schedule) -> Step:
    verdict = judge.evaluate(changed)
    gain = verdict.objective - resumed.evaluation.objective if verdict.admissible else None
    return Step(what, gain)


def _obstacle(stopped: Judged, resumed: Judged | None) -> str:
    """Why nothing that may follow is feasible, in one sentence."""
    limits = [use for use in stopped.evaluation.limits if use.broken]
    above = [use for use in limits if not _grows_into(use.name, stopped, resumed)]
    if above:
        words = " and ".join(
            f"{use.name} at {use.value:.4g} {use.unit} (allowed {use.bound:g})"
            for use in above
            if use.value is not None
        )
        return f"what was given already breaks {words or above[0].name}: no rest can mend it"
    broken = [*stopped.evaluation.obstacles, *stopped.evaluation.broken_limits]
    text = "; ".join(broken)
    sentence = f"to stop now breaks {text}" if text else "no rest keeps every limit and rule"
    if resumed is not None:
        again = [*resumed.evaluation.obstacles, *resumed.evaluation.broken_limits]
        if again:
            sentence += f"; the plan resumed breaks {'; '.join(again)}"
    return sentence + ": no rest on offer does better"


def _grows_into(name: str, stopped: Judged, resumed: Judged | None) -> bool:
    """Whether a limit that is broken now is kept by going on: a demand, or a floor."""
    demanded = any(use.name == name and "least" in name for use in stopped.evaluation.limits)
    if resumed is None:
        return demanded
    kept = any(use.name == name and not use.broken for use in resumed.evaluation.limits)
    return demanded or kept
