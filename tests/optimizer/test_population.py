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

from abscopt.instances import InputError
from abscopt.instances.load import build
from abscopt.models.population import sensitivity_factors
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
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
        if seed % 2 == 0 and instance.immune.burden_limit_cm3 is None:
            answers.append(solve(instance, gap=GAP, method="single"))
        if not all(agrees(answer, found.best, GAP, MILP_TOLERANCE) for answer in answers):
            wrong.append((seed, [(one.objective, one.bound) for one in answers], found.best))
        if result.schedule is not None and found.best is not None:
            sharp = Judge(build(raw)).evaluate(result.schedule).objective
            moved += abs(sharp - found.best) > 1e-3
    assert not wrong
    assert moved >= 5


def test_what_does_not_cover_a_spread_says_so() -> None:
    one = lesion(course=uniform([3], [10.0]), alpha_cv=0.3)
    ruled = {"immune": {"use": "default", "burden_limit_cm3": 5.0}}
    with pytest.raises(InputError, match=r"lesions\[0\].alpha_cv: 0.3: the stated programme"):
        solve(build(plain_case([one], [], horizon_days=[60], **ruled)), method="single")
