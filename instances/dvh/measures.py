"""What a dose-volume histogram says: mean, maximum, D_x, V_x, second moment, unions.

A curve is `V(D)`, the share of a structure that receives at least D, linear between its points:
within a bin the dose is uniformly distributed. With the mass `m_i = V(D_i) - V(D_{i+1})` of bin i

    mean D   = sum_i m_i (D_i + D_{i+1}) / 2
    mean D^2 = sum_i m_i (D_i^2 + D_i D_{i+1} + D_{i+1}^2) / 3
    D_x      = max {D : V(D) >= x}

which are exact for such a curve (status: derived).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abscopt.models.arrays import FloatArray


@dataclass(frozen=True)
class Curve:
    """Cumulative DVH of one structure.

    Attributes
    ----------
    structure : its name in the file
    dose : (n,) not falling, from 0; in Gy, or in % of the prescription where `relative`
    share : (n,) of the structure that receives at least that dose, falling from 1 to 0
    volume_cm3 : of the structure; None if the file does not say
    relative : whether doses are % of the prescription
    """

    structure: str
    dose: FloatArray
    share: FloatArray
    volume_cm3: float | None
    relative: bool = False

    def in_gy(self, prescribed_gy: float) -> Curve:
        """The same with doses in Gy."""
        if not self.relative:
            return self
        dose = self.dose * (prescribed_gy / 100.0)
        return Curve(self.structure, dose, self.share, self.volume_cm3)


def of_bins(doses: FloatArray, shares: FloatArray, volume_cm3: float | None = None) -> Curve:
    """The curve of bins that have one dose each: it steps down by their shares.

    Parameters
    ----------
    doses, shares : (bins,) rising doses, and parts of the structure that add up to 1
    """
    above = np.append(1.0, np.maximum(1.0 - np.cumsum(shares), 0.0))
    above[-1] = 0.0
    dose = np.concatenate([[0.0], np.repeat(doses, 2)])
    share = np.concatenate([[1.0], np.repeat(above, 2)[1:-1]])
    return Curve("", dose, share, volume_cm3)


def bins_of(curve: Curve, width: float) -> tuple[FloatArray, FloatArray]:
    """Doses and shares of bins at most `width` wide, in the unit of the curve's doses.

        bin k = {D : k w <= D < (k+1) w},   D_k = sum m D / sum m  over its parts

    so that the mean of the structure is kept, and every dose to less than a width.
    """
    edges = np.arange(width, float(curve.dose[-1]), width)
    edges = edges[~np.isin(edges, curve.dose)]
    dose = np.concatenate([curve.dose, edges])
    share = np.concatenate([curve.share, np.interp(edges, curve.dose, curve.share)])
    order = np.lexsort((-share, dose))
    dose, share = dose[order], share[order]
    mass, middle = -np.diff(share), (dose[1:] + dose[:-1]) / 2.0
    bins = np.floor(middle / width).astype(np.int64)
    total: FloatArray = np.bincount(bins, weights=mass).astype(np.float64)
    weighted = np.bincount(bins, weights=mass * middle)
    filled = total > 0.0
    return weighted[filled] / total[filled], total[filled]


def mean(curve: Curve) -> float:
    """Mean dose: sum_i m_i (D_i + D_{i+1}) / 2."""
    low, high = curve.dose[:-1], curve.dose[1:]
    return float(-np.diff(curve.share) @ (low + high)) / 2.0


def second_moment(curve: Curve) -> float:
    """Mean of the squared dose: sum_i m_i (D_i^2 + D_i D_{i+1} + D_{i+1}^2) / 3."""
    low, high = curve.dose[:-1], curve.dose[1:]
    return float(-np.diff(curve.share) @ (low**2 + low * high + high**2)) / 3.0


def maximum(curve: Curve) -> float:
    """Least dose that nothing exceeds: where V first is 0."""
    return float(curve.dose[np.argmax(curve.share <= 0.0)])


def hottest(curve: Curve, share: float) -> float:
    """D_x = max {D : V(D) >= x}: least dose in the hottest share x, 0 <= x <= 1, of a structure."""
    if share <= 0.0:
        return maximum(curve)
    last = int(np.searchsorted(-curve.share, -share, side="right")) - 1
    high, low = curve.share[last], curve.share[last + 1]
    part = (high - share) / (high - low)
    return float(curve.dose[last] + part * (curve.dose[last + 1] - curve.dose[last]))


def hottest_cm3(curve: Curve, volume_cm3: float) -> float | None:
    """D_x cm3; None if the structure is smaller than x, or of unknown volume."""
    if curve.volume_cm3 is None or volume_cm3 > curve.volume_cm3:
        return None
    return hottest(curve, volume_cm3 / curve.volume_cm3)


def coldest_cm3(curve: Curve, volume_cm3: float) -> float | None:
    """Greatest dose in the coldest x cm3, D_(V - x); None as for `hottest_cm3`."""
    if curve.volume_cm3 is None or volume_cm3 > curve.volume_cm3:
        return None
    return hottest(curve, 1.0 - volume_cm3 / curve.volume_cm3)


def share_above(curve: Curve, dose: float) -> float:
    """V_x: share of the structure that receives at least x, of `curve.dose`'s unit."""
    if dose > curve.dose[-1]:
        return 0.0
    last = int(np.searchsorted(curve.dose, dose, side="left"))
    if curve.dose[last] == dose:
        return float(curve.share[last])
    return float(np.interp(dose, curve.dose[last - 1 : last + 1], curve.share[last - 1 : last + 1]))


def union(curves: Sequence[Curve]) -> Curve:
    """Structures that do not overlap as one: V = sum_s v_s V_s / sum_s v_s.

    Raises
    ------
    ValueError
        If a volume is unknown.
    """
    if len(curves) == 1:
        return curves[0]
    volumes = [curve.volume_cm3 for curve in curves if curve.volume_cm3 is not None]
    if len(volumes) < len(curves):
        raise ValueError("a union needs the volume of each structure in cm3")
    dose = np.unique(np.concatenate([curve.dose for curve in curves]))
    dose = np.repeat(dose, 2)  # a curve may step down at a dose: before and after it
    shares = [_both_sides(curve, dose[::2]) for curve in curves]
    total = sum(volumes)
    share = sum(v / total * s for v, s in zip(volumes, shares, strict=True))
    name = " + ".join(curve.structure for curve in curves)
    return Curve(name, dose, np.asarray(share), total, curves[0].relative)


def _both_sides(curve: Curve, dose: FloatArray) -> FloatArray:
    """V just before and just after each of some doses, (2n,)."""
    before = [share_above(curve, float(one)) for one in dose]
    after = np.interp(dose, curve.dose, curve.share, right=0.0)  # the last of equal doses counts
    after[dose >= curve.dose[-1]] = 0.0
    return np.column_stack([before, np.minimum(after, before)]).ravel()
