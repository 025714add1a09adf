"""How much of the limits on organs a schedule needs: their least common part, in whole percent.

A schedule needs p percent if it keeps every hard limit on an organ at p percent of what is allowed
(caps, tables, the dose of a complication probability), and breaks one at p - 1. For limits whose
load is a part of the cap it is the greatest use, rounded up; tables are scaled as a whole.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.evaluation import Judge

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule


ROUNDING = 1e-6
"""Of a use in percent: a guess only."""


def scaled_limits(limit: AnyLimit) -> bool:
    """Whether a limit is one that is scaled."""
    fields = type(limit).model_fields
    scales = not {"limits_gy", "cap_gy", "exposures"}.isdisjoint(fields)
    return "organ" in fields and scales and limit.penalty is None


def with_percent(case: Instance, percent: int) -> Instance | None:
    """The case with so much of its hard limits on organs; None where no dose would be allowed."""
    limits = []
    for limit in case.limits:
        scaled = _scaled(limit, percent / 100) if scaled_limits(limit) else limit
        if scaled is None:
            return None
        limits.append(scaled)
    return case.unchecked({"limits": tuple(limits)})


def _scaled(limit: AnyLimit, factor: float) -> AnyLimit | None:
    """A limit at a part of its dose; None where an exposed patient could not have any."""
    fields = type(limit).model_fields
    stated: Any = limit
    if "limits_gy" in fields:
        table = tuple(dose * factor for dose in stated.limits_gy)
        return limit.unchecked({"limits_gy": table})
    if "cap_gy" in fields:
        return limit.unchecked({"cap_gy": stated.cap_gy * factor})
    states = list(itertools.product((False, True), repeat=len(stated.exposures)))
    cap = stated.probability(factor * stated.reference_cap, states[0])
    lower: Any = limit.unchecked({"cap": cap})
    return lower if cap > 0 and all(lower.cap_gy(state) > 0 for state in states) else None


def percent_needed(case: Instance, schedule: Schedule) -> int:
    """Least percent of the limits on organs that a schedule, which keeps them, needs.

    By bisection between a percent that is broken and one that is kept; where loads are parts of
    their caps, the greatest use says at once where.
    """
    broken, keeps = 0, 100
    for percent in _near_use(case, schedule):
        if broken < percent < keeps:
            if keeps_at(case, schedule, percent):
                keeps = percent
            else:
                broken = percent
    while keeps - broken > 1:
        middle = (broken + keeps) // 2
        if keeps_at(case, schedule, middle):
            keeps = middle
        else:
            broken = middle
    return keeps


def _near_use(case: Instance, schedule: Schedule) -> tuple[int, int]:
    """Greatest use of the scaled limits in percent, rounded up, and one percent less."""
    scaled = {limit.name for limit in case.limits if scaled_limits(limit)}
    limits = Judge(case).evaluate(schedule).limits
    uses = [limit.use for limit in limits if limit.name in scaled and limit.use is not None]
    percent = math.ceil(100 * max(uses, default=0.0) - ROUNDING)
    return percent, percent - 1


def keeps_at(case: Instance, schedule: Schedule, percent: int) -> bool:
    """Whether a schedule keeps limits and rules with so much of the limits on organs."""
    tighter = with_percent(case, percent)
    return tighter is not None and bool(Judge(tighter).evaluate(schedule).feasible)
