"""The programme of pairs: one coefficient off by one percent in a binding row is noticed.

As in `test_perturbed.py`: each family has a case in which a row of it binds, and one coefficient of
such a row is multiplied by 1.01 or 0.99 in every programme that has this row. Families that tell
pieces of systemic effect apart are tried where the best pair alone is left: elsewhere a neighboring
piece stands in for a wrong one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_percent import Rounds, Wrong, with_wrong, wrong_coefficients
from plain_cases import (
    AMOUNTS,
    CITED,
    EARLY_IMMUNE,
    Raw,
    best_of_all,
    lesion,
    limit,
    plain_case,
    uniform,
)

from abscopt.instances import build
from abscopt.optimizer.candidates.reduction import Kept, offered
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.crosscheck.compare import Mismatch, Transform, broken_rows
from abscopt.optimizer.crosscheck.handover.naming import Programme, named_programme
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Matrix, Outcome, SolverError, solve_matrix
from abscopt.optimizer.programme.constraints import pairs
from abscopt.optimizer.programme.proved import ProgrammeAnswer
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock

Case = Callable[[], tuple[Raw, Kept]]

GAP = 1e-5

STATED = re.findall(r"model\.(\w+) = pyo\.Constraint\(", Path(pairs.__file__).read_text())
FAMILIES = sorted([*STATED, "credited_pairs", "exposed_pairs"])


def case(drug: str, doses_gy: list[float], *limits: Raw, **immune: Any) -> Raw:
    """One fraction on day 0, 1 or 2, or none; one infusion on day 0 or 2, or none."""
    tumor = lesion(
        clonogens=1e4,
        immunogenicity=2.0,
        effector_share=0.4,
        precursor_share=0.4,
        lymphocyte_loss_per_fraction=0.3,
        sparing={"organ": {"mean": 0.5}},
        course=uniform([1], doses_gy, last_start_day=2),
    )
    dose = {"drug": drug, "day": 0, "amount": AMOUNTS.get(drug, 200), "unit": "mg"}
    once = {"cycle_days": 1, "max_cycles": 1, "doses": [dose], **CITED}
    days = {"first_start_day": 0, "last_start_day": 2, "start_step_days": 2}
    return plain_case(
        [tumor],
        limits,
        horizon_days=[6],
        objective="default",
        immune=EARLY_IMMUNE | immune,
        regimens={"once": once},
        agents=[{"name": drug, "regimens": ["once"]} | days],
    )


def with_all_pairs(raw: Raw) -> tuple[Raw, Kept]:
    """The case with everything that it offers."""
    return raw, offered(Candidates(build(raw)))


def systemic() -> tuple[Raw, Kept]:
    """Systemic effect."""
    return with_all_pairs(case("pembrolizumab", [6, 8]))


def alone() -> tuple[Raw, Kept]:
    """The same with the best pair alone."""
    raw, kept = systemic()
    candidates = Candidates(build(raw))
    rows = np.arange(len(candidates.lesions[0].menu))[:, None]
    values = [Tabulated(candidates, k).value(rows) for k in range(len(candidates.plans))]
    return raw, kept.but("best", (np.array(values) == np.max(values),))


def burden() -> tuple[Raw, Kept]:
    """Only the greater dose leaves a lesion small enough to be credited with systemic effect."""
    return with_all_pairs(case("pembrolizumab", [6, 12], burden_limit_cm3=0.1))


def exposure() -> tuple[Raw, Kept]:
    """8 Gy beside the drug use up the complication probability."""
    probability = 1.0 / (1.0 + math.exp(5.0 - 0.2 * 0.5 * 8.0) / 2.0)
    exposure = {"drugs": "chemotherapy", "days_before": 0, "days_after": 1, "odds_ratio": 2.0}
    logistic = {"model": "logistic", "intercept": -5.0, "slope_per_gy": 0.2}
    cap = limit("ntcp", "ntcp", organ="organ", cap=probability, exposures=[exposure], **logistic)
    return with_all_pairs(case("cisplatin", [8], cap))


BINDING: dict[Case, tuple[str, ...]] = {
    systemic: (
        "gain_of_pairs", "log_effect_of_plan", "log_effect_tangents", "loss_of_pairs",
        "pair_of_course", "pair_of_plan",
    ),
    alone: (
        "effect_piece_above", "effect_piece_below", "effect_pieces", "kill_pieces",
        "one_effect_piece", "saturation_lines",
    ),
    burden: ("credited_pairs",),
    exposure: ("exposed_pairs",),
}  # fmt: skip


@dataclass
class Seen:
    """HiGHS on programmes that may be changed; its points must keep the rows of the true ones."""

    change: Transform
    rounds: list[tuple[Programme, Any]] = field(default_factory=list)
    bounds: list[float | None] = field(default_factory=list)

    def __call__(
        self, matrix: Matrix, *, data: Any, model: Any, position: dict[int, int], **options: Any
    ) -> Outcome:
        one = named_programme(data.candidates, data, model, matrix, position)
        outcome = solve_matrix(self.change(one), **options)
        self.rounds.append((one, outcome.x))
        self.bounds.append(outcome.bound)
        if outcome.x is not None and broken_rows(matrix, outcome.x):
            raise Mismatch("its point breaks a row of the true programme")
        return outcome

    def answer(self, case: Case) -> ProgrammeAnswer:
        """Answer to a case, refined round by round."""
        raw, kept = case()
        instance = build(raw)
        judge = Judge(instance)
        return solve_single(Candidates(instance), judge, GAP, 0, 1, Clock(), self, kept=kept)


@cache
def solved(case: Case) -> tuple[ProgrammeAnswer, Rounds]:
    """The true answer, and every programme on the way to it with its optimum."""
    engine = Seen(lambda one: one.matrix)
    return engine.answer(case), engine.rounds


def noticed(case: Case, wrong: Wrong) -> bool:
    """Whether one wrong coefficient leads to an error, a wrong bound or a worse schedule."""
    engine, least = Seen(with_wrong(wrong)), solved(case)[0].value - GAP
    try:
        answer = engine.answer(case)
    except (SolverError, Mismatch):
        return True
    bounds = [bound for bound in engine.bounds if bound is not None]
    return answer.infeasible or min(bounds) < least or answer.value < least


def test_every_family_has_a_case_in_which_it_binds() -> None:
    assert sorted(family for families in BINDING.values() for family in families) == FAMILIES


@pytest.mark.parametrize("case", BINDING, ids=lambda case: case.__name__)
def test_the_true_programme_is_right(case: Case) -> None:
    answer, _ = solved(case)
    best = best_of_all(case()[0])
    assert answer.bound is not None and best is not None
    assert best - GAP <= answer.value <= best + 1e-9
    assert best - 1e-9 <= answer.bound <= answer.value + GAP


@pytest.mark.parametrize(
    ("case", "family"),
    [
        pytest.param(case, family, id=f"{family}-{case.__name__}")
        for case, families in BINDING.items()
        for family in families
    ],
)
def test_one_percent_of_a_binding_coefficient_is_noticed(case: Case, family: str) -> None:
    tried = wrong_coefficients(solved(case)[1], family)
    assert tried, f"no row of {family} binds"
    assert any(noticed(case, wrong) for wrong in tried), tried
