"""Fewer courses and plans to choose from, without losing the best schedule.

`Kept` says which (plan, course) pairs of a case are left. `undominated` drops a course under a plan
when another one of the same shape is at least as good whatever the other lesions receive;
`restricted` makes candidates of what is left. Pairs that bounds rule out need a known schedule:
that step is `search.uniform.fixing`.

Courses of one shape (fractions, dose, technique, fractions a day) differ in their days only. One of
them stands in for another under plan k if it is allowed, leaves no greater log burden of any clone
at any horizon, is credited with as much, costs others' effectors no more (a), has at least as much
effect of its own (v; the systemic log kill is a constant times `e^-a R + v`, R >= 0 that of all
others), loads no organ more and meets no more exposures. Where days count for themselves, none
does: lymphocyte floors that could bind, limits on visits, machine days, lesions a day, overall time
or gaps, rules that tie a plan to the end or start of some course, and organs whose load grows on
days that two lesions share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.limits.protocol import OrganLoad
    from abscopt.optimizer.candidates.table import LesionTable


MOST_ALIKE = 400


@dataclass(frozen=True)
class Step:
    """One reduction: its name, and how many (plan, course) pairs it left."""

    name: str
    pairs: int


@dataclass(frozen=True)
class Kept:
    """The (plan, course) pairs that are left.

    Attributes
    ----------
    pairs : per uniform lesion (plans, courses)
    steps : what was done so far, in order
    floor : no schedule with a dropped pair is better than this; -inf where that needs no bound
    effect : (plans, horizons) no schedule left has more unsaturated systemic log kill; inf unknown
    least_effect : (plans, horizons) nor less
    bound : no schedule of the case is better; inf unknown
    """

    pairs: tuple[BoolArray, ...]
    steps: tuple[Step, ...]
    floor: float
    effect: FloatArray
    least_effect: FloatArray
    bound: float = math.inf

    @property
    def count(self) -> int:
        """Pairs left."""
        return sum(int(part.sum()) for part in self.pairs)

    @property
    def plans(self) -> PlanIds:
        """Plans that still have a course for every lesion."""
        open_plans = np.all([part.any(axis=1) for part in self.pairs], axis=0)
        return PlanIds(np.flatnonzero(open_plans))

    def but(self, name: str, pairs: tuple[BoolArray, ...]) -> Kept:
        """Other pairs, with the step that dropped them named."""
        after = replace(self, pairs=pairs)
        return replace(after, steps=(*self.steps, Step(name, after.count)))


def offered(candidates: Candidates) -> Kept:
    """All pairs that the rules of the plans and each course's own loads allow.

    Free courses are no pairs: ValueError where the case has one.
    """
    if candidates.free:
        raise ValueError("free courses cannot be reduced")
    plans = candidates.plan_ids
    allowed = []
    for k in plans:
        tick()
        allowed.append(candidates.allowed(k))
    pairs = []
    for s in range(len(candidates.lesions)):
        tick()
        pairs.append(np.stack([masks[s] for masks in allowed]))
    shape = (len(plans), len(candidates.instance.horizon_days))
    kept = Kept(tuple(pairs), (), -math.inf, np.full(shape, math.inf), np.zeros(shape))
    return replace(kept, steps=(Step("offered", kept.count),))


def undominated(candidates: Candidates, kept: Kept) -> Kept:
    """Without courses that another one of the same shape stands in for, plan by plan."""
    tick()
    pairs = [part.copy() for part in kept.pairs]
    for s, table in enumerate(candidates.lesions):
        if len(table.menu) == 1 or _days_count(candidates, s):
            continue
        for k in kept.plans.tolist():
            tick()
            if candidates.latest_end_needed(k) < 0 and candidates.earliest_start_needed(k) < 0:
                open_courses = CourseIds(np.flatnonzero(pairs[s][k]))
                merit = _merit(candidates, s, k)
                for members in _alike(table, open_courses):
                    pairs[s][k, members[_dominated(merit[members])]] = False
    return kept.but("dominance", tuple(pairs))


def _alike(table: LesionTable, courses: CourseIds) -> list[IntArray]:
    """Courses of each shape, in parts of at most `MOST_ALIKE`, which bounds time and memory."""
    shape = _shape(table)[courses]
    order = np.argsort(shape, kind="stable")
    starts = np.flatnonzero(np.diff(shape[order], prepend=-1))
    groups = np.split(courses[order], starts[1:])
    return [lot for group in groups for lot in np.array_split(group, -(-len(group) // MOST_ALIKE))]


def _shape(table: LesionTable) -> IntArray:
    """(courses,) equal for courses that differ in their days only."""
    menu = table.menu
    key = np.stack([menu.fractions, menu.level, menu.technique, menu.per_day], axis=1)
    shape: IntArray = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)
    return shape.astype(np.int64)


def _merit(candidates: Candidates, s: int, k: PlanId) -> FloatArray:
    """(courses, criteria) all of which a course must reach to stand in for another."""
    effects = candidates.effects(k)[s]
    exposed = candidates.exposed(k)[s].astype(float)
    of_kind = [-candidates.loads(k)[s]]
    if candidates.instance.objective.of_dose_alone:
        of_kind.append(effects.tumor_bed[:, None])
        of_course = [-exposed]
    else:
        of_kind += [-effects.local.reshape(len(effects.local), -1), effects.share]
        of_course = [-effects.loss[:, None], effects.effect, -exposed]
    return np.concatenate([np.concatenate(of_kind, axis=1)[effects.kind], *of_course], axis=1)


def _dominated(merit: FloatArray) -> BoolArray:
    """(n,) whether another row is nowhere smaller; of equal rows the first stays."""
    at_least = (merit[:, None, :] >= merit[None, :, :]).all(axis=2)
    equal = at_least & at_least.T
    earlier = np.tri(len(merit), k=-1, dtype=bool).T
    beaten: BoolArray = np.asarray((at_least & (~equal | earlier)).any(axis=0))
    return beaten


def _days_count(candidates: Candidates, s: int) -> bool:
    """Whether the days of a course of lesion s matter by themselves."""
    dated = any(limit.days_matter(candidates) for limit in candidates.on_courses)
    return dated or _shares_an_organ(candidates, s)


def _shares_an_organ(candidates: Candidates, s: int) -> bool:
    """Whether a day shared with another lesion adds load to some organ."""
    if min(site_caps(candidates), default=2) < 2:
        return False
    neighbors = [i for i, t in enumerate(candidates.lesions) if i != s and len(t.menu) > 1]
    if any(candidates.cross[s, i].any() for i in neighbors):
        return True
    return any(
        _reaches(candidates, s, limit) and any(_reaches(candidates, i, limit) for i in neighbors)
        for limit in candidates.on_organs
        if limit.of_daily_dose
    )


def site_caps(candidates: Candidates) -> list[float]:
    """Hard caps on the number of treated lesions."""
    caps = (limit.most_lesions for limit in candidates.on_courses)
    return [float(cap) for cap in caps if cap is not None]


def _reaches(candidates: Candidates, s: int, load: OrganLoad[Any]) -> bool:
    point = load.limit.organ, load.limit.evaluation_point
    return any(
        lesion.sparing_factor(*point, 0, way) > 0 for lesion, way, _ in candidates.lesions[s].beams
    )


def courses_kept(kept: Kept) -> list[CourseIds]:
    """Per lesion the courses that some plan still has; 'no course' stays the first of each."""
    masks = [np.asarray(part[kept.plans].any(axis=0)) for part in kept.pairs]
    for mask in masks:
        mask[0] = True
    return [CourseIds(np.flatnonzero(mask)) for mask in masks]


def restricted(candidates: Candidates, kept: Kept) -> tuple[Candidates, Kept]:
    """Candidates of the plans and courses that are left, and the pairs among them.

    'No course' stays the first of every menu, its pairs as they were.
    """
    plans, menus = kept.plans, courses_kept(kept)
    small = candidates.restricted(menus, plans.tolist())
    pairs = tuple(part[plans][:, menu] for part, menu in zip(kept.pairs, menus, strict=True))
    effects = kept.effect[plans], kept.least_effect[plans]
    return small, replace(kept, pairs=pairs, effect=effects[0], least_effect=effects[1])
