"""`compare`: a baseline, control per lesion, standards that are not allowed, known optima."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.optimizer import evaluate
from abscopt.optimizer.crosscheck import beside
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import standard_schedule


def document(run: Any, *arguments: object, code: int = 0) -> dict[str, Any]:
    done = run("compare", *arguments, "--json")
    assert done.exit_code == code, done.output
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_gains_over_a_baseline_by_lesion(run: Any, tmp_path: Path) -> None:
    """The baseline is the standard regimen, written by hand, so that both gains are the same."""
    case = load("toy-two-lesions")
    standard = standard_schedule(case)
    assert standard is not None
    file = tmp_path / "usual.json"
    file.write_text(json.dumps(standard.to_json(case)))
    (row,) = document(run, "toy-two-lesions", "--baseline", file)["rows"]
    judged = evaluate(case, standard)
    assert row["baseline_objective"] == judged.objective
    assert row["gain_over_baseline"] == pytest.approx(row["gain_over_standard"])
    before = {lesion.name: lesion.control_probability[-1] for lesion in judged.lesions}
    assert row["baseline_control"] == before
    assert set(row["control"]) == {"large", "small", "occult"}
    shown = " ".join(run("compare", "toy-two-lesions", "--baseline", file).stdout.split())
    difference = 100 * (row["control"]["small"] - before["small"])
    assert f"small {100 * row['control']['small']:.1f} % ({difference:+.1f})" in shown
    assert f"{row['gain_over_baseline']:+.4f} nat over the baseline" in shown
    (cells,) = csv.DictReader(
        io.StringIO(run("compare", "toy-two-lesions", "--baseline", file, "--csv", "-").stdout)
    )
    assert cells["control"].split("; ")[0] == f"large {row['control']['large']!r}"


def test_a_baseline_stands_beside_its_own_case_only(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(run("solve", "toy-two-lesions", "--json").stdout)
    rows = document(run, "toy-two-lesions", "toy-blockade", "--baseline", file)["rows"]
    assert rows[0]["gain_over_baseline"] == 0.0
    assert rows[1]["baseline_objective"] is None
    refused = run("compare", "toy-blockade", "--baseline", tmp_path / "none.json")
    assert refused.exit_code == 2


def test_rows_are_named_by_their_file(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(run("solve", "toy-two-lesions", "--json").stdout)
    (row,) = document(run, file)["rows"]
    assert row["solver"] == f"{file} (HiGHS)"


def test_a_standard_that_breaks_a_limit_is_marked(run: Any) -> None:
    changed = ("--set", "limits.organ_mean.cap_gy=20")
    (row,) = document(run, "toy-two-lesions", *changed)["rows"]
    assert row["standard_breaks"] == ["organ_mean"]
    shown = run("compare", "toy-two-lesions", *changed).stdout
    assert "!: the standard regimen breaks organ_mean" in shown
    (plain,) = document(run, "toy-two-lesions")["rows"]
    assert plain["standard_breaks"] == []


def test_answers_are_held_against_known_optima(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = beside.references()["toy-two-lesions"]  # the case is as it is now in any release
    known = known | {"instance_digest": instance_digest(load("toy-two-lesions"))}
    monkeypatch.setattr(beside, "references", lambda: {"toy-two-lesions": known})
    (row,) = document(run, "toy-two-lesions", "--reference")["rows"]
    assert row["reference_verdict"] == "agree"
    assert (row["reference_objective"], row["reference_bound"]) == (
        known["objective"], known["bound"],
    )  # fmt: skip
    (row,) = document(run, "toy-two-lesions", "--reference", "--set", "horizon_days=[40]")["rows"]
    assert row["reference_verdict"] == "other_case"
    (row,) = document(run, "toy-two-lesions", "--reference", "--time-limit", "0")["rows"]
    assert row["reference_verdict"] == "open"
    for shift, word in ((-1.0, "above"), (1.0, "below")):
        wrong = known | {key: known[key] + shift for key in ("objective", "bound")}
        monkeypatch.setattr(beside, "references", lambda wrong=wrong: {"toy-two-lesions": wrong})
        (row,) = document(run, "toy-two-lesions", "--reference", code=1)["rows"]
        assert row["reference_verdict"] == word
        assert "one of the two is wrong" in run("compare", "toy-two-lesions", "--reference").stdout
    monkeypatch.setattr(beside, "references", dict)
    (row,) = document(run, "toy-two-lesions", "--reference")["rows"]
    assert row["reference_verdict"] == "absent"
