"""`abscopt update`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TOML = """
[[observations]]
kind = "alc"
day = 8
value = 1.3
[[observations]]
kind = "alc"
date = 2026-02-04
value = 1.45
cv = 0.1
"""
CSV = "kind,day,date,value,unit,cv\nalc,8,,1.3,1e9/L,\nalc,,2026-02-04,1.45,1e9/L,0.1\n"
ENSEMBLE = ("--ensemble", "monitored", "--members", "12")


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_posterior_is_an_ensemble_that_commands_take(run: Any, tmp_path: Path) -> None:
    file = written(tmp_path, "measured.toml", TOML)
    out = tmp_path / "out"
    result = run(
        "update", "toy-blockade", "--observations", file, *ENSEMBLE, "--json", "--out", out
    )
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["kind"] == "update" and not document["stopped"]
    assert json.loads((out / "update.json").read_text()) == document
    assert {path.name for path in out.iterdir()} == {
        "posterior.toml", "update.json", "update.txt",
        "update_members.csv", "update_observations.csv", "update_parameters.csv",
    }  # fmt: skip
    posterior = ("--ensemble", out / "posterior.toml")
    members = json.loads(run("instances", "members", "toy-blockade", *posterior, "--json").stdout)
    assert [m["name"] for m in members["members"]] == [m["name"] for m in document["posterior"]]
    weights = [m["weight"] for m in document["posterior"]]
    assert [m["weight"] for m in members["members"]] == pytest.approx(weights)
    assert len(set(weights)) > 3
    judged = run("robustness", "toy-blockade", *posterior, "--estimate")
    assert judged.exit_code == 0, judged.stderr
    solved = run("solve", "toy-blockade", *posterior, "--time-limit", "30")
    assert solved.exit_code == 0, solved.stderr


def test_csv_json_and_toml_say_the_same(run: Any, tmp_path: Path) -> None:
    raw = {"observations": [
        {"kind": "alc", "day": 8, "value": 1.3},
        {"kind": "alc", "date": "2026-02-04", "value": 1.45, "cv": 0.1},
    ]}  # fmt: skip
    texts = []
    for name, text in (("a.toml", TOML), ("b.csv", CSV), ("c.json", json.dumps(raw))):
        file = written(tmp_path, name, text)
        result = run("update", "toy-blockade", "--observations", file, *ENSEMBLE)
        assert result.exit_code == 0, result.stderr
        texts.append(result.stdout)
    assert texts[0] == texts[1] == texts[2]
    assert "effective number after weighing" in texts[0]
    assert "ALC on day 30" in texts[0]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.csv", "kind,day,value\nalc,8,low\n", "a.csv: line 2 value: low: must be a number"),
        ("a.csv", "kind,day,value\nalc,8.5,1\n", "must be a whole number"),
        ("a.csv", "kind,day,amount\nalc,8,1\n", "amount: must be one of"),
        ("a.csv", "kind,day,value\nalc,8\n", "line 2: 2 cells: the header has 3"),
        ("a.csv", "kind,day,value\nalc,99,1\n", "line 2 day: 99: outside of the case"),
        ("a.txt", "alc 8 1.2", "are TOML, JSON or CSV"),
        ("a.toml", "", "observations"),
        ("a.toml", "observations = []", "observations"),
        ("a.json", '{"observations": [{"kind": "alc", "day": 8, "value": 0.1}]}', "explains it"),
        ("a.json", "{", "a.json"),
    ],
)
def test_wrong_files_are_refused(run: Any, tmp_path: Path, name: str, text: str, line: str) -> None:
    file = written(tmp_path, name, text)
    options = ("--particles", 16, "--out", tmp_path / "out")
    result = run("update", "toy-blockade", "--observations", file, *ENSEMBLE, *options)
    assert result.exit_code == 2, result.stdout
    assert line in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_and_a_case_without_an_ensemble(run: Any, tmp_path: Path) -> None:
    absent = run("update", "toy-blockade", "--observations", tmp_path / "no.toml", *ENSEMBLE)
    assert absent.exit_code == 2 and "no such file" in absent.stderr
    file = written(tmp_path, "measured.toml", TOML)
    bare = run("update", "toy-blockade", "--observations", file)
    assert bare.exit_code == 2 and "states no ensemble" in bare.stderr
    schedule = written(
        tmp_path, "s.json", '{"fractions": [{"lesion": "x", "day": 0, "dose_gy": 2}]}'
    )
    wrong = run("update", "toy-blockade", schedule, "--observations", file, *ENSEMBLE)
    assert wrong.exit_code == 2 and "unknown" in wrong.stderr
