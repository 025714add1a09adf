"""The list of published findings: complete, sourced, split by nothing but the id."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from abscopt.instances.evidence import Drug, Finding, findings
from abscopt.instances.evidence.findings import Item, Ordering
from abscopt.instances.load import library

EVERY = findings()
VERIFIED = tuple(finding for finding in EVERY if finding.status == "verified")
REQUIRED = {*(f"P{n}" for n in range(1, 12)), "G", *(f"C{n}" for n in range(1, 7))}
IDS_AT_FIRST_CALIBRATION = 82
BOTH_SIDES = {"preblockade-helps", "preblockade-harms"}


EFFECT = {
    "of": "concomitant",
    "against": "sequential",
    "kind": "hazard_ratio",
    "value": 0.5,
    "interval": (0.25, 1.0),
    "endpoint": "survival",
    "status": "recalled",
    "randomized": True,
}


def named(name: str) -> Finding:
    (found,) = (finding for finding in EVERY if finding.id == name)
    return found


def raw(name: str = "dovedi-2014-concomitant-vs-sequential") -> dict[str, Any]:
    return named(name).model_dump(exclude_none=True)


def test_enough_verified_findings_and_every_required_item() -> None:
    assert len(VERIFIED) >= 30
    items = {finding.item for finding in EVERY}
    assert items >= REQUIRED
    assert items <= set(get_args(Item))


def test_ids_are_unique_and_none_was_dropped_or_renamed() -> None:
    """Ids fix the split; a rename or a removal after calibration would move it."""
    ids = [finding.id for finding in EVERY]
    assert len(set(ids)) == len(ids) >= IDS_AT_FIRST_CALIBRATION
    first = "\n".join(ids[:IDS_AT_FIRST_CALIBRATION])
    assert sha256(first.encode()).hexdigest()[:16] == "6c3e2f1b95053463"


def test_first_split_is_the_parity_of_a_hash_of_the_id() -> None:
    for finding in EVERY:
        odd = sha256(finding.id.encode()).digest()[0] >> 4 & 1
        assert finding.first_split == ("held_back" if odd else "training")


def test_no_cohort_straddles_the_halves() -> None:
    """Studies of the same patients are on one side, and the sides are those first committed."""
    halves: dict[str, set[str]] = {}
    for finding in EVERY:
        halves.setdefault(finding.patients, set()).add(finding.split)
        odd = sha256(finding.patients.encode()).digest()[0] >> 4 & 1
        assert finding.split == ("held_back" if odd else "training")
    assert all(len(sides) == 1 for sides in halves.values())
    first = "\n".join(finding.patients for finding in EVERY[:IDS_AT_FIRST_CALIBRATION])
    assert sha256(first.encode()).hexdigest()[:16] == "e25a167cf5904a28"


def test_both_halves_hold_scored_findings() -> None:
    for split in ("training", "held_back"):
        assert sum(finding.split == split for finding in VERIFIED) >= 12


@pytest.mark.parametrize("finding", VERIFIED, ids=lambda finding: finding.id)
def test_verified_finding_can_be_looked_up(finding: Finding) -> None:
    cited = re.search(r"\b(19|20)\d\d\b|KEYNOTE-\d+|BLC-\d+", finding.source)
    assert finding.doi or finding.pmc or cited


def test_outside_is_the_exception() -> None:
    outside = [finding for finding in VERIFIED if finding.outside is not None]
    assert len(outside) <= 0.15 * len(VERIFIED)


def test_drugs_of_patients_are_library_drugs_with_doses() -> None:
    drugs = library("drugs")
    used = [
        drug
        for finding in EVERY
        if finding.scale == "human"
        for arm in finding.arms.values()
        for drug in arm.drugs
    ]
    assert used
    assert {drug.agent for drug in used} <= set(drugs)
    assert all(drug.dose_mg is not None and max(drug.days) <= 365 for drug in used)


def test_contested_findings_speak_for_both_sides() -> None:
    contested = [finding for finding in EVERY if finding.contested is not None]
    assert all(set(finding.contested or ()) == BOTH_SIDES for finding in contested)
    assert set(library("scenarios")) >= BOTH_SIDES
    spoken = {finding.supports for finding in contested if finding.status == "verified"}
    assert spoken >= BOTH_SIDES


def test_unpublished_comparisons_are_not_verified() -> None:
    """Recalled orderings, arguments and comparisons across trials are not for scoring."""
    for name in (
        "dewan-2009-fractionation",
        "wei-2021-pd1-before",
        "schaue-2012-15-gy-in-two",
        "lai-2021-15x1-vs-5x3",
        "brooks-chang-2019-all-lesions",
        "pacific-cross-trial-consolidation-vs-concurrent",
        "pacific-r-2023-late-start",
    ):
        assert named(name).status in ("recalled", "derived")


@pytest.mark.parametrize(
    ("name", "arm", "fractions", "total_gy"),
    [
        ("pacific-2017-consolidation", "consolidation", 30, 60),
        ("rtog-0617-2015-74-gy", "2x37", 37, 74),
        ("theelen-2020-response-by-schedule", "24-3", 3, 24),
        ("theelen-2020-response-by-schedule", "50-4", 4, 50),
        ("theelen-2020-response-by-schedule", "45-15", 15, 45),
        ("schoenfeld-2022-low-dose", "low-dose", 16, 8),
        ("maclennan-1978-fraction-number", "1.2x20", 20, 24),
        ("kosinsky-2018-combination", "2x5", 5, 10),
    ],
)
def test_dose_of_an_arm(name: str, arm: str, fractions: int, total_gy: float) -> None:
    given = named(name).arms[arm].fractions
    assert len(given) == fractions
    assert sum(fraction.dose_gy for fraction in given) == pytest.approx(total_gy)


def test_name_of_an_arm_says_its_dose_and_fractions() -> None:
    """`8x3` is three fractions of 8 Gy, in every finding."""
    checked = 0
    for finding in EVERY:
        for name, arm in finding.arms.items():
            if match := re.match(r"(\d+(?:\.\d+)?)x(\d+)(?:$|\+)", name):
                dose, number = match.groups()
                assert [f.dose_gy for f in arm.fractions] == [float(dose)] * int(number), name
                checked += 1
    assert checked > 40


def test_iso_bed_sets_are_iso_effective() -> None:
    for name, ratio in (("grapin-2019-growth-delay", 10), ("chen-2022-iso-bed", 20)):
        arms = named(name).arms.values()
        beds = [sum(f.dose_gy * (1 + f.dose_gy / ratio) for f in arm.fractions) for arm in arms]
        assert max(beds) / min(beds) < 1.2
        if ratio == 10:
            assert beds == pytest.approx([43.2, 43.2, 43.3], abs=0.05)


def test_orderings_are_taken_apart() -> None:
    found = named("theelen-2020-response-by-schedule").orderings
    assert found[0] == Ordering("50-4", "~", "24-3")
    assert len(found) == len(named("theelen-2020-response-by-schedule").expected)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"expected": ("concomitant > never",)}, "no arm never"),
        ({"expected": ("concomitant beats sequential",)}, "pattern"),
        ({"expected": ()}, "expects nothing"),
        ({"supports": "preblockade-helps"}, "supports must be one of"),
        ({"scale": "human"}, "human arms state agents"),
        ({"id": "Dovedi 2014"}, "pattern"),
        ({"status": "assumed"}, "Input should be"),
        ({"unknown": 1}, "Extra inputs"),
        ({"study": None}, "valid string"),
        ({"effects": (dict(EFFECT, against="never"),)}, "no arm never"),
        ({"setting": {"tumor": "x", "endpoint": "survival", "lesions": ("a",)}}, "arms use"),
    ],
)
def test_broken_finding_is_refused(change: dict[str, Any], rule: str) -> None:
    Finding.model_validate(raw())
    with pytest.raises(ValidationError, match=rule):
        Finding.model_validate(raw() | change)


@pytest.mark.parametrize(
    ("block", "rule"),
    [
        ({"days": (1, 0), "dose_gy": 8.0}, "sorted"),
        ({"days": (), "dose_gy": 8.0}, "at least 1"),
        ({"days": (0,), "dose_gy": 0.0}, "greater than 0"),
        ({"days": (0,), "dose_gy": 8.0, "field": "huge"}, "Input should be"),
        ({"days": (0,), "dose_gy": 8.0, "site": "elsewhere"}, "arms use"),
    ],
)
def test_broken_radiation_is_refused(block: dict[str, Any], rule: str) -> None:
    finding = raw()
    finding["arms"]["sequential"]["radiation"] = (block,)
    with pytest.raises(ValidationError, match=rule):
        Finding.model_validate(finding)


@pytest.mark.parametrize(
    ("drug", "rule"),
    [
        ({"days": (0,)}, "either agent or target"),
        ({"days": (0,), "agent": "x", "dose_mg": 1.0, "target": "PD-1"}, "either agent or target"),
        ({"days": (0,), "agent": "nivolumab"}, "needs dose_mg"),
        ({"days": (0, 0), "target": "PD-1"}, "sorted and different"),
        ({"days": (0,), "target": "LAG-9"}, "Input should be"),
    ],
)
def test_broken_drug_is_refused(drug: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Drug.model_validate(drug)


def test_arm_is_read_on_a_lesion_of_the_setting() -> None:
    finding = raw()
    finding["arms"]["sequential"]["read_at"] = "elsewhere"
    with pytest.raises(ValidationError, match="arms use"):
        Finding.model_validate(finding)
