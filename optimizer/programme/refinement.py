"""Where the programme approximates: bands, tangents, break points, cuts; refined on demand."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import outcome
from abscopt.optimizer.ids import PlanId, plan_ids
from abscopt.optimizer.programme import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.columns import Columns


SPLIT_MARGIN = 2e-7
"""Log loss by which a band ends below a judged one: it costs the bound that part of the effect.

Times `BAND_SCALE` it is 1e-3, far above HiGHS' tolerances (1e-7 without presolve, 1e-6 with);
integers that are off by 1e-7 change a loss of at most 0.5 by less, and the margin of larger ones
grows with them.
"""
MOST_OF_MARGIN = 0.5
"""Nats of loss up to which `SPLIT_MARGIN` is enough: courses and band, 1e-7 of each, twice over."""
SAME_POINT = 1e-9
"""Relative distance of points that are one: a chord that misses by more costs the bound a gap."""

LEAST_EFFECT = 1e-6

Band = tuple[PlanId, float, float]


@dataclass(frozen=True)
class Plane:
    """u >= sum_c weights[c] u_c + offset: a tangent plane of ln sum_c e^{u_c} of one lesion."""

    lesion: int
    weights: tuple[float, ...]
    offset: float


@dataclass(frozen=True)
class Cut:
    """Choices that load a limit together more than its row states.

    One group of columns per lesion (or free day). Under any of `plans`, any choice of one member
    per group exceeds limit number `limit` of the case by at least `excess` parts of its cap;
    without a limit it is forbidden, `unless` one of some further columns is chosen too.
    """

    plans: tuple[PlanId, ...]
    groups: tuple[tuple[int, ...], ...]
    limit: int | None = None
    excess: float = 0.0
    unless: tuple[int, ...] = ()


@dataclass(frozen=True)
class Refinement:
    """Approximation of one programme; finer ones only ever lower its optimum.

    Attributes
    ----------
    bands : (plan, low, high) of lymphocyte log loss A; exp(-low) is used in the whole band
    free_bands : per free lesion with effectors of its own, the same of the loss of all others
    effects : systemic log kills at which the saturation curve has a tangent, or a break point
    gains : summed gains G at which ln G has a tangent; with them, courses and plans are chosen as
        pairs, and there is one band per plan, never split
    burdens : log burdens at which log control has a tangent
    breaks : (lesion, horizon, u > 0), further break points of the control probability
    planes : tangent planes of the total burden of lesions of several clones
    kills : systemic kills at which pieces end, for lesions of several radiosensitivities
    cuts : sets of columns that no schedule may contain together, or that cost something together
    """

    bands: tuple[Band, ...]
    effects: tuple[float, ...]
    burdens: tuple[float, ...] = field(default_factory=lambda: settings.CURRENT.burdens)
    free_bands: tuple[tuple[int, tuple[Band, ...]], ...] = ()
    breaks: tuple[tuple[int, int, float], ...] = ()
    planes: tuple[Plane, ...] = ()
    kills: tuple[float, ...] = ()
    cuts: tuple[Cut, ...] = ()
    gains: tuple[float, ...] = ()

    @property
    def paired(self) -> bool:
        """Whether courses and plans are chosen as pairs."""
        return bool(self.gains)

    def with_gains(self, gains: list[float]) -> Refinement:
        """Tangents of ln G at the summed gains of one schedule, one per horizon."""
        return replace(self, gains=_extended(self.gains, gains))

    def with_losses(
        self, plan: PlanId, total: float, other_losses: Mapping[int, float]
    ) -> Refinement:
        """Bands split at a total loss A, and at the losses A - a_s of the lesions s named."""
        return replace(
            self,
            bands=_split_band(self.bands, plan, total),
            free_bands=tuple(
                (s, _split_band(bands, plan, other_losses[s])) for s, bands in self.free_bands
            ),
        )

    def with_point(
        self,
        effects: list[float],
        burdens: FloatArray,
        clones: list[FloatArray],
        kills: list[float],
    ) -> Refinement:
        """Tangents at one schedule.

        Parameters
        ----------
        effects : (horizons,) unsaturated systemic log kill
        burdens : (lesions, horizons) log burdens
        clones : per lesion (horizons, clones) log burdens
        kills : (horizons,) saturated kill, for lesions of several radiosensitivities
        """
        breaks = list(self.breaks)
        for (s, h), u in np.ndenumerate(burdens):
            points = [*settings.CURRENT.breaks, *(b for i, j, b in breaks if (i, j) == (s, h))]
            if u > 0 and all(not _same(float(u), point) for point in points):
                breaks.append((s, h, float(u)))
        planes = list(self.planes)
        for s, of_clones in enumerate(clones):
            planes += [
                plane
                for row in of_clones
                if len(row) > 1 and not _known(plane := plane_at(s, row), planes)
            ]
        return replace(
            self,
            effects=_extended(self.effects, effects),
            burdens=_extended(self.burdens, burdens.reshape(-1).tolist()),
            breaks=tuple(sorted(breaks)),
            planes=tuple(planes),
            kills=_extended(self.kills, kills),
        )


def plane_at(lesion: int, clones: FloatArray) -> Plane:
    """Tangent plane of ln sum_c e^{u_c} at clone burdens u."""
    total = float(outcome.total_log_burden(clones))
    weights = np.exp(clones - total)
    offset = total - float(weights @ clones)
    return Plane(lesion, tuple(weights.tolist()), offset)


def _known(plane: Plane, planes: Iterable[Plane]) -> bool:
    return any(
        plane.lesion == known_plane.lesion
        and abs(plane.offset - known_plane.offset) < SAME_POINT
        and np.allclose(plane.weights, known_plane.weights, rtol=0, atol=SAME_POINT)
        for known_plane in planes
    )


def first_refinement(instance: Instance, columns: Columns, active: tuple[int, ...]) -> Refinement:
    """Bands of moderate width over the losses each plan can reach, and a few tangents.

        bands of plan k on [0, sum_s L_ks], of lesion s beside it on [0, sum_{i != s} L_ki]

    with L_ks the most that the courses of lesion s lose of the effect.

    Parameters
    ----------
    active : free lesions with effectors of their own
    """
    plans, lesions = plan_ids(len(columns.loss)), range(len(instance.lesions))
    greatest_loss = np.array([[_most_loss(columns, k, s) for s in lesions] for k in plans])
    needed = [bool(columns.gain[k].any()) for k in plans]
    bands = [
        band
        for k in plans
        for band in _first_bands(k, float(greatest_loss[k].sum()) * float(needed[k]))
    ]
    free_bands = [
        (
            s,
            tuple(
                band
                for k in plans
                for band in _first_bands(k, float(greatest_loss[k].sum() - greatest_loss[k, s]))
            ),
        )
        for s in active
    ]
    planes = [
        plane
        for s, lesion in enumerate(instance.lesions)
        if len(lesion.populations) > 1 and not lesion.spread
        for plane in _first_planes(s, len(lesion.populations))
    ]
    return Refinement(
        bands=tuple(bands),
        effects=_first_effects(instance, columns),
        free_bands=tuple(free_bands),
        planes=tuple(planes),
    )


def first_pairs(
    plans: int,
    clones: list[int],
    effects: tuple[FloatArray, FloatArray],
    losses: tuple[FloatArray, FloatArray],
    maximum: float | None,
) -> Refinement:
    """Tangents and break points for the range of systemic effects that is left, one band per plan.

    Gains G = Z e^A run from min Z e^(min A) to max Z e^(max A); tangents of ln G stand at

        G_{i+1} = ratio G_i,    ratio <= gain_ratio, if that takes no more than most_gains

    Parameters
    ----------
    clones : clones of each lesion
    effects : least and greatest unsaturated systemic log kill, each (plans, horizons)
    losses : least and greatest log loss A of a plan, chemotherapy included, each (plans,)
    maximum : most systemic log kill; None without saturation
    """
    low = max(float(effects[0].min()), LEAST_EFFECT)
    high = max(float(effects[1].max()), 2.0 * low)
    bottom = low * math.exp(float(losses[0].min()))
    top = high * math.exp(float(losses[1].max()))
    ratio = math.log(settings.CURRENT.gain_ratio)
    number = min(settings.CURRENT.most_gains, 1 + math.ceil(math.log(top / bottom) / ratio))
    points = np.geomspace(bottom, top, max(2, number))
    planes = [
        plane for s, count in enumerate(clones) if count > 1 for plane in _first_planes(s, count)
    ]
    return Refinement(
        bands=tuple((k, 0.0, math.inf) for k in plan_ids(plans)),
        effects=_first_breaks(low, high, maximum),
        burdens=settings.CURRENT.paired_burdens,
        planes=tuple(planes),
        gains=tuple(points.tolist()),
    )


def _first_breaks(low: float, high: float, maximum: float | None) -> tuple[float, ...]:
    """Systemic log kills between which a chord in ln Z exceeds the curve by `chord_error`."""
    points, t, bottom = [high], math.log(high), math.log(low)
    error = settings.CURRENT.chord_error
    while t > bottom:
        value = float(immune.saturate(math.exp(t), maximum))
        saturated = 0.0 if maximum is None else value / maximum
        bent = max(value * (1.0 - saturated) * abs(1.0 - 2.0 * saturated), error)
        t -= math.sqrt(8.0 * error / bent)
        points.append(math.exp(t))
    return tuple(sorted(points))


def _most_loss(columns: Columns, plan: PlanId, lesion: int) -> float:
    """Most log loss of everybody else's effectors by one lesion; at most one column per day."""
    members = np.flatnonzero(columns.lesion == lesion)
    loss_of_day: dict[int, float] = {}
    for j in members.tolist():
        loss = float(columns.loss[plan, j]) * int(columns.slots[j])
        loss_of_day[int(columns.day[j])] = max(loss, loss_of_day.get(int(columns.day[j]), 0.0))
    return math.fsum(loss_of_day.values())


def _first_bands(plan: PlanId, greatest_loss: float) -> list[Band]:
    count = max(1, math.ceil(greatest_loss / settings.CURRENT.band_width))
    edges = np.linspace(0.0, greatest_loss, count + 1)
    return [(plan, float(a), float(b)) for a, b in itertools.pairwise(edges)]


def _first_planes(lesion: int, clones: int) -> list[Plane]:
    """u >= u_c for every clone c, and the plane where all are equal."""
    single = [Plane(lesion, tuple(row), 0.0) for row in np.eye(clones).tolist()]
    return [*single, plane_at(lesion, np.zeros(clones))]


def _first_effects(instance: Instance, columns: Columns) -> tuple[float, ...]:
    maximum = instance.immune.effect_maximum_nats
    if maximum is None:
        return (0.0,)
    most_effect = float(columns.gain.sum(axis=1).max()) if columns.gain.size else 0.0
    if any(columns.course < 0):
        most_effect = max(most_effect, 100.0 * maximum)
    greatest = float(immune.saturate(most_effect, maximum))
    saturated = np.linspace(0.0, greatest, settings.CURRENT.first_effects)
    raw = saturated * maximum / np.maximum(maximum - saturated, 1e-9)
    return tuple(float(z) for z in raw)


def _split_band(bands: tuple[Band, ...], plan: PlanId, loss: float) -> tuple[Band, ...]:
    """Bands with an edge just below a loss; what lies under it is halved, if still wide.

    Choices near the judged one have slightly smaller losses: halving saves most of the rounds.
    """
    result = []
    greatest = max((high for k, _, high in bands if k == plan), default=0.0)
    margin = SPLIT_MARGIN * max(1.0, greatest / MOST_OF_MARGIN)
    for k, low, high in bands:
        edge = loss - margin
        if k == plan and low + margin < edge < high and loss <= high + margin:
            middle = (low + edge) / 2
            halves = [(k, low, middle), (k, middle, edge)]
            result += halves if edge - low > settings.CURRENT.halved_width else [(k, low, edge)]
            result.append((k, edge, high))
        else:
            result.append((k, low, high))
    return tuple(result)


def _same(value: float, point: float) -> bool:
    return abs(value - point) <= SAME_POINT * (1 + abs(value))


def _extended(points: tuple[float, ...], values: list[float]) -> tuple[float, ...]:
    result = list(points)
    for value in values:
        if all(not _same(value, point) for point in result):
            result.append(value)
    return tuple(sorted(result))
