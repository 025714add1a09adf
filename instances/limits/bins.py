"""What a limit by bins needs of a case: a histogram wherever a plan gives the organ dose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.limits.limit import Problem
from abscopt.instances.tables.sparing import DailyFactors

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


def without_bins(instance: Instance, organ: str, limit: str) -> Iterator[Problem]:
    """(place, value, rule) of each dose of an organ that is stated at points only.

    Factors of 0, or none, say that a lesion does not reach the organ.
    """
    rule = f"limit {limit} counts bins: state histograms.{organ}, or a mean of 0"
    for i in instance.irradiable:
        lesion = instance.lesions[i]
        for j, way in enumerate(lesion.ways):
            points = way.sparing.get(organ, lesion.sparing.get(organ, {}))
            place = f"lesions[{i}]" + (f".techniques[{j}]" if organ in way.sparing else "")
            if isinstance(points.get("mean"), DailyFactors):
                by_day = f"limit {limit} counts bins, which are the same on every day"
                yield f"{place}.sparing.{organ}.mean", "by day", by_day
            elif lesion.histogram(organ, way) is None and any(f != 0.0 for f in points.values()):
                reached = next(point for point, factor in points.items() if factor != 0.0)
                yield f"{place}.sparing.{organ}", reached, rule
    for i, prior in enumerate(instance.prior_doses):
        if prior.organ == organ:
            rule = f"limit {limit} counts bins, of which a dose given before states none"
            yield f"prior_doses[{i}].organ", organ, rule
