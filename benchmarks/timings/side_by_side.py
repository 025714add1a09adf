"""Answers and CPU time of two commits side by side, on bundled cases.

    python benchmarks/timings/side_by_side.py [--before 08c6674] [--after 8e51b08]
                                              [--own-text | --old-text] [--repeats 2]
                                              [--limit 600] [--cases NAME ...] [--anew]
                                              [--store FILE] [--page]

Each solve runs in a process of its own, before and after in turn, after one of `toy-fractionation`
that loads what is loaded once: versions differ in whether they import it before or in the first
solve. CPU seconds are those of `solve` alone, the least of the repeats, since other work on the
machine only adds to them. Where the two
are within a tenth of each other after the first turn, it stays at one. Nodes do not depend on the
machine. `--after` is this tree unless stated.

A case counts where its file, and those that it extends, are the same in both; with `--own-text`
each commit solves what it ships under the name, and rows say whether the texts are equal; with
`--old-text` both solve what the first one ships. Cases that have a row are left out, but with
`--anew`. The library may have changed beside the file: where objective or bound differ by a bit,
the row says so.

`08c6674` is the last commit before modules moved into rooms, `8e51b08` the last one of that work
whose answers are those of the model before it was changed. What is measured is stored at once in
`side_by_side.json`, one comparison for each pair of commits, and the page SIDE_BY_SIDE.md written
from it; `--page` only writes it. The environment is that of the first row; a comparison may have a
`note` in the file, which the page shows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import names
from abscopt.optimizer.results.result import versions

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SOLVE = """
import json, sys, time
from abscopt import instances
from abscopt.instances import load
from abscopt.optimizer import solve
assert instances.__file__.startswith(sys.argv[3]), instances.__file__
solve(load("toy-fractionation"))
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
CASES = Path("instances", "cases")
HEAD = (
    "| case | CPU s before | after | ratio | nodes before | after | objective before | after "
    "| bound before | after | answers |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)
ALIKE = 1.1
"""Ratio of CPU times up to which one turn is enough."""


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
        [sys.executable, "-c", SOLVE, case, str(limit), str(tree)],
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


def in_turn(
    old: Path, new: Path, case: str, repeats: int, limit: float
) -> tuple[Answer, Answer] | None:
    """Both trees in turn; more turns only where their times are not alike."""
    before, after = [], []
    for _ in range(repeats):
        pair = solved(old, case, limit), solved(new, case, limit)
        if pair[0] is None or pair[1] is None:
            return None
        before.append(pair[0])
        after.append(pair[1])
        if least(after).seconds <= ALIKE * least(before).seconds:
            break
    return least(before), least(after)


def text_of(tree: Path, case: str) -> str | None:
    """The file of a case and those it extends; None where the tree has none."""
    for path in (tree / CASES).rglob("*.toml"):
        text = path.read_text(encoding="utf-8")
        says = tomllib.loads(text)
        if says.get("name", path.stem) == case:
            parent = says.get("extends")
            if not isinstance(parent, str):
                return text
            parent = Path(parent).stem if parent.endswith(".toml") else parent
            return text + (text_of(tree, parent) or "")
    return None


def verdict(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What became of the answer."""
    if before["status"] != after["status"]:
        return f"{before['status']}, then {after['status']}"
    if any(before[key] != after[key] for key in ("objective", "bound")):
        return "another objective or bound"
    return "equal" if before["schedule"] == after["schedule"] else "another schedule"


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    before, after = row["before"], row["after"]
    numbers = (
        f"{one[key]:.6f}" if one[key] is not None else "-"
        for key in ("objective", "bound")
        for one in (before, after)
    )
    said = verdict(before, after) if row["equal_text"] else f"another text; {after['status']}"
    cells = (
        row["case"], f"{before['seconds']:.2f}", f"{after['seconds']:.2f}",
        f"{after['seconds'] / before['seconds']:.2f}", str(before["nodes"]), str(after["nodes"]),
        *numbers, said,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def section(comparison: dict[str, Any]) -> Iterator[str]:
    """One comparison: which commits, where, and a line for each case."""
    environment = ", ".join(f"{key} {value}" for key, value in comparison["environment"].items())
    rows = sorted(comparison["rows"], key=lambda row: row["case"])
    yield from (f"## {comparison['before']} and {comparison['after']}", "", f"{environment}.", "")
    if "note" in comparison:
        yield from (comparison["note"], "")
    yield from (*HEAD, *map(line, rows), "")
    first, second = (sum(row[side]["seconds"] for row in rows) for side in ("before", "after"))
    ratios = [row["after"]["seconds"] / row["before"]["seconds"] for row in rows]
    alike = [row for row in rows if row["equal_text"]]
    equal = sum(verdict(row["before"], row["after"]) == "equal" for row in alike)
    yield (
        f"{len(rows)} cases: {first:.1f} s of CPU before, {second:.1f} s after; of {len(alike)} of "
        f"equal text {equal} have status, objective, bound and schedule to the bit. Ratio above "
        f"1.1 in {sum(r > 1.1 for r in ratios)}, above 1.5 in {sum(r > 1.5 for r in ratios)}."
    )
    if comparison["left_out"]:
        yield from (
            "",
            f"Left out, as their text has changed: {', '.join(comparison['left_out'])}.",
        )
    yield ""


@contextmanager
def tree_of(commit: str, folder: Path) -> Iterator[Path]:
    """A commit as a package `abscopt` in a folder of its own."""
    tree = folder / commit / "abscopt"
    tree.parent.mkdir()
    worktree = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*worktree, "add", "-q", "--detach", str(tree), commit], check=True)
    (tree / "__init__.py").touch()  # without, an abscopt that is installed comes first
    try:
        yield tree
    finally:
        subprocess.run([*worktree, "remove", "--force", str(tree)], check=True)


def short(commit: str) -> str:
    """The short name of a commit."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", commit]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print, store, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--before", default="08c6674", metavar="COMMIT")
    parser.add_argument("--after", default="HEAD", metavar="COMMIT")
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--own-text", action="store_true")
    text.add_argument("--old-text", action="store_true")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600.0)
    parser.add_argument("--cases", nargs="*", default=names(), metavar="CASE")
    parser.add_argument("--store", type=Path, default=HERE / "side_by_side.json", metavar="FILE")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args(arguments)
    held = json.loads(asked.store.read_text(encoding="utf-8")) if asked.store.exists() else []
    if not asked.page:
        before, after = short(asked.before), short(asked.after)
        kept = [c for c in held if (c["before"], c["after"]) == (before, after)]
        comparison = kept[0] if kept else {
            "before": before, "after": after, "environment": {**machine(), **versions()},
            "rows": [], "left_out": [],
        }  # fmt: skip
        held += [] if kept else [comparison]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            old, new = (stack.enter_context(tree_of(c, Path(folder))) for c in (before, after))
            if asked.old_text:
                shutil.rmtree(new / CASES)
                shutil.copytree(old / CASES, new / CASES)
            compare(old, new, comparison, asked, lambda: save(asked.store, held))
    lines = ["# Before and after", "", "Written by `side_by_side.py`, which says how.", ""]
    for comparison in held:
        lines += section(comparison)
    (HERE / "SIDE_BY_SIDE.md").write_text("\n".join(lines), encoding="utf-8")


def save(file: Path, held: list[dict[str, Any]]) -> None:
    """Store all comparisons."""
    file.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


def compare(old: Path, new: Path, comparison: Any, asked: Any, stored: Any) -> None:
    """Add the rows of a comparison that it has not, or measure them anew."""
    done = set() if asked.anew else {row["case"] for row in comparison["rows"]}
    for case in asked.cases:
        texts = text_of(old, case), text_of(new, case)
        if case in done or None in texts:
            continue
        equal = texts[0] == texts[1]
        if not equal and not asked.own_text:
            comparison["left_out"] = sorted({*comparison["left_out"], case})
            stored()
            continue
        pair = in_turn(old, new, case, asked.repeats, asked.limit)
        if pair is not None:
            row = {"case": case, "equal_text": equal}
            row |= {"before": asdict(pair[0]), "after": asdict(pair[1])}
            comparison["rows"] = [r for r in comparison["rows"] if r["case"] != case] + [row]
            comparison["left_out"] = [name for name in comparison["left_out"] if name != case]
            print(line(row), flush=True)
            stored()


if __name__ == "__main__":
    main()
