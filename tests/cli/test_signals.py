"""SIGINT and SIGTERM: the first leads to the answer so far, the second ends at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abscopt.optimizer.results.files import RESULT_FILES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

COMMAND = [sys.executable, "-m", "abscopt.cli"]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LONG = ["solve", "oligomet-4", "--gap", "1e-9"]
"""A solve of a minute or more."""


def begun(*command: str) -> subprocess.Popen[bytes]:
    """A command that has told its progress for the first time."""
    process = subprocess.Popen([*COMMAND, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline()
    return process


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leads_to_the_answer_so_far(number: signal.Signals, tmp_path: Path) -> None:
    process = begun(*LONG, "--json", "--out", str(tmp_path))
    process.send_signal(number)
    answer, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    document = json.loads(answer)
    assert document["status"] == "feasible"
    assert document["bound"] >= document["objective"] >= document["standard"]["objective"]
    assert json.loads((tmp_path / "result.json").read_text()) == document
    assert {path.name for path in tmp_path.iterdir()} == set(RESULT_FILES)
    assert b"Traceback" not in errors


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_at_once(number: signal.Signals, tmp_path: Path) -> None:
    slow = (
        "import sys, time\n"
        "from abscopt.optimizer import pipeline\n"
        "from abscopt.cli import main\n"
        "def late(*args):\n"
        "    while True: time.sleep(10)\n"
        "pipeline._solved = late\n"
        "sys.argv[0] = 'abscopt'\n"
        f"main(['solve', 'oligomet-4', '--out', {str(tmp_path)!r}])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(number)
    time.sleep(0.4)
    assert process.poll() is None, "the first signal asks for the answer"
    process.send_signal(number)
    answer, errors = process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert not answer
    assert b"Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_one_request_may_arrive_twice() -> None:
    process = begun(*LONG, "--json")
    process.send_signal(signal.SIGTERM)  # GNU timeout signals the process, then its group
    process.send_signal(signal.SIGTERM)
    answer, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(answer)["status"] == "feasible"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("after", [0.0, 0.05, 0.2, 0.5])
def test_a_signal_while_the_command_starts_leaves_no_traceback(
    number: signal.Signals, after: float
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "solve", "oligomet-4", "--time-limit", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _wait_for_our_code(process)
    time.sleep(after)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 4, 128 + number, -number)
    assert b"Traceback" not in errors
    assert b"Error" not in errors


def _wait_for_our_code(process: subprocess.Popen[bytes]) -> None:
    """Until then the interpreter starts, and obeys signals in its own way."""
    seen = False
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        caught = int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1
        if seen and not caught:
            return
        seen = seen or bool(caught)
        time.sleep(0.0005)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "command",
    [
        ["solve", "oligomet-4", "--gap", "1e-9", "--method", "single"],
        ["compare", "oligomet-4", "sequencing", "--gap", "1e-9"],
        ["frontier", "oligomet-4", "--limit", "LIMIT", "--caps", "1,2,3", "--gap", "1e-9"],
        ["export", "sequencing", "--format", "lp", "--gap", "1e-9"],
        ["evidence"],
    ],
    ids=lambda command: command[0] + command[-1],
)
def test_long_commands_obey_signals(number: signal.Signals, command: list[str]) -> None:
    if "LIMIT" in command:
        shown = subprocess.run(
            [*COMMAND, "instances", "show", "oligomet-4", "--json"], capture_output=True
        )
        limits = json.loads(shown.stdout)["instance"]["limits"]
        name = next(limit["name"] for limit in limits if "cap_gy" in limit)
        command = [name if part == "LIMIT" else part for part in command]
    process = begun(*command)
    process.send_signal(number)
    _, errors = process.communicate(timeout=100)
    assert process.returncode in (0, 4)
    assert b"Traceback" not in errors
