"""Extreme values within the plausible ranges: finite numbers everywhere, or a named error."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from edge_instances import edge_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abscopt.instances import InputError, build
from abscopt.instances.checks.numbers.ranges import Usual, ranges_of
from abscopt.instances.schema import Instance
from abscopt.instances.tables.fields import tables_of
from abscopt.optimizer import solve
from abscopt.optimizer.highs.mip import SolverError
from abscopt.optimizer.results.result import Result

Raw = dict[str, Any]
Place = tuple[str | int, ...]

MOST_CHANGED = 3
"""More of them at once are mostly refused, for one contradicts another."""
FAR = 1e6
"""Stands for a range that is open on a side, over or under the number of the case."""


def _places(instance: Instance, raw: Raw) -> Iterator[tuple[Place, str, Usual]]:
    """(table, key, range) of numbers that the case may state in a table of its own."""
    for place, table in tables_of(instance):
        path = tuple(int(p) if p.isdigit() else p for p in re.findall(r"[\w-]+", place))
        if _table(raw, path) is not None:
            for key, usual in ranges_of(type(table)).items():
                value = getattr(table, key)
                if isinstance(value, float):
                    yield path, key, usual


def _table(raw: Raw, path: Place) -> Raw | None:
    found: Any = raw
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            return None
    return found if isinstance(found, dict) else None


@st.composite
def extreme_cases(draw: st.DrawFn) -> tuple[Raw, list[str]]:
    """A tiny case with some numbers at the ends of their ranges, or just inside."""
    raw = copy.deepcopy(edge_case(draw(st.integers(0, 60))))
    try:
        places = list(_places(build(raw), raw))
    except InputError:
        return raw, []
    changed = []
    for path, key, usual in draw(
        st.lists(st.sampled_from(places), min_size=1, max_size=MOST_CHANGED)
    ):
        ends = [x for x in (usual.low, usual.high) if math.isfinite(x)] or [FAR]
        value = draw(st.sampled_from(ends)) * draw(st.sampled_from((1.0, 1.0, 1.0 + 1e-9, 0.5)))
        table = _table(raw, path)
        assert table is not None
        table[key] = value
        changed.append(f"{'.'.join(map(str, path))}.{key}")
    return raw, changed


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(extreme_cases())
def test_numbers_are_finite_or_an_error_names_its_source(drawn: tuple[Raw, list[str]]) -> None:
    raw, _ = drawn
    try:
        result = solve(build(raw), time_limit=10.0)
    except (InputError, SolverError) as error:
        named = _named(error)
    else:
        _assert_finite(result)
        named = True
    assert named


def _named(error: InputError | SolverError) -> bool:
    if isinstance(error, InputError):
        return all(problem.place and problem.rule for problem in error.problems)
    return "is not a finite number" in str(error)


def _assert_finite(result: Result) -> None:
    assert result.status in ("optimal", "feasible", "infeasible", "unknown")
    for value in (result.objective, result.bound):
        assert value is None or math.isfinite(value)
    if result.evaluation is not None:
        assert np.isfinite([lesion.log_burden for lesion in result.evaluation.lesions]).all()
        text = json.dumps(result.evaluation.immune, allow_nan=False)  # refuses NaN and infinity
        assert text
        for limit in result.evaluation.limits:
            assert limit.value is None or math.isfinite(limit.value)


def test_extreme_numbers_are_drawn_and_accepted() -> None:
    """The property is not empty: ends of ranges are stated and pass, far beyond them do not."""
    raw = edge_case(0)
    places = list(_places(build(raw), raw))
    assert len({key for _, key, _ in places}) >= 10
    accepted = 0
    for path, key, usual in places:
        high = copy.deepcopy(raw)
        table = _table(high, path)
        assert table is not None
        table[key] = usual.high
        try:
            accepted += bool(build(high))
        except InputError:
            continue
    assert accepted >= len(places) / 2
