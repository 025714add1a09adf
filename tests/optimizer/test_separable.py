"""Without systemic effect one integer programme over kinds decides what prices leave open."""

from __future__ import annotations

import pytest
from brute_force import agrees, enumerate_by_judge
from random_instances import Raw, random_case
from spread_cases import spread
from tuning import tune
from widened_instances import DECISIVE, widened_case

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.branches import Node
from abscopt.optimizer.search.uniform.leaves.separable import KindProgramme, Separable

GAP = 1e-4


def without_effect(raw: Raw, seed: int) -> Raw:
    """A random case without systemic effect, in half of them with spreads of alpha."""
    return (spread(raw, seed) if seed % 4 < 2 else raw) | {"immune": {"use": "off"}}


@pytest.mark.parametrize("chunk", range(2))
def test_cases_are_solved_as_by_enumeration(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is valued at once, and prices are sought once: the programme decides."""
    tune(monkeypatch, settings, few=0, new_prices=1, first_cells=2)
    asked, rounds = [], []
    examine, best = Separable.examine, KindProgramme.best

    def examined(self: Separable, node: Node) -> object:
        cells = examine(self, node)
        asked.append(len(cells))
        return cells

    def counted(self: KindProgramme, *args: object) -> object:
        rounds.append(len(self.cuts))
        return best(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Separable, "examine", examined)
    monkeypatch.setattr(KindProgramme, "best", counted)
    wrong = []
    raws = [(seed, random_case(seed)) for seed in range(500 + chunk, 516, 2)]
    raws += [(seed, widened_case(seed)) for seed in DECISIVE[20 + chunk : 34 : 2]]
    for seed, raw in raws:
        instance = build(without_effect(raw, seed))
        known = enumerate_by_judge(instance, Judge(instance))
        result = solve(instance, gap=GAP)
        if not agrees(result, known.best, GAP, 1e-9):
            wrong.append((seed, result.objective, result.bound, known.best))
    assert not wrong
    assert asked.count(0) > 3
    assert max(rounds) > 0


def test_a_large_case_without_immunity_is_closed() -> None:
    """Mixtures of kinds left a gap of one nat, whatever the time."""
    result = solve(load("oligomet-4").with_({"immune.use": "off"}), time_limit=300)
    assert result.status == "optimal"
    assert result.gap <= 0.01
