"""Every term of the widened model: the optimum of small random cases is that of brute force.

The cases of `widened_instances` are enumerated by the judge. Then each of their terms is switched
off: the counts say in how many cases a term is present, moves the optimal value, and makes
everything that would be best without it worse than the optimum or infeasible.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from brute_force import Enumeration, agrees, binding, enumerate_by_judge
from neutral_terms import OFF, terms_of, without
from random_instances import Raw
from table_rows import schedule_of
from widened_instances import DECISIVE, widened_case

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule

CHUNKS = 10
EVERY_SINGLE = 5
GAP = 1e-9
SINGLE_GAP = 1e-4
MILP_TOLERANCE = 1e-6
"""The bound of the one programme is as exact as the rows of a MILP are in HiGHS."""
MATTERS = 1e-6


@dataclass(frozen=True)
class Case:
    """A widened case and what the judge says of all its schedules."""

    raw: Raw
    instance: Instance
    found: Enumeration


@cache
def enumerated(seed: int) -> Case:
    raw = widened_case(seed)
    instance = build(raw)
    return Case(raw, instance, enumerate_by_judge(instance, Judge(instance)))


@pytest.fixture(scope="session")
def counts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the counts of a chunk are kept for the test of all, also by another worker."""
    own, run = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = own / "counts" if run is None else own.parent / f"counts-{run}"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_widened_cases_are_solved_as_by_enumeration(chunk: int, counts_folder: Path) -> None:
    wrong = []
    for seed in DECISIVE[chunk::CHUNKS]:
        case = enumerated(seed)
        result = solve(case.instance, gap=GAP)
        if not agrees(result, case.found.best, GAP):
            wrong.append((seed, result.status, result.objective, result.bound, case.found.best))
    assert not wrong
    counted(chunk, counts_folder)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_one_programme_solves_widened_cases_as_by_enumeration(chunk: int) -> None:
    wrong = []
    for seed in DECISIVE[chunk::CHUNKS][chunk % EVERY_SINGLE :: EVERY_SINGLE]:
        case = enumerated(seed)
        try:
            result = solve(case.instance, gap=SINGLE_GAP, method="single")
        except Exception as error:
            wrong.append((seed, repr(error)))
            continue
        if not agrees(result, case.found.best, SINGLE_GAP, MILP_TOLERANCE):
            wrong.append((seed, repr((result.status, result.objective, case.found.best))))
    assert not wrong


def best_by_tables(instance: Instance) -> tuple[float | None, list[Schedule]]:
    """Best objective of a case and all schedules that have it, from the coefficient tables."""
    candidates = Candidates(instance)
    sizes = [range(len(table.menu)) for table in candidates.lesions]
    rows = np.array(list(itertools.product(*sizes)))
    best: float | None = None
    found: list[tuple[int, np.ndarray]] = []
    for plan in range(len(candidates.plans)):
        tabulated = Tabulated(candidates, plan)
        kept = rows[tabulated.feasible(rows)]
        value = tabulated.value(kept)
        if not len(kept):
            continue
        top = float(value.max())
        if best is None or top > best + GAP:
            best, found = top, []
        if top >= best - GAP:
            found += [(plan, row) for row in kept[value >= best - GAP]]
    return best, [schedule_of(candidates, plan, row) for plan, row in found]


def effect_of_terms(case: Case) -> Iterator[tuple[str, bool, bool]]:
    """(term, whether the optimal value moves, whether what is best without it is not)."""
    for term in terms_of(case.raw):
        best, schedules = best_by_tables(build(without(case.raw, term)))
        own = case.found.best
        if best is None or own is None:
            yield term, best is not own, best is not own
            continue
        kept = [case.found.objectives.get(schedule, -np.inf) for schedule in schedules]
        yield term, abs(best - own) > MATTERS, max(kept) < own - MATTERS


def counts_of(seeds: tuple[int, ...]) -> dict[str, list[int]]:
    """[present, value moves, decision moves] per term, and of a few properties of the optima."""
    counts: dict[str, list[int]] = {}

    def add(name: str, *flags: bool) -> None:
        counts[name] = [n + f for n, f in zip(counts.get(name, [0, 0, 0]), flags, strict=True)]

    for seed in seeds:
        case = enumerated(seed)
        for term, value, decision in effect_of_terms(case):
            add(term, True, value, decision)
        found = case.found
        for name in binding(found):
            add(f"binding {name}", True, False, False)
        add("(feasible)", found.best is not None, False, False)
        add("(infeasible)", found.best is None, False, False)
        if found.schedule is None or found.evaluation is None:
            continue
        for name in found.evaluation.exceeded_soft:
            add(f"paid {name}", True, False, False)
        given = found.schedule.fractions
        for name, flag in (
            ("irradiated", bool(given)),
            ("given drugs", bool(found.schedule.infusions)),
            ("two a day", any(f.slot for f in given)),
            ("not the first technique", any(f.technique not in ("", "way0") for f in given)),
            ("uncredited", any(not lesion.credited for lesion in found.evaluation.lesions)),
        ):
            add(f"optimum: {name}", flag, False, False)
    return counts


def counted(chunk: int, folder: Path) -> dict[str, list[int]]:
    """Counts of the cases of one chunk, computed once in a test run."""
    file = folder / f"{chunk}.json"
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(counts_of(DECISIVE[chunk::CHUNKS])), encoding="utf-8")
        part.replace(file)
    found: dict[str, list[int]] = json.loads(file.read_text(encoding="utf-8"))
    return found


FLOOR = 8
FURTHER = {
    "plateau of the gate", "own loss", "liver: release", "liver: siphon",
    "mobilization by anti-CTLA-4", "depletion by anti-CTLA-4", "count before treatment",
}  # fmt: skip
"""Terms with cases of their own (`test_further_terms`)."""
RARE = {
    "techniques: share by clone": 4,
    "techniques: effector kill": 3,
    "techniques: lymphocytes": 6,
    "suppression by days": 1,
    "phase: suppression": 6,
    "regrowth": 5,
}
"""Terms that move the value in as many cases as the others, and seldom the decision."""


def test_every_term_matters_in_some_cases(counts_folder: Path) -> None:
    counts: dict[str, list[int]] = {}
    for chunk in range(CHUNKS):
        for name, flags in counted(chunk, counts_folder).items():
            counts[name] = [a + b for a, b in zip(counts.get(name, [0, 0, 0]), flags, strict=True)]
    print(f"{'term':30} present  value  decision")
    for term in OFF:
        present, value, decision = counts.get(term, [0, 0, 0])
        print(f"{term:30} {present:7d} {value:6d} {decision:9d}")
    print({name: flags[0] for name, flags in sorted(counts.items()) if name not in OFF})
    for term in [term for term in OFF if term not in FURTHER]:
        present, value, decision = counts.get(term, [0, 0, 0])
        assert present >= FLOOR and value >= FLOOR, term
        assert decision >= RARE.get(term, FLOOR), term
    assert counts["(feasible)"][0] >= 150
    assert counts["(infeasible)"][0] >= 8
    assert counts["optimum: irradiated"][0] >= 100
    assert counts["optimum: two a day"][0] >= 8
    assert counts["optimum: not the first technique"][0] >= 8
    assert counts["optimum: uncredited"][0] >= 8
