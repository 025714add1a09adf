"""Every limit of a case on one schedule: load, cap, use and whether it is kept.

Written apart from `optimizer/candidates/limits`, which says the same for searches: see `organs`.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.limits import (
    AlcLimit,
    DrugLimit,
    EdricLimit,
    LogisticsLimit,
    NewSitesLimit,
    NtcpLimit,
    OnePlanLimit,
    OrganLimit,
)
from abscopt.models.immunity import lymphocytes
from abscopt.models.organs import risk
from abscopt.models.tumor import dissemination
from abscopt.optimizer.evaluation.organs import exposure_state, organ_load, physical_gy

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit, AnyOrganLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.systemic import SystemicState
    from abscopt.optimizer.schedule import Schedule

TOLERANCE = 1e-9
BINDING_USE = 0.999


@dataclass(frozen=True)
class LimitUse:
    """One limit on one schedule.

    `use` is the part of the allowance that is used (1 = at the limit); None where the load is
    beyond what the limit's table covers. For a floor (`alc`) the allowance is the log loss from
    the count before treatment to the floor; for `ntcp` it is the dose with the probability
    `bound`; for the risk of immune-related events it is `-ln(1 - bound)`. `kept` says whether the
    load is at most the cap; `cost` is what a soft limit takes off the objective.
    """

    name: str
    kind: str
    value: float | None
    bound: float
    unit: str
    use: float | None
    kept: bool
    soft: bool = False
    cost: float = 0.0

    @property
    def broken(self) -> bool:
        """Whether the limit forbids the schedule; beyond a table even a soft one does."""
        return not self.kept and (not self.soft or self.use is None)

    @property
    def binding(self) -> bool:
        """Whether the limit is used up to a thousandth."""
        return self.use is not None and self.use >= BINDING_USE

    def to_json(self) -> dict[str, Any]:
        """Plain data with slack and the binding mark."""
        return {
            "name": self.name,
            "kind": self.kind,
            "value": self.value,
            "bound": self.bound,
            "unit": self.unit,
            "use": self.use,
            "slack": None if self.use is None else 1.0 - self.use,
            "kept": self.kept,
            "binding": self.binding,
            "soft": self.soft,
            "cost": self.cost,
        }


def limit_uses(
    instance: Instance, schedule: Schedule, state: SystemicState
) -> tuple[LimitUse, ...]:
    """All limits of the case, in its order."""
    return tuple(limit_use(instance, schedule, limit, state) for limit in instance.limits)


def limit_use(
    instance: Instance, schedule: Schedule, limit: AnyLimit, state: SystemicState
) -> LimitUse:
    """One limit of the case."""
    if isinstance(limit, OrganLimit):
        return _organ(instance, schedule, limit, state)
    if isinstance(limit, AlcLimit):
        return _alc(instance, schedule, limit, state.chemotherapy_log_loss)
    if isinstance(limit, EdricLimit):
        return capped_use(limit, edric_gy(instance, schedule), limit.cap_gy, "Gy")
    if isinstance(limit, DrugLimit):
        return _drug(instance, schedule, limit)
    if isinstance(limit, NewSitesLimit):
        return capped_use(limit, _new_sites(instance, schedule, limit), limit.cap, "new sites")
    if isinstance(limit, OnePlanLimit):
        return _one_plan(schedule, limit)
    if limit.quantity == "course_gap_days":
        return _course_gap(schedule, limit)
    return _logistics(instance, schedule, limit)


def _judged(
    limit: AnyLimit, value: float | None, bound: float, unit: str, use: float | None
) -> LimitUse:
    """A limit with its verdict and its cost."""
    excess = 0.0 if use is None else max(0.0, use - 1.0)
    return LimitUse(
        name=limit.name,
        kind=limit.kind,
        value=value,
        bound=bound,
        unit=unit,
        use=use,
        kept=use is not None and use <= 1 + TOLERANCE,
        soft=limit.penalty is not None,
        cost=0.0 if limit.penalty is None else limit.penalty * excess,
    )


def capped_use(limit: AnyLimit, value: float, cap: float, unit: str) -> LimitUse:
    """A limit from above at a value."""
    if math.isinf(value):
        return _judged(limit, None, cap, unit, None)
    use = value / cap if cap > 0 else (0.0 if value <= 0 else value + 1.0)
    return _judged(limit, value, cap, unit, use)


def _organ(
    instance: Instance, schedule: Schedule, limit: AnyOrganLimit, state: SystemicState
) -> LimitUse:
    load = organ_load(instance, schedule, limit, state)
    exposed = exposure_state(instance, schedule, limit) if isinstance(limit, NtcpLimit) else ()
    return organ_use(limit, load, exposed)


def organ_use(limit: AnyOrganLimit, load: float, exposed: tuple[bool, ...]) -> LimitUse:
    """A limit on an organ at a load, in a state of exposure."""
    if isinstance(limit, NtcpLimit):
        chance, use = limit.probability(load, exposed), load / limit.cap_gy(exposed)
        return _judged(limit, chance, limit.cap, "probability", use)
    return capped_use(limit, load, limit.reference_cap, limit.unit)


def alc_losses(instance: Instance, schedule: Schedule, chemotherapy_log_loss: float) -> Any:
    """Log loss of lymphocytes just after the fractions of each fraction day, {day: loss}."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    days = np.array([f.day for f in schedule.fractions], dtype=float)
    losses = np.array(
        [
            lesions[f.lesion].lymphocyte_loss(lesions[f.lesion].way(f.technique))
            for f in schedule.fractions
        ]
    )
    half = instance.lymphocytes.recovery_half_time_days
    return {
        day: chemotherapy_log_loss + float(lymphocytes.log_loss(day, days, losses, half))
        for day in sorted({f.day for f in schedule.fractions})
    }


def _alc(instance: Instance, schedule: Schedule, limit: AlcLimit, chemo: float) -> LimitUse:
    return alc_use(
        instance, limit, max(alc_losses(instance, schedule, chemo).values(), default=chemo)
    )


def alc_use(instance: Instance, limit: AlcLimit, loss: float) -> LimitUse:
    """A floor of lymphocytes at the greatest log loss."""
    before = instance.lymphocytes.initial_1e9_per_l
    use = loss / math.log(before / limit.floor_1e9_per_l)
    return _judged(limit, before * math.exp(-loss), limit.floor_1e9_per_l, "1e9/L", use)


def edric_gy(instance: Instance, schedule: Schedule) -> float:
    """Estimated dose to circulating immune cells of the whole schedule, in Gy."""
    lung = physical_gy(instance, schedule, "lungs", "mean")
    heart = physical_gy(instance, schedule, "heart", "mean")
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    total = sum(
        lesions[f.lesion].integral_dose(lesions[f.lesion].way(f.technique)) * f.dose_gy
        for f in schedule.fractions
    )
    return float(lymphocytes.edric(lung, heart, total, len(schedule.fractions)))


def _new_sites(instance: Instance, schedule: Schedule, limit: NewSitesLimit) -> float:
    """Expected number of new sites: every lesion with a volume seeds until its first fraction."""
    total = 0.0
    for lesion in instance.lesions:
        if lesion.volume_cm3 is None:
            continue
        days = [f.day for f in schedule.fractions if f.lesion == lesion.name]
        total += float(
            dissemination.expected_new_sites(
                lesion.volume_cm3,
                lesion.growth_doubling_time_days,
                min(days, default=instance.days),
                rate_per_day=limit.rate_per_day,
                reference_cm3=limit.reference_cm3,
                exponent=limit.exponent,
            )
        )
    return total


def _drug(instance: Instance, schedule: Schedule, limit: DrugLimit) -> LimitUse:
    counted = [i for i in schedule.infusions if limit.drug in (None, i.drug)]
    risks = [instance.drugs[i.drug].irae_risk_per_dose for i in counted]
    budget = float(risk.risk_budget(risks).sum())
    return drug_use(instance, limit, len(counted), sum(i.dose_mg for i in counted), budget)


def drug_use(
    instance: Instance, limit: DrugLimit, number: int, dose_mg: float, budget: float
) -> LimitUse:
    """A limit on drugs at a number of doses, their mg and their risk budget."""
    if limit.quantity == "irae_risk":
        used = budget / float(risk.risk_budget(limit.cap))
        value = float(risk.risk_of_budget(budget))
        return _judged(limit, value, limit.cap, "probability", used)
    if limit.quantity == "doses":
        return capped_use(limit, float(number), limit.cap, "doses")
    if limit.quantity == "dose_mg":
        return capped_use(limit, dose_mg, limit.cap, "mg")
    return capped_use(limit, dose_mg / instance.patient.bsa_m2, limit.cap, "mg/m2")


def _logistics(instance: Instance, schedule: Schedule, limit: LogisticsLimit) -> LimitUse:
    return logistics_use(limit, _quantity(instance, schedule, limit))


def logistics_use(limit: LogisticsLimit, value: int) -> LimitUse:
    """A limit of logistics at a number of lesions, days or visits."""
    bound = limit.floor
    if bound is not None and (limit.cap is None or value < bound):
        use = None if value < bound else 0.0
        return _judged(limit, float(value), float(bound), limit.quantity, use)
    assert limit.cap is not None
    return capped_use(limit, float(value), float(limit.cap), limit.quantity)


def _quantity(instance: Instance, schedule: Schedule, limit: LogisticsLimit) -> int:
    window = limit.days(instance.days)
    per_day: defaultdict[int, set[str]] = defaultdict(set)
    for fraction in schedule.fractions:
        if fraction.day in window:
            per_day[fraction.day].add(fraction.lesion)
    counts = [len(names) for names in per_day.values()]
    if limit.quantity == "lesions":
        return len({f.lesion for f in schedule.fractions})
    if limit.quantity == "visits":
        return len(counts)
    if limit.quantity == "lesions_per_day":
        return max(counts, default=0)
    if limit.quantity == "machine_days":
        return sum(counts)
    return max(per_day) - min(per_day) + 1 if per_day else 0


def _one_plan(schedule: Schedule, limit: OnePlanLimit) -> LimitUse:
    """Lesions of the plan whose fractions are not those of the first, dose by dose over its ratio.

    Doses are equal within 1e-5 Gy: they are stated with up to nine decimals.
    """
    courses = []
    for name, ratio in zip(limit.lesions, limit.ratios, strict=True):
        fractions = [f for f in schedule.fractions if f.lesion == name]
        courses.append(sorted((f.day, f.slot, f.dose_gy / ratio) for f in fractions))
    different = sum(not _same_course(course, courses[0]) for course in courses[1:])
    use = 0.0 if different == 0 else None
    return _judged(limit, float(different), 0.0, "lesions beside the plan", use)


def _same_course(course: list[tuple[int, int, float]], other: list[tuple[int, int, float]]) -> bool:
    return len(course) == len(other) and all(
        one[:2] == two[:2] and math.isclose(one[2], two[2], rel_tol=0, abs_tol=1e-5)
        for one, two in zip(course, other, strict=True)
    )


def _course_gap(schedule: Schedule, limit: LogisticsLimit) -> LimitUse:
    """Least number of days between the courses of two lesions; none with fewer than two."""
    days: defaultdict[str, list[int]] = defaultdict(list)
    for fraction in schedule.fractions:
        days[fraction.lesion].append(fraction.day)
    return gap_use(limit, [(min(course), max(course)) for course in days.values()])


def gap_use(limit: LogisticsLimit, spans: list[tuple[int, int]]) -> LimitUse:
    """A least gap at the first and last days of courses."""
    gaps = [
        max(begin - end_of_other, begin_of_other - end)
        for (begin, end), (begin_of_other, end_of_other) in itertools.combinations(spans, 2)
    ]
    assert limit.floor is not None
    use = None if gaps and min(gaps) < limit.floor else 0.0
    value = float(min(gaps)) if gaps else None
    return _judged(limit, value, float(limit.floor), limit.quantity, use)
