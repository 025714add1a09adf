"""Which lesions have a course that keeps every limit when nothing else is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.checks.audit import empty_menu
from abscopt.instances.history.rests import has_begun
from abscopt.optimizer.audit.adding import MOST_WORK, Tried, try_courses
from abscopt.optimizer.schedule import given_schedule

if TYPE_CHECKING:
    from abscopt.instances.limits.limit import Limit
    from abscopt.instances.schema import Instance

NOTHING = Tried(None, None, (), (), True)
"""A menu without courses: all of none were tried."""


BEGUN = Tried(None, None, (), (), False)
"""A lesion whose course has begun, or should have: what may follow is not looked at here."""


@dataclass(frozen=True)
class Alone:
    """One irradiable lesion by itself, without drugs.

    Attributes
    ----------
    lesion : index in the case
    empty : why its menu is empty; None if it is not
    tried : what became of its least courses
    """

    lesion: int
    empty: str | None
    tried: Tried

    @property
    def excluded(self) -> bool:
        """Whether no schedule can irradiate the lesion.

        No other course and no drug lowers the load of a limit that is looked at here, so a course
        that fails alone fails in every schedule; limits from below do not ask for anything of one
        lesion alone, and those that other courses relieve (`counts_alone`) are left out.
        """
        return self.empty is not None or self.tried.excluded


def lesions_alone(instance: Instance) -> tuple[Alone, ...]:
    """Every irradiable lesion by itself, in the order of the case."""
    caps = instance.unchecked({"limits": tuple(x for x in instance.limits if _cap(x))})
    work = MOST_WORK // max(1, len(instance.irradiable))
    return tuple(_alone(caps, index, work) for index in instance.irradiable)


def _cap(limit: Limit) -> bool:
    """Whether a limit is one from above: floors say nothing about one lesion alone."""
    return getattr(limit, "floor", None) is None and limit.counts_alone


def _alone(instance: Instance, index: int, work: int) -> Alone:
    lesion = instance.lesions[index]
    assert lesion.course is not None
    if has_begun(instance, lesion):
        return Alone(index, None, BEGUN)
    empty = None if lesion.course.form == "free" else empty_menu(instance, lesion)
    base = given_schedule(instance)
    tried = NOTHING if empty is not None else try_courses(instance, lesion, base, work)
    return Alone(index, empty, tried)
