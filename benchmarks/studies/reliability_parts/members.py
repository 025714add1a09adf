"""Part `members`: decisions for ensembles against enumeration by the judge, and their laws.

Of every small case the judge sees all schedules in all of its three to eight members, or eight to
twelve in every fourth. The search over members finds the optimum of the mean, of two tails, of the
worst member and of the regret, half of the cases from a schedule in hand, whose worst members are
those that its bounds count first; the one programme over members that of one of them, in turn.
Laws: one member that is the case itself has its optimum, the order of members does not matter, the
tail of all of the weight is the mean, and regret is not negative. Every third case may break limits
of members in 30 % of the weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ensembles import RISKS, accepted, ensemble, measure

from abscopt.instances import InputError
from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.programme.ensemble.solve import solve_members
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.explore import explore
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.risk import Risk
from abscopt.optimizer.tuning import using
from reliability_parts.tally import HangError, Tally, one_line, time_box

GAP = 1e-3
JUDGED, ROWS = 1e-9, 1e-6
"""Tolerances of a value, and of a bound of rows of a programme."""
HANG_SECONDS = 600.0
FEW = {"few": 4, "join_limit": 50, "shortlist": 3}
"""Settings of the search under which small cases are bounded and split, not just valued."""


def examine(seed: int) -> Tally:
    """Decide one case for its members in several ways and compare with enumeration."""
    tally = Tally()
    try:
        case, cases, weights = ensemble(seed, *((8, 12) if seed % 4 == 1 else (3, 8)))
    except InputError:
        tally.counts["refused"] += 1
        return tally
    chance = 0.3 if seed % 3 == 0 else 0.0
    members = Members.of(case, cases, weights, chance)
    if not members.nominal.plans:
        tally.counts["no plan"] += 1
        return tally
    values = np.array([of for _, of in accepted(case, cases, weights, chance)])
    tally.counts["cases"] += 1
    tally.counts[f"{len(cases)} members"] += 1
    tally.counts["members with limits of their own"] += bool(members.own_limits.any())
    tally.counts["infeasible"] += not len(values)
    compared = Compared(seed, members, values, tally)
    for number, (kind, level) in enumerate(RISKS):
        compared.search(kind, level)
        if number == seed % len(RISKS):
            compared.programme(kind, level)
    if len(values):
        compared.laws(case)
    return tally


class Compared:
    """Answers of one case beside enumeration.

    Parameters
    ----------
    values : (schedules, members) of all that are accepted
    """

    def __init__(self, seed: int, members: Members, values: FloatArray, tally: Tally):
        self.seed, self.members, self.values, self.tally = seed, members, values, tally
        weights = members.weights
        self.best = values.max(axis=0) if len(values) else np.zeros(len(weights))

    def search(self, kind: str, level: float) -> None:
        """The search over members."""
        self._held(f"search {kind}:{level:g}", kind, level, lambda: self._searched(kind, level))
        self.tally.counts["searches"] += 1

    def programme(self, kind: str, level: float) -> None:
        """The one programme."""

        def solved() -> tuple[float, float, bool]:
            risk = self._risk(kind, level)
            answer = solve_members(self.members, risk, GAP, 0, 1, Clock())
            bound = -np.inf if answer.bound is None else answer.bound
            return answer.value, bound + ROWS, answer.infeasible

        self._held(f"programme {kind}:{level:g}", kind, level, solved)
        self.tally.counts["programmes"] += 1

    def laws(self, case: Instance) -> None:
        """What holds between answers."""
        members, weights = self.members, self.members.weights
        mean, bound, _ = self._searched("mean", 1.0)
        whole = self._searched("cvar", 1.0)[0]
        self._law("cvar of all is the mean", abs(whole - mean) <= GAP + JUDGED)
        order = np.random.default_rng(self.seed).permutation(len(weights))
        shuffled = replace(
            members,
            candidates=tuple(members.candidates[i] for i in order),
            weights=weights[order],
        )
        again = self._searched("mean", 1.0, shuffled)[0]
        self._law("the order of members does not matter", abs(again - mean) <= GAP + JUDGED)
        regret = self._searched("regret", 1.0)[0]
        self._law("regret is not negative", regret <= JUDGED)
        every = list(accepted(case, [case], np.ones(1), 0.0))
        alone = Members.of(case, [case], np.ones(1))
        nominal = max(float(of[0]) for _, of in every)
        single, above, _ = self._searched("worst", 1.0, alone)
        within = nominal - GAP - JUDGED <= single <= nominal + JUDGED <= above + 2 * JUDGED
        self._law("one member is the case", within)
        self._law("the bound of the mean is above it", bound >= mean - JUDGED)

    def _law(self, name: str, holds: bool) -> None:
        self.tally.counts["laws held"] += holds
        if not holds:
            self.tally.faults.append(f"seed {self.seed}: {name}: does not hold")

    def _risk(self, kind: str, level: float, members: Members | None = None) -> Risk:
        of = self.members if members is None else members
        return Risk(kind, of.weights, level, self.best)  # type: ignore[arg-type]

    def _searched(
        self, kind: str, level: float, members: Members | None = None
    ) -> tuple[float, float, bool]:
        """Value, bound and whether nothing is feasible."""
        of = self.members if members is None else members
        with using(settings, settings.Settings(**FEW)):
            state = explore(of, self._risk(kind, level, members), GAP, Clock(), self._starts())
        return state.value, state.bound + JUDGED, state.complete and state.row is None

    def _starts(self) -> list[tuple[PlanId, CourseIds]]:
        """No course under the first plan, or nothing."""
        row = np.zeros(len(self.members.nominal.lesions), dtype=np.int64)
        return [(PlanId(0), CourseIds(row))] if self.seed % 2 else []

    def _held(
        self,
        name: str,
        kind: str,
        level: float,
        solved: Callable[[], tuple[float, float, bool]],
    ) -> None:
        """Compare an answer with the optimum of enumeration."""
        name = f"seed {self.seed} {name}"
        try:
            with time_box(HANG_SECONDS):
                value, bound, infeasible = solved()
        except (Exception, HangError) as error:
            self.tally.faults.append(f"{name}: {one_line(error)}")
            return
        if infeasible or not len(self.values):
            if infeasible != (not len(self.values)):
                self.tally.faults.append(f"{name}: infeasible {infeasible}, enumeration otherwise")
            return
        weights = self.members.weights
        optimum = max(measure(kind, level, weights, row, self.best) for row in self.values)
        if not optimum - GAP - JUDGED <= value <= optimum + JUDGED <= bound + JUDGED:
            self.tally.faults.append(f"{name}: {value!r}, bound {bound!r}, optimum {optimum!r}")
