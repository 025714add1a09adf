"""What lies inside contours: polygons on a fine grid, shapes between planes, caps at both ends.

In a plane a point is inside where the number of edges to one side of it is odd, so that a contour
within a contour is a hole. Between two planes shapes pass into each other: with the distances
s_1, s_2 to the two outlines, positive inside, a point at the share w of the way is inside where

    (1 - w) s_1 + w s_2 > 0

(shape-based interpolation; Raya and Udupa, IEEE Trans Med Imaging 9 (1990) 32, recalled). Beyond
the last plane the parabola through the last three areas says how the shape ends: as a dome of the
height H at which it vanishes, if that is before the next plane would come, else half a slice of the
last contour. Domes are exact for spheres and ellipsoids, half slices for cylinders (derived).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from abscopt.instances.dicom.structures import Plane, Structure
from abscopt.models.arrays import BoolArray, FloatArray, IntArray

STEP_MM = 0.5
"""Most between samples, in every direction; 0.6-0.9 Gy off on a sphere without (calibrated)."""
LEAST_STEP_MM = 0.1
SAMPLES_ACROSS = 70
"""Samples across the narrow side of a small structure: 1e-3 of its volume (tests)."""
MOST_GAP = 2.5
"""In usual distances of planes: across more the structure is taken as two pieces (assumed)."""
ROUNDING = 1.1
"""Of the height of a dome: contours are polygons, their areas a little too small."""
MOST_FACTOR = 1.1
"""Of the area between planes: 1.02 for a sphere of 1 cm with planes 2.5 mm apart (derived)."""
BLOCK = 50_000
"""Pairs of points and edges at once: their arrays stay in the cache of a processor."""


@dataclass(frozen=True)
class Layer:
    """A thin slice: its height along the normal, the thickness in mm that counts, its inside."""

    position: float
    thickness: float
    inside: BoolArray


@dataclass(frozen=True)
class Grid:
    """Centers of the samples of a plane: (n,) along u, (m,) along v, mm apart."""

    u: FloatArray
    v: FloatArray
    step: float

    def points(self, chosen: BoolArray) -> FloatArray:
        """(k, 2) centers of the samples that an (m, n) mask chooses."""
        rows, columns = np.nonzero(chosen)
        return np.column_stack([self.u[columns], self.v[rows]])


def grid_of(structure: Structure) -> Grid:
    """Samples that cover a structure."""
    corners = np.concatenate([c for plane in structure.planes for c in plane.contours])
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = float(np.clip(np.min(high - low) / SAMPLES_ACROSS, LEAST_STEP_MM, STEP_MM))
    u, v = (
        start + step * (np.arange(math.ceil((end - start) / step)) + 0.5)
        for start, end in zip(low, high, strict=True)
    )
    return Grid(u, v, step)


def layers(structure: Structure, grid: Grid) -> Iterator[Layer]:
    """Thin slices that make up a structure, from one end to the other."""
    planes = structure.planes
    usual = float(np.median(np.diff([plane.position for plane in planes])))
    masks = [filled(plane.contours, grid) for plane in planes]
    pieces, first = [], 0
    for k in range(1, len(planes) + 1):
        if k == len(planes) or planes[k].position - planes[k - 1].position > MOST_GAP * usual:
            pieces.append((first, k))
            first = k
    for first, end in pieces:
        yield from _cap(planes[first:end][::-1], masks[first:end][::-1], grid, usual, -1)
        for k in range(first, end - 1):
            areas = _areas(planes[max(first, k - 1) : min(end, k + 3)], grid)
            yield from _between(planes[k : k + 2], masks[k : k + 2], grid, areas)
        yield from _cap(planes[first:end], masks[first:end], grid, usual, 1)


def filled(contours: Sequence[FloatArray], grid: Grid) -> BoolArray:
    """(m, n) samples inside contours: an odd number of edges lies to their lower side along u."""
    row, crossing = _crossings(contours, grid)
    flips = np.zeros((len(grid.v), len(grid.u) + 1), dtype=np.int64)
    np.add.at(flips, (row, np.searchsorted(grid.u, crossing)), 1)
    odd: BoolArray = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    return odd


def area(contours: Sequence[FloatArray], grid: Grid) -> float:
    """Area inside contours: step times the sum over rows of (u_2 - u_1) + (u_4 - u_3) + ..."""
    row, crossing = _crossings(contours, grid)
    ordered = crossing[np.lexsort((crossing, row))]
    return grid.step * float(np.sum(ordered[1::2] - ordered[::2]))


def _crossings(contours: Sequence[FloatArray], grid: Grid) -> tuple[IntArray, FloatArray]:
    """Rows of samples and where edges cross them, low <= v < high; an even number in each row."""
    start, end = edges(contours)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first, last = np.searchsorted(grid.v, low), np.searchsorted(grid.v, high)
    counts = last - first
    edge = np.repeat(np.arange(len(start)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (end[edge, 0] - start[edge, 0]) / (end[edge, 1] - start[edge, 1])
    return row, start[edge, 0] + (grid.v[row] - start[edge, 1]) * slope


def edges(contours: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(n, 2) starts and ends of all edges."""
    return (
        np.concatenate(list(contours)),
        np.concatenate([np.roll(contour, -1, axis=0) for contour in contours]),
    )


def distance(points: FloatArray, contours: Sequence[FloatArray]) -> FloatArray:
    """Distance of points to the nearest edge: min_e |p - a_e - t (b_e - a_e)|, t in [0, 1]."""
    start, end = edges(contours)
    (x, y), (dx, dy) = start.T, (end - start).T
    square = np.maximum(dx**2 + dy**2, 1e-12)
    nearest = np.empty(len(points))
    block = max(1, BLOCK // len(start))
    for first in range(0, len(points), block):
        u = points[first : first + block, :1] - x
        v = points[first : first + block, 1:] - y
        share = np.clip((u * dx + v * dy) / square, 0.0, 1.0)
        u -= share * dx
        v -= share * dy
        nearest[first : first + block] = np.sqrt((u * u + v * v).min(axis=1))
    return nearest


def _areas(planes: Sequence[Plane], grid: Grid) -> Callable[[float], float]:
    """Area at a height: the polynomial through those of up to four planes, of degree 3 at most."""
    middle = float(np.mean([plane.position for plane in planes]))
    heights = [plane.position - middle for plane in planes]
    curve = np.polyfit(heights, [area(p.contours, grid) for p in planes], len(planes) - 1)
    return lambda height: float(np.polyval(curve, height - middle))


def _between(
    planes: Sequence[Plane],
    masks: Sequence[BoolArray],
    grid: Grid,
    areas: Callable[[float], float],
) -> Iterator[Layer]:
    """Layers between two planes.

    Outlines that pass into each other along straight lines cut round shapes short, so each layer
    counts with its area A(z), which is exact for spheres. A distance outside one outline counts no
    more than the deepest point of what only the other has; a contour that the other plane does not
    meet ends halfway, as it is.
    """
    height = planes[1].position - planes[0].position
    count = 2 * math.ceil(height / STEP_MM / 2)  # none lies halfway
    both = masks[0] & masks[1]
    single = masks[0] ^ masks[1]
    points, first = grid.points(single), masks[0][single]
    inner, outer = np.zeros(len(points)), np.zeros(len(points))
    ends = False
    for side, chosen in enumerate((first, ~first)):
        inner[chosen] = distance(points[chosen], planes[side].contours)
        outer[chosen] = distance(points[chosen], planes[1 - side].contours)
        outer[chosen] = np.minimum(outer[chosen], inner[chosen].max(initial=0.0))
        alone = _alone(planes[side], masks[side], masks[1 - side], grid)[single]
        outer[alone] = inner[alone]
        ends |= bool(alone.any())
    for i in range(count):
        share = (i + 0.5) / count
        weight = np.where(first, 1.0 - share, share)
        inside = both.copy()
        inside[single] = weight * inner > (1.0 - weight) * outer
        position = planes[0].position + share * height
        counted = max(float(inside.sum()), 1.0) * grid.step**2
        factor = 1.0 if ends else np.clip(areas(position) / counted, 1 / MOST_FACTOR, MOST_FACTOR)
        yield Layer(position, float(factor) * height / count, inside)


def _alone(plane: Plane, mask: BoolArray, other: BoolArray, grid: Grid) -> BoolArray:
    """What lies in contours of a plane that the next one does not meet."""
    alone = np.zeros_like(mask)
    if len(plane.contours) > 1 or not (mask & other).any():
        for contour in plane.contours:
            inside = filled([contour], grid)
            if not (inside & other).any():
                alone |= inside & mask
    return alone


def _cap(
    planes: Sequence[Plane], masks: Sequence[BoolArray], grid: Grid, usual: float, side: int
) -> Iterator[Layer]:
    """Layers beyond the last plane, `planes` and `masks` from the other end of the piece to it.

    With the area A(t) that is left at height t and the depth s of a point below the outline, at
    most S, the dome holds what has (1 - s / S)^2 <= A(t) / A(0): circles shrink as their areas.
    """
    end, mask = planes[-1], masks[-1]
    heights = np.array([abs(plane.position - end.position) for plane in planes[-3:]])
    areas = [area(plane.contours, grid) for plane in planes[-3:]]
    parabola = np.polyfit(-heights, areas, 2) if len(areas) == 3 else np.zeros(3)
    extent = _vanishes(parabola, heights[-2] if len(heights) > 1 else 0.0)
    dome = extent is not None
    extent = usual / 2 if extent is None else extent
    depth = distance(grid.points(mask), end.contours) if dome else np.zeros(0)
    count = math.ceil(extent / STEP_MM)
    for i in range(count):
        offset = (i + 0.5) / count * extent
        inside = mask.copy()
        if dome:
            remaining = max(float(np.polyval(parabola, offset)), 0.0) / areas[-1]
            inside[mask] = (1.0 - depth / depth.max(initial=1e-12)) ** 2 <= remaining
        yield Layer(end.position + side * offset, extent / count, inside)


def _vanishes(parabola: FloatArray, gap: float) -> float | None:
    """Height at which the areas vanish, if about where the next plane would be or before it."""
    if not parabola[1] < 0:  # the last area does not fall
        return None
    roots = [float(root.real) for root in np.roots(parabola) if abs(root.imag) < 1e-9]
    heights = [min(root, gap) for root in roots if 0 < root <= ROUNDING * gap]
    return min(heights, default=None)
