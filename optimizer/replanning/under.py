"""A rest chosen for all members of an ensemble, beside the plan as it was and the plan resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.shown import decided_document, decided_report
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.replanning.changes import changed_parts
from abscopt.optimizer.replanning.document import rest_table, start_lines
from abscopt.optimizer.replanning.replan import planned_schedule
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.schedule import given_schedule, resumed_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.models.arrays import BoolArray, FloatArray
    from abscopt.optimizer.ensemble.decide import EnsembleResult
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Way:
    """One way to treat, in every member.

    Attributes
    ----------
    values : (members,) objective
    allowed : (members,) whether it keeps every limit and rule and may be chosen; of the plan as it
        was only whether it keeps the limits
    """

    name: str
    schedule: Schedule
    values: FloatArray
    allowed: BoolArray


@dataclass(frozen=True, eq=False)
class ReplanUnder:
    """What is known of the rest of a treatment under an ensemble.

    Attributes
    ----------
    result : the rest chosen for all members
    planned, resumed : the plan as if nothing had come between, and gone on with; None without one
    stopped : what was given and nothing more
    new : the rest chosen; None where none was found
    gains : per lesion or agent that changes against the plan resumed (members,) what that alone
        gains; not a number where it may not be given
    """

    result: EnsembleResult
    planned: Way | None
    resumed: Way | None
    stopped: Way
    new: Way | None
    gains: dict[str, FloatArray]

    @property
    def cost(self) -> FloatArray | None:
        """(members,) what the interruption costs where the plan is resumed."""
        if self.planned is None or self.resumed is None:
            return None
        return self.planned.values - self.resumed.values

    @property
    def gain(self) -> FloatArray | None:
        """(members,) what the new rest gains over the plan resumed."""
        if self.new is None or self.resumed is None:
            return None
        return self.new.values - self.resumed.values


def replan_under(ensemble: Ensemble, **options: Any) -> ReplanUnder:
    """The best rest for all members, and what each other way is worth in each.

    Parameters
    ----------
    ensemble : of a case with a past
    options : those of `decide`
    """
    return compared_under(ensemble, decide(ensemble, **options))


def compared_under(ensemble: Ensemble, result: EnsembleResult) -> ReplanUnder:
    """An answer for all members beside what else could be done."""
    case = ensemble.case
    judges = [Judge(member) for member in ensemble.instances]
    before = [Judge(member.unchecked({"delivered": None})) for member in ensemble.instances]
    plan, again = planned_schedule(case), resumed_schedule(case)
    resumed = None if again is None else _way("Plan resumed", again, judges)
    answer = None if result.answer is None else result.answer.schedule
    gains = {}
    if answer is not None and resumed is not None:
        for what, changed in changed_parts(case, resumed.schedule, answer):
            alone = _way(what, changed, judges)
            gains[what] = np.where(alone.allowed, alone.values - resumed.values, np.nan)
    return ReplanUnder(
        result=result,
        planned=None if plan is None else _way("Plan as it was", plan, before, rules=False),
        resumed=resumed,
        stopped=_way("Nothing more", given_schedule(case), judges),
        new=None if answer is None else _way("New", answer, judges),
        gains=gains,
    )


def _way(name: str, schedule: Schedule, judges: list[Judge], rules: bool = True) -> Way:
    verdicts = [judge.evaluate(schedule) for judge in judges]
    return Way(
        name,
        schedule,
        np.array([verdict.objective for verdict in verdicts]),
        np.array([v.admissible if rules else not v.broken_limits for v in verdicts]),
    )


def under_report(study: ReplanUnder) -> str:
    """The comparison, then the report of the new rest."""
    case = study.result.ensemble.case
    old = None if study.resumed is None else study.resumed.schedule
    new = None if study.new is None else study.new.schedule
    parts: list[object] = [*start_lines(case), "", rest_table(case, old, new), _values(study)]
    parts += [*_lines(study), ""]
    return plain_text(parts).rstrip("\n") + "\n\n" + decided_report(study.result)


def _values(study: ReplanUnder) -> object:
    unit, weights = study.result.ensemble.case.objective.unit, study.result.ensemble.weights
    table = plain_table(
        f"Over the members ({unit})", "", ">Mean", ">Worst", ">Best", ">May be given in %"
    )
    for way in (study.planned, study.resumed, study.stopped, study.new):
        if way is not None:
            mean, share = float(weights @ way.values), 100 * float(weights @ way.allowed)
            numbers = (f"{n:.4f}" for n in (mean, way.values.min(), way.values.max()))
            table.add_row(way.name, *numbers, f"{share:.0f}")
    return table


def _lines(study: ReplanUnder) -> Iterator[str]:
    unit = study.result.ensemble.case.objective.unit
    for label, numbers in (("Interruption costs", study.cost), ("New rest gains", study.gain)):
        if numbers is not None:
            yield f"{label} {_spread(study, numbers)} {unit}"
    for what, gains in study.gains.items():
        if np.isnan(gains).all():
            yield f"Change of {what}: not by itself within the limits"
        else:
            yield f"Change of {what}: by itself {_spread(study, gains)} {unit}"
    if study.gain is not None and not study.gains:
        yield "Change: none, the plan resumed is the best rest"


def _spread(study: ReplanUnder, numbers: FloatArray) -> str:
    """`+0.0123 in the mean, -0.0010 to +0.0300`; members in which a change may be given."""
    weights = np.where(np.isnan(numbers), 0.0, study.result.ensemble.weights)
    mean = float(weights @ np.nan_to_num(numbers)) / float(weights.sum())
    words = f"{mean:+.4f} in the mean, {np.nanmin(numbers):+.4f} to {np.nanmax(numbers):+.4f}"
    share = 100 * float(weights.sum())
    return words if share > 99.9 else f"{words} ({share:.0f} % of the members)"


def under_document(study: ReplanUnder) -> dict[str, Any]:
    """That of an answer under an ensemble, with the comparison under `replan`."""
    case = study.result.ensemble.case
    ways = {
        "planned": study.planned,
        "resumed": study.resumed,
        "stopped": study.stopped,
        "new": study.new,
    }
    comparison: dict[str, Any] = {
        name: None
        if way is None
        else {
            "values": way.values.tolist(),
            "allowed": way.allowed.tolist(),
            "schedule": way.schedule.to_json(case),
        }
        for name, way in ways.items()
    }
    comparison["interruption_cost"] = None if study.cost is None else study.cost.tolist()
    comparison["gain"] = None if study.gain is None else study.gain.tolist()
    comparison["changes"] = [
        {"what": what, "gain_alone": [None if np.isnan(g) else float(g) for g in gains]}
        for what, gains in study.gains.items()
    ]
    return decided_document(study.result) | {"replan": comparison}
