"""What the model must reproduce at every horizon, whatever the list of findings says.

Concurrent blockade during six weeks of 2 Gy gains no more than consolidation started within two
weeks; out of field 24 Gy/3 and 50 Gy/4 do alike and far better than 45 Gy/15, which does no better
than blockade alone; radiation alone is far below blockade alone; the schedule that is best for
immunity alone has 8 to 13 Gy per fraction; long courses lose lymphocytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.evidence import Finding
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evidence.settings import Trial, trial_of
from abscopt.optimizer.schedule import Fraction, Schedule

if TYPE_CHECKING:
    from abscopt.instances.tables.immune import Immune


FAR = 0.5
"""Far below: less than half. Status: assumed."""
ALIKE = 0.25
BEST_GY = (8.0, 13.0)
NUMBERS = range(1, 11)
DOSES_GY = np.arange(2.0, 20.6, 0.5)


@dataclass(frozen=True)
class Requirement:
    """One statement, whether it holds at every horizon, and the numbers behind it."""

    statement: str
    holds: bool
    numbers: Mapping[str, tuple[float, ...]]


def weekdays(number: int) -> list[int]:
    """First days of a course on weekdays from day 0, a Monday."""
    return [day for day in range(2 * number) if day % 7 < 5][:number]


def _arm(
    number: int = 0, dose_gy: float = 0.0, drug_days: range = range(0), field: str = "small"
) -> dict[str, Any]:
    arm: dict[str, Any] = {}
    if number:
        arm["radiation"] = [
            {"days": weekdays(number), "dose_gy": dose_gy, "site": "irradiated", "field": field}
        ]
    if drug_days:
        arm["drugs"] = [{"agent": "pembrolizumab", "dose_mg": 200.0, "days": list(drug_days)}]
    return arm


def _trial(name: str, arms: dict[str, dict[str, Any]]) -> Trial:
    """Arms as a finding of their own; its order is not used."""
    finding = Finding.model_validate_json(
        json.dumps(
            {
                "id": name,
                "title": name,
                "topic": "timing",
                "item": "C1",
                "source": "requirement of the project",
                "study": "requirement",
                "status": "derived",
                "scale": "human",
                "setting": {
                    "tumor": "NSCLC",
                    "lesions": ["irradiated", "distant"],
                    "assessed": ["distant"],
                    "endpoint": "out_of_field",
                },
                "days": "assumed",
                "doses": "assumed",
                "arms": arms,
                "outside": None,
                "expected": [f"{next(iter(arms))} >= {next(iter(arms))}"],
            }
        )
    )
    return trial_of(finding)


@lru_cache(maxsize=1)
def _stage3() -> Trial:
    return _trial(
        "stage-iii",
        {
            "none": _arm(30, 2.0, field="large"),
            "concurrent": _arm(30, 2.0, range(0, 365, 21), "large"),
            "consolidation-day-42": _arm(30, 2.0, range(42, 365, 21), "large"),
            "consolidation-day-53": _arm(30, 2.0, range(53, 365, 21), "large"),
        },
    )


@lru_cache(maxsize=1)
def _out_of_field() -> Trial:
    concurrent, after = range(0, 365, 21), range(9, 365, 21)
    return _trial(
        "out-of-field",
        {
            "blockade": _arm(drug_days=concurrent),
            "8x3": _arm(3, 8.0, after),
            "12.5x4": _arm(4, 12.5, concurrent),
            "3x15": _arm(15, 3.0, concurrent, "large"),
            "8x3-alone": _arm(3, 8.0),
            "12.5x4-alone": _arm(4, 12.5),
        },
    )


def effects(trial: Trial) -> dict[str, FloatArray]:
    """Systemic effect of every arm in nats, one number per horizon."""
    return {
        name: np.array(Judge(case).evaluate(schedule).immune["systemic_effect_nats"])
        for name, (case, schedule) in trial.arms.items()
    }


def requirements(immune: Immune) -> list[Requirement]:
    """Every statement under some constants."""
    return list(in_turn(immune))


def in_turn(immune: Immune) -> Iterator[Requirement]:
    """The statements one by one, the costly one last."""

    def made(text: str, holds: Any, numbers: Mapping[str, Any]) -> Requirement:
        return Requirement(text, bool(holds), {k: tuple(map(float, v)) for k, v in numbers.items()})

    six_weeks = effects(_stage3().under(immune))
    early = np.minimum(six_weeks["consolidation-day-42"], six_weeks["consolidation-day-53"])
    yield made(
        "concurrent blockade during six weeks of 2 Gy gains no more than consolidation",
        np.all(six_weeks["concurrent"] <= early),
        six_weeks,
    )
    outside = effects(_out_of_field().under(immune))
    alone, best = outside["blockade"], np.maximum(outside["8x3"], outside["12.5x4"])
    apart = np.abs(outside["8x3"] - outside["12.5x4"])
    yield made(
        "out of field 24/3 and 50/4 alike, far above 45/15, which gains nothing",
        np.all(apart <= ALIKE * best)
        and np.all(outside["3x15"] < FAR * best)
        and np.all(np.abs(outside["3x15"] - alone) <= ALIKE * best),
        {key: outside[key] for key in ("blockade", "8x3", "12.5x4", "3x15")},
    )
    radiation = np.maximum(outside["8x3-alone"], outside["12.5x4-alone"])
    yield made(
        "radiation alone far below blockade alone",
        np.all(radiation < FAR * alone),
        {key: outside[key] for key in ("blockade", "8x3-alone", "12.5x4-alone")},
    )
    nadirs = _nadirs(immune)
    yield made("long courses lose lymphocytes", nadirs[0] < nadirs[1], {"nadir": nadirs})
    optimum = immunity_optimum(immune)
    yield made(
        "best for immunity alone: 8 to 13 Gy per fraction",
        np.all((optimum[1] >= BEST_GY[0]) & (optimum[1] <= BEST_GY[1])),
        {"fractions": optimum[0], "dose_gy": optimum[1]},
    )


def immunity_optimum(immune: Immune) -> tuple[FloatArray, FloatArray]:
    """Fractions and dose per fraction with the greatest systemic effect, per horizon."""
    case, schedule = _out_of_field().under(immune).arms["8x3"]
    judge = Judge(case)
    grid = [(number, float(dose)) for number in NUMBERS for dose in DOSES_GY]
    values = []
    for number, dose in grid:
        fractions = [Fraction(day, "irradiated", dose) for day in weekdays(number)]
        verdict = judge.evaluate(Schedule.of(fractions, schedule.infusions))
        values.append(verdict.immune["systemic_effect_nats"])
    best = np.argmax(np.array(values), axis=0)
    return np.array([grid[i][0] for i in best]), np.array([grid[i][1] for i in best])


def _nadirs(immune: Immune) -> tuple[float, float]:
    """Lymphocyte nadirs of 60 Gy in 30 and of 24 Gy in 3 fractions, 10⁹/L."""
    long, short = _stage3().under(immune).arms["none"], _out_of_field().under(immune).arms["8x3"]
    long_course, short_course = (
        Judge(case).evaluate(schedule).lymphocytes for case, schedule in (long, short)
    )
    return float(long_course["nadir_1e9_per_l"]), float(short_course["nadir_1e9_per_l"])
