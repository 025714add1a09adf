"""What is varied: binding limits by a step, keys over a range, options of what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abscopt.instances.changes.change import Change, path_of
from abscopt.instances.changes.values import values_at
from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.ensemble.drawn import stated_ensemble
from abscopt.optimizer.ensemble.draws import option_changes, placed, quantile

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.ensemble import Choice, Ensemble, Spread

SHARES = (0.05, 0.95)
"""Quantiles of a distribution that are the ends of its range."""
FLOORS = ("floor_1e9_per_l", "floor")


@dataclass(frozen=True)
class Axis:
    """One thing that is varied.

    Attributes
    ----------
    name : of the limit, the key, or what is not known
    kind : `limit`, `parameter` or `choice`
    base : the value as it is stated, or factor 1; None where there is none
    ends : (words, value) of what is solved: a tighter and a looser cap, both ends of a range
    changes : changes of the case that give a value
    whole : whether values are whole numbers
    source : where the range comes from
    """

    name: str
    kind: str
    base: float | None
    ends: tuple[tuple[str, float], ...]
    changes: Callable[[float], tuple[Change, ...]]
    whole: bool = False
    source: str = ""


def axes_of_limits(case: Instance, binding: Sequence[str], step: float) -> Iterator[Axis]:
    """Each of some limits a step tighter and looser; counts by one.

    Parameters
    ----------
    step : part of what a limit allows
    """
    for limit in case.limits:
        if limit.name in binding and limit.side is not None:
            yield _valid(case, _of_limit(limit, limit.side, step))


def _of_limit(limit: AnyLimit, side: str, step: float) -> Axis:
    stated = getattr(limit, side)
    path = ("limits", limit.name, side)
    if side == "limits_gy":

        def scaled(factor: float) -> tuple[Change, ...]:
            return (Change(path, [float(f"{dose * factor:.12g}") for dose in stated]),)

        words = f"tighter: x {1 - step:g}", f"looser: x {1 + step:g}"
        ends = tuple(zip(words, (1 - step, 1 + step), strict=True))
        return Axis(limit.name, "limit", 1.0, ends, scaled)
    counted = isinstance(stated, int)
    by = 1 if counted else stated * step

    def changed(value: float) -> tuple[Change, ...]:
        return (Change(path, int(value) if counted else float(f"{value:.12g}")),)

    names = ("looser", "tighter") if side in FLOORS else ("tighter", "looser")
    values = float(stated - by), float(stated + by)
    ends = tuple((f"{name}: {value:.6g}", value) for name, value in zip(names, values, strict=True))
    return Axis(limit.name, "limit", float(stated), ends, changed, counted)


def _valid(case: Instance, axis: Axis) -> Axis:
    """An axis without ends that the limit may not have, such as a count below 0."""
    ends = []
    for words, value in axis.ends:
        with suppress(InputError):
            case.with_(axis.changes(value))
            ends.append((words, value))
    return replace(axis, ends=tuple(ends))


def axes_of_ensemble(case: Instance, named: str | None) -> Iterator[Axis]:
    """Each key that an ensemble draws over its central 90 %, and each option of its choices.

    Of an ensemble that states its members one by one, each key from its least to its greatest
    value. A key of which a case has no value is left out where the ensemble allows it.

    Raises
    ------
    InputError
        If there is no such ensemble, or a key is not the case's.
    """
    stated: Ensemble = stated_ensemble(case, named)
    for spread in stated.vary:
        axis = _of_spread(case, spread)
        if axis is not None:
            yield axis
    for choice in stated.choices:
        axis = _of_choice(case, choice)
        if axis is not None:
            yield axis
    yield from _of_members(case, stated)


def _of_choice(case: Instance, choice: Choice) -> Axis | None:
    """Options that are not the case as it is."""
    options = {float(i): option for i, option in enumerate(choice.options)}

    def picked(number: float) -> tuple[Change, ...]:
        return tuple(option_changes(case, options[number]))

    keys = [key for option in choice.options for key in (*option.set, *option.times)]
    if choice.if_stated and not all(values_at(case, path_of(key, "ensemble")) for key in keys):
        return None
    ends = tuple((option.name, i) for i, option in options.items() if option.set or option.times)
    return Axis(choice.name, "choice", None, ends, picked, source=choice.source or "")


def _of_members(case: Instance, stated: Ensemble) -> Iterator[Axis]:
    """Keys of listed members, from the least to the greatest value that some member has."""
    ranges: dict[tuple[str, bool], list[float]] = {}
    for member in stated.members:
        for factor, pairs in ((False, member.set), (True, member.times)):
            for key, value in pairs.items():
                if not isinstance(value, bool | str):
                    ranges.setdefault((key, factor), []).append(float(value))
    for (key, factor), values in ranges.items():
        if min(values) < max(values) and values_at(case, path_of(key, "ensemble")):
            yield _of_range(case, key, factor, (min(values), max(values)), stated.source or "")


def _of_spread(case: Instance, spread: Spread) -> Axis | None:
    """A key over its central 90 %; None where the case has no such value."""
    stated = values_at(case, path_of(spread.key, "ensemble"))
    if not stated:
        return None
    ends = tuple(quantile(spread, share) for share in SHARES)

    def drawn(value: float) -> tuple[Change, ...]:
        return tuple(Change(place, placed(value, spread, at)) for place, at in stated)

    values = {at for _, at in stated}
    if spread.of == "factor":
        words = tuple((f"x {end:.3g}", end) for end in ends)
        return Axis(spread.key, "parameter", 1.0, words, drawn, source=spread.source or "")
    base = float(values.pop()) if len(values) == 1 else None
    words = tuple((f"{end:.4g}", end) for end in ends)
    return Axis(spread.key, "parameter", base, words, drawn, source=spread.source or "")


def axis_of_text(case: Instance, text: str, label: str = "--vary") -> Axis:
    """A key over a range that is stated as `KEY=LOW:HIGH`, or `KEY*=LOW:HIGH` for factors."""
    key, _, ends_text = text.partition("=")
    factor = key.endswith("*") and not key.endswith(".*")
    key = key.removesuffix("*") if factor else key
    try:
        low, high = (float(piece) for piece in ends_text.split(":"))
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError
    except ValueError:
        rule = "must be KEY=LOW:HIGH or KEY*=LOW:HIGH with two numbers, the lower first"
        raise InputError([Problem(label, "range", text[:80], rule)]) from None
    stated = values_at(case, path_of(key, label))
    if not stated:
        raise InputError([Problem(case.name, key, text[:80], "the case states no such value")])
    if any(isinstance(at, bool) or not isinstance(at, int | float) for _, at in stated):
        raise InputError([Problem(case.name, key, text[:80], "must be a number to be varied")])
    axis = _of_range(case, key, factor, (low, high), label)
    for _, end in axis.ends:
        case.with_(axis.changes(end))
    return axis


def _of_range(
    case: Instance, key: str, factor: bool, ends: tuple[float, float], source: str
) -> Axis:
    """A key, or a factor of what it has, between two values."""
    stated = values_at(case, path_of(key, "range"))

    def changed(value: float) -> tuple[Change, ...]:
        return tuple(
            Change(place, _like(value * at if factor else value, at)) for place, at in stated
        )

    values = {float(at) for _, at in stated}
    base = 1.0 if factor else values.pop() if len(values) == 1 else None
    counted = not factor and all(isinstance(at, int) for _, at in stated)
    words = tuple((f"{'x ' if factor else ''}{end:.4g}", end) for end in ends)
    return Axis(key, "parameter", base, words, changed, counted, source)


def _like(value: float, stated: float) -> float | int:
    return round(value) if isinstance(stated, int) else float(f"{value:.12g}")
