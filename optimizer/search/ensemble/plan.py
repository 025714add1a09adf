"""One systemic plan in every member: what its courses do, and exact values of schedules."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import BoolArray, FloatArray
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


class PlanInMembers:
    """Coefficients of all courses under one plan, in all members.

    M members, H horizons; without systemic effect (BED alone) H = 0.

    Attributes
    ----------
    gain : per lesion (M, H, courses) e^a v, effect before losses
    loss : per lesion (M, courses) a, log loss of the others' effectors
    kinds : per lesion (M, courses)
    chemo, cost : (M,) log loss by chemotherapy, cost of soft limits on drugs
    rows : limits of the case as it is stated
    entries : per lesion (courses, rows)
    usable : per lesion the courses that the case allows
    """

    def __init__(self, members: Members, lattices: Lattices, plan: PlanId):
        self.members, self.plan = members, plan
        self.lattices = lattices.of(plan)
        self.nominal = Tabulated(members.nominal, plan)
        self.usable = [CourseIds(np.flatnonzero(mask)) for mask in self.nominal.begun]
        self.gain: list[FloatArray] = []
        self.loss: list[FloatArray] = []
        self.kinds: list[KindIds] = []
        horizons = 0 if members.nominal.instance.objective.of_dose_alone else None
        for s in range(len(members.nominal.lesions)):
            tick()
            loss = np.stack([losses(c, plan, s) for c in members.candidates])
            gain = effects(members.candidates, plan, s)[:, :, :horizons].transpose(0, 2, 1)
            self.gain.append(np.exp(loss)[:, None] * gain)
            self.loss.append(loss)
            kinds = [c.shared(plan)[s].kinds.of for c in members.candidates]
            self.kinds.append(KindIds(np.stack(kinds)))
        chemo = [c.plan_effects.chemotherapy_log_loss[plan] for c in members.candidates]
        self.chemo = np.array(chemo, dtype=float)
        self.cost = np.array([c.plan_cost(plan) for c in members.candidates])

    @property
    def nbytes(self) -> int:
        """Memory of the coefficients."""
        arrays = (*self.gain, *self.loss, *self.kinds, *self.entries)
        return sum(array.nbytes for array in arrays)

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

    @cached_property
    def tabulated(self) -> list[Tabulated]:
        """Exact values and limits of each member."""
        return [Tabulated(c, self.plan) for c in self.members.candidates]

    def values(self, rows: CourseRows) -> FloatArray:
        """(schedules, M) exact objective of rows of courses (schedules, lesions) in each member.

        Z = e^(-A - chemo) sum_s g_s,    V = sum_s value_s(saturate(Z)) - cost
        """
        values = np.empty((len(rows), len(self.members)))
        lost = sum(loss[:, rows[:, s]] for s, loss in enumerate(self.loss)) + self.chemo[:, None]
        for m, of_member in enumerate(self.lattices):
            tick()
            total = sum(gain[m][:, rows[:, s]] for s, gain in enumerate(self.gain))
            raw = (np.exp(-lost[m]) * total).T
            instance = self.members.candidates[m].instance
            kill = immune.saturate(raw, instance.immune.effect_maximum_nats)
            values[:, m] = -self.tabulated[m].cost(rows)
            for s, lattice in enumerate(of_member):
                values[:, m] += lattice.exact(self.kinds[s][m, rows[:, s]], kill)
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
    """Risk of rows of course indices under one plan, as local search asks for it."""

    def __init__(self, under: PlanInMembers, risk: Risk):
        super().__init__(under.members.nominal, under.plan)
        self.under, self.risk = under, risk

    def value(self, rows: CourseRows) -> FloatArray:
        """(schedules,) exact risk of rows (schedules, lesions)."""
        return self.risk.of(self.under.values(rows))

    def feasible(self, rows: CourseRows, floors: bool = True, organs: bool = True) -> BoolArray:
        """(schedules,) whether the limits of the case are kept, and those of members enough."""
        if not organs:
            return super().feasible(rows, floors, organs)
        return self.under.feasible(rows, floors)


class Plans:
    """Coefficients of the plans used last."""

    def __init__(self, members: Members):
        self.members, self.lattices = members, Lattices(members)
        self._kept: OrderedDict[PlanId, PlanInMembers] = OrderedDict()

    def ahead(self, plans: Sequence[PlanId]) -> None:
        """Compute the propagators of some plans in one go."""
        for candidates in self.members.candidates:
            for s in range(len(candidates.lesions)):
                for of_way in candidates.propagators(s):
                    of_way.store.of(PlanIds(np.array(plans)))

    def of(self, plan: PlanId) -> PlanInMembers:
        """One plan in all members."""
        if plan in self._kept:
            self._kept.move_to_end(plan)
            return self._kept[plan]
        under = PlanInMembers(self.members, self.lattices, plan)
        size = sum(coefficients.nbytes for coefficients in self._kept.values()) + under.nbytes
        while self._kept and size > settings.CURRENT.plans_kept:
            size -= self._kept.popitem(last=False)[1].nbytes
        self._kept[plan] = under
        return under
