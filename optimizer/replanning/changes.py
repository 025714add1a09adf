"""What differs between two ways to go on, lesion by lesion and drug by drug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.instances.schema import Instance


def changed_parts(
    case: Instance, old: Schedule, answer: Schedule
) -> Iterator[tuple[str, Schedule]]:
    """Each lesion and drug that differs, and the old schedule with this alone as in the answer."""
    for lesion in case.lesions:
        course = [f for f in answer.fractions if f.lesion == lesion.name]
        if course != [f for f in old.fractions if f.lesion == lesion.name]:
            elsewhere = [f for f in old.fractions if f.lesion != lesion.name]
            yield lesion.name, Schedule.of([*elsewhere, *course], old.infusions)
    for drug in sorted({i.drug for i in (*answer.infusions, *old.infusions)}):
        doses = [i for i in answer.infusions if i.drug == drug]
        if doses != [i for i in old.infusions if i.drug == drug]:
            of_others = [i for i in old.infusions if i.drug != drug]
            yield drug, Schedule.of(old.fractions, [*of_others, *doses])
