"""CPU seconds of re-planning a treatment that has begun, against a fresh solve of the case.

    python benchmarks/timings/replan.py [--repeats 3] [--cases CASE ...]

Each case is solved once for a plan. Then, in turn and each as a process of its own: a start (the
interpreter, the modules that a solve needs, the case read and checked), `abscopt solve CASE
--json`, and `abscopt replan CASE --delivered FILE --today DAY --missed LESION@DAY --json` after a
third and after two thirds of the fraction days of that plan, the last of them missed. `replan`
reads the case and the file of the plan, and knows nothing else of the solve. Processor seconds,
user and system, of whole processes, the least of the repeats: other work on the machine only adds
to them, and the first one compiles the modules. Prints the environment and writes
`benchmarks/timings/REPLAN.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared import machine

from abscopt.optimizer.results.result import versions

CASES = (
    "early-sabr", "pembro-rt", "oligomet-3", "oligomet-4", "stage3-crt", "co-targets",
    "dual-checkpoint", "sequencing", "hfrt-crt", "lymphopenia", "central-sbrt",
)  # fmt: skip
SHARES = (1 / 3, 2 / 3)
COMMAND = [sys.executable, "-m", "abscopt.cli"]
START = "import abscopt.cli, abscopt.optimizer.pipeline; from abscopt.instances import load"


@dataclass(frozen=True)
class Run:
    """One process: CPU seconds, and what it printed."""

    seconds: float
    output: str


def run(arguments: list[str], bytecode: str) -> Run:
    """Run a process to its end; modules are compiled once, as of an installed package."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, output)


def begun(result: dict[str, Any], share: float) -> list[str]:
    """Options of `replan` after a share of the fraction days of an answer, the last one missed."""
    fractions = result["schedule"]["fractions"]
    days = sorted({f["day"] for f in fractions})
    last = days[max(0, min(len(days) - 2, round(share * len(days)) - 1))]
    lesion = next(f["lesion"] for f in fractions if f["day"] == last)
    return ["--today", str(last + 1), "--missed", f"{lesion}@{last}"]


@dataclass(frozen=True)
class Row:
    """Least CPU seconds of start, solve and each re-planning of a case, with the statuses."""

    name: str
    seconds: tuple[float, ...]
    statuses: tuple[str, ...]

    def cells(self) -> str:
        """One line of the page."""
        start, solve, *replans = self.seconds
        cells = [self.name, f"{start:.2f}", f"{solve:.2f}"]
        for seconds in replans:
            beyond = (seconds - start) / (solve - start)
            cells += [f"{seconds:.2f}", f"{seconds / solve:.2f}", f"{beyond:.2f}"]
        return "| " + " | ".join([*cells, ", ".join(dict.fromkeys(self.statuses))]) + " |"


def measured(name: str, repeats: int) -> Row:
    """A case, its commands in turn."""
    solve = [*COMMAND, "solve", name, "--json"]
    with TemporaryDirectory() as folder:
        bytecode = str(Path(folder) / "bytecode")
        plan = run(solve, bytecode).output
        result = json.loads(plan)
        file = Path(folder) / "result.json"
        file.write_text(plan, encoding="utf-8")
        replan = [*COMMAND, "replan", name, "--delivered", str(file), "--json"]
        commands = [[sys.executable, "-c", f"{START}; load({name!r})"], solve]
        commands += [[*replan, *begun(result, share)] for share in SHARES]
        turns = [[run(command, bytecode) for command in commands] for _ in range(repeats)]
    answers = [json.loads(once.output) for once in turns[0][1:]]
    statuses = [answer.get("result", answer)["status"] for answer in answers]
    least = tuple(min(once.seconds for once in runs) for runs in zip(*turns, strict=True))
    return Row(name, least, tuple(statuses))


HEAD = """# Re-planning against a fresh solve

CPU seconds of whole processes (`benchmarks/timings/replan.py`), the least of {repeats} in turn:
*start* is the interpreter, the modules that a solve needs and the case read and checked, which each
command pays; `abscopt solve`; and `abscopt replan` with the file of that plan after a third and two
thirds of the fraction days, one treatment day missed. *Share* is that of the whole processes,
*beyond* that of what each takes beyond the start. No share of whole processes can be below start /
solve, which is two thirds on the smallest cases.

{environment}

| case | start | solve | one third | share | beyond | two thirds | share | beyond | status |
|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    environment = ", ".join(f"{key} {value}" for key, value in {**machine(), **versions()}.items())
    print(environment, flush=True)
    rows = []
    for name in asked.cases:
        rows.append(measured(name, asked.repeats))
        print(rows[-1].cells(), flush=True)
    sums = tuple(sum(numbers) for numbers in zip(*(row.seconds for row in rows), strict=True))
    rows.append(Row("all", sums, tuple(status for row in rows for status in row.statuses)))
    print(rows[-1].cells())
    text = HEAD.format(environment=environment, repeats=asked.repeats)
    page = Path(__file__).with_name("REPLAN.md")
    page.write_text(text + "\n".join(row.cells() for row in rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
