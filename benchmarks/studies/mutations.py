"""How many small faults in the model and in the judge the tests notice.

    nice python benchmarks/studies/mutations.py [MODULE ...] [--per-function N] [--seed 0]
        [--budget 40] [--again] [--seconds S] [--write]

`mutants.py` says what the faults are, `mutant_runs.py` how the tests of one are found and run. A
mutant is noticed when a test fails or does not end, or when the module cannot be imported. Without
modules: all of `models`, simulators included, and of `optimizer/evaluation`. --per-function draws
so many mutants of each function; --budget bounds the CPU seconds of tests of one mutant; --again
runs those that were not noticed once more (after tests were added); --seconds stops after so long
(0: only writes). Verdicts are kept in mutations.json after every mutant, and are not asked for
again as long as the function does the same. Prints each mutant and what noticed it. --write makes
docs/mutations.md of all verdicts and of mutation_reasons.toml.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import random
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from mutant_runs import (
    LIBRARIES,
    Session,
    TestMap,
    functions_of,
    in_child,
    replaced,
    session,
    verdict_by_code,
    verdict_by_import,
)
from mutants import ROOT, Mutant, mutants_of
from mutations_page import page

FILE = Path(__file__).with_name("mutations.json")
MAP = ROOT / "results" / "mutation_map.json"
PAGE = ROOT / "docs" / "mutations.md"
TESTS = (
    "tests/models/*.py", "tests/instances/*.py", "tests/optimizer/test_closed_forms.py",
    "tests/optimizer/test_co[en]*.py", "tests/optimizer/test_demands.py",
    "tests/optimizer/test_doses.py", "tests/optimizer/test_e[dx]*.py",
    "tests/optimizer/test_infusion_plans.py", "tests/optimizer/test_judge.py",
    "tests/optimizer/test_laws.py", "tests/optimizer/test_simulation.py",
    "tests/optimizer/test_terms.py", "tests/optimizer/test_trial_arms.py",
)  # fmt: skip
"""Where tests are looked for: those of models and cases, and those that need the judge most."""

Verdicts = dict[str, dict[str, str]]
"""By module and key of the mutant: the test that noticed it, `time`, `import`, or nothing."""


def all_modules() -> list[str]:
    """Modules of the model and of the judge."""
    paths = [*(ROOT / "models").rglob("*.py"), *(ROOT / "optimizer" / "evaluation").glob("*.py")]
    return sorted(p.relative_to(ROOT).as_posix() for p in paths if p.name != "__init__.py")


def test_files() -> list[str]:
    """Files of tests that may notice a mutant."""
    paths = {path for pattern in TESTS for path in ROOT.glob(pattern)}
    return sorted(p.relative_to(ROOT).as_posix() for p in paths if p.name.startswith("test_"))


def drawn(mutants: list[Mutant], most: int | None, seed: int) -> list[Mutant]:
    """At most so many of each function, in rounds: first one of each, then another of each."""
    units = defaultdict(list)
    for mutant in mutants:
        units[mutant.module, mutant.unit].append(mutant)
    turns = []
    for (module, unit), part in units.items():
        random.Random(f"{seed} {module} {unit}").shuffle(part)
        turns += [(turn, module, unit, mutant) for turn, mutant in enumerate(part[:most])]
    return [mutant for *_, mutant in sorted(turns, key=lambda turn: turn[:3])]


def current(verdicts: Verdicts, mutants: list[Mutant]) -> Verdicts:
    """Verdicts of mutants that exist in the present sources."""
    kept: Verdicts = defaultdict(dict)
    for mutant in mutants:
        if mutant.key in verdicts.get(mutant.module, {}):
            kept[mutant.module][mutant.key] = verdicts[mutant.module][mutant.key]
    return kept


def save(verdicts: Verdicts, environment: dict[str, Any]) -> None:
    """Sorted, a line a mutant."""
    content = {"environment": environment, "verdicts": verdicts}
    FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def measured_on(budget: float) -> dict[str, Any]:
    """What the verdicts were found with; the package is imported in a child only."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "most CPU seconds of tests of a mutant": budget,
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "pytest", "hypothesis")},
        **in_child(lambda: importlib.import_module("reference_optima").machine()),
    }


def run(asked: argparse.Namespace, verdicts: Verdicts, environment: dict[str, Any]) -> None:
    """Judge the mutants that have no verdict, or, `again`, those that were not noticed."""
    mutants = drawn(
        [mutant for module in asked.modules for mutant in mutants_of(module)],
        asked.per_function, asked.seed,
    )  # fmt: skip
    wanted = "" if asked.again else None
    left = [m for m in mutants if verdicts.get(m.module, {}).get(m.key) == wanted]
    if not left or asked.seconds <= 0:
        return
    environment |= measured_on(asked.budget)
    for library in LIBRARIES:
        importlib.import_module(library)
    tests = TestMap(MAP)
    tests.measure(test_files(), all_modules())
    end = time.monotonic() + asked.seconds
    codes = {mutant: replaced(mutant) for mutant in left}

    def keep(mutant: Mutant, verdict: str) -> None:
        verdicts.setdefault(mutant.module, {})[mutant.key] = verdict
        save(verdicts, environment)
        print(f"{verdict or 'NOT NOTICED'}  {mutant}", flush=True)

    def in_turn(items: list[pytest.Item], plugin: Session) -> None:
        named, functions = {item.nodeid: item for item in items}, functions_of(all_modules())
        for mutant, code in codes.items():
            if code is not None and time.monotonic() < end:
                chosen = tests.of(mutant, asked.budget)
                seconds = sum(part for _, part in chosen)
                parts = [named[test] for test, _ in chosen]
                keep(mutant, verdict_by_code(mutant, code, functions, parts, plugin, seconds))

    for mutant, code in codes.items():  # before this process imports the package
        if code is None and time.monotonic() < end:
            keep(mutant, verdict_by_import(mutant, tests.of(mutant, asked.budget)))
    if session(test_files(), in_turn).failed:
        raise SystemExit("tests cannot be collected")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", default=all_modules())
    parser.add_argument("--per-function", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=40.0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    content = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    verdicts, environment = content.get("verdicts", {}), content.get("environment", {})
    run(asked, verdicts, environment)
    mutants = [mutant for module in all_modules() for mutant in mutants_of(module)]
    verdicts = current(verdicts, mutants)
    save(verdicts, environment)
    if asked.write:
        PAGE.write_text(page(mutants, verdicts, environment), encoding="utf-8")


if __name__ == "__main__":
    main()
