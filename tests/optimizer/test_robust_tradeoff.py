"""Points of the stated case against the mean over members, by judging every schedule in all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brute_force import schedules
from ensembles import ensemble

from abscopt.instances.load import InputError
from abscopt.optimizer.ensemble.members import Ensemble, Member
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ranged.robust import COLUMNS, ENDS, document, pareto_robust, report

GAP = 1e-3


def drawn(seed: int) -> Ensemble:
    """A random case with its members."""
    case, instances, weights = ensemble(seed)
    members = [
        Member(f"m{i}", float(weight), (), instance)
        for i, (instance, weight) in enumerate(zip(instances, weights, strict=True))
    ]
    return Ensemble("drawn", case, tuple(members))


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_no_weight_has_a_better_schedule(seed: int) -> None:
    members = drawn(seed)
    judges = [Judge(instance) for instance in (members.case, *members.instances)]
    worths = []
    for schedule in schedules(members.case):
        verdicts = [judge.evaluate(schedule) for judge in judges]
        if verdicts[0].feasible and all(verdict.admissible for verdict in verdicts):
            values = [verdict.objective for verdict in verdicts]
            worths.append((values[0], float(members.weights @ values[1:])))
    trade = pareto_robust(members.case, members, gap=GAP)
    if not worths:
        assert trade.infeasible and not trade.points
        return
    assert trade.complete and trade.points
    listed = [(point.objective, point.mean) for point in trade.points]
    for objective, mean in listed:
        assert any(np.allclose((objective, mean), worth, atol=1e-7) for worth in worths)
    for (f, m), (g, n) in itertools.pairwise(listed):
        assert f > g and m < n
    for weight in np.linspace(*ENDS, 41):
        best = max((1 - weight) * f + weight * m for f, m in worths)
        assert max((1 - weight) * f + weight * m for f, m in listed) >= best - 2 * GAP - 1e-9
    assert list(trade.frame().columns) == list(COLUMNS)
    assert document(trade)["complete"] and "drawn" in report(trade)
    assert trade.hypervolume >= 0.0


def test_an_unknown_ensemble_is_refused() -> None:
    with pytest.raises(InputError, match="nobody"):
        pareto_robust("toy-two-lesions", "nobody")
