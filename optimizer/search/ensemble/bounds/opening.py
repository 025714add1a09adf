"""First bound of a plan: weights of the members are fixed, and all courses are priced together.

With weights q the bound (`bound`) needs of a course of kind k and place p only

    sum_m q_m V_m(c) = sum_m q_m sum_h max_l [phi_mh(k, l) - tau_mh l]
                       + sum_mn release_m[k, n] u_mn[p] + r[p]

    u_mn[p] = q_m sum_h worth_mh unit_mh[p, n]
    r[p] = sum_m q_m [sum_h worth_mh resting_mh[p] - (sum_h steep_mh) loss_m[p]],

one matrix product for each block of kinds and patterns, over members and fractions. What courses do
in each member is computed for those that this bound leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import relieves
from abscopt.optimizer.highs.mip import finite
from abscopt.optimizer.ids import CourseIds, KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.bound import Linear, Mixture, Ranges, tangent

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.kinds import Block
    from abscopt.optimizer.ids import PlanId
    from abscopt.optimizer.search.ensemble.bounds.effects import Places
    from abscopt.optimizer.search.ensemble.members import Members
    from abscopt.optimizer.search.ensemble.plan import PlanInMembers
    from abscopt.optimizer.search.ensemble.risk import Risk


@dataclass(frozen=True)
class Lot:
    """One block of kinds and patterns with what its courses release in all members.

    Attributes
    ----------
    places : (P,) of its patterns
    release : (K, M, fractions)
    """

    block: Block
    places: IntArray
    release: FloatArray


@dataclass(frozen=True)
class Released:
    """Release of the courses of one lesion, where members tell the same kinds apart.

    Attributes
    ----------
    lots : together they hold every course once
    least, most : (M, places, fractions) of the courses of each place
    """

    lots: tuple[Lot, ...]
    least: FloatArray
    most: FloatArray

    @classmethod
    def of(cls, members: Members, plan: PlanId, s: int, places: Places) -> Released:
        """Release of all courses under the chemotherapy of one plan.

        least[m, p, n] = min_k release_m[k, n],    most[m, p, n] = max_k release_m[k, n],
        k of the block of p
        """
        shared = [candidates.shared(plan)[s] for candidates in members.candidates]
        menu = members.nominal.lesions[s].menu
        number = np.full((int(places.way.max()) + 1, len(menu.patterns.count)), -1)
        number[places.way, places.pattern] = np.arange(len(places.way))
        lots = []
        least = np.zeros((len(members), len(places.way), menu.patterns.days.shape[1]))
        most = least.copy()
        for block in shared[0].kinds.blocks:
            tick()
            release = np.stack([of.release[block.kinds, : block.count] for of in shared], axis=1)
            of_block = number[block.way, block.patterns]
            least[:, of_block, : block.count] = release.min(axis=0)[:, None]
            most[:, of_block, : block.count] = release.max(axis=0)[:, None]
            lots.append(Lot(block, of_block, release))
        return cls(tuple(lots), least, most)


class Releases:
    """Releases under the plans of each group, where members tell the same kinds apart."""

    def __init__(self, members: Members, places: list[Places]):
        self.members, self.places = members, places
        self._known: dict[tuple[int, ...], tuple[Released, ...] | None] = {}

    def of(self, plan: PlanId) -> tuple[Released, ...] | None:
        """Per lesion; None where kinds differ or drugs relieve the suppression of release."""
        members = self.members.candidates
        if any(relieves(c.instance, c.plan_effects, plan) for c in members):
            return None
        group = tuple(int(c.plan_effects.group[plan]) for c in members)
        if group not in self._known:
            self._known[group] = self._of_group(plan) if self._alike(plan) else None
        return self._known[group]

    def _of_group(self, plan: PlanId) -> tuple[Released, ...]:
        return tuple(
            Released.of(self.members, plan, s, places) for s, places in enumerate(self.places)
        )

    def _alike(self, plan: PlanId) -> bool:
        """Whether all members tell the same kinds apart."""
        first, *later = (candidates.shared(plan) for candidates in self.members.candidates)
        return all(
            len(a.kinds) == len(b.kinds) and np.array_equal(a.kinds.of, b.kinds.of)
            for member in later
            for a, b in zip(first, member, strict=True)
        )


def pooled(
    under: PlanInMembers,
    releases: tuple[Released, ...],
    risk: Risk,
    weights: FloatArray,
    courses: list[CourseIds],
    mixture: Mixture,
) -> Linear:
    """V and C of one member that stands for all: their sums with weights (M,).

    V(c) = sum_mn release_m[k, n] u_mn[p] + r[p] + by_kind[k],    C = sum_m q_m C_m

    Parameters
    ----------
    courses : per lesion those that are asked for
    """
    counted = np.flatnonzero(weights > 0.0)
    q = weights[counted]
    at = tangent(under, risk, counted, spans(under, releases, counted), mixture)
    worth, steep = q[:, None] * at.worth, q * at.steep.sum(axis=1)
    values = []
    for s, (of_lesion, released) in enumerate(zip(under.effects, releases, strict=True)):
        kinds = KindIds(np.arange(len(under.lattices[0][s].local)))
        by_kind = np.zeros(len(kinds))
        for number, m in enumerate(counted):
            tick()
            lattice = under.lattices[m][s]
            by_kind += q[number] * lattice.most(
                kinds, at.slopes[s, number], at.low[number], at.high[number]
            )
        units = of_lesion.among(counted)
        alike = of_lesion.alike(counted)
        priced = units.unit[0] if alike else np.einsum("mh,mpnh->mnp", worth, units.unit)
        by_place = np.einsum("mh,mph->p", worth, units.resting)
        by_place -= steep @ units.loss
        value = np.zeros(len(of_lesion.places.of))
        for lot in released.lots:
            tick()
            release = lot.release[:, counted]
            if alike:
                product = _folded(release, worth, priced[lot.places, : lot.block.count])
            else:
                product = _product(release, priced[:, : lot.block.count, lot.places])
            product += by_place[lot.places] + by_kind[lot.block.kinds][:, None]
            present = lot.block.course >= 0
            value[lot.block.course[present]] = product[present]
        values.append(finite("values of courses over the members", value[courses[s]][None, :]))
    return Linear(values, np.array([float(q @ at.constant)]))


def _product(release: FloatArray, priced: FloatArray) -> FloatArray:
    """(K, P) sum_mn release[k, m, n] u[m, n, p], u priced."""
    kinds, members, count = release.shape
    inner = members * count
    return np.asarray(release.reshape(kinds, inner) @ priced.reshape(inner, priced.shape[2]))


def _folded(release: FloatArray, worth: FloatArray, unit: FloatArray) -> FloatArray:
    """(K, P) sum_nh (sum_m release[k, m, n] worth[m, h]) unit[p, n, h] of members with one unit."""
    folded = np.einsum("kmn,mh->knh", release, worth, optimize=True)
    inner = folded.shape[1] * folded.shape[2]
    return np.asarray(folded.reshape(len(folded), inner) @ unit.reshape(len(unit), inner).T)


def spans(under: PlanInMembers, releases: tuple[Released, ...], counted: IntArray) -> Ranges:
    """Ranges of ln Z in some members, from the ranges of release at each place (`bound.ranges`).

    With release in [least, most] of the courses of a place, g lies between
    sum_n min(least unit, most unit) + resting and sum_n max(least unit, most unit) + resting.
    """
    gains, alones, losses = [], [], []
    for of_lesion, released in zip(under.effects, releases, strict=True):
        units = of_lesion.among(counted)
        unit, resting, loss = units.unit, units.resting, units.loss
        ends = [
            np.einsum("mpnh,mpn->mph", unit, release[counted]) + resting
            for release in (released.least, released.most)
        ]
        if unit.size and unit.min() < 0.0:
            below = np.einsum(
                "mpnh,mpn->mph", np.minimum(unit, 0.0), (released.most - released.least)[counted]
            )
            ends = [ends[0] + below, ends[1] - below]
        retained = np.exp(-loss)[:, :, None]
        gains.append(ends[1].max(axis=1))
        alones.append(((ends[0] * retained).min(axis=1), (ends[1] * retained).max(axis=1)))
        losses.append((loss.min(axis=1), loss.max(axis=1)))
    share = settings.CURRENT.first_ground
    return Ranges.of(gains, alones, losses, under.chemo[counted], share)
