"""The page of benchmark results: every part that is stored, no figures of a part that failed."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmark_scripts import TIMINGS, script

ENVIRONMENT: dict[str, Any] = {
    "machine": {"system": "Linux", "cpu": "some", "cores": 2},
    "versions": {"python": "3.11", "abscopt": "0"},
}


@pytest.fixture(scope="module")
def results() -> ModuleType:
    return script("results")


def store(folder: Path, part: str, figures: dict[str, Any]) -> None:
    (folder / f"{part}.json").write_text(json.dumps(ENVIRONMENT | figures), encoding="utf-8")


FLOOR = {
    "repeats": 3,
    "cases": [
        {
            "case": "early-sabr", "status": "optimal", "seconds": 0.5, "lp_seconds": 0.05,
            "lps": 30, "table_seconds": 0.2, "coefficient_mb": 2.4, "sum_seconds": 0.0001,
            "copy_seconds": 0.0002,
        }
    ],
}  # fmt: skip


def test_stored_parts_are_tables_with_their_environment(
    results: ModuleType, tmp_path: Path
) -> None:
    store(tmp_path, "floor", FLOOR)
    page = results.page(tmp_path)
    assert "## The floor\n\nLinux, some, 2 cores; python 3.11, abscopt 0.\n" in page
    assert "| early-sabr | optimal | 0.50 | 0.05 | 30 | 0.20 | 2.4 |" in page
    assert "| 5000 |" in page
    assert "At equal time" not in page


def test_a_part_that_failed_is_named_and_not_shown(results: ModuleType, tmp_path: Path) -> None:
    store(tmp_path, "floor", FLOOR)
    record = {"ended": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "exit_code": 3, "options": []}
    (tmp_path / results.RUN).write_text(json.dumps({"floor": record}), encoding="utf-8")
    page = results.page(tmp_path)
    assert "| floor | 2026-01-01 00:00, FAILED with exit code 3 | 1 | - |" in page
    assert "## The floor" not in page


def test_a_part_without_a_table_of_its_own_is_shown_whole(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(results.PARTS, "other_part", [])
    rows = [
        {"days": 6, "ours": {"seconds": 0.5, "gap": None}},
        {"days": 8, "milp": {"status": "limit"}, "doses": [1, 2]},
    ]
    store(tmp_path, "other_part", {"limit": 60.0, "curves": {"days": {"rows": rows}}})
    page = results.page(tmp_path)
    assert "## Other part" in page
    assert "limit 60.0000." in page
    assert "| days | ours seconds | ours gap | milp status | doses |" in page
    assert "| 6 | 0.5000 | - | - | - |" in page
    assert "| 8 | - | - | limit | [1, 2] |" in page


def test_exact_and_free_courses_show_what_was_stopped(results: ModuleType, tmp_path: Path) -> None:
    ours = {"status": "optimal", "seconds": 1.0, "objective": -1.0, "bound": -0.99, "gap": 0.01}
    milp = {"status": "limit", "seconds": 60.0, "objective": None, "bound": -0.5, "gap": None}
    cpu = {"cpu_seconds": 2.0}
    single = milp | {"threads": 2, "level": "released", "our_answer_given": True, "ratio": 60.0}
    programme = {
        "case": "class", "level": "released", "layers": {"1": ours},
        "alone": [milp | {"solver": "glpk", "threads": 1}],
    }  # fmt: skip
    store(
        tmp_path,
        "exact",
        {
            "compared": [{"case": "class", "ours": {"1": ours}, "single": [single]}],
            "programmes": [programme],
        },
    )
    against = [{"days": 20, "ours": ours | cpu, "milp": milp | cpu, "cpu_ratio": 9.0}]
    curve = {"exponent": 1.0, "rows": [ours | {"days": 6, "peak_mb": 99.6}]}
    (tmp_path / "free_course.json").write_text(
        json.dumps(
            {
                "against": {"environment": ENVIRONMENT | {"gap": 0.01}, "varying": against},
                "alone": {"environment": ENVIRONMENT, "constant": curve},
                "long": {"rows": [ours | {"lesions": 3, "limit": 60.0, "peak_mb": 99.6}]},
            }
        ),
        encoding="utf-8",
    )
    page = results.page(tmp_path)
    assert "| class | ours | - | - | 1 | optimal | 1.0 | -1.0000 | -0.9900 | 0.0100 | - |" in page
    assert "| released | yes | 2 | limit | 60.0 | - | -0.5000 | - | > 60.0 |" in page
    assert "| class | released | glpk | 1 | limit | 60.0 | - | -0.5000 | - | - |" in page
    assert "## Free courses\n\nLinux, some, 2 cores; python 3.11, abscopt 0.\n" in page
    assert "| varying | 20 | milp | limit | 60.0 | - | -0.5000 | - | 2.0 | > 9.0 |" in page
    assert "| 6 | optimal | 1.0 | -1.0000 | -0.9900 | 0.0100 | 100 |" in page
    assert "| 3 | 60 | optimal | 1.0 | -1.0000 | -0.9900 | 0.0100 | 100 |" in page


def test_run_records_how_a_part_ended(results: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "floor.py").write_text("import sys; sys.exit('--write' not in sys.argv)\n")
    (tmp_path / "start_up.py").write_text("raise SystemExit(7)\n")
    assert results.present(tmp_path) == ["floor", "start_up"]
    assert results.run("floor", tmp_path)
    assert not results.run("start_up", tmp_path)
    kept = results.records(tmp_path)
    assert (kept["floor"]["exit_code"], kept["start_up"]["exit_code"]) == (0, 7)


def test_stored_figures_of_the_repository_can_be_shown(results: ModuleType) -> None:
    page = results.page(TIMINGS)
    shown = [part for part in results.TABLES if (TIMINGS / f"{part}.json").exists()]
    assert shown
    for part in shown:
        assert f"## {results.TABLES[part][0]}" in page
