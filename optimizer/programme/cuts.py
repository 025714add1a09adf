"""What the judge finds that no row states: loads of days that lesions share."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.columns import closest_days
from abscopt.optimizer.highs.solver import SolverError
from abscopt.optimizer.ids import PlanId, PlanIds
from abscopt.optimizer.programme import settings
from abscopt.optimizer.programme.constraints.organs import soft
from abscopt.optimizer.programme.refinement import Cut
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Evaluation, Judge
    from abscopt.optimizer.programme.data import Data

SAME_EXCESS = 1e-9
EXCESS_TOLERANCE = 1e-7


def schedule_of(
    candidates: Candidates, columns: Columns, picked: list[int], plan: PlanId
) -> Schedule:
    """Schedule of chosen columns and one plan.

    Counted doses fall from day to day, on the days that lie closest.
    """
    instance = candidates.instance
    tables = {table.menu.lesion: table for table in candidates.lesions}
    fractions: list[Fraction] = []
    doses: Counter[tuple[int, float]] = Counter()
    for j in picked:
        lesion = instance.lesions[int(columns.lesion[j])]
        if columns.course[j] >= 0:
            menu = tables[int(columns.lesion[j])].menu
            fractions += menu.course(int(columns.course[j]), lesion)
        elif columns.slots[j] > 1:
            doses[int(columns.lesion[j]), float(columns.dose[j])] += 1
        else:
            day, dose, way = int(columns.day[j]), float(columns.dose[j]), lesion.ways[0].name
            fractions.append(Fraction(day, lesion.name, dose, 0, way))
    for s in sorted({s for s, _ in doses}):
        lesion = instance.lesions[s]
        assert lesion.course is not None and lesion.course.form == "free"
        falling = sorted((dose for treated, dose in doses.elements() if treated == s), reverse=True)
        fractions += [
            Fraction(day, lesion.name, dose, 0, lesion.ways[0].name)
            for day, dose in zip(
                closest_days(lesion.course.days, len(falling)), falling, strict=True
            )
        ]
    infusions = [Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses]
    return Schedule.of(fractions, infusions)


def growing(candidates: Candidates) -> set[str]:
    """Names of limits that more fractions load more: what breaks them does so in longer choices."""
    return {load.limit.name for load in candidates.every_limit if load.grows}


def excluded_set(
    candidates: Candidates, judge: Judge, data: Data, picked: list[int], plan: PlanId
) -> Cut:
    """Columns that break a limit together: a smallest such choice, widened for one lesion.

    Loads only grow with more fractions, so whatever contains the smallest choice breaks the
    limit too. The widened group holds every other column of one lesion (or day) that breaks a
    limit with the rest of the choice.
    """
    names = growing(candidates)

    def broken(choice: list[int]) -> bool:
        verdict = judge.evaluate(schedule_of(candidates, data.columns, choice, plan))
        return not names.isdisjoint(verdict.broken_limits)

    return Cut(alike(data, plan), smallest(data.columns, picked, broken))


def excluded_choice(data: Data, picked: list[int], plan: PlanId) -> Cut:
    """One choice under one plan, which falls short of a demand; more fractions may reach it."""
    columns = data.columns
    further = np.flatnonzero(columns.course < 0).tolist()
    groups = tuple((j,) for j in picked)
    return Cut((plan,), groups, unless=tuple(j for j in further if j not in set(picked)))


def excess_cuts(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    picked: list[int],
    plan: PlanId,
    verdict: Evaluation,
    stated: dict[int, float],
) -> list[Cut]:
    """A cut for every soft limit that is exceeded by more than the programme states."""
    cuts = []
    for number in soft(data):
        use = verdict.limits[number].use
        if use is None or use - 1.0 <= stated[number] + EXCESS_TOLERANCE:
            continue
        excess = use - 1.0 - SAME_EXCESS

        def exceeded(choice: list[int], number: int = number, excess: float = excess) -> bool:
            schedule = schedule_of(candidates, data.columns, choice, plan)
            use_now = judge.evaluate(schedule).limits[number].use
            return use_now is None or use_now - 1.0 >= excess

        groups = smallest(data.columns, picked, exceeded)
        cuts.append(Cut(alike(data, plan), groups, number, excess))
    return cuts


def smallest(
    columns: Columns, picked: list[int], holds: Callable[[list[int]], bool]
) -> tuple[tuple[int, ...], ...]:
    """Groups of columns, the smallest part of a choice for which something holds."""
    core = [j for j in picked if columns.fractions[j] > 0]
    if not holds(core):
        raise SolverError("the programme broke a limit that it states exactly")
    for j in list(core):
        remaining = [i for i in core if i != j]
        if holds(remaining):
            core = remaining
    if not core:
        return ()
    groups: list[tuple[int, ...]] = [(j,) for j in core]
    last, remaining = core[-1], core[:-1]
    same = np.flatnonzero(
        (columns.lesion == columns.lesion[last])
        & (columns.day == columns.day[last])
        & (columns.fractions > 0)
    )
    members = itertools.islice((int(j) for j in same), settings.CURRENT.members_tried)
    groups[-1] = tuple(j for j in members if j == last or holds([*remaining, j]))
    if last not in groups[-1]:
        groups[-1] = (*groups[-1], last)
    return tuple(groups)


def alike(data: Data, plan: PlanId) -> tuple[PlanId, ...]:
    """Plans under which every choice loads organs and lymphocytes as under this one."""
    columns, group = data.columns, data.group
    dated = any(limit.feels_chemotherapy for limit in data.candidates.on_courses)
    same = [
        (columns.loads[group[k]] == columns.loads[group[plan]]).all()
        and (columns.exposed[k] == columns.exposed[plan]).all()
        and (not dated or data.chemo[k] == data.chemo[plan])
        for k in data.plan_ids
    ]
    return tuple(PlanIds(np.flatnonzero(same)).tolist())
