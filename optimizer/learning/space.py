"""What a patient may be, as standard normal scores: draws of an ensemble, and what it leaves open.

Coordinates, in this order: those of the ensemble's draws (`Draws`), or one that picks a listed
member; one factor of alpha for each lesion with a spread between patients (`alpha_cv`), for a
measurement is of one patient, who has one alpha; the half-time of resorption where volumes are
measured. A member made here states its alpha and no spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from abscopt.instances.changes.change import Change
from abscopt.instances.changes.values import values_at
from abscopt.models.biomarkers import log_sd
from abscopt.optimizer.ensemble.drawn import sobol_points
from abscopt.optimizer.ensemble.draws import DIGITS, EDGE, Draws
from abscopt.optimizer.learning.measured.errors import RESORPTION_DAYS, RESORPTION_SD

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import BoolArray, FloatArray
    from abscopt.optimizer.ensemble.members import Ensemble

RESORPTION = "half-time of resorption (days)"


@dataclass(frozen=True)
class Patient:
    """One parameter set.

    Attributes
    ----------
    changes : what differs from the case
    instance : the case with these values
    half_time_days : of the resorption of killed cells
    """

    changes: tuple[Change, ...]
    instance: Instance
    half_time_days: float


class Space:
    """Parameter sets of an ensemble by scores."""

    def __init__(self, ensemble: Ensemble, volumes: bool):
        self.ensemble, self.case = ensemble, ensemble.case
        stated = ensemble.stated
        self.draws = None if stated is None or stated.members else Draws(self.case, stated)
        self._reached = np.cumsum(ensemble.weights)
        cases = (self.case, *ensemble.instances)
        self.spread = tuple(
            lesion.name
            for i, lesion in enumerate(self.case.lesions)
            if any(case.lesions[i].spread for case in cases)
        )
        self.volumes = volumes
        self._alphas: dict[str, dict[str, Any]] = {}

    @property
    def drawn(self) -> int:
        """Number of coordinates of the ensemble itself."""
        return 1 if self.draws is None else len(self.draws.dimensions)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.drawn + len(self.spread) + int(self.volumes)

    @property
    def discrete(self) -> BoolArray:
        """(size,) coordinates that choose between options or members."""
        mask = np.zeros(self.size, dtype=bool)
        if self.draws is None:
            mask[0] = True
        else:
            for i, dimension in enumerate(self.draws.dimensions):
                mask[i] = dimension.choice is not None
        return mask

    def of_members(self, seed: int) -> FloatArray:
        """(members, size) scores of the ensemble's members; what it leaves open is drawn.

        Both sets of points are balanced, and paired at random.
        """
        count = len(self.ensemble.members)
        points = np.empty((count, self.size))
        if self.draws is None:
            weights = self.ensemble.weights
            points[:, 0] = self._reached - 0.5 * weights
        else:
            assert self.ensemble.stated is not None
            stated = self.ensemble.stated
            points[:, : self.drawn] = sobol_points(stated.size, self.drawn, stated.seed)
        open_points = sobol_points(count, self.size - self.drawn, seed)
        points[:, self.drawn :] = np.random.default_rng(seed).permutation(open_points)
        return _scores(points)

    def prior(self, count: int, seed: int) -> FloatArray:
        """(count, size) balanced scores of the whole space."""
        return _scores(sobol_points(count, self.size, seed))

    def patient(self, scores: FloatArray) -> Patient:
        """The parameter set at scores (size,); raises InputError where the case forbids it."""
        changes = self._of_ensemble(scores[: self.drawn])
        if self.spread:
            factors = scores[self.drawn : self.drawn + len(self.spread)]
            changes = self._with_alphas(changes, factors)
        half_time = RESORPTION_DAYS.value
        if self.volumes:
            half_time *= math.exp(RESORPTION_SD.value * scores[-1])
        return Patient(changes, self.case.with_(changes), half_time)

    def member(self, scores: FloatArray) -> int:
        """Index of the listed member that a first coordinate picks."""
        share = float(ndtr(scores[0]))
        return min(int(np.searchsorted(self._reached, share)), len(self._reached) - 1)

    def _of_ensemble(self, scores: FloatArray) -> tuple[Change, ...]:
        if self.draws is None:
            return self.ensemble.members[self.member(scores)].changes
        return self.draws.changes(ndtr(scores))

    def _with_alphas(self, changes: tuple[Change, ...], scores: FloatArray) -> tuple[Change, ...]:
        """Changes, with alpha of each lesion and its clones times the patient's factor.

        f = e^(s z - s^2 / 2),  s^2 = ln(1 + cv^2): mean 1, as in the control of a population
        """
        stated = {change.path: change.value for change in changes}
        further: dict[tuple[str, ...], Change] = {}
        for name, score in zip(self.spread, scores, strict=True):
            values = self._case_for(changes, name)
            cv = stated.get(("lesions", name, "alpha_cv"), values["alpha_cv"])
            sd = log_sd(cv or 0.0)
            factor = math.exp(sd * float(score) - 0.5 * sd * sd)
            for path, value in values["alphas"]:
                alpha = factor * stated.get(path, value)
                further[path] = Change(path, float(f"{alpha:.{DIGITS}g}"))
            path = ("lesions", name, "alpha_cv")
            further[path] = Change(path, 0.0)
        stays = tuple(change for change in changes if change.path not in further)
        return (*stays, *further.values())

    def _case_for(self, changes: tuple[Change, ...], name: str) -> dict[str, Any]:
        """Alphas and spread of a lesion where the changes do not state them."""
        plain = all(len(c.path) >= 3 and c.path[2] != "use" for c in changes if _of_lesion(c))
        if not plain:
            return _alphas(self.case.with_(changes), name)
        if name not in self._alphas:
            self._alphas[name] = _alphas(self.case, name)
        return self._alphas[name]


def _of_lesion(change: Change) -> bool:
    return change.path[0] == "lesions"


def _alphas(case: Instance, name: str) -> dict[str, Any]:
    """Spread of a lesion, and its alpha and those of its clones by path."""
    lesion = next(x for x in case.lesions if x.name == name)
    path = ("lesions", name, "alpha_per_gy")
    clones = values_at(case, ("lesions", name, "clones", "*", "alpha_per_gy"))
    return {"alpha_cv": lesion.alpha_cv, "alphas": [(path, lesion.alpha_per_gy), *clones]}


def _scores(points: FloatArray) -> FloatArray:
    """Normal scores of points of the unit cube."""
    return np.asarray(ndtri(np.clip(points, EDGE, 1.0 - EDGE)), dtype=np.float64)
