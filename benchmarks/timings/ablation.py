"""What each setting of the engines is worth: halved and doubled, on a few bundled cases.

    python benchmarks/timings/ablation.py [--write] [--fields NAME ...] [--uniform CASE ...]
                                          [--free CASE ...] [--programme CASE ...]
                                          [--ensemble CASE ...] [--limit 120]

Every solve runs in a process of its own; its CPU seconds are those of `solve` alone. A field of
`search/uniform/settings.py` is varied on the cases of `--uniform`, one of `search/free/settings.py`
on those of `--free` (`SHORTER` has some of fewer days), one of `programme/settings.py` on those of
`--programme` (by `single`), one of `search/ensemble/settings.py` on those of `--ensemble` (the
worst two of five members); `--fields uniform.few free.step` chooses some. A count stays at least 1,
a share at most 1, of a ratio above 1 what exceeds 1 is varied, and lists of points are thinned or
refined. Printed are CPU time and nodes as parts of those with the usual settings, summed over the
cases, and what became of the answers:

    same            status, objective, bound and schedule, bit for bit
    within the gap  optimal with another schedule or another bound
    open            stopped by the limit

CPU time of one run is known to some 15 % on a machine that does other work, too; nodes are exact.

Nodes and answers do not depend on the machine unless a solve is stopped. Prints the environment;
--write stores ABLATION.md.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.pipeline import Method
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.search.ensemble import settings as ensemble
from abscopt.optimizer.search.free import settings as free
from abscopt.optimizer.search.uniform import settings as uniform
from abscopt.optimizer.tuning import using

PAGE = Path(__file__).with_name("ABLATION.md")
ROOMS: dict[str, ModuleType] = {
    "uniform": uniform,
    "free": free,
    "programme": programme,
    "ensemble": ensemble,
}
CASES = {
    "uniform": ("dual-checkpoint", "mr-linac-5", "stage3-crt-induction"),
    "free": ("toy-free-8", "toy-free-pair-8", "mixed-free"),
    "programme": ("toy-two-lesions", "toy-blockade", "toy-fractionation"),
    "ensemble": ("early-sabr",),
}
EIGHT_DAYS = [0, 1, 2, 3, 4, 7, 8, 9]
SHORTER: dict[str, tuple[str, dict[str, Any]]] = {
    "toy-free-8": (
        "toy-free-20",
        {"standard": None, "lesions.primary.course.days": EIGHT_DAYS},
    ),
    "toy-free-pair-8": (
        "toy-free-pair",
        {
            "standard": None,
            "lesions.primary.course.days": EIGHT_DAYS,
            "lesions.primary.course.doses_gy.step_gy": 3,
            "lesions.second.course.days": EIGHT_DAYS,
            "lesions.second.course.doses_gy.step_gy": 3,
        },
    ),
}
"""Cases of free courses with fewer days: a bundled case, and what is changed."""
MEMBERS, WORST = 5, "cvar:0.4"
LOADED_ONCE = [
    "abscopt.optimizer.ensemble.decide",
    "abscopt.optimizer.programme.single",
    "abscopt.optimizer.search.free.explore",
    "abscopt.optimizer.search.uniform.explore",
    "pyomo.environ",
]
"""What every process imports."""
FACTORS = (0.5, 2.0)
TITLE = (
    "# What each setting is worth",
    "",
    "Written by `ablation.py`, which says how to read it.",
    "",
)
HEAD = ("| setting | usual | tried | CPU | nodes | answers |", "|---|---|---|---|---|---|")


Value = float | tuple[float, ...]


@dataclass(frozen=True)
class Run:
    """One solve: CPU seconds, nodes, and what it answered."""

    seconds: float
    nodes: int
    status: str
    answer: str


def unit_of(settings: ModuleType, name: str) -> str:
    """The unit of a field, as its description has it in brackets."""
    described = re.search(rf"^    {name} : \[([^\]]+)\]", settings.Settings.__doc__, re.MULTILINE)
    assert described is not None, name
    return described.group(1)


def varied(value: Value, factor: float, unit: str) -> Value:
    """A field halved or doubled, within what makes sense for its unit."""
    if isinstance(value, tuple):
        middles = [(a + b) / 2 for a, b in itertools.pairwise(value)]
        return value[::2] if factor < 1 else tuple(sorted((*value, *middles)))
    if isinstance(value, int):
        return max(1, round(value * factor))
    if unit.startswith("ratio") and value > 1:
        return 1.0 + (value - 1.0) * factor
    if unit.startswith("share") and value <= 1:
        return min(1.0, value * factor)
    return value * factor


def run(room: str, field: str | None, value: Value, case: str, limit: float) -> Run:
    """Solve a case with one field changed, or none."""
    settings = ROOMS[room]
    changed = settings.CURRENT if field is None else replace(settings.CURRENT, **{field: value})
    bundled, changes = SHORTER.get(case, (case, {}))
    instance = load(bundled).with_(changes) if changes else load(bundled)
    method: Method = "single" if room == "programme" else "auto"
    with using(settings, changed):
        begin = time.process_time()
        if room == "ensemble":
            members = ensemble_of(instance, "radiobiology", size=MEMBERS)
            best = decide(members, WORST, time_limit=limit)
            schedule = None if best.answer is None else best.answer.schedule
            status, nodes = best.status, best.nodes
            answer = repr((status, best.objective, best.bound, schedule))
        else:
            result = solve(instance, time_limit=limit, method=method)
            status, nodes = result.status, result.solver.nodes
            answer = repr((status, result.objective, result.bound, result.schedule))
        seconds = time.process_time() - begin
    return Run(seconds, nodes, status, answer)


def fresh(room: str, field: str | None, value: Value, case: str, limit: float) -> Run:
    """The same in a process of its own, so that nothing is known before."""
    context = get_context("forkserver")
    context.set_forkserver_preload(LOADED_ONCE)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(run, room, field, value, case, limit).result()


def judged(usual: Sequence[Run], runs: Sequence[Run]) -> str:
    """What became of the answers."""
    if any(other.status != before.status for before, other in zip(usual, runs, strict=True)):
        return "open"
    same = all(other.answer == before.answer for before, other in zip(usual, runs, strict=True))
    return "same" if same else "within the gap"


def row(name: str, value: Value, tried: Value, usual: Sequence[Run], runs: Sequence[Run]) -> str:
    """One line of the table."""
    seconds = sum(solved.seconds for solved in runs) / sum(solved.seconds for solved in usual)
    before, after = sum(solved.nodes for solved in usual), sum(solved.nodes for solved in runs)
    nodes = f"{after / before:.2f}" if before else f"{after} / 0"
    answers = judged(usual, runs)
    return f"| `{name}` | {shown(value)} | {shown(tried)} | {seconds:.2f} | {nodes} | {answers} |"


def shown(value: Value) -> str:
    """A number, or how many points a list has."""
    return f"{len(value)} points" if isinstance(value, tuple) else f"{value:g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; --write stores the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--fields", nargs="*", metavar="NAME")
    for room, cases in CASES.items():
        parser.add_argument(f"--{room}", nargs="*", default=cases, metavar="CASE")
    parser.add_argument("--limit", type=float, default=120.0)
    asked = parser.parse_args(arguments)
    names = [
        f"{room}.{field.name}"
        for room, settings in ROOMS.items()
        for field in fields(settings.Settings)
    ]
    unknown = sorted(set(asked.fields or ()) - set(names))
    if unknown:
        sys.exit(f"no such field: {', '.join(unknown)}")
    environment = {**machine(), **versions()}
    lines = [", ".join(f"{key} {value}" for key, value in environment.items()), ""]
    lines += [f"{room}: {', '.join(getattr(asked, room))}" for room in ROOMS]
    lines += ["", *HEAD]
    print(*lines, sep="\n", flush=True)
    usual: dict[str, list[Run]] = {}
    for name in asked.fields or names:
        room, field = name.split(".")
        settings, cases = ROOMS[room], getattr(asked, room)
        if room not in usual:
            usual[room] = [fresh(room, None, 0.0, case, asked.limit) for case in cases]
        value = getattr(settings.CURRENT, field)
        for factor in FACTORS:
            tried = varied(value, factor, unit_of(settings, field))
            if tried == value:
                continue
            runs = [fresh(room, field, tried, case, asked.limit) for case in cases]
            lines.append(row(name, value, tried, usual[room], runs))
            print(lines[-1], flush=True)
    if asked.write:
        PAGE.write_text("\n".join([*TITLE, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
