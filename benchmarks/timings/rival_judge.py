"""Cases with free courses as rivals see them: a number in [0, 1) per day, valued by the judge.

A code has a number per agent (its option), one per lesion with a uniform menu and one per day of a
free course; below 0.25 nothing is given, the rest is the rank of the dose (or of the course in its
menu's order). There are no tables of whole populations as for uniform courses (`rival_menu`): the
judge values each schedule by itself, as a script of a researcher would. Excess and its price are
those of `rival_menu`; loads beyond a limit's table count `MOST_EXCESS`, broken rules 1 each.
"""

from __future__ import annotations

import time

import numpy as np
from rival_menu import MOST_EXCESS, SAMPLE, UNTREATED, Box, OutOfTime, plan_tree, ranks

from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.schedule import Schedule

JUDGED_SAMPLE = SAMPLE // 20


class JudgedMenu(Box):
    """A case with free courses."""

    def __init__(self, instance: Instance):
        super().__init__()
        self.judge = Judge(instance)
        self.candidates = Candidates(instance)
        self.columns = columns_of(self.candidates, by_day=True)
        self._plan_tree = plan_tree(self.candidates)
        lesion, day, course = self.columns.lesion, self.columns.day, self.columns.course
        real = np.flatnonzero(course != 0)  # 0 is a uniform lesion left alone
        places = sorted(set(zip(lesion[real].tolist(), day[real].tolist(), strict=True)))
        self.groups = [real[(lesion[real] == s) & (day[real] == d)] for s, d in places]
        self.size = len(self._plan_tree) + len(self.groups)

    def decode(self, code: FloatArray) -> Schedule:
        """Schedule of one code (size,)."""
        systemic = len(self._plan_tree)
        plan = int(self._plan_tree.find(code[None, :systemic])[0])
        rank = (code[systemic:] - UNTREATED) / (1 - UNTREATED)
        picked = [
            int(group[ranks(np.array(r), len(group))])
            for group, r in zip(self.groups, rank.tolist(), strict=True)
            if r >= 0
        ]
        return schedule_of(self.candidates, self.columns, picked, plan)

    def sample(self) -> tuple[FloatArray, FloatArray]:
        """See `Box`."""
        codes = np.random.default_rng(SAMPLE).random((JUDGED_SAMPLE, self.size))
        verdicts = [self.judge.evaluate(self.decode(code)) for code in codes]
        value = np.array([verdict.objective for verdict in verdicts])
        return value, np.array([excess_of(verdict) for verdict in verdicts])

    def worth(self, codes: FloatArray) -> FloatArray:
        """(n,) worth of codes (n, size), one after the other."""
        found = np.empty(len(codes))
        for i, code in enumerate(codes):
            if time.perf_counter() > self.deadline:
                raise OutOfTime
            schedule = self.decode(code)
            verdict = self.judge.evaluate(schedule)
            self.evaluations += 1
            if verdict.admissible and verdict.objective > self.best:
                self.best, self.answer = verdict.objective, schedule
            found[i] = verdict.objective - self.price * excess_of(verdict)
        return found


def excess_of(verdict: Evaluation) -> float:
    """Sum of what exceeds hard limits, in parts of the caps, and of broken rules."""
    over = [
        MOST_EXCESS if limit.use is None else min(limit.use - 1.0, MOST_EXCESS)
        for limit in verdict.limits
        if limit.broken
    ]
    return sum(over) + len(verdict.obstacles)
