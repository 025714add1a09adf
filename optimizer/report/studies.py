"""Pictures of what other commands write: ensembles, identified decisions, frontiers, logs.

Each draws one document on axes that are given or on a figure of its own, in the style of `plots`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.fronts.tradeoff import MEASURES
from abscopt.optimizer.report.plots import BLUE, GREEN, GREY, ORANGE, RED, axes_of, in_style
from abscopt.optimizer.report.sources import Log, Row, Study
from abscopt.optimizer.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEYOND = 1.04
"""Numbers beside bars stand so far beyond the greatest, as a part of it."""
VERDICTS = {
    "identified": (GREEN, ""),
    "not identified": (RED, "xxx"),
    "does not matter": (GREY, ""),
    "open": (ORANGE, "///"),
}
"""Color and hatch of what an ensemble says of a decision."""
ROBUSTNESS = "robustness"
TO_BE_LARGE = ("lymphocytes", ROBUSTNESS)
"""Measures of which more is better; of all others less."""
MOST_TICKS = 15
"""Whole numbers that are all named along an axis, so that their names do not meet."""
FULL = 1.0
"""Width of axes on which no decision costs anything."""


def spread(study: Study, ax: Axes | None = None) -> Axes:
    """Control of each lesion over an ensemble: a bar from 10 to 90 %, a mark at the median.

    The standard regimen is below the schedule where the study judged it.
    """
    rows: list[Row] = study.rows("control")
    lesions = list(dict.fromkeys(row["lesion"] for row in rows))
    ax = axes_of(ax, 7.0, 1.3 + 0.5 * len(lesions))
    marks = {"schedule": (-0.14, BLUE, "o", "-"), "standard": (0.14, "0.35", "s", "--")}
    for row in rows:
        shift, color, mark, dash = marks[row["of"]]
        place = lesions.index(row["lesion"]) + shift
        ends = [100 * row["quantile_10"], 100 * row["quantile_90"]]
        ax.plot(ends, [place, place], dash, color=color, linewidth=2, marker="|", markersize=7)
        face = color if row["of"] == "schedule" else "white"
        middle = 100 * row["quantile_50"]
        ax.plot(middle, place, mark, color=face, markeredgecolor="black", markersize=7, zorder=3)
        ax.text(102, place, percent(row["quantile_50"]), va="center", fontsize=8)
    for of in dict.fromkeys(row["of"] for row in rows):
        _, color, mark, dash = marks[of]
        face = color if of == "schedule" else "white"
        ax.plot(
            [], [], dash, color=color, linewidth=2, marker=mark, markerfacecolor=face,
            markeredgecolor="black", label=of,
        )  # fmt: skip
    _name_rows(ax, lesions)
    ax.set_xlim(-2, 101)
    ax.set_xlabel(
        f"control over {study.members} parameter sets (%): median, and from 10 to 90 % of them"
    )
    _head(ax, f"{study.case}: control, {study.ensemble}", 2)
    return ax


def identification(study: Study, ax: Axes | None = None) -> Axes:
    """What each decision costs if it is fixed: the largest loss in any member.

    Beside its bar stand what most members choose, with their share, whether the members agree on
    it, and the schedule's choice where it is another.
    """
    rows = study.rows("decisions")
    ax = axes_of(ax, 8.0, 1.5 + 0.42 * len(rows))
    unit, line = study.document["unit"], float(study.document["matters_above"])
    costs = [float(row["cost_of_chosen"] or 0.0) for row in rows]
    greatest = max([line, *costs]) * BEYOND or FULL
    for place, (row, cost) in enumerate(zip(rows, costs, strict=True)):
        color, hatch = VERDICTS[row["verdict"]]
        ax.barh(place, cost, 0.55, color=color, edgecolor="black", hatch=hatch, linewidth=0.5)
        text = f"{row['chosen']} ({100 * row['share']:.0f} %), {row['verdict']}"
        if row["schedule"] not in (None, row["chosen"]):
            text += f"; here {row['schedule']}"
        ax.annotate(
            text, (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    ax.annotate(
        "chosen by most members", (1.0, 1.0), xycoords="axes fraction", xytext=(6, 4),
        textcoords="offset points", fontsize=8, fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    ax.axvline(line, color="black", linestyle="--", linewidth=1, label=f"matters above {line:g}")
    for verdict in dict.fromkeys(row["verdict"] for row in rows):
        color, hatch = VERDICTS[verdict]
        ax.barh(0, 0, 0, color=color, edgecolor="black", hatch=hatch, label=verdict)
    _name_rows(ax, [row["decision"] for row in rows])
    ax.set_xlim(0, greatest)
    ax.set_xlabel(f"cost of fixing the decision as most choose it: largest loss, {unit}")
    _head(ax, f"{study.case}: decisions, {study.ensemble}", 4)
    return ax


def frontier(study: Study, ax: Axes | None = None) -> Axes:
    """Objective of each answer that no other beats, with what is proved above it.

    Against the mean over an ensemble what is proved is of both together, and is not drawn.
    """
    rows = [row for row in study.rows("rows") if row["objective"] is not None]
    rows.sort(key=lambda row: float(row["measure"]))
    ax = axes_of(ax, 6.5, 4.0)
    measures = [row["measure"] for row in rows]
    values = [row["objective"] for row in rows]
    if study.document["against"] != ROBUSTNESS:
        _draw_bounds(ax, rows)
    ax.plot(measures, values, linestyle=":", color="0.5", drawstyle=_steps(study), zorder=1)
    proved = [row["status"] == "optimal" for row in rows]
    for closed, face, label in ((True, BLUE, "proved"), (False, "white", "not proved")):
        places = [i for i, done in enumerate(proved) if done == closed]
        if places:
            ax.plot(
                [measures[i] for i in places], [values[i] for i in places], "o", color=face,
                markeredgecolor="black", markersize=8, label=f"answer, {label}",
            )  # fmt: skip
    ax.margins(0.08)
    ax.set_xlabel(_measured(study, rows[0]["gap_unit"]))
    ax.ticklabel_format(useOffset=False)
    few = max(measures) - min(measures) <= MOST_TICKS
    if few and all(float(at).is_integer() for at in measures):
        ax.set_xticks(range(math.floor(min(measures)), math.ceil(max(measures)) + 1))
    ax.set_ylabel(f"objective ({rows[0]['gap_unit']})")
    _head(ax, f"{study.case}: frontier", 3)
    return ax


def _draw_bounds(ax: Axes, rows: Sequence[Row]) -> None:
    """A bar above each answer up to the bound on all answers with such a measure."""
    for row in rows:
        at, value = row["measure"], row["objective"]
        bound = value if row["bound"] is None else row["bound"]
        ax.plot([at, at], [value, bound], "-", color=RED, linewidth=1.2)
        ax.plot(at, bound, "_", color=RED, markersize=12, markeredgewidth=1.6)
    ax.plot([], [], "_", color=RED, markersize=12, markeredgewidth=1.6, label="no answer is above")


def _measured(study: Study, unit: str) -> str:
    """What the answers are measured by, in words."""
    against = study.document["against"]
    if against == ROBUSTNESS:
        return f"mean objective over {study.document['members']} of {study.ensemble} ({unit})"
    return MEASURES[against][1]


def _steps(study: Study) -> str:
    """The best answer with at most so much of the measure is the last one before it.

    Of lymphocytes and the mean over an ensemble at least so much is asked: the next one after it.
    """
    return "steps-pre" if study.document["against"] in TO_BE_LARGE else "steps-post"


def progress_over_time(log: Log, ax: Axes | None = None) -> Axes:
    """Best schedule and bound so far against wall time; between them lies what is open."""
    steps = log.steps
    ax = axes_of(ax, 6.5, 3.6)
    found = [(s["seconds"], s["incumbent"]) for s in steps if s["incumbent"] is not None]
    bounds = [(s["seconds"], s["bound"]) for s in steps if s["bound"] is not None]
    for points, color, dash, label in (
        (bounds, RED, "--", "no schedule is above"), (found, BLUE, "-", "best schedule"),
    ):  # fmt: skip
        if points:
            times, values = zip(*points, strict=True)
            ax.step(times, values, where="post", color=color, linestyle=dash, label=label)
            ax.plot(times[-1], values[-1], ".", color=color)
    both = [s for s in steps if s["incumbent"] is not None and s["bound"] is not None]
    if both:
        ax.fill_between(
            [s["seconds"] for s in both], [s["incumbent"] for s in both],
            [s["bound"] for s in both], step="post", color="0.9", zorder=0, label="open",
        )  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_xlabel("wall time (s)")
    ax.set_ylabel(f"objective ({log.unit})")
    _head(ax, f"{log.case}: bound and schedule over time", 3)
    return ax


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)


def _head(ax: Axes, title: str, columns: int) -> None:
    """Title on the left, and the keys above the axes on a line of their own."""
    ax.set_title(title, loc="left", pad=24)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, fontsize=8, borderaxespad=0.3
    )


KINDS: dict[str, Callable[..., Any]] = {
    "spread": spread,
    "identification": identification,
    "frontier": frontier,
    "progress": progress_over_time,
}


def study_figure(source: Study | Log, kind: str) -> Figure:
    """A figure of one kind of a document or log."""
    with in_style():
        figure: Figure = KINDS[kind](source).figure
        return figure
