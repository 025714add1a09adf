"""Random cases with courses of phases: switches of technique, gaps, clusters, phases left out."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from random_instances import pick, uniform

Raw = dict[str, Any]
Rng = np.random.Generator


def phased(raw: Raw, seed: int, most: int = 3) -> Raw:
    """A random case in which courses of some lesions have phases, and ways of their own."""
    rng = np.random.default_rng([2029, seed])
    case = copy.deepcopy(raw)
    sites = [lesion for lesion in case["lesions"] if lesion.get("irradiable", True)]
    chosen = [lesion for lesion in sites if rng.random() < 0.7] or sites[:1]
    for lesion in chosen:
        if not lesion.get("techniques") and case.get("objective", {}).get("kind") != "tumor_bed":
            lesion["techniques"] = _ways(rng, lesion)
        names = [way["name"] for way in lesion.get("techniques", [])]
        lesion["course"] = _course(rng, lesion["course"], names, most)
        if rng.random() < 0.3:
            lesion["alpha_cv"] = uniform(rng, 0.1, 0.3)
        if rng.random() < 0.3:
            lesion["oxygen_modification_factor"] = uniform(rng, 1.1, 1.5)
            lesion["reoxygenation_days"] = uniform(rng, 5, 20)
    return case


def _ways(rng: Rng, lesion: Raw) -> list[Raw]:
    """External beam, and a way that spares more and reaches less."""
    organ = lesion.get("sparing", {}).get("organ", {})
    factor = uniform(rng, 0.2, 0.9)
    spared = {key: round(value * factor, 4) for key, value in organ.items()}
    if "second_moment" in organ:
        spared["second_moment"] = round(organ["second_moment"] * factor**2 * 1.02, 6)
    second: Raw = {"name": "near", "lymphocyte_loss_per_fraction": pick(rng, (0.0, 0.02, 0.1))}
    if organ:
        second["sparing"] = {"organ": spared}
    if rng.random() < 0.5:
        second["irradiated_share"] = uniform(rng, 0.6, 0.999)
    if rng.random() < 0.5:
        second["node_factor"] = uniform(rng, 0.2, 0.9)
    if rng.random() < 0.5:
        second["effector_kill_per_fraction"] = pick(rng, (0.0, 1.0))
    if rng.random() < 0.5:
        second["integral_dose_cm3"] = uniform(rng, 10, 300)
    if rng.random() < 0.5:
        second["lymphocyte_effect_per_fraction"] = pick(rng, (0.0, 0.2))
    return [{"name": "beam"}, second]


def _course(rng: Rng, menu: Raw, names: list[str], most: int) -> Raw:
    doses, number = menu["doses_gy"], min(menu["fractions"])
    if isinstance(doses, dict):
        doses = [doses["min_gy"], doses["max_gy"]]
    phases: list[Raw] = []
    for i in range(int(rng.integers(1, most + 1))):
        per_day = int(pick(rng, (1, 1, 2))) if max(doses) < 6 else 1
        phase: Raw = {
            "fractions": [per_day * int(n) for n in {1, min(5, number)} if rng.random() < 0.8]
            or [2 * per_day],
            "doses_gy": [float(d) for d in doses[:: max(1, len(doses) - 1)]],
            "fractions_per_day": per_day,
            "interval_days": [int(pick(rng, (1, 2, 7)))],
            "optional": bool(i and rng.random() < 0.4),
        }
        phase["doses_gy"] = phase["doses_gy"][: 2 if i == 0 else 1]
        if i:
            phase["gap_days"] = [int(g) for g in {1, int(pick(rng, (1, 3, 7)))}]
        if names and rng.random() < 0.8:
            phase["technique"] = pick(rng, names)
        if rng.random() < 0.2:
            phase |= {"times": [1, 2], "every_days": [int(pick(rng, (3, 7, 14)))]}
        if rng.random() < 0.2:
            phase["weekdays"] = [0, 2, 4]
        phases.append(phase)
    step = int(menu.get("start_step_days", 1))
    first = int(menu.get("first_start_day", 0))
    return {
        "form": "phases",
        "phases": phases,
        "first_start_day": first,
        "last_start_day": first + step * int(rng.random() < 0.5),
        "start_step_days": step,
    }
