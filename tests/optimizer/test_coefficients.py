"""Coefficients are the judge's numbers: they agree, and one percent off is noticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from random_instances import Raw, random_case
from rich_cases import rich, rich_raw, richer, richer_raw
from spread_cases import spread
from table_rows import disagreements, schedule_of
from widened_instances import widened_case

from abscopt.instances import load
from abscopt.instances.limits import NtcpLimit
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.models.immunity import lymphocytes
from abscopt.optimizer import solve
from abscopt.optimizer.candidates import table
from abscopt.optimizer.candidates.limits.blood import edric
from abscopt.optimizer.candidates.limits.organs.daily_dose import DailyDoseLoad
from abscopt.optimizer.candidates.limits.registry import kinds_of_limits
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tables import effects, limits, loads, menus, plans
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import SolverError

TABLES = (table, limits, menus, plans, effects, loads)
TOYS = ("toy-blockade", "toy-fractionation", "toy-two-lesions")
BUNDLED = (*TOYS, "early-sabr", "stage3-crt", "pembro-rt")


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


def test_tables_and_judge_agree_on_widened_cases() -> None:
    kept = 0
    for seed in range(4000, 4042):
        found = disagreements(build(widened_case(seed)), seed)
        assert (found["value"], found["feasibility"]) == (0, 0), seed
        kept += found["kept"]
    assert kept >= 200


def test_tables_and_judge_agree_where_radiosensitivity_is_spread() -> None:
    for seed in range(4100, 4112):
        for raw in (random_case(seed), widened_case(seed)):
            found = disagreements(build(spread(raw, seed)), seed)
            assert (found["value"], found["feasibility"]) == (0, 0), seed


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
    if function == "propagators":  # computed in lots when they are asked for
        damage_lots(monkeypatch, field, factor)
        return
    damage_function(monkeypatch, function, lambda right: scaled_field(right, field, factor))


def damage_function(
    monkeypatch: pytest.MonkeyPatch, name: str, changed: Callable[[Any], Any]
) -> None:
    """Change what a function returns wherever the tables of candidates call it."""
    users = [module for module in TABLES if hasattr(module, name)]
    assert users
    for module in users:
        monkeypatch.setattr(module, name, changed(getattr(module, name)))


def damage_lots(monkeypatch: pytest.MonkeyPatch, field: str, factor: float) -> None:
    """Scale what propagators say of precursors (`resting`) or of release."""
    from abscopt.optimizer.candidates.systemic.propagators import Propagators

    for name in ("resting_of",) if field == "resting" else ("release_of", "release_under"):
        right = getattr(Propagators, name)

        def wrong(self: Any, *asked: Any, right: Any = right) -> Any:
            return factor * right(self, *asked)

        monkeypatch.setattr(Propagators, name, wrong)


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


NEW_FAMILIES = [
    ("course_effects", "share"),
    ("plan_effects", "effect_factor"),
    ("plan_effects", "relief"),
    ("plan_effects", "precursor_survival"),
]


@pytest.mark.parametrize("case", [rich, richer])
@pytest.mark.parametrize("method", ["auto", "single"])
def test_the_rich_case_is_solved(method: str, case: Callable[[], Instance]) -> None:
    result = solve(case(), gap=1e-4, method="auto" if method == "auto" else "single")
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


@pytest.mark.parametrize("method", ["auto", "single"])
@pytest.mark.parametrize("factor", [0.99, 1.01])
@pytest.mark.parametrize(("function", "field"), [*NEW_FAMILIES, *VALUE_FAMILIES])
def test_a_value_coefficient_of_the_richer_case_off_by_a_percent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, function: str, field: str, factor: float, method: str
) -> None:
    damage_field(monkeypatch, function, field, factor)
    with pytest.raises(SolverError, match=r"claimed|disagree"):
        solve(richer(), gap=1e-4, method="auto" if method == "auto" else "single")


@pytest.mark.parametrize(("function", "field"), [*NEW_FAMILIES, *VALUE_FAMILIES])
def test_the_agreement_test_notices_a_value_coefficient_of_the_richer_case(
    monkeypatch: pytest.MonkeyPatch, function: str, field: str
) -> None:
    assert disagreements(richer(), seed=2)["value"] == 0
    damage_field(monkeypatch, function, field, 1.01)
    assert disagreements(richer(), seed=2)["value"] > 0


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


Make = Callable[[tuple[Raw, ...]], Raw]
CASES: dict[str, Make] = {"rich": rich_raw, "richer": richer_raw}
EXPOSURES = [
    {"drugs": "chemotherapy", "days_before": 9, "days_after": 9, "odds_ratio": 2.0},
    {"drugs": "checkpoint_inhibitor", "days_before": 9, "days_after": 9, "risk_ratio": 1.5},
]
LOGISTIC: Raw = {"model": "logistic", "intercept": -6.0, "slope_per_gy": 0.05}
LKB: Raw = {"model": "lkb", "td50_gy": 80.0, "m": 0.35}
LOOSE: dict[str, Raw] = {
    "bed": {"kind": "bed", "organ": "organ", "alpha_beta_gy": 3.0, "cap_gy": 1000.0},
    "mean": {"kind": "mean", "organ": "organ", "cap_gy": 1000.0},
    "mean_eqd2": {"kind": "mean_eqd2", "organ": "organ", "alpha_beta_gy": 3.0, "cap_gy": 1000.0},
    # below the only row the Miner sum is total dose / limit
    "dose_by_fractions": {
        "kind": "dose_by_fractions",
        "organ": "organ",
        "fractions": [1],
        "limits_gy": [200.0],
    },
    "dose_volume": {"kind": "dose_volume", "organ": "organ", "point": "max", "cap_gy": 1000.0},
    "dose_volume eqd2": {
        "kind": "dose_volume",
        "organ": "organ",
        "point": "max",
        "dose": "eqd2",
        "alpha_beta_gy": 3.0,
        "cap_gy": 1000.0,
    },
    "alc": {"kind": "alc", "floor_1e9_per_l": 0.01},
    "edric": {"kind": "edric", "cap_gy": 1000.0},
    "ntcp": {"kind": "ntcp", "organ": "organ", "cap": 0.99, **LOGISTIC},
    "ntcp exposed": {"kind": "ntcp", "organ": "organ", "cap": 0.99, "exposures": EXPOSURES, **LKB},
    "ntcp eqd2": {
        "kind": "ntcp",
        "organ": "organ",
        "cap": 0.99,
        "dose": "eqd2",
        "alpha_beta_gy": 3.0,
        "exposures": EXPOSURES,
        **LOGISTIC,
    },
    "ntcp bins": {
        "kind": "ntcp",
        "organ": "organ",
        "cap": 0.99,
        "dose": "eqd2",
        "alpha_beta_gy": 3.0,
        "volume_exponent": 0.4,
        **LKB,
    },
}
LOAD_KINDS = tuple(LOOSE)
PRIOR: Raw = {"organ": "organ", "fractions": 20, "dose_gy": 1.2, "recovered": 0.2, "source": "test"}


def use_of_both(raw: Raw) -> float:
    """Use of a case's only limit when both sites are treated."""
    instance = build(raw)
    candidates = Candidates(instance)
    row = np.array([len(table.menu) - 1 for table in candidates.lesions])
    use = Judge(instance).evaluate(schedule_of(candidates, 0, row)).limits[0].use
    assert use is not None
    return use


def just_broken(
    kind: str, make: Make = rich_raw, prior: Raw | None = None, excess: float = 1.005, **more: float
) -> Instance:
    """A case with a limit that treating both sites exceeds by half a percent."""
    limit = {"name": "limit", **LOOSE[kind]}
    extra = {} if prior is None else {"prior_doses": [prior]}
    use = use_of_both(make((limit,)) | extra) / excess
    if kind == "alc":
        floor = 1.7 * float(np.exp(-use * np.log(1.7 / limit["floor_1e9_per_l"])))
        tight: Raw = {"floor_1e9_per_l": floor}
    elif kind == "dose_by_fractions":
        tight = {"limits_gy": [use * value for value in limit["limits_gy"]]}
    elif kind.startswith("ntcp"):
        ntcp = build(make((limit,))).limits[0]
        assert isinstance(ntcp, NtcpLimit)
        state = (True,) * len(ntcp.exposures)
        tight = {"cap": ntcp.probability(use * ntcp.cap_gy(state), state)}
    else:
        tight = {"cap_gy": use * limit["cap_gy"]}
    return build(make(({**limit, **tight, **more},)) | extra)


def damage_loads(monkeypatch: pytest.MonkeyPatch, kind: str, factor: float) -> None:
    """Multiply the loads of one kind of limit wherever the search reads them."""
    if kind == "alc":
        damage_function(monkeypatch, "alc_unit", lambda right: scaled(right, factor))
        return
    if kind == "edric":
        wrong = SimpleNamespace(edric=scaled(lymphocytes.edric, factor))
        monkeypatch.setattr(edric, "lymphocytes", wrong)
        return
    damage_function(monkeypatch, "menu_loads", lambda right: scaled(right, factor))
    damage_shared_days(monkeypatch, factor)


def damage_shared_days(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Multiply what days that lesions share add to loads of organs, of every kind."""
    for kind in kinds_of_limits().values():
        if "cross_factor" in vars(kind):
            right = vars(kind)["cross_factor"]
            monkeypatch.setattr(kind, "cross_factor", scaled(right, factor))
    monkeypatch.setattr(DailyDoseLoad, "_change", scaled(DailyDoseLoad._change, factor))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", LOAD_KINDS)
def test_a_load_one_percent_low_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str, case: str
) -> None:
    instance = just_broken(kind, CASES[case])
    right = solve(instance, gap=1e-4)
    assert right.evaluation is not None
    assert sum(lesion.fractions > 0 for lesion in right.evaluation.lesions) == 1
    damage_loads(monkeypatch, kind, 0.99)
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", LOAD_KINDS)
def test_the_agreement_test_notices_a_load(
    monkeypatch: pytest.MonkeyPatch, kind: str, case: str
) -> None:
    instance = just_broken(kind, CASES[case])
    assert disagreements(instance, seed=3)["feasibility"] == 0
    damage_loads(monkeypatch, kind, 0.99)
    assert disagreements(instance, seed=3)["feasibility"] > 0


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["bed", "mean_eqd2", "ntcp eqd2", "ntcp bins", "dose_volume eqd2"])
def test_a_term_of_shared_days_off_alone_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str, case: str
) -> None:
    instance = just_broken(kind, CASES[case])
    damage_shared_days(monkeypatch, 0.9)
    assert disagreements(instance, seed=3)["feasibility"] > 0
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)


NO_PRIOR = ("alc", "edric", "ntcp bins")  # doses given before have no bins, and are refused


@pytest.mark.parametrize("kind", [kind for kind in LOAD_KINDS if kind not in NO_PRIOR])
def test_a_prior_dose_one_percent_low_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    at_max = kind in ("bed", "dose_by_fractions") or kind.startswith("dose_volume")
    point = "max" if at_max else "mean"
    prior = {**PRIOR, "point": point, "second_moment_gy2": 2.0}
    instance = just_broken(kind, richer_raw, prior, excess=1.0005)
    assert disagreements(instance, seed=3)["feasibility"] == 0
    damage_function(monkeypatch, "prior_load", lambda right: scaled(right, 0.99))
    assert disagreements(instance, seed=3)["feasibility"] > 0
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)


@pytest.mark.parametrize("kind", ["ntcp exposed", "ntcp eqd2"])
def test_a_cap_of_exposed_patients_one_percent_high_is_rejected_by_the_judge(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    instance = just_broken(kind, richer_raw)
    right = limits.LimitTables.ntcp_ratio

    def wrong(self: limits.LimitTables, row: int, state: tuple[bool, ...]) -> float:
        return right(self, row, state) * (1.01 if any(state) else 1.0)

    monkeypatch.setattr(limits.LimitTables, "ntcp_ratio", wrong)
    assert disagreements(instance, seed=3)["feasibility"] > 0
    with pytest.raises(SolverError, match="judge rejects"):
        solve(instance, gap=1e-4)


@pytest.mark.parametrize("method", ["auto", "single"])
@pytest.mark.parametrize("factor", [0.99, 1.01])
@pytest.mark.parametrize("kind", LOAD_KINDS)
def test_the_cost_of_a_soft_limit_off_by_a_percent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, kind: str, factor: float, method: str
) -> None:
    instance = just_broken(kind, richer_raw, excess=1.3, penalty=0.01)
    right = solve(instance, gap=1e-4)
    assert right.evaluation is not None and right.evaluation.soft_cost > 1e-4
    damage_loads(monkeypatch, kind, factor)
    with pytest.raises(SolverError, match=r"claimed|disagree"):
        solve(instance, gap=1e-4, method="auto" if method == "auto" else "single")


@pytest.mark.parametrize("method", ["auto", "single"])
@pytest.mark.parametrize("quantity", ["doses", "irae_risk"])
def test_the_cost_of_a_plan_off_by_a_percent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, quantity: str, method: str
) -> None:
    limit: Raw = {"name": "soft", "kind": "drug", "drug": "durvalumab", "quantity": quantity}
    raw = richer_raw(({**limit, "cap": 0.05, "penalty": 0.1},))
    raw["drugs"]["durvalumab"] = {"use": "durvalumab", "irae_risk_per_dose": 0.1}
    instance = build(raw)
    assert disagreements(instance, seed=3)["value"] == 0
    damage_function(monkeypatch, "plan_cost", lambda right: scaled(right, 1.01))
    assert disagreements(instance, seed=3)["value"] > 0
    with pytest.raises(SolverError, match=r"claimed|disagree"):
        solve(instance, gap=1e-4, method="auto" if method == "auto" else "single")
