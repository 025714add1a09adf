"""Schedules that are cheap to name, judged: what a claimed bound must not lie below.

Every lesion's strongest course alone, lesions added greedily, the answer with the courses of one
lesion changed, and a seeded sample. The strength of a course is its log kill by the
linear-quadratic model; no table of the search and no solver has a part in it.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock

Course = tuple[Fraction, ...]
Known = tuple[Schedule, float]

SECONDS = 0.3
"""Most time for all of them: little beside a solve of seconds, and about 200 verdicts."""
LATE_SECONDS = 0.2
"""Most time where the limit of the solve is over: a bound that closes just then is checked too."""
LATE_COURSES = 100_000
"""Longest menu that is ranked then: a tenth of a second."""
PART = 0.03
"""Or this part of what the solve took, where that is more."""
TRIED = 3
"""Courses of a lesion that are tried from each schedule, strongest first."""
BEGUN_TRIED = 1
"""Of a treatment that has begun, whose plan resumed is judged too: the answer's neighbors alone."""
SAMPLED_PLANS = 3
SAMPLED = 40
LEVELS = 4
SPARED = 0.3
"""Chance that a lesion of a random schedule has no course."""


class _Judged:
    """The best schedule so far, and how long others may still be judged."""

    def __init__(self, judge: Judge, clock: Clock):
        self.judge, self.clock = judge, clock
        self.best: Known | None = None
        self._begun = time.perf_counter()
        self._end = self._begun + max(SECONDS, PART * clock.elapsed)

    @property
    def over(self) -> bool:
        """Whether time is up."""
        now = time.perf_counter()
        overdue = now > self._begun + LATE_SECONDS and self.clock.expired
        return overdue or now > self._end

    def value(self, schedule: Schedule) -> float | None:
        """Objective of a schedule; None if it breaks a limit or rule."""
        worth = self.judge.worth(schedule)
        if worth is not None and (self.best is None or worth > self.best[1]):
            self.best = schedule, worth
        return worth


def best_known(
    candidates: Candidates, judge: Judge, answer: Schedule | None, seed: int, clock: Clock
) -> Known | None:
    """The best of some cheap schedules with its objective; None if none is feasible in the time.

    Parameters
    ----------
    answer : what was found; schedules near it are tried first
    """
    judged = _Judged(judge, clock)
    with clock.answering():
        _try(judged, candidates, answer, seed)
    return judged.best


def _try(judged: _Judged, candidates: Candidates, answer: Schedule | None, seed: int) -> None:
    """Judge one kind of cheap schedule after the other while there is time."""
    longest = max((len(table.menu) for table in candidates.lesions), default=0)
    if not len(candidates.plans) or (judged.clock.expired and longest > LATE_COURSES):
        return
    number = None if candidates.instance.delivered is None or answer is None else BEGUN_TRIED
    lesions = range(len(candidates.instance.lesions))
    courses = [list(itertools.islice(_strongest(candidates, s), number)) for s in lesions]
    if answer is not None:
        _changed(judged, courses, answer)
        if number is not None:
            return
    count = len(candidates.plans)
    for plan in dict.fromkeys(np.linspace(0, count - 1, SAMPLED_PLANS).round().tolist()):
        infusions = _infusions(candidates, PlanId(int(plan)))
        nothing = Schedule.of((), infusions)
        judged.value(nothing)
        _alone(judged, courses, infusions)
        _greedy(judged, courses, nothing)
        if judged.over:
            break
    _random(judged, candidates, seed)


def _infusions(candidates: Candidates, plan: PlanId) -> list[Infusion]:
    return [Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses]


def _strongest(candidates: Candidates, s: int) -> Iterator[Course]:
    """Courses of a lesion by log kill, at their first and at their last start."""
    lesion = candidates.instance.lesions[s]
    if lesion.course is None:
        return
    ratio = lesion.alpha_beta_gy
    if lesion.course.form == "free":
        days = lesion.course.days[: lesion.course.max_fractions]
        levels = sorted(lesion.course.levels_gy)
        way = lesion.ways[0].name
        shapes = sorted(
            itertools.product({len(days), -(-len(days) // 2), 1}, {*levels[-LEVELS:], levels[0]}),
            key=lambda shape: -shape[0] * shape[1] * (1.0 + shape[1] / ratio),
        )
        for number, dose in shapes:
            yield tuple(Fraction(day, lesion.name, dose, 0, way) for day in days[:number])
        return
    menu = next(table.menu for table in candidates.lesions if table.menu.lesion == s)
    has_fraction = menu.patterns.days[menu.pattern] >= 0
    kill = np.where(has_fraction, menu.doses * (1.0 + menu.doses / ratio), 0.0).sum(axis=1)
    first = menu.patterns.first[menu.pattern]
    for order in (first, -first):
        ranked = np.lexsort((order, menu.technique, -kill))
        _, places = np.unique(kill[ranked].round(9), return_index=True)
        for place in np.sort(places):
            index = int(ranked[place])
            if kill[index] > 0:
                yield tuple(menu.course(index, lesion))


def _with(schedule: Schedule, course: Course, name: str) -> Schedule:
    """A schedule with another course of one lesion."""
    elsewhere = [fraction for fraction in schedule.fractions if fraction.lesion != name]
    return Schedule.of([*elsewhere, *course], schedule.infusions)


def _alone(
    judged: _Judged, courses: Sequence[Sequence[Course]], infusions: Sequence[Infusion]
) -> None:
    """Each lesion's strongest feasible course, no other lesion treated."""
    for of_lesion in courses:
        for course in of_lesion:
            if judged.over or judged.value(Schedule.of(course, infusions)) is not None:
                break


def _greedy(judged: _Judged, courses: Sequence[Sequence[Course]], schedule: Schedule) -> None:
    """Lesion by lesion the strongest course that fits."""
    for of_lesion in courses:
        for course in of_lesion:
            if judged.over:
                return
            trial = _with(schedule, course, course[0].lesion)
            if judged.value(trial) is not None:
                schedule = trial
                break


def _changed(judged: _Judged, courses: Sequence[Sequence[Course]], answer: Schedule) -> None:
    """The answer with another course, or none, of one lesion."""
    for of_lesion in courses:
        if not of_lesion:
            continue
        for course in (*of_lesion[:TRIED], ()):
            if judged.over:
                return
            judged.value(_with(answer, course, of_lesion[0][0].lesion))


def _random(judged: _Judged, candidates: Candidates, seed: int) -> None:
    """A seeded sample of all that the case offers."""
    rng = np.random.default_rng([seed, len(candidates.plans)])
    menus = {table.menu.lesion: table.menu for table in candidates.lesions}
    for _ in range(SAMPLED):
        if judged.over:
            return
        fractions: list[Fraction] = []
        for s, lesion in enumerate(candidates.instance.lesions):
            if lesion.course is None or rng.random() < SPARED:
                continue
            if lesion.course.form == "free":
                days = lesion.course.days
                longest = min(lesion.course.max_fractions or len(days), len(days))
                chosen = rng.choice(days, size=int(rng.integers(1, longest + 1)), replace=False)
                doses = rng.choice(lesion.course.levels_gy, size=len(chosen))
                way = lesion.ways[0].name
                fractions += [
                    Fraction(int(day), lesion.name, float(dose), 0, way)
                    for day, dose in zip(sorted(chosen.tolist()), doses.tolist(), strict=True)
                ]
            elif len(menus[s]) > 1:
                fractions += menus[s].course(int(rng.integers(1, len(menus[s]))), lesion)
        plan = PlanId(int(rng.integers(len(candidates.plans))))
        judged.value(Schedule.of(fractions, _infusions(candidates, plan)))
