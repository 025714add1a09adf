"""What the constraints of a programme are stated from: candidates, columns, refinement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.load import InputError, Problem
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import repopulation
from abscopt.models.tumor.population import population_log_burden
from abscopt.optimizer.candidates.systemic.flows import flows_of
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.margins import LARGEST_EFFECT, RANGE_MARGIN
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.systemic.flows import Flow
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.programme.refinement import Refinement


@dataclass(frozen=True)
class Data:
    """What the constraint functions read; `bands` are indices into the refinement's bands.

    `flows` describes the survivors, release and effectors of the free lesions that need it, `kept`
    says what reductions left, and what systemic effect.
    """

    candidates: Candidates
    columns: Columns
    refinement: Refinement
    flows: dict[int, Flow]
    kept: Kept | None = None

    @cached_property
    def instance(self) -> Instance:
        """The case."""
        return self.candidates.instance

    @property
    def free(self) -> tuple[int, ...]:
        """Lesions with a free course."""
        return self.candidates.free

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """(plans,) plans of one group act alike on tumors and organs themselves."""
        return self.candidates.plan_effects.group

    @cached_property
    def chemo(self) -> FloatArray:
        """(plans,) log loss of lymphocytes by chemotherapy."""
        return self.candidates.plan_effects.chemotherapy_log_loss

    @property
    def plans(self) -> int:
        """Number of systemic plans."""
        return len(self.chemo)

    @property
    def plan_ids(self) -> Sequence[PlanId]:
        """Ids of all systemic plans."""
        return self.candidates.plan_ids

    @property
    def groups(self) -> range:
        """Indices of the groups of plans."""
        return range(self.columns.local.shape[0])

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

    def clones(self, s: int) -> range:
        """Indices of a lesion's clones; none where tumors differ: they have one burden."""
        lesion = self.instance.lesions[s]
        return range(0 if lesion.spread else len(lesion.populations))

    @cached_property
    def spread(self) -> tuple[int, ...]:
        """Lesions whose control is a mean over radiosensitivities."""
        return tuple(s for s in self.lesions if self.instance.lesions[s].spread)

    def steepest(self, s: int) -> float:
        """By how much a lesion's log burden falls at most per nat of systemic kill."""
        return float(self.columns.share[s].max())

    def population(self, s: int, h: int, kill: float) -> FloatArray:
        """(groups, columns) log burden of a lesion of several radiosensitivities at a kill.

        Columns of other lesions are 0.
        """
        members, weights, size = self.of_lesion[s], self._weights(s), self._size(s)
        local = self.columns.local[:, members, h, :size] - self.columns.share[s, :size] * kill
        burdens = np.zeros(self.columns.local.shape[:2])
        burdens[:, members] = population_log_burden(local, weights)
        return burdens

    @cached_property
    def of_lesion(self) -> dict[int, list[int]]:
        """Columns of each lesion."""
        return {s: np.flatnonzero(self.columns.lesion == s).tolist() for s in self.lesions}

    @cached_property
    def of_free_day(self) -> dict[tuple[int, int], list[int]]:
        """Columns of each day of each free course (of all its days together in count form)."""
        members: dict[tuple[int, int], list[int]] = {}
        for j in np.flatnonzero(self.columns.course < 0).tolist():
            key = (int(self.columns.lesion[j]), int(self.columns.day[j]))
            members.setdefault(key, []).append(j)
        return members

    @cached_property
    def choices(self) -> dict[tuple[int, int], list[int]]:
        """Columns of which at most `slots` are chosen: per lesion, or per day if it is free."""
        groups = {(s, -1): members for s, members in self.of_lesion.items() if s not in self.free}
        return groups | self.of_free_day

    def slots(self, members: list[int]) -> int:
        """How many of a group of columns may be chosen."""
        return int(self.columns.slots[members].max(initial=1))

    def greatest(self, value: FloatArray, members: list[int] | None = None) -> float:
        """No choice adds up to more; value (J,), of some columns or of all."""
        wanted = None if members is None else set(members)
        total = 0.0
        for group in self.choices.values():
            inside = group if wanted is None else [j for j in group if j in wanted]
            if inside:
                total += self.slots(inside) * max(0.0, float(value[inside].max()))
        return total

    @cached_property
    def bands_of_plan(self) -> dict[PlanId, list[int]]:
        """(plan, band) pairs of each plan."""
        bands: dict[PlanId, list[int]] = {k: [] for k in self.plan_ids}
        for b, (k, _, _) in enumerate(self.refinement.bands):
            bands[k].append(b)
        return bands

    @property
    def paired(self) -> bool:
        """Whether courses and plans are chosen as pairs, without bands."""
        return self.refinement.paired

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """(pairs,) column and plan of every pair that is left."""
        return pairs_of(self)

    @cached_property
    def pairs_of_lesion(self) -> dict[int, IntArray]:
        """Indices of each lesion's pairs."""
        owner = self.columns.lesion[self.pairs[0]]
        return {s: np.flatnonzero(owner == s) for s in self.lesions}

    @cached_property
    def effect_range(self) -> tuple[FloatArray, FloatArray]:
        """(plans, horizons) least and greatest unsaturated systemic log kill of uniform courses."""
        low, high = effect_range(self)
        if self.kept is None:
            return low, high
        return np.maximum(low, self.kept.least_effect), np.minimum(high, self.kept.effect)

    def chosen(self, model: Any, plan: PlanId) -> Any:
        """1 if the plan is chosen: the sum over its bands."""
        tick()
        return sum(model.y[b] for b in self.bands_of_plan[plan])

    def chosen_group(self, model: Any, group: int) -> Any:
        """1 if a plan of the group is chosen."""
        members = [k for k in self.plan_ids if self.group[k] == group]
        return sum(self.chosen(model, k) for k in members)

    @cached_property
    def greatest_effect(self) -> FloatArray:
        """(plans, horizons) no choice has more unsaturated systemic log kill."""
        if self.paired:
            return self.effect_range[1] + RANGE_MARGIN
        total = np.zeros((self.plans, len(self.horizons)))
        for s in self.lesions:
            members = self.of_lesion[s]
            if s not in self.free and members:
                total += self.columns.gain[:, members, :].max(axis=1)
        for flow in self.flows.values():
            total += flow.greatest
        return total + RANGE_MARGIN

    @cached_property
    def effect_unit(self) -> float:
        """Unit of the unsaturated kill in the programme: 1 nat, or a power of two for large ones.

        The tangent at Z = 1e6 nat of a kill of at most 12 rises by 1e-10 per nat; HiGHS loses such
        a slope, and the bound with it.
        """
        greatest = float(self.greatest_effect.max(initial=0.0))
        return 2.0 ** max(0, math.ceil(math.log2(max(greatest, 1.0) / LARGEST_EFFECT)))

    @cached_property
    def greatest_kill(self) -> FloatArray:
        """(horizons,) no choice has more saturated systemic log kill."""
        maximum = self.instance.immune.effect_maximum_nats
        return immune.saturate(self.greatest_effect.max(axis=0), maximum)

    @cached_property
    def clone_range(self) -> tuple[FloatArray, FloatArray]:
        """(lesions, horizons, clones) least and greatest log burden of each clone.

            low = min_c u(c) - share K,    high = max_c u(c)

        over courses c with u their local log burden, K the greatest systemic kill. A free lesion's
        is lowest with the most kill in every slot, highest without dose and with all regrowth.
        """
        shape = (len(self.lesions), len(self.horizons), self.columns.local.shape[3])
        low, high = np.zeros(shape), np.zeros(shape)
        for s in self.lesions:
            local = self.columns.local
            if s in self.free:
                start = self.columns.constant_local[:, s]
                low[s], high[s] = start.min(axis=0), start.max(axis=0)
                low[s] += sum(
                    self.slots(members) * np.minimum(local[:, members].min(axis=(0, 1)), 0.0)
                    for (lesion, _), members in self.of_free_day.items()
                    if lesion == s
                )
                high[s] += self._growth_rate(s) * self.instance.days
            else:
                of_courses = local[:, self.of_lesion[s]]
                low[s], high[s] = of_courses.min(axis=(0, 1)), of_courses.max(axis=(0, 1))
            low[s] -= self.columns.share[s] * self.greatest_kill[:, None]
        return low - RANGE_MARGIN, high + RANGE_MARGIN

    @cached_property
    def burden_range(self) -> tuple[FloatArray, FloatArray]:
        """(lesions, horizons) least and greatest log burden of any choice."""
        low, high = (
            np.array(
                [
                    population_log_burden(side[s][:, : self._size(s)], self._weights(s))
                    for s in self.lesions
                ]
            )
            for side in self.clone_range
        )
        return low, high

    def _weights(self, s: int) -> FloatArray:
        return self.instance.lesions[s].sensitivities[1]

    def _size(self, s: int) -> int:
        """Burdens of one lesion: nodes x clones."""
        return len(self._weights(s)) * len(self.instance.lesions[s].populations)

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


def _free(lesion: Lesion) -> bool:
    return lesion.course is not None and lesion.course.form == "free"


def can_state(instance: Instance) -> bool:
    """Whether the programme covers a case: its means over radiosensitivities, if any."""
    if instance.objective.of_dose_alone or not any(lesion.spread for lesion in instance.lesions):
        return True
    return not any(_free(lesion) for lesion in instance.lesions)


def refuse_unstated(instance: Instance) -> None:
    """Raise InputError for means over radiosensitivities that the programme does not cover."""
    if can_state(instance):
        return
    rule = (
        "the stated programme has no free courses beside it, and their own search (method "
        "auto) only in the cases that it covers (docs/tour.md)"
    )
    problems = [
        Problem(instance.name, f"lesions[{i}].alpha_cv", f"{lesion.alpha_cv:g}", rule)
        for i, lesion in enumerate(instance.lesions)
        if lesion.spread
    ]
    if problems:
        raise InputError(problems)


def data_of(
    candidates: Candidates, columns: Columns, refinement: Refinement, reduction: Kept | None = None
) -> Data:
    """What the constraint functions read, from the candidates of a case.

    Raises
    ------
    InputError
        If treatment has begun, or some lesion's control is a mean over radiosensitivities beside
        free courses, for which the programme has no constraint.
    """
    refuse_unstated(candidates.instance)
    return Data(candidates, columns, refinement, flows_of(candidates, columns), reduction)


ROUNDING = 1e-9


def pairs_of(data: Data) -> tuple[IntArray, IntArray]:
    """(pairs,) column and plan of every pair that is left, plan by plan."""
    plan, column = np.nonzero(data.columns.allowed)
    return column, plan


def effect_range(data: Data) -> tuple[FloatArray, FloatArray]:
    """(plans, horizons) least and greatest Z that the pairs of a plan can make together.

        low = sum_s min_c v_s(c) e^(-sum_{i != s} max_c a_i(c) - chemo),    v = gain e^-a

    with a the loss of a course; high with max and min in place of min and max.
    """
    columns, allowed = data.columns, data.columns.allowed
    own = columns.gain * np.exp(-columns.loss)[:, :, None]
    groups = list(data.of_lesion.values())
    whole = np.all([allowed[:, members].any(axis=1) for members in groups], axis=0)
    ends = []
    for loss_of, effect_of, worst in (
        (np.max, np.min, -np.inf), (np.min, np.max, np.inf),
    ):  # fmt: skip
        losses, effects = [], []
        for members in groups:
            open_pairs = allowed[whole][:, members]
            loss = np.where(open_pairs, columns.loss[whole][:, members], worst)
            effect = np.where(open_pairs[:, :, None], own[whole][:, members, :], -worst)
            losses.append(loss_of(loss, axis=1))
            effects.append(effect_of(effect, axis=1))
        total = sum(losses)
        side = np.zeros((len(whole), own.shape[2]))  # nothing can be chosen with the other plans
        side[whole] = sum(
            np.exp(-(total - loss) - data.chemo[whole])[:, None] * effect
            for loss, effect in zip(losses, effects, strict=True)
        )
        ends.append(side)
    low, high = ends
    return low, high + ROUNDING
