"""How far measurements are off, each with source, status and range, and what else is not known.

Errors are lognormal: `sd` is the standard deviation of the logarithm. A level is a factor common to
all measurements of one kind in one patient: it says how well they compare with the case, and a
measurement before treatment fixes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from abscopt.models.biomarkers import log_sd


@dataclass(frozen=True)
class Constant:
    """A number with how well it is known.

    Attributes
    ----------
    low, high : plausible range
    """

    value: float
    low: float
    high: float
    unit: str
    source: str
    status: str


DAY_TO_DAY = "week-to-week variation within a person, Statland 1978, doi:10.1093/ajcp/69.1.48"

ALC_SD = Constant(
    log_sd(0.132), 0.10, 0.20, "nat",
    f"lymphocytes 13.2 %, {DAY_TO_DAY} (abstract)", "verified",
)  # fmt: skip
ALC_LEVEL_SD = Constant(
    ALC_SD.value, 0.0, 0.20, "nat",
    "the count before treatment that the case states was measured once, with the same error",
    "derived",
)  # fmt: skip
NEUTROPHIL_SD = Constant(
    log_sd(0.26), 0.13, 0.30, "nat",
    f"neutrophils 26 %, {DAY_TO_DAY} (abstract)", "verified",
)  # fmt: skip
NEUTROPHILS = Constant(
    4.5, 2.0, 7.5, "1e9/L", "middle of the usual reference range, of patients unknown", "recalled"
)
NEUTROPHIL_LEVEL_SD = Constant(
    0.4, 0.3, 0.6, "nat",
    "usual reference range 2 to 7.5 as the middle 90 %, constant in a patient", "assumed",
)  # fmt: skip
VOLUME_SD = Constant(
    0.151, 0.09, 0.30, "nat",
    "84 % of diameters measured twice within 15 minutes agree within 10 %, Oxnard 2011, "
    "PMC3157977 (abstract): ln diameter 0.0503 in each, three times as much for a volume; 0.09 "
    "for nodules by software (PMC3043750)", "derived",
)  # fmt: skip
VOLUME_LEVEL_SD = Constant(
    VOLUME_SD.value, 0.0, 0.30, "nat",
    "the volume that the case states was measured once, with the same error", "derived",
)  # fmt: skip
LEAST_CM3 = Constant(
    0.05, 0.01, 0.2, "cm3", "a nodule of 4.6 mm: what a scan still measures", "assumed"
)
RESORPTION_DAYS = Constant(
    math.sqrt(28.2 * 72.4), 28.2, 72.4, "days",
    "half-times of disintegration after stereotactic radiotherapy: squamous 28.2, adenocarcinoma "
    "72.4, Chvetsov 2008, doi:10.1088/0031-9155/53/9/013 (abstract); their geometric mean",
    "derived",
)  # fmt: skip
RESORPTION_SD = Constant(
    0.5 * math.log(72.4 / 28.2), 0.3, 0.7, "nat",
    "both averages lie one standard deviation from their mean", "derived",
)  # fmt: skip
CTDNA_PER_CM3 = Constant(
    1e-4, 0.3e-4, 3e-4, "share per cm3",
    "0.1 % at 10 cm3, Abbosh 2017, doi:10.1038/nature22364", "recalled",
)  # fmt: skip
CTDNA_LEVEL_SD = Constant(
    1.2, 0.7, 2.0, "nat", "patients with equal volumes shed amounts that differ threefold",
    "assumed",
)  # fmt: skip
CTDNA_SD = Constant(
    0.3, 0.2, 0.6, "nat", "few mutant molecules in a sample, and day-to-day changes", "assumed"
)

CONSTANTS = {name: value for name, value in globals().items() if isinstance(value, Constant)}
"""Every constant of the observation models, by name."""
