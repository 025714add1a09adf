"""The tables of a result as CSV: schedule, limits and lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.schedule import SCHEDULE_COLUMNS

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import LesionOutcome
    from abscopt.optimizer.results.result import Result

LESION_COLUMNS = (
    "name",
    "technique",
    "fractions",
    "dose_gy",
    "dose_per_fraction_gy",
    "bed_gy",
    "tumor_bed_gy",
    "conceded",
    "credited",
    "lymphocyte_factor",
)
HORIZON_COLUMNS = ("log_burden", "control_probability", "poisson_tcp", "value")
LIMIT_COLUMNS = (
    "name",
    "kind",
    "value",
    "bound",
    "unit",
    "use",
    "slack",
    "kept",
    "binding",
    "soft",
    "cost",
)


def csv_files(result: Result, instance: Instance) -> dict[str, str]:
    """File name -> CSV text of schedule, limits and lesions; only headers without a schedule."""
    schedule = [] if result.schedule is None else result.schedule.rows(instance)
    verdict = result.evaluation
    lesions = [_flat(outcome, instance) for outcome in verdict.lesions] if verdict else []
    limits = [use.to_json() for use in verdict.limits] if verdict else []
    by_horizon = [f"{key}_day_{day}" for key in HORIZON_COLUMNS for day in instance.horizon_days]
    return {
        "schedule.csv": csv_rows(SCHEDULE_COLUMNS, schedule),
        "limits.csv": csv_rows(LIMIT_COLUMNS, limits),
        "lesions.csv": csv_rows([*LESION_COLUMNS, *by_horizon], lesions),
    }


def _flat(outcome: LesionOutcome, instance: Instance) -> dict[str, Any]:
    row = {key: getattr(outcome, key) for key in LESION_COLUMNS}
    for key in HORIZON_COLUMNS:
        for day, value in zip(instance.horizon_days, getattr(outcome, key), strict=True):
            row[f"{key}_day_{day}"] = value
    return row
