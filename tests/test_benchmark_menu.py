"""Rivals of the benchmarks see the case as it is: worth, excess and codes of their menu."""

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import script

from abscopt.instances import load
from abscopt.optimizer.evaluation import Judge

# Between them: several lesions and agents, shared days, soft limits, exposures, clones, rules.
CASES = ("sequencing", "capacity", "resistance", "hfrt-crt", "resistant-clone", "reirradiation")


@pytest.fixture(scope="module")
def menus() -> ModuleType:
    return script("rival_menu")


@pytest.fixture(scope="module")
def tables(menus: ModuleType) -> Callable[[str], Any]:
    """Tables of a case, made once; menus only read them."""
    return cache(lambda case: menus.Tables(load(case)))


@pytest.fixture(scope="module")
def judged() -> ModuleType:
    return script("rival_judge")


@pytest.mark.parametrize("coding", ["ladder", "axes"])
@pytest.mark.parametrize("case", CASES)
def test_worth_and_feasibility_are_those_of_our_tables(
    menus: ModuleType, tables: Callable[[str], Any], case: str, coding: str
) -> None:
    of_case = tables(case)
    menu = menus.Menu(of_case, coding)
    codes = np.random.default_rng(0).random((600, menu.size))
    plans, rows = menu.decode(codes)
    value, excess = of_case.valued(plans, rows)

    assert (excess == 0).any()
    assert (excess > 0).any() or case in ("resistant-clone", "reirradiation")
    for plan in np.unique(plans):
        own = np.flatnonzero(plans == plan)
        feasible = of_case.plans[plan].feasible(rows[own])
        np.testing.assert_array_equal(feasible, excess[own] == 0)
        exact = of_case.plans[plan].value(rows[own][feasible])
        np.testing.assert_allclose(value[own][feasible], exact, rtol=1e-10)


def test_only_feasible_schedules_count_as_found(
    menus: ModuleType, tables: Callable[[str], Any]
) -> None:
    menu = menus.Menu(tables("sequencing"), "axes")
    menu.start(60.0)
    codes = np.random.default_rng(0).random((600, menu.size))
    worth = menu.worth(codes)
    value, excess = menu.tables.valued(*menu.decode(codes))

    np.testing.assert_allclose(worth, value - menu.price * excess)
    assert menu.best == value[excess == 0].max()
    assert value.max() > menu.best, "no infeasible schedule tempts: the price is not tested"


def test_price_keeps_the_sampled_infeasible_below_the_feasible(
    menus: ModuleType, tables: Callable[[str], Any]
) -> None:
    menu = menus.Menu(tables("capacity"), "axes")
    codes = np.random.default_rng(menus.SAMPLE).random((menus.SAMPLE, menu.size))
    value, excess = menu.tables.valued(*menu.decode(codes))
    worth = value - menu.price * excess

    assert menu.price > 1
    assert worth[excess > 0].max() <= value[excess == 0].max() + 1e-9


@pytest.mark.parametrize("coding", ["ladder", "axes"])
def test_codes_reach_every_course_and_plan_and_leave_a_quarter_untreated(
    menus: ModuleType, coding: str
) -> None:
    tables = menus.Tables(load("pulsar"))
    menu = menus.Menu(tables, coding)
    codes = np.random.default_rng(0).random((4000, menu.size))
    plans, rows = menu.decode(codes)

    assert set(plans) == set(range(len(tables.plans)))
    assert set(rows[:, 0]) == set(range(len(tables.candidates.lesions[0].menu)))
    assert (rows[:, 1] == 0).all(), "the distant tumor cannot be irradiated"
    assert abs((rows[:, 0] == 0).mean() - menus.UNTREATED) < 0.03


def test_budget_ends_a_run(menus: ModuleType) -> None:
    menu = menus.Menu(menus.Tables(load("pulsar")), "ladder")
    menu.start(0.0)
    with pytest.raises(menus.OutOfTime):
        menu.worth(np.zeros((1, menu.size)))
    assert menu.answer is None


def test_free_courses_are_valued_by_the_judge(judged: ModuleType) -> None:
    menu = judged.JudgedMenu(load("mixed-free"))
    codes = np.random.default_rng(1).random((30, menu.size))
    codes[0] = 0.0
    menu.start(60.0)
    worth = menu.worth(codes)
    verdicts = [Judge(load("mixed-free")).evaluate(menu.decode(code)) for code in codes]
    feasible = np.array([verdict.feasible for verdict in verdicts])
    value = np.array([verdict.objective for verdict in verdicts])

    assert not menu.decode(codes[0]).fractions, "below a quarter nothing is given"
    assert feasible.any() and not feasible.all()
    assert worth[feasible] == pytest.approx(value[feasible])
    assert (worth[~feasible] < value[~feasible]).all()
    assert menu.best == value[feasible].max() and menu.evaluations == 30
    assert menu.answer == menu.decode(codes[int(np.where(feasible, value, -np.inf).argmax())])
