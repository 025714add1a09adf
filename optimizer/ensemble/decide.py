"""The best schedule under all members of an ensemble at once, judged in each, with a proven bound.

    mean      sum_m w_m V_m(x)                        cvar:0.2   mean of the worst fifth
    worst     min_m V_m(x)                            regret     -max_m (V*_m - V_m(x))

V_m(x) is the objective that the judge finds for x in member m, V*_m that of the best schedule of
member m alone. Beside the answer stand the optimum of the case as it is stated (what ignoring the
ensemble costs) and the standard regimen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.answer import bound_tolerance
from abscopt.optimizer.candidates.ceilings import ceiling_of_case
from abscopt.optimizer.differences import closes, excess
from abscopt.optimizer.ensemble.asked import Asked
from abscopt.optimizer.ensemble.searched import Searched, by_programme, by_search
from abscopt.optimizer.ensemble.second_stage import least_loading
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.highs.solver import SolverError
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.pipeline import Method, solve
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.results.result import ResultStatus
from abscopt.optimizer.schedule import Schedule, standard_schedule
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE, Members
from abscopt.optimizer.search.ensemble.risk import Risk
from abscopt.optimizer.solved import JUDGE_TOLERANCE

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.ensemble.members import Ensemble

FINER = 0.25
"""Of the gap asked for: the gap of a member's own optimum, which adds to that of regret."""
SHARE_BEFORE = 0.5
"""Of a time limit: what solves of single parameter sets may take before the search over members."""


@dataclass(frozen=True)
class Judged:
    """One schedule, judged in the case and in every member.

    Attributes
    ----------
    risk : the measure that was asked for
    values : (members,) objective in each
    nominal : in the case as it is stated
    broken : weight of the members in which a limit, rule or demand is not kept
    """

    schedule: Schedule
    risk: float
    values: FloatArray
    nominal: Evaluation
    broken: float


@dataclass(frozen=True)
class EnsembleResult:
    """Answer to a case under an ensemble.

    Attributes
    ----------
    objective, bound : of the measure of risk; no schedule that the case offers is better than bound
    chance : weight of members in which a limit of their own may be broken
    answer : the schedule; None if nothing is known
    nominal : the optimum of the case as it is stated, under the same members
    nominal_best : the best objective that is known in the case as it is stated
    standard : the standard regimen; None if there is none
    best : (members,) no schedule is better in a member alone, where that was solved for
    best_error : how far these may lie above the members' optima at most
    by_programme : whether the bound is one of the programme over members, not of the search
    """

    ensemble: Ensemble
    asked: Asked
    chance: float
    status: ResultStatus
    objective: float | None
    bound: float | None
    requested_gap: float
    answer: Judged | None
    nominal: Judged | None
    nominal_best: float | None
    standard: Judged | None
    best: FloatArray | None
    best_error: float
    nodes: int
    seconds: float
    seed: int
    by_programme: bool = False

    @property
    def gap(self) -> float | None:
        """Bound minus objective."""
        return excess(self.bound, self.objective)

    @property
    def price_of_robustness(self) -> float | None:
        """What the answer gives up in the case as it is stated, against its optimum there."""
        if self.answer is None or self.nominal_best is None:
            return None
        objective = self.answer.nominal.objective
        return max(self.nominal_best, objective) - objective

    @property
    def cost_of_ignoring(self) -> float | None:
        """What the optimum of the stated case gives up in the measure of risk.

        Infinite where it breaks limits in more members than may be.
        """
        if self.answer is None or self.nominal is None:
            return None
        if self.nominal.broken > self.chance + WITHIN_CHANCE:
            return math.inf
        return self.answer.risk - self.nominal.risk

    @property
    def perfect_information(self) -> float | None:
        """Value of knowing the member before deciding, at most; None if it was not solved for.

        EVPI = sum_m w_m V*_m - sum_m w_m V_m(x) (Raiffa and Schlaifer 1961, Applied statistical
        decision theory), with the bounds of the members' optima for V*.
        """
        if self.best is None or self.answer is None:
            return None
        weights = self.ensemble.weights
        return float(weights @ (self.best - self.answer.values))

    @property
    def perfect_information_at_least(self) -> float | None:
        """Value of knowing the member, at least: by the schedules that were judged in all members.

        sum_m w_m max_x V_m(x) - sum_m w_m V_m(answer), over x that keep the limits of every member
        """
        if self.answer is None:
            return None
        compared = [
            judged.values
            for judged in (self.nominal, self.standard)
            if judged is not None and judged.nominal.admissible and judged.broken <= WITHIN_CHANCE
        ]
        best = np.max([self.answer.values, *compared], axis=0)
        return float(self.ensemble.weights @ (best - self.answer.values))


@raises_interrupted
def decide(
    ensemble: Ensemble,
    risk: str = "mean",
    *,
    chance: float = 0.0,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    threads: int = 1,
    method: Method = "auto",
    perfect: bool = False,
    listener: Listener | None = None,
    start: Schedule | None = None,
) -> EnsembleResult:
    """Best schedule of a case under an ensemble, judged in every member, with a proven bound.

    Parameters
    ----------
    risk : `mean`, `cvar:0.2` (mean of the worst fifth), `worst` or `regret`
    chance : weight of members in which a limit of their own may be broken; those of the case as it
        is stated are always kept
    gap : absolute, in the objective's unit; the case's own if None
    time_limit : seconds from this call; then the best schedule so far has its true bound
    threads : of the solver of a programme
    method : `auto` (search over members, or one programme where some course is free), or `single`
        (one programme)
    perfect : solve each member alone, for the value of perfect information; regret does anyway
    start : a schedule to begin with

    Raises
    ------
    InputError
        If the measure is unknown, a member offers something else, or the programme that is needed
        does not cover the case.
    """
    asked, clock, case = Asked.of(risk, chance), Clock(time_limit, listener), ensemble.case
    wanted = case.objective.gap if gap is None else gap
    panel = Panel(ensemble, asked, chance)
    searched, nominal, nominal_best = Searched(), None, None
    best, error = None, 0.0
    with clock.running("preparing"):
        try:
            programme = method == "single" or any(
                x.course is not None and x.course.form == "free" for x in case.lesions
            )
            members = Members.of(
                case, ensemble.instances, ensemble.weights, chance, searched=not programme
            )
            answer = solve(
                case, gap=gap, seed=seed, time_limit=_part(clock, SHARE_BEFORE), listener=listener
            )
            nominal_best = answer.certificate.best_objective
            schedules = [s for s in (answer.schedule, start) if s is not None]
            if answer.status == "infeasible":
                return _nothing(ensemble, asked, chance, wanted, clock, seed)
            if asked.kind == "regret" or perfect:
                best, error, optima = _alone(panel, FINER * wanted, seed, clock, listener)
                schedules += optima
            panel.best = best
            if answer.schedule is not None:
                nominal = panel.judged(answer.schedule)
            if (standard := standard_schedule(case)) is not None:
                schedules.append(standard)
            in_hand = list(dict.fromkeys(schedules))
            measure = Risk(asked.kind, members.weights, asked.level, best)
            if programme:
                searched = by_programme(members, measure, wanted, seed, threads, clock, in_hand)
            else:
                searched = by_search(members, measure, wanted, clock, in_hand)
        except Stopped:
            pass
        with clock.answering():
            return _answer(panel, searched, nominal, nominal_best, best, error, wanted, clock, seed)


def _free(lesion: Lesion) -> bool:
    return lesion.course is not None and lesion.course.form == "free"


class Panel:
    """Judges of all members: what a schedule is worth under the measure of risk."""

    def __init__(self, ensemble: Ensemble, asked: Asked, chance: float):
        self.ensemble, self.asked, self.chance = ensemble, asked, chance
        self.nominal = Judge(ensemble.case)
        self.judges = [Judge(member) for member in ensemble.instances]
        self.best: FloatArray | None = None

    def judged(self, schedule: Schedule) -> Judged:
        """A schedule in the case and in every member."""
        verdicts = [judge.evaluate(schedule) for judge in self.judges]
        values = np.array([verdict.objective for verdict in verdicts])
        weights = self.ensemble.weights
        broken = float(weights @ [not verdict.admissible for verdict in verdicts])
        return Judged(schedule, self.risk(values), values, self.nominal.evaluate(schedule), broken)

    def risk(self, values: FloatArray) -> float:
        """The measure of values (members,), from its definition."""
        weights = self.ensemble.weights
        if self.asked.kind == "mean":
            return float(weights @ values)
        counted = weights > 0.0
        if self.asked.kind == "worst":
            return float(values[counted].min())
        if self.asked.kind == "regret":
            best = values if self.best is None else self.best
            return -float((best - values)[counted].max())
        order = np.argsort(values, kind="stable")
        before = np.cumsum(weights[order]) - weights[order]
        shares = np.clip(self.asked.level - before, 0.0, weights[order])
        return float(shares @ values[order] / shares.sum())

    def accepts(self, judged: Judged) -> bool:
        """Whether limits are kept: all in the case, and in members of enough weight."""
        return judged.nominal.admissible and judged.broken <= self.chance + WITHIN_CHANCE


def _part(clock: Clock, share: float) -> float | None:
    """A part of the time that is left."""
    return None if clock.remaining is None else share * clock.remaining


def _alone(
    panel: Panel, gap: float, seed: int, clock: Clock, listener: Listener | None
) -> tuple[FloatArray | None, float, list[Schedule]]:
    """(members,) bound of each member alone, the greatest gap, and the schedules.

    None where a member has no feasible schedule whose limits must be kept: nothing is left to be
    decided. Raises Stopped where the time is over before all of them are known.
    """
    ensemble, regret = panel.ensemble, panel.asked.kind == "regret"
    memory, best, error = Memory(), [], 0.0
    schedules: list[Schedule] = []
    for number, member in enumerate(ensemble.instances):
        if clock.expired:
            raise Stopped
        share = SHARE_BEFORE / (len(ensemble.members) - number)
        answer = solve(
            member, gap=gap, seed=seed, time_limit=_part(clock, share), memory=memory,
            listener=listener,
        )  # fmt: skip
        if answer.bound is None or answer.gap is None or answer.schedule is None:
            if answer.status != "infeasible":
                raise Stopped
            if not regret and ensemble.weights[number] > panel.chance + WITHIN_CHANCE:
                return None, 0.0, schedules
            what = "its regret means nothing" if regret else "knowing it has no value"
            name, rule = ensemble.members[number].name, f"has no feasible schedule, so that {what}"
            raise InputError([Problem(ensemble.case.name, "ensemble", name, rule)])
        best.append(answer.bound)
        error = max(error, answer.gap)
        schedules.append(answer.schedule)
    return np.array(best), error, schedules


def _answer(
    panel: Panel,
    searched: Searched,
    nominal: Judged | None,
    nominal_best: float | None,
    best: FloatArray | None,
    error: float,
    wanted: float,
    clock: Clock,
    seed: int,
) -> EnsembleResult:
    """What the search found, judged; a bound that a judged schedule refutes is our failure."""
    case = panel.ensemble.case
    if panel.asked.kind == "regret" and best is None:
        nominal = None  # its regret is not known
    regimen = standard_schedule(case)
    standard = None if regimen is None or _unknown(panel, best) else panel.judged(regimen)
    answer = _judged_answer(panel, searched)
    rivals = [nominal, standard] if not _unknown(panel, best) else []
    for rival in rivals:
        if rival is None or not panel.accepts(rival):
            continue
        if answer is None or rival.risk > answer.risk:
            answer = rival
    proved = min(searched.bound, _ceiling(panel))
    bound = proved if math.isfinite(proved) else None
    if answer is not None and bound is not None:
        errors = JUDGE_TOLERANCE * max(1.0, abs(bound))
        if searched.by_programme:
            errors = bound_tolerance(case, answer.risk) / panel.asked.level
        if answer.risk > bound + errors:
            raise SolverError(f"the bound {bound!r} lies below the judged {answer.risk!r}")
        bound = max(bound, answer.risk)
        if searched.plans is not None and bound - answer.risk <= wanted:
            answer = least_loading(panel, searched.plans, answer, bound, wanted, clock)
    status: ResultStatus = "unknown"
    if answer is not None:
        status = "optimal" if closes(bound, answer.risk, wanted) else "feasible"
    elif searched.infeasible:
        status, bound = "infeasible", None
    return EnsembleResult(
        panel.ensemble, panel.asked, panel.chance, status,
        None if answer is None else answer.risk, bound, wanted, answer, nominal, nominal_best,
        standard, best, error, searched.nodes, clock.elapsed, seed,
        searched.by_programme,
    )  # fmt: skip


def _ceiling(panel: Panel) -> float:
    """What holds of every schedule before anything is searched; infinite where nothing does.

    risk(V) <= risk(ceilings), where V_m <= ceiling_m;  -max_m (V*_m - V_m) <= 0
    """
    if panel.asked.kind == "regret":
        return math.inf if panel.best is None else 0.0
    ceilings = np.array([ceiling_of_case(member) for member in panel.ensemble.instances])
    return panel.risk(ceilings) if np.isfinite(ceilings).all() else math.inf


def _unknown(panel: Panel, best: FloatArray | None) -> bool:
    """Whether regret was asked for and the members' optima are not known."""
    return panel.asked.kind == "regret" and best is None


def _judged_answer(panel: Panel, searched: Searched) -> Judged | None:
    """The schedule as the judge sees it; a claim it does not share is our failure."""
    if searched.schedule is None or searched.values is None:
        return None
    answer = panel.judged(searched.schedule)
    if not panel.accepts(answer):
        broken = [*answer.nominal.obstacles, *answer.nominal.broken_limits]
        share = f"{100 * answer.broken:.3g} % of the members"
        raise SolverError(f"the judge rejects the schedule: {', '.join(broken) or share}")
    apart = np.abs(answer.values - searched.values)
    if (apart > JUDGE_TOLERANCE * np.maximum(1.0, np.abs(searched.values))).any():
        raise SolverError(f"claimed {searched.values!r}, the judge finds {answer.values!r}")
    return answer


def _nothing(
    ensemble: Ensemble, asked: Asked, chance: float, wanted: float, clock: Clock, seed: int
) -> EnsembleResult:
    """The case as it is stated is infeasible, whatever the members."""
    return EnsembleResult(
        ensemble, asked, chance, "infeasible", None, None, wanted, None, None, None, None, None,
        0.0, 0, clock.elapsed, seed,
    )  # fmt: skip
