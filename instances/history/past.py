"""The past of a case as plain events, and the plan that it followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.history.standard import GivenDose, GivenFraction, standard_events

if TYPE_CHECKING:
    from abscopt.instances.history.delivered import Delivered, OldPlan
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.calendar import Calendar

Course = tuple[tuple[int, float, int], ...]
"""Day, Gy and position in the day of every fraction of one lesion, in their order."""


@dataclass(frozen=True)
class Past:
    """What was given before today, and what was planned in all.

    Attributes
    ----------
    today : first day that is still to be decided
    fractions, doses : given
    missed : (day, lesion or drug) of what was not given, or will not be from today on
    planned_fractions, planned_doses : the plan from its first day on; None where none is known
    """

    today: int
    fractions: tuple[GivenFraction, ...]
    doses: tuple[GivenDose, ...]
    missed: frozenset[tuple[int, str]]
    planned_fractions: tuple[GivenFraction, ...] | None
    planned_doses: tuple[GivenDose, ...] | None

    def course(self, lesion: str) -> Course:
        """What a lesion has received."""
        return _course(self.fractions, lesion)

    def planned(self, lesion: str) -> Course | None:
        """What was planned for a lesion, from its first fraction on; None without a plan."""
        if self.planned_fractions is None:
            return None
        return _course(self.planned_fractions, lesion)

    def ways(self, lesion: str) -> tuple[str, ...]:
        """Technique of each fraction of `course`, in its order."""
        return _ways(self.fractions, lesion)

    def planned_ways(self, lesion: str) -> tuple[str, ...]:
        """Technique of each fraction of `planned`, in its order; none without a plan."""
        return _ways(self.planned_fractions or (), lesion)

    def earliest(self, what: str) -> int:
        """First day on which a lesion may be irradiated, or a drug be given, from today on."""
        return max([self.today, *(day + 1 for day, name in self.missed if name == what)])

    def technique(self, lesion: str) -> str | None:
        """Technique of a lesion that was irradiated, or is planned to be."""
        known = (*self.fractions, *(self.planned_fractions or ()))
        return next((way for _, name, _, _, way in known if name == lesion), None)


def _course(fractions: tuple[GivenFraction, ...], lesion: str) -> Course:
    return tuple(sorted((d, gy, slot) for d, name, gy, slot, _ in fractions if name == lesion))


def _ways(fractions: tuple[GivenFraction, ...], lesion: str) -> tuple[str, ...]:
    ordered = sorted((d, gy, slot, way) for d, name, gy, slot, way in fractions if name == lesion)
    return tuple(way for _, _, _, way in ordered)


def past_of(instance: Instance) -> Past | None:
    """The past that a case states; None where nothing has begun."""
    delivered = instance.delivered
    if delivered is None:
        return None
    past: Past = instance.remembered("past", lambda: _past(instance, delivered))
    return past


def _past(instance: Instance, delivered: Delivered) -> Past:
    fractions = events_of_fractions(instance, delivered)
    doses = events_of_doses(instance.calendar, delivered)
    days = [fraction[0] for fraction in fractions] + [dose[0] for dose in doses]
    today = max(days, default=-1) + 1 if delivered.today is None else delivered.today
    missed = frozenset((row.on(instance.calendar), row.what) for row in delivered.missed)
    if delivered.plan is not None:
        plan = delivered.plan
        planned = events_of_fractions(instance, plan), events_of_doses(instance.calendar, plan)
        return Past(today, fractions, doses, missed, *planned)
    if instance.standard is not None and (fractions or doses):
        regimen = standard_events(instance, instance.standard)
        if _followed(fractions, doses, *regimen):
            return Past(
                today, fractions, doses, missed, tuple(sorted(regimen[0])), tuple(regimen[1])
            )
    return Past(today, fractions, doses, missed, None, None)


def events_of_fractions(
    instance: Instance, table: Delivered | OldPlan
) -> tuple[GivenFraction, ...]:
    """Fractions of a table in their order; the technique is the lesion's first unless stated."""
    first_way = {lesion.name: lesion.ways[0].name for lesion in instance.lesions}
    entries = (
        (
            f.on(instance.calendar), f.lesion, f.dose_gy, f.fraction_of_day - 1,
            f.technique or first_way.get(f.lesion, ""),
        )
        for f in table.fractions
    )  # fmt: skip
    return tuple(sorted(entries))


def events_of_doses(calendar: Calendar, table: Delivered | OldPlan) -> tuple[GivenDose, ...]:
    """Infusions of a table in their order."""
    return tuple(sorted((i.on(calendar), i.agent, i.dose_mg) for i in table.doses_of_drugs))


def _followed(
    fractions: tuple[GivenFraction, ...],
    doses: tuple[GivenDose, ...],
    planned_fractions: list[GivenFraction],
    planned_doses: list[GivenDose],
) -> bool:
    """Whether what was given is the beginning of a plan, late or not."""
    for lesion in {name for _, name, *_ in fractions}:
        given = [(gy, way) for _, name, gy, _, way in fractions if name == lesion]
        planned = [(gy, way) for _, name, gy, _, way in sorted(planned_fractions) if name == lesion]
        if planned[: len(given)] != given:
            return False
    for drug in {name for _, name, _ in doses}:
        infused = [mg for _, name, mg in doses if name == drug]
        if [mg for _, name, mg in sorted(planned_doses) if name == drug][: len(infused)] != infused:
            return False
    return True
