"""`abscopt solve CASE` of two commits as whole processes: start, answer and report together.

    python benchmarks/timings/whole_process.py [--before d391608] [--after HEAD] [--repeats 3]
                                               [--cases NAME ...] [--page]

Each commit solves the text that it ships, the two in turn; processor seconds are user and system
time of the finished process, the least of the turns, since other work on the machine only adds to
them. Where the two are within `ALIKE` of each other after a turn, it is the last one. Modules are
compiled before, as by an installation; each commit solves `toy-fractionation` once for that.

`d391608` is the last commit of 0.4. Rows are stored at once in `whole_process.json`, which begins
anew for other commits, and the page WHOLE_PROCESS.md is written from it; `--page` only writes it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from shared import machine
from side_by_side import short, text_of, tree_of

from abscopt.instances import names
from abscopt.optimizer.results.result import versions

HERE = Path(__file__).parent
STORE, PAGE = HERE / "whole_process.json", HERE / "WHOLE_PROCESS.md"
WARM = "toy-fractionation"
ALIKE = 1.2
"""Ratio of processor times up to which one turn is enough."""
MOST = 1.5
"""Ratio that the page counts."""
HEAD = ("| case | CPU s before | after | ratio | turns | text |", "|---|---|---|---|---|---|")


def seconds(tree: Path, case: str, compiled: Path) -> float | None:
    """User and system time of one process; None where it has no answer."""
    path = os.pathsep.join([str(tree.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "abscopt.cli", "solve", case],
        env=environment, cwd=tree.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(f"{case}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def row_of(old: Path, new: Path, case: str, repeats: int, compiled: Path) -> dict[str, Any] | None:
    """Both commits in turn."""
    before, after = list[float](), list[float]()
    for _ in range(repeats):
        pair = seconds(old, case, compiled), seconds(new, case, compiled)
        if pair[0] is None or pair[1] is None:
            return None
        before.append(pair[0])
        after.append(pair[1])
        if min(after) <= ALIKE * min(before):
            break
    alike = text_of(old, case) == text_of(new, case)
    return {"case": case, "before": before, "after": after, "equal_text": alike}


def ratio(row: dict[str, Any]) -> float:
    """Least time after over least time before."""
    return float(min(row["after"]) / min(row["before"]))


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    cells = (
        row["case"], f"{min(row['before']):.2f}", f"{min(row['after']):.2f}", f"{ratio(row):.2f}",
        str(len(row["before"])), "equal" if row["equal_text"] else "another",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def page(stored: dict[str, Any]) -> Iterator[str]:
    """The page, line by line."""
    rows = sorted(stored["rows"], key=lambda row: row["case"])
    first, second = (sum(min(row[side]) for row in rows) for side in ("before", "after"))
    environment = ", ".join(f"{key} {value}" for key, value in stored["environment"].items())
    yield from ("# Whole processes before and after", "")
    yield from ("Written by `whole_process.py`, which says how.", "")
    yield from (f"`{stored['before']}` and `{stored['after']}`; {environment}.", "")
    yield from (*HEAD, *map(line, rows), "")
    worst = max(rows, key=ratio)
    yield (
        f"{len(rows)} cases: {first:.1f} s of CPU before, {second:.1f} s after. Ratio above {MOST} "
        f"in {sum(ratio(row) > MOST for row in rows)}, at most {ratio(worst):.2f} "
        f"({worst['case']})."
    )
    yield ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print, store, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--before", default="d391608", metavar="COMMIT")
    parser.add_argument("--after", default="HEAD", metavar="COMMIT")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", nargs="*", default=names(), metavar="CASE")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args(arguments)
    stored = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    if not asked.page:
        commits = {"before": short(asked.before), "after": short(asked.after)}
        if {key: stored.get(key) for key in commits} != commits:
            stored = {**commits, "environment": {**machine(), **versions()}, "rows": []}
        compare(stored, asked)
    PAGE.write_text("\n".join(page(stored)), encoding="utf-8")


def compare(stored: dict[str, Any], asked: Any) -> None:
    """Add the rows that are not stored yet."""
    done = {row["case"] for row in stored["rows"]}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        trees = [
            stack.enter_context(tree_of(stored[key], Path(folder))) for key in ("before", "after")
        ]
        compiled = Path(folder) / "compiled"
        for tree in trees:
            seconds(tree, WARM, compiled)
        for case in asked.cases:
            if case in done or text_of(trees[0], case) is None:
                continue
            row = row_of(trees[0], trees[1], case, asked.repeats, compiled)
            if row is not None:
                stored["rows"].append(row)
                print(line(row), flush=True)
                STORE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
