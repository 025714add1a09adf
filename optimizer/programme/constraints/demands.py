"""What lesions demand at least: BED of the course, control at the last horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.constraints.outcome import burden

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data


def least_bed(model: Any, data: Data) -> None:
    """sum_j BED[j] x[j] / demand >= 1 for every lesion that demands a BED (or its EQD2).

    BED without loss to repopulation, which adds over fractions. Where a drug sensitizes, one row
    per group of plans: >= 1 where one of them is chosen, else >= 0.
    """
    asked = {
        s: lesion.least_bed
        for s, lesion in enumerate(data.instance.lesions)
        if lesion.least_bed is not None
    }
    bed = data.columns.bed
    rows = []
    for s in asked:
        of_lesion = bed[:, data.of_lesion[s]]
        rows += [
            (s, group) for group in ([-1] if (of_lesion == of_lesion[0]).all() else data.groups)
        ]

    def rule(m: Any, s: int, group: int) -> Any:
        members = np.array(data.of_lesion[s], dtype=np.int64)
        value = bed[max(group, 0), members] / asked[s]
        used = value > 0
        if not used.any():  # sum_{plan, band} y = 1: no schedule at all
            return sum(m.y[b] for b in data.bands) <= 0
        needed = 1 if group < 0 else data.chosen_group(m, group)
        return terms(value[used].tolist(), (m.x[j] for j in members[used].tolist())) >= needed

    model.least_bed = pyo.Constraint(rows, rule=rule)


def least_control(model: Any, data: Data) -> None:
    """u[s, last horizon] <= ln(1/p - 1) for every lesion that demands control p, u its log burden.

    With clones u is the total over all of them.
    """
    allowed = {
        s: lesion.most_log_burden
        for s, lesion in enumerate(data.instance.lesions)
        if lesion.most_log_burden is not None
    }
    last = data.horizons[-1]
    model.least_control = pyo.Constraint(
        sorted(allowed), rule=lambda m, s: burden(m, data, s, last) <= allowed[s]
    )
