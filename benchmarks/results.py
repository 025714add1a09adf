"""Write `benchmarks/RESULTS.md` from the figures that the other benchmarks have stored.

python benchmarks/rivals.py --write && python benchmarks/growth.py --write
python benchmarks/results.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER / "RESULTS.md"


def stored(name: str) -> dict[str, Any]:
    """Figures of one benchmark."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def environment(found: dict[str, Any]) -> str:
    """Machine and versions in one line."""
    machine = found["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores; {packages}."


def number(value: float | None) -> str:
    """Four decimals, or a dash for nothing."""
    return "-" if value is None else f"{value:.4f}"


def rivals() -> Iterator[str]:
    """Our search against metaheuristics and enumeration."""
    found = stored("rivals.json")
    yield from ["## At equal time", "", environment(found), ""]
    yield from [
        "`benchmarks/rivals.py`: each rival has our menu, our tables for value and feasibility, "
        f"and as much wall time as our search took for its proof; {found['seeds']} seeds. "
        "`best found` is our best schedule before the second stage, which gives up to the gap away "
        "for lower loads. *above*: seeds that beat it by more than our gap. The coding gives 'no "
        "course' one code among all courses of a lesion: where at most one site may be treated "
        "(pembro-rt) three rivals find nothing at all, which is the coding's weakness as much as "
        "theirs.",
        "",
        "| case | seconds | objective | best found | bound | rival | best | median | above "
        "| found nothing | evaluations |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["cases"]:
        for name, rival in row["rivals"].items():
            yield (
                f"| {row['case']} | {row['seconds']:.1f} | {number(row['objective'])} | "
                f"{number(row['best_found'])} | {number(row['bound'])} | {name} | "
                f"{number(rival['best'])} | {number(rival['median'])} | {rival['above']} | "
                f"{rival['found_nothing']} | {rival['evaluations']} |"
            )
    yield ""


def growth() -> Iterator[str]:
    """Time and memory against size."""
    found = stored("growth.json")
    yield from ["## Growth", "", environment(found), ""]
    yield from [
        f"`benchmarks/growth.py`: the class of `oligomet-4`, gap {found['gap']} nat, one size "
        f"changed at a time, medians of {found['repeats']} runs, each in a new process; stopped at "
        f"{found['limit']:.0f} s. The exponent is the slope of ln seconds over ln size of the "
        "solves that were proved.",
        "",
    ]
    for size, curve in found["curves"].items():
        yield f"Against {size}: exponent {curve['exponent']}."
        yield from ["", "| lesions | courses | plans | seconds | peak MB | status | gap |"]
        yield "|---|---|---|---|---|---|---|"
        for row in curve["rows"]:
            yield (
                f"| {row['lesions']} | {row['courses']} | {row['plans']} | {row['seconds']:.1f} | "
                f"{row['peak_mb']:.0f} | {row['status']} | {number(row['gap'])} |"
            )
        yield ""


def main() -> None:
    lines = [
        "# Benchmarks",
        "",
        "Every figure comes from a script of this folder on the machine named with it; timings are "
        "wall seconds. Written by `python benchmarks/results.py` from what the scripts stored.",
        "",
        *rivals(),
        *growth(),
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
