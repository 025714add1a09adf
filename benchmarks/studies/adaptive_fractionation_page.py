"""The page and figure of `adaptive_fractionation.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from adaptive_fractionation import Row

WORDS = {
    "fixed": "fixed dose",
    "policy": "published policy",
    "mean": "re-planned, factors to come at their mean",
    "spread": "re-planned, factors to come spread",
    "hindsight": "hindsight",
}
AIMS = {
    "tumor": "Tumor BED10 for 90 Gy of organ BED3",
    "organ": "Organ BED3 for 72 Gy of tumor BED10",
}
RESAMPLES, SEED = 10_000, 20261130
LITTLE_GY = 0.05
"""Gy of BED below which two ways are called equal in a patient: half a step of dose."""

Benefits = dict[str, np.ndarray[Any, Any]]


def benefits(rows: Sequence[Row], aim: str, orders: int) -> Benefits:
    """Per way and patient: Gy of tumor BED, or of organ BED with a minus."""
    chosen = [row for row in rows if row.aim == aim and row.orders == orders]
    ways = dict.fromkeys(row.way for row in chosen)
    return {
        way: np.array(
            [row.tumor_gy if aim == "tumor" else -row.organ_gy for row in chosen if row.way == way]
        )
        for way in ways
    }


def interval(differences: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Mean over patients, and 95 % of the means of patients drawn again."""
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """What was done, what it comes to, the tables."""
    number = len({row.patient for row in rows})
    every = max(row.orders for row in rows)
    lines = [
        "# Adaptive fractionation: re-planning against a published policy",
        "",
        "Written by `benchmarks/studies/adaptive_fractionation.py --write`, which says what is "
        f"done in full. {number} patients with abdominal tumors had five fractions at an MR-linac "
        "(Perez Haas et al., Phys Med Biol 2023;68:035003); each day shows the sparing factor of "
        "the organ next to the tumor, those of later days are not known. Two aims: the greatest "
        "tumor BED10 within 90 Gy of organ BED3 (the paper's), and the least organ BED3 for 72 Gy "
        "of tumor BED10, which all ways reach. All ways have the same bounds (0 to 23 "
        "Gy a fraction) and know the same: the factors so far and a prior of their spread fitted "
        "to the other patients.",
        "",
        "* **Fixed dose**: 6 Gy to the organ each day; 8 Gy to the tumor for the second aim.",
        "* **Published policy**: dynamic programming over the BED that is left, factors to come "
        "normal with a gamma prior of their spread (that of adaptfx, written anew; it gives "
        "adaptfx's own doses in eight patients to 0.2 Gy).",
        "* **Re-planned**: each day the rest is solved anew (`solve`) from what was given, today's "
        "factor and those expected, either all at their mean or spread as the distribution says.",
        "* **Hindsight**: all factors known. No way can do better.",
        "",
        "![Gain over the fixed dose of each patient](adaptive-fractionation.svg)",
        "",
        *verdicts(rows, every),
    ]
    for aim, title in AIMS.items():
        lines += ["", f"## {title}", "", *_summary(rows, aim, every), "", *_patients(rows, aim)]
    seconds = {
        way: sum(row.seconds for row in rows if row.way == way and row.orders == 1)
        for way in ("policy", "mean", "spread")
    }
    machine_words = ", ".join(f"{key} {value}" for key, value in about.items())
    return "\n".join(
        [
            *lines,
            "",
            "Differences are Gy of BED that are gained (tumor) or saved (organ); intervals are of "
            f"the mean over patients ({RESAMPLES} draws of the patients with replacement). In the "
            f"rows of all {every} orders of each patient's days the rest is solved by one "
            "multiplier, which agrees with `solve` within its gap and grid. CPU of all decisions "
            "in the published order: "
            + ", ".join(f"{WORDS[way]} {value:.0f} s" for way, value in seconds.items())
            + ". Factors of patients 1 to 8 are the paper's, the others and all planning scans are "
            "derived from the histograms published with adaptfx "
            f"(`benchmarks/studies/sparing_factors.toml`). Measured on: {machine_words}.",
            "",
        ]
    )


def verdicts(rows: Sequence[Row], every: int) -> list[str]:
    """What re-planning is worth beside the policy, how much is left, where both lose."""
    lines, apart = [], {"better": 0, "worse": 0, "compared": 0}
    for aim, unit in (("tumor", "of tumor BED"), ("organ", "of organ BED")):
        for orders, days in ((1, "in the published order"), (every, f"over all {every} orders")):
            worth = benefits(rows, aim, orders)
            parts = []
            for way in ("mean", "spread"):
                mean, low, high = interval(worth[way] - worth["policy"])
                apart["compared"] += 1
                apart["better"] += low > 0
                apart["worse"] += high < 0
                parts.append(f"{WORDS[way]} {mean:+.2f} Gy ({low:+.2f} to {high:+.2f})")
            lines.append(f"* Against the policy, {unit}, {days}: {'; '.join(parts)}.")
        gain, most = worth["policy"] - worth["fixed"], worth["hindsight"] - worth["fixed"]
        few = sorted(np.argsort(-most)[:3].tolist())
        lines.append(
            f"* Knowing all factors is worth {most.mean():.1f} Gy {unit} over the fixed dose, "
            f"{100 * most[few].sum() / most.sum():.0f} % of it in three patients "
            f"({', '.join(str(1 + i) for i in few)}). Over all orders the policy has "
            f"{100 * gain.sum() / most.sum():.0f} % of that, re-planning "
            + " and ".join(
                f"{100 * (worth[way] - worth['fixed']).sum() / most.sum():.0f} %"
                for way in ("mean", "spread")
            )
            + "."
        )
        published = benefits(rows, aim, 1)
        lost = [
            str(1 + int(i))
            for i in np.flatnonzero(published["policy"] < published["fixed"] - LITTLE_GY)
        ]
        lines.append(
            f"* In the published order the policy does worse than the fixed dose in patients "
            f"{', '.join(lost) or 'none'}: a good day that comes last finds little left to give."
        )
    head = (
        f"**Re-planning does about as well as the policy, not better**: of {apart['compared']} "
        f"comparisons {apart['better']} are better and {apart['worse']} worse with an interval "
        "that leaves out 0. Taking factors to come at their mean overlooks that a good day may "
        "still come; taking them spread repairs it."
        if apart["better"] == 0
        else f"Of {apart['compared']} comparisons re-planning is better in {apart['better']} and "
        f"worse in {apart['worse']} with an interval that leaves out 0."
    )
    return [head, "", *lines]


def _summary(rows: Sequence[Row], aim: str, every: int) -> list[str]:
    lines = [
        "| days | way | mean BED (Gy) | against the policy | 95 % | better / equal / worse "
        "| short of hindsight |",
        "|---|---|---|---|---|---|---|",
    ]
    for orders, days in ((1, "as published"), (every, f"all {every} orders")):
        worth = benefits(rows, aim, orders)
        for way, values in worth.items():
            difference = values - worth["policy"]
            mean, low, high = interval(difference)
            better, worse = (difference > LITTLE_GY).sum(), (difference < -LITTLE_GY).sum()
            counts = f"{better} / {len(values) - better - worse} / {worse}"
            against = "- | - | -" if way == "policy" else (
                f"{mean:+.3f} | {low:+.3f} to {high:+.3f} | {counts}"
            )  # fmt: skip
            short = float((worth["hindsight"] - values).mean())
            lines.append(
                f"| {days} | {WORDS[way]} | {abs(values.mean()):.3f} | {against} | {short:.3f} |"
            )
    return lines


def _patients(rows: Sequence[Row], aim: str) -> list[str]:
    """BED of each patient in the published order, and what re-planning gave."""
    lines = [
        "| patient | " + " | ".join(WORDS.values()) + " | doses, re-planned at the mean (Gy) |",
        "|---|" + "---|" * (len(WORDS) + 1),
    ]
    chosen = [row for row in rows if row.aim == aim and row.orders == 1]
    for number in dict.fromkeys(row.patient for row in chosen):
        of_patient = {row.way: row for row in chosen if row.patient == number}
        values = [
            f"{of_patient[way].tumor_gy if aim == 'tumor' else of_patient[way].organ_gy:.2f}"
            for way in WORDS
        ]
        doses = " ".join(f"{dose:.1f}" for dose in of_patient["mean"].doses_gy)
        lines.append(f"| {number} | " + " | ".join(values) + f" | {doses} |")
    return lines


def figure(rows: Sequence[Row], file: Path) -> None:
    """Gain over the fixed dose, patient by patient, in the published order."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from abscopt.optimizer.report.plots import COLORS, STYLE

    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(8.0, 4.6), layout="constrained")
        axes = drawn.subplots(2, 1, sharex=True)
        for ax, (aim, title) in zip(axes, AIMS.items(), strict=True):
            worth = benefits(rows, aim, 1)
            at = np.arange(1, 1 + len(worth["fixed"]))
            for i, way in enumerate(way for way in WORDS if way != "fixed"):
                ax.plot(
                    at + 0.16 * (i - 1.5),
                    worth[way] - worth["fixed"],
                    "os^D"[i],
                    color=COLORS[i],
                    markeredgecolor="black",
                    markersize=5,
                    label=WORDS[way],
                )
            ax.axhline(0.0, color="0.4", linewidth=0.8)
            ax.set_yscale("symlog", linthresh=1.0)
            ax.set_ylim(-20.0, 80.0)
            ax.set_yticks([-10, -1, 0, 1, 10, 50], ["-10", "-1", "0", "1", "10", "50"])
            ax.set_title(title, fontsize=9)
            ax.set_ylabel("Gy gained" if aim == "tumor" else "Gy saved", fontsize=8)
        axes[1].set_xticks(at, [str(i) for i in at])
        axes[1].set_xlabel("patient", fontsize=8)
        drawn.legend(
            *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8
        )
        drawn.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
