"""The study of terms that are off: its choice by other cohorts, and the section it writes."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from benchmark_scripts import STUDIES, script

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return script("terms_evidence")


def test_a_cohort_counts_at_the_size_that_the_others_choose(study: ModuleType) -> None:
    """a prefers the second size strongly, so b and c count there, and a where b and c are best."""
    off = {"a": -5.0, "b": -1.0, "c": -1.0}
    sized = {"a": -1.0, "b": -2.0, "c": -1.5}
    assert study.left_out([off]) == pytest.approx(-7.0)
    assert study.left_out([off, sized]) == pytest.approx(-5.0 - 2.0 - 1.5)


def test_the_page_holds_the_section_of_the_stored_numbers(study: ModuleType) -> None:
    stored = json.loads((STUDIES / "terms_evidence.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/terms.md").read_text(encoding="utf-8")
    assert study.with_section(page, study.section(stored)) == page
    assert {term["key"] for term in stored["terms"]} == {term.key for term in study.TERMS}
