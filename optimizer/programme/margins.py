"""How far bounds of variables keep from what the rows imply."""

from __future__ import annotations

from abscopt.optimizer.highs.solver import SAFE_MARGIN

RANGE_MARGIN = SAFE_MARGIN
"""Room around the range of a variable (nat, or unit of its row).

Rows state the same range exactly, so that the room costs the relaxation nothing but this much of a
large constant; rounding in the range itself is below 1e-9.
"""

INSIDE = 1e-9
"""A break point nearer to the end of a range than this says nothing new."""

BAND_SCALE = 5000.0
"""Rows of bands of log loss are scaled up: tolerances stay far below the margin of a split."""

LARGEST_EFFECT = 1e3
"""Nats that are written as they are: a slope of a kill of at most 1 nat is 1e-6 there, a thousand
times what HiGHS drops; effects of published constants are below."""
