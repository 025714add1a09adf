"""Random cases whose lesions demand what some schedule reaches, just misses, or nobody reaches."""

from __future__ import annotations

import itertools

import numpy as np
from brute_force import schedules
from random_instances import Raw, Size, pick, random_case

from abscopt.instances.lesions import Lesion
from abscopt.instances.load import build
from abscopt.optimizer.evaluation import Judge, LesionOutcome

SIZE = Size(irradiable=(1, 2, 2, 3), courses=6, courses_of_three=4)
BED = ("least_bed_gy", "least_eqd2_gy")
OBJECTIVES = ("default", "log_control", "expected_control", "log_kill", "tumor_bed")
SAMPLED = 400
FACTORS = (1.0, 1.0, 0.9, 0.5, 1.001)
"""Demanded over what one schedule reaches: as much, clearly less, or a little more."""


def demanding_case(seed: int, keys: tuple[str, ...]) -> Raw:
    """A random case with some of the demands named, at levels near those of random schedules."""
    raw, rng = random_case(seed, SIZE), np.random.default_rng([14, seed])
    bed_alone = "least_control" not in keys
    raw["objective"] = {"kind": pick(rng, OBJECTIVES if bed_alone else OBJECTIVES[:-1])}
    trial = build(raw)
    judge = Judge(trial)
    sample = [judge.evaluate(one) for one in itertools.islice(schedules(trial), SAMPLED)]
    good = [verdict for verdict in sample if verdict.admissible] or sample
    one = good[int(rng.integers(len(good)))]
    for s, lesion in enumerate(raw["lesions"]):
        for key in keys:
            demand = reached(key, one.lesions[s], trial.lesions[s]) * pick(rng, FACTORS)
            fits = "course" in lesion if key in BED else demand < 1
            if fits and demand > 1e-6 and rng.random() < 0.6:
                lesion[key] = demand
    return raw


def reached(key: str, outcome: LesionOutcome, lesion: Lesion) -> float:
    """What a demand of this key is compared with."""
    if key == "least_bed_gy":
        return outcome.bed_gy
    if key == "least_control":
        return outcome.control_probability[-1]
    return outcome.bed_gy / (1.0 + 2.0 / lesion.alpha_beta_gy)
