"""`docs/robustness.md` says what is stored, and what is stored holds what is promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_scripts import STUDIES, script

from abscopt.instances import load
from abscopt.optimizer.ensemble.drawn import ensemble_of

ROOT = Path(__file__).parents[1]


def test_the_page_is_of_the_stored_rows() -> None:
    study = script("robust_optima")
    about = json.loads((STUDIES / "robust_optima.json").read_text(encoding="utf-8"))["about"]
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    assert text == study.page(study.stored(), about)


def test_the_mean_beats_standards_that_keep_limits() -> None:
    rows = [row for row in script("robust_optima").stored() if row.policy == "mean"]
    keeping = [row for row in rows if row.keeps]
    assert {"early-sabr", "oligomet-3", "oligomet-4", "pembro-rt"} <= {row.case for row in keeping}
    assert all(row.mean > 0.0 and row.wide_mean > 0.0 for row in keeping)
    assert all(row.broken == 0.0 for row in rows)


def test_the_figure_is_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    study, rows = script("robust_optima"), script("robust_optima").stored()
    for name in ("a.svg", "b.svg"):
        study.figure(rows, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    for case in {row.case for row in rows}:
        assert case.encode() in first


def test_members_out_of_sample_are_others() -> None:
    study, case = script("robust_optima"), load("early-sabr")
    listed = study.other_members()
    assert len(listed) == study.JUDGED
    inside = {str(member.instance.lesions[0].alpha_per_gy) for member in
              ensemble_of(case, "plausible-100").members}  # fmt: skip
    outside = study.ensemble_with(case, listed)
    alphas = [member.instance.lesions[0].alpha_per_gy for member in outside.members]
    assert len(inside & set(map(str, alphas))) < 10
    wide = study.ensemble_with(case, study.misspecified(listed))
    wider = [member.instance.lesions[0].alpha_per_gy for member in wide.members]
    stated = case.lesions[0].alpha_per_gy
    for a, b in zip(alphas, wider, strict=True):
        assert b / stated == pytest.approx((a / stated) ** 2, rel=1e-3)
