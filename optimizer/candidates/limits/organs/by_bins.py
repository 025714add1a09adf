"""Equivalent uniform dose over bins of histograms, as a norm: what a day and a shared day load.

    ||x||_p = (sum_i v_i x_i^p)^(1/p),   p = 1/n
    one day: ||m R delta d + pairs delta^2 d^2 / r||_p / (1 + 2/r),   ||delta||_p m d if physical

Two lesions on one day add at most the norm of twice the product of their doses, which is at most
`2 sqrt(||delta^2||_p ||delta'^2||_p) d d'` (Hoelder).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.tumor import lq
from abscopt.optimizer.candidates.limits.organs.quadratic import pairs_of

if TYPE_CHECKING:
    from abscopt.instances.limits import NtcpLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


def norm_of_day(
    instance: Instance, limit: NtcpLimit, beam: Beam, dose_gy: FloatArray, enhancement: float
) -> FloatArray:
    """(n,) Gy, or Gy EQD2, of one day's m equal fractions of dose_gy (n,)."""
    organ, ratio, number = limit.organ, limit.alpha_beta_gy, beam[2]
    relative, shares = _bins(limit, beam)
    doses = np.asarray(dose_gy, dtype=np.float64)
    if ratio is None:
        return number * doses * _norm(limit, relative, shares)
    each = doses[..., None] * relative
    square = pairs_of(instance, organ, number, number) * each**2
    return _norm(limit, lq.eqd2(number * enhancement * each + square / ratio, ratio), shares)


def norm_of_pair(instance: Instance, limit: NtcpLimit, first: Beam, second: Beam) -> float:
    """Gy EQD2 per d d' of two lesions on one day; 0 for physical doses, which only add."""
    ratio = limit.alpha_beta_gy
    if ratio is None:
        return 0.0
    squares = 1.0
    for beam in (first, second):
        relative, shares = _bins(limit, beam)
        squares *= float(_norm(limit, relative**2, shares))
    pairs = pairs_of(instance, limit.organ, first[2], second[2])
    return float(lq.eqd2(2.0 * pairs * math.sqrt(squares) / ratio, ratio))


def _bins(limit: NtcpLimit, beam: Beam) -> tuple[FloatArray, FloatArray]:
    """(bins,) delta and shares of a beam; one bin without dose where it misses the organ."""
    lesion, technique, _ = beam
    histogram = lesion.histogram(limit.organ, technique)
    return (np.zeros(1), np.ones(1)) if histogram is None else histogram.parts


def _norm(limit: NtcpLimit, doses: FloatArray, shares: FloatArray) -> FloatArray:
    """(...) norm of doses (..., bins), scaled by the largest so that powers stay finite."""
    assert limit.volume_exponent is not None
    power = 1.0 / limit.volume_exponent
    top = doses.max(axis=-1)
    scaled = doses / np.where(top > 0, top, 1.0)[..., None]
    return np.asarray(top * (scaled**power @ shares) ** (1.0 / power), dtype=np.float64)
