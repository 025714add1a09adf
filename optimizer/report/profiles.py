"""The picture of a performance profile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from abscopt.optimizer.report.plots import COLORS, DASHES, STYLE

if TYPE_CHECKING:
    from abscopt.optimizer.sweeps.contests.profile import Profile

PLACE_AFTER_LAST = 1.5
"""The curves run on by this factor, so that their ends are seen to be flat."""


def profile_figure(curves: Profile, contestants: Sequence[str], cost: str) -> Figure:
    """Steps of each contestant: share of runs against the ratio to the best, on a log axis."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 4.0), layout="constrained")
        ax = figure.subplots()
        steps = {name: curves.steps(name) for name in contestants}
        end = PLACE_AFTER_LAST * max(ratio for points in steps.values() for ratio, _ in points)
        styles = zip(cycle(COLORS), cycle(DASHES), strict=False)
        for (name, points), (color, dash) in zip(steps.items(), styles, strict=False):
            ratios = [*(ratio for ratio, _ in points), end]
            shares = [*(100 * share for _, share in points), 100 * points[-1][1]]
            ax.step(ratios, shares, where="post", color=color, linestyle=dash, label=name)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_xlim(1.0, end)
        ax.set_ylim(0.0, 103.0)
        ax.set_xlabel(f"ratio to the best ({cost})")
        ax.set_ylabel(f"share of {curves.problems} runs solved within it, %")
        ax.legend(loc="lower right")
        return figure
