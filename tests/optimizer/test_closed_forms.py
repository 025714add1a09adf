"""Fractionation problems whose optimum is known: closed forms, two-variable LPs, KKT points.

The letters are those of the derivations: A one organ, B repopulation, C several organs,
D sparing or sensitivity that varies by day, I uncertain alpha/beta of the organ. Menus hold the
exact optimal doses, so the engine must reach the exact optimum of the continuous problem.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_cases import (
    CITED,
    EVERY_DAY,
    Raw,
    bed_limit,
    free,
    lesion,
    limit,
    plain_case,
    uniform,
)
from scipy.optimize import linprog

from abscopt.instances import build
from abscopt.optimizer import solve
from abscopt.optimizer.results.result import Result

TUMOR, ORGAN, CAP = 10.0, 3.0, 61.6
NUMBERS = (1, 3, 5, 10, 30)


def equal_dose(number: int, delta: float, cap: float, ratio: float = ORGAN) -> float:
    """Gy per fraction at which n equal fractions meet one organ's BED cap."""
    return ratio / (2 * delta) * (math.sqrt(1 + 4 * cap / (number * ratio)) - 1)


def bed(doses: Sequence[float], ratio: float = TUMOR) -> float:
    """BED of any doses."""
    return math.fsum(d + d * d / ratio for d in doses)


def answer(raw: Raw, **options: Any) -> Result:
    """Optimal result of a case."""
    result: Result = solve(build(raw), gap=1e-7, **options)
    assert result.status == "optimal"
    return result


def approx(value: float) -> Any:
    """The value to 1e-6 of itself."""
    return pytest.approx(value, rel=1e-6)


# A: one organ, constant sparing factor


TABLE_A = {
    0.20: (431.5584, 413.3204, 402.4776, 385.6745, 357.0000),
    0.25: (285.9387, 280.1025, 276.6328, 271.2558, 262.0800),
    0.30: (205.3333, 205.3333, 205.3333, 205.3333, 205.3333),
    0.35: (155.8272, 158.8048, 160.5751, 163.3185, 168.0000),
    0.70: (47.6544, 53.6097, 57.1502, 62.6369, 72.0000),
    1.00: (27.0036, 32.1103, 35.1463, 39.8511, 47.8800),
}


def case_a(delta: float, numbers: Sequence[int]) -> Raw:
    doses = [equal_dose(n, delta, CAP) for n in NUMBERS]
    tumor = lesion(course=uniform(numbers, doses), sparing={"organ": {"max": delta}})
    return plain_case([tumor], [bed_limit(CAP)], horizon_days=[40], calendar=EVERY_DAY)


@pytest.mark.parametrize("delta", TABLE_A)
def test_a_every_fraction_number_reaches_its_table_value(delta: float) -> None:
    for number, printed in zip(NUMBERS, TABLE_A[delta], strict=True):
        objective = answer(case_a(delta, [number])).objective
        assert objective == approx(bed([equal_dose(number, delta, CAP)] * number))
        assert objective == pytest.approx(printed, abs=5.1e-5)


@pytest.mark.parametrize("method", ["auto", "single"])
@pytest.mark.parametrize(("delta", "number"), [(0.2, 1), (0.25, 1), (0.35, 30), (0.7, 30), (1, 30)])
def test_a_threshold_decides_between_one_and_many_fractions(
    delta: float, number: int, method: str
) -> None:
    result = answer(case_a(delta, NUMBERS), method=method)
    assert result.schedule is not None
    assert len(result.schedule.fractions) == number
    assert result.objective == approx(bed([equal_dose(number, delta, CAP)] * number))


def test_a_at_the_threshold_all_tight_schedules_tie() -> None:
    tie = CAP * ORGAN / (0.3**2 * TUMOR)
    for number in NUMBERS:
        assert answer(case_a(0.3, [number])).objective == approx(tie)
    assert answer(case_a(0.3, NUMBERS)).objective == approx(tie)


def test_a_at_the_threshold_unequal_doses_tie_as_well() -> None:
    first = 6.0
    rest = equal_dose(1, 0.3, CAP - 0.3 * first * (1 + 0.3 * first / ORGAN))
    tumor = lesion(course=free([0, 1], [first, rest]), sparing={"organ": {"max": 0.3}})
    result = answer(plain_case([tumor], [bed_limit(CAP)], horizon_days=[5]))
    assert result.objective == approx(CAP * ORGAN / (0.3**2 * TUMOR))


def test_a_bounded_dose_fills_fractions_to_the_maximum_and_one_in_between() -> None:
    """Below the threshold with d <= 12 Gy: a vertex, all but one dose at a bound."""
    delta, most = 0.2, 12.0
    own = delta * most * (1 + delta * most / ORGAN)
    full = int(CAP // own)
    between = equal_dose(1, delta, CAP - full * own)
    doses = [most, between, *(equal_dose(n, delta, CAP) for n in (15, 20, 25))]
    tumor = lesion(course=free(range(19), doses), sparing={"organ": {"max": delta}})
    calendar = EVERY_DAY
    result = answer(plain_case([tumor], [bed_limit(CAP)], horizon_days=[20], calendar=calendar))
    assert full == 14
    assert result.objective == approx(bed([most] * full + [between]))


MIZUTA = {
    0.25: (15.9289, 16.6667, 17.0204, 17.5),
    0.30: (21.6, 21.6, 21.6, 21.6),
    0.35: (28.0995, 27.0667, 26.5715, 25.9),
}


@pytest.mark.parametrize("delta", MIZUTA)
def test_a_least_organ_load_at_equal_tumor_bed(delta: float) -> None:
    """Mizuta's direction: schedules of BED10 72 Gy tie; the second stage spares the organ.

    One lesion per fraction number, of which one is treated, so that each menu is one course.
    """
    numbers = (1, 5, 10, 30)
    lesions = [
        lesion(
            f"n{n}",
            course=uniform([n], [equal_dose(n, 1.0, 72.0, TUMOR)]),
            sparing={"organ": {"max": delta}},
        )
        for n in numbers
    ]
    one = limit("logistics", "one", quantity="lesions", cap=1)
    loads = []
    for chosen in ([single] for single in lesions):
        result = answer(
            plain_case(chosen, [bed_limit(100.0)], horizon_days=[40], calendar=EVERY_DAY)
        )
        assert result.objective == approx(72.0)
        assert result.evaluation is not None
        load = result.evaluation.limits[0].value
        assert load is not None
        loads.append(load)
    assert loads == pytest.approx(list(MIZUTA[delta]), abs=5.1e-5)
    result = answer(
        plain_case(lesions, [bed_limit(100.0), one], horizon_days=[40], calendar=EVERY_DAY)
    )
    assert result.objective == approx(72.0)
    assert result.evaluation is not None
    assert result.evaluation.limits[0].value == pytest.approx(min(loads), rel=1e-6)


def test_a_mean_eqd2_of_an_uneven_organ_has_its_own_threshold() -> None:
    """delta_eff = mean(delta^2) / mean(delta) replaces delta."""
    for mean, square, number in ((0.2, 0.05, 1), (0.2, 0.08, 10)):
        effective, cap = square / mean, 40.0
        numbers = (1, 2, 5, 10)
        doses = [
            equal_dose(n, effective, cap * (1 + 2 / ORGAN) * effective / mean) for n in numbers
        ]
        tumor = lesion(
            course=uniform(numbers, doses),
            sparing={"organ": {"mean": mean, "second_moment": square}},
        )
        rule = limit("mean_eqd2", "organ", organ="organ", alpha_beta_gy=ORGAN, cap_gy=cap)
        result = answer(plain_case([tumor], [rule], horizon_days=[15], calendar=EVERY_DAY))
        assert (effective > ORGAN / TUMOR) == (number == 10)
        dose = doses[numbers.index(number)]
        assert result.objective == approx(bed([dose] * number))


# B: repopulation


ALPHA = 0.3


def case_b(
    delta: float, cap: float, tau: float, kick_off: float, numbers: Sequence[int], **fields: Any
) -> Raw:
    tumor = lesion(
        alpha_per_gy=ALPHA,
        repopulation_doubling_time_days=math.log(2) / (ALPHA * tau),
        kick_off_days=kick_off,
        course=uniform(numbers, [equal_dose(n, delta, cap) for n in numbers]),
        sparing={"organ": {"max": delta}},
    )
    return plain_case([tumor], [bed_limit(cap)], horizon_days=[70], **fields)


@pytest.mark.parametrize(
    ("delta", "tau", "cap", "continuous", "number", "printed"),
    [
        (0.7, 0.20, 61.6, 39.3034, 39, 66.5218),
        (0.7, 0.40, 61.6, 21.4264, 21, 60.9855),
        (0.7, 0.66, 61.6, 12.9593, 13, 56.9378),
        (0.7, 0.90, 61.6, 9.1869, 9, 54.5622),
        (0.5, 0.66, 40.0, 8.2352, 8, 60.3612),
        (1.0, 0.66, 100.0, 17.7986, 18, 54.6816),
    ],
)
def test_b_constant_growth_sets_the_fraction_number(
    delta: float, tau: float, cap: float, continuous: float, number: int, printed: float
) -> None:
    kappa = 4 * delta * tau / ((1 - ORGAN / (delta * TUMOR)) * ORGAN)
    s = 1 + kappa / 2 + math.sqrt(kappa + kappa**2 / 4)
    optimum = 4 * cap / (ORGAN * (s * s - 1))

    def value(n: int) -> float:
        return bed([equal_dose(n, delta, cap)] * n) - tau * (n - 1)

    result = answer(case_b(delta, cap, tau, 0.0, range(1, 51), calendar=EVERY_DAY))

    assert optimum == pytest.approx(continuous, abs=1e-4)
    exact = max(value(math.floor(optimum)), value(math.ceil(optimum)))
    assert result.objective == approx(exact)
    assert result.objective == pytest.approx(printed, abs=5.1e-5)
    assert result.schedule is not None
    assert len(result.schedule.fractions) == number


@pytest.mark.parametrize(
    ("tau", "kick_off", "number", "printed"),
    [(0.66, 28, 21, 68.9855), (0.66, 21, 16, 66.6427), (0.90, 28, 21, 68.9855)],
)
@pytest.mark.parametrize("method", ["auto", "single"])
def test_b2_weekends_and_kick_off_end_the_course_at_the_kick_off(
    tau: float, kick_off: int, number: int, printed: float, method: str
) -> None:
    numbers = range(12, 36)
    values = {
        n: bed([equal_dose(n, 0.7, CAP)] * n)
        - tau * max(0, 7 * ((n - 1) // 5) + (n - 1) % 5 - kick_off)
        for n in numbers
    }
    result = answer(case_b(0.7, CAP, tau, kick_off, numbers), method=method)
    assert result.objective == approx(max(values.values()))
    assert result.objective == pytest.approx(printed, abs=5.1e-5)
    assert result.schedule is not None
    assert len(result.schedule.fractions) == number


# C: several organs: the two-variable LP


Organs = tuple[tuple[float, float, float], ...]  # (delta, alpha/beta, cap) of each organ


def tightest_dose(number: int, organs: Organs) -> float:
    """Gy per fraction of n equal fractions that keep every cap."""
    return min(equal_dose(number, delta, cap, ratio) for delta, ratio, cap in organs)


def linear_program(number: int, tumor: float, organs: Organs) -> tuple[float, float, float]:
    """Best tumor BED of n fractions of any doses, with S = sum d and Q = sum d^2."""
    low, high = tightest_dose(number, organs), tightest_dose(1, organs)
    rows = [[delta, delta**2 / ratio] for delta, ratio, _ in organs]
    rows += [[low, -1.0], [-high, 1.0]]
    right = [cap for _, _, cap in organs] + [0.0, 0.0]
    found = linprog([-1.0, -1.0 / tumor], A_ub=rows, b_ub=right, bounds=[(0, None)] * 2)
    assert found.success
    return float(-found.fun), float(found.x[0]), float(found.x[1])


def case_c(course: Raw, tumor: float, organs: Organs) -> Raw:
    sparing = {f"organ{k}": {"max": delta} for k, (delta, _, _) in enumerate(organs)}
    limits = [bed_limit(cap, ratio, organ=f"organ{k}") for k, (_, ratio, cap) in enumerate(organs)]
    one = lesion(alpha_beta_gy=tumor, course=course, sparing=sparing)
    return plain_case([one], limits, horizon_days=[30], calendar=EVERY_DAY)


@pytest.mark.parametrize(
    ("tumor", "organs", "number", "printed"),
    [
        (10.0, ((0.7, 3.0, 61.6), (0.5, 2.0, 50.0)), 20, 68.56637),
        (3.0, ((0.7, 3.0, 61.6), (0.8, 3.0, 80.0)), 1, 118.25921),
    ],
    ids=["C1 equal", "C2 single"],
)
def test_c_equal_or_single_dose_reaches_the_linear_program(
    tumor: float, organs: Organs, number: int, printed: float
) -> None:
    numbers = (1, 2, 3, 5, 8, 12, 16, 20)
    menu = uniform(numbers, [tightest_dose(n, organs) for n in numbers])
    result = answer(case_c(menu, tumor, organs))
    value, _, _ = linear_program(20, tumor, organs)
    assert result.objective == approx(value)
    assert result.objective == pytest.approx(printed, abs=5.1e-6)
    assert result.schedule is not None
    assert len(result.schedule.fractions) == number


def test_c_interior_vertex_needs_unequal_doses() -> None:
    """r_1/delta_1 > r_T > r_2/delta_2: both organs are tight, neither equal nor single is best."""
    organs: Organs = ((0.4, 8.0, 14.0), (0.7, 3.0, 50.0))
    number, tumor = 4, 10.0
    value, total, square = linear_program(number, tumor, organs)
    mean = total / number
    spread = math.sqrt((square - total * mean) / (number * (number - 1)))
    large, small = mean + (number - 1) * spread, mean - spread
    equal, single = tightest_dose(number, organs), tightest_dose(1, organs)
    assert 0 < small < equal < large < single

    menu = free(range(number), [small, equal, large, single])
    result = answer(case_c(menu, tumor, organs))

    assert result.objective == approx(value)
    assert result.objective is not None
    assert result.objective > max(bed([equal] * number), bed([single])) + 0.1
    assert result.evaluation is not None
    assert [use.use for use in result.evaluation.limits] == pytest.approx([1.0, 1.0], rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_c_linear_program_bounds_every_menu(seed: int) -> None:
    random = np.random.default_rng(seed)
    organs: Organs = tuple(
        (float(random.uniform(0.3, 1)), float(random.uniform(2, 5)), float(random.uniform(30, 80)))
        for _ in range(3)
    )
    tumor = float(random.uniform(3, 12))
    levels = sorted(float(d) for d in random.uniform(1, 12, size=4))
    result = answer(case_c(free(range(5), levels), tumor, organs))
    value, _, _ = linear_program(5, tumor, organs)
    assert result.objective is not None
    assert result.objective <= value + 1e-6


# D: sparing or sensitivity that varies by day


def kkt_doses(
    linear: Sequence[float], delta: Sequence[float], cap: float, ratio: float = ORGAN
) -> list[float]:
    """Doses that maximize sum l_t d + d^2/r_T under one cap: bisection on its multiplier.

    l_t + 2 d/r_T = lambda (delta_t + 2 delta_t^2 d/r_O), which has one root where the effect is
    concave in the organ's BED (delta_t >= l_t r_O/r_T).
    """

    def doses(price: float) -> list[float]:
        found = []
        for weight, factor in zip(linear, delta, strict=True):
            bend = 2 * (price * factor**2 / ratio - 1 / TUMOR)
            found.append(max(0.0, weight - price * factor) / bend if bend > 0 else math.inf)
        return found

    def load(price: float) -> float:
        return math.fsum(
            f * d + (f * d) ** 2 / ratio for f, d in zip(delta, doses(price), strict=True)
        )

    low, high = 1e-6, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if load(middle) > cap else (low, middle)
    return doses(high)


PATIENTS = json.loads(
    (Path(__file__).parent / "adaptive_fractionation_2023_patients_1_8.json").read_text()
)["patients"]


@pytest.mark.parametrize("patient", PATIENTS, ids=[p["id"] for p in PATIENTS])
def test_d_sparing_by_day_reaches_the_kkt_point(patient: dict[str, Any]) -> None:
    delta, cap = patient["delta"], float(patient["B"])
    doses = kkt_doses([1.0] * 5, delta, cap)
    assert doses == pytest.approx(patient["exact_opt"], abs=2e-5)
    assert bed(doses) == pytest.approx(patient["exact_BED10"], abs=1e-5)

    tumor = lesion(
        course=free(range(5), sorted({d for d in doses if d > 0})),
        sparing={"organ": {"max": {"days": list(range(5)), "values": delta}}},
    )
    result = answer(plain_case([tumor], [bed_limit(cap)], horizon_days=[5]))

    assert result.objective == approx(bed(doses))
    assert result.schedule is not None
    given = {day: dose for day, dose, _ in result.schedule.course("tumor")}
    assert [given.get(day, 0.0) for day in range(5)] == pytest.approx(doses, rel=1e-9)


@pytest.mark.parametrize("days", [8, 20])
def test_d2_sensitized_days_receive_more(days: int) -> None:
    """A drug that raises alpha by 1.2 on every other day; with 20 days, the printed optimum."""
    delta, cap, ratio = 0.7, CAP * days / 20, 1.2
    linear = [ratio if day % 2 == 0 else 1.0 for day in range(days)]
    doses = kkt_doses(linear, [delta] * days, cap)
    exact = math.fsum(w * d + d * d / TUMOR for w, d in zip(linear, doses, strict=True))
    if days == 20:
        assert doses[:2] == pytest.approx([3.36007, 1.93339], abs=1e-5)
        assert exact == pytest.approx(74.682741, abs=1e-6)
    tumor = lesion(
        course=free(range(days), sorted(set(doses[:2]))), sparing={"organ": {"max": delta}}
    )
    drug = {"kind": "chemotherapy", "sensitizer_enhancement_ratio": ratio, "sensitizing_days": 1}
    cycle = {
        "cycle_days": days,
        "max_cycles": 1,
        "doses": [
            {"drug": "sensitizer", "day": day, "amount": 40, "unit": "mg"}
            for day in range(0, days, 2)
        ],
    }
    raw = plain_case(
        [tumor],
        [bed_limit(cap)],
        horizon_days=[days],
        calendar=EVERY_DAY,
        drugs={"sensitizer": drug | CITED},
        regimens={"alternate": cycle | CITED},
        agents=[
            {
                "name": "chemo",
                "regimens": ["alternate"],
                "first_start_day": 0,
                "last_start_day": 0,
            }
        ],
    )
    result = answer(raw)
    assert result.objective == approx(exact)
    assert result.schedule is not None
    assert len(result.schedule.infusions) == days // 2


# I: uncertain alpha/beta of the organ


@pytest.mark.parametrize(
    ("number", "dose", "nominal", "robust"),
    [
        (5, 7.71875, 74.4017, 68.3833),
        (15, 3.97991, 85.9102, 83.4582),
        (20, 3.30946, 89.2338, 88.0944),
        (25, 2.85714, 91.8367, 91.8367),
        (30, 2.48808, 93.9560, 93.2141),
        (35, 2.20803, 95.7283, 94.3449),
    ],
)
def test_i_both_ends_of_an_uncertain_ratio_are_two_limits(
    number: int, dose: float, nominal: float, robust: float
) -> None:
    """Tolerance of 50 Gy in 25 fractions to the organ; alpha/beta 3, or anywhere in 2-4."""
    delta = 0.7

    def caps(ratios: Sequence[float]) -> Organs:
        return tuple((delta, r, 50.0 * (1 + 2.0 / r)) for r in ratios)

    for ratios, printed in (((3.0,), nominal), ((2.0, 4.0), robust)):
        exact = tightest_dose(number, caps(ratios))
        tumor = lesion(
            course=uniform([number], [exact, 0.9 * exact, 1.001 * exact]),
            sparing={"organ": {"max": delta}},
        )
        limits = [bed_limit(cap, ratio) for _, ratio, cap in caps(ratios)]
        result = answer(plain_case([tumor], limits, horizon_days=[40], calendar=EVERY_DAY))
        assert result.objective == approx(bed([exact] * number))
        assert result.objective == pytest.approx(printed, abs=5.1e-5)
    assert exact == pytest.approx(dose, abs=5.1e-6)
