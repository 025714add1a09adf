"""Every problem of a wrong case is named in one run, with the nearest known names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import InputError, build, load
from abscopt.instances.load import CASES
from abscopt.instances.reading.read import parse_toml

MANY = """
format = 1
name = "patient one"
title = "three metastases"
limit_set = "uk-helse-3-5-8"
horizon_days = [84, 180]
provenance = { source = "export" }
[calendar]
start_date = "5.1.2026"
[patient]
weight = 80
[organs]
cord = { use = "coord" }
esophagus = { use = "esophagus" }
lungs = { use = "lungs" }
[[limits]]
use = "cord_maximum"
[[limits]]
use = "esophagus_max"
[[limits]]
use = "stomach_max"
[[limits]]
kind = "mean"
organ = "lungs"
cap_gy = "8 Gy"
name = "lung"
source = "x"
status = "assumed"
[[limits]]
kind = "meen"
organ = "lungs"
[[lesions]]
name = "RUL"
organ = "lungs"
use = "nsclc_metastases"
volume_cm = 14.1
sparing.cord.d0.1cc = 0.110
sparing.esofagus.max = 0.24
sparing.lungs.mean = 0.1
course = { form = "uniform", fractions = [3, 5], doses_gy = [10, 12], last_start_day = 300 }
[[agents]]
name = "pembro"
regimens = ["pembrolizumab-q3w"]
first_start_day = 42
last_start_day = 0
[standard]
name = "s"
source = "s"
courses = [{ lesion = "LLL", fractions = 3, dose_gy = 10, start_day = 0 }]
agents = [{ agent = "nivo", start_day = 0 }]
"""
FOUND = (
    "organs.cord.use: coord: no such tissue; did you mean 'cord'",
    "lesions[0].use: nsclc_metastases: no such tumor; did you mean 'nsclc_metastasis'",
    "limits[0].use: cord_maximum: no such limit in set 'uk-helse-3-5-8'; did you mean 'cord_max'",
    "name: patient one: must begin with a letter or a digit and hold only letters",
    "patient.weight: weight: unknown key; did you mean 'weight_kg'?",
    "calendar.start_date: 5.1.2026: must be a date such as 2026-01-05",
    "limits[3].cap_gy: 8 Gy: input should be a valid number; write 8: the unit belongs to the key",
    "limits[4].kind: meen: must be one of",
    'lesions[0].sparing.cord.d0.1cc: 1cc: unknown key; a point splits a key: write "d0.1cc"',
    "lesions[0].volume_cm: volume_cm: unknown key; did you mean 'volume_cm3'?",
    "lesions[0].sparing.esofagus: esofagus: unknown organ",
    "lesions[0].course.last_start_day: 300: window outside the horizon",
    "limits[2].organ: stomach: unknown organ",
    "agents[0].regimens: pembrolizumab-q3w: unknown regimen; did you mean 'pembrolizumab-200-q3w'",
    "agents[0]: pembro: last_start_day must not be before first_start_day",
    "standard.courses[0].lesion: LLL: must name an irradiable lesion",
    "standard.agents[0].agent: nivo: unknown agent",
)


def lines_of(raw: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        build(raw, "case")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("case: ") for line in lines)
    return [line.removeprefix("case: ") for line in lines]


def test_all_stages_in_one_run_and_nothing_that_follows() -> None:
    lines = lines_of(tomllib.loads(MANY))
    for wanted in FOUND:
        assert sum(line.startswith(wanted) for line in lines) == 1, wanted
    assert len(lines) == len(FOUND)


def test_mended_one_by_one_no_new_problem_appears() -> None:
    """The lines of the first run are those of every later run, fewer each time."""
    raw = tomllib.loads(MANY)
    lines = lines_of(raw)
    raw["name"] = "patient-one"
    raw["patient"] = {"weight_kg": 80}
    raw["organs"]["cord"]["use"] = "cord"
    raw["limits"][3]["cap_gy"] = 8
    raw["lesions"][0]["use"] = "nsclc_metastasis"
    later = lines_of(raw)
    assert set(later) <= set(lines)
    assert len(later) == len(lines) - 5


def test_a_name_with_spaces_is_one_line_in_words() -> None:
    raw = tomllib.loads((CASES / "toy-blockade.toml").read_text())
    raw["lesions"] = [raw["lesions"][0] | {"name": "Left lung (RUL)"}]
    raw.pop("standard", None)
    (line,) = lines_of(raw)
    assert line.startswith("lesions[0].name: Left lung (RUL): must begin with a letter or a digit")
    assert ". _ + @ -" in line
    assert "^" not in line


def test_an_unknown_base_is_one_line() -> None:
    (line,) = lines_of({"extends": "oligomet4", "name": "a", "title": "b"})
    assert line.startswith("extends: oligomet4: no such bundled case; did you mean 'oligomet-4'")


def test_an_unknown_set_is_one_line() -> None:
    raw = tomllib.loads((CASES / "oligomet-4.toml").read_text())
    raw["limit_set"] = "uk-helse"
    (line,) = lines_of(raw)
    assert line.startswith("limit_set: uk-helse: no such set")


def test_a_key_of_another_kind_of_limit_names_the_kinds_that_have_it() -> None:
    raw = tomllib.loads((CASES / "oligomet-4.toml").read_text())
    mean = {"name": "x", "kind": "mean", "organ": "lungs", "cap_gy": 8, "alpha_beta_gy": 3}
    raw["limits"] = [*raw.get("limits", []), mean | {"source": "x", "status": "assumed"}]
    (line,) = lines_of(raw)
    kinds = "'bed', 'mean_eqd2', 'dose_volume', 'ntcp'"
    assert line.endswith(f"unknown key of this kind; {kinds} have it")


@pytest.mark.parametrize("name", ["oligomet-4", "stage3-crt", "toy-free-20", "co-targets"])
def test_each_single_fault_is_one_line(name: str) -> None:
    """A leaf of a case replaced by a list in a list is named alone, with its place."""
    case = load(name)
    for table, place in ((case.lesions[0], "lesions[0]"), (case.patient, "patient")):
        for key in table.model_fields_set - {"use", "course", "sparing", "techniques", "clones"}:
            if not isinstance(getattr(table, key), int | float) or key == "irradiable":
                continue
            raw = case.model_dump(mode="json", exclude_none=True)
            raw["lesions"] = list(raw["lesions"])
            target = raw["lesions"][0] if place == "lesions[0]" else raw[place]
            target[key] = [[]]
            (line,) = lines_of(raw)
            assert line.startswith(f"{place}.{key}: ")


SLIPS = {
    "comma": ("cap_gy = 8,5", "decimals take a point"),
    "unit": ("cap_gy = 8 Gy", "the unit belongs to the key"),
    "quotes": ("name = lung", "text needs quotes"),
    "space": ("cap gy = 8", "a key has no spaces"),
    "colon": ("cap_gy: 8", "joined by ="),
    "empty": ("cap_gy =", "the value is missing"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_common_slips_of_toml(slip: str) -> None:
    line, hint = SLIPS[slip]
    with pytest.raises(InputError) as caught:
        parse_toml(f"format = 1\n{line}\n", "case")
    (problem,) = caught.value.problems
    assert problem.place.startswith("line 2 column ")
    assert hint in problem.rule


def test_more_than_a_hundred_are_counted(tmp_path: Path) -> None:
    raw = tomllib.loads((CASES / "toy-blockade.toml").read_text())
    lines = lines_of(raw | {f"key{i}": 1 for i in range(2_000)})
    assert len(lines) == 101
    assert lines[-1] == "file: 1900 more problems: not listed"
