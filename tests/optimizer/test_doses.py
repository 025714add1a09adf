"""Doses of drugs: effects follow the milligrams given, and what is not known is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import plain_cases as plain
import pytest
from brute_force import enumerate_by_judge

from abscopt.instances import InputError, build, load
from abscopt.instances.regimens import dose_in_mg, relative_dose
from abscopt.instances.schema import Instance
from abscopt.models.tumor import chemotherapy
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.systemic.plans import enumerate_plans, plan_effects
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.pipeline import Method
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule, read_schedule

Raw = dict[str, Any]

AUC_2 = 2 * (90 + 25)
"""mg of carboplatin, Calvert, at the GFR that a case has unless it says more."""
EVERYTHING = {
    "kind": "chemotherapy",
    "sensitizer_enhancement_ratio": 1.4,
    "sensitizing_days": 3,
    "cytotoxic_log_kill_per_dose": 0.6,
    "lymphocyte_log_loss_per_dose": 0.1,
    "precursor_log_loss_per_dose": 0.3,
    **plain.CITED,
}


def with_regimens(amounts: dict[str, tuple[float, str]], drug: str, **tables: Any) -> Raw:
    """One lesion, 3 x 6 Gy or nothing, and one agent with a regimen for each amount."""
    tumor = plain.lesion(
        course=plain.uniform([3], [6]),
        sparing={"organ": {"max": 0.5}},
        immunogenicity=1.0,
        effector_share=0.5,
        precursor_share=0.5,
    )
    regimens = {
        name: {
            "cycle_days": 7,
            "max_cycles": 2,
            "doses": [{"drug": drug, "day": 0, "amount": amount, "unit": unit}],
            **plain.CITED,
        }
        for name, (amount, unit) in amounts.items()
    }
    agent = {"name": "drug", "regimens": list(amounts), "first_start_day": 0, "last_start_day": 0}
    return plain.plain_case(
        [tumor],
        [plain.limit("alc", "alc", floor_1e9_per_l=0.5)],
        horizon_days=[30],
        objective="log_kill",
        immune={"use": "default", "effect_per_effector": 0.4},
        regimens=regimens,
        agents=[agent],
        **tables,
    )


def carboplatin(amount: float, unit: str) -> Instance:
    return build(with_regimens({"r": (amount, unit)}, "carboplatin"))


def given(instance: Instance, milligrams: float, drug: str = "carboplatin") -> Schedule:
    fractions = [Fraction(day, "tumor", 6.0, 0, "") for day in range(3)]
    return Schedule.of(fractions, [Infusion(0, drug, milligrams)])


@pytest.mark.parametrize(
    ("milligrams", "relative"), [(1.0, 1 / AUC_2), (AUC_2, 1.0), (3 * AUC_2, 3.0)]
)
def test_carboplatin_acts_in_proportion_to_its_dose(milligrams: float, relative: float) -> None:
    """1 mg is not AUC 6: SER 1 + 0.14 f for three fractions of 6 Gy, lymphocytes -0.05 f nat."""
    instance = carboplatin(2, "auc")
    verdict = evaluate(instance, given(instance, milligrams))
    assert verdict.lesions[0].bed_gy == pytest.approx(3 * (6 * (1 + 0.14 * relative) + 3.6))
    plain_loss = evaluate(instance, given(instance, 1e-9)).lymphocytes["effect_log_loss"]
    lost = verdict.lymphocytes["effect_log_loss"] - plain_loss
    assert lost == pytest.approx(0.05 * relative, abs=1e-9)


def test_every_effect_per_dose_is_scaled() -> None:
    raw = with_regimens({"r": (100.0, "mg")}, "x", drugs={"x": EVERYTHING})
    instance = build(raw)
    half, whole = (
        systemic_state(instance, (Infusion(0, "x", milligrams),)) for milligrams in (50.0, 100.0)
    )
    assert [whole.sensitizer[0], half.sensitizer[0]] == pytest.approx([1.4, 1.2])
    assert whole.chemotherapy_log_loss == pytest.approx(2 * half.chemotherapy_log_loss)
    assert whole.precursor_survival[0] == pytest.approx(math.exp(-0.3))
    assert half.precursor_survival[0] == pytest.approx(math.exp(-0.15))
    local = [
        evaluate(instance, Schedule.of([], [Infusion(0, "x", mg)] if mg else [])).lesions[0]
        .log_burden[0] + systemic(instance, mg)
        for mg in (0.0, 50.0, 100.0)
    ]  # fmt: skip
    assert local[0] - local[1] == pytest.approx(0.3)
    assert local[0] - local[2] == pytest.approx(0.6)


def systemic(instance: Instance, milligrams: float) -> float:
    """Systemic log kill that the lesion feels without radiation."""
    doses = [Infusion(0, "x", milligrams)] if milligrams else []
    verdict = evaluate(instance, Schedule.of([], doses))
    return 0.5 * float(verdict.immune["systemic_effect_nats"][0])


def test_equivalent_bed_is_scaled() -> None:
    drug = {"kind": "chemotherapy", "equivalent_bed_gy_per_dose": 2.0, "sensitizing_days": 3}
    raw = with_regimens({"r": (100.0, "mg")}, "x", drugs={"x": drug | plain.CITED})
    instance = build(raw)
    beds = [evaluate(instance, given(instance, mg, "x")).lesions[0].bed_gy for mg in (25.0, 100.0)]
    assert beds == pytest.approx([28.8 + 0.5, 28.8 + 2.0])


@pytest.mark.parametrize("drug", ["pembrolizumab", "ipilimumab", "relatlimab"])
def test_checkpoint_inhibitors_act_by_their_dose(drug: str) -> None:
    """Dose, concentration, occupancy: 1 mg does next to nothing, more does more."""
    instance = build(with_regimens({"r": (200.0, "mg")}, drug))
    states = [systemic_state(instance, (Infusion(0, drug, mg),)) for mg in (1e-6, 1.0, 200.0)]
    none = systemic_state(instance, ())
    for name in ("occupancy", "mobilization", "priming_factor", "effect_factor"):
        values = [getattr(state, name)[0] for state in states]
        assert values[0] == pytest.approx(getattr(none, name)[0], abs=1e-5)
        assert values == sorted(values)
    strength = [s.effect_factor[0] * s.priming_factor[0] * s.mobilization[0] for s in states]
    assert strength[0] < strength[1] < strength[2]


@pytest.mark.parametrize("method", ["auto", "single"])
def test_plans_of_different_doses_are_told_apart(method: Method) -> None:
    """The optimum over four doses of one drug is that of enumeration by the judge."""
    amounts = {f"r{mg:g}": (mg, "mg") for mg in (50.0, 75.0, 100.0, 300.0)}
    drug = EVERYTHING | {"reference_doses": [{"amount": 75.0, "unit": "mg"}]}
    instance = build(with_regimens(amounts, "x", drugs={"x": drug}))
    found = enumerate_by_judge(instance, Judge(instance))
    result = solve(instance, gap=1e-6, method=method)
    assert result.objective == pytest.approx(found.best, abs=2e-6)
    assert len({round(value, 6) for value in found.objectives.values()}) == len(found.objectives)


def test_tables_and_judge_scale_alike() -> None:
    amounts = {f"r{mg:g}": (mg, "mg") for mg in (50.0, 100.0)}
    drug = EVERYTHING | {"reference_doses": [{"amount": 80.0, "unit": "mg"}]}
    instance = build(with_regimens(amounts, "x", drugs={"x": drug}))
    plans = enumerate_plans(instance)
    effects = plan_effects(instance, plans)
    for row, plan in enumerate(plans):
        doses = tuple(Infusion(day, name, mg) for name, day, mg in plan.doses)
        state = systemic_state(instance, doses)
        assert effects.sensitizer[row] == pytest.approx(state.sensitizer)
        assert effects.precursor_survival[row] == pytest.approx(state.precursor_survival)
        assert effects.chemotherapy_log_loss[row] == pytest.approx(state.chemotherapy_log_loss)
    assert len(set(effects.group.tolist())) == len(plans)


def test_a_free_course_feels_the_dose_of_a_cytotoxic_drug() -> None:
    drug = {"kind": "chemotherapy", "cytotoxic_log_kill_per_dose": 0.6, **plain.CITED}
    drug["reference_doses"] = [{"amount": 100.0, "unit": "mg"}]
    raw = with_regimens({"r": (50.0, "mg")}, "x", drugs={"x": drug})
    raw["lesions"][0]["course"] = plain.free([0, 1], [6])
    raw["agents"][0]["optional"] = False
    columns = columns_of(Candidates(build(raw)))
    assert columns.constant_local[0, 0, 0, 0] == pytest.approx(
        math.log(build(raw).lesions[0].clonogen_number) - 2 * 0.3
    )


def test_between_two_reference_doses_the_effect_is_the_same() -> None:
    assert chemotherapy.relative_dose(60.0, 50.0, 75.0) == 1.0
    assert chemotherapy.relative_dose(40.0, 50.0, 75.0) == 0.8
    assert chemotherapy.relative_dose(100.0, 50.0, 75.0) == pytest.approx(4 / 3)


@pytest.mark.parametrize("name", ["stage3-crt", "hfrt-crt", "nodes-or-not"])
def test_the_bundled_regimens_give_reference_doses(name: str) -> None:
    """So their results are those of effects that do not depend on the dose."""
    instance = load(name)
    chemo = [
        (dose.drug, dose_in_mg(dose.amount, dose.unit, instance.patient))
        for regimen in instance.regimens.values()
        for dose in regimen.doses
        if instance.drugs[dose.drug].kind == "chemotherapy"
    ]
    assert chemo
    assert {relative_dose(instance, drug, milligrams) for drug, milligrams in chemo} == {1.0}


def told(raw: Raw) -> list[str]:
    with pytest.raises(InputError) as error:
        build(raw)
    return [f"{problem.place}: {problem.value}: {problem.rule}" for problem in error.value.problems]


def test_a_regimen_far_beyond_the_known_dose_is_refused() -> None:
    lines = told(with_regimens({"r": (450, "auc")}, "carboplatin"))
    assert lines == [
        "regimens.r.doses[0].amount: 450 auc (5.175e+04 mg): the effect of carboplatin is known at "
        "230 mg per dose, and proportional to the dose up to 5 times as much"
    ]


def test_regimens_far_apart_need_a_reference_dose() -> None:
    raw = with_regimens({"a": (1.0, "mg"), "b": (700.0, "mg")}, "x", drugs={"x": EVERYTHING})
    assert told(raw) == [
        "drugs.x.reference_doses: None: is missing: regimens give 1 to 700 mg per dose"
    ]


def test_a_schedule_far_beyond_the_known_dose_is_refused() -> None:
    instance = carboplatin(2, "auc")
    raw = {"fractions": [], "doses_of_drugs": [{"agent": "carboplatin", "day": 0, "dose_mg": 2e4}]}
    with pytest.raises(InputError) as error:
        read_schedule(json.loads(json.dumps(raw)), instance, "s.json")
    (problem,) = error.value.problems
    assert problem.place == "doses_of_drugs[0].dose_mg"
    assert "known at 230 mg per dose" in problem.rule


def test_a_checkpoint_inhibitor_has_no_effect_per_dose() -> None:
    drug = {"use": "pembrolizumab", "lymphocyte_log_loss_per_dose": 0.1}
    raw = with_regimens({"r": (200, "mg")}, "pembrolizumab", drugs={"pembrolizumab": drug})
    assert "acts by its concentration" in told(raw)[0]


def test_a_standard_regimen_of_little_drug_does_little() -> None:
    raw = with_regimens({"full": (2, "auc"), "trace": (1, "mg")}, "carboplatin")
    beds = []
    for regimen in ("full", "trace"):
        course = {"lesion": "tumor", "fractions": 3, "dose_gy": 6.0, "start_day": 0}
        agents = [{"agent": "drug", "start_day": 0, "regimen": regimen}]
        raw["standard"] = {
            "name": regimen, "source": "test", "courses": [course], "agents": agents,
        }  # fmt: skip
        standard = solve(build(raw)).standard
        assert standard is not None
        beds.append(standard.lesions[0].bed_gy)
    assert beds == pytest.approx([3 * (6 * 1.14 + 3.6), 3 * (6 * (1 + 0.14 / AUC_2) + 3.6)])
