"""One systemic plan in every member: what its courses do, and exact values of schedules."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.coefficients import shares_of
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PatternIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.effects import PlaceEffects, Places
from abscopt.optimizer.search.ensemble.bounds.lattice import LesionLattice
from abscopt.optimizer.search.ensemble.bounds.opening import Releases
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE, Members
from abscopt.optimizer.search.uniform.bounds.rows import ByKind, Rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.ensemble.risk import Risk


class Lattices:
    """Tabulated values of all members, shared by the plans that act alike on tumors."""

    def __init__(self, members: Members):
        self.members = members
        self._known: dict[tuple[int, int, float, int], LesionLattice] = {}

    def of(self, plan: PlanId) -> tuple[tuple[LesionLattice, ...], ...]:
        """Per member, per lesion."""
        return tuple(self._of_member(m, c, plan) for m, c in enumerate(self.members.candidates))

    def _of_member(self, m: int, candidates: Candidates, plan: PlanId) -> tuple[LesionLattice, ...]:
        effects_of_plans, instance = candidates.plan_effects, candidates.instance
        top = float(effects_of_plans.greatest_occupancy[plan])
        ruled = top if instance.immune.burden_limit_cm3 is not None else 0.0
        lattices = []
        for s, table in enumerate(candidates.lesions):
            key = (m, int(effects_of_plans.group[plan]), ruled, s)
            if key not in self._known:
                lesion, alike = candidates.lesion_of(table), candidates.shared(plan)[s]
                dose_alone = instance.objective.of_dose_alone
                self._known[key] = LesionLattice(
                    instance,
                    lesion,
                    alike.local[:, :0] if dose_alone else alike.local,
                    shares_of(instance, lesion, alike, top),
                    lesion.weight * alike.tumor_bed * float(dose_alone),
                )
            lattices.append(self._known[key])
        return tuple(lattices)


@dataclass(frozen=True)
class Entries:
    """What some courses of one lesion put into the rows of the case.

    A[c, r] = by_kind[kind of c, r] + by_days[technique of c, pattern of c, r]
    """

    by_kind: ByKind
    by_days: FloatArray
    kinds: KindIds
    way: IntArray
    pattern: PatternIds

    def at(self, places: IntArray) -> FloatArray:
        """(n, rows) of some of the courses."""
        of_days = self.by_days[self.way[places], self.pattern[places]]
        return np.asarray(self.by_kind.of(self.kinds[places]) + of_days)

    def charged(self, prices: FloatArray) -> FloatArray:
        """(courses,) A y at prices (rows,) of all rows."""
        of_days = (self.by_days @ prices)[self.way, self.pattern]
        return np.asarray(self.by_kind.charged(prices)[self.kinds] + of_days)

    @property
    def least(self) -> FloatArray:
        """(rows,) least entry of any course."""
        least: FloatArray = self.at(np.arange(len(self.kinds))).min(axis=0)
        return least


@dataclass(frozen=True)
class Tables:
    """Coefficients of some courses under one plan, in some members.

    M members, H horizons; without systemic effect (BED alone) H = 0.

    Attributes
    ----------
    counted : (M,) the members
    courses : per lesion, ascending
    gain : per lesion (M, H, courses) e^a v, effect before losses
    loss : per lesion (M, courses) a, log loss of the others' effectors
    kinds : per lesion (M, courses)
    """

    counted: IntArray
    courses: list[CourseIds]
    gain: list[FloatArray]
    loss: list[FloatArray]
    kinds: list[KindIds]

    def keep(self, places: list[IntArray]) -> Tables:
        """The courses at some places."""
        lesions = list(enumerate(places))
        return Tables(
            self.counted,
            [self.courses[s][k] for s, k in lesions],
            [self.gain[s][:, :, k] for s, k in lesions],
            [self.loss[s][:, k] for s, k in lesions],
            [self.kinds[s][:, k] for s, k in lesions],
        )


class PlanInMembers:
    """One plan in all members.

    Attributes
    ----------
    effects : per lesion, of the places of its courses
    chemo, cost : (M,) log loss by chemotherapy, cost of soft limits on drugs
    usable : per lesion the courses that the case allows
    """

    def __init__(
        self, members: Members, lattices: Lattices, plan: PlanId, places: Sequence[Places]
    ):
        self.members, self.plan = members, plan
        self.lattices = lattices.of(plan)
        self.nominal = Tabulated(members.nominal, plan)
        self.usable = [CourseIds(np.flatnonzero(mask)) for mask in self.nominal.begun]
        instance = members.nominal.instance
        horizons = 0 if instance.objective.of_dose_alone else len(instance.horizon_days)
        self.effects = [
            PlaceEffects(members.candidates, plan, s, of_lesion, horizons)
            for s, of_lesion in enumerate(places)
        ]
        chemo = [c.plan_effects.chemotherapy_log_loss[plan] for c in members.candidates]
        self.chemo = np.array(chemo, dtype=float)
        self.cost = np.array([c.plan_cost(plan) for c in members.candidates])

    @property
    def nbytes(self) -> int:
        """Memory of the coefficients."""
        return sum(of_lesion.nbytes for of_lesion in self.effects)

    @cached_property
    def rows(self) -> Rows:
        """Limits of the case under the plan."""
        return rows_of(self.members.nominal, (self.plan,), (self.plan,))

    def entries(self, courses: Sequence[CourseIds]) -> list[Entries]:
        """Per lesion what courses put into the rows."""
        menus = [table.menu for table in self.members.nominal.lesions]
        return [
            Entries(
                self.rows.by_kind[s],
                self.rows.by_days[s],
                self.nominal.kinds[s][chosen],
                menus[s].technique[chosen],
                menus[s].pattern[chosen],
            )
            for s, chosen in enumerate(courses)
        ]

    def kinds(self, s: int, courses: CourseIds, counted: IntArray) -> KindIds:
        """(M, courses) their kinds in some members."""
        candidates = self.members.candidates
        of_members = [candidates[m].shared(self.plan)[s].kinds.of for m in counted.tolist()]
        return KindIds(np.stack([of[courses] for of in of_members]))

    def tables(self, courses: list[CourseIds], counted: IntArray) -> Tables:
        """Coefficients of some courses in some members."""
        pairs = [
            of_lesion.gains(c, counted) for of_lesion, c in zip(self.effects, courses, strict=True)
        ]
        return Tables(
            counted,
            courses,
            [gain for gain, _ in pairs],
            [loss for _, loss in pairs],
            [self.kinds(s, c, counted) for s, c in enumerate(courses)],
        )

    @cached_property
    def tabulated(self) -> list[Tabulated]:
        """Exact values and limits of each member."""
        return [Tabulated(c, self.plan) for c in self.members.candidates]

    def values(self, rows: CourseRows, counted: IntArray | None = None) -> FloatArray:
        """(schedules, M) exact objective of rows of courses (schedules, lesions) in some members.

        Z = e^(-A - chemo) sum_s g_s,    V = sum_s value_s(saturate(Z)) - cost

        Parameters
        ----------
        counted : (M,) the members; all if None
        """
        if counted is None:
            counted = np.arange(len(self.members))
        values = np.empty((len(rows), len(counted)))
        total = np.zeros((len(counted), self.effects[0].horizons, len(rows)))
        lost = np.repeat(self.chemo[counted, None], len(rows), axis=1)
        kinds: list[KindIds] = []
        for s, of_lesion in enumerate(self.effects):
            chosen, of = np.unique(rows[:, s], return_inverse=True)
            gain, loss = of_lesion.gains(CourseIds(chosen), counted)
            total += gain[:, :, of.reshape(-1)]
            lost += loss[:, of.reshape(-1)]
            kinds.append(self.kinds(s, CourseIds(rows[:, s]), counted))
        raw = np.exp(-lost)[:, None, :] * total
        soft = self.nominal.soft or bool(self.members.own_limits.any())
        for number, m in enumerate(counted.tolist()):
            tick()
            instance = self.members.candidates[m].instance
            kill = immune.saturate(raw[number].T, instance.immune.effect_maximum_nats)
            values[:, number] = -(self.tabulated[m].cost(rows) if soft else self.cost[m])
            for s, lattice in enumerate(self.lattices[m]):
                values[:, number] += lattice.exact(kinds[s][number], kill)
        return values

    def feasible(self, rows: CourseRows, floors: bool = True) -> BoolArray:
        """(schedules,) whether the case's limits and rules are kept, and those of members enough.

        sum_m w_m [member m breaks a limit, rule or demand of its own] <= chance.
        """
        within = self.nominal.feasible(rows, floors)
        members = np.flatnonzero(self.members.own_limits)
        undecided = np.flatnonzero(within)
        if len(members) and len(undecided):
            broken = np.zeros(len(undecided))
            for m in members:
                tick()
                within_own = self.tabulated[m].feasible(rows[undecided], floors)
                broken += self.members.weights[m] * ~within_own
            within[undecided] = broken <= self.members.chance + WITHIN_CHANCE
        return within


class AcrossMembers(Tabulated):
    """Risk of rows of course indices under one plan, as local search asks for it.

    Parameters
    ----------
    counted : the members that it is taken over; the risk over all is no greater
    """

    def __init__(self, under: PlanInMembers, risk: Risk, counted: IntArray | None = None):
        super().__init__(under.members.nominal, under.plan)
        self.under, self.counted = under, counted
        self.risk = risk if counted is None else risk.among(counted)

    def value(self, rows: CourseRows) -> FloatArray:
        """(schedules,) exact risk of rows (schedules, lesions)."""
        return self.risk.of(self.under.values(rows, self.counted))

    def feasible(self, rows: CourseRows, floors: bool = True, organs: bool = True) -> BoolArray:
        """(schedules,) whether the limits of the case are kept, and those of members enough."""
        if not organs:
            return super().feasible(rows, floors, organs)
        return self.under.feasible(rows, floors)


class Plans:
    """Coefficients of the plans used last."""

    def __init__(self, members: Members):
        self.members, self.lattices = members, Lattices(members)
        self.places = [Places.of_menu(table.menu) for table in members.nominal.lesions]
        self.releases = Releases(members, self.places)
        self._kept: OrderedDict[PlanId, PlanInMembers] = OrderedDict()

    def ahead(self, plans: Sequence[PlanId], counted: IntArray) -> None:
        """Compute the propagators of some plans in some members in one go."""
        for m in counted.tolist():
            candidates = self.members.candidates[m]
            for s in range(len(candidates.lesions)):
                for of_way in candidates.propagators(s):
                    of_way.store.of(PlanIds(np.array(plans)))

    def of(self, plan: PlanId) -> PlanInMembers:
        """One plan in all members."""
        if plan in self._kept:
            self._kept.move_to_end(plan)
            return self._kept[plan]
        under = PlanInMembers(self.members, self.lattices, plan, self.places)
        size = sum(coefficients.nbytes for coefficients in self._kept.values()) + under.nbytes
        while self._kept and size > settings.CURRENT.plans_kept:
            size -= self._kept.popitem(last=False)[1].nbytes
        self._kept[plan] = under
        return under
