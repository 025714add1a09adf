"""`abscopt import cerr-roe`: protocols and criteria become a map, and with a histogram a case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dvh_phantom import plain

from abscopt.instances.load import load

PROTOCOL: dict[str, Any] = {
    "name": "4Gy x 15",
    "numFractions": 15,
    "totalDose": 60,
    "models": {"BED": {"modelFile": "Lung BED.json"}},
    "criteriaFile": "criteria.json",
}
V20: dict[str, Any] = {
    "function": "calc_Vx",
    "parameters": {"x": {"val": 20}, "volumeType": {"val": 1}},
    "limit": 0.3,
}
D2: dict[str, Any] = {
    "function": "calc_Dx",
    "parameters": {"x": {"val": 2}, "volumeType": {"val": 0}},
    "limit": 50,
}
CRITERIA: dict[str, Any] = {
    "name": "criteria",
    "numFrx": 15,
    "structures": {
        "Spinal Cord": {
            "abRatio": 2,
            "criteria": {"MaxPtDose": {"function": "calc_maxDose", "limit": 40}},
        },
        "Lungs-GTV": {
            "abRatio": 3,
            "criteria": {
                "V20": V20,
                "Mean": {"function": "calc_meanDose", "limit": 18},
                "NTCP": {"function": "ntcp", "parameters": {"modelFile": "m.json"}, "limit": 0.2},
            },
            "guidelines": {"D2": D2},
        },
    },
}
ANSWERS = ("--target", "PTV 1", "--tumor", "nsclc_metastasis", "--where", "lung")


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    for folder, name, content in (
        ("Protocols", "p.json", PROTOCOL), ("Criteria", "criteria.json", CRITERIA),
    ):  # fmt: skip
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "Protocols" / "p.json"


def changed(protocol: Path, path: tuple[str, ...], value: Any) -> None:
    """Change the criteria at a place; None removes it."""
    file = protocol.parents[1] / "Criteria" / "criteria.json"
    content = json.loads(file.read_text())
    table = content
    for key in path[:-1]:
        table = table[key]
    table.pop(path[-1], None) if value is None else table.update({path[-1]: value})
    file.write_text(json.dumps(content), encoding="utf-8")


def test_criteria_and_a_histogram_become_a_case(run: Any, protocol: Path, tmp_path: Path) -> None:
    done = run("import", "cerr-roe", protocol, *ANSWERS, "--penalty", "1", "--out",
               tmp_path / "map.toml")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Lungs-GTV_NTCP: function ntcp" in done.stderr and "not used: BED" in done.stderr
    (tmp_path / "plan.csv").write_text(plain().replace("Rx: 50", "Rx: 60"), encoding="utf-8")
    case = tmp_path / "case.toml"
    done = run("import", "dvh", tmp_path / "plan.csv", "--set", "none", "--map",
               tmp_path / "map.toml", "--rx", "60/15", "--out", case)  # fmt: skip
    assert done.exit_code == 0, done.output
    loaded = load(str(case))
    caps = {limit.name: (limit.kind, limit.cap_gy) for limit in loaded.limits}  # type: ignore[union-attr]
    assert caps == {
        "Spinal_Cord_MaxPtDose": ("bed", pytest.approx(40 * (1 + 40 / 15 / 2))),
        "Lungs-GTV_V20": ("dose_volume", pytest.approx(20 * (1 + 20 / 15 / 3) / (1 + 2 / 3))),
        "Lungs-GTV_Mean": ("mean_eqd2", pytest.approx(18 * (1 + 18 / 15 / 3) / (1 + 2 / 3))),
        "Lungs-GTV_D2_guideline": (
            "dose_volume", pytest.approx(50 * (1 + 50 / 15 / 3) / (1 + 2 / 3)),
        ),
    }  # fmt: skip
    points = {limit.name: getattr(limit, "point", "") for limit in loaded.limits}
    assert points["Lungs-GTV_V20"] == "d30pct" and points["Lungs-GTV_D2_guideline"] == "d2cm3"
    assert [limit.penalty for limit in loaded.limits] == [None, None, None, 1.0]
    assert loaded.organs["Lungs-GTV"].alpha_beta_gy == 3.0
    assert set(loaded.lesions[0].bins) == {"Spinal_Cord", "Lungs-GTV"}


def test_the_plan_of_the_criteria_uses_them_up_exactly(run: Any, protocol: Path) -> None:
    """40 Gy in 15 at the cord's maximum is 100 % of a maximum of 40 Gy in 15."""
    from plain_cases import lesion, plain_case, uniform

    from abscopt.instances.load import build
    from abscopt.instances.reading.read import parse_toml
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.schedule import Fraction, Schedule

    text = run("import", "cerr-roe", protocol, *ANSWERS).stdout
    maximum = parse_toml(text, "map")["limits"][0]
    tumor = lesion(course=uniform([15], [4.0]), sparing={"Spinal_Cord": {"max": 2 / 3}})
    instance = build(plain_case([tumor], [maximum], horizon_days=[30]))
    schedule = Schedule(tuple(Fraction(day, "tumor", 4.0) for day in range(15)))
    assert Judge(instance).evaluate(schedule).limits[0].use == pytest.approx(1.0, abs=1e-6)


def test_what_is_not_stated_is_asked(run: Any, protocol: Path, tmp_path: Path) -> None:
    done = run("import", "cerr-roe", protocol, "--out", tmp_path / "map.toml")
    assert done.exit_code == 2 and '"?" = "target"' in done.stdout
    assert "a guideline, and no --penalty is given" in done.stderr
    assert not (tmp_path / "map.toml").exists()


LUNG = ("structures", "Lungs-GTV", "criteria", "V20")
WRONG: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "number": (("numFrx",), None, "numFrx: missing: must be a positive number"),
    "ratio": (("structures", "Lungs-GTV", "abRatio"), -3, "abRatio: -3: must be a positive number"),
    "volume": ((*LUNG, "parameters", "volumeType"), None, "must be 1 (part of the volume) or 0"),
    "share": ((*LUNG, "limit"), 30, "at most all of it"),
    "limit": ((*LUNG, "limit"), "0.3", "limit: 0.3: must be a positive number"),
    "table": (("structures", "Lungs-GTV", "criteria"), [1], "must be a table"),
    "none": (("structures",), {}, "must be a table of structures"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_criteria_are_refused(run: Any, protocol: Path, what: str) -> None:
    path, value, rule = WRONG[what]
    changed(protocol, path, value)
    done = run("import", "cerr-roe", protocol, *ANSWERS)
    assert done.exit_code == 2 and rule in done.stderr and not done.stdout, done.output


def test_files_that_are_missing_are_named(run: Any, protocol: Path, tmp_path: Path) -> None:
    (tmp_path / "Criteria" / "criteria.json").unlink()
    done = run("import", "cerr-roe", protocol)
    assert done.exit_code == 2 and "name it with --criteria" in done.stderr
    done = run("import", "cerr-roe", protocol, "--criteria", tmp_path / "none.json")
    assert done.exit_code == 2 and "no such file" in done.stderr
    protocol.write_text("[1]", encoding="utf-8")
    assert "must be one JSON object" in run("import", "cerr-roe", protocol).stderr
