"""Help, version, start-up cost, usage errors, and how the command ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from abscopt import cli
from abscopt.optimizer.console import cases
from abscopt.optimizer.results.result import DISCLAIMER

HEAVY = ("pydantic", "numpy", "pandas", "pyomo", "highspy", "rich")
COMMAND = [sys.executable, "-m", "abscopt.cli"]


def imported_by(*arguments: str) -> set[str]:
    """Heavy packages in memory after a command."""
    code = (
        "import sys\nfrom abscopt.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(eval(done.stderr.strip().splitlines()[-1]))


def loaded_by_nothing() -> set[str]:
    """What the interpreter itself loads: another package's .pth file may import rich."""
    code = f"import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(eval(done.stdout))


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["instances", "list"]])
def test_quick_commands_import_nothing_heavy(arguments: list[str]) -> None:
    assert imported_by(*arguments) <= loaded_by_nothing()


def test_programmes_are_stated_without_all_of_scipy() -> None:
    code = (
        "import sys\nfrom abscopt.optimizer import solve\n"
        "result = solve('toy-two-lesions', method='single')\n"
        "print(result.status, [m for m in ('pyomo', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "optimal ['pyomo']\n"


def test_help_names_commands_exit_codes_and_the_notice(run: Any) -> None:
    text = " ".join(run("--help").output.split())
    for word in ("solve", "evaluate", "instances", DISCLAIMER, "3 proven infeasible"):
        assert word in text


def test_version(run: Any) -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("abscopt ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["solve"],
        ["solve", "toy-blockade", "--gap", "0"],
        ["solve", "toy-blockade", "--gap", "-1"],
        ["solve", "toy-blockade", "--gap", "nan"],
        ["solve", "toy-blockade", "--gap", "inf"],
        ["solve", "toy-blockade", "--gap", "one"],
        ["solve", "toy-blockade", "--time-limit", "-1"],
        ["solve", "toy-blockade", "--time-limit", "nan"],
        ["solve", "toy-blockade", "--time-limit", "inf"],
        ["solve", "toy-blockade", "--threads", "0"],
        ["solve", "toy-blockade", "--threads", "65"],
        ["solve", "toy-blockade", "--seed", "-1"],
        ["solve", "toy-blockade", "--seed", "1.5"],
        ["solve", "toy-blockade", "--method", "magic"],
        ["evaluate", "toy-blockade"],
        ["evaluate", "toy-blockade", "x.json", "--regimen", "standard"],
        ["instances", "check"],
    ],
)
def test_usage_errors_exit_with_2(run: Any, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error:" in result.stderr


def test_an_internal_error_is_one_line_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, changes: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(cases, "load_case", fail)
    monkeypatch.delenv("ABSCOPT_DEBUG", raising=False)
    result = CliRunner().invoke(cli.main, ["instances", "show", "x"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "abscopt: internal error: RuntimeError: two lines",
        "abscopt: set ABSCOPT_DEBUG=1 to see the traceback",
    ]
    monkeypatch.setenv("ABSCOPT_DEBUG", "1")
    assert isinstance(
        CliRunner().invoke(cli.main, ["instances", "show", "x"]).exception, RuntimeError
    )


def test_an_interruption_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str, changes: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cases, "load_case", interrupt)
    result = CliRunner().invoke(cli.main, ["instances", "show", "x"])
    assert result.exit_code == 4
    assert result.stderr == "abscopt: interrupted\n"


def test_a_broken_pipe_leaves_no_traceback() -> None:
    process = subprocess.Popen(
        [*COMMAND, "instances", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() in (0, 1)
    assert "Traceback" not in errors
    assert "Exception" not in errors


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_named_pipe_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "schedule.json"
    os.mkfifo(pipe)
    process = subprocess.run(
        [*COMMAND, "evaluate", "toy-blockade", str(pipe)], capture_output=True, timeout=60
    )
    assert process.returncode == 2
    assert b"must be a file" in process.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_with_the_best_schedule_so_far() -> None:
    process = subprocess.Popen(
        [*COMMAND, "solve", "oligomet-4", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()  # the first progress report: the solve has begun
    process.send_signal(signal.SIGINT)
    answer, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    document = json.loads(answer)
    assert document["status"] == "feasible"
    assert document["objective"] >= document["standard"]["objective"]
    assert b"Traceback" not in errors


def test_output_survives_a_terminal_that_knows_ascii_only() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"}
    for arguments in (["instances", "show", "oligomet-4"], ["instances", "list"]):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, env=environment)
        assert done.returncode == 0
        assert b"\x1b" not in done.stdout
        assert done.stderr == b""
