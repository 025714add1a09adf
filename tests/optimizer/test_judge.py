"""The judge's terms one by one, against numbers worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

import pytest
from plain_cases import CITED, EVERY_DAY, Raw, lesion, limit, plain_case, uniform

from abscopt.instances import build, load
from abscopt.instances.load import InputError
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.results.reading.recheck import checked_schedule, evaluation_document
from abscopt.optimizer.results.text.plain import WIDTH
from abscopt.optimizer.results.text.report import evaluation_report
from abscopt.optimizer.schedule import (
    Fraction,
    Infusion,
    Schedule,
    read_schedule,
    standard_schedule,
)

LN_N = math.log(1e7)
"""Log clonogens of `plain_lq`, which has alpha 0.3 / Gy and alpha/beta 10 Gy."""
IMMUNE: Raw = {
    "gate_low_gy": 4.0,
    "gate_low_exponent": 2.0,
    "gate_high_gy": 20.0,
    "gate_high_exponent": 4.0,
    "volume_exponent": 0.0,
    "preblockade_sign": 0.0,
    "clearance_per_day": 0.2,
    "priming_delay_days": 0,
    "precursors_initial": 0.0,
    "precursor_inflow_per_day": 0.0,
    "precursor_loss_per_day": 0.0,
    "mobilization_per_day": 0.05,
    "blockade_mobilization_per_day": 0.0,
    "effector_loss_per_day": 0.1,
    "effect_per_effector": 1.0,
    "blockade_effect": 0.0,
    "ctla4_threshold": 5.0,
} | CITED
ANTIBODY: Raw = {
    "kind": "checkpoint_inhibitor",
    "target": "LAG-3",
    "clearance_l_per_day": 1e-4,
    "central_volume_l": 1.0,
    "intercompartmental_clearance_l_per_day": 1e-4,
    "peripheral_volume_l": 1.0,
    "ec50_mg_per_l": 1e-6,
} | CITED
"""It stays, and binds all but 1e-8 of its receptors once it is given."""
MENU = uniform([1], [8.0])
ON_DAY_0 = (Infusion(0, "agent", 100.0),)


def case(
    *lesions: Raw,
    limits: Iterable[Raw] = (),
    horizon_days: tuple[int, ...] = (40,),
    **fields: Any,
) -> Raw:
    """A case judged by log kill, with a machine that runs every day."""
    known: Raw = {"calendar": EVERY_DAY | {"hours_between_fractions": 6.0}, "objective": "log_kill"}
    return plain_case(lesions, list(limits), horizon_days=horizon_days, **(known | fields))


def judged(raw: Raw, fractions: Iterable[Fraction] = (), infusions: Any = ()) -> Evaluation:
    return Judge(build(raw)).evaluate(Schedule.of(fractions, infusions))


def chemo(**fields: Any) -> Raw:
    """A drug whose effects per dose hold from 1 to 150 mg."""
    known = [{"amount": milligrams, "unit": "mg"} for milligrams in (1.0, 150.0)]
    return {"kind": "chemotherapy", "reference_doses": known} | CITED | fields


def several_a_day(days: Iterable[int], dose_gy: float, per_day: int) -> list[Fraction]:
    return [Fraction(day, "tumor", dose_gy, slot) for day in days for slot in range(per_day)]


def tumor(**fields: Any) -> Raw:
    """An irradiable lesion."""
    return lesion(course=MENU) | fields


def organ(**fields: Any) -> dict[str, Raw]:
    return {"organ": {"alpha_beta_gy": 3.0} | CITED | fields}


def spared(**points: float) -> dict[str, dict[str, float]]:
    return {"organ": points}


def effect(verdict: Evaluation) -> float:
    return float(verdict.immune["unsaturated_effect_nats"][-1])


# The lesion's own course


def test_three_fractions_a_day_repair_incompletely() -> None:
    raw = case(
        tumor(alpha_beta_gy=3, repair_half_time_hours=4.0, sparing=spared(max=1.0)),
        limits=[limit("bed", "cap", organ="organ", alpha_beta_gy=3.0, cap_gy=96.0)],
        organs=organ(repair_half_time_hours=4.0),
    )
    verdict = judged(raw, several_a_day(range(12), 1.5, 3))
    assert verdict.lesions[0].bed_gy == pytest.approx(95.9779, abs=5e-5)
    assert verdict.limits[0].value == pytest.approx(95.9779, abs=5e-5)
    assert verdict.lesions[0].log_burden[0] == pytest.approx(
        LN_N - 0.3 * verdict.lesions[0].bed_gy, rel=1e-12
    )


def test_unequal_fractions_of_a_day_and_two_lesions_in_one_organ() -> None:
    phi = 2 ** (-6 / 4)
    raw = case(
        tumor(repair_half_time_hours=4.0, sparing=spared(max=0.5, mean=0.5, second_moment=0.4)),
        tumor(name="other", sparing=spared(max=1.0, mean=0.2, second_moment=0.09)),
        limits=[
            limit("bed", "bed", organ="organ", alpha_beta_gy=3.0, cap_gy=100.0),
            limit("mean_eqd2", "eqd2", organ="organ", alpha_beta_gy=3.0, cap_gy=100.0),
        ],
        organs=organ(repair_half_time_hours=4.0),
    )
    given = [
        Fraction(0, "tumor", 4.0, 0), Fraction(0, "tumor", 2.0, 1), Fraction(0, "other", 3.0, 0),
    ]  # fmt: skip
    verdict = judged(raw, given)
    assert verdict.lesions[0].bed_gy == pytest.approx(6 + (16 + 4 + 2 * phi * 8) / 10)
    first, second = 0.5 * 4 + 3.0, 0.5 * 2
    pairs = first**2 + second**2 + 2 * phi * first * second
    assert verdict.limits[0].value == pytest.approx(first + second + pairs / 3)
    cross = math.sqrt(0.4 * 0.09)
    square = 0.4 * (16 + 4 + 2 * phi * 8) + 0.09 * 9 + 2 * cross * (12 + phi * 6)
    linear = 0.5 * 6 + 0.2 * 3
    assert verdict.limits[1].value == pytest.approx((linear + square / 3) / (1 + 2 / 3))


def test_hypoxia_and_reoxygenation() -> None:
    given = [Fraction(day, "tumor", 6.0) for day in (2, 7, 22)]

    def bed(*acting: float) -> float:
        return sum(d + d * d / 10 for d in acting)

    hypoxic = judged(case(tumor(oxygen_modification_factor=2.0)), given).lesions[0]
    assert hypoxic.bed_gy == pytest.approx(bed(3, 3, 3))
    raw = case(tumor(oxygen_modification_factor=2.0, reoxygenation_days=10.0))
    better = judged(raw, given).lesions[0]
    assert better.bed_gy == pytest.approx(bed(3, 4, 6))
    assert better.log_burden[0] == pytest.approx(LN_N - 0.3 * bed(3, 4, 6))


CLONES = [
    {"name": "a", "share": 0.75},
    {"name": "b", "share": 0.25, "alpha_per_gy": 0.2, "alpha_beta_gy": 5.0},
]


def test_clones_die_on_their_own() -> None:
    raw = case(tumor(clones=CLONES, immunogenicity=1.0, effector_share=0.5), immune=IMMUNE)
    raw["lesions"][0]["clones"][1] = CLONES[1] | {"effector_share_factor": 0.4}
    verdict = judged(raw, [Fraction(0, "tumor", 8.0)])
    kills = (0.3 * 8 * 1.8, 0.2 * 8 * 2.6)
    systemic = effect(verdict)
    burdens = [
        math.log(0.75e7) - kills[0] - 0.5 * systemic,
        math.log(0.25e7) - kills[1] - 0.2 * systemic,
    ]
    found = verdict.lesions[0]
    assert [u for (u,) in found.clone_log_burden] == pytest.approx(burdens)
    left = sum(math.exp(u) for u in burdens)
    assert found.log_burden[0] == pytest.approx(math.log(left))
    assert found.poisson_tcp[0] == pytest.approx(math.exp(-left))
    mixture = 0.75 * math.exp(-kills[0]) + 0.25 * math.exp(-kills[1])
    assert systemic == pytest.approx(effect_of({0: gate(8) * (1 - mixture)}))


def gate(dose: float) -> float:
    return 1 / (1 + (4 / dose) ** 2) / (1 + (dose / 20) ** 4)


def effect_of(release: dict[int, float], days: int = 40, precursors: float = 0.0) -> float:
    """Sum of effectors over all days for the constants of `IMMUNE`, step by step."""
    effectors, total = 0.0, 0.0
    for day in range(days):
        primed = sum(0.2 * math.exp(-0.2 * (day - t)) * r for t, r in release.items() if t <= day)
        effectors, precursors = (
            0.9 * effectors + 0.05 * precursors,
            0.95 * precursors + primed,
        )
        total += effectors
    return total


def test_partial_irradiation_spares_clones_and_scales_release() -> None:
    ways: list[Raw] = [
        {"name": "all"},
        {"name": "half", "irradiated_share": 0.5},
        {"name": "b-out", "irradiated_share": {"b": 0.0}},
    ]
    raw = case(tumor(clones=CLONES, techniques=ways, immunogenicity=1.0), immune=IMMUNE)
    whole, half, outside = (
        judged(raw, [Fraction(0, "tumor", 8.0, technique=way["name"])]) for way in ways
    )
    assert effect(half) == pytest.approx(effect(whole) / 2)
    kill = 0.3 * 8 * 1.8
    u = math.log(0.75e7) + math.log(0.5 + 0.5 * math.exp(-kill))
    assert half.lesions[0].clone_log_burden[0][0] == pytest.approx(u)
    assert outside.lesions[0].clone_log_burden[1][0] == pytest.approx(math.log(0.25e7))
    assert effect(outside) == pytest.approx(effect_of({0: gate(8) * 0.75 * (1 - math.exp(-kill))}))
    assert half.lesions[0].technique == "half"
    very_deep = judged(case(tumor()), [Fraction(0, "tumor", 100.0)])
    assert very_deep.lesions[0].log_burden[0] == pytest.approx(LN_N - 330)


def test_technique_constants_replace_the_lesions() -> None:
    ways = [
        {
            "name": "way",
            "node_factor": 0.4,
            "sparing": {"organ": {"max": 0.25}},
            "integral_dose_cm3": 1000.0,
            "effector_kill_per_fraction": 0.0,
            "lymphocyte_loss_per_fraction": 0.1,
            "lymphocyte_effect_per_fraction": 0.0,
        }
    ]
    plain = tumor(immunogenicity=1.0, sparing=spared(max=1.0, mean=1.0))
    heavy = plain | {"effector_kill_per_fraction": 0.5, "lymphocyte_loss_per_fraction": 0.3}
    caps = [
        limit("bed", "bed", organ="organ", alpha_beta_gy=3.0, cap_gy=100.0),
        limit("alc", "alc", floor_1e9_per_l=0.5),
        limit("edric", "edric", cap_gy=10.0),
    ]
    raw = case(heavy | {"techniques": ways}, limits=caps, immune=IMMUNE)
    found = judged(raw, [Fraction(0, "tumor", 8.0, technique="way")])
    base = judged(case(plain, immune=IMMUNE), [Fraction(0, "tumor", 8.0)])
    assert effect(found) == pytest.approx(0.4 * effect(base))
    assert found.limits[0].value == pytest.approx(2 * (1 + 2 / 3))
    assert found.limits[1].value == pytest.approx(1.7 * math.exp(-0.1))
    blood = 0.45 + 0.35 * 0.85 * math.sqrt(1 / 45)
    assert found.limits[2].value == pytest.approx(blood * 8000 / 62000)
    assert found.lymphocytes["effect_log_loss"] == 0.0


def test_suppression_by_dose_and_by_length_and_its_relief() -> None:
    def factor(given: Fraction, infusions: Any = (), **suppression: float) -> float:
        drug = ANTIBODY | {"phase": "suppression", "sign": -1, "strength": 1.0}
        start = Fraction(0, "tumor", 1e-9)  # begins the course and releases nothing
        verdicts = [
            judged(
                case(
                    tumor(immunogenicity=1.0), immune=IMMUNE | extra, drugs={"agent": drug},
                    horizon_days=(60,),
                ),
                [start, given],
                infusions,
            )
            for extra in (suppression, {})
        ]  # fmt: skip
        return effect(verdicts[0]) / effect(verdicts[1])

    late = Fraction(20, "tumor", 8.0)
    assert factor(Fraction(1, "tumor", 19.0), suppression_per_gy=0.1) == pytest.approx(0.6)
    assert factor(late, suppression_per_gy=0.1, suppression_above_gy=5.0) == pytest.approx(0.7)
    assert factor(late, suppression_per_day=0.05) == pytest.approx(0.7)
    assert factor(late, suppression_per_day=1.0) == pytest.approx(0.0, abs=1e-20)
    assert factor(late, ON_DAY_0, suppression_per_day=0.05) == pytest.approx(1.0, rel=1e-6)


def test_pdl1_upregulation_begins_with_the_first_fraction() -> None:
    start = {"precursors_initial": 10.0}
    inert = tumor(immunogenicity=0.0, precursor_share=1.0)
    drugs = {"agent": ANTIBODY | {"target": "PD-1"}}
    base = case(inert, immune=IMMUNE | start, drugs=drugs)
    raised = case(inert, immune=IMMUNE | start | {"pdl1_upregulation": 0.6}, drugs=drugs)
    whole, before = effect_of({}, precursors=10.0), effect_of({}, days=15, precursors=10.0)
    given = [Fraction(15, "tumor", 8.0)]
    assert effect(judged(base, given)) == pytest.approx(whole)
    assert effect(judged(raised)) == pytest.approx(whole)
    assert effect(judged(raised, given)) == pytest.approx(before + 0.4 * (whole - before))
    assert effect(judged(raised, given, ON_DAY_0)) == pytest.approx(whole, rel=1e-6)


def test_burden_rule() -> None:
    rule = {"burden_limit_cm3": 4.0, "burden_blockade": 0.5, "precursors_initial": 10.0}
    sites = [
        tumor(volume_cm3=10.0, effector_share=0.5, precursor_share=1.0),
        {
            "use": "plain_lq", "name": "occult", "organ": "test", "irradiable": False,
            "effector_share": 0.5,
        },
    ]  # fmt: skip
    drugs = {"agent": ANTIBODY | {"target": "PD-1"}}
    raw = case(*sites, immune=IMMUNE | rule, drugs=drugs)

    def credited(dose: float, infusions: Any = ()) -> bool:
        verdict = judged(raw, [Fraction(0, "tumor", dose)] if dose else [], infusions)
        assert verdict.lesions[1].credited
        assert verdict.lesions[1].log_burden[0] == pytest.approx(LN_N - 0.5 * effect(verdict))
        found = verdict.lesions[0]
        share = 0.5 if found.credited else 0.0
        u = LN_N - 0.3 * dose * (1 + dose / 10) - share * effect(verdict)
        assert found.log_burden[0] == pytest.approx(u)
        return found.credited

    # 10 cm3 shrink to 4 cm3 with 2.453 Gy, to 4 * 1.5^1.5 = 7.348 cm3 with 0.939 Gy
    assert [credited(dose) for dose in (0.0, 2.45, 2.46)] == [False, False, True]
    assert [credited(dose, ON_DAY_0) for dose in (0.0, 0.93, 0.94)] == [False, False, True]


# Chemotherapy


def test_equivalent_bed_counts_doses_that_meet_a_fraction() -> None:
    drug = chemo(equivalent_bed_gy_per_dose=2.0, sensitizing_days=2)
    raw = case(tumor(), tumor(name="other"), drugs={"agent": drug}, horizon_days=(10, 40))
    given = [Fraction(1, "tumor", 5.0), Fraction(14, "tumor", 5.0)]
    doses = [Infusion(day, "agent", 1.0) for day in (0, 7, 14)]
    found, other = judged(raw, given, doses).lesions
    assert found.bed_gy == pytest.approx(2 * 7.5 + 2 * 2)
    assert found.tumor_bed_gy == found.bed_gy
    assert found.log_burden == pytest.approx([LN_N - 0.3 * 9.5, LN_N - 0.3 * 19])
    assert other.log_burden == pytest.approx([LN_N, LN_N])


def test_equivalent_bed_acts_on_the_irradiated_part_only_and_not_on_release() -> None:
    drug = chemo(equivalent_bed_gy_per_dose=2.0, sensitizing_days=1)
    half = [{"name": "half", "irradiated_share": 0.5}]
    raw = case(tumor(techniques=half, immunogenicity=1.0), drugs={"agent": drug}, immune=IMMUNE)
    given = [Fraction(0, "tumor", 5.0, technique="half")]
    alone, both = judged(raw, given), judged(raw, given, ON_DAY_0)
    kept = 0.5 + 0.5 * math.exp(-0.3 * 9.5)
    assert both.lesions[0].log_burden[0] == pytest.approx(LN_N + math.log(kept))
    assert effect(both) == effect(alone)


def test_cytotoxic_kill_of_every_clone() -> None:
    clones = [CLONES[0], CLONES[1] | {"drug_kill_factor": 0.5}]
    drug = chemo(cytotoxic_log_kill_per_dose=0.7)
    raw = case(tumor(clones=clones), drugs={"agent": drug}, horizon_days=(10, 40))
    doses = [Infusion(day, "agent", 1.0) for day in (0, 9, 10, 30)]
    found = judged(raw, (), doses).lesions[0]
    one, two = math.log(0.75e7), math.log(0.25e7)
    assert found.clone_log_burden[0] == pytest.approx([one - 1.4, one - 2.8])
    assert found.clone_log_burden[1] == pytest.approx([two - 0.7, two - 1.4])


def test_chemotherapy_kills_precursors() -> None:
    drug = chemo(precursor_log_loss_per_dose=0.6)
    raw = case(
        tumor(precursor_share=1.0), drugs={"agent": drug}, horizon_days=(3,),
        immune=IMMUNE | {"precursors_initial": 10.0},
    )  # fmt: skip
    found = judged(raw, (), [Infusion(1, "agent", 1.0)])
    # effectors 0.5, 0.45 + 0.475, then 0.9 of that + 0.05 of 10 * 0.95^2 * e^-0.6
    second = 0.45 + 0.475
    third = 0.9 * second + 0.05 * 10 * 0.95**2 * math.exp(-0.6)
    assert effect(found) == pytest.approx(0.5 + second + third)


# Immune agents


@pytest.mark.parametrize(
    ("rule", "expected"), [("multiplicative", 1.5 * 1.8), ("additive", 2.3), ("strongest", 1.8)]
)
@pytest.mark.parametrize("phase", ["priming", "effector"])
def test_agents_of_one_phase_combine(phase: str, rule: str, expected: float) -> None:
    drugs = {
        name: ANTIBODY | {"phase": phase, "sign": 1, "strength": strength}
        for name, strength in (("one", 0.5), ("two", 0.8))
    }
    raw = case(tumor(immunogenicity=1.0), drugs=drugs, immune=IMMUNE | {"combination": rule})
    given = [Fraction(0, "tumor", 8.0)]
    both = judged(raw, given, [Infusion(0, name, 100.0) for name in drugs])
    assert effect(both) / effect(judged(raw, given)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("strength", "share"), [(3.0, 0.2), (19.0, 0.9)])
def test_mobilization_phase_moves_no_more_than_there_are(strength: float, share: float) -> None:
    drug = ANTIBODY | {"phase": "mobilization", "sign": 1, "strength": strength}
    raw = case(
        tumor(precursor_share=1.0), drugs={"agent": drug}, horizon_days=(2,),
        immune=IMMUNE | {"precursors_initial": 10.0, "precursor_loss_per_day": 0.1},
    )  # fmt: skip
    found = effect(judged(raw, (), ON_DAY_0))
    first = 10 * share
    staying = 10 * (0.9 - share)
    assert found == pytest.approx(first + 0.9 * first + share * staying, rel=1e-6)


def test_a_phase_takes_a_pd1_inhibitor_out_of_the_blockade() -> None:
    drug = ANTIBODY | {"target": "PD-1", "phase": "effector", "sign": -1, "strength": 0.25}
    raw = case(
        tumor(immunogenicity=1.0), drugs={"agent": drug},
        immune=IMMUNE | {"blockade_effect": 1.0, "release_factor": 2.0, "share_factor": 0.5},
    )  # fmt: skip
    raw["lesions"][0]["effector_share"] = 0.8
    given = [Fraction(0, "tumor", 8.0)]
    kill = 0.3 * 8 * 1.8
    verdict = judged(raw, given, ON_DAY_0)
    expected = 0.75 * effect_of({0: 2 * gate(8) * (1 - math.exp(-kill))})
    assert effect(verdict) == pytest.approx(expected, rel=1e-6)
    assert verdict.lesions[0].log_burden[0] == pytest.approx(LN_N - kill - 0.4 * effect(verdict))
    assert set(verdict.immune["trace"]["occupancy"]) == {0.0}


# Limits


def test_ntcp_by_state_of_exposure() -> None:
    exposures = [
        {
            "drugs": "checkpoint_inhibitor", "days_before": 10, "days_after": 5,
            "risk_ratio": 1.4,
        },
        {"drugs": "chemotherapy", "days_before": 0, "days_after": 0, "odds_ratio": 3.0},
    ]  # fmt: skip
    rule = limit(
        "ntcp", "lung", organ="organ", model="logistic", intercept=-3.87, slope_per_gy=0.126,
        cap=0.2, exposures=exposures,
    )  # fmt: skip
    raw = case(
        tumor(sparing=spared(mean=0.5)), tumor(name="far"), limits=[rule],
        drugs={"agent": ANTIBODY | {"target": "PD-1"}, "drug": chemo()},
    )  # fmt: skip
    given = [Fraction(12, "tumor", 20.0), Fraction(20, "far", 20.0)]
    base = 1 / (1 + math.exp(3.87 - 1.26))
    odds = 3 * base / (1 - base)
    worse = odds / (1 + odds)

    def found(*infusions: tuple[int, str]) -> float:
        doses = [Infusion(day, drug, 100.0) for day, drug in infusions]
        use = judged(raw, given, doses).limits[0]
        assert use.unit == "probability" and use.value is not None and use.use is not None
        ratio = 1.4 if any(d == "agent" and 2 <= t <= 17 for t, d in infusions) else 1.0
        allowed = 0.2 / ratio
        shift = math.log(3.0) if (12, "drug") in infusions else 0.0
        most = (math.log(allowed / (1 - allowed)) - shift + 3.87) / 0.126
        assert use.use == pytest.approx(10 / most)
        assert use.kept is (use.value <= 0.2)
        return use.value

    assert found() == pytest.approx(base)
    assert found((1, "agent"), (18, "agent"), (13, "drug")) == pytest.approx(base)
    assert found((2, "agent")) == found((17, "agent")) == pytest.approx(1.4 * base)
    assert found((12, "drug")) == pytest.approx(worse)
    assert found((12, "drug"), (12, "agent")) == pytest.approx(1.4 * worse)


def test_ntcp_of_mean_eqd2_by_lyman() -> None:
    rule = limit(
        "ntcp", "lung", organ="organ", model="lkb", td50_gy=30.0, m=0.4, cap=0.3,
        dose="eqd2", alpha_beta_gy=3.0,
    )  # fmt: skip
    raw = case(tumor(sparing=spared(mean=0.4, second_moment=0.3)), limits=[rule])
    use = judged(raw, [Fraction(0, "tumor", 20.0)]).limits[0]
    eqd2 = (8 + 0.3 * 400 / 3) / (1 + 2 / 3)
    normal = NormalDist()
    assert use.value == pytest.approx(normal.cdf((eqd2 - 30) / 12))
    assert use.use == pytest.approx(eqd2 / (30 * (1 + 0.4 * normal.inv_cdf(0.3))))


ORGAN_LIMITS: dict[str, Raw] = {
    "bed": {"alpha_beta_gy": 3.0, "cap_gy": 20.0},
    "mean": {"cap_gy": 5.0},
    "mean_eqd2": {"alpha_beta_gy": 3.0, "cap_gy": 10.0},
    "dose_by_fractions": {"fractions": [1, 5], "limits_gy": [12.0, 30.0]},
    "dose_volume": {"cap_gy": 10.0, "dose": "eqd2", "alpha_beta_gy": 3.0},
    "ntcp": {"model": "logistic", "intercept": -4.0, "slope_per_gy": 0.2, "cap": 0.1},
}
NTCP_CAP_GY = (math.log(0.1 / 0.9) + 4) / 0.2


@pytest.mark.parametrize("kind", ORGAN_LIMITS)
def test_prior_doses_and_soft_organ_limits(kind: str) -> None:
    point = {} if kind in ("mean", "mean_eqd2") else {"point": "mean"}
    rule = limit(kind, "cap", organ="organ", **ORGAN_LIMITS[kind], **point)
    prior = {
        "organ": "organ", "point": "mean", "fractions": 2, "dose_gy": 6.0,
        "second_moment_gy2": 50.0, "recovered": 0.25, "source": "test",
    }  # fmt: skip
    raw = case(
        tumor(sparing=spared(mean=0.75, second_moment=0.7)),
        limits=[rule | {"penalty": 3.0}], organs=organ(), prior_doses=[prior],
    )  # fmt: skip
    verdict = judged(raw, [Fraction(0, "tumor", 8.0)])  # twice 6 Gy counts 1.5 times, and again
    load = {
        "bed": (1 + 1.5) * 6 * 3 / 20,
        "mean": (1 + 1.5) * 6 / 5,
        "mean_eqd2": (6 + 0.7 * 64 / 3 + 1.5 * (6 + 50 / 3)) / (5 / 3) / 10,
        "dose_by_fractions": (1 + 1.5) / 5,
        "dose_volume": (1 + 1.5) * 6 * 3 / (5 / 3) / 10,
        "ntcp": (1 + 1.5) * 6 / NTCP_CAP_GY,
    }[kind]
    use = verdict.limits[0]
    assert use.use == pytest.approx(load)
    assert use.soft and use.kept is (load <= 1)
    assert verdict.soft_cost == use.cost == pytest.approx(3 * max(0.0, load - 1))
    kill = 0.3 * 8 * 1.8
    assert verdict.objective == pytest.approx(kill - LN_N - use.cost)
    assert verdict.broken_limits == ()
    assert verdict.exceeded_soft == (("cap",) if load > 1 else ())
    assert verdict.feasible
    alone = load - judged(raw | {"prior_doses": []}, [Fraction(0, "tumor", 8.0)]).limits[0].use
    if alone > 1:
        with pytest.raises(InputError, match="prior dose alone"):
            build(raw | {"limits": [rule]})
        return
    hard = judged(raw | {"limits": [rule]}, [Fraction(0, "tumor", 8.0)])
    assert hard.feasible is (load <= 1) and hard.soft_cost == 0.0


def test_a_dose_beyond_the_table_is_forbidden_even_by_a_soft_limit() -> None:
    rule = limit("dose_by_fractions", "cap", organ="organ", **ORGAN_LIMITS["dose_by_fractions"])
    raw = case(tumor(sparing=spared(max=2.0)), limits=[rule | {"penalty": 1.0}])
    verdict = judged(raw, [Fraction(0, "tumor", 8.0)])
    assert verdict.limits[0].use is None
    assert (verdict.feasible, verdict.soft_cost, verdict.broken_limits) == (False, 0.0, ("cap",))


@pytest.mark.parametrize("kind", ORGAN_LIMITS)
def test_a_sensitizer_enhances_the_organs_dose(kind: str) -> None:
    point = {} if kind in ("mean", "mean_eqd2") else {"point": "mean"}
    extra = {"dose": "eqd2", "alpha_beta_gy": 3.0} if kind == "ntcp" else {}
    rule = limit(kind, "cap", organ="organ", **ORGAN_LIMITS[kind], **point, **extra)
    drug = chemo(sensitizer_enhancement_ratio=1.1, sensitizing_days=2)
    raw = case(
        tumor(sparing=spared(mean=0.5, second_moment=0.3)), limits=[rule],
        organs=organ(sensitizer_enhancement_ratio=1.5), drugs={"agent": drug},
    )  # fmt: skip
    given = [Fraction(1, "tumor", 8.0), Fraction(2, "tumor", 8.0)]
    eqd2 = ((1.5 + 1) * 4 + 2 * 0.3 * 64 / 3) / (5 / 3)
    six, four = 6.0, 4.0
    tolerated = [1 * (5 / 1) ** (math.log(12 / d) / math.log(2)) for d in (six,)]
    load = {
        "bed": ((1.5 + 1) * 4 + 2 * 16 / 3) / 20,
        "mean": 8 / 5,
        "mean_eqd2": eqd2 / 10,
        "dose_by_fractions": 1 / tolerated[0] + four / 30,
        "dose_volume": ((1.5 + 1) * 4 + 2 * 16 / 3) / (5 / 3) / 10,
        "ntcp": eqd2 / NTCP_CAP_GY,
    }[kind]
    verdict = judged(raw, given, ON_DAY_0)
    assert verdict.limits[0].use == pytest.approx(load)
    assert verdict.lesions[0].bed_gy == pytest.approx(8 * (1.1 + 1 + 2 * 0.8))


def test_a_physical_dose_volume_limit_counts_dose_alone() -> None:
    rule = limit("dose_volume", "v20", organ="organ", point="d35pct", cap_gy=20.0)
    drug = chemo(sensitizer_enhancement_ratio=1.1, sensitizing_days=2)
    raw = case(
        tumor(sparing=spared(d35pct=0.4)), limits=[rule],
        organs=organ(sensitizer_enhancement_ratio=1.5), drugs={"agent": drug},
    )  # fmt: skip
    use = judged(raw, [Fraction(1, "tumor", 8.0), Fraction(2, "tumor", 8.0)], ON_DAY_0).limits[0]
    assert (use.value, use.use, use.unit) == (pytest.approx(6.4), pytest.approx(0.32), "Gy")


def test_soft_limits_of_other_kinds() -> None:
    drug = chemo(lymphocyte_log_loss_per_dose=0.5, irae_risk_per_dose=0.2)
    rules = {
        "alc": limit("alc", "alc", floor_1e9_per_l=0.8),
        "edric": limit("edric", "edric", cap_gy=0.01),
        "mg": limit("drug", "mg", drug="agent", quantity="dose_mg", cap=250.0),
        "m2": limit("drug", "m2", drug="agent", quantity="dose_mg_per_m2", cap=100.0),
        "doses": limit("drug", "doses", drug="agent", quantity="doses", cap=1.0),
        "risk": limit("drug", "risk", quantity="irae_risk", cap=0.3),
        "visits": limit("logistics", "visits", quantity="visits", cap=1),
    }
    raw = case(
        tumor(integral_dose_cm3=1000.0),
        limits=[rule | {"penalty": 2.0} for rule in rules.values()], drugs={"agent": drug},
    )  # fmt: skip
    doses = [Infusion(day, "agent", 150.0) for day in (0, 3)]
    verdict = judged(raw, [Fraction(0, "tumor", 5.0), Fraction(4, "tumor", 5.0)], doses)
    uses = {use.name: use for use in verdict.limits}
    blood = 0.45 + 0.35 * 0.85 * math.sqrt(2 / 45)
    expected = {
        "alc": 1.0 / math.log(1.7 / 0.8),
        "edric": blood * 10_000 / 62_000 / 0.01,
        "mg": 300 / 250,
        "m2": 300 / 1.8 / 100,
        "doses": 2.0,
        "risk": 2 * math.log(0.8) / math.log(0.7),
        "visits": 2.0,
    }
    for name, use in uses.items():
        assert use.use == pytest.approx(expected[name]), name
        assert use.cost == pytest.approx(2 * (expected[name] - 1)), name
        assert not use.kept and use.soft
    assert uses["risk"].value == pytest.approx(1 - 0.8**2)
    assert verdict.feasible is not bool(verdict.broken_rules)
    assert verdict.soft_cost == pytest.approx(2 * sum(u - 1 for u in expected.values()))


def test_irae_risk_of_one_drug_or_of_all() -> None:
    drugs = {
        "agent": ANTIBODY | {"target": "PD-1", "irae_risk_per_dose": 0.1},
        "other": ANTIBODY | {"target": "CTLA-4", "irae_risk_per_dose": 0.3},
    }
    rules = [
        limit("drug", "one", drug="other", quantity="irae_risk", cap=0.3),
        limit("drug", "all", quantity="irae_risk", cap=0.3),
    ]
    raw = case(tumor(), limits=rules, drugs=drugs)
    one, both = judged(raw, (), [Infusion(0, "agent", 1.0), Infusion(7, "other", 1.0)]).limits
    assert one.kept and one.value == pytest.approx(0.3)
    assert not both.kept and both.value == pytest.approx(1 - 0.9 * 0.7)


def test_machine_days_windows_and_gaps() -> None:
    rules = {
        "machine": {"quantity": "machine_days", "cap": 4},
        "late": {"quantity": "machine_days", "cap": 2, "first_day": 2, "last_day": 8},
        "visits": {"quantity": "visits", "cap": 2, "last_day": 3},
        "day": {"quantity": "lesions_per_day", "cap": 1, "first_day": 3},
        "gap": {"quantity": "course_gap_days", "floor": 3},
    }
    limits = [limit("logistics", name, **rule) for name, rule in rules.items()]
    raw = case(*(tumor(name=name) for name in "abc"), limits=limits)
    given = [
        Fraction(0, "a", 2.0, 0), Fraction(0, "a", 2.0, 1), Fraction(2, "a", 2.0),
        Fraction(2, "b", 2.0), Fraction(9, "c", 2.0),
    ]  # fmt: skip
    uses = {use.name: use for use in judged(raw, given).limits}
    assert {name: use.value for name, use in uses.items()} == {
        "machine": 4, "late": 2, "visits": 2, "day": 1, "gap": 0,
    }  # fmt: skip
    assert [name for name, use in uses.items() if not use.kept] == ["gap"]
    apart = {use.name: use for use in judged(raw, [f for f in given if f.lesion != "b"]).limits}
    assert (apart["gap"].value, apart["gap"].kept) == (7.0, True)
    nobody = {use.name: use for use in judged(raw).limits}
    assert (nobody["gap"].value, nobody["gap"].kept) == (None, True)


# Menus and rules


def test_menus_of_blocks_with_several_fractions_a_day_and_techniques() -> None:
    menu = uniform(
        [2], [8.0], also=[{"fractions": [4], "doses_gy": [2.0], "fractions_per_day": 2}],
        first_start_day=1, last_start_day=5, start_step_days=2,
    )  # fmt: skip
    ways = [{"name": "one"}, {"name": "two"}]
    raw = case(tumor(course=menu, techniques=ways))

    def kept(days: Iterable[int], dose: float, slots: int = 1) -> bool:
        given = [Fraction(t, "tumor", dose, slot, "one") for t in days for slot in range(slots)]
        return judged(raw, given).admissible

    assert kept([1, 2], 8.0)
    assert kept([3, 4], 2.0, 2)
    assert not kept([2, 3], 8.0)
    assert not kept([1], 8.0, 2)
    assert not kept([1, 2], 8.0, 2)
    assert not kept([1, 2, 3, 4], 2.0)
    assert not kept([1, 2], 2.0)
    mixed = [Fraction(1, "tumor", 8.0, 0, "one"), Fraction(2, "tumor", 8.0, 0, "two")]
    assert judged(raw, mixed).off_menu == ("tumor: more than one technique",)
    assert judged(raw, mixed).feasible
    hole = [Fraction(day, "tumor", 8.0, 1, "one") for day in (1, 2)]
    assert "not numbered from the first" in judged(raw, hole).broken_rules[0]
    with pytest.raises(ValueError, match="unknown technique ''"):
        judged(raw, [Fraction(1, "tumor", 8.0)])


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"min_days_before_radiation": 3}, [(13, True), (12, False)]),
        ({"max_days_before_radiation": 3}, [(13, True), (14, False), (None, True), (2, True)]),
        ({"min_days_after_radiation": 2}, [(7, True), (8, False)]),
        ({"max_days_after_radiation": 2}, [(7, True), (6, False), (None, True)]),
    ],
)
def test_order_of_radiation_and_drug(rule: Raw, kept: list[tuple[int | None, bool]]) -> None:
    agent = {"name": "agent", "regimens": ["once"], "first_start_day": 10, "last_start_day": 10}
    regimen = {
        "cycle_days": 21, "max_cycles": 1,
        "doses": [{"drug": "agent", "day": 0, "amount": 100.0, "unit": "mg"}],
    } | CITED  # fmt: skip
    raw = case(
        tumor(course=uniform([2], [8.0], last_start_day=20)), drugs={"agent": ANTIBODY | {
            "target": "PD-1"}}, regimens={"once": regimen}, agents=[agent | rule],
    )  # fmt: skip
    for start, expected in kept:
        given = [] if start is None else [Fraction(start + i, "tumor", 8.0) for i in (0, 1)]
        assert judged(raw, given, [Infusion(10, "agent", 100.0)]).feasible is expected, start


@pytest.mark.parametrize(
    ("kind", "unit"), [("log_control", "nat"), ("expected_control", "lesion"), ("log_kill", "nat")]
)
def test_objectives(kind: str, unit: str) -> None:
    raw = case(tumor(weight=2.0), lesion("left", irradiable=False), objective=kind)
    verdict = judged(raw, [Fraction(0, "tumor", 17.0)])
    u = LN_N - 0.3 * 17 * 2.7
    treated, left = {
        "log_control": [-math.log(1 + math.exp(x)) for x in (u, LN_N)],
        "expected_control": [1 / (1 + math.exp(x)) for x in (u, LN_N)],
        "log_kill": [-u, -LN_N],
    }[kind]
    assert verdict.objective == pytest.approx(2 * treated + left)
    assert verdict.unit == unit
    assert verdict.conceded == ()


# Schedules as data


def test_schedules_with_slots_and_techniques_are_read_back() -> None:
    ways = [{"name": "one"}, {"name": "two"}]
    course = uniform([4], [2.0], fractions_per_day=2)
    standard = {
        "name": "s", "source": "test",
        "courses": [{"lesion": "tumor", "fractions": 4, "dose_gy": 2.0, "start_day": 0,
                     "fractions_per_day": 2, "technique": "two"}],
    }  # fmt: skip
    instance = build(case(tumor(course=course, techniques=ways), standard=standard))
    schedule = standard_schedule(instance)
    assert schedule is not None
    assert [(f.day, f.slot, f.technique) for f in schedule.fractions] == [
        (0, 0, "two"), (0, 1, "two"), (1, 0, "two"), (1, 1, "two"),
    ]  # fmt: skip
    document = schedule.to_json(instance)
    rows = document["fractions"]
    assert [row.get("fraction_of_day") for row in rows] == [None, 2, None, 2]
    assert read_schedule(document, instance, "file") == schedule
    assert Judge(instance).evaluate(schedule).feasible
    wrong = {
        "technique": [row | {"technique": "three"} for row in rows],
        "has no fraction 1": [rows[1]],
        "appears twice": [rows[0], rows[0]],
        "must be one of": [{"lesion": "tumor", "day": 0, "dose_gy": 2.0}],
    }
    for words, fractions in wrong.items():
        with pytest.raises(InputError, match=words):
            read_schedule({"fractions": fractions}, instance, "file")


def test_the_report_shows_what_is_new_and_the_document_is_confirmed() -> None:
    soft = limit("bed", "bed", organ="organ", alpha_beta_gy=3.0, cap_gy=5.0, penalty=2.0)
    ways = [{"name": "photons", "sparing": spared(max=1.0, mean=0.5)}]
    risk = limit("ntcp", "lung", organ="organ", **ORGAN_LIMITS["ntcp"])
    gap = limit("logistics", "gap", quantity="course_gap_days", floor=3)
    raw = case(
        tumor(techniques=ways, clones=CLONES), limits=[soft, risk, gap], organs=organ(),
        immune=IMMUNE | {"burden_limit_cm3": 0.01},
    )  # fmt: skip
    instance = build(raw)
    given = [Fraction(day, "tumor", 2.0, slot, "photons") for day in (0, 1) for slot in (0, 1)]
    schedule = Schedule.of(given, [])
    verdict = Judge(instance).evaluate(schedule)
    document = json.loads(json.dumps(evaluation_document(verdict, schedule, instance)))
    assert checked_schedule(document, instance, "file") == schedule
    report = evaluation_report(verdict, schedule, instance)
    assert max(len(line) for line in report.splitlines()) <= WIDTH
    words = " ".join(report.split())
    for part in (
        "tumor (photons) 4 x 2 Gy", "Mon Tue, 2 a day", "~exceeded bed", "probability",
        "Soft limits exceeded bed: 3.3333 nat", "Clones of tumor", "a 12.95, b 12.49",
        "Too large for systemic effect tumor",
    ):  # fmt: skip
        assert part in words, part


# What was judged before the model was widened


# fmt: off
BEFORE: dict[str, tuple[list[float], dict[str, float]]] = {
    "early-sabr": ([
        -0.7936234793027596, -15.44644041055981, -15.16988705624766, 0.049169577361982686,
        0.32572293167412936, 110.0, 0, 2.215481399687339, 2.374863284314518, 1.3466173712705507,
        0.0678328034867155, 0.670740342217558,
    ], {
        "ribs_max": 0.8199931435536677, "proximal_bronchial_tree_max": 0.3125,
        "skin_max": 0.3645833333333333, "lungs_mean": 0.53125,
        "lungs_mean_eqd2": 0.7140624999999999, "edric": 0.10480317847149342,
        "alc": 0.26263001782513246,
    }),
    "oligomet-4": ([
        -3.2442584081713326, -5.16393217761571, -4.919230633951541, -5.542125202182566,
        -5.2622200173165545, -1.391093575611682, -1.093586570144749, 1.6534413162801536,
        1.9509483217470867, 0.4774551262159006, 0.6693512080773028, 72.0, 72.0, 59.5, 48.0, 0,
        5.057087416751085, 5.79930816626836, 0.7203963178115198, 0.2976110633268889,
        1.8993185483870971,
    ], {
        "cord_t6": 0.075, "cord_t10": 0.609375, "cord_l1": 0.043750000000000004,
        "esophagus_max": 0.7249999999999999, "stomach_max": 0.7749999999999999,
        "heart_max": 0.6304347826086958, "proximal_bronchial_tree_max": 0.55,
        "bowel_max": 0.7285714285714285, "liver_spare_700cm3": 0.31666666666666676,
        "lungs_mean": 0.9843750000000002, "kidneys_mean": 0.5466666666666667,
        "edric": 0.2967685231854839, "alc": 0.967630943857635,
    }),
    "pembro-rt": ([
        -16.463663387835123, 16.790923521992315, 17.06360034187249, 4.596543083423623,
        4.909242454496199, 15.994117162363045, 16.27679962004132, 1.064169122555108,
        1.326840304637179, 0, 43.2, 0, 0, 2.98390392345216, 3.302544374579017, 1.429790500602879,
        0.04292800339879959, 0.34196403284511884,
    ], {
        "esophagus_max": 0.0, "proximal_bronchial_tree_max": 0.0,
        "heart_max": 0.22105263157894733, "lungs_mean": 0.15000000000000002,
        "liver_spare_700cm3": 0.34285714285714286, "edric": 0.05343188013204982,
        "alc": 0.19508587546302225, "one_site": 1.0,
    }),
}
# fmt: on
"""Standard regimens: (objective, log burdens, BED, systemic effect, lymphocytes), uses of limits.

Recorded from the judge of the plain model.
"""


BEFORE_THE_FIT = {
    "lesions.*.alpha_per_gy": 0.3,
    "lesions.*.alpha_cv": 0.0,
    "lesions.*.growth_doubling_time_days": 200.0,
}
"""The tumors that the cases had then, before any was fitted to published control."""


@pytest.mark.parametrize("name", BEFORE)
def test_standard_regimens_are_judged_as_before_the_model_grew(name: str) -> None:
    instance = load(name, BEFORE_THE_FIT)
    schedule = standard_schedule(instance)
    assert schedule is not None
    found = Judge(instance).evaluate(schedule)
    numbers = [found.objective]
    numbers += [u for outcome in found.lesions for u in outcome.log_burden]
    numbers += [outcome.bed_gy for outcome in found.lesions]
    numbers += found.immune["unsaturated_effect_nats"]
    numbers += [
        found.lymphocytes[key] for key in ("nadir_1e9_per_l", "effect_log_loss", "edric_gy")
    ]
    outcomes, limits = BEFORE[name]
    assert numbers == pytest.approx(outcomes, rel=1e-12, abs=1e-12)
    uses = {use.name: use.use for use in found.limits if use.name in limits}
    assert len(uses) >= 3
    assert uses == pytest.approx({key: limits[key] for key in uses}, rel=1e-12, abs=1e-12)
    assert found.soft_cost == 0.0
