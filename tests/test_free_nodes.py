"""Nodes of the search for free courses: bounds, ranges and splits, against all their schedules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from plain_cases import Raw
from test_free_search import (
    REGROWING,
    looked,
    random_case,
    random_slopes,
    searched,
    values,
)
from test_free_several import menu, several

from abscopt.models.arrays import BoolArray, IntArray
from abscopt.optimizer.search.free.bounds.cuts import least_product
from abscopt.optimizer.search.free.bounds.lesion_oracles import FreeOracle
from abscopt.optimizer.search.free.bounds.multipliers import TriedMultipliers, lagrangian_bound
from abscopt.optimizer.search.free.bounds.objective import NodeDomain
from abscopt.optimizer.search.free.bounds.oracle import LesionOracle
from abscopt.optimizer.search.free.bounds.pool import Pool
from abscopt.optimizer.search.free.bounds.ranges import bounds_of, tightened
from abscopt.optimizer.search.free.branch import divided, split
from abscopt.optimizer.search.free.days.courses import Courses
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.free.days.dual import cost_to_go
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.days.suffix import stages_of
from abscopt.optimizer.search.free.node import Planned

ALL = Precision(1e-9, 1e-9, 1e-9, 10**6, "stop", "doses")
"""No two courses are joined."""


def never() -> bool:
    return False


def offered(part: LesionOracle) -> IntArray:
    """(n, T) all courses of a part, limits on whole courses aside."""
    if not isinstance(part, FreeOracle):
        return np.concatenate([part.nothing, part.one_change(part.nothing[0])])
    allowed = part.terms.allowed
    every = np.indices(allowed.shape[1:] * len(allowed)).reshape(len(allowed), -1).T
    return every[allowed[np.arange(len(allowed)), every].all(axis=1)]


def every_course(part: LesionOracle) -> IntArray:
    """(n, T) all of a part that keep the limits by themselves."""
    every = offered(part)
    return every[part.of(every)[1]]


def within(part: LesionOracle, span: Span, actions: IntArray) -> BoolArray:
    """(n,) whether courses have the fractions and the days of a span."""
    count = part.count(actions)
    good = span.holds(part.levels(actions) > 0)
    return good & (count >= span.count[0]) & (count <= span.count[1])


@dataclass(frozen=True)
class Every:
    """All feasible schedules of a plan by part, their values and ln Z (n, H)."""

    one: Planned
    courses: list[Courses]
    value: Any
    level: Any

    def inside(self, value: NodeDomain) -> BoolArray:
        """(n,) those in the spans and the cell of a node."""
        low, high = value.cell
        good = np.ones(len(self.value), dtype=bool)
        if not value.alone:
            good &= ((self.level >= low - 1e-9) & (self.level <= high + 1e-9)).all(axis=1)
        for part, span, own in zip(value.oracles, value.spans, self.courses, strict=True):
            kill = own.kill[:, -1]
            good &= (kill >= span.kill[0] - 1e-9) & (kill <= span.kill[1] + 1e-9)
            good &= within(part, span, own.actions)
        return good


def every_schedule(one: Planned) -> Every:
    each = [every_course(part) for part in one.oracles]
    grid = np.indices([len(own) for own in each]).reshape(len(each), -1)
    rows = [own[at] for own, at in zip(each, grid, strict=True)]
    value = values(one, rows)
    good = np.isfinite(value)
    courses = [part.of(own[good])[0] for part, own in zip(one.oracles, rows, strict=True)]
    own = np.stack([course.effect for course in courses], axis=1)
    kept = np.stack([course.others_kept for course in courses], axis=1)
    return Every(one, courses, value[good], np.log(one.domain.effect(own, kept)))


def random_span(one: Planned, part: LesionOracle, s: int, random: np.random.Generator) -> Span:
    """Some fraction numbers, up to two days taken and up to two left."""
    few, many = np.sort(random.integers(0, one.domain.spans[s].count[1] + 1, 2)).tolist()
    days = random.permutation(part.days).tolist()
    taken, left = random.integers(0, 3, 2)
    return replace(
        one.domain.spans[s],
        count=(few, many),
        taken=tuple(days[:taken]),
        skipped=tuple(days[taken : taken + left]),
    )


CASES: dict[str, Raw] = {
    "alone": random_case(3, days=5, levels=2),
    "regrowing": random_case(4, days=5, levels=2, lesion=REGROWING),
    "two": several(1, days=5),
    "two, regrowing": several(4, days=4),
    "beside a menu": several(0, lesions=1, days=4, beside=[menu()]),
}
PAIRS = ("two", "two, regrowing", "beside a menu")


@pytest.mark.parametrize("name", CASES)
def test_courses_of_every_number_of_fractions_are_bounded(name: str) -> None:
    one, random = searched(CASES[name]), np.random.default_rng(1)
    for turn in range(16):
        spans = tuple(random_span(one, part, s, random) for s, part in enumerate(one.oracles))
        value = one.domain if turn % 4 == 0 else one.domain.within(spans)
        found = looked(one, value, random_slopes(one, random), fine=turn % 2 > 0)
        for part, look in zip(one.oracles, found.oracle_bounds, strict=True):
            every = every_course(part)
            inside = look.span.holds(part.levels(every) > 0)
            worth, count = look.prices.worth(part.of(every)[0]), part.count(every)
            assert look.bound == look.by_count.max()
            for number in range(look.span.count[0], look.span.count[1] + 1):
                best = worth[inside & (count == number)].max(initial=-np.inf)
                assert look.by_count[number] >= best - 1e-9


@pytest.mark.parametrize("name", CASES)
def test_spans_hold_the_courses_with_their_fractions_and_days(name: str) -> None:
    one, random = searched(CASES[name]), np.random.default_rng(2)
    for part in one.oracles:
        if isinstance(part, FreeOracle):
            part.coarse = stages_of(part.terms, 500)  # no patterns are joined
    told = 0
    for turn in range(16):
        spans = tuple(random_span(one, part, s, random) for s, part in enumerate(one.oracles))
        found = looked(one, one.domain.within(spans), random_slopes(one, random), fine=turn % 2 > 0)
        for part, look in zip(one.oracles, found.oracle_bounds, strict=True):
            every = every_course(part)
            inside = within(part, look.span, every)
            near = part.courses_above(look, -np.inf, ALL, never)
            assert near is not None
            expected = sorted(map(tuple, every[inside].tolist()))
            assert sorted(map(tuple, near[0].actions.tolist())) == expected
            own = offered(part)
            own = own[within(part, look.span, own)]
            best = look.prices.worth(part.of(own)[0]).max(initial=-np.inf)
            assert best - 1e-9 <= look.bound <= best + 0.1  # interpolated in the survivors
            told += 0 < len(expected) < len(every)
    assert told > 5


@pytest.mark.parametrize("name", ["alone", "regrowing", "two"])
@pytest.mark.parametrize("patterns", [1, 4, 500])
def test_stages_of_few_fractions_bound_all_courses_of_few(name: str, patterns: int) -> None:
    one, random = searched(CASES[name]), np.random.default_rng(3)
    part = one.oracles[0]
    assert isinstance(part, FreeOracle)
    every = every_course(part)
    courses, count = part.of(every)[0], part.count(every)
    free = np.ones((len(part.days), 2), dtype=bool)
    for cap in range(len(part.days) + 1):
        stages = stages_of(part.terms, patterns, cap)
        assert all(stage.count.max() <= cap for stage in stages)
        for _ in range(3):
            prices = one.domain.prices(random_slopes(one, random))[1][0]
            ahead = cost_to_go(part.terms, stages, part.steps(prices), prices, (0, cap), free)
            worth = prices.worth(courses)
            for number in range(cap + 1):
                best = worth[count == number].max(initial=-np.inf)
                assert ahead.by_count[number] >= best - 1e-9
            assert ahead.root >= worth[count <= cap].max() - 1e-9


@pytest.mark.parametrize("name", CASES)
def test_what_is_taken_off_a_node_is_not_above_the_threshold(name: str) -> None:
    one, random = searched(CASES[name]), np.random.default_rng(4)
    every = every_schedule(one)
    best = lagrangian_bound(one.domain, one.oracles, Pool(one.oracles), never)
    narrowed = 0
    for _ in range(40):
        tried = []
        for _ in range(int(random.integers(1, 4))):
            slopes = best.multipliers.towards(
                random_slopes(one, random), float(random.uniform(0, 0.2))
            )
            looks = looked(one, one.domain, slopes).oracle_bounds
            tried.append(TriedMultipliers(slopes, tuple(look.by_count for look in looks)))
        value = one.domain
        if random.random() < 0.5:
            spans = [random_span(one, part, s, random) for s, part in enumerate(one.oracles)]
            low, high = np.sort(random.choice(every.courses[0].kill[:, -1], 2)).tolist()
            spans[0] = replace(spans[0], kill=(low, high))
            value = value.within(tuple(spans))
        inside = every.inside(value)
        assert bounds_of(value, tried).min() >= every.value[inside].max(initial=-np.inf) - 1e-9
        threshold = best.bound - float(random.exponential(0.5))
        left, closed = tightened(value, tried, threshold)
        gone = inside if left is None else inside & ~every.inside(left)
        assert closed <= threshold
        assert every.value[gone].max(initial=-np.inf) <= closed + 1e-9
        narrowed += left is not None and bool(gone.any())
    assert narrowed > 3


@pytest.mark.parametrize("name", CASES)
def test_pieces_of_a_range_are_bounded_as_nodes_of_their_own(name: str) -> None:
    """Of effect at least as low, since burdens have a smaller range in a smaller cell."""
    one, random = searched(CASES[name]), np.random.default_rng(9)
    for _ in range(20):
        slopes = random_slopes(one, random)
        whole = one.domain.prices(slopes)[0]
        for s, span in enumerate(one.domain.spans):
            edges = np.linspace(*span.kill, 5)
            changes = one.domain.at_kills([slopes], s, edges)[0]
            for pair, change in zip(itertools.pairwise(edges.tolist()), changes, strict=True):
                piece = one.domain.with_span(s, kill=pair).prices(slopes)[0]
                assert piece == pytest.approx(whole + change, abs=1e-9)
        for h in range(0 if one.domain.alone else one.domain.cell.shape[1]):
            edges = np.linspace(*one.domain.cell[:, h], 5)
            changes = one.domain.at_levels(slopes, h, edges)
            for i, change in enumerate(changes):
                cell = one.domain.cell.copy()
                cell[:, h] = edges[i : i + 2]
                piece = one.domain.within(one.domain.spans, cell).prices(slopes)[0]
                assert piece <= whole + change + 1e-9


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_parts_of_a_node_hold_all_its_schedules(name: str, seed: int) -> None:
    """Whatever the master mixes, down to nodes that are not divided."""
    one, random = searched(CASES[name]), np.random.default_rng(seed)
    every = every_schedule(one)
    for _ in range(4):
        value = one.domain
        for _ in range(12):
            pool = mixed_pool(every, value, random)
            found = lagrangian_bound(value, one.oracles, pool, never, rounds=1)
            own = [random.dirichlet(np.ones(len(own))) for own in pool.courses]
            found = replace(found, mixture=replace(found.mixture, weights=tuple(own)))
            excess = float(random.exponential(0.3))
            children = split(value, found, excess) if random.random() < 0.5 else []
            children = children or divided(value, found)
            if not children:
                break
            inside = [every.inside(child) for child in children]
            assert (np.any(inside, axis=0) == every.inside(value)).all()
            value = children[int(random.integers(len(children)))]


def mixed_pool(every: Every, value: NodeDomain, random: np.random.Generator) -> Pool:
    """Some courses of a node."""
    pool, inside = Pool(every.one.oracles), np.flatnonzero(every.inside(value))
    if len(inside):
        at = random.choice(inside, 4)
        pool.offer(list(zip(*(own.actions[at] for own in every.courses), strict=True)))
        pool.restrict(value.spans)
    return pool


def test_prices_of_products_are_below_all_of_them_and_tell_the_least_mean() -> None:
    random, times = np.random.default_rng(8), 12
    for _ in range(200):
        dose, others = (
            np.append(0.0, np.sort(random.uniform(1, 12, int(random.integers(1, 6)))))
            for _ in range(2)
        )
        given = np.sort(random.choice(dose, times))
        theirs = np.sort(random.choice(others, times))
        often = (given[:, None] == dose).mean(axis=0)
        other = (theirs[:, None] == others).mean(axis=0)
        f, g = least_product(often, other, dose, others)
        assert (f[:, None] + g <= np.outer(dose, others) + 1e-9).all()
        assert often @ f + other @ g == pytest.approx(float((given * theirs[::-1]).mean()))
