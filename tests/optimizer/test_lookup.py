"""Values looked up by level of systemic effect are never below values, and hardly above."""

from __future__ import annotations

import numpy as np
import pytest
from random_instances import random_case
from spread_cases import spread
from tuning import tune

from abscopt.instances.load import build
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.timings.shapes import Shapes


def shapes_of(seed: int) -> Shapes | None:
    """Shapes of all courses of a random case with a spread, under its last plan."""
    candidates = Candidates(build(spread(random_case(seed), seed)))
    if candidates.free or not candidates.plans or candidates.instance.objective.of_dose_alone:
        return None
    tabulated = Tabulated(candidates, len(candidates.plans) - 1)
    courses = [np.flatnonzero(mask) for mask in tabulated.begun]
    losses = [np.zeros(len(chosen)) for chosen in courses]
    horizons = len(candidates.instance.horizon_days)
    return Shapes(tabulated, courses, losses, np.full(horizons, 1e-3), np.full(horizons, 5.0))


def test_a_looked_up_value_is_no_less_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    tune(monkeypatch, settings, looked_up=1, timing_levels=512)
    tried, above = 0, 0.0
    for seed in range(12):
        shapes = shapes_of(seed)
        if shapes is None:
            continue
        rng = np.random.default_rng(seed)
        lesions = range(len(shapes.courses))
        row = np.array([rng.integers(len(shapes.members[s])) for s in lesions])
        members = [shapes.members[s][row[s]] for s in lesions]
        lookup = shapes._lookup(row, members, [shapes.term[s][row[s]] for s in lesions])
        assert lookup is not None
        chosen = [rng.choice(m, 40) for m in members]
        term = np.asarray(sum(shapes.timing_term[s][c] for s, c in enumerate(chosen)))
        exact, ceiling = (shapes._repeated(row, term, table) for table in (None, lookup))
        assert (ceiling >= exact - 1e-9).all()
        finite = np.isfinite(exact)
        tried += int(finite.sum())
        above = max(above, float((ceiling - exact)[finite].max(initial=0.0)))
    assert tried > 100
    assert above < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_answers_are_the_same_with_tables_and_without(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = build(spread(random_case(seed), seed))
    found = []
    for least in (1, 10**12):
        tune(monkeypatch, settings, looked_up=least, timing_levels=64, few=0, course_limit=0.0)
        found.append(solve(instance, gap=1e-6, time_limit=60))
    with_tables, without = found
    assert with_tables.status == without.status
    if without.objective is not None:
        assert with_tables.objective == pytest.approx(without.objective, abs=2e-6)
