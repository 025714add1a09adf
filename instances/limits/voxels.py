"""Mean over an organ's voxels of what is quadratic in their dose."""

from __future__ import annotations

from abscopt.models.tumor import lq


def mean_eqd2(dose_gy: float, second_moment_gy2: float | None, alpha_beta_gy: float) -> float:
    """Mean over voxels of the EQD2 of one fraction: (mean(D) + mean(D^2)/r) / (1 + 2/r)."""
    assert second_moment_gy2 is not None
    return float(lq.eqd2(dose_gy + second_moment_gy2 / alpha_beta_gy, alpha_beta_gy))
