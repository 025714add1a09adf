"""How many held-out figures even the truth would predict inside their intervals.

The fit is taken for the truth and the held-out studies are repeated: study s has b_s ~ N(0, τ²), an
arm of n lesions has at its first time, and from one time to the next,

    k_1 ~ Bin(n, P(t_1; b_s)),   k_{j+1} ~ Bin(k_j, P(t_{j+1}; b_s) / P(t_j; b_s)),

so that its figure is 100 k_j/n, with the half width of the interval that its real figure has (5
points where none is published). The prediction is the truth's own mean over studies,
E_b[P(t_j; b)], which no model of group, dose and time improves on. Counted are the figures with the
prediction inside, as they are on the page, and those off by more than 15 points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from local_control_model import (
    STUDIES,
    Parameters,
    Row,
    Structure,
    normal_weights,
    predicted,
    rows_of,
)

from abscopt.instances.evidence.local_control import Study
from abscopt.models.arrays import FloatArray

REPETITIONS, SEED = 20_000, 0
ASKED_SHARE, ASKED_POINTS = 0.8, 15.0
"""What was asked of held-out figures: this share inside, none further off."""


@dataclass(frozen=True)
class Repeated:
    """Figures of repetitions less the truth's mean, in percent.

    `points` and `half_widths` have shapes (repetitions, figures) and (figures,).
    """

    points: FloatArray
    half_widths: FloatArray

    @property
    def inside(self) -> FloatArray:
        """How many figures of each repetition have the prediction in their interval."""
        return np.sum(np.abs(self.points) <= self.half_widths, axis=1)

    @property
    def reached(self) -> FloatArray:
        """Whether a repetition has what was asked, both parts of it."""
        enough = self.inside >= ASKED_SHARE * len(self.half_widths)
        return np.asarray(enough & (np.abs(self.points).max(axis=1) <= ASKED_POINTS))


def repeated(
    studies: Sequence[Study],
    half_widths: Sequence[float],
    at: Parameters,
    structure: Structure,
    repetitions: int = REPETITIONS,
) -> Repeated:
    """Repeat the studies so often, the parameters taken for the truth."""
    random = np.random.default_rng(SEED)
    columns = [
        column
        for study in studies
        for column in _study(rows_of(study, structure), at, structure, random, repetitions)
    ]
    return Repeated(np.column_stack(columns), np.asarray(half_widths, dtype=np.float64))


def _study(
    rows: Sequence[Row],
    at: Parameters,
    structure: Structure,
    random: np.random.Generator,
    repetitions: int,
) -> list[FloatArray]:
    """Points of each figure of one study, a vector over repetitions."""
    means = predicted(rows, at, structure, STUDIES) @ normal_weights(STUDIES)
    scores = np.clip(random.standard_normal(repetitions), STUDIES[0], STUDIES[-1])
    grid = predicted(rows, at, structure, STUDIES)
    chances = np.array([np.interp(scores, STUDIES, row) for row in grid])
    columns = []
    controlled = np.zeros(repetitions, dtype=np.int64)
    for i, row in enumerate(rows):
        again = i > 0 and rows[i - 1].arm == row.arm
        before = controlled if again else np.full(repetitions, max(1, round(row.at_risk)))
        step = np.clip(chances[i] / (chances[i - 1] if again else 1.0), 0.0, 1.0)
        controlled = random.binomial(before, step)
        columns.append(100.0 * (controlled / max(1, round(row.at_risk)) - means[i]))
    return columns


def reachable_table(
    studies: Sequence[Study], half_widths: Sequence[float], at: Parameters, structure: Structure
) -> list[list[str]]:
    """Rows of the page: studies that differ as they were fitted to, and studies that are alike."""
    rows = []
    for label, spread in (("as fitted", at.study_spread), ("not at all", 0.0)):
        drawn = repeated(studies, half_widths, replace(at, study_spread=spread), structure)
        low, middle, high = np.quantile(drawn.inside, (0.025, 0.5, 0.975))
        enough = np.sum(drawn.inside >= ASKED_SHARE * len(half_widths))
        rows.append(
            [
                label,
                f"{middle:.0f} ({low:.0f} to {high:.0f})",
                f"{enough} of {REPETITIONS}",
                f"{np.sum(drawn.reached)} of {REPETITIONS}",
            ]
        )
    return rows
