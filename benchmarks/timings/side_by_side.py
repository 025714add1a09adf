"""Answers and CPU time of an earlier commit beside this tree, on bundled cases of equal text.

    python benchmarks/timings/side_by_side.py [--before ff7141b~1] [--repeats 2] [--limit 120]
                                              [--cases NAME ...] [--write]

A case counts where its file, and those that it extends, are the same in both. Each solve runs in a
process of its own, before and after in turn; CPU seconds are those of `solve` alone, the least of
the repeats, since other work on the machine only adds to them. Nodes do not depend on the machine.
The library may have changed beside the file: where objective or bound differ, the row says so.
`ff7141b` is the first commit that moved modules into rooms. --write stores SIDE_BY_SIDE.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared import machine

from abscopt.instances import names
from abscopt.optimizer.results.result import versions

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("SIDE_BY_SIDE.md")
SOLVE = """
import json, sys, time
from abscopt.instances import load
from abscopt.optimizer import solve
case = load(sys.argv[1])
begin = time.process_time()
result = solve(case, time_limit=float(sys.argv[2]))
seconds = time.process_time() - begin
document = result.to_json(case)
print(json.dumps({
    "seconds": seconds, "nodes": document["solver"]["nodes"],
    **{key: document[key] for key in ("status", "objective", "bound", "schedule")},
}))
"""
HEAD = (
    "| case | CPU s before | after | ratio | nodes before | after | objective before | after "
    "| bound before | after | answers |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Answer:
    """What one tree said of a case, and the least CPU seconds it took."""

    seconds: float
    nodes: int
    status: str
    objective: float | None
    bound: float | None
    schedule: str


def solved(tree: Path, case: str, limit: float) -> Answer | None:
    """The answer of one tree in a process of its own; None where it cannot read the case."""
    path = os.pathsep.join([str(tree.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, case, str(limit)],
        env=environment, cwd=tree.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"{case}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    said = json.loads(done.stdout)
    schedule = json.dumps(said.pop("schedule"), sort_keys=True)
    return Answer(**said, schedule=schedule)


def least(answers: Sequence[Answer]) -> Answer:
    """The run of least CPU time; all say the same."""
    return min(answers, key=lambda answer: answer.seconds)


def text_of(tree: Path, case: str) -> str | None:
    """The file of a case and those it extends; None where the tree has none."""
    for path in (tree / "instances" / "cases").rglob(f"{case}.toml"):
        text = path.read_text(encoding="utf-8")
        parent = tomllib.loads(text).get("extends")
        return text + (text_of(tree, parent) or "" if isinstance(parent, str) else "")
    return None


def verdict(before: Answer, after: Answer) -> str:
    """What became of the answer."""
    if before.status != after.status:
        return f"{before.status}, then {after.status}"
    if (before.objective, before.bound) != (after.objective, after.bound):
        return "another objective or bound"
    return "equal" if before.schedule == after.schedule else "another schedule"


def row(case: str, before: Answer, after: Answer) -> str:
    """One line of the table."""
    ratio = after.seconds / before.seconds
    numbers = (
        f"{value:.6f}" if value is not None else "-"
        for value in (before.objective, after.objective, before.bound, after.bound)
    )
    cells = (
        case, f"{before.seconds:.2f}", f"{after.seconds:.2f}", f"{ratio:.2f}",
        str(before.nodes), str(after.nodes), *numbers, verdict(before, after),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def rows(
    old: Path, new: Path, cases: Sequence[str], repeats: int, limit: float
) -> Iterator[tuple[Answer, Answer, str]]:
    """Both answers and the line of every case that both trees state alike."""
    for case in cases:
        if text_of(old, case) is None or text_of(old, case) != text_of(new, case):
            continue
        runs = [(solved(old, case, limit), solved(new, case, limit)) for _ in range(repeats)]
        before = [first for first, _ in runs if first is not None]
        after = [second for _, second in runs if second is not None]
        if before and after:
            pair = least(before), least(after)
            yield (*pair, row(case, *pair))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and print; --write stores the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--before", default="ff7141b~1", metavar="COMMIT")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--cases", nargs="*", default=names(), metavar="CASE")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args(arguments)
    short = ["git", "-C", str(ROOT), "rev-parse", "--short"]
    commits = [
        subprocess.run([*short, name], capture_output=True, text=True, check=True).stdout.strip()
        for name in (asked.before, "HEAD")
    ]
    environment = ", ".join(f"{key} {value}" for key, value in {**machine(), **versions()}.items())
    lines = [f"Before: {commits[0]}; after: {commits[1]}; {environment}.", "", *HEAD]
    print(*lines, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old" / "abscopt", Path(folder) / "new" / "abscopt"
        new.parent.mkdir()
        new.symlink_to(ROOT)
        worktree = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*worktree, "add", "-q", "--detach", str(old), asked.before], check=True)
        try:
            pairs = []
            for before, after, line in rows(old, new, asked.cases, asked.repeats, asked.limit):
                pairs.append((before.seconds, after.seconds))
                lines.append(line)
                print(line, flush=True)
        finally:
            subprocess.run([*worktree, "remove", "--force", str(old)], check=True)
    first, second = (sum(seconds) for seconds in zip(*pairs, strict=True))
    lines += ["", f"{len(pairs)} cases: {first:.1f} s of CPU before, {second:.1f} s after."]
    print(*lines[-2:], sep="\n")
    if asked.write:
        title = ["# Before and after", "", "Written by `side_by_side.py`, which says how.", ""]
        PAGE.write_text("\n".join([*title, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
