"""The identification table of bundled cases against separate solves of every member.

With the days of courses and drugs and the doses narrowed, so that a solve takes a fraction of a
second; lesions, limits, drugs and members are those of the bundled cases and of `plausible-20`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from abscopt.instances.load import load
from abscopt.optimizer import evaluate, robustness, solve
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.study.decisions import decided, fixed

GAP = 0.02
MEMBERS = {"oligomet-4": (0, 1), "stage3-crt": (0, 10)}
"""Two of `plausible-20` that decide differently."""
COURSE = {"form": "uniform", "last_start_day": 7, "start_step_days": 7}
SBRT = COURSE | {"fractions": [3, 5], "doses_gy": [8.0, 11.0], "interval_days": [2]}
NARROWED: dict[str, dict[str, Any]] = {
    "oligomet-4": {
        **{f"lesions.{name}.course": SBRT for name in ("lung", "liver", "adrenal", "vertebra")},
        "agents.pembrolizumab.last_start_day": 14,
        "agents.pembrolizumab.start_step_days": 14,
    },
    "stage3-crt": {
        "lesions.primary.course": COURSE | {"fractions": [25, 30], "doses_gy": [2.0, 2.2]},
        "agents.chemotherapy.last_start_day": 0,
        "agents.inhibitor.first_start_day": 42,
        "agents.inhibitor.last_start_day": 84,
        "agents.inhibitor.start_step_days": 42,
    },
}


@pytest.mark.parametrize("name", NARROWED)
def test_the_table_is_that_of_separate_solves(name: str) -> None:
    case = load(name).with_({**NARROWED[name], "standard": None})
    drawn = ensemble_of(case, "plausible-20")
    ensemble = replace(
        drawn, members=tuple(replace(drawn.members[i], weight=0.5) for i in MEMBERS[name])
    )
    alone = [solve(member.instance, gap=GAP) for member in ensemble.members]
    # The best known of a member may be another's optimum, where it lies within the gap.
    judged = np.array(
        [
            [value.objective if (value := evaluate(member.instance, plan)).feasible else -np.inf
             for plan in (result.schedule for result in alone) if plan is not None]
            for member in ensemble.members
        ]
    )  # fmt: skip
    assert judged.shape == (2, 2)
    best, chosen = judged.max(axis=1), judged.argmax(axis=1)
    assert alone[0].schedule is not None
    study = robustness(case, alone[0].schedule, ensemble, gap=GAP)
    assert not study.stopped and len(study.table) >= 4
    several = 0
    for row in study.table:
        shares: dict[Any, float] = {}
        for k, member in zip(chosen, ensemble.members, strict=True):
            schedule = alone[k].schedule
            assert schedule is not None
            value = decided(row.decision, schedule, case)
            shares[value] = shares.get(value, 0.0) + member.weight
        assert {v.value for v in row.values} >= set(shares)
        for entry in row.values:
            losses = []
            for k, member in enumerate(ensemble.members):
                restricted = fixed(member.instance, row.decision, entry.value)
                answer = None if restricted is None else solve(restricted, gap=GAP).objective
                losses.append(np.inf if answer is None else best[k] - answer)
            regret = max(0.0, *losses)
            assert entry.settled
            assert entry.regret == pytest.approx(regret, abs=2.5 * GAP)
            several += len(row.values) > 1
    assert several >= 2, "some decision has a choice"
