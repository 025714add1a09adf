"""Notes on courses that gain nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.checks.notes import Note, note
from abscopt.optimizer.audit.breaks import course_words

if TYPE_CHECKING:
    from abscopt.optimizer.evaluation import Evaluation


LEAST_CONTROL = 0.01
"""Control below which a lesion counts as given up: 1 %, where the default objective concedes."""


def no_gain_notes(evaluation: Evaluation, horizons: tuple[int, ...]) -> Iterator[Note]:
    """Irradiated lesions whose control stays below `LEAST_CONTROL` at every horizon."""
    for i, outcome in enumerate(evaluation.lesions):
        control = max(outcome.control_probability)
        if outcome.fractions and control < LEAST_CONTROL:
            per_fraction = outcome.dose_per_fraction_gy
            course = f"{outcome.fractions} fractions" if per_fraction is None else None
            yield note(
                "no_gain",
                f"lesions[{i}]",
                lesion=outcome.name,
                course=course or course_words(outcome.fractions, per_fraction or 0.0),
                total=outcome.dose_gy,
                least=100 * LEAST_CONTROL,
                control=100 * control,
                day=horizons[outcome.control_probability.index(control)],
            )
