"""Seeded calendars of infusions and course starts for random cases."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import numpy as np

from abscopt.instances.load import InputError, build

Raw = dict[str, Any]

DAY_0 = datetime.date(2026, 1, 5)
EVERY_DAY = [0, 1, 2, 3, 4, 5, 6]
WEEKDAYS = (EVERY_DAY, EVERY_DAY, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3], [1, 3])


def with_calendar(raw: Raw, seed: int) -> Raw:
    """A case with infusion days of its own, drawn apart from everything else of it.

    Windows of agents move to an infusion day. Where an agent could not be given at all if it had
    to be, infusions are on any day: such a case would be wrong input.
    """
    rng = np.random.default_rng([14, seed])
    weekdays = WEEKDAYS[int(rng.integers(len(WEEKDAYS)))]
    closed = [int(day) for day in rng.integers(0, 50, size=int(rng.integers(0, 3)))]
    # Weeks after a first dose, where doses of most cycles are planned.
    closed += [int(7 * week) for week in rng.integers(1, 5, size=int(rng.integers(0, 3)))]
    window = raw.get("agents", [{"first_start_day": 0}])[0]["first_start_day"]
    closed[-1:] = [day + window for day in closed[-1:]]
    calendar: Raw = {
        "infusion_weekdays": weekdays,
        "infusion_holidays": [(DAY_0 + datetime.timedelta(days=d)).isoformat() for d in closed],
        "infusion_tolerance_days": int((0, 1, 3, 6)[int(rng.integers(4))]),
    }
    if rng.random() < 0.15:
        calendar["course_start_weekdays"] = [0, 1, 2, 3]
    known = raw.get("calendar", {})
    moved = copy.deepcopy(raw | {"calendar": {**known, **calendar}})
    for agent in moved.get("agents", []):
        start = agent["first_start_day"]
        while start % 7 not in weekdays or start in closed:
            start += 1
        agent["last_start_day"] += start - agent["first_start_day"]
        agent["first_start_day"] = start
    try:
        given = [{**agent, "optional": False} for agent in moved.get("agents", [])]
        build({**moved, "agents": given, "limits": [], "prior_doses": []})
    except InputError:
        return any_day(raw)
    return moved


def any_day(raw: Raw) -> Raw:
    """A case whose drugs may be infused on any day."""
    calendar = {"infusion_weekdays": EVERY_DAY, "infusion_holidays": []}
    return raw | {"calendar": {**raw.get("calendar", {}), **calendar}}
