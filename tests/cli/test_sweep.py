"""The commands `sweep` and `results` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import InputError
from abscopt.optimizer import read_store

STUDY = """
cases = ["toy-blockade"]
seeds = [0, 1]
[grid]
"lesions.*.alpha_per_gy*" = [1.0]
"""
LONG = """
cases = ["toy-blockade", "toy-two-lesions"]
[grid]
"lesions.*.alpha_per_gy*" = { low = 0.8, high = 1.2, count = 400 }
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_a_sweep_and_its_tables(run: Any, study: Path, tmp_path: Path) -> None:
    listed = run("sweep", study, "--list")
    assert len(listed.stdout.splitlines()) == 2
    assert not study.with_suffix(".db").exists()
    done = run("sweep", study)
    assert done.exit_code == 0
    assert "2 of 2 runs; 0 held before, now 2 optimal" in done.stdout
    assert "of 2 runs" in done.stderr
    assert "2 held before, now none" in run("sweep", study).stdout
    store = study.with_suffix(".db")
    report = " ".join(run("results", store).stdout.split())
    assert "2 of 2 runs finished: 2 optimal" in report
    rows = list(csv.DictReader(io.StringIO(run("results", store, "--csv", "-").stdout)))
    assert [(row["run"], row["seed"], row["status"]) for row in rows] == [
        ("1", "0", "optimal"), ("2", "1", "optimal"),
    ]  # fmt: skip
    document = json.loads(run("results", store, "--json").stdout)
    assert [row["objective"] for row in document["rows"]] == [float(r["objective"]) for r in rows]
    both = run("results", store, store, "--table", "lesions", "--csv", tmp_path / "le.csv")
    assert both.exit_code == 0
    lesions = list(csv.DictReader(io.StringIO((tmp_path / "le.csv").read_text())))
    assert len(lesions) == 2 * len(read_store(store).lesions_frame())
    whole = json.loads(run("results", store, "--run", "2").stdout)
    assert (whole["kind"], whole["seed"]) == ("result", 1)
    missing = run("results", store, "--run", "3")
    assert (missing.exit_code, "no such run" in missing.stderr) == (2, True)


def test_a_result_of_a_store_is_one_that_evaluate_accepts(run: Any, study: Path) -> None:
    run("sweep", study)
    text = run("results", study.with_suffix(".db"), "--run", "1").stdout
    file = study.with_name("result.json")
    file.write_text(text)
    judged = run("evaluate", "toy-blockade", file, "--set", "lesions.*.alpha_per_gy*=1.0")
    assert judged.exit_code == 0, judged.stderr


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is there")
def test_parquet_without_pyarrow_says_what_to_install(run: Any, study: Path) -> None:
    run("sweep", study)
    refused = run("results", study.with_suffix(".db"), "--parquet", study.with_name("t.parquet"))
    assert refused.exit_code == 2
    assert "pip install 'abscopt[parquet]'" in refused.stderr


def test_parquet_reads_back(run: Any, study: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    run("sweep", study)
    store, file = study.with_suffix(".db"), study.with_name("t.parquet")
    assert run("results", store, "--parquet", file).exit_code == 0
    frame = read_store(store).runs_frame()
    pd.testing.assert_frame_equal(pd.read_parquet(file), frame, check_dtype=False)


def test_duckdb_reads_a_store(run: Any, study: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    run("sweep", study)
    connection = duckdb.connect()
    try:
        connection.execute("LOAD sqlite")
    except duckdb.Error:
        pytest.skip("DuckDB without its extension for SQLite")
    connection.execute(f"ATTACH '{study.with_suffix('.db')}' AS s (TYPE sqlite)")
    rows = connection.execute("SELECT count(*), count(objective) FROM s.overview").fetchone()
    assert rows == (2, 2)


def test_wrong_use_is_refused(run: Any, study: Path) -> None:
    for arguments, says in (
        (["sweep", study, "--jobs", "2", "--cluster", "tcp://x:1"], "either --jobs or --cluster"),
        (["sweep", study.with_name("none.toml")], "no such file"),
        (["sweep", study, "--store", study.parent], "must be writable"),
        (["results", study], "store"),
        (["results", study.with_name("none.db")], "no such file"),
    ):
        refused = run(*arguments)
        assert refused.exit_code == 2
        assert says in refused.stderr


def test_a_damaged_store_is_read_or_refused(run: Any, study: Path, tmp_path: Path) -> None:
    """Bytes overwritten anywhere: what SQLite, UTF-8 or zlib trip over is no internal error."""
    assert run("sweep", study).exit_code == 0
    whole = study.with_suffix(".db").read_bytes()
    damaged, rng, codes = tmp_path / "damaged.db", random.Random(0), set[int]()
    for _ in range(60):
        content = bytearray(whole)
        at = rng.randrange(len(content) - 8)
        content[at : at + 8] = rng.randbytes(8)
        damaged.write_bytes(content)
        for command in (("results", damaged), ("results", damaged, "--run", "1")):
            done = run(*command)
            codes.add(done.exit_code)
            assert done.exit_code != 2 or str(damaged) in done.stderr
    assert codes == {0, 2}


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_a_signal_ends_a_sweep_with_what_is_finished(
    number: signal.Signals, jobs: int, tmp_path: Path
) -> None:
    if jobs > 1:
        pytest.importorskip("joblib")
    study, store = tmp_path / "long.toml", tmp_path / "long.db"
    study.write_text(LONG)
    code = "from abscopt.cli import main; import sys; sys.argv[0] = 'abscopt'; main()"
    command = [sys.executable, "-c", code, "sweep", str(study), "--jobs", str(jobs)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while finished(store) < 3:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "missing: start the sweep again" in err
    assert "Traceback" not in err
    count = finished(store)
    assert f"{count} of 800 runs; 0 held before, now {count} optimal" in out
    assert 3 <= count < 800
    assert not list(tmp_path.glob("long.db-*")) and not list(tmp_path.glob("*.lock"))


def finished(store: Path) -> int:
    """Runs with a result so far."""
    try:
        return int(read_store(store).runs_frame()["status"].notna().sum())
    except InputError:
        return 0
