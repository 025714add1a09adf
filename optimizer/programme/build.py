"""The programme as a list of named constraints over one set of columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from abscopt.models import immune, repopulation
from abscopt.optimizer.programme import choice, logistics, organs, outcome

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.programme.refinement import Refinement

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """What the constraint functions read; `bands` are indices into the refinement's bands."""

    instance: Instance
    columns: Columns
    refinement: Refinement
    free: tuple[int, ...]
    group: NDArray[np.int64]
    chemo: FloatArray
    end_needed: tuple[int, ...]

    @property
    def plans(self) -> int:
        """Number of systemic plans."""
        return len(self.chemo)

    @property
    def horizons(self) -> range:
        """Indices of the horizons."""
        return range(len(self.instance.horizon_days))

    @property
    def lesions(self) -> range:
        """Indices of all lesions of the case."""
        return range(len(self.instance.lesions))

    @property
    def bands(self) -> range:
        """Indices of the (plan, band) pairs."""
        return range(len(self.refinement.bands))

    @cached_property
    def of_lesion(self) -> dict[int, list[int]]:
        """Columns of each lesion."""
        return {s: np.flatnonzero(self.columns.lesion == s).tolist() for s in self.lesions}

    @cached_property
    def of_free_day(self) -> dict[tuple[int, int], list[int]]:
        """Columns of each day of each free course."""
        found: dict[tuple[int, int], list[int]] = {}
        for j in np.flatnonzero(self.columns.course < 0).tolist():
            key = (int(self.columns.lesion[j]), int(self.columns.day[j]))
            found.setdefault(key, []).append(j)
        return found

    @cached_property
    def bands_of_plan(self) -> dict[int, list[int]]:
        """(plan, band) pairs of each plan."""
        found: dict[int, list[int]] = {k: [] for k in range(self.plans)}
        for b, (k, _, _) in enumerate(self.refinement.bands):
            found[k].append(b)
        return found

    def chosen(self, model: Any, plan: int) -> Any:
        """1 if the plan is chosen: the sum over its bands."""
        return sum(model.y[b] for b in self.bands_of_plan[plan])

    @cached_property
    def greatest_effect(self) -> FloatArray:
        """(plans, horizons) no choice has more unsaturated systemic log kill."""
        total = np.zeros((self.plans, len(self.horizons)))
        for s in self.lesions:
            members = self.of_lesion[s]
            if s not in self.free and members:
                total += self.columns.gain[:, members, :].max(axis=1)
        return total + 1e-9

    def burden_range(self) -> tuple[FloatArray, FloatArray]:
        """(lesions, horizons) least and greatest log burden of any choice."""
        maximum = self.instance.immune.effect_maximum_nats
        most = immune.saturate(self.greatest_effect.max(axis=0), maximum)
        low = np.zeros((len(self.lesions), len(self.horizons)))
        high = np.zeros_like(low)
        for s, lesion in enumerate(self.instance.lesions):
            local = self.columns.local[:, self.of_lesion[s], :]
            if s in self.free:
                start = self.columns.constant_local[s]
                low[s] = start + local.min(axis=0).sum(axis=0)
                high[s] = start + self._growth_rate(s) * self.instance.days
            else:
                low[s], high[s] = local.min(axis=(0, 1)), local.max(axis=(0, 1))
            low[s] -= lesion.effector_share * most
        return low - 1e-6, high + 1e-6

    def repopulates(self, s: int) -> bool:
        """Whether a lesion has accelerated repopulation."""
        return self.instance.lesions[s].repopulation_doubling_time_days is not None

    def _growth_rate(self, s: int) -> float:
        """Extra log growth per accelerated day of a free course."""
        lesion = self.instance.lesions[s]
        if not self.repopulates(s):
            return 0.0
        fast = lesion.repopulation_doubling_time_days
        grown = repopulation.log_growth(1, lesion.growth_doubling_time_days, fast, 1.0)
        rested = repopulation.log_growth(1, lesion.growth_doubling_time_days, fast, 0.0)
        return float(grown) - float(rested)

    def growth(self, model: Any, s: int, h: int) -> Any:
        """Extra log growth of a free course up to a horizon."""
        return self._growth_rate(s) * model.over[s, h] if self.repopulates(s) else 0.0

    def _bed_loss_per_day(self, s: int) -> float:
        lesion = self.instance.lesions[s]
        if lesion.repopulation_doubling_time_days is None:
            return 0.0
        return float(
            repopulation.bed_loss_per_day(
                lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
            )
        )

    def bed_loss(self, model: Any, s: int) -> Any:
        """BED a free course loses to repopulation (uniform columns carry their own)."""
        if s not in self.free or not self.repopulates(s):
            return 0.0
        return self._bed_loss_per_day(s) * model.over[s, -1]

    def greatest_bed_loss(self, s: int) -> float:
        """Bound on `bed_loss`."""
        return self._bed_loss_per_day(s) * self.instance.days if s in self.free else 0.0


def data_of(candidates: Candidates, columns: Columns, refinement: Refinement) -> Data:
    """What the constraint functions read, from the candidates of a case."""
    return Data(
        instance=candidates.instance,
        columns=columns,
        refinement=refinement,
        free=candidates.free,
        group=candidates.plan_effects.group,
        chemo=candidates.plan_effects.chemotherapy_log_loss,
        end_needed=tuple(candidates.latest_end_needed(k) for k in range(len(candidates.plans))),
    )


def build(data: Data) -> Any:
    """The programme: maximize the objective over columns x and (plan, band) pairs y."""
    model = pyo.ConcreteModel(name=data.instance.name)
    model.x = pyo.Var(range(len(data.columns)), domain=pyo.Binary)
    model.y = pyo.Var(data.bands, domain=pyo.Binary)
    choice.one_course(model, data)
    choice.one_level(model, data)
    choice.fraction_number(model, data)
    choice.one_plan(model, data)
    choice.intervals(model, data)
    choice.late_enough(model, data)
    choice.excluded(model, data)
    organs.organ_loads(model, data)
    organs.lymphocyte_count(model, data)
    organs.edric(model, data)
    logistics.lesions_treated(model, data)
    logistics.visits(model, data)
    logistics.lesions_per_day(model, data)
    logistics.overall_days(model, data)
    outcome.accelerated_growth(model, data)
    if data.instance.objective.kind == "tumor_bed":
        outcome.tumor_bed(model, data)
    else:
        outcome.lymphocyte_bands(model, data)
        outcome.systemic_effect(model, data)
        outcome.saturation(model, data)
        outcome.log_burden(model, data)
        outcome.value_of_lesion(model, data)
    objective(model, data)
    return model


def objective(model: Any, data: Data) -> None:
    """maximize sum_s w_s mean_h value[s, h], or sum_s w_s BED_s for `tumor_bed`."""
    lesions = data.instance.lesions
    if data.instance.objective.kind == "tumor_bed":
        total = sum(lesions[s].weight * model.tumor_bed[s] for s in data.lesions)
    else:
        count = len(data.horizons)
        total = sum(
            lesions[s].weight / count * model.value[s, h]
            for s in data.lesions
            for h in data.horizons
        )
    model.objective = pyo.Objective(expr=total, sense=pyo.maximize)
