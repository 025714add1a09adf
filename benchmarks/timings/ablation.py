"""What each setting of the engines is worth: halved and doubled, on a few cases that read it.

    python benchmarks/timings/ablation.py [--fields NAME ...] [--missing] [--still]
                                          [--factors 0.5 2] [--cases CASE ...] [--limit 60] [--page]

`ablation.toml` says which settings belong together, what they are for, and on which cases they are
tried. Every solve runs in a process of its own; its CPU seconds are those of `solve` alone. First
each case is solved once to see which settings it reads; a setting is varied on those cases of its
group that do. The usual values run shortly before, on the same cases. A count stays at
least 1, a share at most 1, of a ratio above 1 what exceeds 1 is varied, and lists of points are
thinned or refined. Told are CPU time and nodes as parts of those with the usual value, summed over
the cases, and what became of the answers:

    same            status, objective, bound and schedule, bit for bit
    within the gap  optimal with another schedule or another bound
    open            stopped by the limit

CPU time of one run is known to some 15 % on a machine that does other work, too; nodes are exact.
Nodes and answers do not depend on the machine unless a solve is stopped.

What is measured is stored at once in `ablation.json`, with the environment, and stays there until
the same setting is tried on the same cases by the same factor: one may measure one field and keep
the others. `--fields uniform.few free` chooses fields or rooms, `--missing` those without rows,
`--still` those whose rows all say `same` in as many nodes: with --factors 0.1 10, whether anything
at all depends on them. `--page` only writes ABLATION.md from what is stored, as every run does.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from ablation_page import page
from ablation_runs import ROOMS, Case, Run, Value, fresh, reads, run
from shared import machine

from abscopt.optimizer.results.result import versions

HERE = Path(__file__).parent
GROUPS, STORE = HERE / "ablation.toml", HERE / "ablation.json"
PAGE = HERE / "ABLATION.md"
FACTORS = (0.5, 2.0)
LASTS = 5
"""Settings that are compared with one run of the usual ones."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Cases by name, and groups of settings."""

    cases: dict[str, Case]
    groups: tuple[dict[str, Any], ...]

    def cases_of(self, field: str) -> list[Case]:
        """Where a setting is tried."""
        group = next(group for group in self.groups if field in group["fields"])
        return [self.case(name) for name in group["cases"]]

    def case(self, name: str) -> Case:
        """A case of the file, or a bundled one as it is."""
        return self.cases.get(name, Case(name, name))


def plan() -> Plan:
    """What `ablation.toml` says; every setting must stand in one group."""
    text = tomllib.loads(GROUPS.read_text(encoding="utf-8"))
    cases = {
        name: Case(name, **{key: tuple(v) if isinstance(v, list) else v for key, v in says.items()})
        for name, says in text["cases"].items()
    }
    listed = [field for group in text["groups"] for field in group["fields"]]
    astray = set(listed) ^ set(all_fields())
    if astray or len(listed) != len(set(listed)):
        sys.exit(f"ablation.toml: not in exactly one group: {', '.join(sorted(astray)) or 'twice'}")
    return Plan(cases, tuple(text["groups"]))


def all_fields() -> list[str]:
    """Every setting of every room, as `room.field`."""
    return [f"{room}.{f.name}" for room, module in ROOMS.items() for f in fields(module.Settings)]


def unit_of(settings: ModuleType, name: str) -> str:
    """The unit of a field, as its description has it in brackets."""
    described = re.search(rf"^    {name} : \[([^\]]+)\]", settings.Settings.__doc__, re.MULTILINE)
    assert described is not None, name
    return described.group(1)


def varied(value: Value, factor: float, unit: str) -> Value:
    """A field halved, doubled or the like, within what makes sense for its unit."""
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


def judged(usual: Sequence[Run], runs: Sequence[Run]) -> str:
    """What became of the answers."""
    pairs = list(zip(usual, runs, strict=True))
    if any(other.status != before.status for before, other in pairs):
        return "open"
    return "same" if all(a.answer == b.answer for a, b in pairs) else "within the gap"


@dataclass
class Usual:
    """Runs with the usual settings, made anew after a while: other work on the machine varies."""

    limit: float
    runs: dict[str, Run] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    def run(self, case: Case) -> Run:
        """A recent run of a case."""
        if self.used[case.name] % LASTS == 0:
            self.runs[case.name] = fresh(run, case, "uniform", {}, self.limit)
        self.used[case.name] += 1
        return self.runs[case.name]


def tried(
    name: str, cases: Sequence[Case], factors: Sequence[float], usual: Usual
) -> Iterator[Row]:
    """One row for each factor: what a setting was, what was tried, what it changed."""
    room, own = name.split(".")
    value, unit = getattr(ROOMS[room].CURRENT, own), unit_of(ROOMS[room], own)
    before = [usual.run(case) for case in cases]
    for factor in factors:
        other = varied(value, factor, unit)
        if other == value:
            continue
        runs = [fresh(run, case, room, {own: other}, usual.limit) for case in cases]
        yield {
            "setting": name,
            "usual": value,
            "tried": other,
            "factor": factor,
            "cases": [case.name for case in cases],
            "seconds": [round(sum(r.seconds for r in one), 3) for one in (before, runs)],
            "nodes": [sum(r.nodes for r in one) for one in (before, runs)],
            "answers": judged(before, runs),
        }


class Store:
    """Rows that were measured, each with its environment; written after every setting."""

    def __init__(self, file: Path) -> None:
        self.file = file
        empty: dict[str, Any] = {"environments": [], "reads": {}, "rows": []}
        self.held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else empty
        day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        self.environment = {"date": day, **machine(), **versions()}

    def read_by(self, case: Case, limit: float) -> set[str]:
        """Settings that a case reads, as stored or seen now."""
        key = json.dumps(asdict(case), sort_keys=True)
        if key not in self.held["reads"]:
            self.held["reads"][key] = sorted(fresh(reads, case, limit))
        return set(self.held["reads"][key])

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows in place of earlier ones of the same setting, cases and value."""
        environments = self.held["environments"]
        if self.environment not in environments:
            environments.append(self.environment)
        number = environments.index(self.environment)
        new = {self.key(row): {**row, "environment": number} for row in rows}
        self.held["rows"] = [row for row in self.held["rows"] if self.key(row) not in new]
        self.held["rows"] += new.values()
        self.file.write_text(json.dumps(self.held, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def key(row: dict[str, Any]) -> str:
        """What makes two rows the same measurement."""
        return json.dumps([row["setting"], row["factor"], row["cases"]])

    def rows_of(self, name: str) -> list[dict[str, Any]]:
        """What is stored of a setting."""
        return [row for row in self.held["rows"] if row["setting"] == name]

    def still(self, name: str) -> bool:
        """Whether every row says that nothing changed but the time."""
        rows = self.rows_of(name)
        unmoved = (r["answers"] == "same" and r["nodes"][0] == r["nodes"][1] for r in rows)
        return bool(rows) and all(unmoved)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, store, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--fields", nargs="*", metavar="NAME")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--factors", nargs="*", type=float, default=FACTORS)
    parser.add_argument("--cases", nargs="*", metavar="CASE")
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--store", type=Path, default=STORE, metavar="FILE")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args(arguments)
    known, store, planned, usual = all_fields(), Store(asked.store), plan(), Usual(asked.limit)
    wanted = asked.fields or known
    unknown = [name for name in wanted if name not in known and name not in ROOMS]
    if unknown:
        sys.exit(f"no such field: {', '.join(unknown)}")
    names = [n for n in known if n in wanted or n.split(".")[0] in wanted]
    if asked.missing:
        names = [name for name in names if not store.rows_of(name)]
    if asked.still:
        names = [name for name in names if store.still(name)]
    for name in () if asked.page else names:
        named = [planned.case(c) for c in asked.cases] if asked.cases else planned.cases_of(name)
        cases = [case for case in named if name in store.read_by(case, asked.limit)]
        rows = list(tried(name, cases, asked.factors, usual)) if cases else []
        store.add(rows)
        for row in rows or [{"setting": name, "answers": "not read"}]:
            print(*row.values(), flush=True)
    PAGE.write_text(page(planned.groups, store.held), encoding="utf-8")


if __name__ == "__main__":
    main()
