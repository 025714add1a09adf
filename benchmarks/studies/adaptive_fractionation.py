"""Adaptive fractionation: re-planning day by day against the published policy and hindsight.

    python benchmarks/studies/adaptive_fractionation.py [--write | --page]

Five fractions, one organ whose sparing factor is seen on the day only (`sparing_factors.toml`), and
two aims: the greatest tumor BED10 under 90 Gy of organ BED3, as in Perez Haas et al. 2023, and the
least organ BED3 for 72 Gy of tumor BED10 (5 x 8 Gy, the goal of adaptfx's example), where all ways
reach the same tumor BED. Every way has the same bounds (0 to 23 Gy a fraction) and the same
information: factors seen so far, the planning scan first, and a prior of their spread fitted to the
other 15 patients. On the fifth day each gives exactly what is left.

    fixed      the dose that gives the organ 6 Gy each day; 8 Gy each day for the second aim
    policy     dynamic programming over BED left and the distribution of factors (`sparing_policy`)
    mean       `solve` of the rest as if every factor to come were the mean learned so far
    spread     `solve` of the rest as if the n factors to come were the medians of n equal parts of
               the distribution learned so far
    hindsight  all factors known (one multiplier, no grid): what no way can do better than

`mean` and `spread` are re-planning: each day a case is made of what was given (organ dose of each
fraction as prior dose), today's factor and those expected, and its rest is solved anew. Schedules
are judged with the true factors. As one order of five factors says little, all 120 orders of each
patient's factors are gone through as well; there the rest is solved by the multiplier, which is
held against `solve` in the published order.

Prints the rows; --write stores them beside this script and writes docs/adaptive-fractionation.md
with its figure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from adaptive_fractionation_page import figure, page
from reference_optima import machine
from scipy.stats import norm
from sparing_policy import (
    MOST_GY,
    ORGAN_RATIO_GY,
    TUMOR_RATIO_GY,
    Aim,
    Floats,
    Goal,
    Normal,
    Prior,
    allocated,
    bed,
    dose_of,
    last_dose,
    learned,
    prior_of,
    spent,
    to_come,
    todays_dose,
)

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Fraction, Schedule

HERE = Path(__file__).resolve().parent
FACTORS = HERE / "sparing_factors.toml"
FILE = HERE / "adaptive_fractionation.json"
PAGE = HERE.parents[1] / "docs" / "adaptive-fractionation.md"
FIGURE = PAGE.with_suffix(".svg")

DAYS = 5
AIMS: tuple[Aim, ...] = (Aim("tumor", 90.0), Aim("organ", 72.0))
FIXED_GY: dict[Goal, float] = {"tumor": 6.0, "organ": 8.0}
"""To the organ, to the tumor: five of them reach the BED of the aim."""
REPLANNED = ("mean", "spread")
WAYS = ("fixed", "policy", *REPLANNED, "hindsight")
STEPS_GY: dict[Goal, tuple[float, ...]] = {
    "tumor": (0.02, 0.02, 0.1, 0.2, 0.2),
    "organ": (0.05, 0.05, 0.25, 0.5, 0.5),
}
"""Of doses, and of tumor BED for the second aim, by days left: with few days left a coarse step
would choose today's dose by what fills the cap, or reaches the goal, to the last digit."""
GAP_GY = 0.02
"""Of BED, to which a rest is solved."""
TOLERANCE_GY = 1e-6
"""Of the goal: doses are stated with nine decimals."""
SECONDARY = 1e-4
"""Weight of the tumor's BED above its goal where organ BED counts: below the gap."""


@dataclass(frozen=True)
class Row:
    """What one way gave one patient, in the published order of days or as a mean of all orders.

    Attributes
    ----------
    doses_gy : of each day; empty for a mean of orders
    tumor_gy, organ_gy : BED10 and BED3
    seconds : CPU time of the decisions
    """

    patient: int
    aim: Goal
    way: str
    orders: int
    doses_gy: tuple[float, ...]
    tumor_gy: float
    organ_gy: float
    seconds: float


@dataclass(frozen=True)
class Patient:
    """Factors of the planning scan and of each day, and the prior of their spread."""

    number: int
    planning: float
    daily: tuple[float, ...]
    prior: Prior

    def expected(self, seen: Sequence[float]) -> Normal:
        """What is known of factors to come after those of some days."""
        return learned([self.planning, *seen], self.prior)


def patients() -> list[Patient]:
    """All 16, each with a prior fitted to the other 15."""
    stated = tomllib.loads(FACTORS.read_text(encoding="utf-8"))["patients"]
    rows = [[entry["planning"], *entry["daily"]] for entry in stated]
    return [
        Patient(
            entry["number"],
            entry["planning"],
            tuple(entry["daily"]),
            prior_of(rows[:i] + rows[i + 1 :]),
        )
        for i, entry in enumerate(stated)
    ]


def foreseen(way: str, expected: Normal, days: int) -> list[float]:
    """Factors of the days left as re-planning takes them: all the mean, or spread about it."""
    if way == "mean":
        return [expected.mean] * days
    parts = (np.arange(days) + 0.5) / days
    return [float(f) for f in expected.mean + expected.sd * norm.ppf(parts)]


def menu(goal: Goal, step: float) -> list[float]:
    """Doses in steps up to the bound; for the second aim their tumor BED is in steps."""
    if goal == "tumor":
        return [round(step * i, 9) for i in range(1, 1 + math.floor(MOST_GY / step + 1e-9))]
    most = math.floor(float(bed(MOST_GY, TUMOR_RATIO_GY)) / step)
    return [round(float(dose_of(step * i, TUMOR_RATIO_GY)), 9) for i in range(1, 1 + most)]


def rest_case(aim: Aim, given: Sequence[float], factors: Sequence[float]) -> Instance:
    """The rest of a treatment after some doses, with the factors of all five days."""
    day = len(given)
    left = list(range(day, DAYS))
    about = {"source": "benchmarks/studies/adaptive_fractionation.py", "status": "assumed"}
    limit: dict[str, Any] = {
        "name": "oar", "kind": "bed", "organ": "oar", "alpha_beta_gy": ORGAN_RATIO_GY, **about,
    }  # fmt: skip
    lesion: dict[str, Any] = {
        "name": "tumor", "organ": "not stated", "volume_cm3": 1, "clonogens": 1,
        "alpha_per_gy": 0.3, "alpha_beta_gy": TUMOR_RATIO_GY, **about,
        "sparing": {"oar": {"max": {"days": list(range(DAYS)), "values": list(factors)}}},
        "course": {
            "form": "free", "days": left,
            "doses_gy": menu(aim.goal, STEPS_GY[aim.goal][len(left) - 1]),
        },
    }  # fmt: skip
    prior = [
        {"organ": "oar", "point": "max", "fractions": 1, "dose_gy": d * f, "source": "given"}
        for d, f in zip(given, factors, strict=False)
        if d > 0.0
    ]
    if aim.goal == "tumor":
        limit |= {"cap_gy": aim.bed_gy}
    else:
        limit |= {"cap_gy": 1.0, "penalty": 1.0}
        done = sum(d + d**2 / TUMOR_RATIO_GY for d in given)
        lesion |= {"least_bed_gy": aim.bed_gy - done - TOLERANCE_GY, "weight": SECONDARY}
    return build(
        {
            "format": 1,
            "name": "rest",
            "title": "rest of an adaptive treatment",
            "provenance": {"source": about["source"], "assumed": ["factors of days to come"]},
            "horizon_days": [DAYS],
            "objective": {"kind": "tumor_bed", "gap": GAP_GY},
            "immune": {"use": "off"},
            "organs": {"oar": {"use": "generic_late"}},
            "limits": [limit],
            "lesions": [lesion],
            "prior_doses": prior,
            "standard": {"name": "nothing", "source": "not used", "courses": []},
            "allow_unusual": True,
        },
        "rest",
    )


def replanned(aim: Aim, given: Sequence[float], factors: Sequence[float]) -> float:
    """Today's dose of the best rest, by the engine."""
    result = solve(rest_case(aim, given, factors))
    if result.schedule is None or result.status != "optimal":
        raise AssertionError(f"rest not solved: {result.status}")
    return sum(f.dose_gy for f in result.schedule.fractions if f.day == len(given))


def course(aim: Aim, way: str, patient: Patient, by_engine: bool) -> list[float]:
    """Doses of five days, each decided from what is known on it."""
    if way == "hindsight":
        return [float(dose) for dose in allocated(aim, aim.bed_gy, patient.daily)]
    doses: list[float] = []
    left = aim.bed_gy
    for day, factor in enumerate(patient.daily):
        if way == "fixed":
            dose = FIXED_GY[aim.goal] / (factor if aim.goal == "tumor" else 1.0)
        elif day == DAYS - 1:
            dose = float(last_dose(aim, left, factor))
        else:
            dose = decided(aim, way, patient, doses, left, by_engine)
        doses.append(dose)
        left -= float(spent(aim, dose, factor))
    return doses


def decided(
    aim: Aim, way: str, patient: Patient, given: Sequence[float], left_gy: float, by_engine: bool
) -> float:
    """Dose of a day before the last one."""
    day = len(given)
    seen = patient.daily[: day + 1]
    if way == "policy":
        known = patient.expected(sorted(seen))
        return todays_dose(aim, left_gy, seen[-1], future(aim, DAYS - 1 - day, known))
    coming = foreseen(way, patient.expected(seen), DAYS - 1 - day)
    if by_engine:
        return replanned(aim, given, [*seen, *coming])
    return float(allocated(aim, left_gy, [seen[-1], *coming])[0])


@cache
def future(aim: Aim, days: int, expected: Normal) -> tuple[Floats, Floats]:
    """Mean value of the days left, for each BED left."""
    return to_come(aim, days, expected)


def judged(patient: Patient, doses: Sequence[float]) -> tuple[float, float]:
    """Tumor BED10 and organ BED3 by the judge, with the true factors."""
    instance = rest_case(Aim("tumor", 1000.0), (), patient.daily)
    given = [Fraction(day, "tumor", dose) for day, dose in enumerate(doses) if dose > 0.0]
    verdict = Judge(instance).evaluate(Schedule.of(given, []))
    organ = next(use for use in verdict.limits if use.name == "oar")
    assert organ.value is not None
    return verdict.objective, organ.value


def published_order(aim: Aim, way: str, patient: Patient) -> Row:
    """One way to treat one patient on the days as they were, re-planned by the engine."""
    begin = time.process_time()
    doses = course(aim, way, patient, by_engine=True)
    seconds = time.process_time() - begin
    tumor, organ = judged(patient, doses)
    rounded = tuple(round(dose, 3) for dose in doses)
    return Row(
        patient.number, aim.goal, way, 1, rounded, round(tumor, 4), round(organ, 4),
        round(seconds, 2),
    )  # fmt: skip


def all_orders(aim: Aim, way: str, patient: Patient) -> Row:
    """Mean over all orders of the days, re-planned by the multiplier."""
    begin = time.process_time()
    values = []
    for daily in itertools.permutations(patient.daily):
        doses = np.array(
            course(aim, way, Patient(patient.number, patient.planning, daily, patient.prior), False)
        )
        values.append(
            [
                float(spent(Aim("organ", 0.0), doses, np.array(daily)).sum()),
                float(spent(Aim("tumor", 0.0), doses, np.array(daily)).sum()),
            ]
        )
    tumor, organ = np.mean(values, axis=0)
    seconds = time.process_time() - begin
    return Row(
        patient.number, aim.goal, way, len(values), (), round(float(tumor), 4),
        round(float(organ), 4), round(seconds, 2),
    )  # fmt: skip


def stored() -> tuple[list[Row], dict[str, Any]]:
    """Rows of the last run that was written, and what it ran on."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    rows = [Row(**{**row, "doses_gy": tuple(row["doses_gy"])}) for row in table["rows"]]
    return rows, table["about"]


def written(rows: Sequence[Row], about: dict[str, Any]) -> None:
    """Page and figure beside each other."""
    PAGE.write_text(page(rows, about), encoding="utf-8")
    figure(rows, FIGURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true", help="page and figure of the stored rows")
    options = parser.parse_args()
    if options.page:
        written(*stored())
        return
    about = {**machine(), **versions()}
    print(json.dumps(about))
    rows = []
    for patient, aim, way in itertools.product(patients(), AIMS, WAYS):
        for made in (published_order, all_orders):
            rows.append(made(aim, way, patient))
            print(json.dumps(asdict(rows[-1])), flush=True)
    if options.write:
        table = {"about": about, "rows": [asdict(row) for row in rows]}
        FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        written(rows, about)


if __name__ == "__main__":
    main()
