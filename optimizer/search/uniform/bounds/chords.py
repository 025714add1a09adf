"""How far a lesion's value rises above its chord between two levels of systemic effect.

As a function of the log of the raw log kill z, a value lies below its chord plus this much. Chords
are linear in ln z, so that the greatest Lagrangian value of a cell is that of a corner: what a
cell's width costs its bound falls with the square of the width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune, outcome
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.value import value_of_burden

if TYPE_CHECKING:
    from abscopt.instances.schema import Objective


TINY = 1e-300


def above_chord(
    goal: Objective,
    local: FloatArray,
    share: FloatArray,
    low: FloatArray,
    high: FloatArray,
    maximum: float | None,
) -> FloatArray:
    """Bound of value less chord for raw log kills between two, shapes (..., clones), (...).

    A function whose slope stays within [d, D] and whose chord has the slope m rises at most
    w (D - m)(m - d)/(D - d) above it over a width w. The slope in ln z is the fall of the value per
    nat of burden, times the mean share of the clones left (it falls with the effect), times that
    of the saturated kill S, S (1 - S/S_max). A conceded lesion's value is the greater of log
    control and a line, whose chords lie below its own: the greater of their rises is a bound.
    """
    ends = [immune.saturate(z, maximum) for z in (low, high)]
    burdens, shares = zip(*(_burden(local, share, kill) for kill in ends), strict=True)
    width = np.log(high / low)
    gains = _gains(ends[0], ends[1], maximum)
    low_slope, high_slope = shares[1] * gains[0] * width, shares[0] * gains[1] * width
    after, before = burdens[1], burdens[0]
    rise = value_of_burden(goal, after) - value_of_burden(goal, before)
    if goal.kind == "log_kill":
        height = _rise(before - after, low_slope, high_slope)
    elif goal.kind == "expected_control":
        height = _rise(rise, *_of_control(after, before, low_slope, high_slope))
    else:
        curve = outcome.log_control(after) - outcome.log_control(before)
        steep = [outcome.control_probability(-burden) for burden in burdens]
        height = _rise(curve, steep[1] * low_slope, steep[0] * high_slope)
    if goal.kind == "default":
        edge, slope = outcome.concession_burden(goal.conceded_at_nats), goal.conceded_slope
        line = _rise(slope * (before - after), slope * low_slope, slope * high_slope)
        height = np.where(
            before <= edge, height, np.where(after >= edge, line, np.maximum(height, line))
        )
        crossed = edge - goal.conceded_at_nats / slope  # left of it the line is above log control
        height = np.where((before > edge) & (after < crossed), rise, height)
    return np.minimum(height, np.maximum(rise, 0.0))


def _rise(rise: FloatArray, low_slope: FloatArray, high_slope: FloatArray) -> FloatArray:
    """(M - r)(r - m) / (M - m), at least 0: greatest height above the chord.

    r: rise of the chord over the cell's width; m, M: least and greatest slope times the width.
    """
    over: FloatArray = np.maximum((high_slope - rise) * (rise - low_slope), 0.0)
    return over / np.maximum(high_slope - low_slope, TINY)


def _of_control(
    after: FloatArray, before: FloatArray, low_slope: FloatArray, high_slope: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest rise of the control probability over burdens between two."""
    ends = [outcome.control_probability(burden) for burden in (after, before)]
    middle = outcome.control_probability(np.clip(0.0, after, before))
    slopes = [control * (1.0 - control) for control in (*ends, middle)]
    return np.minimum(slopes[0], slopes[1]) * low_slope, slopes[2] * high_slope


def _burden(
    local: FloatArray, share: FloatArray, kill: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log burden B = ln sum_i e^(b_i), b_i = local_i - share_i kill, and sum_i e^(b_i - B) share_i.

    Shapes (..., clones) to (...): all clones, and the mean share of what is left.
    """
    if local.shape[-1] == 1:
        return local[..., 0] - share[..., 0] * kill, share[..., 0]
    surviving = local - share * kill[..., None]
    total = outcome.total_log_burden(surviving)
    return total, np.sum(np.exp(surviving - total[..., None]) * share, axis=-1)


def _gains(
    low: FloatArray, high: FloatArray, maximum: float | None
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest slope of the saturated kill in the log of the raw one between two."""
    if maximum is None:
        return low, high
    middle = np.clip(maximum / 2, low, high)
    ends = [kill * (1.0 - kill / maximum) for kill in (low, high, middle)]
    return np.minimum(ends[0], ends[1]), ends[2]
