"""The bundled cases: all load, and say what their comments say."""

import math

import pytest

from abscopt.instances import load, names
from abscopt.instances.limits import (
    BedLimit,
    DoseByFractionsLimit,
    EdricLimit,
    MeanEqd2Limit,
    MeanLimit,
    NtcpLimit,
)
from abscopt.instances.menus.courses import UniformCourse
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import course_days
from abscopt.models.immunity.lymphocytes import log_loss
from abscopt.optimizer import evaluate, solve

MAIN = ("early-sabr", "oligomet-4", "pembro-rt", "stage3-crt")
VARIANTS = tuple(f"{name}-{kind}" for name in MAIN for kind in ("tight", "relaxed"))
REAL = (
    *MAIN,
    *VARIANTS,
    "bid-hyperfractionation",
    "capacity",
    "central-sbrt",
    "cervix-boost",
    "co-targets",
    "co-targets-two-agonists",
    "ctla4-or-pd1",
    "dual-checkpoint",
    "early-sabr-inhibitors",
    "hfrt-crt",
    "hfrt-crt-frail",
    "high-low-dose",
    "hypoxic-bulky",
    "lymphopenia",
    "nodes-or-not",
    "oligomet-3",
    "oligomet-4-dual",
    "partial-bulky",
    "partial-bulky-burden",
    "pembro-rt-ctla4",
    "reirradiation",
    "resistance",
    "resistance-antigen-loss",
    "resistance-exhaustion",
    "resistance-preblockade-harms",
    "resistant-clone",
    "sequencing",
    "stage3-crt-consolidation",
    "stage3-crt-induction",
)
SMALL = ("mixed-free", "pulsar", "pulsar-daily", "young-timing")
TOYS = (
    "toy-blockade",
    "toy-fractionation",
    "toy-free-20",
    "toy-free-pair",
    "toy-two-lesions",
)
CONTINUOUS_OPTIMA = {1: 49.38653, 2: 55.68411, 3: 108.68355, 4: 50.57403}
CONTINUOUS_OPTIMA |= {5: 53.89847, 6: 43.751, 7: 51.67816, 8: 93.13008}


def raw_courses(case: Instance, index: int) -> int:
    """Shapes times timings that fit the horizon."""
    course = case.lesions[index].course
    assert isinstance(course, UniformCourse)
    timings = 0
    for fractions in course.fractions:
        for start in range(
            course.first_start_day, course.last_start_day + 1, course.start_step_days
        ):
            for interval in course.interval_days:
                days = course_days(case.calendar, start, fractions, interval)
                timings += days is not None and days[-1] < case.days
    return timings * len(course.levels_gy)


def test_the_bundled_set() -> None:
    expected = {*REAL, *SMALL, *TOYS, *(f"mr-linac-{i}" for i in range(1, 9))}
    assert set(names()) == expected


@pytest.mark.parametrize("name", names())
def test_case_loads_with_its_birth_certificate(name: str) -> None:
    case = load(name)
    assert case.name == name
    assert case.provenance.source
    assert case.provenance.assumed
    assert case.standard is not None


@pytest.mark.parametrize("name", REAL)
def test_real_cases_have_occult_disease_and_full_shares(name: str) -> None:
    case = load(name)
    assert sum(not lesion.irradiable for lesion in case.lesions) == 1
    assert sum(lesion.effector_share for lesion in case.lesions) == pytest.approx(1)
    assert sum(lesion.precursor_share for lesion in case.lesions) == pytest.approx(1)
    for i in case.irradiable:
        lesion = case.lesions[i]
        assert lesion.lymphocyte_loss_per_fraction > 0
        assert lesion.effector_kill_per_fraction > 0
        assert lesion.integral_dose_cm3


def dose_caps(case: Instance) -> list[float]:
    """Every number of a case's limits that is a dose."""
    found: list[float] = []
    for limit in case.limits:
        if isinstance(limit, DoseByFractionsLimit):
            found += limit.limits_gy
        elif isinstance(limit, BedLimit | MeanLimit | MeanEqd2Limit | EdricLimit):
            found.append(limit.cap_gy)
    return found


TIGHTER = {"early-sabr": 0.6, "pembro-rt": 0.5}
"""Where nine tenths of the caps would change nothing."""


LOWER = {"stage3-crt-tight": {"pneumonitis": 0.44}}
"""Probabilities that a variant caps otherwise than its base."""
ADDED = {"early-sabr-relaxed": ("ipilimumab",)}
"""Agents that only the variant offers."""


def ntcp_caps(case: Instance) -> dict[str, float]:
    """Every probability that a case limits."""
    return {limit.name: limit.cap for limit in case.limits if isinstance(limit, NtcpLimit)}


@pytest.mark.parametrize("name", MAIN)
@pytest.mark.parametrize("kind", ["tight", "relaxed"])
def test_variants_scale_every_dose_cap_and_change_what_they_say(name: str, kind: str) -> None:
    factor = 1.1 if kind == "relaxed" else TIGHTER.get(name, 0.9)
    base, variant = load(name), load(f"{name}-{kind}")
    caps = dose_caps(base)
    assert len(caps) > 3
    assert dose_caps(variant) == pytest.approx([factor * cap for cap in caps])
    assert variant.lesions == base.lesions
    added = ADDED.get(variant.name, ())
    assert tuple(agent for agent in variant.agents if agent.name not in added) == base.agents
    assert len(variant.agents) == len(base.agents) + len(added)
    assert ntcp_caps(variant) == ntcp_caps(base) | LOWER.get(variant.name, {})


def test_central_sbrt_is_airway_and_esophagus_limited() -> None:
    """Its best schedule uses both organs up, and exceeds the soft limit of the heart."""
    verdict = solve(load("central-sbrt")).evaluation
    assert verdict is not None
    use = {limit.name: limit.use for limit in verdict.limits}
    assert 0.9 <= use["proximal_bronchial_tree_max"] <= 1 + 1e-9
    assert 0.9 <= use["esophagus_max"] <= 1 + 1e-9
    assert verdict.exceeded_soft == ("heart_optimal",)
    assert verdict.soft_cost > 0.05


@pytest.mark.parametrize(
    ("name", "limit", "odds_ratio", "risk_ratio"),
    [("hfrt-crt", "pneumonitis_eqd2", 3.33, 1.4), ("hfrt-crt", "esophagitis_acute", 5.27, 1.0)],
)
def test_complications_are_those_of_exposed_patients(
    name: str, limit: str, odds_ratio: float, risk_ratio: float
) -> None:
    """The probability in the best schedule is the unexposed one with both ratios."""
    case = load(name)
    without = case.unchecked(
        {
            "limits": tuple(
                one.unchecked({"exposures": ()}) if isinstance(one, NtcpLimit) else one
                for one in case.limits
            )
        }
    )
    schedule = solve(case).schedule
    assert schedule is not None
    exposed, plain = (
        next(use.value for use in evaluate(one, schedule).limits if use.name == limit)
        for one in (case, without)
    )
    odds = odds_ratio * plain / (1 - plain)
    assert exposed == pytest.approx(risk_ratio * odds / (1 + odds), rel=1e-9)
    assert exposed > 1.5 * plain


def test_high_low_dose_offers_both_kinds_to_seven_lesions() -> None:
    case = load("high-low-dose")
    assert len(case.irradiable) == 7
    for i in case.irradiable:
        course = case.lesions[i].course
        assert isinstance(course, UniformCourse)
        high, low = course.blocks
        assert min(high.levels_gy) >= 3
        assert max(low.levels_gy) <= 2


def test_reirradiation_counts_what_was_given_before() -> None:
    case = load("reirradiation")
    assert {(prior.organ, prior.point) for prior in case.prior_doses} == {
        ("cord", "max"),
        ("esophagus", "max"),
        ("lungs", "mean"),
    }
    cord = case.prior_doses[0]
    assert cord.recovered == 0
    assert cord.fractions * cord.dose_gy == pytest.approx(40)


def test_hfrt_chemotherapy_is_an_equivalent_bed_of_a_full_course() -> None:
    case = load("hfrt-crt")
    drug, cycles = case.drugs["carboplatin"], case.regimens["carboplatin-paclitaxel-weekly"]
    total = drug.equivalent_bed_gy_per_dose * cycles.max_cycles
    assert total == pytest.approx(8.6, abs=1e-3)
    assert all(drug.sensitizer_enhancement_ratio == 1 for drug in case.drugs.values())


def test_oligomet_has_a_large_menu() -> None:
    case = load("oligomet-4")
    assert len(case.irradiable) == 4
    for i in case.irradiable:
        assert raw_courses(case, i) >= 20_000


def test_second_moment_is_used_somewhere() -> None:
    assert any(limit.kind == "mean_eqd2" for limit in load("early-sabr").limits)


@pytest.mark.parametrize("regimen", ["cisplatin-etoposide", "carboplatin-paclitaxel-weekly"])
def test_stage3_floor_allows_the_standard_with_either_doublet(regimen: str) -> None:
    case = load("stage3-crt")
    chemotherapy = case.regimens[regimen]
    cost = sum(case.drugs[dose.drug].lymphocyte_log_loss_per_dose for dose in chemotherapy.doses)
    days = course_days(case.calendar, 0, 30, 1)
    assert days is not None
    loss = log_loss(
        days[-1],
        days,
        case.lesions[0].lymphocyte_loss_per_fraction,
        case.lymphocytes.recovery_half_time_days,
    )
    nadir = case.lymphocytes.initial_1e9_per_l * math.exp(
        -float(loss) - cost * chemotherapy.max_cycles
    )
    floor = next(limit.floor_1e9_per_l for limit in case.limits if limit.kind == "alc")
    assert floor < nadir < 0.5


@pytest.mark.parametrize("patient", range(1, 9))
def test_mr_linac_standard_keeps_the_limit_and_is_below_the_optimum(patient: int) -> None:
    case = load(f"mr-linac-{patient}")
    lesion, limit = case.lesions[0], case.limits[0]
    assert limit.kind == "bed"
    assert case.standard is not None

    def organ(dose: float) -> float:
        each = [lesion.sparing_factor("oar", "max", day, lesion.ways[0]) * dose for day in range(5)]
        return sum(x * (1 + x / limit.alpha_beta_gy) for x in each)

    dose = case.standard.courses[0].dose_gy
    assert organ(dose) <= limit.cap_gy < organ(dose + 0.1)
    assert 5 * dose * (1 + dose / lesion.alpha_beta_gy) < CONTINUOUS_OPTIMA[patient]


def test_toy_fractionation_by_hand() -> None:
    case = load("toy-fractionation")
    lesion, limit = case.lesions[0], case.limits[0]
    assert limit.kind == "bed"
    assert isinstance(lesion.course, UniformCourse)
    best: list[tuple[float, int, float]] = []
    for n in lesion.course.fractions:
        for dose in lesion.course.levels_gy:
            x = lesion.sparing_factor("organ", "max", 0, lesion.ways[0]) * dose
            if n * x * (1 + x / limit.alpha_beta_gy) <= limit.cap_gy + 1e-9:
                best.append((n * dose * (1 + dose / lesion.alpha_beta_gy), n, dose))
    assert max(best) == (75.0, 10, 5.0)


def test_toy_two_lesions_by_hand() -> None:
    case = load("toy-two-lesions")
    limit = case.limits[0]
    assert limit.kind == "mean"
    edge = 4.6 + math.log(-math.expm1(-4.6))
    options: list[list[tuple[float, float]]] = []
    for i in case.irradiable:
        lesion = case.lesions[i]
        assert isinstance(lesion.course, UniformCourse)
        row = []
        for dose in (0.0, *lesion.course.levels_gy):
            kill = lesion.alpha_per_gy * 3 * dose * (1 + dose / lesion.alpha_beta_gy)
            u = math.log(lesion.clonogen_number) - kill
            value = max(-math.log1p(math.exp(u)), -4.6 - 0.05 * (u - edge))
            row.append((dose, value))
        options.append(row)
    scores = [
        (value + other, dose, second)
        for dose, value in options[0]
        for second, other in options[1]
        if 0.5 * 3 * (dose + second) <= limit.cap_gy
    ]
    score, large, small = max(scores)
    assert (large, small) == (10, 8)
    assert score - math.log(3) == pytest.approx(-2.4502, abs=5e-4)
