"""What limits have counted until some morning, and what the fractions of further days add.

Loads of organs that add over days are carried as they are; beside them stands what another day can
still change: days and doses of a table that is looked up, exposures that are near, floors.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import (
    AlcLimit,
    DoseByFractionsLimit,
    DrugLimit,
    EdricLimit,
    LogisticsLimit,
    NewSitesLimit,
    NtcpLimit,
    OrganLimit,
)
from abscopt.models.immunity import lymphocytes
from abscopt.models.organs import risk, toxicity
from abscopt.models.tumor import dissemination
from abscopt.optimizer.evaluation.limits import (
    LimitUse,
    alc_use,
    capped_use,
    drug_use,
    gap_use,
    logistics_use,
    organ_use,
)
from abscopt.optimizer.evaluation.organs import EQUAL_GY, daily_parts, organ_load, physical_gy
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyOrganLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.carried.lesions import LesionCarried
    from abscopt.optimizer.evaluation.systemic import SystemicState

NONE_GIVEN = Schedule()


@dataclass(frozen=True)
class OrganCarried:
    """Load of one organ limit so far, doses before the case left out.

    Attributes
    ----------
    load : in the unit of its cap
    days, total_gy, least_gy, most_gy : treatment days, and the doses of the days at its point
    exposed : of each exposure whether a drug was near a fraction already
    fractions, infusions : days that may still be near one to come, the latter by kind of drug
    """

    load: float = 0.0
    days: int = 0
    total_gy: float = 0.0
    least_gy: float = math.inf
    most_gy: float = 0.0
    exposed: tuple[bool, ...] = ()
    fractions: tuple[int, ...] = ()
    infusions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Blood:
    """Lymphocytes, and dose to immune cells.

    Attributes
    ----------
    left, worst : log loss by fractions: what is left on the morning, the greatest just after some
    lungs_gy, heart_gy, integral, fractions : what EDRIC is made of
    """

    left: float = 0.0
    worst: float | None = None
    lungs_gy: float = 0.0
    heart_gy: float = 0.0
    integral: float = 0.0
    fractions: int = 0


@dataclass(frozen=True)
class Visits:
    """Treatment days in the window of a limit."""

    lesions: frozenset[str] = frozenset()
    days: int = 0
    busiest: int = 0
    machine_days: int = 0
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class LoadsCarried:
    """Loads of all limits, by the place of the limit in the case."""

    organs: dict[int, OrganCarried] = field(default_factory=dict)
    visits: dict[int, Visits] = field(default_factory=dict)
    blood: Blood = Blood()
    doses: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    """Per drug: number, mg, and risk budget of the doses."""


def after_loads(
    instance: Instance,
    before: LoadsCarried,
    schedule: Schedule,
    state: SystemicState,
    days: tuple[int, int],
) -> LoadsCarried:
    """Loads on the morning after some days.

    Parameters
    ----------
    schedule : of these days
    """
    organs, visits = {}, {}
    for i, limit in enumerate(instance.limits):
        if isinstance(limit, OrganLimit):
            so_far = before.organs.get(i, OrganCarried())
            organs[i] = _organ(instance, so_far, schedule, limit, state)
        elif isinstance(limit, LogisticsLimit):
            visits[i] = _visits(instance, before.visits.get(i, Visits()), schedule, limit)
    doses = dict(before.doses)
    for infusion in schedule.infusions:
        number, mg, budget = doses.get(infusion.drug, (0, 0.0, 0.0))
        chance = instance.drugs[infusion.drug].irae_risk_per_dose
        more = float(risk.risk_budget(chance))
        doses[infusion.drug] = (number + 1, mg + infusion.dose_mg, budget + more)
    return LoadsCarried(organs, visits, _blood(instance, before.blood, schedule, days), doses)


def _organ(
    instance: Instance,
    before: OrganCarried,
    schedule: Schedule,
    limit: AnyOrganLimit,
    state: SystemicState,
) -> OrganCarried:
    parts = daily_parts(instance, schedule, limit.organ, limit.evaluation_point)
    by_day = {day: sum(p.organ_gy for p in of_day) for day, of_day in parts.items()}
    doses = [dose for dose in by_day.values() if dose > 0]
    counted = replace(
        before,
        load=before.load + _added(instance, schedule, limit, state, list(by_day.items())),
        days=before.days + len(doses),
        total_gy=before.total_gy + sum(doses),
        least_gy=min([before.least_gy, *doses]),
        most_gy=max([before.most_gy, *doses]),
    )
    if not isinstance(limit, NtcpLimit) or not limit.exposures:
        return counted
    fractions = (*before.fractions, *(day for day, dose in by_day.items() if dose > 0))
    infusions = (
        *before.infusions,
        *((instance.drugs[i.drug].kind, i.day) for i in schedule.infusions),
    )
    earlier = before.exposed or (False,) * len(limit.exposures)
    exposed = tuple(
        already
        or any(
            t - exposure.days_before <= day <= t + exposure.days_after
            for kind, day in infusions
            for t in fractions
            if kind == exposure.drugs
        )
        for already, exposure in zip(earlier, limit.exposures, strict=True)
    )
    return replace(counted, exposed=exposed, fractions=fractions, infusions=infusions)


def _added(
    instance: Instance,
    schedule: Schedule,
    limit: AnyOrganLimit,
    state: SystemicState,
    by_day: list[tuple[int, float]],
) -> float:
    """What some days add to a load that adds over days."""
    if isinstance(limit, DoseByFractionsLimit):
        ratio = instance.organs[limit.organ].sensitizer_enhancement_ratio
        felt = [gy * (ratio if float(state.sensitizer[day]) > 1.0 else 1.0) for day, gy in by_day]
        return float(np.sum(toxicity.miner_fraction(np.array(felt), *limit.safe)))
    nothing = organ_load(instance, NONE_GIVEN, limit, state)
    return organ_load(instance, schedule, limit, state) - nothing


def _visits(
    instance: Instance, before: Visits, schedule: Schedule, limit: LogisticsLimit
) -> Visits:
    window = limit.days(instance.days)
    by_day: defaultdict[int, set[str]] = defaultdict(set)
    for fraction in schedule.fractions:
        if fraction.day in window:
            by_day[fraction.day].add(fraction.lesion)
    if not by_day:
        return replace(before, lesions=before.lesions | {f.lesion for f in schedule.fractions})
    counts = [len(names) for names in by_day.values()]
    return Visits(
        lesions=before.lesions | {f.lesion for f in schedule.fractions},
        days=before.days + len(counts),
        busiest=max(before.busiest, *counts),
        machine_days=before.machine_days + sum(counts),
        first=min(by_day) if before.first is None else before.first,
        last=max(by_day),
    )


def _blood(instance: Instance, before: Blood, schedule: Schedule, days: tuple[int, int]) -> Blood:
    """Lymphocytes from the evening of one treatment day to the next; sums of EDRIC."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    half_time = instance.lymphocytes.recovery_half_time_days
    by_day: defaultdict[int, float] = defaultdict(float)
    integral = before.integral
    for fraction in schedule.fractions:
        lesion = lesions[fraction.lesion]
        way = lesion.way(fraction.technique)
        by_day[fraction.day] += lesion.lymphocyte_loss(way)
        integral += lesion.integral_dose(way) * fraction.dose_gy
    loss, worst, now = before.left, before.worst, days[0]
    for day in sorted(by_day):
        loss = loss * float(lymphocytes.recovery(day - now, half_time)) + by_day[day]
        worst, now = loss if worst is None else max(worst, loss), day
    return Blood(
        left=loss * float(lymphocytes.recovery(days[1] - now, half_time)),
        worst=worst,
        lungs_gy=before.lungs_gy + physical_gy(instance, schedule, "lungs", "mean"),
        heart_gy=before.heart_gy + physical_gy(instance, schedule, "heart", "mean"),
        integral=integral,
        fractions=before.fractions + len(schedule.fractions),
    )


def uses(
    instance: Instance,
    loads: LoadsCarried,
    lesions: tuple[LesionCarried, ...],
    state: SystemicState,
    chemotherapy_log_loss: float,
) -> tuple[LimitUse, ...]:
    """All limits of the case at the end."""
    result = []
    for i, limit in enumerate(instance.limits):
        if isinstance(limit, OrganLimit):
            carried = loads.organs[i]
            load = _whole_load(instance, carried, limit, state)
            result.append(organ_use(limit, load, carried.exposed))
        elif isinstance(limit, AlcLimit):
            worst = 0.0 if loads.blood.worst is None else loads.blood.worst
            result.append(alc_use(instance, limit, worst + chemotherapy_log_loss))
        elif isinstance(limit, EdricLimit):
            b = loads.blood
            dose = lymphocytes.edric(b.lungs_gy, b.heart_gy, b.integral, b.fractions)
            result.append(capped_use(limit, float(dose), limit.cap_gy, "Gy"))
        elif isinstance(limit, DrugLimit):
            counted = [dose for name, dose in loads.doses.items() if limit.drug in (None, name)]
            number, mg, budget = (sum(dose[k] for dose in counted) for k in range(3))
            result.append(drug_use(instance, limit, int(number), mg, budget))
        elif isinstance(limit, NewSitesLimit):
            sites = _new_sites(instance, limit, lesions)
            result.append(capped_use(limit, sites, limit.cap, "new sites"))
        elif isinstance(limit, LogisticsLimit):
            result.append(_logistics(limit, loads.visits[i], lesions))
    return tuple(result)


def _whole_load(
    instance: Instance, carried: OrganCarried, limit: AnyOrganLimit, state: SystemicState
) -> float:
    """With the doses before the case, and a table looked up where all days had one dose."""
    if (
        isinstance(limit, DoseByFractionsLimit)
        and limit.looked_up(instance)
        and 0.0 <= carried.most_gy - carried.least_gy <= EQUAL_GY
    ):
        allowed = float(toxicity.limit_of(carried.days, limit.fractions, limit.limits_gy))
        return carried.total_gy / allowed if allowed > 0 else math.inf
    return carried.load + organ_load(instance, NONE_GIVEN, limit, state)


def _logistics(
    limit: LogisticsLimit, visits: Visits, lesions: tuple[LesionCarried, ...]
) -> LimitUse:
    if limit.quantity == "course_gap_days":
        return gap_use(limit, [span for lesion in lesions if (span := lesion.span) is not None])
    overall = 0
    if visits.first is not None and visits.last is not None:
        overall = visits.last - visits.first + 1
    value = {
        "lesions": len(visits.lesions),
        "visits": visits.days,
        "lesions_per_day": visits.busiest,
        "machine_days": visits.machine_days,
    }.get(limit.quantity, overall)
    return logistics_use(limit, value)


def _new_sites(
    instance: Instance, limit: NewSitesLimit, lesions: tuple[LesionCarried, ...]
) -> float:
    return math.fsum(
        float(
            dissemination.expected_new_sites(
                lesion.volume_cm3,
                lesion.growth_doubling_time_days,
                instance.days if carried.first_day is None else carried.first_day,
                rate_per_day=limit.rate_per_day,
                reference_cm3=limit.reference_cm3,
                exponent=limit.exponent,
            )
        )
        for lesion, carried in zip(instance.lesions, lesions, strict=True)
        if lesion.volume_cm3 is not None
    )
