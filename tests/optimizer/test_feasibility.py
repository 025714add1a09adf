"""Feasibility, minimal conflicts and smallest changes, against enumeration by the judge."""

from __future__ import annotations

import pytest
from enumerated_conflicts import explained, faults
from plain_cases import Raw, bed_limit, free, lesion, limit, plain_case, uniform

from abscopt.instances.limits import LogisticsLimit
from abscopt.instances.load import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.optimizer import explain, explain_lesion, solve
from abscopt.optimizer.feasibility.members import members_of, without
from abscopt.optimizer.feasibility.oracle import Oracle, keeps
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Fraction, Schedule

INFEASIBLE = (5, 6, 13, 18, 20, 26, 29)
"""Of `benchmarks/studies/conflicts.py`: BED, floors, drugs that must be given, two conflicts."""
FEASIBLE = (4, 8)


def built(lesions: list[Raw], limits: list[Raw] | None = None) -> Instance:
    """A small case."""
    raw = plain_case(lesions, limits or [], horizon_days=[40], objective="log_kill")
    return build(raw)


@pytest.mark.parametrize("seed", [*INFEASIBLE, *FEASIBLE])
def test_conflicts_are_minimal_and_changes_smallest(seed: int) -> None:
    instance, found = explained(seed)
    assert found.feasible is (seed in FEASIBLE)
    assert faults(instance, found) == []


def with_floor(case: Instance) -> Instance:
    """The case that asks for all of its lesions."""
    floor = LogisticsLimit(
        kind="logistics", name="all_sites", quantity="lesions", floor=len(case.irradiable),
        source="test", status="assumed",
    )  # fmt: skip
    return case.unchecked({"limits": (*case.limits, floor)})


@pytest.mark.parametrize("name", ["oligomet-4", "pembro-rt", "stage3-crt", "high-low-dose"])
def test_floors_at_all_lesions_under_small_caps_are_refuted(name: str) -> None:
    asked = with_floor(load(name).with_({"scale_caps": 0.3}))
    assert Oracle(Clock(None)).schedule(asked) is None


@pytest.mark.aided
def test_solve_says_that_nothing_fits_and_where_to_look() -> None:
    result = solve(with_floor(load("pembro-rt")))
    assert result.status == "infeasible"
    assert "abscopt explain" in result.certificate.claim


def test_a_lesion_that_fits_beside_no_other_is_explained() -> None:
    case = load("pembro-rt")
    names = [case.lesions[i].name for i in case.irradiable]
    beside = [Fraction(0, name, 4.0, 0, "") for name in names[:-1]]
    found = explain_lesion(case, Schedule.of(beside, ()), names[-1])
    assert found.feasible is False
    assert found.beside == tuple(names[:-1])
    assert found.conflicts[0].members
    assert found.relaxations
    for change in found.relaxations:
        mended = case.with_(change.changes)
        assert keeps(mended, change.schedule)
        assert {f.lesion for f in change.schedule.fractions} == set(names)


def test_a_lesion_that_may_not_be_irradiated_is_refused() -> None:
    with pytest.raises(InputError, match="no lesion that may be irradiated"):
        explain_lesion("pembro-rt", Schedule(), "nobody")


def test_a_lesion_that_fits_is_said_to_fit() -> None:
    found = explain_lesion("toy-two-lesions", Schedule(), "large")
    assert found.feasible and found.schedule is not None and not found.conflicts


def test_a_free_course_with_a_demand_is_refuted_by_the_programme() -> None:
    case = built(
        [
            lesion(
                sparing={"organ": {"max": 0.5}}, course=free(range(5), [2.0, 4.0]), least_bed_gy=25
            )
        ],
        limits=[bed_limit(9.0)],
    )
    found = explain(case)
    assert found.feasible is False
    assert found.conflicts[0].places == ("lesions.tumor.least_bed_gy", "limits.organ_3")
    wider = case.with_(found.relaxations[0].changes)
    assert solve(wider).schedule is not None


def test_a_demand_of_control_that_no_dose_reaches_is_a_conflict_of_its_own() -> None:
    case = built([lesion(course=uniform([3], [2.0, 4.0]), least_control=0.999)])
    found = explain(case)
    assert [conflict.places for conflict in found.conflicts] == [("lesions.tumor.least_control",)]


def test_members_are_removed_one_by_one() -> None:
    case = built(
        [lesion(course=uniform([3], [4.0]), least_bed_gy=10)],
        limits=[limit("logistics", "sites", quantity="lesions", floor=1, cap=1)],
    )
    places = [member.place for member in members_of(case)]
    assert places == ["limits.sites.floor", "lesions.tumor.least_bed_gy", "limits.sites.cap"]
    assert members_of(without(case, members_of(case))) == ()


def test_nothing_is_claimed_where_there_is_no_time() -> None:
    found = explain("oligomet-4", time_limit=0)
    assert found.feasible is None and not found.complete and not found.conflicts


def two_of_a_plan(**limits: float) -> Instance:
    """The first lesion's demand needs three fractions, which the other one's then must have."""
    demand = {"least_bed_gy": 30.0, "sparing": {"organ": {"max": 1.0}}}
    both = [
        lesion("first", course=uniform([1, 3], [8.0]), **demand),
        lesion("second", course=uniform([1, 3], [8.0])),
    ]
    plan = limit("one_plan", "plan", lesions=["first", "second"])
    return built(both, [plan, *(bed_limit(cap) for cap in limits.values())])


def test_lesions_of_one_plan_keep_courses_that_match() -> None:
    found = Oracle(Clock(None)).schedule(two_of_a_plan())
    assert found is not None and len(found.fractions) == 6


def test_a_plan_in_a_conflict_is_kept_or_not() -> None:
    """The plan as a member has nothing to loosen: it is done without."""
    case = two_of_a_plan().with_({"lesions.second.course.fractions": [1]})
    found = explain(case)
    assert not found.feasible
    assert {change.changes for change in found.relaxations} >= {("remove limits.plan",)}
    assert not any("alone" in words for words in found.conflicts[0].words)


def test_more_fractions_are_tried_where_a_table_allows_more_in_more() -> None:
    table = limit(
        "dose_by_fractions", "table", organ="organ", fractions=[1, 3], limits_gy=[12.0, 42.0]
    )
    floor = limit("logistics", "floor", quantity="lesions", floor=1)
    course = uniform([1, 3], [13.0])
    case = built([lesion(course=course, sparing={"organ": {"max": 1.0}})], [table, floor])
    found = Oracle(Clock(None)).schedule(case)
    assert found is not None and len(found.fractions) == 3


def test_a_demand_counts_what_was_given() -> None:
    """After 0.5 Gy in place of 8, the 8 Gy left would miss 20 Gy of BED; 11 Gy reach it."""
    course = uniform([2], [5.0, 8.0, 11.0])
    case = built([lesion("a", course=course, least_bed_gy=20.0)])
    past = {"today": 1, "fractions": [{"lesion": "a", "day": 0, "dose_gy": 0.5}]}
    found = Oracle(Clock(None)).schedule(with_past(case, past))
    assert found is not None and found.fractions[-1].dose_gy == 11.0


@pytest.mark.parametrize("demand", ["least_bed_gy", "least_eqd2_gy"])
def test_more_fractions_are_tried_where_one_does_not_reach_a_demand(demand: str) -> None:
    """One dose on the menu: 1 x 8 Gy has a BED of 14.4 Gy, 3 x 8 Gy has 43.2."""
    case = built([lesion(course=uniform([1, 2, 3], [8.0]), **{demand: 30.0})])
    found = Oracle(Clock(None)).schedule(case)
    assert found is not None and len(found.fractions) == 3
    assert explain(case).feasible


def test_a_conflict_with_a_complication_probability_is_loosened() -> None:
    """Its cap is a probability; the dose that keeps it is no key of the limit."""
    ntcp = limit(
        "ntcp", "ntcp", organ="organ", model="lkb", td50_gy=20.0, m=0.3, cap=0.001, point="max"
    )
    tumor = lesion(course=uniform([3], [8.0]), sparing={"organ": {"max": 1.0}}, least_bed_gy=20.0)
    case = built([tumor], [ntcp])
    found = explain(case)
    assert not found.feasible
    raised = [x for x in found.relaxations if x.places == ("limits.ntcp",)]
    assert raised and case.with_(raised[0].changes) != case


def test_a_conflict_of_lesions_with_techniques_is_explained() -> None:
    """Schedules met before are not asked about cases that do not offer their techniques."""
    ways = [{"name": "beam"}, {"name": "near", "sparing": {"organ": {"max": 0.2}}}]
    tumor = {"course": uniform([1], [8.0]), "techniques": ways, "least_bed_gy": 5.0}
    tumor |= {"sparing": {"organ": {"max": 1.0}}}
    gap = limit("logistics", "gap", quantity="course_gap_days", floor=3)
    case = built([lesion("left", **tumor), lesion("right", **tumor)], [gap])
    found = explain(case)
    assert not found.feasible and found.relaxations


def test_a_free_course_with_factors_by_day_is_asked_for() -> None:
    by_day = {"organ": {"max": {"days": [1, 2], "values": [1.0, 0.1]}}}
    floor = limit("logistics", "floor", quantity="lesions", floor=1)
    case = built([lesion(course=free([1, 2], [4.0]), sparing=by_day)], [bed_limit(2.0), floor])
    found = Oracle(Clock(None)).schedule(case)
    assert found is not None and [f.day for f in found.fractions] == [2]
