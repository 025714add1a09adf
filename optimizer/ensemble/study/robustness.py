"""How an answer fares in every member of an ensemble, and what of it the ensemble identifies.

The schedule, the standard regimen and each member's own optimum are judged in every member. Values
are in the unit of the objective; regrets are against the best schedule that is known of a member,
and its bound says by how much a better one could exceed it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.ensemble.study.drivers import Driver, drivers
from abscopt.optimizer.ensemble.study.identified import Identified, identify
from abscopt.optimizer.ensemble.study.optima import OPTIMA_SHARE, Optima, Solves, optima
from abscopt.optimizer.ensemble.study.pool import Pool
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock, Listener, Progress, Stopped
from abscopt.optimizer.schedule import Schedule, read_schedule, standard_schedule

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import FloatArray

QUANTILES = (0.1, 0.5, 0.9)
MATTERS = 5
"""A decision matters where fixing it costs a member more than so many gaps: what is within the gap
is a matter of the search, and a few of them are 5 % of the probability that all is controlled."""
EQUAL = 1e-9
"""Difference of values that is none."""


@dataclass(frozen=True)
class Robustness:
    """A schedule in every member of an ensemble.

    Attributes
    ----------
    schedule, standard : rows of the pool; the standard's is None where the case states none
    optima : the members' own optima and bounds
    table : decisions, the values that members choose, and what it costs to fix them
    drivers : Sobol' indices; empty unless asked for
    gap : of the solves
    matters : regret above which a decision matters
    stopped : whether time or a signal ended it before everything asked was done
    """

    ensemble: Ensemble
    pool: Pool
    schedule: int
    standard: int | None
    optima: Optima
    table: tuple[Identified, ...]
    drivers: tuple[Driver, ...]
    gap: float
    matters: float
    stopped: bool

    @property
    def unit(self) -> str:
        """Of values, gains and regrets."""
        return self.ensemble.case.objective.unit

    @property
    def gains(self) -> FloatArray | None:
        """(members,) value of the schedule less that of the standard; None without a standard."""
        if self.standard is None:
            return None
        gains: FloatArray = self.pool.values[self.schedule] - self.pool.values[self.standard]
        return gains

    @property
    def better(self) -> float | None:
        """Weight of the members in which the schedule keeps its limits and beats the standard."""
        if self.gains is None:
            return None
        wins = (self.gains > EQUAL) & self.pool.feasible[self.schedule]
        return float(self.ensemble.weights @ wins)

    @property
    def regrets(self) -> FloatArray:
        """(members,) best known value less the schedule's; NaN where it breaks a limit."""
        regrets = self.pool.best - self.pool.values[self.schedule]
        return np.where(self.pool.feasible[self.schedule], regrets, np.nan)

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables: `members`, `control`, `decisions` (identification), `values`, `drivers`."""
        from abscopt.optimizer.ensemble.study.frames import frames

        return frames(self)

    def summary(self) -> dict[str, Any]:
        """Means, quantiles, price of robustness and value of perfect information.

        `best_in_mean`: of the schedules compared, the one of the greatest mean that keeps its
        limits in every member. `price_of_robustness`: what it gives up in the case as stated
        against the best known there. `evpi_at_most`: mean over members of their bounds, less that
        greatest mean: knowing the member is worth no more.
        """
        weights, values = self.ensemble.weights, self.pool.values
        safe = self.pool.feasible.all(axis=1)
        means = np.where(safe, values @ weights, -np.inf)
        leader = int(means.argmax()) if safe.any() else None
        figures: dict[str, Any] = {
            "members": len(weights),
            "solved": sum(status in ("optimal", "infeasible") for status in self.optima.statuses),
            "keeps_limits": float(weights @ self.pool.feasible[self.schedule]),
            "mean": float(weights @ values[self.schedule]),
            "standard_mean": None,
            "better_than_standard": self.better,
            "gain_quantiles": None,
            "mean_regret": _mean(self.regrets, weights),
            "largest_regret": _largest(self.regrets),
            "best_in_mean": None if leader is None else float(means[leader]),
            "price_of_robustness": None,
            "evpi_at_most": None,
            "schedules_compared": len(self.pool.schedules),
        }
        if self.standard is not None and self.gains is not None:
            figures["standard_mean"] = float(weights @ values[self.standard])
            figures["gain_quantiles"] = quantiles(self.gains, weights)
        if leader is not None:
            nominal = self.pool.nominal
            if np.isfinite(nominal[leader]):
                figures["price_of_robustness"] = float(nominal.max() - nominal[leader])
            if np.isfinite(self.optima.bounds).all():
                ceiling = np.maximum(self.optima.bounds, self.pool.best)
                figures["evpi_at_most"] = float(weights @ ceiling - means[leader])
        return figures

    def lines(self) -> list[str]:
        """Two lines that a report begins with."""
        name, count = self.ensemble.name, len(self.ensemble.members)
        sets = f"{count} parameter sets ({name})"
        if self.better is None:
            first = f"judged in {sets}; the case states no standard regimen"
        else:
            first = f"better than the standard in {100 * self.better:.0f} % of {sets}"
        if self.stopped:
            first += "; stopped before all was solved"
        groups: dict[str, list[str]] = {}
        for row in self.table:
            groups.setdefault(row.verdict, []).append(row.decision.name)
        order = ("identified", "not identified", "does not matter", "open")
        second = "; ".join(f"{word}: {', '.join(groups[word])}" for word in order if word in groups)
        return [f"Robustness  {first}", f"Decisions  {second or 'none is left by the menu'}"]


@raises_interrupted
def robustness(
    case: Instance,
    schedule: Schedule,
    ensemble: Ensemble | str | None = None,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    listener: Listener | None = None,
    exact: bool = True,
    matters: float | None = None,
    driver_points: int = 0,
) -> Robustness:
    """Judge a schedule, the standard regimen and every member's own optimum in every member.

    Parameters
    ----------
    ensemble : members, a name of the library, or a file; the case's own if None
    gap, threads, seed : of the solves of members
    time_limit : seconds from this call; then what is known so far is told
    exact : solve members with decisions fixed until the largest regrets are exact within the gap;
        else they are bounded by the schedules that are known
    matters : regret above which a decision matters, in the objective's unit; five gaps if None
    driver_points : n of the Sobol' indices, a power of two; 0 for none

    Raises
    ------
    InputError
        If the case has no such ensemble, or the schedule names what the case does not have.
    """
    clock = Clock(time_limit)
    schedule = read_schedule(schedule.to_json(case), case, "schedule")
    members = ensemble if isinstance(ensemble, Ensemble) else ensemble_of(case, ensemble)
    wanted = case.objective.gap if gap is None else gap
    threshold = MATTERS * wanted if matters is None else matters
    solves = Solves(clock, gap, seed, threads, listener)
    indices: tuple[Driver, ...] = ()
    pool = Pool(members)
    with clock.running("members"):
        row = pool.add(schedule)
        standard = standard_schedule(members.case)
        other_row = None if standard is None else pool.add(standard)
        seconds = None if time_limit is None else OPTIMA_SHARE * (clock.remaining or 0.0)
        solved = optima(pool, solves, seconds)
        table = identify(
            pool,
            solved,
            solves,
            schedule,
            standard,
            wanted,
            threshold,
            exact and not solves.stopped,
        )
        if driver_points:
            try:
                indices = drivers(
                    members, schedule, standard, driver_points, seed, _ticking(solves)
                )
            except Stopped:
                solves.stopped = True
    return Robustness(
        members, pool, row, other_row, solved, table, indices, wanted, threshold, solves.stopped
    )


def _ticking(solves: Solves) -> Any:
    def tick(done: int, total: int) -> None:
        solves.tick()
        if solves.listener is not None and done % 8 == 0:
            phase = f"drivers: {done} of {total} parameter sets"
            solves.listener(Progress(phase, None, None, solves.clock.elapsed))

    return tick


def quantiles(
    values: FloatArray, weights: FloatArray, levels: Sequence[float] = QUANTILES
) -> list[float]:
    """Least values up to which so much of the weight lies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array(levels) * reached[-1] * (1 - 1e-12))
    return [float(values[order[min(place, len(order) - 1)]]) for place in places]


def _mean(values: FloatArray, weights: FloatArray) -> float | None:
    finite = np.isfinite(values)
    return float(values[finite] @ weights[finite] / weights[finite].sum()) if finite.any() else None


def _largest(values: FloatArray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) and not math.isnan(finite.max()) else None
