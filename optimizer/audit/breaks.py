"""Limits that one more course breaks: the judge's uses, with organ and dose in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from abscopt.optimizer.evaluation.organs import daily_parts

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import LimitUse
    from abscopt.optimizer.schedule import Fraction, Schedule


@dataclass(frozen=True)
class Break:
    """A limit that a schedule breaks; `use` is what it uses of it (1 = all), if that is known."""

    limit: str
    use: float
    words: str


def breaks_of(
    instance: Instance, schedule: Schedule, limits: tuple[AnyLimit, ...], uses: tuple[LimitUse, ...]
) -> tuple[Break, ...]:
    """The limits that a schedule breaks, most broken first."""
    breaks = [
        _break(instance, schedule, limit, use)
        for limit, use in zip(limits, uses, strict=True)
        if use.broken
    ]
    return tuple(sorted(breaks, key=lambda broken: -broken.use))


def _break(instance: Instance, schedule: Schedule, limit: AnyLimit, use: LimitUse) -> Break:
    if len(limit.counted_points) == 1:
        return _organ_break(instance, schedule, limit, use)
    if use.use is None:
        value = "none" if use.value is None else f"{use.value:g}"
        return Break(limit.name, math.inf, f"{limit.name} ({value} of at least {use.bound:g})")
    side = "of at least" if limit.from_below(use.value) else "of"
    times = "x " if use.unit.startswith("1e") else ""
    amount = f"{use.value:.4g} {side} {use.bound:g} {times}{use.unit}"
    return Break(limit.name, use.use, f"{limit.name} {_percent(use.use)} ({amount})")


def _organ_break(instance: Instance, schedule: Schedule, limit: AnyLimit, use: LimitUse) -> Break:
    """Use of an organ limit with the dose that its point receives in one day.

    Beyond a table there is no Miner sum; then the greatest daily dose D of n days is compared with
    limit(n)/n.
    """
    ((organ, point),) = limit.counted_points
    daily = daily_parts(instance, schedule, organ, point)
    doses = [sum(fraction.organ_gy for fraction in of_day) for of_day in daily.values()]
    doses = [dose for dose in doses if dose > 0]
    greatest, spot = max(doses, default=0.0), f"{organ}.{point}"
    if use.use is not None:
        words = f"{limit.name} {_percent(use.use)} ({spot} {greatest:.4g} Gy a day)"
        return Break(limit.name, use.use, words)
    allowed = limit.greatest_daily_gy(len(doses))
    assert allowed is not None
    ratio = greatest / allowed
    words = (
        f"{limit.name} {_percent(ratio)} ({spot} {greatest:.4g} Gy a day, allowed are "
        f"{allowed:.3g} Gy on {len(doses)} days)"
    )
    return Break(limit.name, ratio, words)


def _percent(use: float) -> str:
    return f"{100 * use:.0f} %" if use >= 1.1 else f"{100 * use:.1f} %"


def worst(breaks: tuple[Break, ...]) -> float:
    """How far a schedule is from keeping its limits: the greatest use."""
    return max((broken.use for broken in breaks), default=0.0)


MOST_WORDS = 3
"""Broken limits that a sentence names; the others are counted."""


def in_words(breaks: tuple[Break, ...]) -> str:
    """`cord_max 222 % (…), esophagus_max 240 % (…)`."""
    shown = ", ".join(broken.words for broken in breaks[:MOST_WORDS])
    unnamed = len(breaks) - MOST_WORDS
    return shown + (f" and {unnamed} more" if unnamed > 0 else "")


def course_words(fractions: int, dose_gy: float) -> str:
    """`5 x 10 Gy`."""
    return f"{fractions} x {dose_gy:g} Gy"


def words_of(course: Sequence[Fraction]) -> str:
    """`5 x 10 Gy`; of several doses one after another, `25 x 1.8 Gy + 4 x 7 Gy`."""
    runs = (list(run) for _, run in groupby(course, key=lambda fraction: fraction.dose_gy))
    return " + ".join(course_words(len(run), run[0].dose_gy) for run in runs)
