"""A tornado: by how much the optimum changes with each limit and parameter, widest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.report.plots import BLUE, GREY, ORANGE, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from abscopt.optimizer.ranged.sensitivity import Sensitivity

MOST = 30
"""Bars that are legible on one page."""


def tornado(study: Sensitivity) -> Figure:
    """One bar for each end of an axis, from the answer to the case as it stands.

    A bar ends in the middle of the interval in which the change of the optimum is known to lie; the
    line through its end is the interval. A hatched bar: the answer fails there.
    """
    swings = [swing for swing in study.swings if swing.varied][:MOST]

    def draw(ax: Axes) -> None:
        for place, swing in enumerate(swings):
            for number, varied in enumerate(swing.varied):
                if varied.change is None or varied.moved is None:
                    continue
                color = (ORANGE, BLUE)[number % 2] if varied.decided else GREY
                hatch = "////" if varied.stays == "fails" else None
                ax.barh(
                    place, varied.moved, color=color, hatch=hatch, edgecolor="black", height=0.7
                )
                ax.plot(varied.change, [place, place], color="black", linewidth=1)
                side = "left" if varied.moved >= 0 else "right"
                ax.annotate(
                    varied.words, (varied.moved, place), xytext=(4 if side == "left" else -4, 0),
                    textcoords="offset points", ha=side, va="center", fontsize=7,
                )  # fmt: skip
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set_yticks(range(len(swings)), [swing.axis.name for swing in swings])
        ax.set_ylim(max(len(swings), 1) - 0.4, -0.6)
        ax.margins(x=0.15)
        ax.set_xlabel(f"change of the optimum ({study.solved.unit}); grey: within the gaps")
        ax.set_title(f"{study.case.name}: what the answer depends on; hatched: it fails there")

    return drawn(draw, 8.0, 1.2 + 0.34 * max(1, len(swings)))
