"""A regret near 0 beside values of some hundred nats, by the programme over members."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from brute_force import enumerate_by_judge

from abscopt.instances.load import build
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.evaluation import Judge

FILE = Path(__file__).with_name("regret_beside_large_values.json")
GAP = 1e-5


def test_the_scale_of_what_programme_and_judges_compare_is_that_of_values() -> None:
    stated = json.loads(FILE.read_text(encoding="utf-8"))
    case, other = build(stated["case"]), build(stated["member"])
    best = enumerate_by_judge(other, Judge(other)).best
    assert best is not None and best < -100.0
    members = Ensemble("one", case, (Member("m0", 1.0, (), other),))
    answer = decide(members, "regret", method="single", gap=GAP)
    assert answer.status == "optimal" and answer.best is not None and answer.objective is not None
    assert answer.best[0] == pytest.approx(best, abs=answer.best_error + 1e-6)
    assert answer.objective == pytest.approx(best - answer.best[0], abs=GAP + 1e-6 * abs(best))
