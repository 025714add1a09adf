"""The curated library: every entry is sourced, well formed and says what the publications say."""

from itertools import pairwise
from typing import Any, get_args

import pytest
from plain_cases import lesion, plain_case, uniform
from pydantic import TypeAdapter

from abscopt.instances import build
from abscopt.instances.lesions import Lesion
from abscopt.instances.limits import AnyLimit, DoseByFractionsLimit, NtcpLimit
from abscopt.instances.load import library, library_limits
from abscopt.instances.tables.fields import Status
from abscopt.instances.tables.immune import Immune
from abscopt.instances.tables.organs import Organ
from abscopt.instances.tables.systemic import Drug, Regimen
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

TABLES = ("tissues", "tumors", "drugs", "regimens", "scenarios")
SETS = library("limits")["sets"]
COMPOSITES = [name for name, entry in SETS.items() if "composite_of" in entry]
ENTRIES = [(table, name) for table in TABLES for name in library(table)]
LIMITS = [(name, limit) for name in SETS for limit in library_limits(name)]

TG101 = {
    "brainstem_d0_5cm3": {1: 10, 3: 18, 5: 23},
    "brainstem_max": {1: 15, 3: 23.1, 5: 31},
    "cord_d0_35cm3": {1: 10, 3: 18, 5: 23},
    "cord_max": {1: 14, 3: 21.9, 5: 30},
    "cord_d1_2cm3": {1: 7, 3: 12.3, 5: 14.5},
    "cauda_equina_d5cm3": {1: 14, 3: 21.9, 5: 30},
    "cauda_equina_max": {1: 16, 3: 24, 5: 32},
    "esophagus_d5cm3": {1: 11.9, 3: 17.7, 5: 19.5},
    "esophagus_max": {1: 15.4, 3: 25.2, 5: 35},
    "brachial_plexus_d3cm3": {1: 14, 3: 20.4, 5: 27},
    "brachial_plexus_max": {1: 17.5, 3: 24, 5: 30.5},
    "heart_d15cm3": {1: 16, 3: 24, 5: 32},
    "heart_max": {1: 22, 3: 30, 5: 38},
    "great_vessels_d10cm3": {1: 31, 3: 39, 5: 47},
    "great_vessels_max": {1: 37, 3: 45, 5: 53},
    "trachea_d4cm3": {1: 10.5, 3: 15, 5: 16.5},
    "proximal_bronchial_tree_d4cm3": {1: 10.5, 3: 15, 5: 16.5},
    "trachea_max": {1: 20.2, 3: 30, 5: 40},
    "proximal_bronchial_tree_max": {1: 20.2, 3: 30, 5: 40},
    "small_airways_d0_5cm3": {1: 12.4, 3: 18.9, 5: 21},
    "small_airways_max": {1: 13.3, 3: 23.1, 5: 33},
    "ribs_d1cm3": {1: 22, 3: 28.8, 5: 35},
    "ribs_max": {1: 30, 3: 36.9, 5: 43},
    "skin_d10cm3": {1: 23, 3: 30, 5: 36.5},
    "skin_max": {1: 26, 3: 33, 5: 39.5},
    "stomach_d10cm3": {1: 11.2, 3: 16.5, 5: 18},
    "stomach_max": {1: 12.4, 3: 22.2, 5: 32},
    "duodenum_d5cm3": {1: 11.2, 3: 16.5, 5: 18},
    "duodenum_max": {1: 12.4, 3: 22.2, 5: 32},
    "bowel_d5cm3": {1: 11.9, 3: 17.7, 5: 19.5},
    "bowel_max": {1: 15.4, 3: 25.2, 5: 35},
    "colon_d20cm3": {1: 14.3, 3: 24, 5: 25},
    "colon_max": {1: 18.4, 3: 28.2, 5: 38},
    "ribs_d30cm3": {3: 30},
    "lungs_spare_1000cm3": {1: 7.4, 3: 12.4, 5: 13.5},
    "lungs_spare_1500cm3": {1: 7.0, 3: 11.6, 5: 12.5},
    "liver_spare_700cm3": {1: 9.1, 3: 19.2, 5: 21},
    "kidneys_spare_200cm3": {1: 8.4, 3: 16, 5: 17.5},
    "renal_hilum_d66cm3": {1: 10.6, 3: 18.6, 5: 23},
}
"""Every row of TG-101 that is on record, Gy by number of fractions (Benedict 2010)."""
THREE_FIVE_EIGHT = {
    "cord_max": (20.3, 25.3, 32),
    "esophagus_max": (25.2, 35, 40),
    "stomach_max": (22.2, 35, 40),
    "heart_max": (30, 38, 46),
    "proximal_bronchial_tree_max": (30, 38, 40),
    "ribs_max": (36.9, 43, 52.3),
    "skin_max": (33, 39.5, 48),
}


def ntcp_limit(name: str) -> NtcpLimit:
    return NtcpLimit.model_validate_json(as_json({"name": name} | library_limits("ntcp")[name]))


def as_json(entry: dict[str, Any]) -> bytes:
    return TypeAdapter(dict[str, Any]).dump_json(entry)


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_every_entry_is_sourced(table: str, name: str) -> None:
    entry = library(table)[name]
    assert entry["source"]
    assert entry["status"] in get_args(Status)


@pytest.mark.parametrize(("name", "limit"), LIMITS)
def test_every_limit_is_sourced_and_valid(name: str, limit: str) -> None:
    entry = library_limits(name)[limit]
    assert entry["source"]
    adapter: TypeAdapter[Any] = TypeAdapter(AnyLimit)
    adapter.validate_json(as_json({"name": limit} | entry))


@pytest.mark.parametrize("name", SETS)
def test_every_set_has_a_title_and_a_source(name: str) -> None:
    assert SETS[name]["title"]
    assert SETS[name]["source"]


def test_a_missing_doi_is_explained() -> None:
    for limit in library_limits("tg101").values():
        assert "doi" not in limit
        assert "unchecked" in limit["note"]


@pytest.mark.parametrize(
    ("table", "model"), [("tissues", Organ), ("drugs", Drug), ("regimens", Regimen)]
)
def test_entries_fit_the_schema(table: str, model: Any) -> None:
    for entry in library(table).values():
        model.model_validate_json(as_json(entry))


@pytest.mark.parametrize("name", library("scenarios"))
def test_scenarios_are_complete(name: str) -> None:
    Immune.model_validate_json(as_json(library("scenarios")[name]))


def test_tumors_carry_lesion_fields_only() -> None:
    for entry in library("tumors").values():
        assert set(entry) <= set(Lesion.model_fields)


def test_regimens_name_known_drugs() -> None:
    named = {dose["drug"] for entry in library("regimens").values() for dose in entry["doses"]}
    assert named <= set(library("drugs"))


@pytest.mark.parametrize("name", ["cisplatin-etoposide", "carboplatin-paclitaxel-weekly"])
def test_one_sensitizer_per_doublet(name: str) -> None:
    drugs = {dose["drug"] for dose in library("regimens")[name]["doses"]}
    ratios = [library("drugs")[drug]["sensitizer_enhancement_ratio"] for drug in drugs]
    assert sum(ratio > 1 for ratio in ratios) == 1


def test_every_row_of_tg101_is_tested() -> None:
    assert set(library_limits("tg101")) == set(TG101)


@pytest.mark.parametrize("limit", TG101)
def test_tg101_says_what_was_published(limit: str) -> None:
    entry = library_limits("tg101")[limit]
    assert dict(zip(entry["fractions"], entry["limits_gy"], strict=True)) == TG101[limit]


@pytest.mark.parametrize("limit", TG101)
def test_the_judge_keeps_tg101_at_its_own_fraction_numbers(limit: str) -> None:
    """The published dose in equal fractions is allowed and uses the limit up; a bit more is not."""
    entry = library_limits("tg101")[limit]
    organ, point = entry["organ"], entry["point"]
    for n, gy in TG101[limit].items():
        doses = [gy / n, 1.001 * gy / n]
        site = lesion(
            clonogens=1e6,
            course=uniform([n], doses),
            sparing={organ: {point: 1.0}},
        )
        case = build(plain_case([site], [{"name": limit} | entry], horizon_days=[30]))
        for dose, kept in zip(doses, (True, False), strict=True):
            days = range(0, 7 * n, 7)
            schedule = Schedule.of([Fraction(day, "tumor", dose) for day in days], [])
            (use,) = Judge(case).evaluate(schedule).limits
            assert use.kept is kept
            assert use.use == pytest.approx(1.0, rel=1e-9) if kept else (use.use or 2.0) > 1.0


@pytest.mark.parametrize("limit", THREE_FIVE_EIGHT)
def test_three_five_eight_fraction_set(limit: str) -> None:
    entry = library_limits("uk-helse-3-5-8")[limit]
    assert entry["fractions"] == [3, 5, 8]
    assert tuple(entry["limits_gy"]) == THREE_FIVE_EIGHT[limit]


def test_hytec_cord_is_one_bed() -> None:
    cord = library_limits("hytec-cord")
    for n, limit in zip(cord["cord_max"]["fractions"], cord["cord_max"]["limits_gy"], strict=True):
        assert limit * (1 + limit / n / 2) == pytest.approx(cord["cord_bed2"]["cap_gy"], rel=5e-3)


def test_pneumonitis_reproduces_the_quantec_table() -> None:
    limit = ntcp_limit("pneumonitis")
    for dose, percent in ((13, 9.7), (20, 20.6), (24, 30.0), (27, 38.5)):
        assert limit.probability(dose, (False, False)) == pytest.approx(percent / 100, abs=1e-3)


def test_pneumonitis_with_both_exposures_is_near_the_cohorts() -> None:
    limit = ntcp_limit("pneumonitis")
    assert limit.probability(17.1, (True, False)) == pytest.approx(0.364, abs=0.02)
    assert limit.probability(17.1, (True, True)) == pytest.approx(0.529, abs=0.02)
    assert 1.37 <= limit.exposures[1].risk_ratio <= 1.46


def test_esophagitis_is_belderbos_and_with_chemotherapy_near_palma() -> None:
    limit = ntcp_limit("esophagitis_acute")
    assert (limit.td50_gy, limit.m) == (47, 0.36)
    assert limit.probability(47, (False,)) == pytest.approx(0.5)
    assert limit.probability(30, (True,)) == pytest.approx(0.502, abs=0.02)
    assert limit.exposures[0].odds_ratio == pytest.approx((0.18 / 0.82) / (0.04 / 0.96), rel=1e-2)


def test_reirradiation_of_the_cord_is_the_published_eqd2() -> None:
    cord = library_limits("reirradiation")
    assert cord["cord_cumulative"]["cap_gy"] / 2 == 70
    assert cord["cord_retreatment"]["cap_gy"] / 2 == 25


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("antigen-loss", {"release_factor", "share_factor"}),
        ("pdl1-upregulation", {"pdl1_upregulation"}),
        ("exhaustion", {"effector_loss_per_day"}),
        (
            "treg-tgfb",
            {
                "suppression_above_gy",
                "suppression_per_gy",
                "suppression_after_days",
                "suppression_per_day",
            },
        ),
    ],
)
def test_resistance_profiles_differ_from_the_default_in_their_own_constants(
    name: str, changed: set[str]
) -> None:
    default, profile = library("scenarios")["default"], library("scenarios")[name]
    constants = set(Immune.model_fields) - {"source", "doi", "status", "note", "use"}
    assert {k for k in constants if default.get(k) != profile.get(k)} == changed


def test_agents_on_other_targets_are_never_called_verified() -> None:
    named = {"LAG-3": "relatlimab", "TIGIT": "tiragolumab", "OX40": "ivuxolimab"}
    for target, name in (named | {"4-1BB": "utomilumab"}).items():
        drug = library("drugs")[name]
        assert drug["target"] == target
        assert drug["status"] == "assumed"


RISING = {
    ("rtog", "brachial_plexus_d3cm3"),
    ("rtog", "cord_max"),
    ("rtog", "esophagus_d5cm3"),
    ("rtog", "ribs_max"),
    ("rtog", "skin_max"),
}
"""Tables of protocols in which some more fractions may have as much each, or more."""


def test_tolerance_per_fraction_falls_but_in_tables_of_protocols() -> None:
    rising = set()
    for name, limit in LIMITS:
        entry = library_limits(name)[limit]
        if entry["kind"] == "dose_by_fractions":
            table = DoseByFractionsLimit.model_validate_json(as_json({"name": limit} | entry))
            each = [gy / n for n, gy in zip(table.fractions, table.limits_gy, strict=True)]
            if not all(after < before for before, after in pairwise(each)):
                rising.add((name, limit))
    assert rising == RISING


PUBLISHED_VOLUMES = {
    ("quantec", "lungs_v20"): ("lungs", "d30pct", 20),
    ("quantec", "kidneys_v28"): ("kidneys", "d20pct", 28),
    ("quantec", "esophagus_v50"): ("esophagus", "d40pct", 50),
    ("lu004", "lungs_v5"): ("lungs", "d65pct", 5),
    ("hytec-lung", "lungs_v20"): ("lungs", "d15pct", 20),
    ("rtog-0617", "heart_v60"): ("heart", "d33_3pct", 60),
}


@pytest.mark.parametrize(("name", "limit"), PUBLISHED_VOLUMES)
def test_published_volumes_are_kept_to_their_dose(name: str, limit: str) -> None:
    """V_x <= v: a plan with the hottest part v at x keeps the limit, at a hundredth more not."""
    organ, point, cap = PUBLISHED_VOLUMES[name, limit]
    entry = library_limits(name)[limit]
    assert (entry["kind"], entry["organ"], entry["point"]) == ("dose_volume", organ, point)
    for factor, kept in ((1.0, True), (1.01, False)):
        site = lesion(course=uniform([30], [2.0]), sparing={organ: {point: factor * cap / 60}})
        case = build(plain_case([site], [{"name": limit} | entry], horizon_days=[60]))
        schedule = Schedule.of([Fraction(day, "tumor", 2.0) for day in range(30)], [])
        assert Judge(case).evaluate(schedule).limits[0].kept is kept


def test_every_limit_set_says_what_protocols_state_of_volumes() -> None:
    points = {(name, library_limits(name)[limit].get("point", "")) for name, limit in LIMITS}
    for point in ("d15cm3", "d10cm3", "d5cm3", "d4cm3", "d3cm3", "d1_2cm3", "d0_35cm3"):
        assert ("rtog", point) in points and ("tg101", point) in points
    assert ("hytec-brain", "d10cm3") in points and ("safron", "d70cm3") in points


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_resolve_and_say_why(name: str) -> None:
    assert SETS[name]["why"]
    used = {entry["from"].rpartition(".")[0] for entry in SETS[name]["limits"].values()}
    assert used == set(SETS[name]["composite_of"])
    for key, entry in SETS[name]["limits"].items():
        other, _, limit = entry["from"].rpartition(".")
        assert library_limits(name)[key] == library_limits(other)[limit]
