"""Limits by the bins of histograms: by hand, against voxels, enumeration and the one programme."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from binned_instances import binned_case
from brute_force import agrees, enumerate_by_judge
from hypothesis import given
from hypothesis import strategies as st
from plain_cases import free, lesion, limit, plain_case, uniform

from abscopt.instances.checks.audit import input_notes
from abscopt.instances.load import InputError, build, resolved_text
from abscopt.instances.reading.read import parse_toml
from abscopt.models.organs import ntcp
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

Raw = dict[str, Any]

RECTUM: Raw = {
    "doses": [0.1, 0.4, 0.7, 0.95],
    "shares": [0.3, 0.4, 0.2, 0.1],
    "source": "test",
}
LKB: Raw = {"model": "lkb", "td50_gy": 76.9, "m": 0.13, "cap": 0.15}
"""Rectal bleeding (QUANTEC: n 0.09, m 0.13, TD50 76.9 Gy), recalled."""


def by_bins(n: float = 0.09, **fields: Any) -> Raw:
    """A limit by bins, EQD2 at alpha/beta 3 Gy unless stated."""
    rule = {"organ": "organ", "volume_exponent": n, "dose": "eqd2", "alpha_beta_gy": 3.0}
    return limit("ntcp", "by_bins", **(rule | LKB | fields))


def case(rule: Raw, lesions: list[Raw] | None = None, **fields: Any) -> Raw:
    tumor = lesion(course=uniform([20, 39], [2.0, 3.0]), histograms={"organ": RECTUM})
    organs = {"organ": {"use": "generic_late"}}
    horizon = fields.pop("horizon_days", [80])
    return plain_case(lesions or [tumor], [rule], horizon_days=horizon, organs=organs, **fields)


def value_of(instance: Any, *fractions: Fraction) -> float:
    """Dose that the judge holds against the cap of the only limit, in Gy."""
    use = Judge(instance).evaluate(Schedule(tuple(fractions))).limits[0].use
    assert use is not None
    return use * float(instance.limits[0].cap_gy(()))


@pytest.mark.parametrize(
    ("n", "number", "dose"), [(0.09, 20, 3.0), (0.09, 39, 2.0), (0.7, 20, 3.0)]
)
def test_each_bin_has_its_own_eqd2(n: float, number: int, dose: float) -> None:
    eqd2 = [number * dose * f * (1 + dose * f / 3) / (1 + 2 / 3) for f in RECTUM["doses"]]
    powers = sum(v * e ** (1 / n) for v, e in zip(RECTUM["shares"], eqd2, strict=True))
    days = [day for day in range(80) if day % 7 < 5][:number]
    found = value_of(build(case(by_bins(n))), *(Fraction(day, "tumor", dose) for day in days))
    assert found == pytest.approx(powers**n, rel=1e-12)


def test_fraction_size_tells_60_in_20_from_78_in_39() -> None:
    """Of a late organ, too, 60 Gy in 20 is the gentler one, but less so than by physical dose."""
    short = [Fraction(day, "tumor", 3.0) for day in range(20)]
    long = [Fraction(day, "tumor", 2.0) for day in range(39)]
    raw = case(by_bins())
    eqd2 = [value_of(build(raw), *fractions) for fractions in (short, long)]
    physical = {k: v for k, v in by_bins().items() if k not in ("dose", "alpha_beta_gy")}
    doses = [value_of(build(case(physical)), *fractions) for fractions in (short, long)]
    assert doses[1] / doses[0] == pytest.approx(78 / 60)
    assert 1.02 < eqd2[1] / eqd2[0] < 1.2
    use = Judge(build(raw)).evaluate(Schedule(tuple(long))).limits[0]
    assert use.value == pytest.approx(float(ntcp.lkb(eqd2[1], 76.9, 0.13)))


def test_n_of_one_is_the_mean_eqd2() -> None:
    doses, shares = np.array(RECTUM["doses"]), np.array(RECTUM["shares"])
    sparing = {"organ": {"mean": float(doses @ shares), "second_moment": float(doses**2 @ shares)}}
    fractions = [Fraction(day, "tumor", 2.0 + day % 3) for day in range(10)]
    bins = value_of(build(case(by_bins(1.0))), *fractions)
    tumor = lesion(course=uniform([5], [2.0]), sparing=sparing)
    rule = {key: value for key, value in by_bins().items() if key != "volume_exponent"}
    assert value_of(build(case(rule, [tumor])), *fractions) == pytest.approx(bins, rel=1e-12)


@given(
    st.lists(st.floats(0.5, 12.0), min_size=2, max_size=6),
    st.sampled_from([0.05, 0.2, 0.5, 0.8, 1.0]),
    st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.05, 1.0)), min_size=1, max_size=6),
)
def test_days_that_add_never_say_less_than_all_together(
    doses: list[float], n: float, bins: list[tuple[float, float]]
) -> None:
    """Of one plan: at least the gEUD of the total EQD2 of each bin, and at most 10 % more."""
    steps = np.cumsum([step for step, _ in bins])
    relative = 1.1 * steps / steps[-1]
    shares = np.array([share for _, share in bins])
    shares /= shares.sum()
    histogram = {"doses": relative.tolist(), "shares": shares.tolist(), "source": "test"}
    tumor = lesion(course=uniform([1], [2.0]), histograms={"organ": histogram})
    instance = build(case(by_bins(n, td50_gy=500.0), [tumor]))
    given = value_of(instance, *(Fraction(day, "tumor", d) for day, d in enumerate(doses)))
    total = sum(d * relative * (1 + d * relative / 3) / (1 + 2 / 3) for d in doses)
    exact = float(ntcp.geud(total, shares, n))
    assert exact * (1 - 1e-9) <= given <= 1.1 * exact
    if max(doses) == min(doses):
        assert given == pytest.approx(exact)


def test_two_lesions_at_once_are_never_below_any_placement_of_their_bins() -> None:
    """Voxels of two plans, each with its bins in any order: the judge is above all of them."""
    rng = np.random.default_rng(3)
    doses = {"one": rng.uniform(0, 1, 6), "two": rng.uniform(0, 1, 6)}
    lesions = [
        lesion(
            name,
            course=uniform([2], [6.0]),
            histograms={
                "organ": {"doses": np.sort(d).tolist(), "shares": [1 / 6] * 6, "source": "x"}
            },
        )
        for name, d in doses.items()
    ]
    for n in (0.1, 0.5, 1.0):
        instance = build(case(by_bins(n), lesions))
        fractions = [Fraction(day, name, 6.0) for name in doses for day in (0, 1)]
        judged = value_of(instance, *fractions)
        for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 7):
            voxels = 6.0 * (doses["one"] + doses["two"][list(order)])
            eqd2 = 2 * voxels * (1 + voxels / 3) / (1 + 2 / 3)
            assert float(ntcp.geud(eqd2, np.ones(6), n)) <= judged * (1 + 1e-12)


SEEDS = (5, 6, 7, 23, 33, 53)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_cases_are_solved_as_by_enumeration(seed: int) -> None:
    raw = binned_case(seed)
    assert raw is not None
    instance = build(raw)
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert agrees(solve(instance, gap=1e-4), best, 1e-4)
    if seed in SEEDS[:2]:
        assert agrees(solve(instance, gap=1e-3, method="single"), best, 1e-3)


def test_free_courses_and_soft_limits_agree_with_the_programme() -> None:
    tumor = lesion(course=free([0, 1, 2, 4], [2.0, 4.0, 6.0]), histograms={"organ": RECTUM})
    for extra in ({}, {"penalty": 2.0}):
        rule = by_bins(td50_gy=12.0, **extra)
        instance = build(case(rule, [tumor], horizon_days=[6]))
        found = enumerate_by_judge(instance, Judge(instance))
        assert found.best is not None
        assert extra or found.without["by_bins"] > found.best + 1e-6
        for method in ("auto", "single"):
            assert agrees(solve(instance, gap=1e-3, method=method), found.best, 1e-3)


def test_tables_and_judge_agree_twice_a_day_with_repair_and_a_sensitizer() -> None:
    course = uniform([4], [3.0, 5.0], fractions_per_day=2)
    lesions = [lesion(name, course=course, histograms={"organ": RECTUM}) for name in ("one", "two")]
    organ = {
        "use": "generic_late",
        "repair_half_time_hours": 2.0,
        "sensitizer_enhancement_ratio": 1.3,
    }
    dose = {"drug": "cisplatin", "day": 0, "amount": 135.0, "unit": "mg"}
    cited = {"source": "test", "status": "assumed"}
    raw = case(by_bins(0.3), lesions, horizon_days=[9]) | {
        "organs": {"organ": organ},
        "regimens": {"c": {"cycle_days": 1, "max_cycles": 1, "doses": [dose], **cited}},
        "agents": [{"name": "c", "regimens": ["c"], "first_start_day": 1, "optional": False,
                    "last_start_day": 1}],
    }  # fmt: skip
    instance = build(raw)
    candidates, judge = Candidates(instance), Judge(instance)
    for row in itertools.product(*(range(len(table.menu)) for table in candidates.lesions)):
        fractions = [
            fraction
            for table, c in zip(candidates.lesions, row, strict=True)
            for fraction in table.menu.course(c, candidates.lesion_of(table))
        ]
        tabulated = Tabulated(candidates, 0)  # type: ignore[arg-type]
        loads = tabulated.organ_loads(np.array([row]))  # type: ignore[arg-type]
        infusions = [Infusion(day, drug, mg) for drug, day, mg in candidates.plans[0].doses]
        use = judge.evaluate(Schedule.of(fractions, infusions)).limits[0].use
        assert use == pytest.approx(float(loads[0, 0]), rel=1e-12)


def test_points_that_are_not_stated_come_from_the_bins() -> None:
    """`D35%` of the bins is 0.4 per Gy: 60 % have less than 0.7, 30 % have at least 0.7."""
    rules = [
        limit("dose_volume", "v", organ="organ", point="d35pct", cap_gy=20.0),
        limit("dose_volume", "w", organ="organ", point="d20cm3", cap_gy=50.0),
        limit("mean", "m", organ="organ", cap_gy=50.0),
    ]
    bins = RECTUM | {"volume_cm3": 100.0}
    course = uniform([5], [4.0, 8.0, 12.0])
    tumor = lesion(course=course, histograms={"organ": bins})
    raw = plain_case([tumor], rules, horizon_days=[9], organs={"organ": {"use": "generic_late"}})
    points = {"d35pct": 0.4, "d20cm3": 0.7, "mean": 0.425}
    instance = build(raw)
    assert instance.lesions[0].sparing["organ"] == pytest.approx(points)
    stated = lesion(course=course, sparing={"organ": points | {"d35pct": 0.5}})
    other = build(raw | {"lesions": [stated | {"histograms": {"organ": bins}}]})
    assert other.lesions[0].sparing["organ"]["d35pct"] == 0.5  # what is stated comes first
    assert solve(instance).objective == solve(build(raw | {"lesions": [
        lesion(course=course, sparing={"organ": points})]})).objective  # fmt: skip
    assert build(parse_toml(resolved_text(instance), "text")) == instance


def test_a_technique_has_bins_of_its_own() -> None:
    cooler = RECTUM | {"doses": [0.05, 0.2, 0.35, 0.5]}
    ways = [{"name": "arc"}, {"name": "protons", "histograms": {"organ": cooler}}]
    tumor = lesion(course=uniform([20], [3.0]), histograms={"organ": RECTUM}, techniques=ways)
    instance = build(case(by_bins(), [tumor], objective="log_kill"))
    uses = [
        value_of(instance, *(Fraction(day, "tumor", 3.0, 0, way) for day in range(20)))
        for way in ("arc", "protons")
    ]
    assert uses[1] < 0.55 * uses[0]
    ways[1] |= {"sparing": {"organ": {"mean": 0.2}}}
    ways[1].pop("histograms")
    with pytest.raises(InputError, match=r"techniques\[1\].sparing.organ: mean: limit by_bins"):
        build(case(by_bins(), [tumor], objective="log_kill"))


WRONG: dict[str, tuple[Raw, Raw, str]] = {
    "no bins": ({"histograms": {}, "sparing": {"organ": {"mean": 0.3}}}, {}, "counts bins"),
    "lengths": ({"histograms": {"organ": RECTUM | {"shares": [1.0]}}}, {}, "the same length"),
    "rising": (
        {"histograms": {"organ": RECTUM | {"doses": [0.4, 0.1, 0.7, 0.95]}}}, {}, "must rise"
    ),
    "shares": (
        {"histograms": {"organ": RECTUM | {"shares": [0.3, 0.4, 0.2, 0.2]}}}, {}, "add up to 1.1"
    ),
    "organ": ({"histograms": {"organs": RECTUM}}, {}, "unknown organ"),
    "point": ({}, {"point": "max"}, "need point = 'mean'"),
    "exponent": ({}, {"volume_exponent": 1.5}, "less than or equal to 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_bins_are_refused(what: str) -> None:
    of_lesion, of_limit, rule = WRONG[what]
    tumor = lesion(course=uniform([5], [2.0]), histograms={"organ": RECTUM}) | of_lesion
    with pytest.raises(InputError) as error:
        build(case(by_bins() | of_limit, [tumor]))
    assert rule in str(error.value), str(error.value)


def test_doses_given_before_and_points_that_bins_do_not_say_are_refused() -> None:
    prior = {"organ": "organ", "point": "mean", "fractions": 5, "dose_gy": 1.0, "source": "test",
             "second_moment_gy2": 2.0}  # fmt: skip
    with pytest.raises(InputError, match="of which a dose given before states none"):
        build(case(by_bins(), prior_doses=[prior]))
    rule = limit("dose_volume", "v", organ="organ", point="d20cm3", cap_gy=50.0)
    with pytest.raises(InputError, match="state volume_cm3 of the organ"):
        build(case(rule))


def test_means_that_differ_from_the_bins_are_noted() -> None:
    tumor = lesion(course=uniform([5], [2.0]), histograms={"organ": RECTUM},
                   sparing={"organ": {"mean": 0.45}})  # fmt: skip
    kinds = [note.kind for note in input_notes(build(case(by_bins(), [tumor])))]
    assert "bins_apart" in kinds
    assert "bins_apart" not in [note.kind for note in input_notes(build(case(by_bins())))]
