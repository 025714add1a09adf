"""Draws of an ensemble: from points of the unit cube to values of keys.

Each key has normal scores z, correlated as the ensemble says, and takes the quantile Phi(z) of its
distribution. With L L^T = C, the correlations between keys, and rho a key's own correlation between
lesions,

    z_kl = sqrt(rho_k) (L g)_k + sqrt(1 - rho_k) (L e_l)_k

so that lesions share g and have e_l alone. Choices take one coordinate each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from abscopt.instances.changes.change import Change, path_of
from abscopt.instances.changes.values import values_at
from abscopt.instances.load import InputError, Problem
from abscopt.models.arrays import FloatArray

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.ensemble import Choice, Option, Spread
    from abscopt.instances.tables.ensemble import Ensemble as Stated

DIGITS = 6
"""Significant digits of a value that is drawn: the same on every machine, and enough."""
EDGE = 1e-9
"""Points of the unit cube keep so far from 0 and 1: six standard deviations."""


@dataclass(frozen=True)
class Dimension:
    """One coordinate of the unit cube: of a choice, or of a key, alone for one entry or shared."""

    choice: int | None
    spread: int | None
    entry: str = ""

    def label(self, stated: Stated) -> str:
        """What the coordinate moves."""
        if self.choice is not None:
            return stated.choices[self.choice].name
        assert self.spread is not None
        key = stated.vary[self.spread].key
        return f"{key} ({self.entry})" if self.entry else key


class Draws:
    """What an ensemble draws for one case."""

    def __init__(self, case: Instance, stated: Stated):
        self.case, self.stated = case, stated
        self.left_out: list[str] = []
        self.entries = [self._entries(spread) for spread in stated.vary]
        self.choices = [i for i, choice in enumerate(stated.choices) if self._offered(choice)]
        self.dimensions = tuple(self._dimensions())
        self._cases: dict[tuple[int, ...], Instance] = {(): case}
        keys = [spread.key for spread in stated.vary]
        self._correlations = np.eye(len(keys))
        for correlation in stated.correlations:
            i, j = (keys.index(key) for key in correlation.keys)
            self._correlations[i, j] = self._correlations[j, i] = correlation.value
        if len(keys) and np.linalg.eigvalsh(self._correlations)[0] < -1e-9:
            rule = "no parameters have these correlations with each other"
            raise InputError([Problem(case.name, "ensemble.correlations", "correlations", rule)])

    def _entries(self, spread: Spread) -> list[str]:
        """Names of what a key names; none where it is remainder out."""
        path = path_of(spread.key, "ensemble")
        gathered = values_at(self.case, path)
        if not gathered and not spread.if_stated:
            rule = "the case states no such value (`if_stated = true` leaves the key out)"
            raise InputError([Problem(self.case.name, "ensemble.vary", spread.key, rule)])
        if not gathered:
            self.left_out.append(spread.key)
        star = path.index("*") if "*" in path else None
        return [place[star] if star is not None else "" for place, _ in gathered]

    def _offered(self, choice: Choice) -> bool:
        """Whether the case has every value that the options of a choice change."""
        keys = [key for option in choice.options for key in (*option.set, *option.times)]
        absent = [key for key in keys if not _known(self.case, key)]
        if absent and not choice.if_stated:
            rule = "the case states no such value (`if_stated = true` leaves the choice out)"
            raise InputError([Problem(self.case.name, "ensemble.choices", absent[0], rule)])
        if absent:
            self.left_out.append(choice.name)
        return not absent

    def _dimensions(self) -> list[Dimension]:
        gathered = [Dimension(i, None) for i in self.choices]
        for i, spread in enumerate(self.stated.vary):
            if self.entries[i] and spread.between_lesions > 0:
                gathered.append(Dimension(None, i))
            if spread.between_lesions < 1:
                gathered += [Dimension(None, i, entry) for entry in self.entries[i]]
        return gathered

    def changes(self, point: FloatArray) -> tuple[Change, ...]:
        """Changes of the case at a point (dimensions,) of the unit cube."""
        point = np.clip(point, EDGE, 1 - EDGE)
        options = tuple(
            _picked(self.stated.choices[dimension.choice], point[i])
            for i, dimension in enumerate(self.dimensions)
            if dimension.choice is not None
        )
        gathered = self._of_options(options)
        base = self._case_of(options)
        scores = self._scores(ndtri(point))
        for i, spread in enumerate(self.stated.vary):
            if not self.entries[i]:
                continue
            for place, value in values_at(base, path_of(spread.key, "ensemble")):
                entry = place[_star(spread)] if "*" in spread.key else ""
                drawn = quantile(spread, float(ndtr(scores[i, entry])))
                gathered.append(Change(place, placed(drawn, spread, value)))
        return tuple(gathered)

    def _scores(self, normal: FloatArray) -> dict[tuple[int, str], float]:
        """Correlated normal scores of every key and entry."""
        at = {(d.spread, d.entry): normal[i] for i, d in enumerate(self.dimensions)}
        names = list(dict.fromkeys(name for entries in self.entries for name in entries))
        shared = self._mixed([at.get((i, ""), 0.0) for i in range(len(self.entries))], None)
        gathered = {}
        for name in names:
            alone = self._mixed([at.get((i, name), 0.0) for i in range(len(self.entries))], name)
            for i, spread in enumerate(self.stated.vary):
                if name in self.entries[i]:
                    rho = spread.between_lesions
                    gathered[i, name] = math.sqrt(rho) * shared[i] + math.sqrt(1 - rho) * alone[i]
        return gathered

    def _mixed(self, independent: list[float], entry: str | None) -> FloatArray:
        """L x: scores of unit variance with the stated correlations.

        Keys without a coordinate of this sort stay out of the mixture.
        """
        stated = self.stated.vary
        if entry is None:
            used = [i for i, s in enumerate(stated) if self.entries[i] and s.between_lesions > 0]
        else:
            used = [
                i
                for i, s in enumerate(stated)
                if entry in self.entries[i] and s.between_lesions < 1
            ]
        mixed = np.zeros(len(independent))
        mixed[used] = _root(self._correlations[np.ix_(used, used)]) @ np.array(independent)[used]
        return mixed

    def _of_options(self, options: tuple[int, ...]) -> list[Change]:
        chosen = [
            self.stated.choices[choice].options[option]
            for choice, option in zip(self.choices, options, strict=True)
        ]
        return [change for option in chosen for change in option_changes(self.case, option)]

    def _case_of(self, options: tuple[int, ...]) -> Instance:
        """The case with what the options say, of which factors are taken."""
        if options not in self._cases:
            gathered = self._of_options(options)
            self._cases[options] = self.case.with_(gathered) if gathered else self.case
        return self._cases[options]


def option_changes(case: Instance, option: Option) -> list[Change]:
    """Changes that an option or a listed member states, factors made to values."""
    gathered = [Change(path_of(key, "ensemble"), value) for key, value in option.set.items()]
    for key, factor in option.times.items():
        for place, value in values_at(case, path_of(key, "ensemble")):
            if isinstance(value, bool) or not isinstance(value, int | float):
                rule = "must be a number to be multiplied"
                raise InputError([Problem(case.name, f"ensemble.{option.name}", key, rule)])
            gathered.append(Change(place, _rounded(value * factor, value)))
    return gathered


def quantile(spread: Spread, share: float) -> float:
    """Value below which a share of a key's distribution lies."""
    if spread.distribution in ("uniform", "loguniform"):
        assert spread.low is not None and spread.high is not None
        if spread.distribution == "uniform":
            return spread.low + share * (spread.high - spread.low)
        return math.exp(
            math.log(spread.low) + share * (math.log(spread.high) - math.log(spread.low))
        )
    log = spread.distribution == "lognormal"
    if log:
        assert spread.median is not None and spread.sigma is not None
        center, width = math.log(spread.median), spread.sigma
    else:
        assert spread.mean is not None and spread.sd is not None
        center, width = spread.mean, spread.sd
    ends = [
        edge
        if bound is None
        else float(ndtr(((math.log(bound) if log else bound) - center) / width))
        for bound, edge in ((spread.low, 0.0), (spread.high, 1.0))
    ]
    inside = min(max(ends[0] + share * (ends[1] - ends[0]), EDGE), 1 - EDGE)
    value = center + width * float(ndtri(inside))
    return math.exp(value) if log else value


def placed(drawn: float, spread: Spread, value: object) -> float | int:
    """The value that a draw gives in the place of another one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        rule = "must be a number to be drawn"
        raise InputError([Problem("ensemble", "vary", spread.key, rule)])
    return _rounded(value * drawn if spread.of == "factor" else drawn, value)


def _rounded(value: float, like: float | int) -> float | int:
    return round(value) if isinstance(like, int) else float(f"{value:.{DIGITS}g}")


def _picked(choice: Choice, share: float) -> int:
    """Option in which a share of the weights, in order, ends."""
    weights = np.cumsum([option.weight for option in choice.options])
    return int(np.searchsorted(weights / weights[-1], share, side="right"))


def _star(spread: Spread) -> int:
    return path_of(spread.key, "ensemble").index("*")


def _known(case: Instance, key: str) -> bool:
    """Whether a case has a value for a key, or could: `use` of a table that is there."""
    path = path_of(key, "ensemble")
    if values_at(case, path):
        return True
    return path[-1] == "use" and bool(values_at(case, path[:-1]))


def _root(matrix: FloatArray) -> FloatArray:
    """L with L L^T = matrix, also where the matrix is singular."""
    size = len(matrix)
    root = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            remainder = matrix[i, j] - root[i, :j] @ root[j, :j]
            if i == j:
                root[i, i] = math.sqrt(max(0.0, remainder))
            elif root[j, j] > 1e-9:
                root[i, j] = remainder / root[j, j]
    return root
