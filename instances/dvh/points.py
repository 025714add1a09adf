"""Which doses the limits of a set count, and what a histogram says of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from abscopt.instances.dvh.measures import (
    Curve,
    coldest_cm3,
    hottest,
    hottest_cm3,
    maximum,
    mean,
    second_moment,
    share_above,
)
from abscopt.instances.sources import Raw, library_limits
from abscopt.instances.tables.sparing import SECOND_MOMENT

POINT_CM3 = 0.035
"""Volume of a point dose: limits of `max` are published for 0.03 to 0.1 cm3 (TG-101: 0.035 cm3 or
less, verified-secondary as its limits are)."""
VOLUME_POINT = re.compile(r"(d|spare_)(\d+(?:_\d+)?)cm3")
SHARE_POINT = re.compile(r"d(\d+(?:_\d+)?)pct")
MEASURE = re.compile(
    r"D(?P<d>[\d.]+)(?P<dunit>cc|cm3|%)|V(?P<v>[\d.]+)(?P<vunit>Gy|%)", re.IGNORECASE
)
NO_SET = "none"
"""In place of a set: the limits of the map are all."""
MEANS = ("mean", "mean_eqd2", "ntcp")
"""Kinds of limits whose point is the mean unless they say another."""


@dataclass(frozen=True)
class Asked:
    """One limit of a set: what of a histogram it needs.

    `points` is empty for limits of no dose (drugs, new sites); `integral` says that the dose to
    the whole body is needed as well.
    """

    name: str
    points: tuple[tuple[str, str], ...]
    integral: bool = False


def asked(limit_set: str) -> list[Asked]:
    """Limits of a library set with the points of organs that they count; none of the set `none`."""
    if limit_set == NO_SET:
        return []
    return [_asked(name, entry) for name, entry in library_limits(limit_set).items()]


def asked_by(limits: object) -> list[Asked]:
    """The same of limits that a map states with their kind; their form is checked as a case's."""
    entries = limits if isinstance(limits, list) else []
    return [
        _asked(str(entry.get("name")), entry)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("organ"), str) and "kind" in entry
    ]


def _asked(name: str, entry: Raw) -> Asked:
    kind, organ = entry["kind"], entry.get("organ")
    if kind == "edric":
        return Asked(name, (("lungs", "mean"), ("heart", "mean")), integral=True)
    if organ is None:
        return Asked(name, ())
    point = entry.get("point", "mean" if kind in MEANS else "max")
    voxels = kind == "mean_eqd2" or (kind == "ntcp" and entry.get("dose") == "eqd2")
    return Asked(name, ((organ, point), *([(organ, SECOND_MOMENT)] if voxels else [])))


def dose_at(curve: Curve, point: str, absolute: bool = False) -> float | str:
    """Dose in Gy (mean square in Gy2) of a point; a sentence where the histogram does not say it.

    Parameters
    ----------
    absolute : whether `max` is the greatest dose instead of that of the hottest 0.035 cm3
    """
    if point == "mean":
        return mean(curve)
    if point == SECOND_MOMENT:
        return second_moment(curve)
    if point == "max":
        dose = None if absolute else hottest_cm3(curve, POINT_CM3)
        return maximum(curve) if dose is None else dose
    share = SHARE_POINT.fullmatch(point)
    if share is not None and float(share[1].replace("_", ".")) <= 100:
        return hottest(curve, float(share[1].replace("_", ".")) / 100.0)
    match = VOLUME_POINT.fullmatch(point)
    if match is None:
        return f"{point} is no point of a histogram"
    volume = float(match[2].replace("_", "."))
    dose = (hottest_cm3 if match[1] == "d" else coldest_cm3)(curve, volume)
    if dose is not None:
        return dose
    if curve.volume_cm3 is None:
        return "the file does not say the volume in cm3"
    return f"the structure has {curve.volume_cm3:g} cm3 only"


def measured(curve: Curve, name: str, prescribed_gy: float) -> str | None:
    """A measure by its usual name (`D2cc`, `D95%`, `V20Gy`, `V50%`); None if it is no such name."""
    match = MEASURE.fullmatch(name)
    if match is None:
        return None
    if match["d"]:
        value = float(match["d"])
        if match["dunit"] == "%":
            dose = hottest(curve, value / 100.0) if value <= 100 else None
        else:
            dose = hottest_cm3(curve, value)
        return "-" if dose is None else f"{dose:.3f} Gy"
    dose_gy = float(match["v"]) * (prescribed_gy / 100.0 if match["vunit"] == "%" else 1.0)
    share = share_above(curve, dose_gy)
    text = f"{100 * share:.2f} %"
    return text if curve.volume_cm3 is None else f"{text} ({share * curve.volume_cm3:.2f} cm3)"


def organs_of(limits: list[Asked]) -> Iterator[str]:
    """Organs that some limits count, each once, in their order."""
    yield from dict.fromkeys(organ for limit in limits for organ, _ in limit.points)
