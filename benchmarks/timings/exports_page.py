"""The page on exports of bundled cases, from the figures that `exports.py` stored.

python benchmarks/timings/exports_page.py   writes docs/exports.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from markdown_tables import cell, environment_line

FILE = Path(__file__).with_name("exports.json")
PAGE = Path(__file__).resolve().parents[2] / "docs/exports.md"
HEAD = """# Bundled cases in other solvers

`abscopt export CASE --format mps` (or `lp`) states a case as an integer programme for any \
solver, and `import-solution` reads back what it finds ([two \
solvers](tutorials/solvers.md)). Cases of large menus are reduced first, as `solve --method \
single` does, and the file's first lines say what was dropped and how much that may cost. \
Below, every bundled case once, with {seconds:g} s of wall time and {cpu} s of CPU each, one \
process at low priority on a busy machine: more time refines or builds more.

*Refined*: the optimum of the file is the judged one within the gap of the case. *A bound \
only*: the time ended before, and the optimum of the file lies above the best schedule by at \
most what is open. *Refused*: no file; the sentence says what to do. *Pairs* are those of \
systemic plan and course, offered and left.

{written} of {count} cases were written, {refined} of them refined; {refused} were refused, \
{crashed} ended in an internal error.

"""
COLUMNS = ("Case", "Outcome", "Open", "kB", "Columns", "Rows", "Pairs", "CPU (s)")


def outcome(row: dict[str, Any]) -> tuple[str, str]:
    """What became of an export, and what it left open."""
    if row["exit"] != 0 or row["bytes"] is None:
        if row["exit"] < 0:
            return "CPU limit", "-"
        words = str(row["words"])
        sentence = words[words.rindex("abscopt: ") :] if "abscopt: " in words else words
        return f"refused: {sentence.split(': ', 2)[-1]}", "-"
    last = str(row["assumes"][-1]) if row["assumes"] else ""
    if last.startswith("stopped before"):
        return "a bound only", last.split("(")[1].split(" open")[0]
    return "refined", "-"


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    words, gap = outcome(row)
    pairs = row.get("pairs") or []
    size = None if row["bytes"] is None else round(row["bytes"] / 1000)
    shown = f"{pairs[0]} → {pairs[-1]}" if pairs else "-"
    cells = (row["case"], words, gap, size, row.get("columns"), row.get("rows"), shown)
    return "| " + " | ".join([*map(cell, cells), f"{row['cpu']:.1f}"]) + " |"


def page(table: dict[str, Any]) -> str:
    """The whole page."""
    rows = table["exports"]
    ends = [outcome(row)[0] for row in rows]
    written = sum(row["bytes"] is not None and row["exit"] == 0 for row in rows)
    head = HEAD.format(
        seconds=table["seconds"],
        cpu=table["cpu"],
        count=len(rows),
        written=written,
        refined=ends.count("refined"),
        refused=sum(end.startswith("refused") for end in ends),
        crashed=sum(bool(row.get("traceback")) or row["exit"] == 1 for row in rows),
    )
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), *map(line, rows)]
    where = f"`benchmarks/timings/exports.py` on {environment_line(table)}"
    return head + "\n".join(lines) + f"\n\n{where}\n"


def main() -> None:
    PAGE.write_text(page(json.loads(FILE.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
