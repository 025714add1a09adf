"""A spread of radiosensitivity: judge, tables and search against brute force; what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from plain_cases import lesion, plain_case, uniform
from random_instances import random_case
from spread_cases import spread
from widened_instances import DECISIVE, widened_case

from abscopt.instances.load import build
from abscopt.models.tumor.population import sensitivity_factors
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.reduction import offered
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Fraction, Schedule

GAP = 1e-4
MILP_TOLERANCE = 1e-6
"""The bound of the one programme is as exact as the rows of a MILP are in HiGHS."""


def test_the_judge_averages_control_over_tumors() -> None:
    """3 x 10 Gy on 10^7 clonogens, alpha 0.3, alpha/beta 10: by hand, factor by factor."""
    one = lesion(course=uniform([3], [10.0]), alpha_cv=0.3, clonogens=1e7) | {"effector_share": 0.0}
    instance = build(plain_case([one], [], horizon_days=[60], objective="log_control"))
    stated = instance.lesions[0]
    schedule = Schedule(tuple(Fraction(day, stated.name, 10.0) for day in (0, 1, 2)), ())
    found = Judge(instance).evaluate(schedule).lesions[0]
    factors, weights = sensitivity_factors(0.3)
    alpha, ratio = stated.alpha_per_gy, stated.alpha_beta_gy
    left = 1e7 * np.exp(-factors * alpha * 30.0 * (1.0 + 10.0 / ratio))
    expected = float(weights @ (1.0 / (1.0 + left)))
    assert found.control_probability[-1] == pytest.approx(expected, rel=1e-10)
    assert found.value[-1] == pytest.approx(math.log(expected), rel=1e-9)
    assert found.poisson_tcp[-1] == pytest.approx(float(weights @ np.exp(-left)), rel=1e-10)


@pytest.mark.parametrize("chunk", range(4))
def test_cases_are_solved_as_by_enumeration(chunk: int) -> None:
    wrong, moved = [], 0
    raws = [(seed, random_case(seed)) for seed in range(300 + chunk, 324, 4)]
    raws += [(seed, widened_case(seed)) for seed in DECISIVE[chunk:80:8]]
    for seed, raw in raws:
        instance = build(spread(raw, seed))
        found = enumerate_by_judge(instance, Judge(instance))
        result = solve(instance, gap=GAP)
        answers = [result]
        if seed % 2 == 0:
            answers.append(solve(instance, gap=GAP, method="single"))
        if not all(agrees(answer, found.best, GAP, MILP_TOLERANCE) for answer in answers):
            wrong.append((seed, [(one.objective, one.bound) for one in answers], found.best))
        if result.schedule is not None and found.best is not None:
            sharp = Judge(build(raw)).evaluate(result.schedule).objective
            moved += abs(sharp - found.best) > 1e-3
    assert not wrong
    assert moved >= 5


def test_the_one_programme_knows_which_tumors_are_credited() -> None:
    """A burden rule that denies credit to some courses, under some plans."""
    wrong, decided = [], 0
    for seed in range(900, 908):
        raw = spread(random_case(seed), seed)
        rng = np.random.default_rng(seed)
        volumes = [one["volume_cm3"] for one in raw["lesions"] if one.get("volume_cm3")]
        limit = round(min(volumes) * float(10 ** rng.uniform(-6, -1)), 9)
        rule = {"burden_limit_cm3": limit, "burden_blockade": round(float(rng.uniform(0, 5)), 2)}
        instance = build(raw | {"immune": raw["immune"] | rule})
        found = enumerate_by_judge(instance, Judge(instance))
        answer = solve(instance, gap=GAP, method="single")
        if not agrees(answer, found.best, GAP, MILP_TOLERANCE):
            wrong.append((seed, answer.objective, answer.bound, found.best))
        if found.best is not None and seed % 2:
            candidates, judge = Candidates(instance), Judge(instance)
            every = offered(candidates)
            pairs = solve_single(candidates, judge, GAP, 0, 1, Clock(None, None), kept=every)
            assert found.best - GAP - 1e-6 <= pairs.value <= found.best + 1e-9
            assert pairs.bound is not None and pairs.bound >= found.best - 1e-6
        if answer.schedule is not None and found.best is not None:
            free = Judge(build(raw)).evaluate(answer.schedule).objective
            decided += abs(free - found.best) > 1e-3
    assert not wrong
    assert decided >= 2
