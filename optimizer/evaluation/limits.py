"""Every limit of a case on one schedule: load, cap, use and whether it is kept."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.limits import (
    AlcLimit,
    BedLimit,
    DoseByFractionsLimit,
    DrugLimit,
    EdricLimit,
    LogisticsLimit,
    MeanEqd2Limit,
    MeanLimit,
)
from abscopt.models import lq, lymphocytes, toxicity

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit, OrganLimit
    from abscopt.instances.schema import Instance, Lesion
    from abscopt.optimizer.schedule import Schedule

TOLERANCE = 1e-9
BINDING_USE = 0.999


@dataclass(frozen=True)
class LimitUse:
    """One limit on one schedule.

    `use` is the part of the allowance that is used (1 = at the limit); None where the load is
    beyond what the limit's table covers. For a floor (`alc`) the allowance is the log loss from
    the count before treatment to the floor.
    """

    name: str
    kind: str
    value: float | None
    bound: float
    unit: str
    use: float | None
    kept: bool

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
        }


def limit_uses(
    instance: Instance, schedule: Schedule, chemotherapy_log_loss: float
) -> tuple[LimitUse, ...]:
    """All limits of the case, in its order."""
    found: list[LimitUse] = []
    for limit in instance.limits:
        if isinstance(limit, BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit):
            found.append(_organ(instance, schedule, limit))
        elif isinstance(limit, AlcLimit):
            found.append(_alc(instance, schedule, limit, chemotherapy_log_loss))
        elif isinstance(limit, EdricLimit):
            found.append(_capped(limit, edric_gy(instance, schedule), limit.cap_gy, "Gy"))
        elif isinstance(limit, DrugLimit):
            found.append(_drug(instance, schedule, limit))
        else:
            found.append(_logistics(schedule, limit))
    return tuple(found)


def _capped(limit: AnyLimit, value: float, cap: float, unit: str) -> LimitUse:
    if math.isinf(value):
        return LimitUse(limit.name, limit.kind, None, cap, unit, None, False)
    use = value / cap if cap > 0 else (0.0 if value <= 0 else value + 1.0)
    return LimitUse(limit.name, limit.kind, value, cap, unit, use, use <= 1 + TOLERANCE)


def _daily(
    instance: Instance, schedule: Schedule, organ: str, point: str
) -> dict[int, list[tuple[Lesion, float, float]]]:
    """Per day: (lesion, prescribed Gy, Gy at the organ's point)."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    daily: defaultdict[int, list[tuple[Lesion, float, float]]] = defaultdict(list)
    for fraction in schedule.fractions:
        lesion = lesions[fraction.lesion]
        factor = lesion.sparing_factor(organ, point, fraction.day)
        daily[fraction.day].append((lesion, fraction.dose_gy, factor * fraction.dose_gy))
    return daily


def _organ(instance: Instance, schedule: Schedule, limit: OrganLimit) -> LimitUse:
    if isinstance(limit, MeanLimit):
        daily = _daily(instance, schedule, limit.organ, "mean")
        return _capped(limit, _total(daily), limit.cap_gy, "Gy")
    if isinstance(limit, MeanEqd2Limit):
        daily = _daily(instance, schedule, limit.organ, "mean")
        square = 0.0
        for day, parts in daily.items():
            for lesion, dose, _ in parts:
                for other, dose2, _ in parts:
                    moment = (
                        lesion.sparing_factor(limit.organ, "second_moment", day)
                        if lesion is other
                        else instance.cross_moment(limit, lesion, other, day)
                    )
                    square += moment * dose * dose2
        bed = _total(daily) + square / limit.alpha_beta_gy
        return _capped(limit, float(lq.eqd2(bed, limit.alpha_beta_gy)), limit.cap_gy, "Gy EQD2")
    daily = _daily(instance, schedule, limit.organ, limit.point)
    doses = [sum(part[2] for part in parts) for parts in daily.values()]
    if isinstance(limit, BedLimit):
        load = sum(float(lq.bed(dose, limit.alpha_beta_gy)) for dose in doses)
        return _capped(limit, load, limit.cap_gy, f"Gy BED{limit.alpha_beta_gy:g}")
    used = [float(toxicity.miner_fraction(d, limit.fractions, limit.limits_gy)) for d in doses]
    return _capped(limit, sum(used), 1.0, "Miner sum")


def _total(daily: dict[int, list[tuple[Lesion, float, float]]]) -> float:
    return sum(part[2] for parts in daily.values() for part in parts)


def alc_losses(instance: Instance, schedule: Schedule, chemotherapy_log_loss: float) -> Any:
    """Log loss of lymphocytes just after the fractions of each fraction day, {day: loss}."""
    kappa = {lesion.name: lesion.lymphocyte_loss_per_fraction for lesion in instance.lesions}
    days = np.array([f.day for f in schedule.fractions], dtype=float)
    losses = np.array([kappa[f.lesion] for f in schedule.fractions])
    half = instance.lymphocytes.recovery_half_time_days
    return {
        day: chemotherapy_log_loss + float(lymphocytes.log_loss(day, days, losses, half))
        for day in sorted({f.day for f in schedule.fractions})
    }


def _alc(instance: Instance, schedule: Schedule, limit: AlcLimit, chemo: float) -> LimitUse:
    loss = max(alc_losses(instance, schedule, chemo).values(), default=chemo)
    before = instance.lymphocytes.initial_1e9_per_l
    use = loss / math.log(before / limit.floor_1e9_per_l)
    nadir, floor = before * math.exp(-loss), limit.floor_1e9_per_l
    return LimitUse(limit.name, limit.kind, nadir, floor, "1e9/L", use, use <= 1 + TOLERANCE)


def edric_gy(instance: Instance, schedule: Schedule) -> float:
    """Estimated dose to circulating immune cells of the whole schedule, in Gy."""
    lung = _total(_daily(instance, schedule, "lungs", "mean"))
    heart = _total(_daily(instance, schedule, "heart", "mean"))
    integral = {lesion.name: lesion.integral_dose_cm3 or 0.0 for lesion in instance.lesions}
    total = sum(integral[f.lesion] * f.dose_gy for f in schedule.fractions)
    return float(lymphocytes.edric(lung, heart, total, len(schedule.fractions)))


def _drug(instance: Instance, schedule: Schedule, limit: DrugLimit) -> LimitUse:
    given = [i.dose_mg for i in schedule.infusions if i.drug == limit.drug]
    if limit.quantity == "doses":
        return _capped(limit, float(len(given)), limit.cap, "doses")
    if limit.quantity == "dose_mg":
        return _capped(limit, sum(given), limit.cap, "mg")
    return _capped(limit, sum(given) / instance.patient.bsa_m2, limit.cap, "mg/m2")


def _logistics(schedule: Schedule, limit: LogisticsLimit) -> LimitUse:
    days = sorted({f.day for f in schedule.fractions})
    per_day: defaultdict[int, set[str]] = defaultdict(set)
    for fraction in schedule.fractions:
        per_day[fraction.day].add(fraction.lesion)
    value = {
        "lesions": len({f.lesion for f in schedule.fractions}),
        "visits": len(days),
        "lesions_per_day": max((len(names) for names in per_day.values()), default=0),
        "overall_days": days[-1] - days[0] + 1 if days else 0,
    }[limit.quantity]
    if limit.floor is not None and value < limit.floor:
        return LimitUse(
            limit.name, limit.kind, float(value), float(limit.floor), limit.quantity, None, False
        )
    if limit.cap is None:
        assert limit.floor is not None
        return LimitUse(
            limit.name, limit.kind, float(value), float(limit.floor), limit.quantity, 0.0, True
        )
    return _capped(limit, float(value), float(limit.cap), limit.quantity)
