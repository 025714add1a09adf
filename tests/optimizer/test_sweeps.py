"""Sweeps: what a study asks is what is solved, once each, whoever solves it and however it ends."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killed_sweeps import content, dies_at_the_second, killed_throughout, vfs

from abscopt.instances.load import InputError, load
from abscopt.optimizer import read_store, solve, sweep
from abscopt.optimizer.sweeps import workers
from abscopt.optimizer.sweeps.layout import TABLES
from abscopt.optimizer.sweeps.lock import only_writer
from abscopt.optimizer.sweeps.runs import plan_of
from abscopt.optimizer.sweeps.study import Study, read_study

SMALL = """
cases = ["toy-blockade"]
[grid]
"lesions.*.alpha_per_gy*" = [0.9, 1.1]
[options]
gap = [0.01, 0.02]
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return written


def test_a_study_is_the_product_of_what_it_names(write: Write) -> None:
    text = """
    cases = ["toy-blockade", "toy-two-lesions"]
    seeds = [3, 4]
    [variants]
    base = []
    weak = ["lesions.*.alpha_per_gy*=0.9"]
    [grid]
    "lesions.*.weight" = [1.0, 2.0]
    "horizon_days" = [[90], [180]]
    [sample]
    count = 3
    seed = 5
    [sample.keys]
    "lesions.*.clonogens*" = { low = 0.5, high = 2.0, scale = "log" }
    [options]
    gap = [0.01, 0.1, 1]
    """
    runs = plan_of(read_study(write(text))).runs
    assert len(runs) == 2 * 2 * 2 * 2 * 2 * 3 * 3
    assert [run.number for run in runs] == list(range(1, len(runs) + 1))
    asked = {(r.case_name, r.changes, r.gap, r.seed) for r in runs}
    assert len(asked) == len(runs)
    assert {run.seed for run in runs} == {3, 4}
    assert {run.gap for run in runs} == {0.01, 0.1, 1.0}
    draws = {run.settings["lesions.*.clonogens*"] for run in runs}
    assert len(draws) == 3 and all(0.5 <= factor <= 2 for factor in draws)
    weak = [run for run in runs if run.variant == "weak"]
    assert all(run.changes[0] == "lesions.*.alpha_per_gy*=0.9" for run in weak)
    assert len(weak) == len(runs) / 2


@pytest.mark.parametrize("method", ["random", "latin", "sobol"])
def test_draws_fill_their_ranges_and_can_be_repeated(method: str) -> None:
    keys: dict[str, Any] = {
        "a": {"low": 1.0, "high": 100.0, "scale": "log"},
        "b": {"low": 1.5, "high": 4.2, "whole": True},
        "c": ("x", "y"),
    }
    stated = {"cases": ["toy-blockade"], "sample": {"count": 64, "method": method, "keys": keys}}
    from abscopt.optimizer.sweeps.runs import draws_of

    sample = Study.model_validate(stated, strict=False).sample
    assert sample is not None
    draws = draws_of(sample)
    assert draws == draws_of(sample)
    assert {draw["b"] for draw in draws} == {2, 3, 4}
    assert {draw["c"] for draw in draws} == {"x", "y"}
    below = sum(draw["a"] < 10 for draw in draws)
    assert below == 32 if method != "random" else 20 < below < 44
    assert all(1 <= draw["a"] <= 100 for draw in draws)


def test_steps_are_even_and_end_where_they_are_to() -> None:
    from abscopt.optimizer.sweeps.runs import stepped
    from abscopt.optimizer.sweeps.study import Steps

    assert stepped(Steps(low=1.0, high=2.0, count=5)) == (1.0, 1.25, 1.5, 1.75, 2.0)
    logarithmic = stepped(Steps(low=0.1, high=10.0, count=3, scale="log"))
    assert logarithmic == pytest.approx((0.1, 1.0, 10.0))
    assert (logarithmic[0], logarithmic[2]) == (0.1, 10.0)


def test_rows_are_what_solve_says(write: Write, tmp_path: Path) -> None:
    swept = sweep(write(SMALL))
    assert swept.store == tmp_path / "study.db"
    assert (swept.total, swept.before, swept.missing) == (4, 0, 0)
    store = read_store(swept.store)
    runs = store.runs_frame()
    assert list(runs["lesions.*.alpha_per_gy*"]) == [0.9, 0.9, 1.1, 1.1]
    for row in runs.to_dict("records"):
        factor, gap = row["lesions.*.alpha_per_gy*"], row["wanted_gap"]
        case = load("toy-blockade", [f"lesions.*.alpha_per_gy*={factor}"])
        result = solve(case, gap=gap)
        assert result.to_json()["digest"] == row["result_digest"]
        assert store.document(row["run"])["digest"] == row["result_digest"]
        assert (row["objective"], row["bound"], row["status"]) == (
            result.objective, result.bound, result.status,
        )  # fmt: skip
        lesions = store.lesions_frame()
        of_run = lesions[lesions["run"] == row["run"]]
        assert result.evaluation is not None
        assert list(of_run["lesion"]) == sorted(le.name for le in result.evaluation.lesions)
        limits = store.limits_frame()
        uses = limits[limits["run"] == row["run"]].set_index("limit_name")["use"]
        assert uses.to_dict() == {use.name: use.use for use in result.evaluation.limits}
    assert sweep(write(SMALL)).now.total() == 0


def test_a_value_that_one_case_refuses_is_a_row(write: Write) -> None:
    study = write(
        'cases = ["toy-blockade", "toy-two-lesions"]\n'
        '[grid]\n"lesions.*.alpha_per_gy" = [0.3, -1.0]\n'
    )
    swept = sweep(study)
    runs = read_store(swept.store).runs_frame()
    refused = runs[runs["status"] == "refused"]
    assert list(refused["run"]) == [2, 4]
    assert refused["message"].str.contains("alpha_per_gy").all()
    assert swept.now["refused"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases = []", "cases"),
        ('cases = ["no-such-case"]', "no such file"),
        ('cases = ["toy-blockade", "toy-blockade"]', "names one twice"),
        ('cases = ["toy-blockade"]\n[grid]\n"lesions.*.alpha" = [1.0]', "did you mean"),
        ('cases = ["toy-blockade"]\n[grid]\na = { low = 2.0, high = 1.0, count = 2 }', "above low"),
        ('cases = ["toy-blockade"]\nsteps = 3', "unknown key"),
        ('cases = ["toy-blockade"]\n[options]\ngap = 0.0', "greater than 0"),
        ('cases = ["toy-blockade"]\n[variants]\nx = ["lesions"]', "KEY=VALUE"),
        ("cases = [", "valid TOML"),
    ],
)
def test_wrong_studies_are_refused_before_anything_is_solved(
    text: str, says: str, write: Write, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says):
        sweep(write(text))
    assert not list(tmp_path.glob("*.db*"))


def test_other_files_studies_and_versions_are_refused(write: Write, tmp_path: Path) -> None:
    study = write('cases = ["toy-blockade"]')
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "text.db").write_text("text, and no database at all\n" * 100)
    for file in ("other.db", "text.db"):
        before = (tmp_path / file).read_bytes()
        with pytest.raises(InputError, match=r"store|database"):
            sweep(study, tmp_path / file)
        with pytest.raises(InputError, match="store"):
            read_store(tmp_path / file)
        assert (tmp_path / file).read_bytes() == before
    with pytest.raises(InputError, match="no such file"):
        read_store(tmp_path / "none.db")
    store = sweep(study).store
    with pytest.raises(InputError, match="other runs"):
        sweep(write('cases = ["toy-blockade"]\nseeds = [1]'))
    connection = sqlite3.connect(store)
    connection.execute("UPDATE study SET versions = replace(versions, 'numpy', 'numbers')")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="was begun with"):
        sweep(write('cases = ["toy-blockade"]'))


def test_a_second_sweep_on_a_store_is_refused(write: Write, tmp_path: Path) -> None:
    study = write('cases = ["toy-blockade"]')
    with only_writer(tmp_path / "study.db"), pytest.raises(InputError, match=str(os.getpid())):
        sweep(study)
    assert sweep(study).now.total() == 1
    assert not list(tmp_path.glob("*.lock"))


@pytest.mark.skipif(vfs() is None, reason="this Python hides the calls of its SQLite")
def test_killed_at_every_write_a_sweep_loses_and_repeats_nothing(tmp_path: Path) -> None:
    study = Study(cases=("toy-blockade",), seeds=(0, 1))
    assert killed_throughout(study, tmp_path, lambda line: None) > 80


def test_a_cluster_leaves_the_same_rows(write: Write, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    study = write(SMALL)
    here = sweep(study, tmp_path / "here.db").store
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        protocol="tcp://",
        host="127.0.0.1",
    ) as cluster:
        there = sweep(study, tmp_path / "there.db", cluster=cluster.scheduler_address)
    assert there.missing == 0
    assert content(there.store) == content(here)


def test_what_is_not_installed_is_named_before_anything_is_made(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write('cases = ["toy-blockade"]')
    monkeypatch.setattr(workers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"abscopt\[sweeps\]"):
        sweep(study, jobs=2)
    with pytest.raises(InputError, match=r"abscopt\[cluster\]"):
        sweep(study, cluster="tcp://127.0.0.1:9")
    assert not list(tmp_path.glob("*.db*"))
    assert sweep(study).missing == 0


def test_a_cluster_that_does_not_answer_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.5)
    with pytest.raises(InputError, match="no Dask scheduler"):
        sweep(write('cases = ["toy-blockade"]'), cluster="tcp://127.0.0.1:9")


def test_a_run_whose_process_dies_is_a_row_and_the_others_go_on(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("joblib")
    monkeypatch.setattr(workers, "execute", dies_at_the_second)
    swept = sweep(write(SMALL), jobs=2)
    runs = read_store(swept.store).runs_frame()
    assert list(runs["status"]) == ["optimal", "failed", "optimal", "optimal"]
    assert "twice" in runs["message"][1]
    monkeypatch.undo()
    again = sweep(write(SMALL), retry=True)
    assert (again.before, again.now) == (3, {"optimal": 1})
    assert content(again.store) == content(
        sweep(write(SMALL), again.store.with_name("one.db")).store
    )


def test_the_page_has_the_layout() -> None:
    page = Path(__file__).parents[2] / "docs" / "sweeps.md"
    assert TABLES.rstrip() in page.read_text()
