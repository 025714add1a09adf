"""An answer that is worse than the standard on average over patients says so first."""

from __future__ import annotations

import numpy as np
import pytest
from plain_cases import Raw, lesion, limit, plain_case, uniform

from abscopt.instances import build, load
from abscopt.optimizer import solve
from abscopt.optimizer.audit.patients import VARIATION, factors, gains, patient
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.text.report import solve_report
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule

STANDARD = {
    "name": "5 x 10 Gy",
    "source": "test",
    "courses": [{"lesion": "tumor", "fractions": 5, "dose_gy": 10, "start_day": 0}],
}


def on_an_edge(penalty: float, **fields: float) -> Raw:
    """Control is a step that 5 x 8 Gy just takes; more costs a soft limit a little."""
    tumor = lesion(course=uniform([5], [8.0, 10.0]), sparing={"organ": {"mean": 0.1}}, **fields)
    soft = limit("mean", "organ_mean", organ="organ", cap_gy=4.0, penalty=penalty)
    return plain_case([tumor], [soft], horizon_days=[84], objective="default", standard=STANDARD)


def course(dose_gy: float) -> Schedule:
    """Five fractions in a week."""
    return Schedule.of([Fraction(day, "tumor", dose_gy) for day in range(5)], [])


def test_factors_have_the_mean_and_variation_that_are_stated() -> None:
    values, weights = factors(9)
    assert weights.sum() == pytest.approx(1)
    assert weights @ values == pytest.approx(1, abs=1e-9)
    assert weights @ values**2 == pytest.approx(1 + VARIATION**2, abs=1e-9)


def test_the_mean_gain_is_that_of_the_closed_form() -> None:
    """Log kill: alpha D + alpha D d / (ab g), with E[1/g] = 1 + v^2 for a lognormal g of mean 1."""
    raw = on_an_edge(0.0001) | {"objective": {"kind": "log_kill"}}
    raw["limits"] = []
    instance = build(raw)
    found = gains(instance, course(10.0), course(8.0), nodes=9)
    alpha, ratio = 0.3, 10.0
    linear, quadratic = 50 - 40, 5 * (100 - 64)
    assert found.mean == pytest.approx(
        alpha * (linear + quadratic * (1 + VARIATION**2) / ratio), rel=1e-6
    )
    assert found.worst > 0
    assert found.share_not_worse == pytest.approx(1)


def test_every_tumor_of_a_patient_changes_alike() -> None:
    case = load("resistant-clone")
    other = patient(case, 1.5, 0.5)
    for before, after in zip(case.lesions, other.lesions, strict=True):
        assert after.alpha_per_gy == pytest.approx(1.5 * before.alpha_per_gy)
        assert after.alpha_beta_gy == pytest.approx(0.5 * before.alpha_beta_gy)
    clones = [clone.alpha_per_gy for clone in other.lesions[0].clones]
    assert clones[1] == pytest.approx(1.5 * 0.115)
    assert case == load("resistant-clone")


def test_a_report_begins_with_a_standard_that_is_better_on_average() -> None:
    instance = build(on_an_edge(0.2))
    result = solve(instance)
    standard = standard_schedule(instance)
    assert standard is not None and result.schedule is not None
    assert [f.dose_gy for f in result.schedule.fractions] == [8.0] * 5
    judge = Judge(instance)
    assert judge.evaluate(result.schedule).objective > judge.evaluate(standard).objective
    assert gains(instance, result.schedule, standard, 7).mean < 0
    assert result.notes[0].kind == "worse_on_average" and result.notes[0].level == "note"
    first = solve_report(result, instance).splitlines()[:8]
    assert any("worse than the standard" in " ".join(first[i : i + 3]) for i in range(6))


@pytest.mark.parametrize(("penalty", "fields"), [(5.0, {}), (0.2, {"alpha_cv": 0.5})])
def test_no_report_says_so_where_the_answer_is_not_worse(
    penalty: float, fields: dict[str, float]
) -> None:
    result = solve(build(on_an_edge(penalty, **fields)))
    assert "worse_on_average" not in [note.kind for note in result.notes]


def test_a_standard_that_breaks_limits_is_no_rival() -> None:
    raw = on_an_edge(0.2)
    raw["limits"].append(limit("mean", "hard_mean", organ="organ", cap_gy=4.5))
    result = solve(build(raw))
    assert result.standard is not None and not result.standard.feasible
    assert "worse_on_average" not in [note.kind for note in result.notes]


def test_nine_patients_stand_for_forty_nine() -> None:
    case = load("co-targets")
    schedule, standard = solve(case).schedule, standard_schedule(case)
    assert schedule is not None and standard is not None
    few, many = (gains(case, schedule, standard, nodes) for nodes in (3, 7))
    assert few.mean == pytest.approx(many.mean, rel=0.01)
    assert np.isclose(few.weight.sum(), 1)
