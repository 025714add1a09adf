"""What robustness study, as tables: rows of plain data, pandas frames, CSV."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.ensemble.study.robustness import QUANTILES, Robustness, quantiles

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]


def member_rows(study: Robustness) -> Rows:
    """One row per member: values of schedule, standard and own optimum, gain, regret, limits."""
    pool, gains = study.pool, study.gains
    best, regrets = pool.best, study.regrets
    rows = []
    for i, member in enumerate(study.ensemble.members):
        bound = _finite(study.optima.bounds[i])
        value = float(pool.values[study.schedule, i])
        standard = study.standard
        rows.append(
            {
                "member": member.name,
                "weight": member.weight,
                "status": study.optima.statuses[i],
                "value": value,
                "keeps_limits": bool(pool.feasible[study.schedule, i]),
                "standard_value": None if standard is None else float(pool.values[standard, i]),
                "standard_keeps_limits": (
                    None if standard is None else bool(pool.feasible[standard, i])
                ),
                "gain": None if gains is None else float(gains[i]),
                "best_known": _finite(best[i]),
                "bound": bound,
                "regret": _finite(regrets[i]),
                "regret_at_most": (
                    None
                    if bound is None or not np.isfinite(regrets[i])
                    else max(bound, float(best[i])) - value
                ),
            }
        )
    return rows


def control_rows(study: Robustness) -> Rows:
    """One row per lesion and schedule: mean and quantiles of control on the last horizon."""
    weights = study.ensemble.weights
    rows = []
    for label, row in (("schedule", study.schedule), ("standard", study.standard)):
        if row is None:
            continue
        schedule = study.pool.schedules[row]
        verdicts = [study.pool.evaluation(schedule, i) for i in range(len(weights))]
        for k, lesion in enumerate(study.ensemble.case.lesions):
            control = np.array([x.lesions[k].control_probability[-1] for x in verdicts])
            spread = zip(QUANTILES, quantiles(control, weights), strict=True)
            rows.append(
                {"lesion": lesion.name, "of": label, "mean": float(weights @ control)}
                | {f"quantile_{100 * level:.0f}": value for level, value in spread}
            )
    return rows


def decision_rows(study: Robustness) -> Rows:
    """Identification table: one row per decision."""
    rows = []
    for row in study.table:
        words, first, second = row.decision.words, row.values[0], row.alternative
        rows.append(
            {
                "decision": row.decision.name,
                "chosen": words(first.value),
                "share": first.share,
                "schedule": words(row.of_schedule),
                "standard": None if study.standard is None else words(row.of_standard),
                "cost_of_chosen": _finite(first.regret),
                "alternative": None if second is None else words(second.value),
                "cost_of_alternative": None if second is None else _finite(second.regret),
                "exact": all(value.settled for value in row.values),
                "verdict": row.verdict,
            }
        )
    return rows


def value_rows(study: Robustness) -> Rows:
    """One row per decision and value: share of members, largest regret of fixing it.

    `regret` is absent where a member has no such schedule, or none is known.
    """
    return [
        {
            "decision": row.decision.name,
            "value": row.decision.words(value.value),
            "share": value.share,
            "regret": _finite(value.regret),
            "regret_at_least": _finite(value.at_least),
            "possible": math.isfinite(value.regret) or not value.settled,
            "exact": value.settled,
        }
        for row in study.table
        for value in row.values
    ]


def driver_rows(study: Robustness) -> Rows:
    """One row per quantity and parameter: Sobol' indices with 95 % intervals."""
    return [dict(vars(driver)) for driver in study.drivers]


TABLES = {
    "members": member_rows,
    "control": control_rows,
    "decisions": decision_rows,
    "values": value_rows,
    "drivers": driver_rows,
}
"""Name -> rows; each becomes a frame, a CSV file and a list of the document."""


def frames(study: Robustness) -> dict[str, pd.DataFrame]:
    """Every table as a pandas frame."""
    import pandas as pd

    return {name: pd.DataFrame(rows(study)) for name, rows in TABLES.items()}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
