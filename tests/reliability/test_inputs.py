"""Mutated documents: an answer that is true, or lines that say what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from reliability_parts import documents, inputs
from reliability_parts.claims import false_proof
from reliability_parts.tally import Tally

from abscopt.cli import main
from abscopt.instances.load import build
from abscopt.optimizer import solve

CHUNKS, SIZE, FIRST = 4, 30, 40


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutated_documents_end_well(chunk: int) -> None:
    tally = Tally()
    for seed in range(FIRST + chunk * SIZE, FIRST + (chunk + 1) * SIZE):
        tally.add(inputs.examine(seed))
    assert not tally.faults
    assert tally.counts["inputs"] == SIZE


def test_documents_before_their_mutation_are_accepted(tmp_path: Path) -> None:
    for name in documents.SOLVED:
        for document in (
            documents.result(name),
            documents.evaluation(name),
            documents.schedule(name),
        ):
            file = tmp_path / "document.json"
            file.write_text(documents.as_json(document), encoding="utf-8")
            done = CliRunner().invoke(main, ["evaluate", name, str(file)])
            assert done.exit_code == 0, done.output
        solution = tmp_path / "p.sol"
        solution.write_text(documents.solution(name), encoding="utf-8")
        assert CliRunner().invoke(main, ["import-solution", name, str(solution)]).exit_code == 0
    for seed in range(5):
        text = documents.as_toml(documents.edge(seed))
        assert text is not None
        (tmp_path / "case.toml").write_text(text, encoding="utf-8")
        done = CliRunner().invoke(main, ["instances", "check", str(tmp_path / "case.toml")])
        assert done.exit_code == 0, done.output


def test_a_false_proof_is_seen() -> None:
    instances = [build(documents.edge(seed)) for seed in range(5)]
    results = ((instance, solve(instance)) for instance in instances)
    instance, result = next(pair for pair in results if pair[1].status == "optimal")
    document = json.loads(json.dumps(result.to_json(instance)))
    assert false_proof(document, instance, Tally()) is None
    raised = document | {"bound": document["bound"] - 1.0}
    assert false_proof(raised, instance, Tally()) is not None
    assert false_proof(document | {"status": "infeasible"}, instance, Tally()) is not None
