"""Tables of `docs/local-control.md`: published figures beside what the fit says of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from local_control_model import (
    GROUPS,
    STUDIES,
    YEARLY_DOUBLING,
    Parameters,
    Row,
    Structure,
    log_clonogens,
    normal_weights,
    predicted,
    rows_of,
)
from local_control_reachable import reachable_table
from scipy.stats import binom

from abscopt.instances.evidence.local_control import Figure, Study, local_control
from abscopt.models.arrays import FloatArray

PAGE = Path(__file__).parents[2] / "docs" / "local-control.md"
POINTS = 5.0  # either side of a figure that is published without an interval
FOR_GOOD = 1000.0  # years
USUAL_DOSES = {
    "lung primary": 100.0,
    "visceral metastasis": 100.0,
    "colorectal metastasis": 100.0,
    "bone, spine, nodes": 60.0,
    "stage III": 72.0,
}  # BED10 in Gy
TODAY_ALPHA, TODAY_DOUBLING_DAYS, TODAY_HORIZON = 0.30, 200.0, 180.0  # of the library, of cases


@dataclass(frozen=True)
class Judged:
    """A published figure and what is said of it, in percent."""

    row: Row
    site: str
    interval: tuple[float, float]
    stated: bool  # whether the interval is published
    mean: float
    low: float
    high: float
    for_good: float
    today: float

    @property
    def published(self) -> float:
        """Published control."""
        return self.row.figure.control_percent

    @property
    def inside(self) -> bool:
        """Whether the prediction lies in the published interval."""
        return self.interval[0] <= self.mean <= self.interval[1]

    @property
    def points(self) -> float:
        """By how much the prediction exceeds the figure."""
        return self.mean - self.published


def published_interval(figure: Figure) -> tuple[tuple[float, float], bool]:
    """95 % interval as published, or by the standard error, or 5 points either side."""
    if figure.interval_percent is not None:
        return figure.interval_percent, True
    half, share = half_width(figure), figure.control_percent
    stated = figure.standard_error_percent is not None
    return (max(0.0, share - half), min(100.0, share + half)), stated


def half_width(figure: Figure) -> float:
    """Half of the interval of a figure, in points, before it is cut at 0 and 100 %."""
    if figure.interval_percent is not None:
        low, high = figure.interval_percent
        return (high - low) / 2.0
    error = figure.standard_error_percent
    return POINTS if error is None else 1.96 * error


def sampled(row: Row) -> tuple[float, float]:
    """95 % interval of a share of so many lesions (Wilson), in percent."""
    share, number, z = row.control, row.at_risk, 1.96
    middle = (share + z * z / (2.0 * number)) / (1.0 + z * z / number)
    half = z * math.sqrt(share * (1.0 - share) / number + (z / (2.0 * number)) ** 2)
    half /= 1.0 + z * z / number
    return 100.0 * (middle - half), 100.0 * (middle + half)


def today(row: Row) -> float:
    """Control as the library has it: alpha 0.3 for all, growth to day 180."""
    growth = math.log(2.0) * TODAY_HORIZON / TODAY_DOUBLING_DAYS
    left = log_clonogens(row.group) + row.repopulated + growth - TODAY_ALPHA * row.dose_gy
    return 100.0 / (1.0 + math.exp(left))


def quantiles(chances: FloatArray, number: float) -> tuple[float, float]:
    """2.5 and 97.5 % of the share seen in a new study of so many lesions, in percent."""
    size = max(1, round(number))
    counts = np.arange(size + 1)
    below = binom.cdf(counts[:, None], size, chances) @ normal_weights(STUDIES)
    low, high = (int(np.searchsorted(below, at)) for at in (0.025, 0.975))
    return 100.0 * low / size, 100.0 * min(high, size) / size


def judged(study: Study, at: Parameters, structure: Structure) -> list[Judged]:
    """Every figure of a study beside its prediction."""
    rows = rows_of(study, structure)
    chances = predicted(rows, at, structure, STUDIES)
    at_last = predicted(rows, at, structure, STUDIES, years=FOR_GOOD)
    weights = normal_weights(STUDIES)
    found = []
    for row, chance, last in zip(rows, chances, at_last, strict=True):
        interval, stated = published_interval(row.figure)
        low, high = quantiles(chance, row.at_risk)
        mean, good = 100.0 * float(chance @ weights), 100.0 * float(last @ weights)
        found.append(Judged(row, study.site, interval, stated, mean, low, high, good, today(row)))
    return found


def all_judged(at: Parameters, structure: Structure, held_out: bool) -> list[Judged]:
    """Fitted or held-out figures, in the order of the list."""
    studies = [s for s in local_control() if s.fitted and s.held_out is held_out]
    return [one for study in studies for one in judged(study, at, structure)]


def summary(rows: Sequence[Judged]) -> dict[str, float]:
    """How many figures are met, and how well."""
    points = np.abs([one.points for one in rows])
    today_points = np.abs([one.today - one.published for one in rows])
    met = [one.interval[0] <= one.today <= one.interval[1] for one in rows]
    return {
        "figures": len(rows),
        "fit inside the interval or 5 points": sum(one.inside for one in rows),
        "so percent": round(100.0 * float(np.mean([one.inside for one in rows])), 1),
        "fit inside the interval or that of the number of lesions": sum(
            one.inside or sampled(one.row)[0] <= one.mean <= sampled(one.row)[1] for one in rows
        ),
        "fit off by more than 15 points": int(np.sum(points > 15.0)),
        "fit, worst points": round(float(points.max()), 1),
        "fit, median points": round(float(np.median(points)), 1),
        "published inside what a new study shows": sum(
            one.low <= one.published <= one.high for one in rows
        ),
        "today inside the interval or 5 points": sum(met),
        "today off by more than 15 points": int(np.sum(today_points > 15.0)),
        "today, worst points": round(float(today_points.max()), 1),
        "today, median points": round(float(np.median(today_points)), 1),
    }


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def figures_table(rows: Sequence[Judged]) -> list[str]:
    """Published figures and predictions."""
    columns = (
        "study, arm", "group", "dose, Gy", "years", "n", "published", "interval", "fit",
        "new study, 95 %", "", "for good", "today",
    )  # fmt: skip
    return table(columns, (_figure(one) for one in rows))


def _figure(one: Judged) -> list[str]:
    row = one.row
    mark = "in" if one.inside else f"**{one.points:+.0f}**"
    return [
        f"{row.study}, {row.arm}",
        row.group,
        f"{row.dose_gy:.0f}",
        f"{row.years:g}",
        f"{row.at_risk:.0f}",
        f"{one.published:.1f}",
        f"{one.interval[0]:.0f}-{one.interval[1]:.0f}" + ("" if one.stated else " (±5)"),
        f"{one.mean:.1f}",
        f"{one.low:.0f}-{one.high:.0f}",
        mark,
        f"{one.for_good:.0f}",
        f"{one.today:.0f}",
    ]


def blocks(fit: dict[str, Any], at: Parameters, structure: Structure) -> dict[str, list[str]]:
    """Lines between the marks of the page."""
    fitted, kept = (all_judged(at, structure, held_out) for held_out in (False, True))
    held = [study for study in local_control() if study.fitted and study.held_out]
    return {
        "parameters": parameters_table(fit, at),
        "structures": table(
            ("structure", "log likelihood, fitted", "studies left out"),
            (
                [name, f"{one['fitted']:.1f}", f"{one['left_out']:.1f}"]
                for name, one in fit["structures"].items()
            ),
        ),
        "summary": table(
            ("", "fitted", "held out"),
            (
                [name, f"{value:g}", f"{summary(kept)[name]:g}"]
                for name, value in summary(fitted).items()
            ),
        ),
        "reachable": table(
            ("studies differ", "inside, median (95 %)", "80 % inside", "and none off by 15 points"),
            reachable_table(held, [half_width(one.row.figure) for one in kept], at, structure),
        ),
        "years": years_table(at, structure),
        "held out": figures_table(kept),
        "fitted": figures_table(fitted),
    }


def parameters_table(fit: dict[str, Any], at: Parameters) -> list[str]:
    """Each parameter with its profile interval, and the dose that controls half."""
    rows = []
    for name, one in fit["parameters"].items():
        more = f"{at.dose50_gy(name):.0f}" if name in GROUPS else ""
        label = f"mean alpha, {name}, per Gy" if name in GROUPS else LABELS[name]
        ends = f"{one['low']:.3g} to {one['high']:.3g}"
        rows.append([label, f"{one['value']:.3g}", ends, more])
    doubling = YEARLY_DOUBLING / at.regrowth_per_year
    rows.append(["so median doubling of survivors, days", f"{doubling:.0f}", "", ""])
    return table(("parameter", "value", "95 % by profile", "BED10 for half of them, Gy"), rows)


def years_table(at: Parameters, structure: Structure) -> list[str]:
    """Control of each group at one dose, by time, from the horizon of 84 days on."""
    times = {"84 days": 84 / 365.25, "1 year": 1.0, "2": 2.0, "3": 3.0, "5": 5.0, "10": 10.0}
    times["for good"] = FOR_GOOD
    studies = {structure.group(study): study for study in local_control() if study.fitted}
    rows = []
    for group, dose in USUAL_DOSES.items():
        row = rows_of(studies[group], structure)[0]
        row = replace(row, dose_gy=dose, repopulated=0.0)
        chances = [predicted([row], at, structure, STUDIES, time)[0] for time in times.values()]
        shares = [f"{100.0 * float(one @ normal_weights(STUDIES)):.0f}" for one in chances]
        rows.append([f"{group}, {dose:.0f} Gy", *shares])
    return table(("group, BED10", *times), rows)


LABELS = {
    "alpha_cv": "coefficient of variation of alpha between patients",
    "study_spread": "standard deviation of log dose between studies",
    "regrowth": "regrowth of survivors, median, nats a year",
    "regrowth_spread": "standard deviation of its log between patients",
}


def write(found: dict[str, list[str]]) -> None:
    """Put each block between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in found.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, first, rest = text.partition(begin)
        _, last, after = rest.partition(end)
        if not first or not last:
            raise ValueError(f"{PAGE}: no marks {begin} and {end}")
        text = "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"])
    PAGE.write_text(text, encoding="utf-8")
