"""`abscopt sensitivity`: its table, rows and picture, and what it refuses."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

CASE = "toy-two-lesions"
VARY = ("--vary", "lesions.*.alpha_per_gy*=0.7:1.5", "--halvings", 1)


def test_a_tornado_is_printed_written_and_drawn(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table, picture = tmp_path / "rows.csv", tmp_path / "tornado.svg"
    text = run("sensitivity", CASE, *VARY, "--csv", table, "--plot", picture)
    assert text.exit_code == 0
    assert "lesions.*.alpha_per_gy" in text.stdout and "x 0.7" in text.stdout
    assert "lesions.*.alpha_per_gy" in picture.read_text()
    document = json.loads(run("sensitivity", CASE, *VARY, "--json").stdout)
    assert document["kind"] == "sensitivity" and document["complete"]
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert len(rows) == len(document["rows"]) >= 2
    first = document["rows"][0]
    again = json.loads(
        run("solve", CASE, "--json", *(x for c in first["changes"] for x in ("--set", c))).stdout
    )
    assert again["status"] == "optimal"
    assert abs(again["objective"] - first["objective"]) <= document["requested_gap"] + 1e-9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--step", 2), "step"),
        (("--vary", "nothing"), "LOW:HIGH"),
        (("--plot", "tornado.txt"), ".svg"),
        (("--json", "--csv", "-"), "stdout"),
        (("--only", "colors"), "colors"),
    ],
)
def test_wrong_questions_are_refused(run: Any, arguments: tuple[Any, ...], words: str) -> None:
    refused = run("sensitivity", CASE, *arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr
