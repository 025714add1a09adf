"""Lesions added to a schedule whose gap is open, one by one, as long as the objective gains.

By the judge alone, whatever found the schedule: a solve that is stopped between two lesions must
not leave one out that its own notes show how to add.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.history.rests import has_begun
from abscopt.optimizer.assurance.known_at_once import Best, at_greatest_dose
from abscopt.optimizer.audit.adding import MOST_WORK, added, try_courses
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.assurance.known_at_once import Key
    from abscopt.optimizer.audit.alone import Alone
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.solved import Solved


def with_lesions_added(
    judge: Judge, alone: Sequence[Alone], solved: Solved, bound: float | None, gap: float
) -> Solved:
    """An answer whose gap is open, with each lesion that can be added with gain.

    Parameters
    ----------
    alone : lesions by themselves; those without any admissible course are not tried
    bound : what is proved, or None; an answer within `gap` of it stays as it is
    """
    if solved.schedule is None or solved.claimed is None:
        return solved
    if replace(solved, bound=bound).closed(gap):
        return solved
    best = Best(judge)
    schedule, key = solved.schedule, best.key(solved.schedule)
    if key[0] < 0 or not math.isclose(key[1], solved.claimed, rel_tol=1e-7, abs_tol=1e-7):
        return solved  # our own failure, to be said
    while not best.over:
        longer = _one_more(best, alone, schedule, key)
        if longer is None:
            break
        schedule, key = longer
    if best.best is None or best.best[1] <= solved.claimed:
        return solved
    schedule, value = best.best
    return replace(solved, schedule=schedule, claimed=value, best_objective=value)


def _one_more(
    best: Best, alone: Sequence[Alone], schedule: Schedule, key: Key
) -> tuple[Schedule, Key] | None:
    """The schedule with the first lesion that gains by a least course; None if none does."""
    instance = best.judge.instance
    treated = {fraction.lesion for fraction in schedule.fractions}
    untreated = [
        instance.lesions[lesion_alone.lesion]
        for lesion_alone in alone
        if not lesion_alone.excluded
        and instance.lesions[lesion_alone.lesion].name not in treated
        and not has_begun(instance, instance.lesions[lesion_alone.lesion])
    ]
    for lesion in untreated:
        if best.over:
            break
        course = try_courses(instance, lesion, schedule, MOST_WORK // (2 * len(untreated))).fits
        if course is None:
            continue
        trial = added(schedule, course)
        better_course = best.key(trial)
        if better_course > key:
            return _at_greatest_dose(best, trial, better_course, lesion)
    return None


def _at_greatest_dose(
    best: Best, schedule: Schedule, key: Key, lesion: Lesion
) -> tuple[Schedule, Key]:
    """The schedule with the greatest dose of one lesion's course that breaks nothing, if better."""
    assert lesion.course is not None
    if lesion.course.form == "phases":  # each phase has doses of its own: as it was added
        return schedule, key
    blocks = (lesion.course,) if lesion.course.form == "free" else lesion.course.blocks
    levels = sorted({dose for block in blocks for dose in block.levels_gy})

    def at_dose(dose_gy: float) -> Schedule:
        fractions = (
            replace(fraction, dose_gy=dose_gy) if fraction.lesion == lesion.name else fraction
            for fraction in schedule.fractions
        )
        return Schedule.of(fractions, schedule.infusions)

    return at_greatest_dose(best, schedule, key, levels, at_dose)
