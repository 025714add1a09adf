"""In which class a member is observed after a first stage, and at least in every one of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.evaluation.observed import Observer
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.ensemble.observation.spec import Observation
    from abscopt.optimizer.ensemble.observation.stages import Box, FirstStages, Key

ENUMERATED = 24
"""First stages of a box that are judged one by one; calibrated: more cost as much as a solve."""
MOST_JUDGED = 20_000
"""Judged quantities (first stages x members) that ranges of a box are worth; about 10 s."""
SAFETY = 1e-9
"""Of ranges of the logarithm: sums of parts round otherwise than the judge."""


class Classes:
    """Probabilities of the classes of an observation, member by member."""

    def __init__(self, ensemble: Ensemble, observation: Observation, stages: FirstStages):
        self.observation, self.stages = observation, stages
        self.observers = [
            Observer(member, observation.quantity, observation.day, observation.lesion)
            for member in ensemble.instances
        ]
        self._known: dict[Key, FloatArray] = {}

    def log_values(self, key: Key) -> FloatArray:
        """(members,) log of the quantity after a first stage."""
        if key not in self._known:
            schedule = self.stages.schedule(key)
            values = []
            for observer in self.observers:
                tick()
                values.append(observer.log_value(schedule))
            self._known[key] = np.array(values)
        return self._known[key]

    def probabilities(self, key: Key) -> FloatArray:
        """(classes, members) of a first stage."""
        return self.observation.probabilities(self.log_values(key))

    def least(self, box: Box) -> FloatArray:
        """(classes, members) probability at least, whatever the first stage in a box.

        Each is least at an end of the range of the quantity: it rises and then falls with it.
        """
        if box.size <= ENUMERATED:
            judged = np.stack([self.probabilities(key) for key in box.stages()])
            return np.asarray(judged.min(axis=0))
        ends = self._ranges(box)
        if ends is None:
            members = len(self.observers)
            return np.zeros((len(self.observation.thresholds) + 1, members))
        low, high = (self.observation.probabilities(end) for end in ends)
        return np.minimum(low, high)

    def _ranges(self, box: Box) -> tuple[FloatArray, FloatArray] | None:
        """(members,) least and greatest log of the quantity in a box; None if it is not known.

        Under what a plan gives before the day, lesions add to log ALC and to the number of
        effectors: x(i_1, ..., i_S) = x(0) + sum_s [x_s(i_s) - x(0)], x_s with lesion s alone.
        """
        plans, *lesions = box.parts
        judged = len(plans) * sum(map(len, lesions)) * len(self.observers)
        if self.observation.quantity == "burden" or judged > MOST_JUDGED:
            return None
        lowest, highest = [], []
        for plan in plans.tolist():
            nothing = (plan, *(0,) * len(lesions))
            base = self._added(nothing)
            low, high = base.copy(), base.copy()
            for s, numbers in enumerate(lesions):
                alone = np.stack(
                    [
                        self._added((*nothing[: s + 1], i, *nothing[s + 2 :]))
                        for i in numbers.tolist()
                    ]
                )
                low += alone.min(axis=0) - base
                high += alone.max(axis=0) - base
            lowest.append(low)
            highest.append(high)
        low, high = np.min(lowest, axis=0), np.max(highest, axis=0)
        if self.observation.quantity == "effectors":
            tiny = np.finfo(float).tiny
            low, high = (np.log(np.maximum(end, tiny)) for end in (low, high))
        return low - SAFETY, high + SAFETY

    def _added(self, key: Key) -> FloatArray:
        """(members,) what lesions add to: log ALC, or the number of effectors."""
        values = self.log_values(key)
        return np.exp(values) if self.observation.quantity == "effectors" else values
