"""The nonlinear program that SCIP is given is our problem: same optimum, same refusals."""

from types import ModuleType
from typing import Any

import pytest
from benchmark_scripts import script

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates

pytest.importorskip("pyscipopt")

TOLERANCE = 1e-5  # of SCIP on its constraints


@pytest.fixture(scope="module")
def minlp() -> ModuleType:
    return script("minlp")


@pytest.mark.parametrize(
    "name", ["toy-blockade", "toy-two-lesions", "pulsar", "early-sabr-xs", "sequencing-s"]
)
def test_scip_and_our_search_agree(minlp: ModuleType, name: str) -> None:
    instance = minlp.CASES[name].instance()
    ours = solve(instance)
    run = minlp.by_scip(instance, minlp.programme(Candidates(instance)), 60.0, None)

    assert ours.status == "optimal"
    assert run["status"] in ("optimal", "gaplimit")
    assert run["feasible"]
    assert run["claimed"] == pytest.approx(run["objective"], abs=TOLERANCE)
    gap = instance.objective.gap
    assert ours.objective is not None and ours.bound is not None
    assert ours.objective <= run["bound"] + TOLERANCE
    assert run["objective"] <= ours.bound + TOLERANCE
    assert abs(run["objective"] - ours.objective) <= gap + TOLERANCE


def test_tumor_bed_is_stated_too(minlp: ModuleType) -> None:
    instance = load("toy-fractionation")
    run = minlp.by_scip(instance, minlp.programme(Candidates(instance)), 60.0, None)
    assert run["objective"] == pytest.approx(75.0, abs=1e-6)


@pytest.mark.parametrize(
    ("case", "sizes", "reason"),
    [
        ("mr-linac-1", {}, "free courses"),
        ("resistant-clone", {}, "clones"),
        ("resistance", {}, "soft limits"),
        ("stage3-crt", {"step_gy": 1.0, "drug_step_days": 28}, "exposures"),
        ("dual-checkpoint", {}, "tables by fraction number on shared days"),
    ],
)
def test_what_is_not_stated_is_refused(
    minlp: ModuleType, case: str, sizes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        minlp.programme(Candidates(minlp.Cut(case, **sizes).instance()))
