"""Each biological constant counts: one that is off by a percent in the tables is noticed.

The tables of a case with one constant changed are held against the judge of the true case, over
random schedules. Together with the agreement of both on true cases (`test_coefficients`) this
says that the agreement would fail if the tables missed or misread the constant.
"""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest
from random_instances import Raw
from rich_cases import PHASES, richer_raw
from table_rows import schedule_of

from abscopt.instances.load import build
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge

SCHEDULES = 25
TOLERANCE = 1e-9
Path = tuple[str | int, ...]

CLONE: Path = ("lesions", 0, "clones", 1)
WAY: Path = ("lesions", 0, "techniques", 0)
CISPLATIN: Path = ("drugs", "cisplatin")
IMMUNE = (
    "release_factor",
    "share_factor",
    "suppression_above_gy",
    "suppression_per_gy",
    "suppression_per_day",
    "pdl1_upregulation",
    "preblockade_sign",
    "blockade_effect",
    "release_regrowth",
    "repeat_release",
    "burden_limit_cm3",
    "burden_blockade",
    "gate_low_gy",
    "gate_high_gy",
    "clearance_per_day",
    "mobilization_per_day",
    "blockade_mobilization_per_day",
    "precursor_loss_per_day",
    "effector_loss_per_day",
    "effect_per_effector",
    "effect_maximum_nats",
    "gate_plateau",
    "own_loss",
    "liver_release_factor",
    "liver_siphon_nats",
    "ctla4_mobilization_per_day",
    "ctla4_depletion",
    "count_exponent",
    "count_reference_1e9_per_l",
)
LESION = (
    "oxygen_modification_factor",
    "reoxygenation_days",
    "repair_half_time_hours",
    "growth_doubling_time_days",
    "immunogenicity",
    "effector_share",
    "precursor_share",
    "effector_kill_per_fraction",
    "lymphocyte_loss_per_fraction",
)
CONSTANTS: dict[str, Path] = {
    **{key: ("immune", key) for key in IMMUNE},
    **{key: ("lesions", 0, key) for key in LESION},
    "clone: alpha": (*CLONE, "alpha_per_gy"),
    "clone: effector share": (*CLONE, "effector_share_factor"),
    "clone: drug kill": (*CLONE, "drug_kill_factor"),
    "technique: node factor": (*WAY, "node_factor"),
    "technique: irradiated share": (*WAY, "irradiated_share", "few"),
    **{f"phase: {PHASES[drug][0]}": ("drugs", drug, "strength") for drug in PHASES},
    "sensitizer": (*CISPLATIN, "sensitizer_enhancement_ratio"),
    "equivalent BED": (*CISPLATIN, "equivalent_bed_gy_per_dose"),
    "cytotoxic kill": (*CISPLATIN, "cytotoxic_log_kill_per_dose"),
    "precursor loss": (*CISPLATIN, "precursor_log_loss_per_dose"),
    "lymphocyte cost": (*CISPLATIN, "lymphocyte_log_loss_per_dose"),
}
BURDEN = {"burden_limit_cm3", "burden_blockade"}


def complete_raw(constant: str) -> Raw:
    """The richer case with every constant at work, and none at a neutral value."""
    raw = richer_raw()
    scenario = build(raw).immune.model_dump()
    raw["immune"] |= {key: scenario[key] for key in IMMUNE if key not in raw["immune"]}
    raw["immune"] |= {"release_regrowth": 0.8, "repeat_release": 0.5}
    raw["immune"] |= {
        "gate_high_gy": 9.0,
        "gate_plateau": 0.4,
        "own_loss": 0.7,
        "liver_release_factor": 0.8,
        "liver_siphon_nats": 0.5,
        "ctla4_mobilization_per_day": 0.05,
        "ctla4_depletion": 1.5,
        "count_exponent": 0.8,
        "count_reference_1e9_per_l": 1.2,
    }
    raw["lesions"][1]["organ"] = "liver"
    for doses in (regimen["doses"] for regimen in raw["regimens"].values()):
        doses.append({"drug": "ipilimumab", "day": 0, "amount": 70.0, "unit": "mg"})
        break
    raw["lesions"][0]["immunogenicity"] = 1.5
    raw["drugs"]["cisplatin"] |= {
        "sensitizer_enhancement_ratio": 1.1,
        "lymphocyte_log_loss_per_dose": 0.2,
    }
    if constant == "equivalent BED":
        raw["drugs"]["cisplatin"] |= {
            "sensitizer_enhancement_ratio": 1.0,
            "equivalent_bed_gy_per_dose": 4.0,
        }
    if constant in BURDEN:
        raw["immune"]["burden_limit_cm3"] = 1.001 * least_burden_limit(raw)
    return raw


def least_burden_limit(raw: Raw) -> float:
    """Smallest burden limit in cm3 at which a course earns its lesion the systemic effect."""
    other = copy.deepcopy(raw)
    low, high = 1e-6, 10.0
    while high > 1.0001 * low:
        other["immune"]["burden_limit_cm3"] = middle = (low * high) ** 0.5
        instance = build(other)
        candidates = Candidates(instance)
        row = np.array([len(table.menu) - 1 for table in candidates.lesions])
        (first, *_) = Judge(instance).evaluate(schedule_of(candidates, 0, row)).lesions
        low, high = (low, middle) if first.credited else (middle, high)
    return high


@cache
def judged(constant: str) -> tuple[tuple[np.ndarray, float], ...]:
    """Random rows of the complete case with the judge's objective."""
    instance = build(complete_raw(constant))
    judge, candidates = Judge(instance), Candidates(instance)
    rng = np.random.default_rng(2)
    rows = [
        np.array([rng.integers(len(table.menu)) for table in candidates.lesions])
        for _ in range(SCHEDULES)
    ]
    return tuple((row, judge.evaluate(schedule_of(candidates, 0, row)).objective) for row in rows)


def noticed(constant: str, factor: float) -> int:
    """Schedules whose value the tables of the changed case give differently from the judge."""
    raw = complete_raw(constant)
    *path, key = CONSTANTS[constant]
    place = raw
    for step in path:
        place = place[step]  # type: ignore[index]
    place[key] *= factor  # type: ignore[index]
    tabulated = Tabulated(Candidates(build(raw)), 0)
    return sum(
        abs(float(tabulated.value(row[None, :])[0]) - value) > TOLERANCE * max(1.0, abs(value))
        for row, value in judged(constant)
    )


@pytest.mark.parametrize("constant", CONSTANTS)
def test_a_constant_of_the_tables_off_by_a_percent_is_noticed(constant: str) -> None:
    assert noticed(constant, 1.0) == 0
    assert noticed(constant, 0.99) > 0
