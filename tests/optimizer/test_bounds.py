"""No schedule is better than the Lagrangian bound, whatever the prices are."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import plain_cases as plain
import pytest
from random_instances import random_case
from table_rows import unsaturated
from widened_instances import widened_case

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.instances.schema import Instance, Objective
from abscopt.models.immunity import immune
from abscopt.models.tumor import outcome
from abscopt.models.tumor.population import sensitivity_factors
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.levels.chords import above_chord, line_above
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.bounds.rows import Rows, rows_of


def random_prices(rows: Rows, horizons: int, rng: np.random.Generator) -> DualPrices:
    """DualPrices as large as the values, a third of them zero; two tangents per horizon."""
    count = len(rows.right)
    price = rows.capped(rng.exponential(0.5, count) * (rng.random(count) < 0.3))
    tangent = rng.exponential(0.5, (horizons, 2)) * (rng.random((horizons, 2)) < 0.7)
    level = np.exp(rng.uniform(-2.0, 3.0, (horizons, 2)))
    return DualPrices(
        rows=price,
        log_kill=tangent.sum(axis=1),
        effect=(tangent / level).sum(axis=1),
        offset=float((tangent * (1.0 - np.log(level))).sum()),
    )


def compared(instance: Instance, seed: int) -> int:
    """Feasible random schedules compared with the bounds of random prices."""
    candidates = Candidates(instance)
    if candidates.free or not candidates.plans:
        return 0
    rng, count = np.random.default_rng(seed), 0
    groups = candidates.plan_effects.group
    plan = int(rng.integers(len(candidates.plans)))
    family = [int(k) for k in np.flatnonzero(groups == groups[plan])][:12]
    sets = [(plan,), tuple(sorted({plan, *family}))]
    tabulated = Tabulated(candidates, plan)
    rows = np.stack([rng.integers(0, len(t.menu), 3000) for t in candidates.lesions], axis=1)
    rows[rng.random(rows.shape) < 0.5] = 0
    rows = rows[tabulated.feasible(rows)][:40]
    if not len(rows):
        return 0
    value, systemic = tabulated.value(rows), instance.objective.kind != "tumor_bed"
    kill = unsaturated(tabulated, rows) if systemic else np.empty((len(rows), 0))
    for plans in sets:
        dual = Dual(PlanSet(candidates, plans))
        cells = dual.root(2)
        low, high = cells.low.min(axis=0), cells.high.max(axis=0)
        assert (kill >= low * (1 - 1e-9) - 1e-12).all()
        assert (kill <= high * (1 + 1e-9)).all()
        inside = np.maximum(kill, low)
        for _ in range(6):
            prices = random_prices(dual.set.rows, kill.shape[1], rng)
            one, number = dual.add(prices, dual.set.usable), len(dual.lagrangians) - 1
            bound = dual.bounds_at([number], dual.set.usable, inside)[0]
            assert (bound >= value - 1e-9 * np.maximum(1.0, np.abs(value))).all()
            width = rng.exponential(0.5, (2, *inside.shape))
            ends = inside * np.exp(-width[0]), inside * np.exp(width[1])
            wide = dual.bounds([number], dual.set.usable, *ends)[0][0]
            assert (wide.max(axis=1) >= bound - 1e-9).all()
            almost = inside * (1 - 1e-7)
            narrow = dual.bounds([number], dual.set.usable, almost, inside)[0][0]
            assert narrow.max(axis=1) == pytest.approx(bound, rel=1e-4, abs=1e-4)
            for s, loss in enumerate(dual.losses(one, dual.set.usable, high)):
                assert math.isclose(float(loss.min()), 0.0, abs_tol=1e-12), s
            count += len(rows)
    return count


def test_random_cases_lie_below_their_bounds() -> None:
    total = sum(compared(build(random_case(seed)), seed) for seed in range(7000, 7012))
    total += sum(compared(build(widened_case(seed)), seed) for seed in range(7000, 7015))
    assert total > 2000


@pytest.mark.parametrize("name", ["early-sabr", "stage3-crt", "pembro-rt", "toy-fractionation"])
def test_bundled_cases_lie_below_their_bounds(name: str) -> None:
    assert compared(load(name), 1) > 0


def test_rows_count_what_the_judge_counts() -> None:
    course = plain.uniform([1, 2], [6], last_start_day=3)
    limits = [
        plain.limit("logistics", "lesions", quantity="lesions", cap=2),
        plain.limit("logistics", "all", quantity="machine_days", cap=4),
        plain.limit("logistics", "some", quantity="machine_days", cap=4, first_day=1, last_day=2),
    ]
    lesions = [plain.lesion(name, course=course) for name in ("one", "two")]
    instance = build(plain.plain_case(lesions, limits, horizon_days=[6]))
    candidates, judge = Candidates(instance), Judge(instance)
    tabulated, stated = Tabulated(candidates, 0), rows_of(candidates, (0,), (0,))
    menus = [table.menu for table in candidates.lesions]
    pairs = np.array(list(itertools.product(*(range(len(menu)) for menu in menus))))
    used = [judge.evaluate(schedule_of_row(candidates, 0, row)).limits for row in pairs]
    for number, counted in enumerate(candidates.on_courses):
        judged = [use[number].value for use in used]
        by_days = [
            days[0, menu.pattern[own], number]
            for days, menu, own in zip(stated.by_days, menus, pairs.T, strict=True)
        ]
        assert isinstance(counted, CalendarLoad) and len(set(judged)) > 2
        assert counted.number(tabulated, pairs).tolist() == judged
        assert sum(by_days).tolist() == judged


@pytest.mark.parametrize("floor", [1.0, 2.0, 4.6, 30.0])
@pytest.mark.parametrize("slope", [1e-3, 0.05, 0.3, 0.499])
def test_line_of_conceded_lesions_meets_log_control(floor: float, slope: float) -> None:
    """Where the code says, and no cell that ends about there rises further than its bound."""
    edge, crossed = outcome.concession_burden(floor), line_above(floor, slope)
    assert edge - floor / slope <= crossed < edge
    burdens = np.linspace(crossed, edge, 1001)
    line = -floor - slope * (burdens - edge)
    assert (outcome.log_control(burdens) >= line - 1e-12).all()
    left = crossed - 1e-6
    assert floor / slope > 700 or outcome.log_control(left) < -floor - slope * (left - edge)
    goal = Objective(conceded_at_nats=floor, conceded_slope=slope)
    part = np.linspace(0.0, 1.0, 2001)
    for start in (0.01, 1.0, 20.0):
        for after in np.linspace(edge - floor / slope - 0.1, crossed + 0.2, 9):
            local, low = np.array([edge + start + 1.0]), np.array(1.0)
            high = local[0] - after
            kill = np.exp(part * math.log(high))
            value = lesion_value(
                goal, np.ones(1), local[None, None], np.ones((1, 1)), kill[:, None]
            )
            over = float((value - value[0] - part * (value[-1] - value[0])).max())
            assert above_chord(goal, np.ones(1), local, np.ones(1), low, high, None) >= over - 1e-9


@pytest.mark.parametrize("kind", ["default", "log_control", "expected_control", "log_kill"])
@pytest.mark.parametrize("clones", [1, 2])
@pytest.mark.parametrize("alpha_cv", [0.0, 0.3])
@pytest.mark.parametrize("maximum", [None, 6.0])
def test_no_value_rises_further_above_its_chord(
    kind: Any, clones: int, alpha_cv: float, maximum: float | None
) -> None:
    goal, rng = Objective(kind=kind), np.random.default_rng(clones)
    factors, nodes = sensitivity_factors(alpha_cv)
    gaps, widths = [], []
    for _ in range(300):
        number, killed = rng.uniform(0.0, 40.0, clones), rng.uniform(0.0, 100.0, clones)
        local = (number - factors[:, None] * killed).reshape(-1)
        share = np.tile(rng.uniform(0.0, 3.0, clones), len(nodes))
        low = 10.0 ** rng.uniform(-3.0, 1.5)
        width = 10.0 ** rng.uniform(-2.0, 1.0)
        part = np.linspace(0.0, 1.0, 101)
        kill = immune.saturate(low * np.exp(part * width), maximum)
        value = lesion_value(goal, nodes, local[None, None], share[None], kill[:, None])
        over = float((value - value[0] - part * (value[-1] - value[0])).max())
        high = np.array(low * math.exp(width))
        most = float(above_chord(goal, nodes, local, share, np.array(low), high, maximum))
        assert most >= over - 1e-9
        assert most <= value[-1] - value[0] + 1e-9
        gaps.append(most)
        widths.append(width)
    narrow = np.array(widths) < 0.05
    assert np.quantile(np.array(gaps)[narrow], 0.75) < 0.01
