"""Progress and signals of decisions for ensembles: the answer so far, a true bound."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

COMMAND = [sys.executable, "-m", "abscopt.cli"]
ENSEMBLE = ["--ensemble", "radiobiology", "--members", "3"]
MODES = {
    "mean": ["solve", "oligomet-4", *ENSEMBLE, "--risk", "mean"],
    "regret": ["solve", "early-sabr", *ENSEMBLE, "--risk", "regret"],
    "single": ["solve", "early-sabr", *ENSEMBLE, "--risk", "worst", "--method", "single"],
    "free": ["solve", "toy-free-20", *ENSEMBLE, "--risk", "mean"],
    "observe": ["solve", "early-sabr", *ENSEMBLE, "--observe", "burden:primary@7<0.2~0.3"],
    "robustness": ["robustness", "early-sabr", *ENSEMBLE],
}


@pytest.mark.parametrize("mode", MODES)
def test_a_signal_leads_to_the_answer_so_far(mode: str) -> None:
    number = (signal.SIGINT, signal.SIGTERM)[len(mode) % 2]
    process = subprocess.Popen(
        [*COMMAND, *MODES[mode], "--gap", "1e-9", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    told = process.stderr.readline()
    process.send_signal(number)
    answer, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 4), errors
    assert told.strip() and b"Traceback" not in errors
    held(json.loads(answer))


@pytest.mark.parametrize("mode", ["mean", "single", "free", "observe"])
def test_a_time_limit_leaves_an_answer_and_a_bound(mode: str) -> None:
    limited = [*COMMAND, *MODES[mode], "--gap", "1e-9", "--json", "--time-limit", "4"]
    done = subprocess.run(limited, capture_output=True, timeout=300, check=False)
    assert done.returncode in (0, 4), done.stderr
    assert b"Traceback" not in done.stderr and done.stderr.strip()
    held(json.loads(done.stdout))


def held(document: dict[str, Any]) -> None:
    """What an answer that was stopped says is not more than it knows."""
    if document["kind"] == "robustness":
        assert document["stopped"] or document["members"]
        return
    objective, bound = document["objective"], document["bound"]
    assert document["status"] in ("feasible", "unknown")
    assert objective is None or bound is None or bound > objective + 1e-9
