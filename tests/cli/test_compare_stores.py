"""Performance profiles, and stores held against each other."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.instances.load import InputError
from abscopt.optimizer import sweep
from abscopt.optimizer.sweeps.contests.contest import contest_of, disagreement, rows_of, verdict
from abscopt.optimizer.sweeps.contests.profile import profile

INF = math.inf


def test_a_profile_worked_by_hand() -> None:
    """Three problems: times 1, 2; 4, 1; unsolved, 3; a fourth that nobody solved does not count."""
    curves = profile(
        [{"a": 1.0, "b": 2.0}, {"a": 4.0, "b": 1.0}, {"a": INF, "b": 3.0}, {"a": INF, "b": INF}]
    )
    assert curves.problems == 3
    assert curves.ratios == {"a": (1.0, 4.0, INF), "b": (2.0, 1.0, 1.0)}
    assert [curves.share("a", tau) for tau in (1.0, 3.9, 4.0, 100.0)] == [
        1 / 3,
        1 / 3,
        2 / 3,
        2 / 3,
    ]
    assert [curves.share("b", tau) for tau in (1.0, 2.0)] == [2 / 3, 1.0]
    assert (curves.solved("a"), curves.solved("b")) == (2 / 3, 1.0)
    assert curves.steps("a") == [(1.0, 1 / 3), (4.0, 2 / 3)]


def test_nothing_to_compare_is_no_error_and_no_nodes_are_a_ratio() -> None:
    assert profile([]).problems == 0
    assert profile([{"a": 0.0, "b": 5.0}]).ratios == {"a": (1.0,), "b": (INF,)}
    with pytest.raises(ValueError, match="costs"):
        profile([{"a": 1.0}, {"b": 1.0}])
    with pytest.raises(ValueError, match="costs"):
        profile([{"a": math.nan}])


costs = st.one_of(st.integers(1, 1000).map(float), st.just(INF))


@given(st.lists(st.tuples(costs, costs, costs), min_size=1, max_size=8))
def test_laws_of_profiles(times: list[tuple[float, float, float]]) -> None:
    names = ("a", "b", "c")
    curves = profile([dict(zip(names, row, strict=True)) for row in times])
    solved = [row for row in times if min(row) < INF]
    assert curves.problems == len(solved)
    for place, name in enumerate(names):
        points = curves.steps(name)
        assert points == sorted(points)
        shares = [share for _, share in points]
        assert shares == sorted(shares)
        assert shares[-1] == curves.solved(name)
        if solved:
            count = sum(row[place] < INF for row in solved)
            assert curves.solved(name) == count / len(solved)
            best = sum(row[place] <= min(row) for row in solved)
            assert curves.share(name, 1.0) == best / len(solved)
    if solved:
        assert sum(curves.share(name, 1.0) for name in names) > 1.0 - 1e-12


def answer(**changed: Any) -> dict[str, Any]:
    return {
        "status": "optimal", "objective": 1.0, "bound": 1.01, "requested_gap": 0.01,
        "instance_digest": "x", **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "agree"),
        ({"objective": 1.005}, "within_gap"),
        ({"objective": 0.9, "bound": 1.2}, "disagree"),
        ({"objective": 1.02, "bound": 1.03}, "disagree"),
        ({"objective": 0.9, "bound": 0.95}, "disagree"),
        ({"status": "infeasible", "objective": None, "bound": None}, "disagree"),
        ({"status": "feasible", "objective": 0.5, "bound": 2.0}, "limit"),
        ({"status": "unknown", "objective": None, "bound": 2.0}, "limit"),
        ({"status": "unknown", "objective": None, "bound": 0.5}, "disagree"),
        ({"status": "failed", "objective": None, "bound": None}, "absent"),
        ({"instance_digest": "y", "objective": 9.0}, "other_case"),
    ],
)
def test_verdicts(changed: dict[str, Any], says: str) -> None:
    assert verdict(answer(**changed), answer()) == says
    assert verdict(answer(), answer(**changed)) == says


@pytest.fixture
def store(tmp_path: Path) -> Path:
    study = tmp_path / "solvers.toml"
    study.write_text(
        'cases = ["toy-blockade", "toy-fractionation"]\n[options]\nsolver = ["abscopt", "highs"]\n'
    )
    return sweep(study).store


def test_solvers_in_one_store_are_contestants(store: Path, run: Any) -> None:
    contest = contest_of([str(store)])
    assert contest.contestants == ("abscopt", "highs")
    rows = rows_of(contest)
    assert [(row["case"], row["contestant"]) for row in rows] == [
        ("toy-blockade", "abscopt"), ("toy-blockade", "highs"),
        ("toy-fractionation", "abscopt"), ("toy-fractionation", "highs"),
    ]  # fmt: skip
    assert {row["verdict"] for row in rows} <= {None, "agree", "within_gap"}
    ratios = contest.profile("seconds").ratios.values()
    assert all(min(a, b) == 1.0 for a, b in zip(*ratios, strict=True))
    shown = run("compare", store)
    assert shown.exit_code == 0
    assert "Share of 2 runs solved within a ratio of the best seconds" in shown.stdout
    document = json.loads(run("compare", store, "--json", "--measure", "nodes").stdout)
    assert document["kind"] == "contest"
    assert document["profile"]["solved"] == {"abscopt": 1.0, "highs": 1.0}


def test_an_answer_that_the_other_refutes_is_seen(store: Path, run: Any) -> None:
    other = store.with_name("other.db")
    shutil.copy(store, other)
    assert run("compare", store, other).exit_code == 0
    connection = sqlite3.connect(other)
    connection.execute("UPDATE results SET bound = bound - 1, objective = objective - 1")
    connection.commit()
    connection.close()
    contest = contest_of([str(store), str(other)])
    assert len(contest.contestants) == 4
    assert disagreement(contest)
    shown = run("compare", store, other)
    assert (shown.exit_code, "disagree" in shown.stdout) == (1, True)


def test_a_profile_is_drawn_the_same_every_time(store: Path, run: Any) -> None:
    pytest.importorskip("matplotlib")
    files = [store.with_name(f"{k}.svg") for k in (1, 2)]
    for file in files:
        assert run("compare", store, "--plot", file).exit_code == 0
    first, second = (file.read_text() for file in files)
    assert first == second
    assert "ratio to the best (seconds)" in first
    refused = run("compare", store, "--plot", store.with_name("x.txt"))
    assert refused.exit_code == 2


def test_what_is_no_contest_is_refused(store: Path, run: Any, tmp_path: Path) -> None:
    alone = tmp_path / "alone.toml"
    alone.write_text('cases = ["toy-blockade"]')
    single = sweep(alone).store
    with pytest.raises(InputError, match="two are needed"):
        contest_of([str(single)])
    with pytest.raises(InputError, match="named twice"):
        contest_of([str(store), str(store)])
    mixed = run("compare", store, "toy-blockade")
    assert (mixed.exit_code, "stores are compared with stores" in mixed.stderr) == (2, True)
    picture = run("compare", "toy-blockade", "--plot", tmp_path / "x.svg")
    assert picture.exit_code == 2
