"""The least demand that means: this lesion is treated."""

ANY_DOSE_GY = 1e-6
"""Demanded BED that every fraction exceeds."""
