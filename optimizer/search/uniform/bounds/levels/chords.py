"""How far a lesion's value rises above its chord between two levels of systemic effect.

As a function of the log of the raw log kill z, a value lies below its chord plus this much. Chords
are linear in ln z, so that the greatest Lagrangian value of a cell is that of a corner: what a
cell's width costs its bound falls with the square of the width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import outcome
from abscopt.models.tumor.population import UNDERFLOW, burden_of_shares, shares_by_node
from abscopt.optimizer.candidates.value import value_of_burden

if TYPE_CHECKING:
    from abscopt.instances.schema import Objective


TINY = 1e-300
CLEAR = 1e-12
"""By so many nats log control is above the line where it counts as above: far over rounding."""

Ends = Sequence[FloatArray]
"""Two arrays: at the lower and at the upper end of a cell, or least and greatest."""


def above_chord(
    goal: Objective,
    nodes: FloatArray,
    local: FloatArray,
    share: FloatArray,
    low: FloatArray,
    high: FloatArray,
    maximum: float | None,
) -> FloatArray:
    """Bound of value less chord for raw log kills between two, shapes (..., clones), (...).

    A function whose slope stays within [d, D] and whose chord has the slope m rises over a width w

        height <= w (D - m)(m - d)/(D - d)

    above it. The slope in ln z is that of the value in the
    saturated kill S (`_Cell`), times that of S, S (1 - S/S_max). A conceded lesion's value is the
    greater of log control and a line, whose chords lie below its own: the greater of their rises
    is a bound.

    Parameters
    ----------
    nodes : weights of the lesion's radiosensitivities
    """
    first, second = (
        end_of(goal, nodes, local, share, immune.saturate(z, maximum)) for z in (low, high)
    )
    return above_chord_between(goal, nodes, first, second, np.log(high / low), maximum)


def above_chord_between(
    goal: Objective,
    nodes: FloatArray,
    first: End,
    second: End,
    width: FloatArray | float,
    maximum: float | None,
) -> FloatArray:
    """`above_chord` of what is known at both ends of a cell; of cells in a row each end serves two.

        height <= (M - r)(r - m) / (M - m),     r = value_2 - value_1,     m, M = width times slope

    Parameters
    ----------
    width : of the cell in ln z
    """
    gains = tuple(gain * width for gain in _gains(first.kill, second.kill, maximum))
    slopes = _slopes_of_one if len(nodes) == 1 else partial(_slopes_of_population, nodes)
    fall, by_value = slopes(goal.kind, (first, second), gains)
    before, after = first.burden, second.burden
    rise = second.value - first.value
    if goal.kind == "log_kill":
        height = _rise(before - after, *fall)
    elif goal.kind == "expected_control":
        height = _rise(rise, *by_value)
    else:
        height = _rise(second.log_control - first.log_control, *by_value)
    if goal.kind == "default":
        edge, slope = outcome.concession_burden(goal.conceded_at_nats), goal.conceded_slope
        line = _rise(slope * (before - after), *(slope * end_slope for end_slope in fall))
        height = np.where(
            before <= edge, height, np.where(after >= edge, line, np.maximum(height, line))
        )
        crossed = line_above(goal.conceded_at_nats, slope)
        height = np.where((before > edge) & (after < crossed), rise, height)
    return np.minimum(height, np.maximum(rise, 0.0))


@cache
def line_above(floor_nats: float, slope: float) -> float:
    """Log burden from which on, up to the floor's u_L, the line is not above log control.

    h(u) = -ln(1 + e^u) + L + slope (u - u_L) is concave and 0 at u_L; its greatest is where
    1/(1 + e^-u) = slope, left of u_L. The root left of that is approached from the right, where
    h >= `CLEAR`, so that rounding of h does not matter.
    """
    edge = outcome.concession_burden(floor_nats)

    def above(burden: float) -> float:
        line = -floor_nats - slope * (burden - edge)
        return float(outcome.log_control(burden)) - line

    low, high = edge - floor_nats / slope, math.log(slope / (1.0 - slope))
    if above(high) < CLEAR:
        return edge
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if above(middle) >= CLEAR else (middle, high)
    return high


def _rise(rise: FloatArray, low_slope: FloatArray, high_slope: FloatArray) -> FloatArray:
    """(M - r)(r - m) / (M - m), at least 0: greatest height above the chord.

    r: rise of the chord over the cell's width; m, M: least and greatest slope times the width.
    """
    over: FloatArray = np.maximum((high_slope - rise) * (rise - low_slope), 0.0)
    return over / np.maximum(high_slope - low_slope, TINY)


@dataclass(frozen=True)
class End:
    """A lesion at one saturated kill, an end of a cell.

    Attributes
    ----------
    kill : the saturated kill (...)
    burden, value, log_control : (...) of the lesion; log control where the objective asks for it
    share : (..., nodes) mean share of the effect of what is left; (...) of one tumor
    lost, control : (..., nodes) 1 - P_q and P_q
    whole_lost, whole_control : (...) their means; of one tumor none of the four is known
    """

    kill: FloatArray
    burden: FloatArray
    value: FloatArray
    log_control: FloatArray
    share: FloatArray
    lost: FloatArray
    control: FloatArray
    whole_lost: FloatArray
    whole_control: FloatArray


NONE = np.empty(0)


def end_of(
    goal: Objective, nodes: FloatArray, local: FloatArray, share: FloatArray, kill: FloatArray
) -> End:
    """What both cells that meet at a saturated kill have in common.

    Parameters
    ----------
    nodes : weights of the lesion's radiosensitivities
    local : (..., nodes x clones) log burdens without systemic effect
    share : (..., nodes x clones) of the systemic effect
    kill : (...)
    """
    lost = control = whole_lost = whole_control = NONE
    if len(nodes) == 1:
        burden, mean_share = _burden(local, share, kill)
    else:
        clones = local.shape[-1] // len(nodes)
        local, share = (x.reshape(*x.shape[:-1], len(nodes), clones) for x in (local, share))
        by_node, mean_share = _burden(local, share, kill[..., None])
        lost, control = shares_by_node(by_node)
        whole_lost, whole_control = lost @ nodes, control @ nodes
        burden = burden_of_shares(by_node, whole_lost, whole_control, nodes)
    logged = goal.kind not in ("log_kill", "expected_control")
    return End(
        kill, burden, value_of_burden(goal, burden),
        outcome.log_control(burden) if logged else NONE,
        mean_share, lost, control, whole_lost, whole_control,
    )  # fmt: skip


Slopes = tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""Least and greatest, times the cell's width, of how fast the log burden falls, and of how fast log
control (or, where it is the goal, control) rises."""


def _slopes_of_one(kind: str, ends: tuple[End, End], gains: Ends) -> Slopes:
    """One tumor of clones: du/dS = -s, d ln P/dS = (1 - P) s, dP/dS = P (1 - P) s.

    s, the mean share of what is left, falls with the effect: clones of greater share die first.
    """
    low, high = ends[1].share * gains[0], ends[0].share * gains[1]
    if kind == "expected_control":
        control = [outcome.control_probability(end.burden) for end in ends]
        value = _least_and_greatest([1.0 - chance for chance in control], control)
        return (low, high), (value[0] * low, value[1] * high)
    steep = [outcome.control_probability(-end.burden) for end in ends]
    return (low, high), (steep[1] * low, steep[0] * high)


def _slopes_of_population(
    nodes: FloatArray, kind: str, ends: tuple[End, End], gains: Ends
) -> Slopes:
    """Tumors of several radiosensitivities: P = sum_q w_q P_q, U = ln(1/P - 1), P_q = 1/(1+e^u_q).

    dP/dS = N = sum_q w_q P_q (1 - P_q) s_q, d ln P/dS = N/P, -dU/dS = N/(P (1 - P)). In the cell
    P_q rises and s_q falls, so N lies between the sums of the least and greatest of each
    P_q (1 - P_q) and s_q, and P and P (1 - P) between those of the ends. Besides, -dU/dS <= max s_q
    as E[P_q (1 - P_q)] <= P (1 - P) (Jensen), and d ln P/dS, the mean of (1 - P_q) s_q with
    weights w_q P_q, lies between the least and the greatest of it.
    """
    most_share, least_share = (end.share for end in ends)
    lost, control = [end.lost for end in ends], [end.control for end in ends]
    whole_control = [end.whole_control for end in ends]
    rates = _least_and_greatest(lost, control)
    slope = (rates[0] * least_share) @ nodes, (rates[1] * most_share) @ nodes
    of_whole = _least_and_greatest([end.whole_lost for end in ends], whole_control)
    top = most_share.max(axis=-1)
    fall = (
        _ratio(slope[0], of_whole[1], 0.0) * gains[0],
        np.minimum(_ratio(slope[1], of_whole[0], top), top) * gains[1],
    )
    if kind == "expected_control":
        return fall, (slope[0] * gains[0], slope[1] * gains[1])
    ends_of_mean = (
        (lost[1] * least_share).min(axis=-1), (lost[0] * most_share).max(axis=-1),
    )  # fmt: skip
    value = (
        np.maximum(_ratio(slope[0], whole_control[1], 0.0), ends_of_mean[0]) * gains[0],
        np.minimum(_ratio(slope[1], whole_control[0], top), ends_of_mean[1]) * gains[1],
    )
    return fall, value


def _least_and_greatest(
    lost: Sequence[FloatArray], control: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest P (1 - P) where P rises from its first to its second value.

    P (1 - P) rises up to P = 1/2 and falls from there on.
    """
    ends = lost[0] * control[0], lost[1] * control[1]
    across = (control[0] < 0.5) & (control[1] > 0.5)
    return np.minimum(*ends), np.where(across, 0.25, np.maximum(*ends))


def _ratio(numerator: FloatArray, whole: FloatArray, otherwise: FloatArray | float) -> FloatArray:
    """numerator / whole; otherwise a known bound, where the whole is too small for a float."""
    safe = whole > UNDERFLOW
    return np.where(safe, numerator / np.where(safe, whole, 1.0), otherwise)


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
