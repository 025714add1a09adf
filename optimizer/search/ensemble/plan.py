"""One systemic plan in every member: what its courses do, and exact values of schedules."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import shares_of
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.effects import effects, losses
from abscopt.optimizer.search.ensemble.lattice import LesionLattice
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE, Members
from abscopt.optimizer.search.uniform.bounds.rows import Rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.ensemble.risk import Risk


class Lattices:
    """Tabulated values of all members, shared by the plans that act alike on tumors."""

    def __init__(self, members: Members):
        self.members = members
        self._known: dict[tuple[int, int, float, int], LesionLattice] = {}

    def of(self, plan: PlanId, counted: IntArray) -> tuple[tuple[LesionLattice, ...], ...]:
        """Per member that counts, per lesion."""
        return tuple(self._of_member(m, self.members.of_member(m), plan) for m in map(int, counted))

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


class PlanInMembers:
    """Coefficients of all courses under one plan, in the members that count.

    M members that count, H horizons; without systemic effect (BED alone) H = 0.

    Attributes
    ----------
    counted : (M,) numbers of the members
    gain : per lesion (M, H, courses) e^a v, effect before losses
    loss : per lesion (M, courses) a, log loss of the others' effectors
    kinds : per lesion (M, courses)
    chemo, cost : (M,) log loss by chemotherapy, cost of soft limits on drugs
    rows : limits of the case as it is stated
    entries : per lesion (courses, rows)
    usable : per lesion the courses that the case allows
    """

    def __init__(self, members: Members, lattices: Lattices, plan: PlanId, counted: IntArray):
        self.members, self.plan, self.counted = members, plan, counted
        self.candidates = [members.of_member(int(m)) for m in counted]
        self.lattices = lattices.of(plan, counted)
        self.nominal = Tabulated(members.nominal, plan)
        self.usable = [CourseIds(np.flatnonzero(mask)) for mask in self.nominal.begun]
        self.gain: list[FloatArray] = []
        self.loss: list[FloatArray] = []
        self.kinds: list[KindIds] = []
        horizons = 0 if members.nominal.instance.objective.of_dose_alone else None
        for s in range(len(members.nominal.lesions)):
            tick()
            loss = np.stack([losses(c, plan, s) for c in self.candidates])
            gain = effects(self.candidates, plan, s)[:, :, :horizons].transpose(0, 2, 1)
            self.gain.append(np.exp(loss)[:, None] * gain)
            self.loss.append(loss)
            kinds = [c.shared(plan)[s].kinds.of for c in self.candidates]
            self.kinds.append(KindIds(np.stack(kinds)))
        self._tabulated: dict[int, Tabulated] = {}
        chemo = [c.plan_effects.chemotherapy_log_loss[plan] for c in self.candidates]
        self.chemo = np.array(chemo, dtype=float)
        self.cost = np.array([c.plan_cost(plan) for c in self.candidates])

    @property
    def nbytes(self) -> int:
        """Memory of the coefficients."""
        arrays = (*self.gain, *self.loss, *self.kinds, *self.entries)
        return sum(array.nbytes for array in arrays)

    def place(self, axis: tuple[int, int]) -> tuple[int, int]:
        """Member that counts, by its place among these, and horizon of an axis."""
        return int(np.searchsorted(self.counted, axis[0])), axis[1]

    @cached_property
    def rows(self) -> Rows:
        """Limits of the case under the plan."""
        return rows_of(self.members.nominal, (self.plan,), (self.plan,))

    @cached_property
    def entries(self) -> list[FloatArray]:
        """Per lesion (courses, rows) what a course puts into the rows."""
        entries = []
        for s, table in enumerate(self.members.nominal.lesions):
            menu, kinds = table.menu, self.nominal.kinds[s]
            of_days = self.rows.by_days[s][menu.technique, menu.pattern]
            entries.append(self.rows.by_kind[s].of(kinds) + of_days)
        return entries

    def tabulated(self, member: int) -> Tabulated:
        """Costs and limits of one member by its number."""
        if member not in self._tabulated:
            self._tabulated[member] = Tabulated(self.members.of_member(member), self.plan)
        return self._tabulated[member]

    def values(self, rows: CourseRows) -> FloatArray:
        """(schedules, M) exact objective of rows of courses (schedules, lesions) in each member.

        Z = e^(-A - chemo) sum_s g_s,    V = sum_s value_s(saturate(Z)) - cost
        """
        values = -self.costs(rows)
        lost = sum(loss[:, rows[:, s]] for s, loss in enumerate(self.loss)) + self.chemo[:, None]
        for m, of_member in enumerate(self.lattices):
            tick()
            total = sum(gain[m][:, rows[:, s]] for s, gain in enumerate(self.gain))
            raw = (np.exp(-lost[m]) * total).T
            instance = self.candidates[m].instance
            kill = immune.saturate(raw, instance.immune.effect_maximum_nats)
            for s, lattice in enumerate(of_member):
                values[:, m] += lattice.exact(self.kinds[s][m, rows[:, s]], kill)
        return values

    def ceilings(self, rows: CourseRows) -> FloatArray:
        """(schedules, M) the same without costs, at most, by tabulated values at the exact effect.

        ln Z = ln(sum_s g_s) - A - chemo,    V + cost <= sum_s [chord_s + rise_s](ln Z)
        """
        values = np.zeros((len(rows), len(self.counted)))
        if not len(rows):
            return values
        lost = sum(loss[:, rows[:, s]] for s, loss in enumerate(self.loss)) + self.chemo[:, None]
        for m, of_member in enumerate(self.lattices):
            tick()
            total = sum(gain[m][:, rows[:, s]] for s, gain in enumerate(self.gain))
            at = np.ascontiguousarray((np.log(np.maximum(total, 1e-300)) - lost[m]).T)
            for s, lattice in enumerate(of_member):
                values[:, m] += lattice.ceilings(self.kinds[s][m, rows[:, s]], at)
        return values

    def costs(self, rows: CourseRows) -> FloatArray:
        """(schedules, M) what soft limits cost the objective."""
        costs = np.empty((len(rows), len(self.counted)))
        with_own = self.members.own_limits[self.counted]
        if not with_own.all():
            costs[:, ~with_own] = self.nominal.cost(rows)[:, None]
        for m in np.flatnonzero(with_own):
            costs[:, m] = self.tabulated(int(self.counted[m])).cost(rows)
        return costs

    def feasible(self, rows: CourseRows, floors: bool = True) -> BoolArray:
        """(schedules,) whether the case's limits and rules are kept, and those of members enough.

        sum_m w_m [member m breaks a limit, rule or demand of its own] <= chance, all members.
        """
        within = self.nominal.feasible(rows, floors)
        allowed = self.members.chance + WITHIN_CHANCE
        undecided, broken = np.flatnonzero(within), np.zeros(len(rows))
        for m in np.flatnonzero(self.members.own_limits):
            if not len(undecided):
                break
            tick()
            within_own = self.tabulated(int(m)).feasible(rows[undecided], floors)
            broken[undecided] += self.members.weights[m] * ~within_own
            undecided = undecided[broken[undecided] <= allowed]
        within[:] = False
        within[undecided] = True
        return within


class AcrossMembers(Tabulated):
    """Risk of rows of course indices under one plan, as local search asks for it.

    In the members that count alone, so that it is no less than the risk in all of them.
    """

    def __init__(self, under: PlanInMembers, risk: Risk):
        super().__init__(under.members.nominal, under.plan)
        self.under, self.risk = under, risk

    def value(self, rows: CourseRows) -> FloatArray:
        """(schedules,) risk of rows (schedules, lesions), by tabulated values."""
        return self.risk.of(self.under.ceilings(rows) - self.under.costs(rows))

    def feasible(self, rows: CourseRows, floors: bool = True, organs: bool = True) -> BoolArray:
        """(schedules,) whether the limits of the case are kept, and those of members enough."""
        if not organs:
            return super().feasible(rows, floors, organs)
        return self.under.feasible(rows, floors)


class Plans:
    """Coefficients of the plans used last, in the members that count.

    Attributes
    ----------
    counted : numbers of these members; more are added as they are met
    """

    def __init__(self, members: Members, counted: IntArray):
        self.members, self.lattices, self.counted = members, Lattices(members), counted
        self._kept: OrderedDict[PlanId, PlanInMembers] = OrderedDict()

    def count(self, more: IntArray) -> bool:
        """Let further members count; whether some did not yet."""
        before = len(self.counted)
        self.counted = np.union1d(self.counted, more)
        if len(self.counted) == before:
            return False
        self._kept.clear()
        return True

    def ahead(self, plans: Sequence[PlanId]) -> None:
        """Compute the propagators of some plans in one go."""
        for candidates in map(self.members.of_member, map(int, self.counted)):
            for s in range(len(candidates.lesions)):
                for of_way in candidates.propagators(s):
                    of_way.store.of(PlanIds(np.array(plans)))

    def everywhere(self, plan: PlanId, row: CourseIds) -> FloatArray:
        """(members,) exact objective of one row in every member."""
        under, members = self.of(plan), self.members
        values = np.empty(len(members))
        values[under.counted] = under.values(CourseRows(row[None, :]))[0]
        for m in np.setdiff1d(members.everyone, under.counted):
            if members.elsewhere is None:
                values[m] = under.tabulated(int(m)).value(CourseRows(row[None, :]))[0]
            else:
                tick()
                values[m] = members.elsewhere(int(m), plan, row)
        return values

    def of(self, plan: PlanId) -> PlanInMembers:
        """One plan in the members that count."""
        if plan in self._kept:
            self._kept.move_to_end(plan)
            return self._kept[plan]
        under = PlanInMembers(self.members, self.lattices, plan, self.counted)
        size = sum(coefficients.nbytes for coefficients in self._kept.values()) + under.nbytes
        while self._kept and size > settings.CURRENT.plans_kept:
            size -= self._kept.popitem(last=False)[1].nbytes
        self._kept[plan] = under
        return under
