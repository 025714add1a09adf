"""Input audit: what follows from the case alone, note by note, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from plain_cases import Raw, bed_limit, lesion, limit, plain_case, uniform

from abscopt.instances import build
from abscopt.instances.checks.audit import input_notes
from abscopt.instances.checks.notes import Note
from abscopt.instances.load import InputError, load, names

MENU = uniform([3], [10.0])


def notes(raw: Raw, kind: str) -> list[Note]:
    """Notes of one kind on a case."""
    return [note for note in input_notes(build(raw)) if note.kind == kind]


def one_lesion(**fields: Any) -> Raw:
    """A case with one lesion and no limit."""
    return plain_case([lesion(course=MENU) | fields], [], horizon_days=[84])


def with_drug(regimen: str, **fields: Any) -> Raw:
    """A case with one agent."""
    agent = {"name": "agent", "regimens": [regimen], "first_start_day": 0, "last_start_day": 0}
    return one_lesion() | {"agents": [agent | fields], "immune": {"use": "default"}}


def test_a_point_that_a_limit_counts_and_a_lesion_leaves_out() -> None:
    stated = lesion("stated", course=MENU, sparing={"organ": {"max": 0.2}})
    zero = lesion("zero", course=MENU, sparing={"organ": {"max": 0}})
    silent = lesion("silent", course=MENU, sparing={"organ": {"mean": 0.1}})
    found = notes(
        plain_case([stated, zero, silent], [bed_limit(90.0)], horizon_days=[84]),
        "sparing_not_stated",
    )
    assert [note.place for note in found] == ["lesions[2].sparing"]
    assert "silent" in found[0].text and "organ.max" in found[0].text
    assert "write 0 where it is 0" in found[0].text


def test_a_technique_that_replaces_an_organ_leaves_a_point_out() -> None:
    ways = [{"name": "a"}, {"name": "b", "sparing": {"organ": {"mean": 0.1}}}]
    both = lesion(course=MENU, sparing={"organ": {"max": 0.2}}, techniques=ways)
    raw = plain_case([both], [bed_limit(90.0)], horizon_days=[84], objective="default")
    found = notes(raw, "sparing_not_stated")
    assert [note.place for note in found] == ["lesions[0].techniques[1].sparing"]


def test_edric_and_lymphocyte_floor_count_what_is_not_stated() -> None:
    rules = [
        limit("edric", "edric", cap_gy=6.0),
        limit("alc", "alc", floor_1e9_per_l=0.7),
    ]
    raw = one_lesion(integral_dose_cm3=400) | {"limits": rules}
    (found,) = notes(raw, "sparing_not_stated")
    assert "lungs.mean" in found.text and "heart.mean" in found.text
    assert [n.place for n in notes(raw, "loss_not_stated")] == [
        "lesions[0].lymphocyte_loss_per_fraction"
    ]
    assert [n.place for n in notes(raw, "value_assumed")] == ["lymphocytes.initial_1e9_per_l"]
    raw["lesions"][0]["lymphocyte_loss_per_fraction"] = 0
    raw["lymphocytes"] = {"initial_1e9_per_l": 1.7}
    assert not notes(raw, "loss_not_stated") and not notes(raw, "value_assumed")


@pytest.mark.parametrize(
    ("regimen", "key", "value", "mg"),
    [
        ("durvalumab-10mgkg-q2w", "weight_kg", 70, "700 mg"),
        ("cisplatin-etoposide", "bsa_m2", 1.8, "90 mg"),
        ("carboplatin-paclitaxel-weekly", "gfr_ml_per_min", 90, "230 mg"),
    ],
)
def test_body_data_that_a_dose_needs_are_asked_for(
    regimen: str, key: str, value: float, mg: str
) -> None:
    raw = with_drug(regimen)
    found = {note.place: note.text for note in notes(raw, "value_assumed")}
    text = found[f"patient.{key}"]
    assert f"assumed {value:g} " in text and mg in text
    raw["patient"] = {key: value}
    assert f"patient.{key}" not in {note.place for note in notes(raw, "value_assumed")}


def test_a_menu_that_needs_more_days_than_the_horizon_is_empty() -> None:
    raw = one_lesion(course=uniform([30], [2.0]))
    raw["horizon_days"] = [28]
    (found,) = notes(raw, "menu_empty")
    assert "30 x 2 Gy needs 40 days" in found.text and "the horizon is 28 days" in found.text
    raw["horizon_days"] = [40]
    assert not notes(raw, "menu_empty")


def test_a_start_window_without_machine_days_leaves_an_empty_menu() -> None:
    raw = one_lesion(course=MENU | {"first_start_day": 5, "last_start_day": 6})
    (found,) = notes(raw, "menu_empty")
    assert "5 to 6" in found.text


def test_numbers_of_fractions_and_start_days_that_the_horizon_cuts() -> None:
    raw = one_lesion(course=uniform([3, 30], [2.0], last_start_day=21))
    raw["horizon_days"] = [28]
    (found,) = notes(raw, "courses_cut")
    assert "30 fractions need 40 days" in found.text and "3 fractions" not in found.text
    raw["lesions"][0]["course"]["last_start_day"] = 27
    assert "3 fractions (interval 1)" in notes(raw, "courses_cut")[0].text


def test_more_cycles_than_the_regimen_has_are_refused() -> None:
    raw = with_drug("durvalumab-1500-q4w", cycles=26)
    with pytest.raises(InputError, match=r"agents\[0\]\.cycles: 26: .*has 13"):
        build(raw)
    standard = {"name": "s", "source": "s", "agents": [{"agent": "agent", "start_day": 0}]}
    standard["agents"][0]["cycles"] = 26
    with pytest.raises(InputError, match=r"standard\.agents\[0\]\.cycles: 26: .*has 13"):
        build(with_drug("durvalumab-1500-q4w") | {"standard": standard})


def test_doses_that_the_horizon_cuts_are_counted() -> None:
    (found,) = notes(with_drug("durvalumab-1500-q4w", cycles=6), "doses_cut")
    assert "3 of 6 doses" in found.text
    assert not notes(with_drug("durvalumab-1500-q4w", cycles=3), "doses_cut")


@pytest.mark.parametrize(
    ("unit", "amount", "usual"),
    [("auc", 450, False), ("auc", 5, True), ("mg_per_kg", 700, False), ("mg", 200, True)],
)
def test_amounts_outside_usual_ranges(unit: str, amount: float, usual: bool) -> None:
    dose = {"drug": "pembrolizumab", "day": 0, "amount": amount, "unit": unit}
    regimen = {"cycle_days": 21, "max_cycles": 1, "doses": [dose], "source": "t"}
    raw = with_drug("own") | {"regimens": {"own": regimen | {"status": "assumed"}}}
    assert bool(notes(raw, "unusual_value")) is not usual
    assert {note.level for note in notes(raw, "unusual_value")} <= {"warning"}
    meant = notes(raw | {"allow_unusual": True}, "unusual_value")
    assert {note.level for note in meant} == (set() if usual else {"note"})


def test_volumes_body_and_factors_outside_usual_ranges() -> None:
    raw = one_lesion(volume_cm3=4000, sparing={"organ": {"max": 2.5}})
    raw["patient"] = {"weight_kg": 250.0, "bsa_m2": 1.3}
    places = {note.place for note in notes(raw, "unusual_value")}
    assert {"lesions[0].volume_cm3", "lesions[0].sparing.organ.max", "patient.weight_kg"} <= places
    assert notes(raw, "body_mismatch")


@pytest.mark.parametrize(
    ("fractions", "dose", "kind"),
    [
        (3, 54.0, "unusual_fraction"),
        (5, 20.0, "unusual_total"),
        (25, 25.0, "unusual_total"),
        (3, 18.0, None),
        (35, 2.0, None),
        (1, 34.0, None),
        (3, 24.0, None),
    ],
)
def test_total_dose_where_dose_per_fraction_is_meant(
    fractions: int, dose: float, kind: str | None
) -> None:
    raw = one_lesion(course=uniform([fractions], [dose]))
    found = [n.kind for n in input_notes(build(raw)) if n.kind.startswith("unusual")]
    assert found == ([] if kind is None else [kind])


def test_a_wide_menu_is_not_unusual() -> None:
    raw = one_lesion(course=uniform([1, 30], [2.0, 20.0]))
    assert not notes(raw, "unusual_total") and not notes(raw, "unusual_fraction")


def test_shares_that_make_drugs_useless() -> None:
    raw = with_drug("pembrolizumab-200-q3w")
    raw["objective"] = {"kind": "default"}
    assert notes(raw, "no_effector_share")
    raw["lesions"][0]["effector_share"] = 0.5
    assert notes(raw, "no_precursor_share") and not notes(raw, "no_effector_share")
    raw["lesions"][0]["precursor_share"] = 0.5
    assert not notes(raw, "no_precursor_share") and not notes(raw, "agent_without_effect")
    raw["immune"] = {"use": "off"}
    assert notes(raw, "agent_without_effect")


def test_terms_that_nothing_in_the_case_answers_to() -> None:
    raw = with_drug("pembrolizumab-200-q3w")
    raw["objective"] = {"kind": "default"}
    assert not notes(raw, "term_without_effect")
    raw["immune"] = {"use": "liver-siphon", "ctla4_depletion": 1.0}
    found = notes(raw, "term_without_effect")
    assert [n.place for n in found] == ["immune.liver_siphon_nats", "immune.ctla4_depletion"]
    assert "liver" in found[0].text and "CTLA-4" in found[1].text
    raw["lesions"][0]["organ"] = "right liver lobe"
    assert [n.place for n in notes(raw, "term_without_effect")] == ["immune.ctla4_depletion"]
    ipilimumab = with_drug("ipilimumab-3mgkg-q3w-x4") | {"objective": raw["objective"]}
    ipilimumab["immune"] = {"use": "ctla4-depletion"}
    assert not notes(ipilimumab, "term_without_effect")


PRIOR = {
    "organ": "organ", "point": "max", "fractions": 30, "dose_gy": 1.5, "recovered": 0.25,
    "source": "t",
}  # fmt: skip


def prior_case(**fields: Any) -> Raw:
    """A case whose organ has had 30 x 1.5 Gy, of which a quarter has recovered."""
    rule = limit(
        "dose_by_fractions", "cord_max", organ="organ", fractions=[1, 3, 5],
        limits_gy=[14.0, 21.9, 30.0],
    )  # fmt: skip
    raw = plain_case(
        [lesion(course=MENU, sparing={"organ": {"max": 0.1}})], [rule | fields], horizon_days=[84]
    )
    return raw | {"prior_doses": [PRIOR]}


def test_a_prior_dose_that_alone_breaks_a_limit_is_refused() -> None:
    with pytest.raises(InputError, match=r"prior_doses\[0\].*112\.5 % of limit cord_max"):
        build(prior_case())
    fits = prior_case()
    fits["prior_doses"] = [PRIOR | {"fractions": 26}]
    build(fits)
    (found,) = notes(prior_case(penalty=1.0), "prior_over_soft")
    assert "112.5 %" in found.text


def test_a_prior_dose_beyond_the_table_is_refused_even_by_a_soft_limit() -> None:
    raw = prior_case(penalty=1.0)
    raw["prior_doses"] = [PRIOR | {"fractions": 1, "dose_gy": 15.0}]
    with pytest.raises(InputError, match="at most 14 Gy in one fraction"):
        build(raw)


@pytest.mark.parametrize("name", names())
def test_bundled_cases_leave_nothing_open(name: str) -> None:
    kinds = {note.kind for note in input_notes(load(name))}
    assert not kinds & {"sparing_not_stated", "loss_not_stated", "value_assumed", "menu_empty"}
    assert not [note for note in input_notes(load(name)) if note.level == "warning"]
