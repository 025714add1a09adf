"""Tiny edge cases, further drawn: days of infusions, doses of drugs, demands of lesions.

Each layer has random numbers of its own, so that what is drawn before it stays as it is.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from demanding_instances import BED, FACTORS, reached
from drawn_calendars import with_calendar
from random_instances import CITED, pick, uniform

from abscopt.instances.lesions import Lesion
from abscopt.optimizer.evaluation import Evaluation

Raw = dict[str, Any]

WITH_CALENDAR = 0.4
WITH_DOSES = 0.6
WITH_DEMANDS = 0.3
FACTORS_OF_DOSE = (0.25, 0.5, 0.8, 2.0)
"""Doses over those at which the effects of a drug are known; the library's are cited ones."""


def with_days_and_doses(raw: Raw, seed: int) -> Raw:
    """The case with infusion days, and drugs in other doses, each now and then."""
    rng = np.random.default_rng([2032, seed])
    if rng.random() < WITH_DOSES:
        raw = _dosed(rng, raw)
    return with_calendar(raw, seed) if rng.random() < WITH_CALENDAR else raw


def _dosed(rng: np.random.Generator, raw: Raw) -> Raw:
    """Other doses of the drugs; a second regimen or a drug with effects of its own, now and then.

    A second regimen stands in place of leaving an agent out: the number of plans stays.
    """
    raw = copy.deepcopy(raw)
    for agent in raw.get("agents", []):
        name = agent["regimens"][0]
        dose = raw["regimens"][name]["doses"][0]
        chemo = dose["unit"] == "mg_per_m2"
        if chemo and rng.random() < 0.5:
            raw.setdefault("drugs", {})["drawn"] = _drug(rng, dose["amount"], _any_free(raw))
            dose["drug"] = "drawn"
        if rng.random() < 0.7:
            dose["amount"] *= pick(rng, FACTORS_OF_DOSE)
        if agent["optional"] and rng.random() < 0.4:
            other = copy.deepcopy(raw["regimens"][name])
            other["doses"][0]["amount"] *= pick(rng, FACTORS_OF_DOSE)
            raw["regimens"][f"{name}-other"] = other
            agent["regimens"], agent["optional"] = [name, f"{name}-other"], False
    return raw


def _any_free(raw: Raw) -> bool:
    return any(lesion.get("course", {}).get("form") == "free" for lesion in raw["lesions"])


def _drug(rng: np.random.Generator, amount: float, free: bool) -> Raw:
    """Chemotherapy with any effects, known at one dose or two; no BED beside free courses."""
    known = [amount, 1.5 * amount][: int(rng.integers(1, 3))]
    drug: Raw = {
        "kind": "chemotherapy",
        "reference_doses": [{"amount": dose, "unit": "mg_per_m2"} for dose in known],
        "cytotoxic_log_kill_per_dose": pick(rng, (0.0, 0.3, 3.0)),
        "lymphocyte_log_loss_per_dose": pick(rng, (0.0, 0.2, 1.0)),
        "precursor_log_loss_per_dose": pick(rng, (0.0, 0.3)),
        **CITED,
    }
    near = pick(rng, ("sensitizer_enhancement_ratio", "equivalent_bed_gy_per_dose", ""))
    if near and not (free and near.startswith("equivalent")):
        low = 1.05 if near.startswith("sensitizer") else 0.5
        drug |= {near: uniform(rng, low, 1.8), "sensitizing_days": int(pick(rng, (1, 7)))}
    return drug


def with_demands(
    seed: int, raw: Raw, lesions: tuple[Lesion, ...], verdicts: list[Evaluation]
) -> Raw:
    """The case with demands near what one of its schedules reaches, now and then."""
    rng = np.random.default_rng([2033, seed])
    if rng.random() >= WITH_DEMANDS or not verdicts:
        return raw
    raw = copy.deepcopy(raw)
    good = [verdict for verdict in verdicts if verdict.admissible] or verdicts
    one = good[int(rng.integers(len(good)))]
    bed_alone = raw["objective"]["kind"] == "tumor_bed"
    for s, lesion in enumerate(raw["lesions"]):
        key = pick(rng, BED if bed_alone else (*BED, "least_control"))
        demand = reached(key, one.lesions[s], lesions[s]) * pick(rng, FACTORS)
        fits = "course" in lesion if key in BED else demand < 1
        if fits and demand > 1e-6 and rng.random() < 0.7:
            lesion[key] = demand
    return raw
