"""What every limit states, `load <= cap` (or `>= floor`), and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from abscopt.instances.reading.problems import listing, nearest
from abscopt.instances.tables.fields import LibraryTable, Name, Positive

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

Problem = tuple[str, object, str]


SIDES = ("cap_gy", "cap", "limits_gy", "floor_1e9_per_l", "floor")
"""Keys of what a limit allows; each kind has one of them, cap and floor, or none (one plan)."""


class Limit(LibraryTable):
    """What every limit has: a name unique in its case, a source, and perhaps a penalty.

    A limit with a penalty is soft: it may be broken, and costs
    `penalty * max(0, load / cap - 1)` of the objective, in its unit.
    """

    name: Name = Field(description="of the limit")
    penalty: Positive | None = Field(
        default=None, description="soft limit: objective lost per unit of load/cap above 1"
    )

    if TYPE_CHECKING:  # a field of each kind
        kind: str

    @property
    def measure(self) -> str:
        """What is measured: every measure has one module of `optimizer/candidates/limits`."""
        return self.kind

    @property
    def words(self) -> str:
        """What the limit demands, on one line."""
        raise NotImplementedError

    @property
    def side(self) -> str | None:
        """Key of the number or table that it allows, a cap before a floor; None without one."""
        stated = (key for key in SIDES if key in type(self).model_fields)
        return next((key for key in stated if getattr(self, key) is not None), None)

    @property
    def least_lesions(self) -> int:
        """Lesions that must be treated at least."""
        return 0

    @property
    def counts_alone(self) -> bool:
        """Whether it says something of one lesion alone."""
        return True

    @property
    def matched(self) -> tuple[str, ...]:
        """Names of lesions whose courses must match each other."""
        return ()

    def falls_with_fractions(self, instance: Instance) -> bool:
        """Whether more fractions of the same dose can load less."""
        return False

    @property
    def counted_points(self) -> tuple[tuple[str, str], ...]:
        """(organ, point) of every dose that the limit counts."""
        return ()

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """(place, value, rule) of what contradicts the case."""
        yield from ()

    def greatest_daily_gy(self, days: int) -> float | None:
        """Dose that each of so many days may give, where a table says so."""
        return None

    def from_below(self, value: float | None) -> bool:
        """Whether what a value is held against is a floor."""
        return False


class OrganLimit(Limit):
    """A limit on the dose at one point of one organ; loads are parts of `reference_cap`."""

    if TYPE_CHECKING:  # fields of the kinds, each in its own order
        organ: str
        point: str

    @property
    def evaluation_point(self) -> str:
        """Point of the organ that is looked at, as in `sparing`."""
        return self.point

    @property
    def counts_voxels(self) -> bool:
        """Whether the limit is on a mean over voxels of a quadratic: it needs second moments."""
        return False

    @property
    def counts_bins(self) -> bool:
        """Whether the limit is on a dose of the bins of histograms."""
        return False

    @property
    def reference_cap(self) -> float:
        """The cap that loads are parts of; where there are several, that without exposure."""
        raise NotImplementedError

    @property
    def counted_points(self) -> tuple[tuple[str, str], ...]:
        """The one point."""
        return ((self.organ, self.evaluation_point),)

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """Organs and points that nothing states."""
        organ, point = self.organ, self.evaluation_point
        if organ not in instance.organs:
            hint = nearest(organ, instance.organs) or f"; [organs] has {listing(instance.organs)}"
            yield f"{place}.organ", organ, f"unknown organ{hint}"
            return
        stated = [
            (lesion, points)
            for lesion in instance.lesions
            for points in [
                lesion.sparing.get(organ, {}),
                *(way.sparing.get(organ, {}) for way in lesion.techniques),
            ]
            if lesion.irradiable and point in points
        ]
        if instance.irradiable and not stated:
            yield f"{place}", f"{organ}.{point}", "no lesion states this sparing factor"
        yield from self._not_in_bins(instance)
        for lesion, points in stated if self.counts_voxels else []:
            if "second_moment" not in points:
                yield (
                    f"lesions.{lesion.name}.sparing.{organ}",
                    "mean",
                    "a mean EQD2 needs second_moment = mean(delta^2)",
                )

    def _not_in_bins(self, instance: Instance) -> Iterator[Problem]:
        """Points that bins of a lesion do not say, and its factors neither."""
        organ, point = self.organ, self.evaluation_point
        rule = f"the bins do not say {point}: state volume_cm3 of the organ, or sparing.{organ}"
        for i in instance.irradiable:
            lesion = instance.lesions[i]
            for j, way in enumerate(lesion.ways):
                points = way.sparing.get(organ, lesion.sparing.get(organ, {}))
                if lesion.histogram(organ, way) is not None and point not in points:
                    part = f".techniques[{j}]" if organ in way.bins else ""
                    yield f"lesions[{i}]{part}.histograms.{organ}", f"{organ}.{point}", rule

    @property
    def unit(self) -> str:
        """Of the load and its cap, as reports write it."""
        return "Gy"

    def load_of_fraction(self, dose_gy: float, second_moment_gy2: float | None) -> float:
        """Part of the cap that one fraction of a dose at the point uses up by itself."""
        return dose_gy / self.reference_cap

    def no_room_for(self, dose_gy: float) -> str:
        """Why no schedule can keep the limit after one fraction of a dose, of no finite load."""
        raise NotImplementedError
