"""The page and figure of `closed_loop.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closed_loop import Row

WORDS = {
    "stated": "plan of the stated case",
    "robust": "plan of the mean, kept",
    "again": "re-planned, nothing measured",
    "counts": "re-planned on counts",
    "all": "re-planned on counts, volumes, ctDNA",
    "all, noisy": "the same, errors twice as great",
    "told": "re-planned, parameters known",
}
LITTLE = 0.01
"""Nats below which a difference is called next to nothing."""


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """What was done, what helps and what does not, the table."""
    cases = list(dict.fromkeys(row.case for row in rows))
    patients = sum(row.patients for row in rows if row.arm == "robust")
    lines = [
        "# Does re-planning on measurements help?",
        "",
        "Written by `benchmarks/studies/closed_loop.py --write`, which says what is done in full. "
        f"{patients} virtual patients of {len(cases)} bundled cases begin with the plan that the "
        "mean over the ensemble `monitored` decides. In the middle of the course the rest is "
        "chosen again: knowing nothing new, by lymphocyte counts, by counts, CT volumes and ctDNA, "
        "by the same with errors twice as great as believed, and by the true parameters. Half of "
        "the patients are from the ensemble, half from outside: their parameters spread twice as "
        "wide, and an effector has half the effect. Every plan is judged in the patient's own "
        "parameters; differences are from the plan of the mean that is kept, in the unit of the "
        "objective (nats), with 95 % intervals of paired differences.",
        "",
        "![Mean difference from the plan that is kept](adaptive.svg)",
        "",
        *verdicts(rows, cases),
        "",
        "| case | patients | way to go on | difference | 95 % | control | limits broken in "
        "| plan changed in | effective parameter sets | solves | CPU in s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        number = "-" if row.effective is None else f"{row.effective:.0f}"
        lines.append(
            f"| {row.case} | {row.patients} {row.truth} | {WORDS[row.arm]} | {row.gain:+.4f} "
            f"| {row.low:+.4f} to {row.high:+.4f} | {100 * row.control:.1f} % "
            f"| {100 * row.broken:.0f} % | {100 * row.changed:.0f} % | {number} "
            f"| {row.solves} | {row.seconds:.1f} |"
        )
    machine_words = ", ".join(f"{key} {value}" for key, value in about.items())
    days = ", ".join(
        f"{case} day {row.day}, {row.rests} rests"
        for case in cases
        for row in [next(r for r in rows if r.case == case)]
    )
    return "\n".join(
        [
            *lines,
            "",
            f"Second decisions: {days}. A limit that the patient's own parameters move (the floor "
            "of lymphocytes) may be broken with a probability of 10 % by what is known; the plans "
            "that are kept were decided so that no member of their ensemble breaks one.",
            "",
            *cost_lines(rows),
            f"Measured on a machine with other work: {machine_words}.",
            "",
            "Where the dose of each day is chosen by the anatomy of that day: "
            "[adaptive fractionation](adaptive-fractionation.md).",
            "",
        ]
    )


def cost_lines(rows: Sequence[Row]) -> list[str]:
    """What solves and CPU of the table are, and what a decision by search takes."""
    one = "; ".join(f"{row.case} {row.searched:.0f} s" for row in rows if row.searched is not None)
    lines = [
        "*Solves* are decisions made for the patients of a row, beyond the first plan, which all "
        "ways but one share; *CPU* is that of all of them together. Re-planning values all rests "
        "once in 128 parameter sets (in the patient's own where these are known), and then only "
        "weighs anew for each patient; that of plans which are kept is the one solve, or decision "
        "over 16 members, that made them."
    ]
    if one:
        lines[0] += f" One decision by the search over 128 members, which makes no table: {one}."
    return [*lines, ""]


def verdicts(rows: Sequence[Row], cases: Sequence[str]) -> list[str]:
    """A sentence for each way to go on: where it helps, harms or makes no difference."""
    gain = {(row.case, row.truth, row.arm): row.gain for row in rows}
    lines = []
    for arm in ("again", "counts", "all", "all, noisy", "told"):
        of_arm = [row for row in rows if row.arm == arm]
        helps = [row for row in of_arm if row.low > 0.0]
        harms = [row for row in of_arm if row.high < 0.0]
        words = (
            f"* **{WORDS[arm][0].upper()}{WORDS[arm][1:]}**: better than keeping the plan in "
            f"{_places(helps)}, worse in {_places(harms)} (intervals without 0), of {len(of_arm)}."
        )
        if arm != "again":
            further = ", ".join(
                f"{row.gain - gain[row.case, row.truth, 'again']:+.3f} ({row.case}, {row.truth})"
                for row in of_arm
            )
            words += f" Beyond re-planning with nothing measured: {further}."
        lines.append(words)
    told = {(row.case, row.truth): row.gain for row in rows if row.arm == "told"}
    little = [case for case in cases if all(told[case, t] < LITTLE for t in ("inside", "outside"))]
    if little:
        lines.append(
            f"* In {', '.join(little)} even knowing the parameters on the day would gain less "
            f"than {LITTLE:g}: limits, not knowledge, decide what is left of the course."
        )
    kept = {(row.case, row.truth): row for row in rows if row.arm == "robust"}
    moved = [
        (100 * abs(row.control - kept[row.case, row.truth].control), row)
        for row in rows
        if row.arm in ("counts", "all", "all, noisy", "told")
    ]
    points, row = max(moved, key=lambda entry: entry[0])
    lines.append(
        "* Mean control of the treated tumor moves by at most "
        f"{points:.1f} points ({row.case}, {row.truth}, {WORDS[row.arm]}): a difference in "
        "nats is not one in the mean control of that tumor."
    )
    lines += [
        f"* {case}, patients {truth}: a limit is broken in {100 * plan.broken:.0f} % where the "
        f"plan is kept, in {100 * counts:.0f} % where counts are known."
        for (case, truth), plan in kept.items()
        for counts in [
            next(r.broken for r in rows if (r.case, r.truth, r.arm) == (case, truth, "counts"))
        ]
        if plan.broken > 0.0
    ]
    lines += [
        f"* {case}, patients {truth}: with all measurements re-planning is worth "
        f"{-measured.gain:.3f} less than the plan that is kept, and breaks a limit in "
        f"{100 * measured.broken:.0f} % in place of {100 * plan.broken:.0f} %: the plan that is "
        "kept takes more of the limit than a second decision may."
        for (case, truth), plan in kept.items()
        for measured in [next(r for r in rows if (r.case, r.truth, r.arm) == (case, truth, "all"))]
        if measured.high < 0.0 and measured.broken < plan.broken
    ]
    lines.append(
        "* Re-planning with nothing measured gains where the first plan was decided within a gap, "
        "and because a second decision may take a chance with limits that the first one did not "
        "take; it loses where the first plan, decided for 16 members, breaks a limit in more of "
        "the 128 than a second decision may. It is the baseline of the others."
    )
    return lines


def _places(rows: Sequence[Row]) -> str:
    if not rows:
        return "none"
    return f"{len(rows)} ({', '.join(f'{row.case} {row.truth}' for row in rows)})"


def figure(rows: Sequence[Row], file: Path) -> None:
    """Differences from the plan that is kept, with intervals, case by case."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from abscopt.optimizer.report.plots import COLORS, STYLE

    cases = list(dict.fromkeys(row.case for row in rows))
    arms = [arm for arm in WORDS if arm != "robust"]
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(8.0, 1.6 + 0.9 * len(cases)), layout="constrained")
        axes = drawn.subplots(1, 2, sharey=True)
        for ax, truth in zip(axes, ("inside", "outside"), strict=True):
            for number, arm in enumerate(arms):
                shown = [row for row in rows if row.arm == arm and row.truth == truth]
                at = [cases.index(row.case) + 0.13 * (number - 2.5) for row in shown]
                ax.errorbar(
                    [row.gain for row in shown],
                    at,
                    xerr=[
                        [row.gain - row.low for row in shown],
                        [row.high - row.gain for row in shown],
                    ],
                    fmt="os^DvP"[number],
                    color=COLORS[number],
                    markeredgecolor="black",
                    markersize=5,
                    label=WORDS[arm],
                )
            ax.axvline(0.0, color="0.4", linewidth=0.8)
            ax.set_title(f"patients {truth} the ensemble", fontsize=9)
            ax.set_xlabel("mean difference from the plan that is kept (nats)", fontsize=8)
            ax.tick_params(axis="x", labelsize=7)
        axes[0].set_yticks(range(len(cases)), cases)
        axes[0].set_ylim(len(cases) - 0.4, -0.6)
        drawn.legend(
            *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8
        )
        drawn.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
