"""Pictures of an answer, each drawn on axes that are given or on a figure of its own.

Colors are those of Okabe and Ito (2008, Color universal design), which color-blind people tell
apart; marks, hatches and dashes differ too, so that the pictures read in grey. Files are the same
bytes for the same answer: no date, and ids of SVG from a fixed salt.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from abscopt.instances.load import InputError, Problem
from abscopt.instances.tables.calendar import date_of, is_machine_day
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.report.pictures import PICTURES
from abscopt.optimizer.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.evaluation import Evaluation, LimitUse
    from abscopt.optimizer.report.finding import Finding

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999",
)  # fmt: skip
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "abscopt",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}
FORMATS = (".png", ".svg", ".pdf")
LETTERS_ACROSS = 100
"""Days times letters of a dose that fit side by side: up to it doses stand in their squares."""
MARGIN_DAYS = 2
NEAR_LINE, BESIDE_LINE = 95, 101
"""Percent of a limit: numbers of bars from the one on would lie on the line and get the other."""
POINTS, HORIZONS = 60, 6
"""Points of a curve of burdens, and the horizons that a case may have."""


def calendar(finding: Finding, ax: Axes | None = None) -> Axes:
    """Days of fractions and infusions, the standard regimen below the schedule.

    A square is a fraction with its dose in Gy, a diamond an infusion; days without radiation
    (weekends, holidays, closed days) are shaded. Infusions after the shown days are counted.
    """
    rows = _calendar_rows(finding)
    ax = axes_of(ax, 9.5, 1.2 + 0.36 * len(rows))
    first, last = _shown_days(finding)
    for day in range(first, last + 1):
        if not is_machine_day(finding.case.calendar, day):
            ax.axvspan(day - 0.5, day + 0.5, color="0.92", zorder=0, linewidth=0)
    for place, (_, color, hatch, fractions, infusions) in enumerate(rows):
        _draw_fractions(ax, place, fractions, color, hatch, last - first)
        seen = [day for day in infusions if day <= last]
        ax.plot(seen, [place] * len(seen), "D", color=color, markersize=6, markeredgecolor="black")
        later = len(infusions) - len(seen)
        if later:
            text = f"+{later} until day {max(infusions)}"
            ax.text(last + 0.7, place, text, va="center", fontsize=8)
    ax.set_xlim(first - 0.5, last + 0.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [row[0] for row in rows])
    ticks = _mondays(finding, first, last)
    labels = [f"{day}\n{date_of(finding.case.calendar, day):%d %b}" for day in ticks]
    ax.set_xticks(ticks, labels)
    ax.set_xlabel("day of the case")
    ax.set_title(f"{finding.case.name}: treatment calendar", loc="left")
    return ax


def _calendar_rows(
    finding: Finding,
) -> list[tuple[str, str, str, list[tuple[int, float]], list[int]]]:
    """Label, color, hatch, fractions (day, Gy) and infusion days of each row."""
    rows: list[tuple[str, str, str, list[tuple[int, float]], list[int]]] = []
    kinds = [("", finding.schedule, COLORS, ""), ("standard: ", finding.regimen, (GREY,), "//")]
    for label, schedule, colors, hatch in kinds:
        if schedule is None:
            continue
        color = cycle(colors)
        for lesion in finding.case.lesions:
            course = [(day, dose) for day, dose, _ in schedule.course(lesion.name)]
            if course:
                rows.append((label + lesion.name, next(color), hatch, course, []))
        for drug in dict.fromkeys(infusion.drug for infusion in schedule.infusions):
            days = [infusion.day for infusion in schedule.infusions if infusion.drug == drug]
            rows.append((label + drug, next(color), hatch, [], days))
    return rows or [("no treatment", GREY, "", [], [])]


def _shown_days(finding: Finding) -> tuple[int, int]:
    """First and last day that is drawn: all fractions, and the first infusions."""
    days = [
        f.day for s in (finding.schedule, finding.regimen) if s is not None for f in s.fractions
    ]
    infusions = [
        i.day for s in (finding.schedule, finding.regimen) if s is not None for i in s.infusions
    ]
    until = max([*days, *sorted(infusions)[:2], 6])
    return 0, min(until + MARGIN_DAYS, finding.case.days - 1)


def _mondays(finding: Finding, first: int, last: int) -> list[int]:
    days = [
        day for day in range(first, last + 1) if date_of(finding.case.calendar, day).weekday() == 0
    ]
    return days[:: max(1, len(days) // 10)]


def _draw_fractions(
    ax: Axes, place: int, fractions: Sequence[tuple[int, float]], color: str, hatch: str, width: int
) -> None:
    """Squares of one course; doses inside where they are legible, else once before the first."""
    by_day: dict[int, list[float]] = {}
    for day, dose in fractions:
        by_day.setdefault(day, []).append(dose)
    letters = max(
        (len(line) for d in by_day.values() for line in _dose_text(d).split("\n")), default=0
    )
    inside = width * letters <= LETTERS_ACROSS
    for day, doses in by_day.items():
        box = Rectangle(
            (day - 0.42, place - 0.36), 0.84, 0.72,
            facecolor=color, edgecolor="black", linewidth=0.5, hatch=hatch, alpha=0.85,
        )  # fmt: skip
        ax.add_patch(box)
        if inside:
            text = _dose_text(doses)
            ax.text(
                day, place, text, ha="center", va="center", fontsize=6.5 if width > 25 else 8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.95},
            )  # fmt: skip
    if not inside and fractions:
        words = ", ".join(
            f"{sum(dose == d for _, d in fractions)} x {dose:g} Gy"
            for dose in dict.fromkeys(dose for _, dose in fractions)
        )
        ax.text(
            max(by_day) + 0.8, place, words, va="center", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )  # fmt: skip


def _dose_text(doses: Sequence[float]) -> str:
    """Dose of a day as its square says it."""
    return f"{sum(doses):g}" if len(doses) == 1 else f"{len(doses)}x\n{doses[0]:g}"


def limits(finding: Finding, ax: Axes | None = None) -> Axes:
    """Use of each limit in percent of its allowance; the schedule's bar above the standard's."""
    verdict = _judged(finding)
    names = [use.name for use in verdict.limits]
    ax = axes_of(ax, 7.5, 1.1 + 0.34 * max(1, len(names)))
    standard = {} if finding.standard is None else {u.name: u for u in finding.standard.limits}
    for place, use in enumerate(verdict.limits):
        color = RED if use.broken else (ORANGE if use.binding else BLUE)
        share = _percent_used(use)
        ax.barh(place - 0.17, share, 0.32, color=color, edgecolor="black", linewidth=0.4)
        usual = standard.get(use.name)
        if usual is not None:
            ax.barh(
                place + 0.17, _percent_used(usual), 0.28, color="white", edgecolor="0.35",
                hatch="///", linewidth=0.4,
            )  # fmt: skip
        digits = 1 if 99.0 <= share < 100.0 else 0  # what is below its limit is not called 100
        text = "-" if use.use is None else f"{share:.{digits}f}"
        beside = BESIDE_LINE if 100 >= share > NEAR_LINE else share + 1
        ax.text(beside, place - 0.17, text, va="center", fontsize=7.5)
    ax.axvline(100, color="black", linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    greatest = max([100.0, *(_percent_used(use) for use in [*verdict.limits, *standard.values()])])
    ax.set_xlim(0, min(greatest * 1.12, 400))
    ax.set_xlabel("use of the limit (%)")
    ax.set_title(f"{finding.case.name}: limits", loc="left")
    keys = [
        Patch(facecolor=BLUE, edgecolor="black", label="schedule"),
        Patch(facecolor=ORANGE, edgecolor="black", label="schedule, binding"),
    ]
    if any(use.broken for use in verdict.limits):
        keys.append(Patch(facecolor=RED, edgecolor="black", label="schedule, broken"))
    if standard:
        keys.append(Patch(facecolor="white", edgecolor="0.35", hatch="///", label="standard"))
    ax.legend(handles=keys, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=8)
    return ax


def _percent_used(use: LimitUse) -> float:
    """Use in percent; 0 where a limit has none to speak of."""
    return 0.0 if use.use is None else 100.0 * use.use


def control(finding: Finding, ax: Axes | None = None) -> Axes:
    """Control of each lesion at the last horizon: the schedule against the standard regimen."""
    verdict = _judged(finding)
    ax = axes_of(ax, 7.0, 1.2 + 0.38 * len(verdict.lesions))
    standard = {} if finding.standard is None else {s.name: s for s in finding.standard.lesions}
    for place, lesion in enumerate(verdict.lesions):
        chance = 100 * lesion.control_probability[-1]
        usual = standard.get(lesion.name)
        if usual is not None:
            before = 100 * usual.control_probability[-1]
            ax.plot([before, chance], [place, place], "-", color="0.6", zorder=1)
            ax.plot(before, place, "s", color="white", markeredgecolor="0.2", markersize=7)
        ax.plot(chance, place, "o", color=BLUE, markeredgecolor="black", markersize=8)
        ax.text(102, place, percent(lesion.control_probability[-1]), va="center", fontsize=8)
    ax.set_yticks(range(len(verdict.lesions)), [lesion.name for lesion in verdict.lesions])
    ax.set_ylim(len(verdict.lesions) - 0.4, -0.6)
    ax.set_xlim(-2, 101)
    ax.set_xlabel(f"probability of control on day {finding.case.horizon_days[-1]} (%)")
    ax.set_title(f"{finding.case.name}: control", loc="left")
    ax.plot([], [], "o", color=BLUE, markeredgecolor="black", label="schedule")
    if standard:
        ax.plot([], [], "s", color="white", markeredgecolor="0.2", label="standard")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8)
    return ax


def curves(finding: Finding, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """What the judge computes day by day, on four axes that share the days.

    Expected clonogens of each lesion, precursors and effectors, occupancy of PD-(L)1, lymphocytes
    with their floor. Between the days of the judge's trace (weekly) lines are straight.
    """
    verdict = _judged(finding)
    if axes is None:
        axes = _figure(8.0, 9.0).subplots(4, 1, sharex=True)
    days, burdens = burdens_by_day(finding)
    colors, dashes = cycle(COLORS), cycle(DASHES)
    for name, burden in burdens.items():
        axes[0].plot(
            days, burden / np.log(10.0), color=next(colors), linestyle=next(dashes), label=name
        )
    axes[0].axhline(0.0, color="0.5", linewidth=0.7)
    axes[0].set_ylabel("log10 of burden\n(0: control 50 %)")
    axes[0].legend(fontsize=8, ncols=3)
    trace = verdict.immune["trace"]
    axes[1].plot(trace["day"], trace["precursors"], color=BLUE, label="precursors")
    axes[1].plot(trace["day"], trace["effectors"], color=RED, linestyle="--", label="effectors")
    axes[1].set_ylabel("T cells of the model\n(own unit)")
    axes[1].legend(fontsize=8)
    axes[2].plot(trace["day"], 100 * np.array(trace["occupancy"]), color=GREEN)
    axes[2].set_ylim(-2, 102)
    axes[2].set_ylabel("occupancy of\nPD-(L)1 (%)")
    blood = verdict.lymphocytes["trace"]
    axes[3].plot(blood["day"], blood["alc_1e9_per_l"], color=PURPLE, marker=".", label="count")
    for use in verdict.limits:
        if use.kind == "alc":
            axes[3].axhline(use.bound, color="black", linestyle=":", label=f"floor {use.bound:g}")
    axes[3].set_ylim(bottom=0)
    axes[3].set_ylabel("lymphocytes\n(1e9/L)")
    axes[3].set_xlabel("day of the case")
    axes[3].legend(fontsize=8)
    axes[0].set_title(f"{finding.case.name}: what the model expects over time", loc="left")
    return axes


def burdens_by_day(finding: Finding) -> tuple[list[int], dict[str, FloatArray]]:
    """Days, and log burden of each lesion at their ends, by the judge with these as horizons.

    A case has few horizons, so that the judge is asked several times.
    """
    assert finding.schedule is not None
    last = finding.case.days
    days = sorted({*range(1, last, max(1, last // POINTS)), *finding.case.horizon_days} - {last})
    at: dict[int, dict[str, float]] = {}
    for begin in range(0, len(days), HORIZONS - 1):
        asked = [*days[begin : begin + HORIZONS - 1], last]
        verdict = Judge(finding.case.with_({"horizon_days": asked})).evaluate(finding.schedule)
        for number, day in enumerate(asked):
            at[day] = {lesion.name: lesion.log_burden[number] for lesion in verdict.lesions}
    names = [lesion.name for lesion in finding.case.lesions]
    return [*days, last], {
        name: np.array([at[day][name] for day in (*days, last)]) for name in names
    }


def progress(finding: Finding, ax: Axes | None = None) -> Axes:
    """Bound and objective at the end, with the standard regimen: what is proved."""
    verdict = _judged(finding)
    ax = axes_of(ax, 6.5, 2.0)
    bound = finding.document.get("bound")
    values = [("schedule", verdict.objective, "o", BLUE)]
    if finding.standard is not None:
        values.append(("standard", finding.standard.objective, "s", GREY))
    for name, value, mark, color in values:
        ax.plot(value, 0, mark, color=color, markeredgecolor="black", markersize=9, label=name)
    if bound is not None:
        ax.axvline(float(bound), color=RED, label="no schedule is better")
    ax.set_yticks([])
    ax.set_xlabel(f"objective ({verdict.unit})")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8)
    return ax


KINDS: dict[str, Callable[[Finding], Any]] = dict(
    zip(PICTURES, (calendar, limits, control, curves, progress), strict=True)
)


def figure_of(finding: Finding, kind: str) -> Figure:
    """A figure with one kind of picture; raises InputError where there is nothing to draw."""
    if finding.schedule is None:
        status = str(finding.document.get("status"))
        rule = "has no schedule to draw"
        raise InputError([Problem(finding.label, "schedule", status, rule)])
    with in_style():
        drawn = KINDS[kind](finding)
        axes = drawn if hasattr(drawn, "figure") else drawn[0]
        figure: Figure = axes.figure
        return figure


def drawn(draw: Callable[[Axes], None], width: float, height: float) -> Figure:
    """A figure of its own, in inches, in the style of all pictures."""
    with mpl.rc_context(STYLE):
        figure = _figure(width, height)
        draw(figure.subplots())
        return figure


def refuse_ending(file: str, option: str = "--out") -> None:
    """Raise InputError where the name of a picture ends in something else than a format."""
    if Path(file).suffix.lower() not in FORMATS:
        rule = f"must end in {', '.join(FORMATS)}"
        raise InputError([Problem(option, "file", file[:80], rule)])


def save(figure: Figure, file: str) -> None:
    """Write a figure as PNG, SVG or PDF by the ending of its name; the same bytes every time."""
    path = Path(file)
    refuse_ending(file)
    metadata: dict[str, Any] = {".png": {}, ".svg": {"Date": None}}.get(
        path.suffix.lower(), {"CreationDate": None}
    )
    with in_style():
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format=path.suffix.lower()[1:], bbox_inches="tight", dpi=160, metadata=metadata
        )
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise InputError([Problem("--out", "file", file[:80], reason)]) from None


def svg_text(figure: Figure) -> str:
    """A figure as the text of an SVG element, for a page."""
    with in_style():
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _judged(finding: Finding) -> Evaluation:
    """The verdict on the schedule; `figure_of` refuses findings without one."""
    assert finding.evaluation is not None
    return finding.evaluation


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes that are given, or those of a figure of its own; sizes in inches."""
    return _figure(width, height).subplots() if ax is None else ax


def in_style() -> AbstractContextManager[None]:
    """Within it figures have the style of all pictures, ids of SVG included."""
    return mpl.rc_context(STYLE)
