"""The judge at edges: caps of 0, floors, ties, horizons between doses, kills beyond a float."""

from __future__ import annotations

import math

import pytest
from plain_cases import CITED, EVERY_DAY, Raw, lesion, limit, plain_case, uniform

from abscopt.instances import build
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.evaluation.limits import LimitUse
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

MENU = uniform([1], [8.0])
NAMES = "abc"


def case(*lesions: Raw, limits: list[Raw] | None = None, **fields: object) -> Raw:
    known: Raw = {"calendar": EVERY_DAY, "horizon_days": (40,), "objective": "log_kill"}
    return plain_case(lesions, limits or [], **(known | fields))  # type: ignore[arg-type]


def tumor(**fields: object) -> Raw:
    return lesion(course=MENU) | fields


def judged(raw: Raw, fractions: list[Fraction], infusions: tuple[Infusion, ...] = ()) -> Evaluation:
    return Judge(build(raw)).evaluate(Schedule.of(fractions, infusions))


def test_a_limit_binds_from_a_thousandth_below_its_cap_on() -> None:
    uses = [LimitUse("cap", "bed", 1.0, 1.0, "Gy", use, True) for use in (0.9989, 0.999, 1.0)]
    assert [use.binding for use in uses] == [False, True, True]
    assert uses[0].to_json()["slack"] == pytest.approx(0.0011)
    assert uses[0].cost == 0.0
    assert not LimitUse("cap", "bed", None, 1.0, "Gy", None, False).binding


def test_a_cap_of_zero_and_a_floor() -> None:
    rules = [
        limit("logistics", "none", quantity="visits", cap=0),
        limit("logistics", "some", quantity="lesions", floor=2),
        limit("logistics", "range", quantity="lesions", floor=1, cap=2),
        limit("logistics", "day", quantity="lesions_per_day", cap=2),
        limit("logistics", "long", quantity="overall_days", cap=2),
    ]
    raw = case(*(tumor(name=name) for name in NAMES), limits=rules)

    def uses(number: int) -> dict[str, tuple[float | None, float, float | None, bool]]:
        fractions = [Fraction(0, name, 8.0) for name in NAMES[:number]]
        found = judged(raw, fractions).limits
        return {use.name: (use.value, use.bound, use.use, use.kept) for use in found}

    assert uses(0) == {
        "none": (0, 0, 0, True), "some": (0, 2, None, False), "range": (0, 1, None, False),
        "day": (0, 2, 0, True), "long": (0, 2, 0, True),
    }  # fmt: skip
    assert uses(2) == {
        "none": (1, 0, 2, False), "some": (2, 2, 0, True), "range": (2, 2, 1, True),
        "day": (2, 2, 1, True), "long": (1, 2, 0.5, True),
    }  # fmt: skip
    assert uses(3)["range"] == (3, 2, 1.5, False)


def test_lesions_that_spare_the_organ_do_not_end_its_exposure() -> None:
    exposure = {"drugs": "chemotherapy", "days_before": 0, "days_after": 0, "risk_ratio": 1.5}
    rule = limit(
        "ntcp", "lung", organ="organ", model="logistic", intercept=-3.87, slope_per_gy=0.126,
        cap=0.9, exposures=[exposure],
    )  # fmt: skip
    known = [{"amount": milligrams, "unit": "mg"} for milligrams in (1.0, 150.0)]
    drug = {"kind": "chemotherapy", "reference_doses": known} | CITED
    near, far = tumor(sparing={"organ": {"mean": 0.5}}), tumor(name="far")
    raw = case(near, far, limits=[rule], drugs={"drug": drug})
    given = [Fraction(3, "tumor", 8.0), Fraction(3, "far", 8.0), Fraction(5, "far", 8.0)]
    base = judged(raw, given).limits[0].value
    assert base is not None
    for day, ratio in ((3, 1.5), (5, 1.0)):
        value = judged(raw, given, (Infusion(day, "drug", 100.0),)).limits[0].value
        assert value == pytest.approx(ratio * base)


def test_control_is_demanded_at_the_last_horizon() -> None:
    raw = case(tumor(least_control=0.5, growth_doubling_time_days=5.0), horizon_days=(10, 20, 40))
    verdict = judged(raw, [Fraction(0, "tumor", 8.0)])
    (demand,) = [use for use in verdict.limits if use.kind == "least_control"] or verdict.demands
    first, second, last = verdict.lesions[0].control_probability
    assert last < second < first
    assert demand.value == last


def test_a_dose_on_a_horizon_day_counts_after_it() -> None:
    known = [{"amount": milligrams, "unit": "mg"} for milligrams in (1.0, 150.0)]
    drug: Raw = {"kind": "chemotherapy", "reference_doses": known, "sensitizing_days": 1,
            "equivalent_bed_gy_per_dose": 5.0, "cytotoxic_log_kill_per_dose": 0.5}  # fmt: skip
    drug |= CITED
    raw = case(tumor(), horizon_days=(10, 40), drugs={"drug": drug})
    alone = judged(raw, [Fraction(10, "tumor", 8.0)]).lesions[0].log_burden
    both = judged(raw, [Fraction(10, "tumor", 8.0)], (Infusion(10, "drug", 100.0),))
    first, last = both.lesions[0].log_burden
    assert first == alone[0]
    assert last == pytest.approx(alone[1] - 0.3 * 5.0 - 0.5)


def test_a_kill_beyond_the_least_float_is_counted() -> None:
    raw = case(tumor(alpha_per_gy=2.0))
    none = judged(raw, []).lesions[0].log_burden[0]
    given = judged(raw, [Fraction(day, "tumor", 30.0) for day in range(4)])
    assert given.lesions[0].log_burden[0] == pytest.approx(none - 4 * 2.0 * 30.0 * 4.0)
    assert math.isfinite(given.objective)


def test_traces_begin_on_the_first_day_and_the_first_of_equal_nadirs_is_told() -> None:
    verdict = judged(case(tumor()), [Fraction(3, "tumor", 8.0), Fraction(9, "tumor", 8.0)])
    assert verdict.immune["trace"]["day"] == [0, 7, 14, 21, 28, 35]
    assert verdict.lymphocytes["nadir_day"] == 3


def test_a_demand_that_is_met_to_a_rounding_error_is_met() -> None:
    for short, kept in ((0.0, True), (5e-10, True), (5e-9, False)):
        raw = case(tumor(least_bed_gy=8.0 * 1.8 * (1.0 + short)))
        verdict = judged(raw, [Fraction(0, "tumor", 8.0)])
        assert verdict.feasible is kept
    assert not judged(raw, []).feasible


def test_the_gap_between_courses_does_not_depend_on_the_order_of_lesions() -> None:
    menu = uniform([3], [8.0])
    rule = limit("logistics", "gap", quantity="course_gap_days", floor=3)
    days = {"a": (0, 1, 2), "b": (9, 10, 11)}
    for names in ("ab", "ba"):
        raw = case(*(tumor(name=name, course=menu) for name in names), limits=[rule])
        given = [Fraction(day, name, 8.0) for name in names for day in days[name]]
        assert judged(raw, given).limits[0].value == 7.0


@pytest.mark.parametrize(("tolerance", "offered"), [(3, False), (4, True)])
def test_no_dose_moves_further_than_the_tolerance(tolerance: int, offered: bool) -> None:
    calendar = {"infusion_weekdays": [0], "infusion_tolerance_days": tolerance}
    dose = {"drug": "cisplatin", "day": 0, "amount": 135.0, "unit": "mg"}
    regimen = {"cycle_days": 10, "max_cycles": 2, "doses": [dose]} | CITED
    agent = {"name": "agent", "regimens": ["r"], "first_start_day": 0, "last_start_day": 3}
    raw = case(tumor(), regimens={"r": regimen}, agents=[agent], calendar=calendar)
    given = (Infusion(0, "cisplatin", 135.0), Infusion(14, "cisplatin", 135.0))
    assert (judged(raw, [], given).obstacles == ()) is offered


def test_a_dose_of_twice_the_reference_costs_twice_the_lymphocytes() -> None:
    known = [{"amount": milligrams, "unit": "mg"} for milligrams in (1.0, 150.0)]
    drug = {"kind": "chemotherapy", "reference_doses": known} | CITED
    drug["lymphocyte_log_loss_per_dose"] = 0.25
    verdict = judged(case(tumor(), drugs={"drug": drug}), [], (Infusion(0, "drug", 300.0),))
    assert verdict.lymphocytes["nadir_1e9_per_l"] == pytest.approx(1.7 * math.exp(-0.5))
