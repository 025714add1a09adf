"""What courses do to the systemic effect in all members under one plan, where it is asked for.

A course of a lesion has a kind k and a place p, its technique and day pattern. With losses e^a put
in front, its effect is

    g_mh = sum_n release_m[k, n] unit_mh[p, n] + resting_mh[p],    a_m = loss_m[p],

so that what is kept of a plan are the units of its places: hundreds, where courses are ten
thousands (`coefficients` for one case).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import (
    at_irradiation,
    losses_of,
    patterns_under,
    relieves,
)
from abscopt.optimizer.candidates.shared import suppression_by_radiation
from abscopt.optimizer.ids import CourseIds, PatternIds, PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from collections.abc import Hashable

    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class Places:
    """Techniques and day patterns of the courses of one menu.

    Attributes
    ----------
    of : (courses,) place of each
    first : (places,) a course of each
    pattern, way : (places,) day pattern and technique
    """

    of: IntArray
    first: CourseIds
    pattern: PatternIds
    way: IntArray

    @classmethod
    def of_menu(cls, menu: Menu) -> Places:
        """Those that occur on the menu."""
        key = menu.technique * len(menu.patterns.count) + menu.pattern
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
        chosen = CourseIds(first)
        return cls(of.reshape(-1), chosen, menu.pattern[chosen], menu.technique[chosen])


@dataclass(frozen=True)
class Units:
    """Units of the places of one lesion under one plan.

    P places, N fractions at most, H horizons; of several members with one more axis in front.

    Attributes
    ----------
    unit : (P, N, H) effect of a unit of release, before losses; 0 beyond the last fraction
    resting : (P, H) effect without release
    loss : (P,) log loss of everybody else's effectors
    """

    unit: FloatArray
    resting: FloatArray
    loss: FloatArray

    @property
    def nbytes(self) -> int:
        """Their memory."""
        return self.unit.nbytes + self.resting.nbytes + self.loss.nbytes


class PlaceEffects:
    """Units of the places of one lesion under one plan, in the members that are asked for.

    Members whose effectors are the same have one set of units.

    Parameters
    ----------
    horizons : how many count; none where only dose is maximized
    """

    def __init__(
        self, members: tuple[Candidates, ...], plan: PlanId, s: int, places: Places, horizons: int
    ):
        self.members, self.plan, self.s, self.places = members, plan, s, places
        self.horizons = horizons
        self._alike: dict[Hashable, Units] = {}
        self._of: dict[int, Units] = {}

    @property
    def nbytes(self) -> int:
        """Memory of the units."""
        return sum(units.nbytes for units in self._alike.values())

    def of(self, m: int) -> Units:
        """Units in one member."""
        if m not in self._of:
            tick()
            candidates = self.members[m]
            first = candidates.lesions[self.s].menu.take(self.places.first)
            loss = losses_of(candidates.instance, first, candidates.plan_effects, self.plan)
            key = _recursion_of(candidates, self.plan, self.s, loss)
            if key not in self._alike:
                self._alike[key] = _units(
                    candidates, self.plan, self.s, self.places, loss, self.horizons
                )
            self._of[m] = self._alike[key]
        return self._of[m]

    def alike(self, counted: IntArray) -> bool:
        """Whether some members have one set of units."""
        return len({id(self.of(m)) for m in counted.tolist()}) == 1

    def among(self, counted: IntArray) -> Units:
        """Units in some members, (M', ...)."""
        every = [self.of(m) for m in counted.tolist()]
        return Units(
            np.stack([of.unit for of in every]),
            np.stack([of.resting for of in every]),
            np.stack([of.loss for of in every]),
        )

    def gains(self, courses: CourseIds, counted: IntArray) -> tuple[FloatArray, FloatArray]:
        """(M', H, n) effects before losses and (M', n) losses of courses in some members.

        g[m, h, c] = sum_n release[m, c, n] unit[m, p, n, h] + resting[m, p, h],    p of c
        """
        place = self.places.of[courses]
        gain = np.empty((len(counted), self.horizons, len(courses)))
        loss = np.empty((len(counted), len(courses)))
        units = None
        for number, m in enumerate(counted.tolist()):
            tick()
            if self.of(m) is not units:  # members that are alike mostly follow each other
                units = self.of(m)
                unit, resting = units.unit[place], units.resting[place].T
            loss[number] = units.loss[place]
            release = _released(self.members[m], self.plan, self.s, courses)
            gain[number] = np.einsum("cn,cnh->hc", release, unit) + resting
        return gain, loss


def _recursion_of(candidates: Candidates, plan: PlanId, s: int, loss: FloatArray) -> Hashable:
    """What units depend on beside the plan: propagators, losses, what is bound at irradiation."""
    bound = at_irradiation(candidates.instance, candidates.plan_effects, plan)
    by_way = (
        (
            id(of_way.store),
            of_way.share,
            of_way.scale,
            of_way.own,
            None if of_way.patterns is None else of_way.patterns.tobytes(),
        )
        for of_way in candidates.propagators(s)
    )
    return (*by_way, loss.tobytes(), None if bound is None else bound.tobytes())


def _units(
    candidates: Candidates, plan: PlanId, s: int, places: Places, loss: FloatArray, horizons: int
) -> Units:
    """e^a unit, e^a resting and a of one member: those of the propagators times e^a."""
    instance, menu = candidates.instance, candidates.lesions[s].menu
    effects, patterns = candidates.plan_effects, menu.patterns
    fractions = patterns.days.shape[1]
    unit = np.zeros((len(loss), fractions, horizons))
    resting = np.zeros((len(loss), horizons))
    delivered = np.arange(fractions) < patterns.count[places.pattern][:, None]
    for way, of_way in enumerate(candidates.propagators(s)):
        under_way, without = patterns_under(instance, patterns, effects, of_way, plan)
        of_way_places = np.flatnonzero(places.way == way)
        of_patterns = places.pattern[of_way_places]
        unit[of_way_places] = (
            under_way[of_patterns, :, :horizons] * delivered[of_way_places, :, None]
        )
        resting[of_way_places] = without[of_patterns, :horizons]
    retained = np.exp(loss)
    return Units(unit * retained[:, None, None], resting * retained[:, None], loss)


def _released(candidates: Candidates, plan: PlanId, s: int, courses: CourseIds) -> FloatArray:
    """(n, fractions) release of courses; where drugs relieve its suppression, on their days."""
    instance, effects = candidates.instance, candidates.plan_effects
    shared = candidates.shared(plan)[s]
    kinds = shared.kinds.of[courses]
    if not relieves(instance, effects, plan):
        return np.asarray(shared.release[kinds])
    menu = candidates.lesions[s].menu
    unsuppressed_share = suppression_by_radiation(
        instance,
        shared.kinds.menu.doses[kinds],
        shared.fractions.since[kinds],
        effects.relief[plan][menu.patterns.days[menu.pattern[courses]]],
    )
    return np.asarray(shared.unsuppressed[kinds] * unsuppressed_share)
