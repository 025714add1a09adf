"""The best schedules of one class whose first stages lie in a box, by the search over members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.table import Candidates, Parts
from abscopt.optimizer.candidates.tables.effects import MOST_BYTES, EffectTables
from abscopt.optimizer.feasibility.demanded import treated
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.search.ensemble.explore import explore
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.risk import Risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.observation.stages import Box, FirstStages, Key
    from abscopt.optimizer.ids import CourseIds, PlanIds
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True)
class Continuation:
    """What is known of one class in a box.

    Attributes
    ----------
    weights : (members,) of the class, not adding up to 1
    bound : no schedule of the box has a greater weighted sum; minus infinity where none keeps
        the limits
    key : first stage of `schedule`; None where none is known
    value : weighted sum of `schedule`
    """

    weights: FloatArray
    bound: float
    key: Key | None = None
    plan: PlanId | None = None
    row: CourseIds | None = None
    schedule: Schedule | None = None
    value: float = -np.inf


class Continuations:
    """Searches of boxes for members with any weights."""

    def __init__(
        self, members: Members, stages: FirstStages, gap: float, listener: Listener | None
    ):
        self.members, self.stages, self.gap, self.listener = members, stages, gap, listener
        self.solved = self.nodes = 0

    def best(
        self,
        box: Box,
        weights: FloatArray,
        seconds: float | None,
        starts: Sequence[tuple[PlanId, CourseIds]] = (),
    ) -> Continuation:
        """Schedule of a box with the greatest weighted sum over members.

        Limits of the stated case are kept, and those of every member with a weight.

        Parameters
        ----------
        seconds : for this search; None without a limit
        starts : plans and rows of the case to begin with, whose first stages are in the box
        """
        counted, mass = np.flatnonzero(weights > 0.0), float(weights.sum())
        plans, courses = self.stages.plans(box), self.stages.courses(box)
        begun = [s for s, numbers in enumerate(box.parts[1:]) if numbers[0] != 0]
        shares = weights[counted] / mass
        members = Members(
            self._narrowed(self.members.nominal, courses, plans, begun),
            tuple(
                self._narrowed(self.members.candidates[m], courses, plans, begun) for m in counted
            ),
            shares,
        )
        place = {k: PlanId(i) for i, k in enumerate(plans)}
        rows = [
            (place[plan], small)
            for plan, row in starts
            if (small := members.nominal.of_case(row)) is not None
        ]
        clock = Clock(seconds, self.listener)
        with clock.running("continuations"):
            state = explore(members, Risk("mean", shares), self.gap, clock, rows)
        self.solved += 1
        self.nodes += state.nodes
        if state.row is None or state.plan is None:
            return Continuation(weights, -np.inf if state.complete else mass * state.bound)
        plan, row = plans[state.plan], members.nominal.in_case(state.row)
        return Continuation(
            weights, mass * state.bound, self.stages.key(plan, row), plan, row,
            schedule_of_row(self.members.nominal, plan, row), mass * state.value,
        )  # fmt: skip

    def _narrowed(
        self, candidates: Candidates, courses: list[CourseIds], plans: PlanIds, begun: list[int]
    ) -> Candidates:
        """Candidates of some courses and plans; lesions that are begun must be treated."""
        tables = candidates.parts
        every_course = all(
            len(c) == len(t.menu) for c, t in zip(courses, tables.menus.lesions, strict=True)
        )
        if every_course and len(plans) == len(tables.plans.plans) and not begun:
            return candidates
        instance = _treated(candidates, begun)
        menus, used = tables.menus.narrowed(courses)
        chosen = tables.plans
        if len(plans) == len(tables.plans.plans):
            effects = tables.effects.narrowed(menus, used)
        else:
            chosen = tables.plans.some(plans.tolist())
            effects = EffectTables(instance, menus, chosen)
        effects = replace(effects, most_bytes=MOST_BYTES // (1 + len(self.members)))
        return Candidates(
            instance,
            Parts.joined(instance, tables.limits, tables.beams, menus, chosen, effects),
        )


def _treated(candidates: Candidates, begun: list[int]) -> Instance:
    """The case with a dose demanded of some lesion tables."""
    case = candidates.instance
    names = {candidates.lesion_of(candidates.lesions[s]).name for s in begun}
    lesions = tuple(treated(x) if x.name in names else x for x in case.lesions)
    return case.unchecked({"lesions": lesions}) if begun else case
