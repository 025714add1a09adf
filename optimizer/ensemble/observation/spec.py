"""What is observed, when, and at which values decisions part; as users write it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr  # type: ignore[import-untyped]

from abscopt.instances.load import InputError, Problem
from abscopt.instances.observation import MOST_THRESHOLDS, MOST_VALUE

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.evaluation.observed import Quantity

FORM = re.compile(r"(alc|effectors|burden)(?::([^@<~]+))?@(\d{1,4})<([^~]+)(?:~(.+))?")


@dataclass(frozen=True)
class Observation:
    """A quantity on the morning of a day, and the values between which a continuation holds.

    Attributes
    ----------
    lesion : of `burden`
    day : what is given on earlier days is common to all outcomes
    thresholds : increasing
    error : standard deviation of the natural log of what is measured; 0 without an error
    """

    quantity: Quantity
    day: int
    thresholds: tuple[float, ...]
    error: float = 0.0
    lesion: str = ""

    @classmethod
    def of(cls, text: str, case: Instance) -> Observation:
        """Read `alc@14<0.8`, `effectors@21<0.1,0.3` or `burden:lung@14<0.2~0.3`.

        Raises
        ------
        InputError
            If it is none of these, or the case has no such lesion or day.
        """
        match = FORM.fullmatch(text.replace(" ", ""))
        if match is None:
            rule = (
                "must be QUANTITY@DAY<VALUE[,VALUE...][~ERROR], with alc (1e9/L), effectors or "
                "burden:LESION (part of the clonogens), such as alc@14<0.8"
            )
            raise _refused(text, rule)
        quantity, lesion, day, values, error = match.groups()
        thresholds = tuple(_number(value, text) for value in values.split(","))
        width = 0.0 if error is None else _number(error, text)
        observation = cls(quantity, int(day), thresholds, width, lesion or "")  # type: ignore[arg-type]
        observation.check(case, text)
        return observation

    @classmethod
    def stated(cls, case: Instance) -> Observation | None:
        """What the case says is observed; None if nothing."""
        stated = case.observation
        if stated is None:
            return None
        return cls(stated.quantity, stated.day, stated.below, stated.log_error, stated.lesion or "")

    def check(self, case: Instance, text: str) -> None:
        """Raise InputError where the case cannot be observed so."""
        if not 0 < self.day < case.days:
            raise _refused(text, f"the day must be from 1 to {case.days - 1}")
        inside = all(a < b for a, b in pairwise(self.thresholds))
        apart = inside and len(self.thresholds) <= MOST_THRESHOLDS
        if not apart or self.thresholds[0] <= 0.0 or self.thresholds[-1] > MOST_VALUE:
            rule = (
                f"values must be above 0 and at most {MOST_VALUE:g}, increase, and be at most "
                f"{MOST_THRESHOLDS}"
            )
            raise _refused(text, rule)
        if not 0.0 <= self.error <= 5.0:
            raise _refused(text, "the error of the natural log must be from 0 to 5")
        names = [lesion.name for lesion in case.lesions]
        if (self.quantity == "burden") != bool(self.lesion):
            raise _refused(text, f"burden, and nothing else, names a lesion: one of {names}")
        if self.lesion and self.lesion not in names:
            raise _refused(text, f"unknown lesion; known {names}")

    @property
    def text(self) -> str:
        """As a user writes it."""
        where = f":{self.lesion}" if self.lesion else ""
        values = ",".join(f"{value:g}" for value in self.thresholds)
        error = f"~{self.error:g}" if self.error else ""
        return f"{self.quantity}{where}@{self.day}<{values}{error}"

    @property
    def words(self) -> list[str]:
        """What each class says, the lowest first."""
        name = {"alc": "ALC", "effectors": "effectors", "burden": f"burden of {self.lesion}"}
        edges = [f"{value:g}" for value in self.thresholds]
        unit = " x 1e9/L" if self.quantity == "alc" else ""
        what = f"{name[self.quantity]} on day {self.day}"
        middle = [f"{what} from {low} to below {high}{unit}" for low, high in pairwise(edges)]
        return [f"{what} below {edges[0]}{unit}", *middle, f"{what} at least {edges[-1]}{unit}"]

    def probabilities(self, log_values: FloatArray) -> FloatArray:
        """(classes, ...) of being observed in each class.

            P(k) = F((ln t_(k+1) - z) / sigma) - F((ln t_k - z) / sigma)

        with z the log of the quantity, F the normal distribution, a step where sigma is 0.
        """
        edges = np.log(np.array(self.thresholds))
        above = log_values - edges.reshape(-1, *(1,) * np.ndim(log_values))
        if self.error > 0.0:
            reached = np.asarray(ndtr(above / self.error), dtype=float)
        else:
            reached = (above >= 0.0).astype(float)
        ones = np.ones((1, *np.shape(log_values)))
        return np.asarray(np.concatenate([ones, reached]) - np.concatenate([reached, 0.0 * ones]))


def _number(text: str, observation: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _refused(observation, f"{text[:20]} is no number")
    return number


def _refused(text: str, rule: str) -> InputError:
    return InputError([Problem("observe", "--observe", text[:60], rule)])
