"""The audit of a case: what follows from it alone, and from each lesion's courses alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.checks.audit import input_notes
from abscopt.instances.checks.notes import Note, note
from abscopt.optimizer.audit.alone import Alone, lesions_alone
from abscopt.optimizer.audit.breaks import in_words, words_of
from abscopt.optimizer.audit.gain import no_gain_notes

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation


@dataclass(frozen=True)
class CaseAudit:
    """Notes on a case, its lesions alone, and why it is infeasible where they show it."""

    notes: tuple[Note, ...]
    alone: tuple[Alone, ...]
    infeasible: Note | None


def case_audit(instance: Instance) -> CaseAudit:
    """Everything that is known of a case before it is solved."""
    alone = lesions_alone(instance)
    hopeless = [*_floors(instance, alone), *_demands(instance, alone)]
    notes = (*input_notes(instance), *_failing(instance, alone), *hopeless)
    return CaseAudit(notes, alone, hopeless[0] if hopeless else None)


def evaluation_notes(instance: Instance, evaluation: Evaluation) -> tuple[Note, ...]:
    """Notes beside the verdict on a schedule: on the case, and on courses that gain nothing."""
    return (*case_audit(instance).notes, *no_gain_notes(evaluation, instance.horizon_days))


def _failing(instance: Instance, alone: tuple[Alone, ...]) -> Iterator[Note]:
    for lesion_alone in alone:
        nearest = lesion_alone.tried.nearest
        if lesion_alone.empty is None and lesion_alone.excluded and nearest is not None:
            yield note(
                "fails_alone",
                f"lesions[{lesion_alone.lesion}].course",
                lesion=instance.lesions[lesion_alone.lesion].name,
                course=words_of(nearest),
                breaks=in_words(lesion_alone.tried.breaks),
            )


def _floors(instance: Instance, alone: tuple[Alone, ...]) -> Iterator[Note]:
    """Floors on the number of lesions above the number that can be irradiated at all."""
    possible = sum(not lesion_alone.excluded for lesion_alone in alone)
    without = ", ".join(
        instance.lesions[lesion_alone.lesion].name
        for lesion_alone in alone
        if lesion_alone.excluded
    )
    for i, limit in enumerate(instance.limits):
        if limit.least_lesions > possible:
            facts: dict[str, object] = {"limit": limit.name, "floor": limit.least_lesions}
            yield note(
                "floor_unreachable", f"limits[{i}].floor", possible=possible, without=without,
                **facts,
            )  # fmt: skip


def _demands(instance: Instance, alone: tuple[Alone, ...]) -> Iterator[Note]:
    """Demands of a least dose by lesions that cannot be irradiated."""
    for lesion_alone in alone:
        lesion = instance.lesions[lesion_alone.lesion]
        if lesion_alone.excluded and lesion.least_bed is not None:
            yield note("demand_unreachable", f"lesions[{lesion_alone.lesion}]", lesion=lesion.name)
