"""Prescriptions and dates in cases: the same case as written out, every way, and clear errors."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from abscopt.instances.load import InputError, build, load, save
from abscopt.instances.menus.prescriptions import Prescription, parsed, written
from abscopt.instances.schema import Instance, json_schema
from abscopt.instances.sources import Raw

WAYS = {
    "50/5": (50, 5),
    " 50 / 5 ": (50, 5),
    "50 Gy/5": (50, 5),
    "50Gy in 5": (50, 5),
    "50 Gy in 5 fractions": (50, 5),
    "67.5/15 fx": (67.5, 15),
    "5 x 10 Gy": (50, 5),
    "5x10Gy": (50, 5),
    "10 Gy x 5 fx": (50, 5),
    "10Gy×5": (50, 5),
}  # fmt: skip


@pytest.mark.parametrize("text", WAYS)
def test_prescriptions_as_people_write_them(text: str) -> None:
    assert parsed(text) == Prescription(*WAYS[text])


@pytest.mark.parametrize(
    "text", ["", "50", "50/0", "0/5", "5x10", "50/5/2", "-50/5", "600/5", "50/5 weeks", "50,5", 50]
)
def test_what_is_no_prescription(text: object) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize("text", ["50/5", "50/3", "67.5/15", "23/7", "100/30", "8/1", "66.6/37"])
def test_prescriptions_are_written_as_they_were_read(text: str) -> None:
    entry = parsed(text)
    assert entry is not None and str(entry) == text
    assert written(entry.fractions, entry.dose_gy) == text


def case(**lesion: Any) -> Raw:
    return {
        "format": 1,
        "name": "shorthand",
        "title": "t",
        "provenance": {"source": "test"},
        "immune": {"use": "off"},
        "calendar": {"start_date": "2026-02-02"},
        "horizon_days": [84],
        "lesions": [
            {"name": "lung", "organ": "lung", "use": "nsclc_metastasis", "volume_cm3": 10} | lesion
        ],
    }


def test_prescriptions_are_the_menu_that_they_say() -> None:
    texts = ["50/5", "48/4", "54/3", "45/5"]
    more = {"interval_days": [1, 2], "last_start_day": 7}
    plain = build(case(course={
        "form": "uniform", "fractions": [5], "doses_gy": [9, 10], "interval_days": [1, 2],
        "last_start_day": 7,
        "also": [{"fractions": [4], "doses_gy": [12], "interval_days": [1, 2]},
                 {"fractions": [3], "doses_gy": [18], "interval_days": [1, 2]}],
    }))  # fmt: skip
    assert build(case(course={"prescriptions": texts} | more)) == plain
    assert build(case(prescriptions=texts, course=more)) == plain
    course = plain.lesions[0].course
    assert course is not None and course.form == "uniform"
    assert course.prescriptions == ("45/5", "50/5", "48/4", "54/3")


def test_blocks_go_on_after_prescriptions() -> None:
    also = [{"fractions": [10], "doses_gy": [3, 4]}]
    course = build(case(course={"prescriptions": ["50/5"], "also": also})).lesions[0].course
    assert course is not None and course.form == "uniform"
    assert course.prescriptions == ("50/5", "30/10", "40/10")


DATED: Raw = {
    "agents": [
        {"name": "pembrolizumab", "regimens": ["pembrolizumab-200-q3w"],
         "first_start_day": 7, "last_start_day": 14},
    ],
    "limits": [
        {"name": "visits", "kind": "logistics", "quantity": "visits", "cap": 5,
         "first_day": 7, "last_day": 28, "source": "t", "status": "assumed"},
    ],
    "standard": {
        "name": "s", "source": "t",
        "courses": [{"lesion": "lung", "fractions": 1, "dose_gy": 8, "start_day": 7}],
        "agents": [{"agent": "pembrolizumab", "start_day": 7}],
    },
}  # fmt: skip
KEYS = ("first_start_day", "last_start_day", "start_day", "first_day", "last_day", "days")


def dated(value: Any, key: str = "") -> Any:
    """The same with dates instead of days."""
    if isinstance(value, dict):
        return {inner: dated(entry, inner) for inner, entry in value.items()}
    if isinstance(value, list):
        return [dated(entry, key) for entry in value]
    if key in (*KEYS, "horizon_days") and type(value) is int:
        return datetime.date(2026, 2, 2) + datetime.timedelta(days=value)
    return value


MENUS: dict[str, Raw] = {
    "uniform": {"prescriptions": ["50/5"], "first_start_day": 7, "last_start_day": 14},
    "free": {"form": "free", "days": [0, 2, 7], "doses_gy": [2, 8]},
}


@pytest.mark.parametrize("form", MENUS)
def test_dates_wherever_days_are(form: str) -> None:
    sparing = {"cord": {"max": {"days": [0, 2, 7], "values": [0.1, 0.2, 0.3]}}}
    factors = sparing if form == "free" else {}
    plain = case(course=MENUS[form], sparing=factors) | DATED
    plain["organs"] = {"cord": {"use": "cord"}}
    by_date = dated(plain)
    assert by_date["lesions"][0]["course"] != plain["lesions"][0]["course"]
    instance = build(plain)
    assert build(by_date) == instance
    assert build(json.loads(json.dumps(by_date, default=str))) == instance
    moved = build(by_date, changes={"calendar.start_date": "2026-02-01"})
    assert moved.agents[0].first_start_day == 8 and moved.horizon_days == (85,)


def test_regimens_count_from_their_first_dose() -> None:
    raw = case(course={"prescriptions": ["50/5"]}) | {"agents": DATED["agents"]}
    assert build(raw).regimens == build(dated(raw)).regimens


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_exact_round_trip(tmp_path: Path, ending: str) -> None:
    raw = dated(case(prescriptions=["50/5", "50/3"], course={"last_start_day": 7}) | DATED)
    instance = build(raw)
    save(instance, tmp_path / f"case.{ending}")
    assert load(tmp_path / f"case.{ending}") == instance
    changed = instance.with_({"lesions.lung.prescriptions": ["48/4"]})
    course = changed.lesions[0].course
    assert course is not None and course.form == "uniform" and course.prescriptions == ("48/4",)


WRONG: dict[str, tuple[Raw, str]] = {
    "text": ({"course": {"prescriptions": ["50/5", "fifty"]}}, r"prescriptions\[1\]: fifty: must"),
    "empty": ({"course": {"prescriptions": []}}, "must be a list of 1 to 200"),
    "no list": ({"prescriptions": "50/5"}, "must be a list of 1 to 200"),
    "beside": ({"prescriptions": ["50/5"], "course": {"doses_gy": [2]}}, "not beside doses_gy"),
    "free": (
        {"prescriptions": ["50/5"], "course": {"form": "free"}}, "belong to a uniform course"
    ),
    "twice": (
        {"prescriptions": ["50/5"], "course": {"prescriptions": ["50/5"]}}, "not in both"
    ),
    "no date": (
        {"course": {"prescriptions": ["50/5"], "last_start_day": "soon"}},
        "last_start_day: soon: must be a day .* or a date from day 0 on",
    ),
    "before": (
        {"course": {"prescriptions": ["50/5"], "first_start_day": "2026-01-30"}},
        "first_start_day: 2026-01-30: must be a day .* or a date from day 0 on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_prescriptions_and_dates(what: str) -> None:
    lesion, rule = WRONG[what]
    with pytest.raises(InputError, match=rule) as caught:
        build(case(**lesion))
    first = caught.value.problems
    assert len(first) == 1 or what in ("free", "beside")


def test_the_published_schema_knows_both() -> None:
    raw = case(prescriptions=["50/5"], course={"last_start_day": "2026-02-09"})
    jsonschema.validate(raw | {"horizon_days": ["2026-04-27"]}, json_schema())
    assert Instance.model_validate_json(build(raw).model_dump_json()) == build(raw)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(case(prescriptions="50/5"), json_schema())


def test_a_lesion_that_may_not_be_irradiated_loses_its_prescriptions() -> None:
    raw = case(prescriptions=["50/5"])
    raw["lesions"].append(raw["lesions"][0] | {"name": "liver"})
    changed = build(raw, changes={"lesions.lung.irradiable": False})
    assert changed.lesions[0].course is None and changed.lesions[1].course is not None
