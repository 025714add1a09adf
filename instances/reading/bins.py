"""Points of organs that a case's histograms say and its sparing factors do not.

A histogram gives the mean, the second moment and the dose to any hottest part (`d2cm3`, `d35pct`,
`max`); what a lesion states under `sparing` comes before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from abscopt.instances.sources import Raw

DIGITS = 9
"""Of a factor from bins: more than they have, so that nothing is lost to writing a case."""


def with_points_of_bins(case: Raw) -> Raw:
    """The case with a factor at each point that a limit counts and bins say.

    Anything malformed is left as it is, for the schema to refuse.
    """
    lesions = case.get("lesions")
    if not isinstance(lesions, list) or not any(_has_bins(entry) for entry in lesions):
        return case
    from abscopt.instances.dvh.points import asked_by

    counted = [point for limit in asked_by(case.get("limits")) for point in limit.points]
    return case | {"lesions": [_filled(entry, counted) for entry in lesions]}


def _has_bins(entry: Any) -> bool:
    """Whether a lesion or a technique of it states histograms."""
    if not isinstance(entry, dict):
        return False
    ways = entry.get("techniques")
    return "histograms" in entry or (isinstance(ways, list) and any(map(_has_bins, ways)))


def _filled(entry: Any, counted: Iterable[tuple[str, str]]) -> Any:
    """A lesion or technique with the points of its histograms."""
    if not isinstance(entry, dict):
        return entry
    ways = entry.get("techniques")
    if isinstance(ways, list):
        entry = entry | {"techniques": [_filled(way, counted) for way in ways]}
    sparing, histograms = entry.get("sparing", {}), entry.get("histograms")
    if not isinstance(histograms, dict) or not isinstance(sparing, dict):
        return entry
    for organ, bins in histograms.items():
        stated = sparing.get(organ, {})
        if isinstance(stated, dict):
            wanted = [point for at, point in counted if at == organ and point not in stated]
            points = stated | _points(bins, dict.fromkeys(wanted))
            sparing = sparing | ({organ: points} if points else {})
    return entry | ({"sparing": sparing} if sparing else {})


def _points(bins: Any, wanted: Iterable[str]) -> dict[str, float]:
    """Dose per Gy at points (a second moment: per Gy2) that the bins say."""
    from pydantic import ValidationError

    from abscopt.instances.dvh.measures import of_bins
    from abscopt.instances.dvh.points import dose_at
    from abscopt.instances.tables.sparing import Histogram

    try:
        histogram = Histogram.model_validate_json(json.dumps(bins, default=str))
    except ValidationError:
        return {}
    curve = of_bins(*histogram.parts, histogram.volume_cm3)
    doses = ((point, dose_at(curve, point)) for point in wanted)
    return {at: float(f"{dose:.{DIGITS}g}") for at, dose in doses if isinstance(dose, float)}
