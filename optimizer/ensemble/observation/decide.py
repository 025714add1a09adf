"""The best policy of two stages, judged member by member, and what the observation is worth.

Its value less that of the best single schedule is the expected value of sample information, EVSI;
knowing the member itself would be worth EVPI, so that 0 <= EVSI <= EVPI (Raiffa and Schlaifer 1961,
Applied statistical decision theory).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.candidates.ceilings import ceiling_of_case
from abscopt.optimizer.differences import closes, excess
from abscopt.optimizer.ensemble.decide import EnsembleResult, decide
from abscopt.optimizer.ensemble.observation.classes import Classes
from abscopt.optimizer.ensemble.observation.continuations import Continuations
from abscopt.optimizer.ensemble.observation.search import Policy, TwoStages
from abscopt.optimizer.ensemble.observation.spec import Observation
from abscopt.optimizer.ensemble.observation.stages import FirstStages
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.observed import Observer, before_day
from abscopt.optimizer.highs.solver import SolverError
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.search.ensemble.members import Members, refuse_free
from abscopt.optimizer.solved import JUDGE_TOLERANCE

if TYPE_CHECKING:
    from abscopt.models.arrays import FloatArray, IntArray
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import ResultStatus
    from abscopt.optimizer.schedule import Schedule

SHARE_OF_ONE = 0.6
"""Of a time limit: for the best single schedule and the members' optima, which bound the rest."""


@dataclass(frozen=True)
class Outcome:
    """One class of the observation.

    Attributes
    ----------
    words : what is observed
    weight : probability of the class
    schedule : the whole schedule that goes on then; None where no member is observed so
    stated : its verdict in the case as it is stated
    """

    words: str
    weight: float
    schedule: Schedule | None
    stated: Evaluation | None


@dataclass(frozen=True)
class TwoStageResult:
    """Answer to a case under an ensemble, of which something is observed on a day.

    Attributes
    ----------
    objective, bound : mean over members of the policy; no policy has a greater one than bound
    single : the best single schedule, with the members' optima
    first : what is given before the day; None where nothing is known
    probabilities, values : (classes, members) of being observed so, and objective judged
    """

    ensemble: Ensemble
    observation: Observation
    status: ResultStatus
    objective: float | None
    bound: float | None
    requested_gap: float
    single: EnsembleResult
    first: Schedule | None
    outcomes: tuple[Outcome, ...]
    probabilities: FloatArray
    values: FloatArray
    nodes: int
    seconds: float
    seed: int

    @property
    def gap(self) -> float | None:
        """Bound minus objective."""
        return excess(self.bound, self.objective)

    @property
    def sample_information(self) -> float | None:
        """EVSI of the policy: its mean less that of the single schedule."""
        return excess(self.objective, self.single.objective)

    @property
    def sample_information_at_least(self) -> float | None:
        """What the observation is worth whatever gaps are open: objective less the single bound."""
        return excess(self.objective, self.single.bound)

    @property
    def sample_information_at_most(self) -> float | None:
        """No policy gains more over the single schedule."""
        return excess(self.bound, self.single.objective)


@raises_interrupted
def decide_observed(
    ensemble: Ensemble,
    observe: Observation | str,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    listener: Listener | None = None,
    start: Schedule | None = None,
) -> TwoStageResult:
    """Best plan up to an observation and best continuation for each outcome, by the mean.

    What is given before the day is common to all members; each continuation keeps the limits of the
    case as it is stated, and those of every member that may be observed so.

    Parameters
    ----------
    observe : such as `alc@14<0.8`: two classes, ALC on the morning of day 14 below 0.8 or not
    gap : absolute, in the objective's unit; the case's own if None
    time_limit : seconds from this call; then the best policy so far has its true bound
    start : a schedule to begin with

    Raises
    ------
    InputError
        If the case cannot be observed so, some course is free, or a member offers something else.
    """
    case = ensemble.case
    observation = Observation.of(observe, case) if isinstance(observe, str) else observe
    observation.check(case, observation.text)
    refuse_free(case)
    clock = Clock(time_limit, listener)
    wanted = case.objective.gap if gap is None else gap
    share = None if time_limit is None else SHARE_OF_ONE * time_limit
    single = decide(
        ensemble, "mean", gap=wanted, time_limit=share, seed=seed, perfect=True,
        listener=listener, start=start,
    )  # fmt: skip
    policy, bound, nodes = None, single.bound, 0
    if single.answer is not None:
        policy = Policy((), (single.answer.schedule,), single.answer.risk)
        with clock.running("first stages"):
            better, bound, nodes = _searched(ensemble, observation, single, wanted, clock, listener)
            policy = better or policy
    with clock.answering():
        return _answer(ensemble, observation, single, policy, bound, wanted, nodes, clock, seed)


def _searched(
    ensemble: Ensemble,
    observation: Observation,
    single: EnsembleResult,
    wanted: float,
    clock: Clock,
    listener: Listener | None,
) -> tuple[Policy | None, float, int]:
    """Better policy than the single schedule, if any; bound of all; nodes."""
    alone = single.best
    if alone is None:
        alone = np.array([ceiling_of_case(member) for member in ensemble.instances])
    ceiling, nodes = float(ensemble.weights @ alone), 0
    assert single.answer is not None
    try:
        members = Members.of(ensemble.case, ensemble.instances, ensemble.weights)
        stages = FirstStages.before(members.nominal, observation.day)
        search = TwoStages(
            stages,
            Classes(ensemble, observation, stages),
            Continuations(members, stages, wanted / 2, listener),
            ensemble.weights,
            alone,
            wanted,
            single.answer.risk,
            clock,
        )
        search.run()
        return search.policy, search.bound, search.nodes
    except Stopped:
        return None, ceiling, nodes


def _answer(
    ensemble: Ensemble,
    observation: Observation,
    single: EnsembleResult,
    policy: Policy | None,
    bound: float | None,
    wanted: float,
    nodes: int,
    clock: Clock,
    seed: int,
) -> TwoStageResult:
    """The policy, judged; a claim that the judge does not share is our failure."""
    classes = len(observation.thresholds) + 1
    empty = np.zeros((classes, len(ensemble.members)))
    if policy is None:
        return TwoStageResult(
            ensemble, observation, single.status, None, single.bound, wanted, single, None, (),
            empty, empty, nodes, clock.elapsed, seed,
        )  # fmt: skip
    schedules = policy.schedules * classes if not policy.key else policy.schedules
    first = before_day(next(x for x in schedules if x is not None), observation.day)
    probabilities = _observed(ensemble, observation, first)
    values = empty.copy()
    outcomes = []
    nominal = Judge(ensemble.case)
    for k, (words, schedule) in enumerate(zip(observation.words, schedules, strict=True)):
        counted = np.flatnonzero(probabilities[k] * ensemble.weights > 0.0)
        if not len(counted):
            schedule = None
        stated = None
        if schedule is not None:
            stated = nominal.evaluate(schedule)
            values[k, counted] = _judged(ensemble, schedule, stated, counted)
            if before_day(schedule, observation.day) != first:
                raise SolverError(f"the continuation of '{words}' begins otherwise than others")
        weight = float(probabilities[k] @ ensemble.weights)
        outcomes.append(Outcome(words, weight, schedule, stated))
    objective = float(((probabilities * values) @ ensemble.weights).sum())
    _hold(objective, policy.value, bound)
    proved = None if bound is None or not math.isfinite(bound) else max(bound, objective)
    closed = closes(proved, objective, wanted)
    return TwoStageResult(
        ensemble, observation, "optimal" if closed else "feasible", objective, proved, wanted,
        single, first, tuple(outcomes), probabilities, values, nodes, clock.elapsed, seed,
    )  # fmt: skip


def _observed(ensemble: Ensemble, observation: Observation, first: Schedule) -> FloatArray:
    """(classes, members) probability of being observed so, by the judge."""
    of = observation.quantity, observation.day, observation.lesion
    logs = [Observer(member, *of).log_value(first) for member in ensemble.instances]
    return observation.probabilities(np.array(logs))


def _judged(
    ensemble: Ensemble, schedule: Schedule, stated: Evaluation, counted: IntArray
) -> list[float]:
    """Objectives of a continuation in the members that may be observed so; it keeps all limits."""
    if not stated.admissible:
        broken = [*stated.obstacles, *stated.broken_limits]
        raise SolverError(f"the judge rejects a continuation: {', '.join(broken)}")
    values = []
    for m in counted:
        verdict = Judge(ensemble.instances[int(m)]).evaluate(schedule)
        if not verdict.admissible:
            name = ensemble.members[int(m)].name
            raise SolverError(f"the judge rejects a continuation in member {name}")
        values.append(verdict.objective)
    return values


def _hold(objective: float, claimed: float, bound: float | None) -> None:
    """Raise SolverError where claim and bound do not fit what was judged."""
    tolerance = JUDGE_TOLERANCE * max(1.0, abs(objective))
    if abs(objective - claimed) > tolerance:
        raise SolverError(f"claimed {claimed!r}, the judge finds {objective!r}")
    if bound is not None and objective > bound + tolerance:
        raise SolverError(f"the bound {bound!r} lies below the judged {objective!r}")


def refuse_other_measures(risk: str | None, chance: float | None, method: str = "auto") -> None:
    """Raise InputError where more than the mean, broken limits, or one programme are asked for."""
    if method != "auto":
        rule = "decisions in two stages are searched: leave --method out"
        raise InputError([Problem("observe", "--observe", method, rule)])
    if risk not in (None, "mean") or chance:
        rule = "an observation is decided for by the mean, with all limits of members kept"
        raise InputError([Problem("observe", "--observe", str(risk or chance), rule)])
