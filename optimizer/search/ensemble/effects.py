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
from abscopt.optimizer.candidates.coefficients import losses_of, patterns_under, relieves
from abscopt.optimizer.candidates.shared import suppression_by_radiation
from abscopt.optimizer.ids import CourseIds, PatternIds, PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.courses import Menu
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
class PlaceEffects:
    """Units of the places of one lesion under one plan, in all members.

    M members, P places, N fractions at most, H horizons.

    Attributes
    ----------
    members, plan, s : what they belong to
    places : of the menu
    unit : (M, P, N, H) effect of a unit of release, before losses; 0 beyond the last fraction
    resting : (M, P, H) effect without release
    loss : (M, P) log loss of everybody else's effectors
    """

    members: tuple[Candidates, ...]
    plan: PlanId
    s: int
    places: Places
    unit: FloatArray
    resting: FloatArray
    loss: FloatArray

    @classmethod
    def of(
        cls, members: tuple[Candidates, ...], plan: PlanId, s: int, places: Places, horizons: int
    ) -> PlaceEffects:
        """Units of all places: those of the propagators times e^a.

        Parameters
        ----------
        horizons : how many count; none where only dose is maximized
        """
        by_member = [_of_member(candidates, plan, s, places, horizons) for candidates in members]
        unit, resting, loss = (np.stack(arrays) for arrays in zip(*by_member, strict=True))
        return cls(members, plan, s, places, unit, resting, loss)

    @property
    def nbytes(self) -> int:
        """Memory of the units."""
        return self.unit.nbytes + self.resting.nbytes + self.loss.nbytes

    def gains(self, courses: CourseIds, counted: IntArray) -> tuple[FloatArray, FloatArray]:
        """(M', H, n) effects before losses and (M', n) losses of courses in some members.

        g[m, h, c] = sum_n release[m, c, n] unit[m, p, n, h] + resting[m, p, h],    p of c
        """
        place = self.places.of[courses]
        gain = np.empty((len(counted), self.resting.shape[2], len(courses)))
        for number, m in enumerate(counted.tolist()):
            tick()
            release = _released(self.members[m], self.plan, self.s, courses)
            of_release = np.einsum("cn,cnh->hc", release, self.unit[m][place])
            gain[number] = of_release + self.resting[m][place].T
        return gain, self.loss[counted][:, place]


def _of_member(
    candidates: Candidates, plan: PlanId, s: int, places: Places, horizons: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(P, N, H) e^a unit, (P, H) e^a resting and (P,) a of one member."""
    tick()
    instance, menu = candidates.instance, candidates.lesions[s].menu
    effects, patterns = candidates.plan_effects, menu.patterns
    fractions = patterns.days.shape[1]
    loss = losses_of(instance, menu.take(places.first), effects, plan)
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
    return unit * retained[:, None, None], resting * retained[:, None], loss


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
