"""A feasible schedule without any table: for a solve that is stopped before its tables stand.

Lesion by lesion the strongest course that fits, the judge asked each time. Nothing is enumerated:
of each lesion a few numbers of fractions, the first and the last start, and by bisection the
greatest dose that the judge lets pass.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import FreeCourse, UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice
    from abscopt.optimizer.evaluation import Judge

SECONDS = 0.2
"""Most time, since the limit is over when this is asked for: ten to a hundred verdicts."""
NUMBERS = 4
"""Numbers of fractions of a block that are tried."""
PLANS = 6
"""Ways to give the agents that are tried."""

Shape = tuple[tuple[tuple[int, int], ...], tuple[float, ...]]
"""Day and slot of each fraction, and the doses on offer, least first."""
Key = tuple[int, float]


class Best:
    """The best feasible schedule so far, and how long others may still be judged."""

    def __init__(self, judge: Judge):
        self.judge = judge
        self.best: tuple[Schedule, float] | None = None
        self._end = self._until = time.perf_counter() + SECONDS

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return time.perf_counter() > self._until

    def share(self, shares: int) -> None:
        """Let what comes next take one of so many equal parts of the time left."""
        now = time.perf_counter()
        self._until = now + max(0.0, self._end - now) / shares

    def key(self, schedule: Schedule) -> Key:
        """Fewer broken rules and limits first, then the objective; greater is better."""
        verdict = self.judge.evaluate(schedule)
        if verdict.admissible and (self.best is None or verdict.objective > self.best[1]):
            self.best = schedule, verdict.objective
        broken = len(verdict.obstacles) + len(verdict.broken_limits)
        return -broken, verdict.objective


def without_tables(instance: Instance, judge: Judge) -> tuple[Schedule, float] | None:
    """A feasible schedule with its objective; None if none is found in a fraction of a second."""
    best = Best(judge)
    plans = [Schedule.of((), infusions) for infusions in itertools.islice(_plans(instance), PLANS)]
    begun = sorted(((best.key(infusions), -i) for i, infusions in enumerate(plans)), reverse=True)
    for turn, (key, number) in enumerate(begun):
        best.share(len(begun) - turn)
        schedule = plans[-number]
        if key[0] < 0:
            schedule, key = _with_least(best, instance, schedule, key)
        for lesion in instance.lesions:
            for shape in _shapes(instance, lesion):
                if not best.over:
                    schedule, key = _greatest(best, schedule, key, lesion, shape)
    return best.best


def _with_least(
    best: Best, instance: Instance, schedule: Schedule, key: Key
) -> tuple[Schedule, Key]:
    """A schedule with the least course of each lesion that breaks nothing more.

    Where so many lesions must be irradiated that no single course changes what is broken.
    """
    for lesion in instance.lesions:
        shapes = list(_shapes(instance, lesion))
        if not shapes or best.over:
            continue
        places, levels = shapes[-1]
        trial = _with(schedule, lesion, places, levels[0])
        trial_key = best.key(trial)
        if trial_key[0] >= key[0]:
            schedule, key = trial, trial_key
    return schedule, key


def _with(
    schedule: Schedule, lesion: Lesion, places: tuple[tuple[int, int], ...], dose_gy: float
) -> Schedule:
    """A schedule with another course of one lesion."""
    elsewhere = [fraction for fraction in schedule.fractions if fraction.lesion != lesion.name]
    way = lesion.ways[0].name
    course = [Fraction(day, lesion.name, dose_gy, slot, way) for day, slot in places]
    return Schedule.of([*elsewhere, *course], schedule.infusions)


def _plans(instance: Instance) -> Iterator[list[Infusion]]:
    """Infusions of all agents, those that may be left out left out first."""
    options = [list(_options(instance, agent)) for agent in instance.agents]
    for chosen in itertools.product(*options):
        yield [infusion for option in chosen for infusion in option]


def _options(instance: Instance, agent: AgentChoice) -> Iterator[list[Infusion]]:
    """Nothing if the agent is optional; each regimen from its first and from its last start."""
    if agent.optional:
        yield []
    for name in agent.regimens:
        for starts in (agent.start_days, reversed(agent.start_days)):
            tried = (given_infusions(instance, agent, name, day, agent.cycles) for day in starts)
            doses = next((doses_tried for doses_tried in tried if doses_tried is not None), None)
            if doses is not None:
                yield [Infusion(day, drug, mg) for drug, day, mg in doses]


def _shapes(instance: Instance, lesion: Lesion) -> Iterator[Shape]:
    """Days of a few courses of a lesion, most fractions first."""
    course = lesion.course
    if course is None:
        return
    if course.form == "free":
        yield from _free_shapes(course)
    elif course.form == "uniform":
        yield from _uniform_shapes(instance, course)


def _free_shapes(course: FreeCourse) -> Iterator[Shape]:
    days = course.days[: course.max_fractions]
    for number in sorted({len(days), -(-len(days) // 2), 1}, reverse=True):
        yield tuple((day, 0) for day in days[:number]), tuple(sorted(course.levels_gy))


def _uniform_shapes(instance: Instance, course: UniformCourse) -> Iterator[Shape]:
    starts = dict.fromkeys((course.start_days[0], course.start_days[-1]))
    for block in course.blocks:
        per_day, numbers = block.fractions_per_day, sorted(set(block.fractions), reverse=True)
        interval, levels = min(block.interval_days), tuple(sorted(block.levels_gy))
        some_numbers = numbers[:: max(1, -(-len(numbers) // NUMBERS))]
        for number, start in itertools.product(some_numbers, starts):
            days = course_days(instance.calendar, start, number // per_day, interval)
            if days is not None and days[-1] < instance.days:
                yield tuple(itertools.product(days, range(per_day))), levels


def _greatest(
    best: Best, schedule: Schedule, key: Key, lesion: Lesion, shape: Shape
) -> tuple[Schedule, Key]:
    """The schedule with the greatest dose of a shape that breaks nothing more, if it is better."""
    places, levels = shape
    return at_greatest_dose(
        best, schedule, key, levels, lambda dose_gy: _with(schedule, lesion, places, dose_gy)
    )


def at_greatest_dose(
    best: Best,
    schedule: Schedule,
    key: Key,
    levels: Sequence[float],
    at_dose: Callable[[float], Schedule],
) -> tuple[Schedule, Key]:
    """A schedule at the greatest of its doses that breaks nothing more, if it is better.

    By bisection: what breaks limits at a dose breaks them at greater ones.

    Parameters
    ----------
    schedule, key : what it must be better than
    levels : doses on offer in Gy, least first
    at_dose : the schedule at a dose
    """
    least_value, low, high = key[0], 0, len(levels)
    while low < high and not best.over:
        middle = (low + high) // 2
        trial = at_dose(levels[middle])
        trial_key = best.key(trial)
        if trial_key > key:
            schedule, key = trial, trial_key
        low, high = (middle + 1, high) if trial_key[0] >= least_value else (low, middle)
    return schedule, key
