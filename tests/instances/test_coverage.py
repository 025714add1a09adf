"""Together the bundled cases use up every kind of limit and rule, and show every term."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from benchmark_scripts import script

from abscopt import instances
from abscopt.instances import load, names
from abscopt.instances.limits import AnyLimit, DrugLimit, LogisticsLimit, NtcpLimit
from abscopt.instances.schema import Instance
from abscopt.instances.tables.systemic import AgentChoice
from abscopt.optimizer.results.result import Result, instance_digest

ROOT = Path(__file__).parent.parent.parent
REFERENCE: dict[str, Any] = json.loads(
    (Path(instances.__file__).parent / "reference.json").read_text(encoding="utf-8")
)
RULES = [name for name in AgentChoice.model_fields if name.startswith(("min_days", "max_days"))]
KINDS = ["bed", "mean", "mean_eqd2", "dose_by_fractions", "ntcp", "alc", "edric"]
DRUG = [f"drug {quantity}" for quantity in get_args(DrugLimit.model_fields["quantity"].annotation)]
LOGISTICS = [
    f"logistics {quantity}"
    for quantity in get_args(LogisticsLimit.model_fields["quantity"].annotation)
]
NTCP = [
    "ntcp logistic",
    "ntcp lkb",
    "ntcp eqd2",
    "ntcp physical",
    "risk ratio",
    "odds ratio",
    "exposure chemotherapy",
    "exposure checkpoint_inhibitor",
]
FLOORS = ["logistics lesions floor", "logistics course_gap_days floor"]
WANTED = [*KINDS, *DRUG, *LOGISTICS, *NTCP, *FLOORS, "soft limit", "prior dose", *RULES]
TERMS = {
    "incomplete repair",
    "hypoxia",
    "reoxygenation",
    "clones",
    "node-sparing technique",
    "partial volume",
    "sensitizer",
    "equivalent BED",
    "cytotoxic kill",
    "lymphocyte cost of chemotherapy",
    "precursor cost of chemotherapy",
    "suppression by dose",
    "suppression by duration",
    "burden rule",
    "antigen loss",
    "PD-L1 up-regulation",
    "exhaustion",
    "Treg/TGF-beta",
    "pre-blockade sign",
    "agent phase: priming",
    "agent phase: mobilization",
    "agent phase: effector",
    "agent phase: suppression",
    "combination rule",
    "organ enhancement by a sensitizer",
    "exposures of NTCP",
    "soft limit",
    "prior dose",
    "irAE risk",
    "machine days",
    "course gap",
    "radiation before the drug",
    "drug before the radiation",
    "release of a free course",
    "regrowth between fractions",
    "repeated release",
    "plateau of the gate",
    "a course's own lymphocyte loss",
    "release in the liver",
    "siphon of the liver (`small` in the liver)",
    "mobilization by anti-CTLA-4",
    "depletion by anti-CTLA-4",
    "count before treatment (1.0e9 per L)",
}
SLOW = {"capacity", "dual-checkpoint", "mixed-free", "stage3-crt", "stage3-crt-tight"} | {
    f"resistance-{profile}" for profile in ("antigen-loss", "exhaustion", "preblockade-harms")
}
"""Cases that take more than half a second; their terms are examined by the script alone."""


def traits(case: Instance, limit: AnyLimit) -> set[str]:
    """What a limit of a case is an example of."""
    found = {limit.kind}
    if isinstance(limit, DrugLimit | LogisticsLimit):
        found = {f"{limit.kind} {limit.quantity}"}
    if limit.penalty is not None:
        found.add("soft limit")
    if isinstance(limit, LogisticsLimit) and limit.floor is not None:
        found.add(f"logistics {limit.quantity} floor")
    if isinstance(limit, NtcpLimit):
        found |= {f"ntcp {limit.model}", f"ntcp {limit.dose}"}
        for exposure in limit.exposures:
            found.add(f"exposure {exposure.drugs}")
            found |= {"risk ratio"} if exposure.risk_ratio > 1 else set()
            found |= {"odds ratio"} if exposure.odds_ratio > 1 else set()
    place = (getattr(limit, "organ", None), getattr(limit, "point", "mean"))
    if place in {(prior.organ, prior.point) for prior in case.prior_doses}:
        found.add("prior dose")
    return found


@lru_cache(maxsize=1)
def used_up() -> frozenset[str]:
    """Traits of all limits and rules that bind in some reference optimum."""
    found: set[str] = set()
    for name in names():
        binding, case = set(REFERENCE[name]["binding"]), load(name)
        for limit in case.limits:
            if limit.name in binding:
                found |= traits(case, limit)
        found |= {entry.rpartition(".")[2] for entry in binding if entry.endswith(tuple(RULES))}
    return frozenset(found)


@pytest.mark.parametrize("wanted", WANTED)
def test_some_case_uses_up(wanted: str) -> None:
    assert wanted in used_up()


@lru_cache(maxsize=1)
def terms_script() -> ModuleType:
    """`benchmarks/studies/terms.py` as a module."""
    module = script("terms")
    module.solve = solved_once(module.solve)  # type: ignore[attr-defined]
    return module


def solved_once(solve: Callable[..., Result]) -> Callable[..., Result]:
    """The same, but a case that several terms share is solved once."""
    found: dict[str, Result] = {}

    def solved(case: Instance, **options: Any) -> Result:
        key = instance_digest(case)
        if key not in found:
            found[key] = solve(case, **options)
        return found[key]

    return solved


def test_every_term_has_an_entry() -> None:
    assert {term.name for term in terms_script().TERMS} == TERMS


def test_the_page_lists_every_term_with_its_case_and_two_decisions() -> None:
    text = (ROOT / "docs" / "terms.md").read_text(encoding="utf-8")
    table = text[text.index("\n| ") :].split("\n\n")[0]  # of bundled cases; evidence has its own
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    shown = {row[0].removeprefix("| "): row for row in rows}
    assert set(shown) == TERMS
    for term in terms_script().TERMS:
        row = shown[term.name]
        assert row[1] == term.case
        assert row[3] != row[4], f"{term.name}: the decision is the same with and without"
        if term.added is None:
            assert float(row[5]) == round(REFERENCE[term.case]["objective"], 4), term.name
        gap = load(term.case).objective.gap
        assert row[7] == "not allowed" or float(row[7]) > gap, term.name


@pytest.mark.parametrize("term", sorted(TERMS))
def test_switching_off_gives_a_valid_case_that_differs(term: str) -> None:
    script = terms_script()
    entry = next(t for t in script.TERMS if t.name == term)
    with_term, without = script.both(entry)
    assert (with_term == load(entry.case)) == (entry.added is None)
    assert with_term != without


QUICK = [term.name for term in terms_script().TERMS if term.case not in SLOW]


def test_most_terms_are_examined_here() -> None:
    assert len(QUICK) >= 20


@pytest.mark.parametrize("term", QUICK)
def test_the_term_changes_the_decision(term: str) -> None:
    script = terms_script()
    row = script.examine(next(t for t in script.TERMS if t.name == term))
    assert row.decision[0] != row.decision[1]
    assert row.changes
