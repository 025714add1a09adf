"""Schedules judged in every member: values, and which of them keep every limit and rule there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.evaluation import Judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule


class Pool:
    """Every schedule that is compared, judged in every member and in the case as it is stated.

    Attributes
    ----------
    schedules : each once, in the order in which they came
    values : (schedules, members) objectives
    feasible : (schedules, members) whether every limit and rule is kept
    nominal : (schedules,) objectives of the case as it is stated; minus infinity where a limit or
        rule of it is broken
    """

    def __init__(self, ensemble: Ensemble):
        self.ensemble = ensemble
        self.schedules: list[Schedule] = []
        members = len(ensemble.members)
        self.values: FloatArray = np.zeros((0, members))
        self.feasible: BoolArray = np.zeros((0, members), dtype=bool)
        self.nominal: FloatArray = np.zeros(0)
        self._case = Judge(ensemble.case)
        self._judges = [Judge(instance) for instance in ensemble.instances]

    def add(self, schedule: Schedule, tick: Callable[[], None] = lambda: None) -> int:
        """Judge a schedule in every member; its row.

        Parameters
        ----------
        tick : called before each verdict; what it raises leaves the pool as it was
        """
        if schedule in self.schedules:
            return self.schedules.index(schedule)
        verdicts = []
        for judge in (self._case, *self._judges):
            tick()
            verdicts.append(judge.evaluate(schedule))
        self.schedules.append(schedule)
        row = [verdict.objective for verdict in verdicts[1:]]
        keeps = [verdict.admissible for verdict in verdicts[1:]]
        self.values = np.vstack([self.values, row])
        self.feasible = np.vstack([self.feasible, keeps])
        stated = verdicts[0].objective if verdicts[0].admissible else -np.inf
        self.nominal = np.append(self.nominal, stated)
        return len(self.schedules) - 1

    def evaluation(self, schedule: Schedule, member: int) -> Evaluation:
        """Verdict on a schedule in one member."""
        return self._judges[member].evaluate(schedule)

    @property
    def kept_values(self) -> FloatArray:
        """(schedules, members) objectives, minus infinity where a limit or rule is broken."""
        return np.where(self.feasible, self.values, -np.inf)

    @property
    def best(self) -> FloatArray:
        """(members,) best objective of a schedule that keeps all limits there."""
        best: FloatArray = self.kept_values.max(axis=0, initial=-np.inf)
        return best

    def best_in(self, member: int) -> Schedule | None:
        """Best schedule of a member that keeps all limits there; None if none does."""
        column = self.kept_values[:, member]
        if not len(column) or not np.isfinite(column.max()):
            return None
        return self.schedules[int(column.argmax())]
