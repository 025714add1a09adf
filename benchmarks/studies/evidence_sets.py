"""Sets of immune constants drawn over their plausible ranges, for baselines and ensembles.

A scrambled Sobol' sequence (Sobol' 1967; scrambled: Owen 1998) with a fixed seed fills the ranges
below evenly; the first sets of a longer sequence are those of a shorter one.
"""

from __future__ import annotations

from typing import NamedTuple

from scipy.stats import qmc

from abscopt.instances.tables.immune import Immune
from abscopt.optimizer.evidence.settings import default_constants


class Range(NamedTuple):
    """Ends of a range, whether it is filled evenly in the logarithm, and where it is from."""

    low: float
    high: float
    logarithmic: bool
    source: str

    def at(self, share: float) -> float:
        """Value at a share of the range."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + share * (self.high - self.low))


RANGES = {
    "effect_per_effector": Range(
        0.02, 0.12, True, "assumed, a factor of 2 to 3; the profile of evidence_fit.py is wider"
    ),
    "release_factor": Range(0.2, 2.0, True, "assumed, a factor of 2 to 5; profile not bounded"),
    "gate_low_gy": Range(5.0, 7.0, False, "passes 12 or 13 of 14 published orders"),
    "gate_high_gy": Range(12.0, 18.0, False, "TREX1 switch, Vanpouille-Box 2017"),
    "precursor_loss_per_day": Range(0.0, 0.02, False, "assumed"),
    "mobilization_per_day": Range(0.0001, 0.005, True, "assumed"),
    "blockade_mobilization_per_day": Range(0.02, 0.1, True, "assumed"),
    "effector_loss_per_day": Range(0.045, 0.0675, False, "published fits"),
    "priming_delay_days": Range(2.0, 5.99, False, "2-5 days, Gonzalez-Crespo and Frey"),
    "repeat_release": Range(0.0, 1.0, False, "assumed"),
    "release_regrowth": Range(0.0, 1.0, False, "a share"),
}


def drawn(number: int, seed: int) -> list[dict[str, float | int]]:
    """Constants of that many sets; days are whole."""
    found = []
    for row in qmc.Sobol(len(RANGES), scramble=True, rng=seed).random(number):
        values: dict[str, float | int] = {}
        for share, (name, values_of) in zip(row, RANGES.items(), strict=True):
            value = values_of.at(float(share))
            values[name] = int(value) if name == "priming_delay_days" else round(value, 6)
        found.append(values)
    return found


def immune_of(values: dict[str, float | int]) -> Immune:
    """The library's constants with those of a set."""
    return default_constants().model_copy(update=values)
