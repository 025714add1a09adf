"""Schedules of a case in forward models: inputs, adapters, ranking, and which term disagrees."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_cases import EVERY_DAY, lesion, plain_case, uniform

from abscopt.instances import build, load
from abscopt.instances.schema import Instance
from abscopt.models.simulators import cho, gonzalez_crespo, kosinsky, xing
from abscopt.models.simulators.kosinsky_animals import individual_priming_half
from abscopt.optimizer.evaluation import Judge, evaluate
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule, standard_schedule
from abscopt.optimizer.simulation import MODELS
from abscopt.optimizer.simulation.alternatives import alternatives
from abscopt.optimizer.simulation.blood import EDRIC, MACLENNAN
from abscopt.optimizer.simulation.compare import SimulationReport, kendall_tau, simulate
from abscopt.optimizer.simulation.document import simulation_document, simulation_report
from abscopt.optimizer.simulation.inputs import daily_inputs
from abscopt.optimizer.simulation.model import LOG_CELL_CM3, Model, Simulated, log_burden, none
from abscopt.optimizer.simulation.pooled import CHO, START_CM3, simulate_pooled
from abscopt.optimizer.simulation.pulses import START_CM3 as XING_START_CM3
from abscopt.optimizer.simulation.pulses import XING
from abscopt.optimizer.simulation.separate import (
    GONZALEZ_CRESPO,
    ICD,
    KOSINSKY,
    gains,
    simulate_gonzalez_crespo,
    simulate_kosinsky,
)
from abscopt.optimizer.simulation.terms import terms_of, without

SIMULATORS = [model for model in MODELS if model.scale == "mouse"]


def inhibitor(target: str, volume_l: float = 4.0) -> dict[str, Any]:
    """An antibody that all but stays in its first compartment: half-life 10 d, EC50 5 mg/L."""
    return {
        "kind": "checkpoint_inhibitor",
        "target": target,
        "clearance_l_per_day": volume_l * math.log(2.0) / 10.0,
        "central_volume_l": volume_l,
        "intercompartmental_clearance_l_per_day": 1e-9,
        "peripheral_volume_l": 1e-3,
        "ec50_mg_per_l": 5.0,
        "source": "test",
        "status": "assumed",
    }


def case(**fields: Any) -> Instance:
    """Lesions of 10 and 30 cm³, occult disease, four drugs, immune effect."""
    course = uniform([1, 3], [5, 8], interval_days=[1])
    sites = [
        lesion("small", volume_cm3=10, course=course, immunogenicity=1, effector_share=0.5),
        lesion("large", volume_cm3=30, course=course, immunogenicity=1, effector_share=0.5),
        lesion("occult", irradiable=False, immunogenicity=0),
    ]
    del sites[2]["volume_cm3"]
    sites[1]["techniques"] = [
        {"name": "whole"},
        {"name": "part", "irradiated_share": 0.4},
    ]
    drugs = {
        "pd1": inhibitor("PD-1"),
        "pdl1": inhibitor("PD-L1", 8.0),
        "ctla4": inhibitor("CTLA-4"),
        "platinum": {"kind": "chemotherapy", "source": "test", "status": "assumed"},
    }
    raw = plain_case(sites, [], horizon_days=[20, 60], objective="log_kill")
    return build(
        raw | {"immune": {"use": "default"}, "drugs": drugs, "calendar": EVERY_DAY} | fields
    )


def given(lesion_name: str, dose_gy: float, *days: int, technique: str = "") -> list[Fraction]:
    name = technique or ("whole" if lesion_name == "large" else "")
    return [Fraction(day, lesion_name, dose_gy, 0, name) for day in days]


def infused(drug: str, milligrams: float, *days: int) -> list[Infusion]:
    return [Infusion(day, drug, milligrams) for day in days]


BOTH = given("small", 8, 2, 3, 9) + given("large", 8, 2, 3, 9)
PLAIN = Schedule.of(BOTH, infused("pd1", 100, 3, 24))
MIXED = Schedule.of(given("small", 8, 1), infused("pd1", 50, 5) + infused("ctla4", 40, 2))
UNTREATED = Schedule()


# Inputs


def test_inputs_by_hand() -> None:
    drugs = infused("pd1", 100, 3) + infused("pdl1", 40, 13) + infused("ctla4", 60, 0)
    schedule = Schedule.of(
        [*given("small", 5, 0, 4), *given("large", 8, 4, technique="part")],
        [*drugs, *infused("platinum", 70, 1)],
    )
    found = daily_inputs(case(), [schedule, UNTREATED])
    assert found.dose_gy.shape == (2, 3, 60)
    doses = np.zeros((3, 60))
    doses[0, [0, 4]], doses[1, 4] = 5.0, 8.0
    np.testing.assert_array_equal(found.dose_gy[0], doses)
    np.testing.assert_allclose(found.irradiated_share, [[1.0, 0.4, 1.0], [1.0, 1.0, 1.0]])
    assert found.anti_pd1[0, 2] == 0.0
    assert found.anti_pd1[0, 3] == pytest.approx(100 / 4 / 5)
    halved = 100 / 4 / 5 / 2 + 40 / 8 / 5
    assert found.anti_pd1[0, 13] == pytest.approx(halved, rel=1e-6)
    assert found.anti_ctla4[0, 20] == pytest.approx(60 / 4 / 5 / 4, rel=1e-6)
    assert not found.dose_gy[1].any() and not found.anti_pd1[1].any()


def test_inputs_refuse_what_has_no_daily_array() -> None:
    twice = Schedule.of([Fraction(0, "small", 2.0, slot) for slot in (0, 1)], [])
    with pytest.raises(ValueError, match="several fractions"):
        daily_inputs(case(), [twice])
    with pytest.raises(ValueError, match="horizon of 60 days"):
        daily_inputs(case(), [Schedule.of([], infused("pd1", 1, 60))])


# Cho: one tumor of several parts


def test_cho_with_every_lesion_irradiated_is_one_tumor() -> None:
    instance = case()
    inputs = daily_inputs(instance, [PLAIN])
    alone = cho.simulate(
        cho.FIGURES_4_5, inputs.dose_gy[0, 0], inputs.anti_pd1[0], tumor_cm3=START_CM3
    )
    assert alone.log_viable.min() > LOG_CELL_CM3
    found = CHO.run(instance, [PLAIN])
    assert found.log_burden is not None and found.effect is not None
    np.testing.assert_allclose(
        np.exp(found.log_burden[0]) * START_CM3, alone.burden_cm3, rtol=1e-10
    )
    kill = (alone.primary + alone.secondary).cumsum()
    np.testing.assert_allclose(found.effect[0], kill[[19, 59]], rtol=1e-10)
    assert found.score[0] == -found.log_burden[0, -1]


def test_cho_with_a_single_lesion_is_exactly_the_published_map() -> None:
    raw = plain_case(
        [lesion("only", course=uniform([3], [8]))], [], horizon_days=[40], calendar=EVERY_DAY
    )
    found = CHO.run(build(raw), [Schedule.of(given("only", 8, 2, 3, 9), [])])
    dose = np.zeros(40)
    dose[[2, 3, 9]] = 8.0
    alone = cho.simulate(cho.FIGURES_4_5, dose, tumor_cm3=START_CM3)
    expected = log_burden(alone.log_viable, alone.doomed_cm3) - math.log(START_CM3)
    assert found.log_burden is not None
    np.testing.assert_array_equal(found.log_burden[0], expected)


def test_a_part_outside_the_beam_keeps_its_cells() -> None:
    silent = replace(cho.FIGURES_4_5, infiltration=0.0, radiation_infiltration=0.0)
    schedule = Schedule.of(given("large", 5, 0, 1, 2, technique="part"), [])
    found = simulate_pooled(case(), [schedule], silent)
    inside = 0.75 * 0.4  # 30 of 40 cm³, 40 % of it in the beam
    kept = math.exp(-3 * (0.05 * 5 + 0.0114 * 25))
    viable = START_CM3 * (1 - inside + inside * kept) * math.exp(3 * 0.217)
    doomed = 0.0
    for day in range(3):
        lost = inside * kept ** (day / 3) * (1 - kept ** (1 / 3))
        doomed = 0.955 * doomed + START_CM3 * lost * math.exp((day + 1) * 0.217)
    assert found.log_burden is not None
    assert math.exp(found.log_burden[0, 3]) * START_CM3 == pytest.approx(viable + doomed)


def test_parts_share_one_immune_system() -> None:
    dose = np.zeros((2, 1))
    dose[0] = 4.0
    response = cho.simulate(
        cho.FIGURES_4_5, dose, tumor_cm3=2.0, lymphocytes=3.0, part_shares=[0.25, 0.75]
    )
    kept, spared = math.exp(-0.2 - 0.1824), math.exp(-0.728 - 2.288)
    activation = math.tanh(0.25 * (1 - kept))
    arrived = (0.5 + 300 * activation) * 2.0
    assert response.lymphocytes[1] == pytest.approx(
        0.955 * (0.75 + 0.25 * spared) * 3.0 + arrived, rel=1e-12
    )
    growth = 0.217 - response.primary[0] - response.secondary[0]
    left = 2.0 * (0.75 + 0.25 * kept) * math.exp(growth)
    assert response.viable_cm3[1] == pytest.approx(left, rel=1e-12)
    nothing = cho.simulate(
        cho.FIGURES_4_5, [[0.0, 9.0], [0.0, 0.0]], tumor_cm3=2.0, part_shares=[0.0, 1.0]
    )
    untreated = cho.simulate(cho.FIGURES_4_5, [0.0, 0.0], tumor_cm3=2.0)
    np.testing.assert_array_equal(nothing.log_viable, untreated.log_viable)
    np.testing.assert_array_equal(nothing.lymphocytes, untreated.lymphocytes)


def test_parts_must_make_a_whole() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        cho.simulate(cho.FIGURE_3, np.zeros((2, 5)), tumor_cm3=1.0, part_shares=[0.5, 0.6])
    with pytest.raises(ValueError, match="an axis of 2 parts"):
        cho.simulate(cho.FIGURE_3, np.zeros(5), tumor_cm3=1.0, part_shares=[0.5, 0.5])


# Gonzalez-Crespo and Kosinsky: one tumor per lesion


def test_damaged_cells_of_fractions_add_up() -> None:
    silent = gonzalez_crespo.Parameters(0.0, 0.0, 0.0)
    dose = np.zeros(9)
    dose[[0, 1, 4]] = 3.0
    found = gonzalez_crespo.simulate(silent, dose, steps_per_day=200)
    hit = -math.expm1(-0.1577 * 3 - 0.0427 * 9)
    cells, expected = 5e-4, 0.0
    for start in (0, 1, 4):
        living = cells * math.exp(start * 0.4044) * (1 - hit) ** [0, 1, 4].index(start)
        expected += hit * living * math.exp(-0.3715 * (9 - start - 1.25))
    assert found.doomed_cm3[-1] == pytest.approx(expected, rel=1e-4)


def test_immune_kill_closes_the_balance() -> None:
    active = gonzalez_crespo.Parameters(*gains())
    dose = np.zeros(25)
    dose[[7, 8]] = 4.0
    found = gonzalez_crespo.simulate(active, dose, 2.0)
    grown = math.log(found.viable_cm3[-1] / found.viable_cm3[0])
    kill = 2 * (0.1577 * 4 + 0.0427 * 16)
    assert found.immune_kill.sum() > 1.0
    assert grown == pytest.approx(25 * 0.4044 - kill - found.immune_kill.sum(), abs=0.01)


def test_the_reference_fraction_drains_half_of_the_pool() -> None:
    activation, natural, per_death = gains()
    assert natural / per_death == pytest.approx(5.6e-3 / 4.6e6)
    dose = np.zeros(72)
    dose[7] = 8.0
    found = gonzalez_crespo.simulate(
        gonzalez_crespo.Parameters(activation, 0.0, per_death, pool_inflow_per_day=0.0), dose
    )
    assert found.pool[-1] / found.pool[0] == pytest.approx(0.5, abs=0.04)


def test_kosinsky_takes_the_human_antibody() -> None:
    instance = case()
    many = Schedule.of([], infused("pd1", 100, 0, 14, 28))
    alone, blocked = (simulate_kosinsky(instance, [s], 3) for s in (UNTREATED, many))
    direct = kosinsky.simulate(
        kosinsky.Parameters(
            priming_half_ul=individual_priming_half([1 / 6, 0.5, 5 / 6]),
            absorption_per_day=None,
            antibody_volume_l=4.001,
            elimination_per_day=4.0 * math.log(2.0) / 10.0 / 4.001,
        ),
        np.zeros((1, 67)),
        np.concatenate([np.zeros(7), daily_nmol(60, 100.0, (0, 14, 28))]),
    )
    expected = np.log(direct.burden_cm3[:, 7:] / direct.burden_cm3[:, 7:8]).mean(axis=0)
    assert blocked.log_burden is not None and alone.log_burden is not None
    np.testing.assert_allclose(blocked.log_burden[0], expected, atol=1e-4)
    assert blocked.score[0] > alone.score[0] + 0.01


def daily_nmol(days: int, milligrams: float, on: tuple[int, ...]) -> np.ndarray:
    amount = np.zeros(days)
    amount[list(on)] = milligrams * 1e6 / 146_000
    return amount


def test_halving_the_steps_does_not_matter() -> None:
    instance = case(horizon_days=[18])
    schedules = [Schedule.of(given("small", 5, 3, 4), infused("pd1", 20, 5)), UNTREATED]
    for runs in (
        [simulate_gonzalez_crespo(instance, schedules, steps) for steps in (48, 96)],
        [simulate_kosinsky(instance, schedules, 3, tolerance) for tolerance in (1e-6, 1e-8)],
    ):
        coarse, fine = (run.log_burden for run in runs)
        assert coarse is not None and fine is not None
        assert np.ptp(fine) > 1.0
        np.testing.assert_allclose(coarse, fine, rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("model", SIMULATORS, ids=lambda model: model.name)
def test_a_batch_equals_single_runs(model: Model) -> None:
    instance = case(horizon_days=[8, 16])
    one_fraction = [Schedule.of(given("small", dose, 3), []) for dose in (5, 8)]
    drugged = [
        Schedule.of(BOTH, infused("pd1", 100, 3, 12)),
        Schedule.of(MIXED.fractions, infused("pdl1", 40, 5)),
        UNTREATED,
    ]
    schedules = [*one_fraction, *([] if model is ICD else drugged), UNTREATED]
    together = model.run(instance, schedules)
    for row, schedule in enumerate(schedules):
        alone = model.run(instance, [schedule])
        for name in ("log_burden", "effect", "score"):
            whole, single = getattr(together, name), getattr(alone, name)
            np.testing.assert_allclose(whole[row], single[0], rtol=2e-3, atol=2e-4)
    assert together.log_burden is not None
    assert together.log_burden.shape == (len(schedules), 17)
    np.testing.assert_allclose(together.log_burden[:, 0], 0.0, atol=1e-12)


def test_xing_is_the_published_map_of_each_lesion() -> None:
    instance = case(horizon_days=[20, 40])
    schedule = Schedule.of(given("small", 8, 2, 12), infused("pd1", 100, 1))
    found = XING.run(instance, [schedule])
    inputs = daily_inputs(instance, [schedule])
    bound = inputs.anti_pd1[0] / (1.0 + inputs.anti_pd1[0])
    alone = xing.simulate(
        xing.Parameters(), inputs.dose_gy[0, :2], 3.0 * bound, tumor_cm3=XING_START_CM3
    )
    assert found.log_burden is not None and found.effect is not None
    relative = alone.log_viable - alone.log_viable[:, :1]
    np.testing.assert_allclose(found.log_burden[0], relative.mean(axis=0), rtol=1e-10, atol=1e-12)
    kill = alone.immune_kill.cumsum(axis=1)[:, [19, 39]].mean(axis=0)
    np.testing.assert_allclose(found.effect[0], kill, rtol=1e-10)


def test_xing_prefers_spaced_fractions_under_antibody_and_close_ones_without() -> None:
    instance = case(horizon_days=[20, 40])
    daily, spaced = (given("small", 10, *days) for days in ((7, 8), (7, 17)))
    antibody = [*infused("pd1", 100, 5, 15, 25)]
    drugged = XING.run(instance, [Schedule.of(part, antibody) for part in (daily, spaced)])
    alone = XING.run(instance, [Schedule.of(part, []) for part in (daily, spaced)])
    assert drugged.score[1] > drugged.score[0]
    assert alone.score[1] < alone.score[0]


def test_a_tumor_below_one_cell_stays_gone() -> None:
    log_viable = np.log(np.array([[1.0, 1e-12, 1.0], [1.0, 1e-8, 1.0]]))
    doomed = np.array([[0.0, 1e-3, 1e-5], [0.0, 0.0, 0.0]])
    found = np.exp(log_burden(log_viable, doomed))
    np.testing.assert_allclose(found, [[1.0, 1e-3, 1e-5], [1.0, 1e-8, 1.0]])


def test_icd_couples_the_lesions() -> None:
    instance = case(horizon_days=[10])
    hit, untreated = Schedule.of(given("small", 8, 0), []), Schedule.of([], [])
    found = ICD.run(instance, [hit, untreated])
    assert found.effect is not None
    assert found.effect[0, 0] > 2.5 and found.effect[1, 0] == pytest.approx(0.0, abs=1e-9)
    assert found.score[0] > found.score[1] + 2.5


# Refusals


def test_refusals() -> None:
    instance = case()
    high = Schedule.of(given("small", 12, 0), [])
    assert KOSINSKY.refusals(instance, high) == ["12 Gy per fraction, above 10 Gy"]
    assert GONZALEZ_CRESPO.refusals(instance, high) == []
    higher = Schedule.of(given("small", 16, 0), [])
    assert GONZALEZ_CRESPO.refusals(instance, higher) == ["16 Gy per fraction, above 15 Gy"]
    assert XING.refusals(instance, higher) == ["16 Gy per fraction, outside 5 to 15 Gy"]
    assert CHO.refusals(instance, higher) == []
    two = Schedule.of([], infused("pd1", 9, 0) + infused("pdl1", 9, 0))
    assert KOSINSKY.refusals(instance, two) == ["more than one PD-(L)1 inhibitor: pd1, pdl1"]
    assert CHO.refusals(instance, two) == []
    part = Schedule.of(given("large", 8, 0, technique="part"), [])
    for model in (KOSINSKY, GONZALEZ_CRESPO, ICD, XING):
        assert model.refusals(instance, part) == ["only a part of large is irradiated"]
    assert CHO.refusals(instance, part) == []
    assert len(ICD.refusals(instance, PLAIN)) == 2
    twice = Schedule.of([Fraction(0, "small", 2.0, slot) for slot in (0, 1)], [])
    for model in SIMULATORS:
        assert "several fractions of a lesion on one day" in model.refusals(instance, twice)
    assert MACLENNAN.refusals(instance, UNTREATED) == ["0 fractions, measured 5 to 20"]
    assert MACLENNAN.refusals(instance, PLAIN) == []
    assert EDRIC.refusals(instance, PLAIN) == ["the case states no dose to lungs, heart or body"]


def test_running_beyond_the_range_needs_to_be_asked_for() -> None:
    instance = case()
    high = Schedule.of(given("small", 16, 0), [])
    for model in (KOSINSKY, GONZALEZ_CRESPO):
        with pytest.raises(ValueError, match="16 Gy per fraction"):
            model.run(instance, [high])
        assert np.isfinite(model.run(instance, [high], beyond_validity=True).score).all()
    twice = Schedule.of([Fraction(0, "small", 2.0, slot) for slot in (0, 1)], [])
    with pytest.raises(ValueError, match="several fractions"):
        KOSINSKY.run(instance, [twice], beyond_validity=True)
    with pytest.raises(ValueError, match="no schedule"):
        KOSINSKY.run(instance, [])


def test_drugs_that_a_model_does_not_know_are_named() -> None:
    schedule = Schedule.of([], [*MIXED.infusions, *infused("platinum", 70, 1)])
    assert KOSINSKY.unrepresented(case(), [schedule]) == ["ctla4", "platinum"]
    assert CHO.unrepresented(case(), [schedule]) == ["platinum"]


def test_lymphocyte_laws_rank_by_fractions() -> None:
    few, many = (Schedule.of(given("small", 2, *range(n)), []) for n in (5, 15))
    found = MACLENNAN.run(case(), [few, many])
    assert found.score[0] / found.score[1] == pytest.approx(math.exp(10 * 0.07039))
    assert found.log_burden is None and found.effect is None


# Alternatives


def test_alternatives_by_hand() -> None:
    instance = case()
    schedule = Schedule.of(given("small", 8, 2, 4, 6), infused("pd1", 100, 30, 51))
    found = alternatives(instance, schedule, "mine")
    moved = {name: [i.day for i in one.infusions] for name, one in found.items()}
    days = {name: [f.day for f in one.fractions] for name, one in found.items()}
    assert list(found) == [
        "mine",
        "radiation alone",
        "drugs alone",
        "drugs from first fraction",
        "drugs after radiation",
        "daily",
        "every 10 days",
    ]
    assert moved["drugs from first fraction"] == [2, 23]
    assert moved["drugs after radiation"] == [13, 34]
    assert days["daily"] == [2, 3, 4] and days["every 10 days"] == [2, 12, 22]
    assert moved["radiation alone"] == [] and days["drugs alone"] == []
    chemo = Schedule.of(schedule.fractions, [*schedule.infusions, *infused("platinum", 70, 1)])
    late = alternatives(instance, chemo, "mine")["drugs after radiation"]
    assert [(i.drug, i.day) for i in late.infusions] == [("platinum", 1), ("pd1", 13), ("pd1", 34)]


def test_alternatives_repeat_nothing_and_fit() -> None:
    instance = load("toy-blockade")
    standard = standard_schedule(instance)
    assert standard is not None
    found = alternatives(instance, standard, "mine")
    assert "standard" not in found and len(set(found.values())) == len(found)
    late = found["drugs after radiation"]
    assert late.infusions[0].day == 21  # last fraction on day 14, menu days 0, 7, 14 and 21
    long = Schedule.of(given("small", 2, *range(30)), [])
    assert list(alternatives(case(), long, "mine")) == ["mine"]  # 300 days do not fit
    assert list(alternatives(load("mr-linac-1"), standard_of("mr-linac-1"), "mine")) == ["mine"]


def standard_of(name: str) -> Schedule:
    schedule = standard_schedule(load(name))
    assert schedule is not None
    return schedule


# Ranking and terms


def test_kendall_tau() -> None:
    assert kendall_tau([1, 2, 3, 4], [2, 4, 6, 8]) == pytest.approx(1.0)
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([1.0, 1.0 + 1e-6, 2.0], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    assert kendall_tau([1, 1, 1], [1, 2, 3]) is None
    assert kendall_tau([1], [1]) is None


def ranking_by(order: list[Schedule]) -> Model:
    """A model that prefers schedules in a given order."""

    def forward(_: Instance, schedules: Any) -> Simulated:
        score = np.array([-10.0 * order.index(schedule) for schedule in schedules])
        return Simulated(None, score[:, np.newaxis] * np.ones(2), score)

    texts = dict.fromkeys(("source", "status", "scale", "validity", "represents", "leaves_out"), "")
    return Model(name="order", impossible=none, outside=none, forward=forward, **texts)


def opposed(instance: Instance, better: Schedule, worse: Schedule) -> SimulationReport:
    """A model that prefers `worse`, where the surrogate prefers `better`."""
    effects = [evaluate(instance, s).immune["systemic_effect_nats"][-1] for s in (better, worse)]
    assert effects[0] > effects[1] + 0.01
    model = ranking_by([worse, better])
    return simulate(instance, better, "better", models=[model], others={"worse": worse})


def test_ranks_and_tau_of_a_toy() -> None:
    one, two, three = (Schedule.of(given("small", 8, *range(n)), []) for n in (1, 2, 3))
    model = ranking_by([two, one, three])
    report = simulate(case(), one, "one", models=[model], others={"two": two, "three": three})
    effect, score = report.comparisons[0].rankings
    assert report.comparisons[0].accepted == ("one", "two", "three")
    assert effect.ranks == score.ranks == (2, 1, 3)
    objectives = [entry.surrogate("objective") for entry in report.entries]
    assert objectives == sorted(objectives)
    assert score.tau == pytest.approx(-1 / 3)
    assert {(d.preferred, d.other) for d in score.disagreements} == {
        ("two", "three"),
        ("one", "three"),
    }


def test_the_dose_gate_is_named() -> None:
    eight, three = (Schedule.of(given("small", d, *range(3)), []) for d in (8, 5))
    report = opposed(case(), eight, three)
    pair = report.comparisons[0].rankings[0].disagreements[0]
    assert (pair.preferred, pair.other) == ("worse", "better")
    assert pair.model_difference == 10.0 and pair.surrogate_difference < -0.01
    # An open gate leaves the larger dose ahead, by what it kills: the gate alone decides nothing.
    assert ("dose gate",) not in pair.terms
    # Small fractions that begin earlier would be ahead but for the gate.
    weak, later = (
        Schedule.of(given("small", dose, *days), infused("pd1", 200, 0))
        for dose, days in ((4, range(10)), (8, (8, 9, 10)))
    )
    pair = opposed(case(), later, weak).comparisons[0].rankings[0].disagreements[0]
    assert pair.terms == (("dose gate",),)


def test_effector_kill_by_the_beam_is_named() -> None:
    raw = case(horizon_days=[60, 120]).model_dump()
    raw["lesions"][0].update(effector_kill_per_fraction=2.0, precursor_share=1.0)
    instance = Instance.model_validate(raw)
    course = given("small", 2, *range(30))
    early, late = (Schedule.of(course, infused("pd1", 200, day, day + 21)) for day in (0, 30))
    pair = opposed(instance, late, early).comparisons[0].rankings[0].disagreements[0]
    assert ("effector kill by the beam",) in pair.terms


def test_two_terms_are_named_where_one_is_not_enough() -> None:
    """Many small fractions lose by the gate and by the lymphocytes they cost."""
    raw = case().model_dump()
    raw["immune"]["precursors_initial"] = 0.0
    raw["immune"]["effect_maximum_nats"] = None
    for site in raw["lesions"]:
        site["lymphocyte_loss_per_fraction"] = 0.3
        site["lymphocyte_effect_per_fraction"] = 0.3
        site["effector_kill_per_fraction"] = 0.0
    instance = Instance.model_validate(raw)
    drug = infused("pd1", 200, 0, 21)
    few, many = (
        Schedule.of(given("small", dose, *days) + given("large", dose, *days), drug)
        for dose, days in ((8, (8, 9, 10)), (4, range(10)))
    )
    pair = opposed(instance, few, many).comparisons[0].rankings[0].disagreements[0]
    assert ("dose gate", "lymphocyte loss") in pair.terms
    assert all(len(terms) == 2 for terms in pair.terms)


def test_terms_are_those_of_the_case_and_do_what_they_say() -> None:
    instance = load("toy-blockade")
    names = terms_of(instance)
    assert "dose gate" in names and "lymphocyte loss" in names
    assert not {"burden rule", "soft limits", "node factor", "hypoxia"} & set(names)
    schedule = standard_of("toy-blockade")
    before = evaluate(instance, schedule)
    for name in names:
        after = Judge(without(instance, name)).evaluate(schedule)
        if name == "lymphocyte loss":
            assert after.lymphocytes["effect_log_loss"] == 0.0
            assert after.lymphocytes["nadir_1e9_per_l"] == pytest.approx(1.7)
        if name == "systemic effect":
            gained = [len(set(lesion.clone_log_burden[0])) for lesion in after.lesions]
            assert after.objective < before.objective and gained
        if name == "release":
            assert after.immune["systemic_effect_nats"] < before.immune["systemic_effect_nats"]
    assert without(instance) == instance


def test_the_spread_between_patients_is_the_surrogates_alone() -> None:
    """A term of it where the case states one, and every report says that no model has it."""
    case = load("co-targets")
    schedule = standard_of("co-targets")
    assert "spread of radiosensitivity" in terms_of(case)
    assert "spread of radiosensitivity" not in terms_of(load("toy-blockade"))
    alone = Judge(without(case, "spread of radiosensitivity")).evaluate(schedule)
    assert alone.objective == evaluate(case.with_({"lesions.lung.alpha_cv": 0}), schedule).objective
    assert alone.objective != evaluate(case, schedule).objective
    for name, spread in (("co-targets", ("lung",)), ("toy-blockade", ())):
        one = load(name)
        report = simulate(one, standard_of(name), models=MODELS[-1:], others={})
        assert report.spread == spread
        assert simulation_document(report)["spread_left_out"] == list(spread)
        text = " ".join(simulation_report(report, one).split())
        assert ("neither alpha nor its spread" in text) == bool(spread)


# The whole report


@pytest.fixture(scope="module")
def toy_report() -> tuple[Instance, SimulationReport]:
    instance = load("toy-blockade")
    earlier = replace_infusions(standard_of("toy-blockade"), -7)
    return instance, simulate(instance, earlier, "solution")


def replace_infusions(schedule: Schedule, shift: int) -> Schedule:
    moved = [replace(i, day=i.day + shift) for i in schedule.infusions]
    return Schedule.of(schedule.fractions, moved)


def test_report_of_a_bundled_case(toy_report: tuple[Instance, SimulationReport]) -> None:
    _, report = toy_report
    labels = [entry.label for entry in report.entries]
    assert labels[:2] == ["solution", "standard"]
    by_name = {comparison.model.name: comparison for comparison in report.comparisons}
    assert list(by_name) == [model.name for model in MODELS]
    for name in ("cho", "cho-slow", "kosinsky", "gonzalez-crespo"):
        assert by_name[name].accepted == tuple(labels)
        effect, score = by_name[name].rankings
        assert effect.tau is not None and score.tau is not None
        assert -1.0 <= effect.tau <= 1.0
    assert set(by_name["icd"].refused) == set(labels)
    assert by_name["icd"].rankings == () and by_name["icd"].simulated is None
    kosinsky_score = dict(zip(labels, by_name["kosinsky"].rankings[1].values, strict=True))
    assert kosinsky_score["solution"] > kosinsky_score["radiation alone"]
    assert kosinsky_score["radiation alone"] > kosinsky_score["drugs alone"]


def test_document_and_text(toy_report: tuple[Instance, SimulationReport]) -> None:
    instance, report = toy_report
    document = json.loads(json.dumps(simulation_document(report), allow_nan=False))
    assert (document["format"], document["kind"]) == (1, "simulation")
    assert "Not a medical device" in document["notice"]
    assert len(document["schedules"]) == len(report.entries)
    first = document["models"][0]
    assert first["trajectories"]["day"] == list(range(0, 85, 7))
    assert first["trajectories"]["relative_burden"]["solution"][0] == pytest.approx(1.0)
    assert [r["quantity"] for r in first["rankings"]] == ["systemic effect", "burden score"]
    assert document["models"][4]["trajectories"] is None
    text = simulation_report(report, instance)
    for piece in ("Kendall tau", "Differs  ", "Refused  (1)", "Leaves out", "Not a medical device"):
        assert piece in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text == simulation_report(report, instance)
