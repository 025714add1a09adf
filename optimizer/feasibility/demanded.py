"""The demand that a lesion is treated, with whatever dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion

ANY_DOSE_GY = 1e-6
"""Demanded BED that every fraction exceeds."""


def treated(lesion: Lesion) -> Lesion:
    """The lesion that must be treated."""
    return lesion.unchecked({"least_bed_gy": max(lesion.least_bed_gy or 0.0, ANY_DOSE_GY)})
