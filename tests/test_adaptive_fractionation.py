"""`docs/adaptive-fractionation.md`: the policy is adaptfx's, the rest is the best one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import TIMINGS, script

from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

ROOT = Path(__file__).parents[1]


def study() -> Any:
    return script("adaptive_fractionation")


def policy() -> Any:
    return script("sparing_policy")


@pytest.mark.parametrize("number", range(1, 9))
def test_the_policy_gives_the_doses_of_adaptfx(number: int) -> None:
    """Stored runs of adaptfx itself, whose priors were fitted to the other seven patients."""
    stored = json.loads((TIMINGS / "adaptive.json").read_text(encoding="utf-8"))
    entry = stored["cases"][number - 1]
    assert entry["case"] == f"mr-linac-{number}"
    eight = study().patients()[:8]
    rows = [[one.planning, *one.daily] for one in eight]
    prior = policy().prior_of(rows[: number - 1] + rows[number:])
    patient = study().Patient(number, eight[number - 1].planning, eight[number - 1].daily, prior)
    doses = study().course(study().AIMS[0], "policy", patient, by_engine=False)
    theirs = entry["adaptfx"]["tumor_old, gamma prior"]
    assert doses == pytest.approx(theirs["doses_gy"], abs=0.2)
    tumor = float(policy().bed(np.array(doses), 10.0).sum())
    assert tumor == pytest.approx(theirs["tumor_bed_gy"], abs=0.1)


def test_known_factors_give_the_published_optimum() -> None:
    """Doses of patient 1 by KKT, as `mr-linac-1` states them; each dose fills its share of BED."""
    aim, patient = study().AIMS[0], study().patients()[0]
    doses = policy().allocated(aim, aim.bed_gy, patient.daily)
    assert doses == pytest.approx([7.6681, 6.0469, 7.0538, 4.6221, 4.9233], abs=1e-3)
    used = policy().spent(aim, doses, np.array(patient.daily)).sum()
    assert used == pytest.approx(90.0, abs=1e-6)


@pytest.mark.parametrize("k", [0, 1])
def test_a_rest_that_is_solved_is_the_best_one(k: int) -> None:
    """The engine's dose of a day, and the best of the days after it, are within gap and grid."""
    aim, patient = study().AIMS[k], study().patients()[4]
    given = [9.0, 4.0, 3.0]
    if k == 1:  # of tumor BED in steps
        given = [float(policy().dose_of(b, 10.0)) for b in (17.0, 6.0, 4.0)]
    factors = [*patient.daily[:4], 1.0]
    left = aim.bed_gy - float(policy().spent(aim, np.array(given), np.array(factors[:3])).sum())

    def worth(dose: float) -> float:
        after = left - float(policy().spent(aim, dose, factors[3]))
        last = float(policy().last_dose(aim, after, factors[4]))
        return float(
            policy().gained(aim, dose, factors[3]) + policy().gained(aim, last, factors[4])
        )

    dose = study().replanned(aim, given, factors)
    best = float(policy().allocated(aim, left, factors[3:])[0])
    assert worth(best) - 0.05 <= worth(dose) <= worth(best) + 1e-6


def test_what_was_given_counts_as_it_would_in_one_schedule() -> None:
    aim, patient = study().AIMS[0], study().patients()[2]
    doses = [6.0, 5.0, 9.0, 1.0, 2.0]
    whole = study().rest_case(policy().Aim("tumor", 500.0), (), patient.daily)
    rest = study().rest_case(policy().Aim("tumor", 500.0), doses[:2], patient.daily)
    verdicts = [
        Judge(instance).evaluate(
            Schedule.of([Fraction(t, "tumor", doses[t]) for t in range(first, 5)], [])
        )
        for instance, first in ((whole, 0), (rest, 2))
    ]
    organ = [next(use.value for use in v.limits if use.name == "oar") for v in verdicts]
    assert organ[0] == pytest.approx(organ[1], abs=1e-9)
    before = float(policy().bed(np.array(doses[:2]), 10.0).sum())
    assert verdicts[0].objective == pytest.approx(verdicts[1].objective + before, abs=1e-9)
    assert aim.bed_gy == 90.0


def test_rows_keep_bounds_and_hindsight_is_never_beaten() -> None:
    rows, _ = study().stored()
    keys = [(row.patient, row.aim, row.way, row.orders) for row in rows]
    assert len(set(keys)) == len(keys) == 16 * 2 * 5 * 2
    for row in rows:
        assert all(0.0 <= dose <= 23.0 + 1e-9 for dose in row.doses_gy)
        if row.aim == "tumor":
            assert row.organ_gy <= 90.0 + 1e-3
        else:
            assert row.tumor_gy == pytest.approx(72.0, abs=1e-3)
    for orders in (1, 120):
        for aim in ("tumor", "organ"):
            worth = script("adaptive_fractionation_page").benefits(rows, aim, orders)
            for values in worth.values():
                assert len(values) == 16
                assert np.all(values <= worth["hindsight"] + 1e-3)


def test_the_page_and_its_figure_are_of_the_stored_rows(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows, about = study().stored()
    text = (ROOT / "docs" / "adaptive-fractionation.md").read_text(encoding="utf-8")
    assert text == study().page(rows, about)
    for name in ("a.svg", "b.svg"):
        study().figure(rows, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
