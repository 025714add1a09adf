"""Schedules and tables that are meant to use up time are refused in few lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from reliability_parts import schedule_bombs

from abscopt.cli import main

FEW = (
    schedule_bombs.most_fractions_alike, schedule_bombs.most_fractions_wrong,
    schedule_bombs.most_infusions, schedule_bombs.keys_of_a_fraction,
    schedule_bombs.day_of_a_billion, schedule_bombs.date_far_away, schedule_bombs.rows_wrong_csv,
    schedule_bombs.wide_rows_csv, schedule_bombs.rows_empty_csv,
)  # fmt: skip


@pytest.mark.parametrize("bomb", FEW, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_in_few_lines(tmp_path: Path, bomb: Any) -> None:
    document = bomb()
    file = tmp_path / ("bomb.csv" if bomb.__name__.endswith("csv") else "bomb.json")
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    done = CliRunner().invoke(main, ["evaluate", schedule_bombs.CASE, str(file)])
    assert done.exit_code == 2 and done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 101
    assert len(done.stderr) < 30_000
