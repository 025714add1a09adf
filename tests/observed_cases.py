"""Small ensembles that something is observed in, and their two-stage optimum by the judge."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from brute_force import schedules
from ensembles import ensemble as random_ensemble

from abscopt.instances.load import load
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.ensemble.observation.spec import Observation
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.observed import Observer, before_day
from abscopt.optimizer.schedule import Schedule


def members_of(seed: int) -> Ensemble:
    """A random case and its members."""
    case, cases, weights = random_ensemble(seed)
    members = tuple(
        Member(f"m{i}", float(w), (), x)
        for i, (w, x) in enumerate(zip(weights, cases, strict=True))
    )
    return Ensemble("random", case, members)


def patients_of(seed: int) -> Ensemble:
    """Members whose lesions differ in sensitivity, each by itself; what day 7 shows tells of it.

    One organ limits the dose of both lesions together; the second may wait for the observation.
    """
    rng = np.random.default_rng([29, seed])
    course = {"form": "uniform", "fractions": [2, 3, 5], "doses_gy": [5.0, 8.0, 10.0]}
    case = load("toy-two-lesions").with_(
        {
            "lesions.large.course": course | {"last_start_day": 7, "start_step_days": 7},
            "lesions.small.course": course | {"last_start_day": 7, "start_step_days": 7},
            "lesions.*.lymphocyte_loss_per_fraction": 0.02,
            "limits.organ_mean.cap_gy": float(rng.choice([24.0, 28.0, 32.0])),
            "standard": None,
        }
    )
    members = []
    count = int(rng.integers(3, 7))
    for i, weight in enumerate(rng.dirichlet(np.full(count, 3.0))):
        large, small = np.exp(rng.normal(0.0, 0.5, 2))
        changed = case.with_(
            {
                "allow_unusual": True,
                "lesions.large.alpha_per_gy": round(float(0.3 * large), 6),
                "lesions.small.alpha_per_gy": round(float(0.3 * small), 6),
                "lymphocytes.initial_1e9_per_l": round(float(1.5 * large**0.3), 6),
            }
        )
        members.append(Member(f"m{i}", float(weight), (), changed))
    return Ensemble("patients", case, tuple(members))


class Enumerated:
    """All schedules of a case that keep its limits, judged in every member."""

    def __init__(self, ensemble: Ensemble):
        self.ensemble = ensemble
        nominal, judges = Judge(ensemble.case), [Judge(x) for x in ensemble.instances]
        self.schedules, values = [], []
        for schedule in schedules(ensemble.case):
            if nominal.evaluate(schedule).feasible:
                verdicts = [judge.evaluate(schedule) for judge in judges]
                self.schedules.append(schedule)
                values.append([v.objective if v.feasible else -np.inf for v in verdicts])
        self.values = np.array(values).reshape(-1, len(judges))

    def observation(self, seed: int) -> Observation:
        """One that parts members, on a day when courses have begun."""
        rng = np.random.default_rng([23, seed])
        days = sorted({f.day for s in self.schedules for f in s.fractions})
        day = int(rng.choice(days[1:] or [1]))
        quantity = ("burden", "effectors", "alc")[seed % 3]
        lesion = self.ensemble.case.lesions[0].name if quantity == "burden" else ""
        error = float(rng.choice([0.0, 0.3]))
        plain = Observation(quantity, day, (1.0,), error, lesion)  # type: ignore[arg-type]
        some = rng.choice(len(self.schedules), min(20, len(self.schedules)), replace=False)
        logs = np.concatenate([self.logs(plain, self.schedules[i]) for i in some])
        logs = logs[np.isfinite(logs)]
        if not len(logs):
            return plain
        edges = np.exp(np.quantile(logs, [0.35, 0.7][: 1 + seed % 2]))
        apart = tuple(float(x) for x in edges if x > 0.0)
        inside = all(a < b for a, b in pairwise(apart))
        return replace(plain, thresholds=apart if inside and apart else apart[:1])

    def logs(self, observation: Observation, schedule: Schedule) -> FloatArray:
        of = observation.quantity, observation.day, observation.lesion
        return np.array([Observer(x, *of).log_value(schedule) for x in self.ensemble.instances])

    def single(self) -> float:
        """Best mean of one schedule."""
        return float((self.values @ self.ensemble.weights).max(initial=-np.inf))

    def best(self, observation: Observation) -> float:
        """max_p sum_k max_(x of p) sum_m w_m P_k(m, p) V_m(x)."""
        groups: dict[Schedule, list[int]] = {}
        for i, schedule in enumerate(self.schedules):
            groups.setdefault(before_day(schedule, observation.day), []).append(i)
        best = -np.inf
        for first, rows in groups.items():
            total = 0.0
            for of_class in observation.probabilities(self.logs(observation, first)):
                counted = of_class * self.ensemble.weights > 0.0
                if counted.any():
                    share = (of_class * self.ensemble.weights)[counted]
                    total += float((self.values[rows][:, counted] @ share).max())
            best = max(best, total)
        return best
