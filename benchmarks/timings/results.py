"""Run every benchmark, one after the other, and write `RESULTS.md` from their figures.

    python benchmarks/timings/results.py             # everything, in one run on one machine
    python benchmarks/timings/results.py --only rivals floor
    python benchmarks/timings/results.py --render    # tables from what is stored; nothing is run

Each part runs in a new process and stores its figures with its environment in a JSON file beside
its script; `results.json` keeps when it ended, after how many seconds and how. A part that fails is
named on the page and in the exit code, and its older figures are not shown. `python` has to have
`abscopt[solvers,bench]`; `adaptive.py` makes an environment of its own for adaptfx.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markdown_tables import environment_line, plain
from result_tables import TABLES

FOLDER = Path(__file__).parent
PAGE = "RESULTS.md"
RUN = "results.json"

# Parts in the order of the page, with the options of a full run.
PARTS: dict[str, list[str]] = {
    "exact": [
        *("co-targets", "early-sabr", "class-tiny", "class-small", "class"),
        *("--limit", "60", "--threads", "1", "--repeats", "3"),
        *("--programmes", "co-targets", "early-sabr", "class-tiny"),
    ],
    "free_course": ["--last-limit", "120", "--repeats", "3"],
    "rivals": [],
    "minlp": ["--limit", "60", "--logs", str(FOLDER / "logs" / "minlp")],
    "adaptive": [],
    "growth": ["--repeats", "3", "--limit", "60"],
    "warm": [
        *("--cases", "oligomet-4", "sequencing", "stage3-crt", "dual-checkpoint", "early-sabr"),
        *("--repeats", "3"),
    ],
    "floor": [],
    "start_up": [],
}


def present(folder: Path = FOLDER) -> list[str]:
    """Parts whose script exists."""
    return [part for part in PARTS if (folder / f"{part}.py").exists()]


def records(folder: Path) -> dict[str, Any]:
    """How each part ended when it was last run."""
    file = folder / RUN
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def run(part: str, folder: Path) -> bool:
    """Run one part in a new process and record its end; whether it went well."""
    print(f"== {part}", flush=True)
    begin = time.perf_counter()
    command = [sys.executable, str(folder / f"{part}.py"), *PARTS[part], "--write"]
    code = subprocess.run(command, check=False).returncode
    seconds = round(time.perf_counter() - begin, 1)
    print(f"== {part}: exit code {code} after {seconds} s", flush=True)
    kept = records(folder)
    kept[part] = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "exit_code": code,
        "options": [option.replace(str(folder), "benchmarks/timings") for option in PARTS[part]],
    }
    (folder / RUN).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return code == 0


def page(folder: Path) -> str:
    """The whole page."""
    kept = records(folder)
    remark = kept.pop("remark", None)
    lines = [
        "# Benchmarks",
        "",
        "Every figure comes from a script of this folder on the machine named with it; timings are "
        "wall seconds, medians where a number of runs is given. Every schedule was judged again. "
        "Written by `python benchmarks/timings/results.py`, which runs the parts one after the "
        "other.",
        "",
        *([remark, ""] if remark else []),
    ]
    if kept:
        lines += ["| part | ended (UTC) | seconds | options |", "|---|---|---|---|"]
        for part, record in kept.items():
            end = record["ended"][:16].replace("T", " ")
            if record["exit_code"]:
                end += f", FAILED with exit code {record['exit_code']}"
            options = " ".join(record["options"]) or "-"
            lines.append(f"| {part} | {end} | {record['seconds']:.0f} | {options} |")
        lines.append("")
    for part in PARTS:
        file = folder / f"{part}.json"
        if not file.exists() or kept.get(part, {}).get("exit_code"):
            continue
        found = json.loads(file.read_text(encoding="utf-8"))
        title, table = TABLES.get(part, (part.replace("_", " ").capitalize(), plain))
        lines += [f"## {title}", "", environment_line(found), "", *table(found)]
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", default=None)
    parser.add_argument("--remark", help="on the circumstances of the run; kept with the figures")
    parser.add_argument("--render", action="store_true", help="write the page; run nothing")
    options = parser.parse_args()
    chosen = [part for part in present() if options.only is None or part in options.only]
    if options.remark is not None:
        kept = records(FOLDER) | {"remark": options.remark}
        (FOLDER / RUN).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    failed = [part for part in chosen if not options.render and not run(part, FOLDER)]
    (FOLDER / PAGE).write_text(page(FOLDER), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
