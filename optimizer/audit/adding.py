"""Whether some course of a lesion can be added to a schedule, by the judge's limits and rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.optimizer.audit.breaks import Break, breaks_of, worst
from abscopt.optimizer.audit.least import Course, least_courses
from abscopt.optimizer.candidates.limits.registry import load_of
from abscopt.optimizer.evaluation.limits import limit_uses
from abscopt.optimizer.evaluation.offered.menu import obstacles
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.systemic import SystemicState

MOST_WORK = 20_000
"""Fractions times limits that all questions of one audit may cost (some 10 microseconds each)."""


@dataclass(frozen=True)
class Tried:
    """What became of adding a lesion's least courses to a schedule.

    Attributes
    ----------
    fits : a course that keeps every limit and rule; None if none was found
    nearest : the course that breaks them least, and what it breaks; None if none was tried
    common : limits that every course tried breaks
    complete : whether all were tried, so that none fits if `fits` is None
    """

    fits: Course | None
    nearest: Course | None
    breaks: tuple[Break, ...]
    common: tuple[str, ...]
    complete: bool

    @property
    def excluded(self) -> bool:
        """Whether no course of the lesion can be added."""
        return self.complete and self.fits is None


def added(base: Schedule, course: Course) -> Schedule:
    """A schedule with one more course."""
    return Schedule.of((*base.fractions, *course), base.infusions)


def try_courses(instance: Instance, lesion: Lesion, base: Schedule, work: int) -> Tried:
    """Add the least courses of a lesion one by one until one fits, or the work is spent."""
    trial = _Trial(instance, base, work)
    for group in least_courses(instance, lesion):
        for course in group:
            if trial.spent:
                return trial.outcome(None, complete=False)
            if trial.keeps(course):
                return trial.outcome(course, complete=False)
            if trial.timeless:
                break  # another day changes nothing
    return trial.outcome(None, complete=True)


class _Trial:
    """Courses tried so far: limits that broke before are looked at first, the rest if they hold."""

    def __init__(self, instance: Instance, base: Schedule, work: int):
        self.instance, self.base, self._left = instance, base, work
        self.state: SystemicState = systemic_state(instance, base.infusions)
        self.timeless = False
        self.nearest: Course | None = None
        self._breaks: tuple[Break, ...] = ()
        self._common: set[str] | None = None
        self._suspects: tuple[AnyLimit, ...] = ()

    @property
    def spent(self) -> bool:
        """Whether the work allowed is done."""
        return self._left < 0

    def keeps(self, course: Course) -> bool:
        """Whether a course can be added; else what it breaks is kept where it is nearest."""
        schedule = added(self.base, course)
        breaks = self._broken(schedule, self._suspects) if self._suspects else ()
        if not breaks:
            breaks = self._broken(schedule, self.instance.limits)
            breaks = breaks or self._rules(schedule)
            if not breaks:
                return True
            names = {broken.limit for broken in breaks} | {limit.name for limit in self._suspects}
            self._suspects = tuple(x for x in self.instance.limits if x.name in names)
        self.timeless = any(
            load_of(limit).timeless(not self.base.fractions)
            for limit in self._suspects
            if limit.name in {broken.limit for broken in breaks}
        )
        names = {broken.limit for broken in breaks}
        self._common = names if self._common is None else self._common & names
        if self.nearest is None or worst(breaks) < worst(self._breaks):
            self.nearest, self._breaks = course, breaks
        return False

    def _broken(self, schedule: Schedule, limits: tuple[AnyLimit, ...]) -> tuple[Break, ...]:
        self._left -= (1 + len(schedule.fractions)) * (1 + len(limits))
        instance = self.instance
        if len(limits) < len(instance.limits):
            instance = instance.unchecked({"limits": limits})
        return breaks_of(instance, schedule, limits, limit_uses(instance, schedule, self.state))

    def _rules(self, schedule: Schedule) -> tuple[Break, ...]:
        """Rules between drugs and radiation; none for a lesion alone, without drugs."""
        self._left -= len(schedule.fractions)
        if not self.base.infusions:
            return ()
        before = obstacles(self.instance, self.base)
        rules = [rule for rule in obstacles(self.instance, schedule) if rule not in before]
        return tuple(Break(rule, 1.0, rule) for rule in rules)

    def outcome(self, fits: Course | None, complete: bool) -> Tried:
        """What is known when the trial ends."""
        common = tuple(sorted(self._common or ()))
        return Tried(fits, self.nearest, self._breaks, common, complete)
