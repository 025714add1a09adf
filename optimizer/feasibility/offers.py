"""Courses that a menu lacks: smaller doses, other numbers of fractions, and what they allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.change import Change
from abscopt.optimizer.feasibility.least import bed_gy, some_days
from abscopt.optimizer.feasibility.members import asks, members_of, without
from abscopt.optimizer.feasibility.relaxations import Relaxation, smallest
from abscopt.optimizer.feasibility.steps import Looser, Steps
from abscopt.optimizer.feasibility.words import alone

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock, UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.feasibility.oracle import Oracle

DOSE_STEP_GY = 0.5
"""Of doses that are tried where the menu is a list; a grid goes on by its own step."""
LEAST_DOSE_GY = 1.0
"""Per fraction: less is no course that anyone would give."""
LEAST_BED_GY = 0.01
"""A demand below it only asks for a course."""
MOST_NUMBERS = 5
"""Numbers of fractions that are tried beyond those on the menu: each is a search."""


def offers(
    oracle: Oracle, instance: Instance, lesion: Lesion, fails_alone: bool
) -> Iterator[Relaxation]:
    """The smallest extensions of a lesion's uniform menu that make the case feasible.

    Where no course of the lesion keeps the limits by itself: a smaller dose with the fractions of
    the menu, and the next number of fractions beyond it. Else the next number below it. Numbers
    come with the dose whose BED the lesion demands, or that of the weakest course on the menu.
    """
    course = lesion.course
    if course is None or course.form != "uniform":
        return
    if fails_alone and (lesion.least_bed or 0.0) < LEAST_BED_GY:
        steps = smaller_doses(instance, lesion, course)
        by_itself = smallest(oracle, lambda k: _alone(steps(k), lesion))
        first = 0 if by_itself is None else by_itself[0] - 1
        dose = by_itself and smallest(oracle, steps, first)
        if dose:
            yield _as_relaxation(oracle, lesion, dose[1])
    per_day = course.fractions_per_day
    first = max(course.fractions) + per_day if fails_alone else min(course.fractions) - per_day
    stride = per_day if fails_alone else -per_day
    numbers = range(first, first + stride * MOST_NUMBERS, stride)
    for looser in of_numbers(instance, lesion, course, [n for n in numbers if n > 0]):
        changed = _alone(looser, lesion)
        if changed is None or oracle.schedule(changed.instance) is None:
            continue
        if oracle.schedule(looser.instance) is not None:
            yield _as_relaxation(oracle, lesion, looser)
            return


def _alone(looser: Looser | None, lesion: Lesion) -> Looser | None:
    """The changed case with one lesion alone: quickly solved, and infeasible only if all of it is.

    Floors on the number of lesions and drugs are left out.
    """
    if looser is None:
        return None
    floors = [
        m for m in members_of(looser.instance) if m.table == "limits" and asks(looser.instance, m)
    ]
    case = alone(without(looser.instance, floors), lesion)
    return Looser(case, looser.words, looser.changes)


def _as_relaxation(oracle: Oracle, lesion: Lesion, looser: Looser) -> Relaxation:
    schedule = oracle.schedule(looser.instance)
    assert schedule is not None
    return Relaxation(looser.words, looser.changes, (f"lesions.{lesion.name}.course",), schedule)


def smaller_doses(instance: Instance, lesion: Lesion, course: UniformCourse) -> Steps:
    """Doses below the least of the first block, one step after the other."""
    levels, grid = course.levels_gy, course.doses_gy
    step_gy = DOSE_STEP_GY if isinstance(grid, tuple) else grid.step_gy

    def step(k: int) -> Looser | None:
        dose_gy = round(levels[0] - k * step_gy, 9)
        if dose_gy < max(step_gy, LEAST_DOSE_GY):
            return None
        path = ("lesions", lesion.name, "course", "doses_gy")
        more: Any = (dose_gy, *levels)
        change = Change(path, list(more))
        if not isinstance(grid, tuple):
            more = grid.unchecked({"min_gy": dose_gy})
            change = Change((*path, "min_gy"), dose_gy)
        words = f"offer {lesion.name} {dose_gy:g} Gy per fraction (least now {levels[0]:g} Gy)"
        looser = with_course(instance, lesion, {"doses_gy": more})
        return Looser(looser, words, (str(change),))

    return step


def of_numbers(
    instance: Instance, lesion: Lesion, course: UniformCourse, numbers: Iterable[int]
) -> Iterator[Looser]:
    """Further numbers of fractions, each with the least dose of the BED that is wanted."""
    per_day = course.fractions_per_day
    wanted_gy = lesion.least_bed
    if wanted_gy is None or wanted_gy < LEAST_BED_GY:
        wanted_gy = _weakest_bed_gy(instance, lesion, course)
    if wanted_gy is None:
        return
    for number in numbers:
        menu = {"fractions": (*course.fractions, number)}
        longer = with_course(instance, lesion, menu).lesions[instance.lesions.index(lesion)]
        assert longer.course is not None and longer.course.form == "uniform"
        days = some_days(instance, longer, longer.course, number)
        if days is None:
            continue
        doses = (DOSE_STEP_GY * i for i in range(1, int(course.levels_gy[-1] / DOSE_STEP_GY) + 1))
        dose_gy = next(
            (d for d in doses if bed_gy(instance, longer, days, per_day, d) >= wanted_gy), None
        )
        if dose_gy is None:
            continue
        levels = tuple(sorted({dose_gy, *course.levels_gy}))
        changes = [Change(("lesions", lesion.name, "course", "fractions"), list(menu["fractions"]))]
        if dose_gy not in course.levels_gy:
            path = ("lesions", lesion.name, "course", "doses_gy")
            changes.append(Change(path, list(levels)))
        looser = with_course(instance, lesion, menu | {"doses_gy": levels})
        words = f"allow {lesion.name} {number} fractions of {dose_gy:g} Gy"
        yield Looser(looser, words, tuple(str(change) for change in changes))


def with_course(instance: Instance, lesion: Lesion, menu: dict[str, Any]) -> Instance:
    """The case with another first block on a lesion's menu."""
    assert lesion.course is not None
    changed = lesion.unchecked({"course": lesion.course.unchecked(menu)})
    lesions = tuple(changed if entry is lesion else entry for entry in instance.lesions)
    return instance.unchecked({"lesions": lesions})


def _weakest_bed_gy(instance: Instance, lesion: Lesion, course: UniformCourse) -> float | None:
    """Least BED of the courses on a menu without drugs; None if none fits into the case."""
    blocks: list[tuple[CourseBlock, int]] = [
        (block, number) for block in course.blocks for number in block.fractions
    ]
    beds = [
        bed_gy(instance, lesion, days, block.fractions_per_day, block.levels_gy[0])
        for block, number in blocks
        if (days := some_days(instance, lesion, block, number)) is not None
    ]
    return min(beds, default=None)
