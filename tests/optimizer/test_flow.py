"""Free courses that release antigen, and counted courses, against the judge on every schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_cases import (
    CITED,
    EARLY_IMMUNE,
    EVERY_DAY,
    Raw,
    bed_limit,
    best_of_all,
    free,
    lesion,
    limit,
    plain_case,
    uniform,
)

from abscopt.instances import build
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.proved import ProgrammeAnswer
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock

GAP = 2e-6


def answer_of(raw: Raw, *, by_day: bool = False, gap: float = GAP) -> ProgrammeAnswer:
    instance = build(raw)
    return solve_single(
        Candidates(instance), Judge(instance), gap, 0, 1, Clock(None, None), by_day=by_day
    )


def assert_best(raw: Raw) -> ProgrammeAnswer:
    """The programme's optimum is the best of all schedules, and its bound is true."""
    best, answer = best_of_all(raw), answer_of(raw)
    if best is None:
        assert answer.infeasible
        return answer
    assert best - GAP <= answer.value <= best + 1e-9
    assert answer.bound is not None
    assert best - 1e-9 <= answer.bound <= answer.value + GAP
    return answer


def active(
    random: np.random.Generator, name: str, days: list[int], levels: int, **more: Any
) -> Raw:
    """A free lesion that releases antigen."""
    doses = sorted(round(float(d), 2) for d in random.uniform(2, 12, size=levels))
    values = [round(float(v), 3) for v in random.uniform(0.5, 1.0, size=len(days))]
    return (
        lesion(
            name,
            clonogens=float(10 ** random.uniform(3, 6)),
            immunogenicity=float(random.uniform(0.3, 2.0)),
            effector_share=0.4,
            precursor_share=0.3,
            course=free(days, doses),
            sparing={"organ": {"max": {"days": days, "values": values}}},
        )
        | more
    )


def pembrolizumab(starts: int) -> Raw:
    return {
        "name": "pembrolizumab",
        "regimens": ["pembrolizumab-200-q3w"],
        "first_start_day": 0,
        "last_start_day": 5 * (starts - 1),
        "start_step_days": 5,
        "optional": False,
    }


def immune_case(lesions: list[Raw], plans: int = 1, cap: float = 90.0, **more: Any) -> Raw:
    return plain_case(
        lesions,
        [bed_limit(cap)],
        horizon_days=more.pop("horizon_days", [8, 16]),
        objective=more.pop("objective", "default"),
        immune=EARLY_IMMUNE | more.pop("immune", {}),
        calendar=EVERY_DAY,
        agents=[pembrolizumab(plans)],
        **more,
    )


def test_six_days_by_three_levels() -> None:
    random = np.random.default_rng(0)
    one = active(random, "free", list(range(6)), 3, effector_kill_per_fraction=0.5)
    assert_best(immune_case([one], cap=float(random.uniform(60, 120)), horizon_days=[11]))


@pytest.mark.parametrize("kill", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_with_and_without_effector_kill(seed: int, kill: float) -> None:
    random = np.random.default_rng(seed)
    one = active(random, "free", [0, 1, 2, 4], 3, effector_kill_per_fraction=kill)
    assert_best(immune_case([one], cap=float(random.uniform(60, 120))))


@pytest.mark.parametrize("kill", [0.0, 0.5])
def test_two_plans(kill: float) -> None:
    random = np.random.default_rng(7)
    one = active(random, "free", [0, 1, 3, 6], 3, effector_kill_per_fraction=kill)
    assert_best(immune_case([one], plans=2))


def coupled(seed: int, **more: Any) -> list[Raw]:
    """Two free lesions and a uniform one, each losing the others lymphocytes."""
    random, loss = np.random.default_rng(seed), {"lymphocyte_loss_per_fraction": 0.15}
    first = active(random, "free", [0, 1, 4], 2, effector_kill_per_fraction=0.4, **loss)
    second = active(random, "second", [1, 3], 2, **loss)
    third = lesion(
        "uniform",
        clonogens=1e4,
        immunogenicity=1.0,
        effector_share=0.2,
        precursor_share=0.3,
        effector_kill_per_fraction=0.2,
        course=uniform([1, 3], doses_gy=[5.0, 8.0], last_start_day=1),
        sparing={"organ": {"max": 0.6}},
        **loss,
    )
    return [first | {"effector_share": 0.3} | more, second | {"effector_share": 0.3}, third]


@pytest.mark.parametrize("seed", range(3))
def test_lymphocytes_couple_free_lesions(seed: int) -> None:
    assert_best(immune_case(coupled(seed)[:2], plans=2, cap=70.0 + 20 * seed))


@pytest.mark.parametrize("seed", range(3))
def test_free_beside_uniform(seed: int) -> None:
    first, _, third = coupled(seed)
    assert_best(immune_case([first, third], plans=1 + seed % 2, cap=70.0 + 20 * seed))


def test_all_three_together() -> None:
    first, second, third = coupled(5)
    first["course"]["days"] = first["course"]["days"][:2]
    first["sparing"] = {"organ": {"max": 0.7}}
    assert_best(immune_case([first, second, third], cap=110.0, horizon_days=[9]))


CLONES = {
    "clones": [
        {"name": "a", "share": 0.95, "effector_share_factor": 1.5},
        {"name": "b", "share": 0.05, "alpha_per_gy": 0.15, "effector_share_factor": 0.3},
    ]
}


@pytest.mark.parametrize(
    "immune",
    [
        {},
        {"preblockade_sign": -0.8},
        {"suppression_above_gy": 5.0, "suppression_per_gy": 0.1},
        {"burden_limit_cm3": 1.0},
        {"burden_limit_cm3": 0.5, "burden_blockade": 0.7},
    ],
)
@pytest.mark.parametrize("clones", [{}, CLONES])
def test_immune_scenarios(immune: Raw, clones: Raw) -> None:
    random = np.random.default_rng(3)
    one = active(
        random,
        "free",
        [0, 1, 3],
        3,
        effector_kill_per_fraction=0.3,
        oxygen_modification_factor=1.2,
        growth_doubling_time_days=40.0,
        repopulation_doubling_time_days=4.0,
        techniques=[{"name": "only", "node_factor": 0.6}],
        **clones,
    )
    assert_best(immune_case([one], plans=2, immune=immune))


@pytest.mark.parametrize("objective", ["log_control", "expected_control", "log_kill"])
def test_other_objectives(objective: str) -> None:
    first, second, _ = coupled(2, **CLONES)
    assert_best(immune_case([first, second], objective=objective, cap=80.0))


def test_drugs_that_kill_cells_and_precursors() -> None:
    drug = {
        "kind": "chemotherapy",
        "sensitizer_enhancement_ratio": 1.3,
        "sensitizing_days": 2,
        "lymphocyte_log_loss_per_dose": 0.1,
        "cytotoxic_log_kill_per_dose": 0.8,
        "precursor_log_loss_per_dose": 0.7,
    }
    once = {"drug": "drug", "day": 0, "amount": 40, "unit": "mg"}
    agent = {"name": "chemo", "regimens": ["cycle"], "first_start_day": 1, "last_start_day": 3}
    raw = immune_case(
        [active(np.random.default_rng(4), "free", [0, 1, 2, 4], 2, **CLONES)],
        drugs={"drug": drug | CITED},
        regimens={"cycle": {"cycle_days": 20, "max_cycles": 1, "doses": [once]} | CITED},
    )
    raw["agents"] = [*raw["agents"], agent | {"max_days_before_radiation": 1}]
    assert_best(raw)


# counted courses


def counted_case(seed: int, objective: str, **more: Any) -> Raw:
    """One irradiable lesion whose days do not matter, under two limits."""
    random = np.random.default_rng(seed)
    doses = sorted({round(float(d), 2) for d in random.uniform(1, 9, size=4)})
    tumor = lesion(
        "tumor",
        clonogens=1e5,
        course=free([0, 2, 3, 5], doses, max_fractions=4),
        integral_dose_cm3=200.0,
        sparing={"organ": {"max": 0.8}, "lungs": {"mean": 0.2}, "heart": {"mean": 0.1}},
    )
    limits = [
        bed_limit(float(random.uniform(20, 60))),
        bed_limit(float(random.uniform(15, 40)), 8.0) | {"penalty": 0.5},
        limit("edric", "edric", cap_gy=float(random.uniform(0.3, 1.0))),
        limit("logistics", "visits", quantity="visits", cap=3),
        limit("logistics", "lesions", quantity="lesions", cap=1, floor=1),
    ]
    return (
        plain_case(
            [tumor],
            limits,
            horizon_days=[10, 12],
            objective=objective,
            calendar=EVERY_DAY,
        )
        | more
    )


@pytest.mark.parametrize("objective", ["tumor_bed", "default", "expected_control"])
@pytest.mark.parametrize("seed", range(3))
def test_counts_and_days_agree(objective: str, seed: int) -> None:
    raw = counted_case(seed, objective)
    counts, days = answer_of(raw), answer_of(raw, by_day=True)
    candidates = Candidates(build(raw))
    assert columns_of(candidates).counted
    assert counts.columns * 4 == days.columns
    assert counts.value == pytest.approx(days.value, abs=GAP)
    assert counts.bound == pytest.approx(days.bound, abs=GAP)
    assert counts.value == pytest.approx(best_of_all(raw), abs=GAP)


@pytest.mark.parametrize("objective", ["tumor_bed", "default", "expected_control"])
def test_counts_and_days_agree_on_repopulation(objective: str) -> None:
    raw = counted_case(1, objective)
    raw["lesions"][0] |= {"repopulation_doubling_time_days": 1.2, "kick_off_days": 1.0}
    counts, days = answer_of(raw), answer_of(raw, by_day=True)
    assert columns_of(Candidates(build(raw))).counted
    assert counts.value == pytest.approx(days.value, abs=GAP)
    assert counts.value == pytest.approx(best_of_all(raw), abs=GAP)


@pytest.mark.parametrize(
    "more",
    [
        {"alc": limit("alc", "alc", floor_1e9_per_l=1.0)},
        {"window": limit("logistics", "w", quantity="visits", cap=1, last_day=2)},
        {"sparing": {"organ": {"max": {"days": [0, 2, 3, 5], "values": [0.8, 0.7, 0.8, 0.8]}}}},
        {"immunogenicity": 1.0},
        {"lymphocyte_loss_per_fraction": 0.1},
    ],
)
def test_days_are_kept_where_they_matter(more: Raw) -> None:
    raw = counted_case(0, "default", immune=EARLY_IMMUNE)
    assert columns_of(Candidates(build(raw))).counted
    for key, value in more.items():
        if isinstance(value, dict) and "kind" in value:
            raw["limits"] = [*raw["limits"], value]
        else:
            raw["lesions"][0][key] = value
    assert not columns_of(Candidates(build(raw))).counted
