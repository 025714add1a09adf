"""The Pyomo programme, the arrays HiGHS receives, and the two ways to solve."""

from __future__ import annotations

import ast
import inspect
import itertools
import tomllib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from plain_cases import (
    CITED,
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
from pyomo.repn import generate_standard_repn
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from abscopt.instances import build as instance_of
from abscopt.instances import load
from abscopt.instances.load import CASES
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import offered
from abscopt.optimizer.candidates.systemic.flows import flows_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Matrix, solve_matrix
from abscopt.optimizer.programme import build as building
from abscopt.optimizer.programme import refining, single
from abscopt.optimizer.programme.arrays import linear
from abscopt.optimizer.programme.arrays.matrix import matrix_of, value_at
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.constraints import (
    choice,
    flow,
    logistics,
    organs,
    outcome,
    pairs,
    value,
)
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.programme.data import data_of
from abscopt.optimizer.programme.refinement import Cut, first_refinement
from abscopt.optimizer.progress import Clock, Stopped
from abscopt.optimizer.search.uniform.fixing import reduced

FAMILIES = {
    "choice": choice,
    "flow": flow,
    "logistics": logistics,
    "organs": organs,
    "outcome": outcome,
    "pairs": pairs,
    "value": value,
}
LISTED = ("organs", "logistics")
"""Families whose constraints are in a tuple `STATED`."""


def called_by_build() -> list[tuple[str, str]]:
    """(module, function) of every constraint that `build` calls, or states from a list."""
    calls = (
        node.func
        for node in ast.walk(ast.parse(inspect.getsource(building)))
        if isinstance(node, ast.Call)
        and [argument.id for argument in node.args[:2] if isinstance(argument, ast.Name)]
        == ["model", "data"]
    )
    named = [
        (call.value.id, call.attr)
        for call in calls
        if isinstance(call, ast.Attribute)
        and isinstance(call.value, ast.Name)
        and call.value.id in FAMILIES
    ]
    return named + [(key, one.__name__) for key in LISTED for one in FAMILIES[key].STATED]


def almost_everything(objective: str) -> Raw:
    """Two free lesions, two uniform ones and an occult one under every kind of limit."""
    loss = {"lymphocyte_loss_per_fraction": 0.07, "integral_dose_cm3": 400.0}
    sparing = {
        "organ": {"max": 0.5, "mean": 0.2, "second_moment": 0.08},
        "lungs": {"mean": 0.1},
        "heart": {"mean": 0.05},
    }
    daily = sparing | {"cord": {"max": {"days": [0, 1, 2], "values": [0.6, 0.4, 0.5]}}}
    several: Raw = {"clones": [{"name": "a", "share": 0.9}, {"name": "b", "share": 0.1}]}
    ways: Raw = {"techniques": [{"name": "wide"}, {"name": "narrow", "irradiated_share": 0.8}]}
    if objective == "tumor_bed":
        several, ways = {}, {}
    lesions = [
        lesion(
            "free",
            course=free([0, 1, 2], [4.0, 7.0], max_fractions=2),
            growth_doubling_time_days=60.0,
            repopulation_doubling_time_days=3.0,
            kick_off_days=1.0,
            immunogenicity=1.0,
            effector_share=0.1,
            precursor_share=0.1,
            effector_kill_per_fraction=0.2,
            sparing=daily,
            **several,
            **loss,
        ),
        lesion("second", course=free([1, 3], [5.0]), sparing=sparing, effector_share=0.1, **loss),
        lesion(
            "uniform",
            immunogenicity=1.0,
            effector_share=0.3,
            precursor_share=0.4,
            effector_kill_per_fraction=0.1,
            course=uniform([1, 3], [6.0, 8.0], last_start_day=2, interval_days=[1, 2]),
            sparing=sparing,
            **several,
            **ways,
            **loss,
        ),
        lesion(
            "other",
            immunogenicity=1.0,
            effector_share=0.2,
            precursor_share=0.2,
            repopulation_doubling_time_days=4.0,
            course=uniform([2], [5.0, 9.0]),
            sparing=sparing,
            **loss,
        ),
        {
            "use": "plain_lq",
            "name": "occult",
            "organ": "test",
            "irradiable": False,
            "clonogens": 4,
            "effector_share": 0.3,
            "precursor_share": 0.3,
        },
    ]
    pneumonitis = {
        "organ": "lungs",
        "model": "logistic",
        "intercept": -3.87,
        "slope_per_gy": 0.9,
        "cap": 0.2,
        "exposures": [
            {"drugs": "chemotherapy", "days_before": 5, "days_after": 5, "odds_ratio": 1.6},
            {"drugs": "checkpoint_inhibitor", "days_before": 5, "days_after": 5, "risk_ratio": 2},
        ],
    }
    limits = [
        bed_limit(60.0, organ="cord"),
        limit("mean", "mean", organ="organ", cap_gy=12.0),
        limit("mean_eqd2", "eqd2", organ="organ", alpha_beta_gy=3.0, cap_gy=11.0, penalty=3.0),
        limit(
            "dose_by_fractions", "table", organ="organ", fractions=[1, 5], limits_gy=[12.0, 25.0]
        ),
        limit("ntcp", "pneumonitis", **pneumonitis),
        limit("alc", "alc", floor_1e9_per_l=0.9),
        limit("edric", "edric", cap_gy=1.5),
        limit("drug", "drug", drug="sensitizer", quantity="doses", cap=1, penalty=0.3),
        limit("logistics", "lesions", quantity="lesions", cap=3, floor=1),
        limit("logistics", "visits", quantity="visits", cap=4),
        limit("logistics", "per_day", quantity="lesions_per_day", cap=2, last_day=5),
        limit("logistics", "overall", quantity="overall_days", cap=5, penalty=1.0),
        limit("logistics", "machine", quantity="machine_days", cap=6, first_day=1),
        limit("logistics", "gap", quantity="course_gap_days", floor=1),
    ]
    sensitizer = {
        "kind": "chemotherapy",
        "sensitizer_enhancement_ratio": 1.2,
        "sensitizing_days": 3,
        "lymphocyte_log_loss_per_dose": 0.05,
    }
    weekly = {
        "cycle_days": 7,
        "max_cycles": 3,
        "doses": [{"drug": "sensitizer", "day": 0, "amount": 40, "unit": "mg"}],
    }
    organ = {"use": "generic_late", "sensitizer_enhancement_ratio": 1.1}
    prior = {"organ": "cord", "point": "max", "fractions": 5, "dose_gy": 2.0, "source": "test"}
    return plain_case(
        lesions,
        limits,
        horizon_days=[12, 28],
        objective=objective,
        immune={"use": "default", "burden_limit_cm3": 2.0},
        calendar=EVERY_DAY,
        organs=dict.fromkeys(("organ", "lungs", "heart", "cord"), organ),
        prior_doses=[prior],
        cross_second_moments=[{"organ": "organ", "lesions": ["free", "uniform"], "value": 0.07}],
        drugs={"sensitizer": sensitizer | CITED},
        regimens={"weekly": weekly | CITED},
        agents=[
            {
                "name": "chemo",
                "regimens": ["weekly"],
                "first_start_day": 0,
                "last_start_day": 1,
                "cycles": 2,
                "max_days_before_radiation": 1,
            },
            {
                "name": "pembrolizumab",
                "regimens": ["pembrolizumab-200-q3w"],
                "first_start_day": 2,
                "last_start_day": 6,
                "start_step_days": 4,
                "min_days_after_radiation": 1,
                "max_days_after_radiation": 4,
            },
        ],
    )


def data_for(objective: str) -> Any:
    """What the constraints read, with one excluded set as a refinement would add it."""
    candidates = Candidates(instance_of(almost_everything(objective)))
    columns = columns_of(candidates)
    active = tuple(flows_of(candidates, columns))
    refinement = first_refinement(candidates.instance, columns, active)
    plans = tuple(range(len(candidates.plans)))
    cuts = (
        Cut(plans, ((1, 2), (9,))),
        Cut(plans[:1], ((1,), (9,)), limit=2, excess=0.25),
    )
    return data_of(candidates, columns, replace(refinement, cuts=cuts))


OBJECTIVES = ("default", "log_control", "expected_control", "log_kill", "tumor_bed")


@pytest.fixture(scope="module", params=OBJECTIVES)
def model(request: pytest.FixtureRequest) -> Any:
    """Programme of the case that uses almost everything."""
    return build(data_for(request.param))


Row = tuple[str, str, tuple[tuple[int, str], ...]]  # side, right-hand side, (column, coefficient)


def digits(value: float) -> str:
    return f"{value + 0.0:.11g}"


def one_sided(terms: dict[int, float], lower: float | None, upper: float | None) -> list[Row]:
    """A row as one or two inequalities that can be compared."""
    body = tuple(sorted((j, digits(a)) for j, a in terms.items() if a != 0))
    sides = (("at least", lower), ("at most", upper))
    return [
        (side, digits(right), body)
        for side, right in sides
        if right is not None and np.isfinite(right)
    ]


def rows_of_model(model: Any, position: dict[int, int]) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for row in model.component_data_objects(pyo.Constraint, active=True):
        body = generate_standard_repn(row.body)
        assert body.is_linear()
        terms: defaultdict[int, float] = defaultdict(float)
        for variable, factor in zip(body.linear_vars, body.linear_coefs, strict=True):
            terms[position[id(variable)]] += float(factor)
        sides = [
            None if side is None else pyo.value(side) - body.constant
            for side in (row.lower, row.upper)
        ]
        found.update(one_sided(dict(terms), *sides))
    return found


def rows_of_matrix(matrix: Matrix) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for i, (start, end) in enumerate(itertools.pairwise(matrix.start.tolist())):
        terms = dict(
            zip(matrix.index[start:end].tolist(), matrix.value[start:end].tolist(), strict=True)
        )
        assert len(terms) == end - start
        found.update(one_sided(terms, float(matrix.row_lower[i]), float(matrix.row_upper[i])))
    return found


def test_arrays_are_those_of_the_whole_compiler(model: Any) -> None:
    matrix, position = matrix_of(model)
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    rows = form.A.tocsr()
    assert position == {id(column): place for place, column in enumerate(form.columns)}
    assert matrix.start.tolist() == rows.indptr.tolist()
    assert matrix.index.tolist() == rows.indices.tolist()
    assert matrix.value.tolist() == rows.data.tolist()
    assert matrix.cost.tolist() == form.c.todense().tolist()[0]


def test_arrays_hold_the_rows_of_the_programme(model: Any) -> None:
    matrix, position = matrix_of(model)
    expected, given = rows_of_model(model, position), rows_of_matrix(matrix)
    assert sum(expected.values()) > 100
    assert expected - given == Counter()
    assert given - expected == Counter()


def test_arrays_hold_the_bounds_and_integrality_of_the_programme(model: Any) -> None:
    matrix, position = matrix_of(model)
    known = {
        position[id(v)]: v
        for v in model.component_data_objects(pyo.Var, active=True)
        if id(v) in position
    }
    assert sorted(known) == list(range(len(matrix.cost)))
    for column, variable in known.items():
        low, high = variable.bounds
        assert matrix.lower[column] == (-np.inf if low is None else low)
        assert matrix.upper[column] == (np.inf if high is None else high)
        assert bool(matrix.integer[column]) == (not variable.is_continuous())


def test_arrays_hold_the_objective_of_the_programme(model: Any) -> None:
    matrix, position = matrix_of(model)
    assert model.objective.sense == pyo.maximize
    goal = generate_standard_repn(model.objective.expr)
    assert goal.is_linear()
    cost = np.zeros(len(matrix.cost))
    for variable, factor in zip(goal.linear_vars, goal.linear_coefs, strict=True):
        cost[position[id(variable)]] += factor
    assert matrix.cost == pytest.approx(cost, rel=1e-12)
    assert matrix.offset == pytest.approx(goal.constant)


def test_bounds_are_moderate_or_absent(model: Any) -> None:
    """HiGHS misjudges feasibility with large dummy bounds and large big-M coefficients."""
    matrix, _ = matrix_of(model)
    bounds = np.concatenate([matrix.lower, matrix.upper])
    assert np.abs(bounds[np.isfinite(bounds)]).max() <= 1e5
    assert np.abs(matrix.value).max() <= 1e4


def test_a_stop_within_a_rule_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Pyomo logs to stdout that a rule failed, as it does elsewhere; that is our data channel."""

    def stopped(model: Any) -> Any:
        raise Stopped

    def state() -> None:
        model = pyo.ConcreteModel()
        model.row = pyo.Constraint(rule=stopped)

    with pytest.raises(Stopped), linear.building():
        state()
    assert caplog.text == ""
    with pytest.raises(Stopped):
        state()
    assert "Rule failed" in caplog.text


def test_every_family_has_a_formula_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def wrapper(model: Any, data: Any, *more: Any) -> None:
            before = len(list(model.component_data_objects(pyo.Constraint)))
            function(model, data, *more)
            rows[name] += len(list(model.component_data_objects(pyo.Constraint))) - before

        return wrapper

    families = called_by_build()
    assert len(families) >= 15
    for module, name in families:
        function = getattr(FAMILIES[module], name)
        assert len(inspect.getdoc(function) or "") > 20, name
        monkeypatch.setattr(FAMILIES[module], name, counted(name, function))
    for key in LISTED:
        stated = tuple(getattr(FAMILIES[key], one.__name__) for one in FAMILIES[key].STATED)
        monkeypatch.setattr(FAMILIES[key], "STATED", stated)
    for objective in OBJECTIVES:
        build(data_for(objective))
    raw = uniform_case("default")
    rates = {"rate_per_day": 0.01, "reference_cm3": 20.0, "exponent": 1.0}
    raw["limits"].append(limit("new_sites", "seeded", cap=5.0, **rates))
    raw["limits"].append(
        limit("one_plan", "plan", lesions=[lesion["name"] for lesion in raw["lesions"][:2]])
    )
    build(paired_data(raw))
    assert {name for _, name in families} == {name for name, count in rows.items() if count}


def paired_data(raw: Raw) -> Any:
    """What the constraints read where courses and plans are chosen as pairs."""
    candidates = Candidates(instance_of(raw))
    kept = offered(candidates)
    columns = columns_of(candidates, kept=kept)
    return data_of(candidates, columns, refining.first(candidates, columns, kept), kept)


def test_arrays_hold_the_rows_of_the_programme_of_pairs() -> None:
    model = build(paired_data(uniform_case("default")))
    matrix, position = matrix_of(model)
    expected, given = rows_of_model(model, position), rows_of_matrix(matrix)
    assert expected == given
    assert np.abs(matrix.value).max() <= 1e4


def test_every_public_function_of_the_families_is_called_or_shared() -> None:
    """A constraint that is written but never built would be a silent wrong answer."""
    called = {name for _, name in called_by_build()}
    for module in FAMILIES.values():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            takes = list(inspect.signature(function).parameters)
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and takes == ["model", "data"]:
                assert name in called
    assert inspect.getdoc(building.worth)


# the programme at one schedule: never below the judge, and equal to it once refined


def richer(objective: str, seed: int) -> Raw:
    """The case of almost everything with half of its limits and stronger effects."""
    random, raw = np.random.default_rng(seed), almost_everything(objective)
    raw["limits"] = [one for one in raw["limits"] if random.random() < 0.5]
    if all(one.get("organ") != "cord" for one in raw["limits"]):
        raw["prior_doses"] = []
    raw["immune"] |= {
        "gate_low_gy": 4.0,
        "clearance_per_day": 0.6,
        "priming_delay_days": 1,
        "effect_per_effector": 0.4,
        "suppression_above_gy": 5.0,
        "suppression_per_gy": 0.1,
    }
    organs: Raw = raw["organs"]
    raw["organs"] = {name: one | {"repair_half_time_hours": 3.0} for name, one in organs.items()}
    if objective == "tumor_bed":
        return raw
    first, uniform_one = raw["lesions"][0], raw["lesions"][2]
    first["oxygen_modification_factor"] = 1.2
    uniform_one |= {
        "oxygen_modification_factor": 1.4,
        "reoxygenation_days": 3.0,
        "repair_half_time_hours": 2.0,
    }
    uniform_one["course"]["also"] = [
        {"fractions": [2, 4], "doses_gy": [2.0, 4.0], "fractions_per_day": 2}
    ]
    uniform_one["techniques"][0] |= {
        "sparing": {"organ": {"max": 0.3, "mean": 0.1, "second_moment": 0.03}},
        "node_factor": 0.5,
        "lymphocyte_loss_per_fraction": 0.02,
    }
    raw["drugs"]["sensitizer"] |= {
        "cytotoxic_log_kill_per_dose": 0.4,
        "precursor_log_loss_per_dose": 0.3,
    }
    return raw


def some_choice(random: np.random.Generator, data: Any) -> tuple[list[int], int]:
    """Columns and a plan, with few fractions, at random."""
    picked = []
    for (_, day), members in sorted(data.choices.items()):
        given = random.random() < (0.3 if day >= 0 else 0.5)
        if day < 0 or given:
            picked.append(members[int(random.integers(len(members)))] if given else members[0])
    return picked, int(random.integers(data.plans))


def values_at(candidates: Candidates, picked: list[int], plan: int) -> list[float]:
    """Objective of the programme at one schedule, refined there; empty if it is excluded."""
    judge, columns = Judge(candidates.instance), columns_of(candidates)
    active = tuple(flows_of(candidates, columns))
    refinement = first_refinement(candidates.instance, columns, active)
    verdict = judge.evaluate(schedule_of(candidates, columns, picked, plan))
    found: list[float] = []
    while True:
        data = data_of(candidates, columns, refinement)
        model = build(data)
        for j, variable in model.x.items():
            variable.setlb(picked.count(j))
            variable.setub(picked.count(j))
        for b, (owner, _, _) in enumerate(refinement.bands):
            model.y[b].setub(int(owner == plan))
        matrix, position = matrix_of(model)
        outcome = solve_matrix(matrix)
        if outcome.ending == "infeasible":
            return []
        assert outcome.objective is not None and outcome.x is not None
        found.append(outcome.objective)
        excess = {i: value_at(model.excess[i], position, outcome.x) for i in model.excess}
        refined = refining.refined(candidates, judge, data, picked, plan, verdict, excess)
        if refined == refinement:
            return found
        refinement = refined


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", [2])
def test_programme_meets_the_judge_at_any_schedule(objective: str, seed: int) -> None:
    candidates = Candidates(instance_of(richer(objective, seed)))
    columns, judge = columns_of(candidates), Judge(candidates.instance)
    data = data_of(candidates, columns, first_refinement(candidates.instance, columns, ()))
    random, feasible = np.random.default_rng(seed), 0
    for _ in range(6):
        picked, plan = some_choice(random, data)
        verdict = judge.evaluate(schedule_of(candidates, columns, picked, plan))
        values = values_at(candidates, picked, plan)
        assert bool(values) == verdict.feasible
        if verdict.feasible:
            feasible += 1
            assert min(values) >= verdict.objective - 1e-7
            assert values[-1] == pytest.approx(verdict.objective, abs=2e-5)
    assert feasible >= 2


# every term of uniform courses against enumeration by the judge


def uniform_case(objective: str, **more: Any) -> Raw:
    """Two small lesions with systemic effect and one drug, two limits."""
    shared = {
        "immunogenicity": 1.0,
        "lymphocyte_loss_per_fraction": 0.04,
        "effector_kill_per_fraction": 0.1,
    }
    sparing = {"organ": {"max": 0.6, "mean": 0.3, "second_moment": 0.15}}
    lesions = [
        lesion(
            "one",
            clonogens=2e4,
            effector_share=0.5,
            precursor_share=0.4,
            course=uniform([1, 2], [4.0, 7.0], last_start_day=2),
            sparing=sparing,
            **shared,
        ),
        lesion(
            "two",
            clonogens=500,
            weight=0.7,
            effector_share=0.4,
            precursor_share=0.6,
            course=uniform([2], [3.0, 6.0], last_start_day=3, interval_days=[1, 2]),
            sparing=sparing,
            **shared,
        ),
    ]
    agent = {
        "name": "pembrolizumab",
        "regimens": ["pembrolizumab-200-q3w"],
        "first_start_day": 0,
        "last_start_day": 6,
        "start_step_days": 6,
    }
    strong = {"effect_per_effector": 0.4, "clearance_per_day": 0.6, "priming_delay_days": 1}
    return (
        plain_case(
            lesions,
            [bed_limit(55.0), *more.pop("limits", [])],
            horizon_days=[10, 18],
            objective=objective,
            calendar=EVERY_DAY,
            immune={"use": "default"} | strong | more.pop("immune", {}),
            agents=[agent, *more.pop("agents", [])],
        )
        | more
    )


SHARES = [{"name": "a", "share": 0.97, "effector_share_factor": 1.4}]
SHARES += [{"name": "b", "share": 0.03, "alpha_per_gy": 0.2, "effector_share_factor": 0.2}]


def clones_and_techniques(objective: str = "default") -> Raw:
    raw = uniform_case(objective)
    first, second = raw["lesions"]
    first |= {"clones": SHARES, "techniques": [{"name": "wide"}, {"name": "half"}]}
    first["techniques"][1] |= {"irradiated_share": {"a": 0.9}, "sparing": {"organ": {"max": 0.3}}}
    second |= {"clones": SHARES}
    return raw


def burden_rule(objective: str, limit_cm3: float, blockade: float) -> Raw:
    """Only one of the two lesions can be made small enough for its credit."""
    rule = {"burden_limit_cm3": limit_cm3, "burden_blockade": blockade}
    raw = uniform_case(objective, immune=rule)
    raw["limits"][0]["cap_gy"] = 42.0
    return raw


def drug(**fields: Any) -> Raw:
    once = {"drug": "drug", "day": 0, "amount": 40, "unit": "mg"}
    timing = {"first_start_day": 0, "last_start_day": 2, "start_step_days": 2}
    return {
        "drugs": {"drug": {"kind": "chemotherapy"} | fields | CITED},
        "regimens": {"cycle": {"cycle_days": 20, "max_cycles": 1, "doses": [once]} | CITED},
        "agents": [{"name": "chemo", "regimens": ["cycle"]} | timing],
    }


def sensitizing() -> Raw:
    raw = uniform_case(
        "default",
        **drug(sensitizer_enhancement_ratio=1.4, sensitizing_days=2),
        limits=[limit("mean_eqd2", "eqd2", organ="organ", alpha_beta_gy=3.0, cap_gy=9.0)],
    )
    raw["organs"] = {"organ": {"use": "generic_late", "sensitizer_enhancement_ratio": 1.5}}
    return raw


def exposed(penalty: float | None) -> Raw:
    chemo = {"drugs": "chemotherapy", "days_before": 1, "days_after": 1, "odds_ratio": 3.0}
    other = {"drugs": "checkpoint_inhibitor", "days_before": 2, "days_after": 2, "risk_ratio": 1.5}
    fields = {"model": "lkb", "td50_gy": 9.0, "m": 0.5, "exposures": [chemo, other], "cap": 0.25}
    soft = {} if penalty is None else {"penalty": penalty}
    return uniform_case(
        "default",
        **drug(cytotoxic_log_kill_per_dose=2.0),
        limits=[limit("ntcp", "ntcp", organ="organ", **fields, **soft)],
    )


def soft_limits() -> Raw:
    raw = uniform_case(
        "log_control",
        limits=[
            limit("dose_by_fractions", "table", organ="organ", fractions=[1, 3],
                  limits_gy=[8.0, 10.0], penalty=0.9),
            limit("logistics", "visits", quantity="visits", cap=1, penalty=0.2),
            limit("alc", "alc", floor_1e9_per_l=1.5, penalty=1.0),
            limit("drug", "drug", drug="pembrolizumab", quantity="doses", cap=0.5, penalty=0.1),
        ],
    )  # fmt: skip
    raw["limits"][0] |= {"penalty": 2.0}
    return raw


def rules() -> Raw:
    raw = uniform_case(
        "default",
        limits=[
            limit("logistics", "gap", quantity="course_gap_days", floor=2),
            limit("logistics", "machine", quantity="machine_days", cap=3),
            limit("logistics", "window", quantity="visits", cap=1, first_day=2, last_day=4),
        ],
        prior_doses=[
            {"organ": "organ", "point": "max", "fractions": 2, "dose_gy": 2.0, "recovered": 0.3,
             "source": "test"}
        ],
    )  # fmt: skip
    raw["agents"][0] |= {"max_days_before_radiation": 1, "optional": False}
    return raw


SMALL_TERMS = {
    "default": lambda: uniform_case("default"),
    "log_control": lambda: uniform_case("log_control"),
    "log_kill": lambda: uniform_case("log_kill"),
    "expected_control": lambda: uniform_case("expected_control"),
    "clones_and_techniques": clones_and_techniques,
    "expected_clones": lambda: (
        clones_and_techniques() | {"objective": {"kind": "expected_control"}}
    ),
    "burden_rule": lambda: burden_rule("default", 0.02, 0.0),
    "burden_rule_of_plan": lambda: burden_rule("log_kill", 0.006, 0.8),
    "sensitizing": sensitizing,
    "exposed": lambda: exposed(None),
    "exposed_soft": lambda: exposed(0.4),
    "soft_limits": soft_limits,
    "rules": rules,
}


@pytest.mark.parametrize("name", SMALL_TERMS)
def test_programme_is_the_best_of_all_schedules(name: str) -> None:
    raw, gap = SMALL_TERMS[name](), 1e-4
    instance, best = instance_of(raw), best_of_all(raw)
    assert best is not None
    candidates = Candidates(instance)
    for kept in (None, reduced(candidates, gap, 0, Clock(None, None))[0]):
        answer = single.solve_single(
            candidates, Judge(instance), gap, 0, 1, Clock(None, None), kept=kept
        )
        assert answer.bound is not None
        assert best - gap <= answer.value <= best + 1e-9
        assert best - 1e-9 <= answer.bound <= best + gap + 1e-9


# one MILP and the search give the same optimum


def reduced_pembro(**changes: Any) -> Raw:
    """The case pembro-rt with a coarse menu."""
    raw: Raw = tomllib.loads((CASES / "pembro-rt.toml").read_text(encoding="utf-8"))
    raw["horizon_days"] = [42, 84]
    for one in raw["lesions"]:
        if "course" in one:
            one["course"] |= {
                "fractions": [1, 3],
                "doses_gy": [6, 8, 10, 12],
                "last_start_day": 14,
                "start_step_days": 7,
                "interval_days": [2],
            }
    raw["agents"][0] |= {"last_start_day": 28, "start_step_days": 14}
    raw.pop("standard")
    return raw | changes


def two_sites(raw: Raw) -> Raw:
    raw["limits"] = [entry for entry in raw["limits"] if entry.get("name") != "one_site"]
    raw["limits"].append(limit("logistics", "two_sites", quantity="lesions", cap=2))
    return raw


SMALL = {
    "toy-blockade": lambda: load("toy-blockade"),
    "toy-fractionation": lambda: load("toy-fractionation"),
    "toy-two-lesions": lambda: load("toy-two-lesions"),
    "pembro": lambda: instance_of(reduced_pembro()),
    "pembro-two-sites": lambda: instance_of(two_sites(reduced_pembro())),
    "pembro-bed": lambda: instance_of(reduced_pembro(objective={"kind": "tumor_bed"})),
}


@pytest.mark.parametrize("name", SMALL)
def test_both_methods_agree(name: str) -> None:
    instance, gap = SMALL[name](), 1e-3
    search = solve(instance, gap=gap)
    programme = solve(instance, gap=gap, method="single")
    assert search.status == programme.status == "optimal"
    assert search.objective is not None
    assert programme.objective is not None
    assert abs(search.objective - programme.objective) <= gap * (1 + 1e-6)
    assert search.bound is not None
    assert programme.bound is not None
    assert search.bound >= programme.objective - 1e-9
    assert programme.bound >= search.objective - 1e-9
