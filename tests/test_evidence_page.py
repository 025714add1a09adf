"""The page on evidence names every finding, and a reason for each that is contradicted."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from benchmark_scripts import script

from abscopt.instances.evidence import findings
from abscopt.optimizer.evidence.document import evidence_document
from abscopt.optimizer.evidence.score import scored

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return script("evidence")


def test_every_contradicted_finding_has_a_reason_and_no_other(benchmark: ModuleType) -> None:
    contradicted = {
        one.finding.id for one in scored() if one.counts and one.surrogate == "contradicted"
    }
    assert set(benchmark.REASONS) == contradicted


def test_the_page_names_every_finding(benchmark: ModuleType) -> None:
    text = benchmark.PAGE.read_text(encoding="utf-8")
    for finding in findings():
        assert f"| {finding.id} |" in text
    for name in benchmark.REASONS:
        assert f"* `{name}` (contradicted)" in text


def test_readme_gives_every_score_with_its_baselines(benchmark: ModuleType) -> None:
    """The rows of the table, as the page of now has them."""
    readme = benchmark.README.read_text(encoding="utf-8")
    shown = readme.split(benchmark.MARKS[0])[1].split(benchmark.MARKS[1])[0].strip().splitlines()
    assert shown == list(benchmark.scores(evidence_document(scored(), [])))
