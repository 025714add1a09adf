"""The figure of `docs/surrogate.md`: rank correlation by case, one panel per model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_error import CaseStudy

FIGURE = Path(__file__).parents[2] / "docs" / "surrogate.svg"


def draw(results: Sequence[CaseStudy], path: Path = FIGURE) -> None:
    """Draw tau of effect and score by case, one panel per model."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    known = dict.fromkeys(s.model for one in results for s in one.studies if s.chosen is not None)
    models = [s.model for s in results[0].studies if s.model in known]
    cases = [one.case for one in results]
    with mpl.rc_context({"svg.hashsalt": "abscopt", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = plt.subplots(
            1, len(models), sharey=True, squeeze=False, layout="constrained",
            figsize=(2.0 + 1.5 * len(models), 0.8 + 0.19 * len(cases)),
        )  # fmt: skip
        for axis, model in zip(axes[0], models, strict=True):
            studies = [next(s for s in one.studies if s.model == model) for one in results]
            for name, marker, color, values in (
                ("systemic effect", "o", "#0072b2", [s.effect for s in studies]),
                ("score", "s", "#d55e00", [s.score for s in studies]),
            ):
                points = [
                    (v.tau, y) for y, v in enumerate(values) if v is not None and v.tau is not None
                ]
                axis.plot(
                    [x for x, _ in points],
                    [y for _, y in points],
                    marker, color=color, label=name, markersize=4,
                    markerfacecolor=color if marker == "o" else "none",
                )  # fmt: skip
            axis.axvline(0.0, color="0.6", linewidth=0.8)
            axis.set(xlim=(-1.05, 1.05), ylim=(len(cases) - 0.5, -0.5), title=model)
            axis.set_xlabel("Kendall tau-b")
            axis.grid(axis="y", color="0.9", linewidth=0.5)
        axes[0][0].set_yticks(range(len(cases)), cases)
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
