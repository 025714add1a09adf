"""Programmes that were reduced before they were written: what is solved outside is still right."""

from __future__ import annotations

from pathlib import Path

import highspy
import pytest
from brute_force import enumerate_by_judge
from random_instances import random_case
from tuning import tune

from abscopt.instances import build
from abscopt.optimizer.crosscheck.compare import find
from abscopt.optimizer.crosscheck.engines import ENGINES
from abscopt.optimizer.crosscheck.handover import writer
from abscopt.optimizer.crosscheck.handover.exchange import export_programme, imported_schedule
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.search.uniform import settings as searching

GAP = 1e-3
SEEDS = (0, 2, 5, 8)


def solved_outside(model: Path, style: int) -> str:
    """What HiGHS alone makes of a written programme: raw (0) or pretty (1)."""
    answer = model.with_name("answer.txt")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(model))
    highs.run()
    highs.writeSolution(str(answer), style)
    return answer.read_text()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reduced_programme_solved_outside_has_the_optimum(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instance = build(random_case(seed))
    judge = Judge(instance)
    best = enumerate_by_judge(instance, judge).best
    tune(monkeypatch, searching, plain_coefficients=0)
    if best is None:
        finding = find(instance, ENGINES["highs"], gap=GAP)
        assert finding.status == "infeasible"
        return
    exported = export_programme(instance, gap=GAP)
    assert exported.answer.reductions, "it was to be reduced"
    assert exported.answer.floor >= best - GAP
    text = writer.lp(exported.programme, exported.statements)
    assert "\\ reduced by dominance and bounds" in text
    model = tmp_path / "model.lp"
    model.write_text(text)
    schedule = imported_schedule(solved_outside(model, seed % 2), instance, "answer.txt")
    verdict = judge.evaluate(schedule)
    assert verdict.feasible
    assert best - GAP - 1e-6 <= verdict.objective <= best + 1e-9
    document = exported.document()
    assert document["reductions"][0]["name"] == "offered"
    assert document["dropped_bound"] == exported.answer.floor
    assert document["assumes"] == list(exported.statements)


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("key", ["highs", "scip"])
def test_solvers_of_a_reduced_programme_find_the_optimum_and_say_what_was_dropped(
    seed: int, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ENGINES[key].version is None:
        pytest.skip(f"{key} is not installed")
    instance = build(random_case(seed))
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert best is not None
    plain = find(instance, ENGINES[key], gap=GAP)
    tune(monkeypatch, searching, plain_coefficients=0)
    reduced = find(instance, ENGINES[key], gap=GAP)
    for finding in (plain, reduced):
        assert finding.status == "optimal"
        assert finding.value is not None and finding.bound is not None
        assert best - GAP <= finding.value <= best + 1e-9
        assert finding.bound >= best - 1e-9
        assert finding.claimed_bound is None or finding.claimed_bound >= best - 1e-9
    assert plain.assumes == ()
    assert "reduced by dominance and bounds" in reduced.assumes[0]
