"""Coefficients are the judge's numbers: they agree, and one percent off is noticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from random_instances import Raw, random_case
from table_rows import schedule_of

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.models import lymphocytes, toxicity
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.solver import SolverError

TABLE = "abscopt.optimizer.candidates.table"
CITED: Raw = {"source": "test", "status": "assumed"}
TOYS = ("toy-blockade", "toy-fractionation", "toy-two-lesions")
BUNDLED = (*TOYS, "early-sabr", "stage3-crt", "pembro-rt")


def disagreements(instance: Instance, seed: int, trials: int = 40) -> dict[str, int]:
    """How many random schedules get another value or another feasibility from the tables."""
    judge, candidates = Judge(instance), Candidates(instance)
    rng = np.random.default_rng(seed)
    found = {"value": 0, "feasibility": 0, "kept": 0}
    if not candidates.plans:
        return found
    for _ in range(trials):
        plan = int(rng.integers(len(candidates.plans)))
        row = np.array([rng.integers(len(table.menu)) for table in candidates.lesions])
        tabulated = Tabulated(candidates, plan)
        verdict = judge.evaluate(schedule_of(candidates, plan, row))
        value = float(tabulated.value(row[None, :])[0])
        same = abs(value - verdict.objective) <= 1e-9 * max(1.0, abs(verdict.objective))
        found["value"] += not same
        kept = bool(tabulated.feasible(row[None, :])[0])
        found["feasibility"] += kept != verdict.feasible
        found["kept"] += verdict.feasible
    return found


@pytest.mark.parametrize("name", BUNDLED)
def test_tables_and_judge_agree_on_bundled_cases(name: str) -> None:
    found = disagreements(load(name), seed=1)
    assert (found["value"], found["feasibility"]) == (0, 0)


def test_tables_and_judge_agree_on_random_cases() -> None:
    kept = 0
    for seed in range(4000, 4030):
        found = disagreements(build(random_case(seed)), seed)
        assert (found["value"], found["feasibility"]) == (0, 0), seed
        kept += found["kept"]
    assert 100 <= kept <= 1100


def rich(kinds: tuple[Raw, ...] = ()) -> Instance:
    """Two sites and occult disease; chemotherapy and two checkpoint inhibitors must be given."""
    regimens = {
        "both": [
            {"drug": "durvalumab", "day": 0, "amount": 1500.0, "unit": "mg"},
            {"drug": "tremelimumab", "day": 0, "amount": 300.0, "unit": "mg"},
        ],
        "chemo": [{"drug": "cisplatin", "day": 0, "amount": 75.0, "unit": "mg_per_m2"}],
    }

    def site(name: str, start: int) -> Raw:
        return {
            "use": "plain_lq",
            "name": name,
            "organ": "site",
            "volume_cm3": 10.0,
            "clonogens": 1e6,
            "growth_doubling_time_days": 50.0,
            "repopulation_doubling_time_days": 4.0,
            "kick_off_days": 1.0,
            "effector_share": 0.3,
            "precursor_share": 0.3,
            "effector_kill_per_fraction": 0.2,
            "lymphocyte_loss_per_fraction": 0.05,
            "integral_dose_cm3": 1000.0,
            "course": {
                "form": "uniform",
                "fractions": [3],
                "doses_gy": [7.0],
                "first_start_day": start,
                "last_start_day": start,
            },
            "sparing": {
                "organ": {"max": 0.5, "mean": 0.3, "second_moment": 0.2},
                "lungs": {"mean": 0.1},
                "heart": {"mean": 0.1},
            },
        }

    occult: Raw = {
        "use": "plain_lq",
        "name": "occult",
        "organ": "disseminated",
        "irradiable": False,
        "clonogens": 10.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
    }
    return build(
        {
            "format": 1,
            "name": "rich",
            "title": "rich",
            "horizon_days": [40, 60],
            "provenance": {"source": "test"},
            "immune": {
                "use": "default",
                "effect_per_effector": 0.3,
                "blockade_effect": 0.5,
                "preblockade_sign": 0.5,
            },
            "organs": {name: {"use": "generic_late"} for name in ("organ", "lungs", "heart")},
            "lesions": [site("one", 1), site("two", 2), occult],
            "limits": [{**kind, **CITED} for kind in kinds],
            "regimens": {
                name: {"cycle_days": 21, "max_cycles": 1, "doses": doses, **CITED}
                for name, doses in regimens.items()
            },
            "agents": [
                {
                    "name": name,
                    "regimens": [name],
                    "first_start_day": 0,
                    "last_start_day": 0,
                    "optional": False,
                }
                for name in regimens
            ],
        }
    )


def scaled_field(function: Callable[..., Any], field: str, factor: float) -> Callable[..., Any]:
    """A function whose dataclass result has one array multiplied."""

    def wrong(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return dataclasses.replace(result, **{field: getattr(result, field) * factor})

    return wrong


def scaled(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """A function whose result is multiplied."""
    return lambda *args, **kwargs: function(*args, **kwargs) * factor


def damage_field(monkeypatch: pytest.MonkeyPatch, function: str, field: str, factor: float) -> None:
    """Multiply one array of what a function of the candidates returns."""
    import abscopt.optimizer.candidates.table as table

    monkeypatch.setattr(
        f"{TABLE}.{function}", scaled_field(getattr(table, function), field, factor)
    )


VALUE_FAMILIES = [
    ("course_effects", "local"),
    ("course_effects", "effect"),
    ("course_effects", "loss"),
    ("propagators", "resting"),
    ("propagators", "release"),
    ("plan_effects", "occupancy"),
    ("plan_effects", "mobilization"),
    ("plan_effects", "priming_factor"),
    ("plan_effects", "sensitizer"),
    ("plan_effects", "effect_weights"),
    ("plan_effects", "chemotherapy_log_loss"),
]


@pytest.mark.parametrize("method", ["auto", "single"])
def test_the_rich_case_is_solved(method: str) -> None:
    result = solve(rich(), gap=1e-4, method="auto" if method == "auto" else "single")
    assert result.status == "optimal"
    assert result.evaluation is not None
    assert all(lesion.fractions for lesion in result.evaluation.lesions[:2])


@pytest.mark.parametrize("method", ["auto", "single"])
@pytest.mark.parametrize("factor", [0.99, 1.01])
@pytest.mark.parametrize(("function", "field"), VALUE_FAMILIES)
def test_a_value_coefficient_off_by_a_percent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, function: str, field: str, factor: float, method: str
) -> None:
    damage_field(monkeypatch, function, field, factor)
    with pytest.raises(SolverError, match=r"claimed|disagree"):
        solve(rich(), gap=1e-4, method="auto" if method == "auto" else "single")


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_tumor_bed_off_by_a_percent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    damage_field(monkeypatch, "course_effects", "tumor_bed", factor)
    with pytest.raises(SolverError, match="claimed"):
        solve(load("toy-fractionation"))


@pytest.mark.parametrize(("function", "field"), VALUE_FAMILIES)
def test_the_agreement_test_notices_a_value_coefficient(
    monkeypatch: pytest.MonkeyPatch, function: str, field: str
) -> None:
    assert disagreements(rich(), seed=2)["value"] == 0
    damage_field(monkeypatch, function, field, 1.01)
    assert disagreements(rich(), seed=2)["value"] > 0


def use_of_both(limit: Raw) -> float:
    """Use of a limit when both sites are treated."""
    instance = rich((limit,))
    candidates = Candidates(instance)
    row = np.array([len(table.menu) - 1 for table in candidates.lesions])
    use = Judge(instance).evaluate(schedule_of(candidates, 0, row)).limits[0].use
    assert use is not None
    return use


def just_broken(kind: str) -> Instance:
    """The rich case with a limit that treating both sites exceeds by half a percent."""
    organ: Raw = {"name": kind, "kind": kind, "organ": "organ", "cap_gy": 1000.0}
    if kind == "mean":
        limit = organ
    elif kind in ("bed", "mean_eqd2"):
        limit = {**organ, "alpha_beta_gy": 3.0}
    elif kind == "edric":
        limit = {"name": kind, "kind": kind, "cap_gy": 1000.0}
    elif kind == "alc":
        limit = {"name": kind, "kind": kind, "floor_1e9_per_l": 0.01}
        loss = use_of_both(limit) * np.log(1.7 / 0.01)
        return rich(({**limit, "floor_1e9_per_l": 1.7 * float(np.exp(-loss / 1.005))},))
    else:
        limit = {"name": kind, "kind": kind, "organ": "organ", "fractions": [1]}
        # below the only row the Miner sum is total dose / limit
        limit["limits_gy"] = [100.0]
        return rich(({**limit, "limits_gy": [100.0 * use_of_both(limit) / 1.005]},))
    return rich(({**limit, "cap_gy": 1000.0 * use_of_both(limit) / 1.005},))


def damage_loads(monkeypatch: pytest.MonkeyPatch, kind: str, factor: float) -> None:
    """Multiply the loads of one kind of limit wherever the search reads them."""
    import abscopt.optimizer.candidates.table as table

    if kind == "alc":
        monkeypatch.setattr(f"{TABLE}.alc_loss_by_day", scaled(table.alc_loss_by_day, factor))
        return
    if kind == "edric":
        wrong = SimpleNamespace(edric=scaled(lymphocytes.edric, factor))
        monkeypatch.setattr("abscopt.optimizer.candidates.tabulated.lymphocytes", wrong)
        monkeypatch.setattr("abscopt.optimizer.search.bound.lymphocytes", wrong)
        return
    monkeypatch.setattr(f"{TABLE}.menu_loads", scaled(table.menu_loads, factor))
    monkeypatch.setattr(f"{TABLE}.cross_factor", scaled(table.cross_factor, factor))
    shared = SimpleNamespace(miner_fraction=scaled(toxicity.miner_fraction, factor))
    monkeypatch.setattr("abscopt.optimizer.candidates.tabulated.toxicity", shared)


LOAD_KINDS = ("bed", "mean", "mean_eqd2", "dose_by_fractions", "alc", "edric")


@pytest.mark.parametrize("kind", LOAD_KINDS)
def test_a_load_one_percent_low_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    instance = just_broken(kind)
    right = solve(instance, gap=1e-4)
    assert right.evaluation is not None
    assert sum(lesion.fractions > 0 for lesion in right.evaluation.lesions) == 1
    damage_loads(monkeypatch, kind, 0.99)
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)


@pytest.mark.parametrize("kind", LOAD_KINDS)
def test_the_agreement_test_notices_a_load(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    instance = just_broken(kind)
    assert disagreements(instance, seed=3)["feasibility"] == 0
    damage_loads(monkeypatch, kind, 0.99)
    assert disagreements(instance, seed=3)["feasibility"] > 0


@pytest.mark.parametrize("kind", ["bed", "mean_eqd2"])
def test_a_term_of_shared_days_off_alone_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    import abscopt.optimizer.candidates.table as table

    instance = just_broken(kind)
    monkeypatch.setattr(f"{TABLE}.cross_factor", scaled(table.cross_factor, 0.9))
    assert disagreements(instance, seed=3)["feasibility"] > 0
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)
