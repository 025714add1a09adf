"""CPU seconds of re-planning a treatment that has begun, against a fresh solve of the case.

    OPENBLAS_NUM_THREADS=1 python benchmarks/timings/replan.py [--repeats 3] [--cases CASE ...]

Each case is solved once for a plan. Then that is compared with `replan` after a third and after two
thirds of the fraction days of the plan, the last of them missed, in two ways:

    as programs   a start (the interpreter, the modules that a solve needs, the case read and
                  checked), `abscopt solve CASE --json`, and `abscopt replan CASE --delivered FILE
                  --today DAY --missed LESION@DAY --json`, each a process of its own, in turn
    in Python     `solve(case)` and `replan(case)` in one process that has everything loaded, the
                  case and its past read anew each time and counted, in turn

`replan` reads the case and the file of the plan, and knows nothing else of the solve. Processor
seconds, user and system, with matrices in one thread, the least of the repeats: other work on the
machine only adds to them, and the first process compiles the modules. By default every bundled case
of uniform courses or phases whose fresh solve takes `LEAST_SECONDS` or more in Python, and some
smaller ones. Prints the environment and writes `benchmarks/timings/REPLAN.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.replanning.replan import replan
from abscopt.optimizer.replanning.started import Circumstances, started
from abscopt.optimizer.results.result import versions

CASES = (
    "oligomet-3", "oligomet-4-relaxed", "oligomet-4", "oligomet-4-tight", "sequencing",
    "stage3-crt-relaxed", "stage3-crt", "stage3-crt-tight", "pembro-rt-relaxed", "high-low-dose",
    "dual-checkpoint", "resistance", "resistance-exhaustion", "resistance-antigen-loss",
    "resistance-preblockade-harms", "capacity", "oligomet-4-dual", "pembro-rt", "pembro-rt-ctla4",
    "pembro-rt-tight", "stage3-crt-induction", "stage3-crt-consolidation", "hfrt-crt",
    "cervix-boost", "co-targets", "early-sabr", "lymphopenia", "central-sbrt",
)  # fmt: skip
LEAST_SECONDS = 1.0
"""A fresh solve of fewer is mostly what every solve does once: cases below are summed apart."""
SHARES = (1 / 3, 2 / 3)
COMMAND = [sys.executable, "-m", "abscopt.cli"]
START = (
    "import sys; sys.argv[0] = 'abscopt'; import abscopt.cli, abscopt.optimizer.pipeline; "
    "from abscopt.instances import load"
)


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


def begun(result: dict[str, Any], share: float) -> tuple[str, str]:
    """Today and what was missed, after a share of the fraction days of an answer."""
    fractions = result["schedule"]["fractions"]
    days = sorted({f["day"] for f in fractions})
    last = days[max(0, min(len(days) - 2, round(share * len(days)) - 1))]
    lesion = next(f["lesion"] for f in fractions if f["day"] == last)
    return str(last + 1), f"{lesion}@{last}"


@dataclass(frozen=True)
class Row:
    """Least CPU seconds of a case, with the statuses of what was chosen anew.

    Attributes
    ----------
    programs : start, solve, each re-planning
    calls : solve, each re-planning
    courses : of all lesions on the menus of the case, and among the rests of the first re-planning
    """

    name: str
    programs: tuple[float, ...]
    calls: tuple[float, ...]
    courses: tuple[int, ...]
    statuses: tuple[str, ...]

    def cells(self) -> str:
        """One line of the page."""
        start, fresh, *again = self.programs
        cells = [self.name, f"{start:.2f}", f"{fresh:.2f}"]
        cells += [f"{seconds:.2f} ({seconds / fresh:.2f})" for seconds in again]
        called, *recalled = self.calls
        cells += [f"{called:.2f}"]
        cells += [f"{seconds:.2f} ({seconds / called:.2f})" for seconds in recalled]
        cells.append(" to ".join(f"{number}" for number in self.courses))
        return "| " + " | ".join([*cells, ", ".join(dict.fromkeys(self.statuses))]) + " |"


def together(name: str, rows: list[Row]) -> Row:
    """Sums over some cases."""
    programs = tuple(sum(numbers) for numbers in zip(*(r.programs for r in rows), strict=True))
    calls = tuple(sum(numbers) for numbers in zip(*(r.calls for r in rows), strict=True))
    courses = tuple(sum(numbers) for numbers in zip(*(r.courses for r in rows), strict=True))
    statuses = tuple(status for r in rows for status in r.statuses)
    return Row(name, programs, calls, courses, statuses)


def offered(case: Instance) -> int:
    """Courses of all lesions that keep the hard limits by themselves, 'no course' aside."""
    return sum(len(table.menu) - 1 for table in Candidates(case).lesions)


def past_of(name: str, file: Path, past: tuple[str, str]) -> Instance:
    """A case as it stands on a day, with one treatment day missed."""
    return started(load(name), str(file), Circumstances(today=past[0], missed=(past[1],)))


def in_python(name: str, file: Path, pasts: list[tuple[str, str]]) -> list[float]:
    """CPU seconds of one solve and each re-planning in this process."""
    begin = time.process_time()
    solve(load(name))
    seconds = [time.process_time() - begin]
    for past in pasts:
        begin = time.process_time()
        replan(past_of(name, file, past))
        seconds.append(time.process_time() - begin)
    return seconds


def measured(name: str, repeats: int) -> Row:
    """A case, its commands and its calls in turn."""
    command = [*COMMAND, "solve", name, "--json"]
    with TemporaryDirectory() as folder:
        bytecode = str(Path(folder) / "bytecode")
        plan = run(command, bytecode).output
        file = Path(folder) / "result.json"
        file.write_text(plan, encoding="utf-8")
        pasts = [begun(json.loads(plan), share) for share in SHARES]
        again = [*COMMAND, "replan", name, "--delivered", str(file), "--json"]
        commands = [[sys.executable, "-c", f"{START}; load({name!r})"], command]
        commands += [[*again, "--today", today, "--missed", missed] for today, missed in pasts]
        turns = [[run(one, bytecode) for one in commands] for _ in range(repeats)]
        calls = [in_python(name, file, pasts) for _ in range(repeats)]
        courses = offered(load(name)), offered(past_of(name, file, pasts[0]))
    answers = [json.loads(once.output)["result"] for once in turns[0][2:]]
    programs = tuple(min(once.seconds for once in runs) for runs in zip(*turns, strict=True))
    least = tuple(min(seconds) for seconds in zip(*calls, strict=True))
    return Row(name, programs, least, courses, tuple(answer["status"] for answer in answers))


def verdict(words: str, rows: list[Row]) -> str:
    """How many of some cases cost a third or less, in Python and as programs."""
    if not rows:
        return ""
    third, number = 1 / 3, len(SHARES) * len(rows)
    called = sum(s <= third * r.calls[0] for r in rows for s in r.calls[1:])
    run_as = sum(s <= third * r.programs[1] for r in rows for s in r.programs[2:])
    worst = max((max(r.calls[1:]) / r.calls[0], r.name) for r in rows)
    return (
        f"* {words}: a third or less in {called} of {number} in Python, in {run_as} of {number} as "
        f"programs; most in Python {worst[0]:.2f} ({worst[1]})."
    )


def left_out(names: list[str]) -> str:
    """Which cases of the default list a run did not measure."""
    missing = [name for name in CASES if name not in names]
    return f"* Not measured in this run: {', '.join(missing)}." if missing else ""


HEAD = """# Re-planning against a fresh solve

CPU seconds (`benchmarks/timings/replan.py`, which says how), the least of {repeats} in turn: a
fresh solve, and `replan` with the file of that plan after a third and two thirds of the fraction
days, one treatment day missed; in brackets the share of the fresh solve. *As programs*: whole
processes, where *start* is what each pays before it begins; no share can be below start / solve.
*In Python*: calls in one process that has everything loaded, cases and pasts read anew.

{verdicts}

A rest is chosen from menus of its own: further numbers and doses, two fractions on some days,
compensating doses, starts up to six days later. *Courses* are those of all lesions, on the menus
of the case and among its rests after a third. For most rests after a deviation the first plan's
bound says nothing: they are not on the menu of the case. Cases with free courses (`mr-linac-*`,
`toy-free-*`, `mixed-free`) are not gone on with, and are not here.

{environment}

| case | start | solve | 1/3 | 2/3 | in Python: solve | 1/3 | 2/3 | courses | status |
|---|---|---|---|---|---|---|---|---|---|
"""


def page(rows: list[Row], repeats: int, environment: str) -> str:
    """The page: longer cases, the others, and sums of both."""
    long = [row for row in rows if row.calls[0] >= LEAST_SECONDS]
    short = [row for row in rows if row.calls[0] < LEAST_SECONDS]
    verdicts = [
        verdict(f"Fresh solve of {LEAST_SECONDS:g} s or more in Python", long),
        verdict("Shorter", short),
        left_out([row.name for row in rows]),
    ]
    lines = [row.cells() for row in long] + ([together("**sum**", long).cells()] if long else [])
    lines += [row.cells() for row in short] + (
        [together("**sum**", short).cells()] if short else []
    )
    words = "\n".join(filter(None, verdicts))
    head = HEAD.format(environment=environment, repeats=repeats, verdicts=words)
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    environment = ", ".join(f"{key} {value}" for key, value in {**machine(), **versions()}.items())
    print(environment, flush=True)
    solve("toy-blockade")
    rows: list[Row] = []
    file = Path(__file__).with_name("REPLAN.md")
    for name in asked.cases:
        rows.append(measured(name, asked.repeats))
        print(rows[-1].cells(), flush=True)
        file.write_text(page(rows, asked.repeats, environment), encoding="utf-8")


if __name__ == "__main__":
    main()
