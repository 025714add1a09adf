"""What one programme has in hand while it is refined, and the margins of its bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abscopt.optimizer.answer import Answer

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.reduction import Step
    from abscopt.optimizer.programme.data import Data

MOST_MARGIN = 1e-7
"""The most that is added to a bound of the solver (nat, or unit of the objective)."""


@dataclass
class ProgrammeAnswer(Answer):
    """What the programme found, and how.

    `data` states the last programme of the whole case; `reductions` says what was dropped before
    the first one; `floor` bounds what was dropped, and the `excluded` choices that were judged and
    set apart; `solver_seconds` is wall time inside the solver. `least_gap` is what is left of the
    gap where refining ends before it is closed.
    """

    rounds: int = 0
    data: Data | None = None
    floor: float = -math.inf
    reductions: tuple[Step, ...] = ()
    solver_seconds: list[float] = field(default_factory=list)
    least_gap: float | None = None
    excluded: int = 0


def solver_margin(gap: float) -> float:
    """Added to the solver's bound, whose rows may be exceeded by its feasibility tolerance.

    1e-7 covers the errors seen (2e-8); less where a smaller gap is asked for.
    """
    return min(MOST_MARGIN, gap / 4)


def least_gap(answer: ProgrammeAnswer, gap: float) -> float | None:
    """What would be left of a gap that is large enough for the whole margin."""
    return None if answer.gap is None else answer.gap + MOST_MARGIN - solver_margin(gap)
