"""Notes on courses that end just before a horizon.

A horizon counts the kill of the days before it, all of it, and nothing of the fractions after it.
So a course is worth most if it ends before the horizon, however late, and that it ends there may be
the horizon's doing. It cannot be where a horizon comes after its kill has been expressed: after the
days in which `EXPRESSED` of the dying cells are cleared,

    days = -ln(1 - EXPRESSED) / clearance_per_day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.checks.notes import Note, note

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

EXPRESSED = 0.95
"""Share of the cells that a fraction kills that must be cleared before a horizon. Status: assumed;
17 days at the library's clearance of 0.1725 per day (Serre 2016)."""


def days_until_expressed(instance: Instance) -> float:
    """Days after a fraction until `EXPRESSED` of what it kills is cleared."""
    return -math.log(1.0 - EXPRESSED) / instance.immune.clearance_per_day


def horizon_notes(instance: Instance, schedule: Schedule) -> Iterator[Note]:
    """Courses whose last fraction comes so shortly before a horizon; none of dose alone."""
    if instance.objective.kind == "tumor_bed":
        return
    wanted = days_until_expressed(instance)
    for i in instance.irradiable:
        name = instance.lesions[i].name
        days = [fraction.day for fraction in schedule.fractions if fraction.lesion == name]
        last = max(days, default=-1)
        horizon = next((day for day in instance.horizon_days if last < day), None)
        if days and horizon is not None and horizon - last < wanted:
            yield note(
                "ends_before_horizon",
                f"lesions[{i}].course",
                lesion=name,
                last=last,
                before=horizon - last,
                horizon=horizon,
                wanted=math.ceil(wanted),
            )
