"""`abscopt import dvh`: from exports of a planning system to a case, a result and a page."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from dvh_phantom import SECRETS, SHAPES, STRUCTURES, expected, plain, raystation

from abscopt.instances.load import load

MAP = """
name = "phantom"
[structures]
"PTV 1" = "lung"
"Spinal Cord" = "cord"
"Lungs-GTV" = "lungs"
[[lesions]]
name = "lung"
organ = "lungs"
use = "nsclc_metastasis"
volume_cm3 = 30
prescriptions = ["50/5", "48/4"]
interval_days = [1, 2]
last_start_day = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan.csv").write_text(plain(), encoding="utf-8")
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    return tmp_path


def command(folder: Path, *more: object, files: tuple[str, ...] = ("plan.csv",)) -> list[object]:
    paths = [folder / file for file in files]
    return ["import", "dvh", *paths, "--set", "thoracic-sbrt-tg101", *more]


def test_three_commands_from_a_histogram_to_a_page(run: Any, folder: Path) -> None:
    case, results, page = folder / "case.toml", folder / "results", folder / "page.html"
    done = run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    assert done.exit_code == 0, done.output
    assert run("instances", "check", case, "--strict").exit_code == 0
    assert run("solve", case, "--out", results).exit_code == 0
    made = run("report", results / "result.json", "--case", case, "--out", page)
    assert made.exit_code == 0, made.output
    texts = [done.output, *(path.read_text() for path in (case, page, *results.iterdir()))]
    assert not any(secret in text for text in texts for secret in SECRETS)
    assert hashlib.sha256(plain().encode()).hexdigest() in texts[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_factors_are_doses_over_the_prescription(run: Any, folder: Path, shape: str) -> None:
    write, has_volumes = SHAPES[shape]
    (folder / "plan.csv").write_text(write(), encoding="utf-8")
    case = folder / "case.toml"
    done = run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    assert done.exit_code == 0, done.output
    lesion = load(str(case)).lesions[0]
    mean, _ = expected("Lungs-GTV")
    assert lesion.sparing["lungs"]["mean"] == pytest.approx(mean / 50, rel=1e-3)
    # near the top V = 3 s^2 with s = 1 - D / top, so D0.035cm3 is top (1 - sqrt(0.035 / (3 v)))
    top, volume = STRUCTURES["Spinal Cord"]
    point = top * (1 - (0.035 / (3 * volume)) ** 0.5) if has_volumes else top
    assert lesion.sparing["cord"]["max"] == pytest.approx(point / 50, abs=0.06 / 50)
    assert set(lesion.sparing) == {"lungs", "cord"}
    assert not any(secret in text for text in (done.output, case.read_text()) for secret in SECRETS)


def test_the_case_offers_the_prescriptions_and_the_plan_is_its_standard(
    run: Any, folder: Path
) -> None:
    case = folder / "case.toml"
    run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    loaded = load(str(case))
    course = loaded.lesions[0].course
    assert course is not None and course.form == "uniform"
    menu = [(block.fractions, block.levels_gy) for block in course.blocks]
    assert menu == [((5,), (10.0,)), ((4,), (12.0,))]
    assert loaded.standard is not None and loaded.standard.courses[0].dose_gy == 10.0
    assert {limit.name for limit in loaded.limits} == {"cord_max", "lungs_mean"}


def test_second_moments_and_limits_that_are_lacking(run: Any, folder: Path) -> None:
    arguments = command(folder, "--map", folder / "map.toml", "--rx", "50/5")
    done = run(*("peripheral-sbrt" if a == "thoracic-sbrt-tg101" else a for a in arguments))
    mean, square = expected("Lungs-GTV")
    stated = dict(line.split(" = ") for line in done.stdout.splitlines() if " = 0." in line)
    assert float(stated["second_moment"]) == pytest.approx(square / 2500, rel=1e-3)
    assert float(stated["mean"]) == pytest.approx(mean / 50, rel=1e-3)
    assert "esophagus_max: no structure of the plan of lung is mapped to esophagus" in done.stderr
    assert "new_sites: no limit on doses of organs" in done.stderr
    assert 'is mapped to "body"' in done.stderr


def test_the_bins_are_kept_with_the_hash_of_the_file(run: Any, folder: Path) -> None:
    case = folder / "case.toml"
    run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    lesion = load(str(case)).lesions[0]
    assert set(lesion.bins) == {"cord", "lungs"}
    lungs = lesion.bins["lungs"]
    doses, shares = lungs.parts
    mean, square = expected("Lungs-GTV")
    assert lungs.mean == pytest.approx(mean / 50, rel=1e-4)
    assert float(doses**2 @ shares) == pytest.approx(square / 2500, rel=1e-3)
    assert max(doses[1:] - doses[:-1]) < 2 * 0.005 and lungs.volume_cm3 == 3600.0
    assert lungs.source == f"SHA-256 {hashlib.sha256(plain().encode()).hexdigest()}"


def test_limits_by_bins_need_no_import_again(run: Any, folder: Path) -> None:
    """A complication by equivalent uniform dose and a V20 added to the case by hand."""
    case = folder / "case.toml"
    run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    rules = (
        '\n[[limits]]\nname = "pneumonitis"\nkind = "ntcp"\norgan = "lungs"\nmodel = "lkb"\n'
        'td50_gy = 30.8\nm = 0.37\nvolume_exponent = 0.99\ndose = "eqd2"\ncap = 0.1\n'
        'source = "test"\nstatus = "assumed"\n'
        '[[limits]]\nname = "v7"\nkind = "dose_volume"\norgan = "lungs"\npoint = "d50pct"\n'
        'cap_gy = 9\nsource = "test"\nstatus = "assumed"\n'
    )
    case.write_text(case.read_text() + rules, encoding="utf-8")
    loaded = load(str(case))
    assert loaded.lesions[0].sparing["lungs"]["d50pct"] == pytest.approx(7 / 50, abs=0.005)
    answer = run("solve", case, "--json", "--time-limit", "60")
    assert answer.exit_code == 0, answer.output
    limits = {use["name"]: use for use in json.loads(answer.stdout)["evaluation"]["limits"]}
    assert 0 < limits["pneumonitis"]["value"] < 0.1 and limits["v7"]["kept"]


def test_limits_of_the_map_get_their_points(run: Any, folder: Path) -> None:
    rule = (
        '[[limits]]\nname = "v7"\nkind = "dose_volume"\norgan = "lungs"\npoint = "d35pct"\n'
        'cap_gy = 9\nsource = "test"\nstatus = "assumed"\n'
    )
    (folder / "map.toml").write_text(MAP + rule, encoding="utf-8")
    case = folder / "case.toml"
    arguments = ("--map", folder / "map.toml", "--rx", "50/5")
    done = run(*command(folder, *arguments, "--out", case, "--measure", "D35%"))
    assert done.exit_code == 0, done.output
    factor = load(str(case)).lesions[0].sparing["lungs"]["d35pct"]
    assert f"Lungs-GTV: D35% {50 * factor:.3f} Gy" in done.stderr  # type: ignore[operator]
    (folder / "map.toml").write_text(MAP + rule.replace("lungs", "heart"), encoding="utf-8")
    done = run(*command(folder, *arguments))
    assert (
        done.exit_code == 2 and "no structure of the plan of lung is mapped to heart" in done.stderr
    )


def test_without_a_map_it_asks_for_every_structure(run: Any, folder: Path) -> None:
    done = run(*command(folder, "--rx", "50/5"))
    assert done.exit_code == 2
    for name in STRUCTURES:
        assert f'"{name}" = "?"' in done.stdout
    assert "Nothing is inferred from names" in done.stderr and "esophagus" in done.stderr
    assert not any(secret in done.output for secret in SECRETS)
    answered = done.stdout
    for name, target in zip(STRUCTURES, ("target", "cord", "lungs"), strict=True):
        answered = answered.replace(f'"{name}" = "?"', f'"{name}" = "{target}"')
    (folder / "answered.toml").write_text(answered, encoding="utf-8")
    done = run(*command(folder, "--map", folder / "answered.toml", "--rx", "50/5"))
    assert done.exit_code == 0 and 'name = "target"' in done.stdout


def test_two_plans_are_two_lesions_with_a_prescription_each(run: Any, folder: Path) -> None:
    second = plain().replace("Rx: 50 Gy", "no prescription").replace("PTV 1", "PTV 2")
    (folder / "second.csv").write_text(second, encoding="utf-8")
    text = MAP.replace('"Spinal', '"PTV 2" = "liver-met"\n"Spinal')
    text = text.replace("volume_cm3", 'files = ["plan.csv"]\nvolume_cm3') + (
        '[[lesions]]\nname = "liver-met"\norgan = "liver"\nuse = "nsclc_metastasis"\n'
        'files = ["second.csv"]\nrx = "54/3"\n'
    )
    (folder / "map.toml").write_text(text, encoding="utf-8")
    files = ("plan.csv", "second.csv")
    case = folder / "case.toml"
    arguments = ("--map", folder / "map.toml", "--rx", "50/5", "--out", case)
    done = run(*command(folder, *arguments, files=files))
    assert done.exit_code == 0, done.output
    first, other = load(str(case)).lesions
    ratio = first.sparing["lungs"]["mean"] / other.sparing["lungs"]["mean"]  # type: ignore[operator]
    assert ratio == pytest.approx(54 / 50, rel=1e-4)
    assert other.course is not None and other.course.levels_gy == (18.0,)
    assert other.volume_cm3 == pytest.approx(30.0)


@pytest.fixture
def without_cord(folder: Path) -> Path:
    """Two plans; that of the second lesion has no spinal cord, and its map is `map.toml`."""
    lines = plain().replace("Rx: 50 Gy", "no prescription").replace("PTV 1", "PTV 2").splitlines()
    rows = [line.split(",") for line in lines]
    kept = [",".join([*row[:2], *row[3:]]) if len(row) == 4 else ",".join(row) for row in rows]
    (folder / "second.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    text = MAP.replace('"Spinal', '"PTV 2" = "liver-met"\n"Spinal')
    text = text.replace("volume_cm3", 'files = ["plan.csv"]\nvolume_cm3') + (
        '[[lesions]]\nname = "liver-met"\norgan = "liver"\nuse = "nsclc_metastasis"\n'
        'files = ["second.csv"]\n'
    )
    (folder / "map.toml").write_text(text, encoding="utf-8")
    return folder


def of_two_plans(run: Any, folder: Path, more: str = "", top: str = "") -> Any:
    """The command with a map of two plans, `more` in the last lesion and `top` above all."""
    text = (folder / "map.toml").read_text()
    (folder / "other.toml").write_text(top + text + more, encoding="utf-8")
    files = ("plan.csv", "second.csv")
    return run(*command(folder, "--map", folder / "other.toml", "--rx", "50/5", files=files))


def test_an_organ_that_one_of_two_plans_lacks_is_asked_for(run: Any, without_cord: Path) -> None:
    done = of_two_plans(run, without_cord)
    assert done.exit_code == 2 and not done.stdout
    (question,) = [line for line in done.stderr.splitlines() if "cord" in line]
    for part in ("second.csv", "limit cord_max", "lesions.liver-met", 'no_dose = ["cord"]',
                 'leave_out = ["cord_max"]'):  # fmt: skip
        assert part in question
    assert "esophagus" not in done.stderr  # that no plan has is no question


def test_a_plan_without_dose_to_an_organ_keeps_the_limit(run: Any, without_cord: Path) -> None:
    done = of_two_plans(run, without_cord, 'no_dose = ["cord"]\n')
    assert done.exit_code == 0, done.output
    case = without_cord / "case.toml"
    case.write_text(done.stdout, encoding="utf-8")
    first, second = load(str(case)).lesions
    assert second.sparing["cord"] == {"max": 0.0} and first.sparing["cord"]["max"] > 0.1  # type: ignore[operator]
    assert "cord_max" in {limit.name for limit in load(str(case)).limits}
    assert "no dose from the plan of liver-met: cord" in done.stdout


def test_a_limit_may_be_left_out_by_name(run: Any, without_cord: Path) -> None:
    done = of_two_plans(run, without_cord, top='leave_out = ["cord_max"]\n')
    assert done.exit_code == 0, done.output
    assert "cord_max: left out by the map" in done.stderr and 'use = "cord_max"' not in done.stdout
    assert "cord_max: left out by the map" in done.stdout
    done = of_two_plans(run, without_cord, top='leave_out = ["cord"]\n')
    assert done.exit_code == 2 and "no limit of this name; known: cord_max" in done.stderr


def test_a_factor_by_hand_answers_as_well(run: Any, without_cord: Path) -> None:
    done = of_two_plans(run, without_cord, "sparing = { cord = { max = 0.05 } }\n")
    assert done.exit_code == 0 and "max = 0.05" in done.stdout, done.output


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ('no_dose = ["cord", "lungs"]\n', "structure Lungs-GTV of its plan is mapped to it"),
        ('no_dose = ["chord"]\n', "no such organ; did you mean 'cord'?"),
        ('no_dose = "cord"\n', "must be a list of organs"),
        ('[[lesions]]\nname = "x"\norgan = "x"\nno_dose = ["cord"]\n', "no structure is mapped to"),
    ],
)
def test_contradictions_about_no_dose(run: Any, without_cord: Path, more: str, rule: str) -> None:
    done = of_two_plans(run, without_cord, more)
    assert done.exit_code == 2 and rule in done.stderr, done.output


WRONG = {
    "structure": (('"Spinal Cord"', '"Spinal Cort"'), "no such structure"),
    "organ": (('= "cord"', '= "cordd"'), "no such organ or lesion; did you mean 'cord'?"),
    "target": (('"PTV 1" = "lung"', '"PTV 1" = ""'), "no structure is mapped to a lesion"),
    "wrong target": (
        ('"PTV 1" = "lung"\n"Spinal Cord" = "cord"', '"PTV 1" = "cord"\n"Spinal Cord" = "lung"'),
        "are structure, unit and prescription right?",
    ),
    "prescription": (("50/5", "fifty"), "must be a total dose in Gy and a number of fractions"),
    "tumor": (("nsclc_metastasis", "nsclc"), "no such tumor"),
    "key": (("name = \"phantom\"", "nam = 1"), "unknown key"),
    "no lesion": (('[[lesions]]', "[lesions]"), "must be one [[lesions]] or more"),
    "point": (("name = \"phantom\"", 'max = "d2"'), "must be 'd0_035cm3' or 'absolute'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_maps(run: Any, folder: Path, what: str) -> None:
    (old, new), rule = WRONG[what]
    (folder / "map.toml").write_text(MAP.replace(old, new), encoding="utf-8")
    done = run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5"))
    assert done.exit_code == 2 and rule in done.stderr, done.output


def test_units_prescriptions_and_plans_that_do_not_fit(run: Any, folder: Path) -> None:
    arguments = ("--map", folder / "map.toml")
    done = run(*command(folder, *arguments, "--rx", "60/5"))
    assert done.exit_code == 2 and "the file states 50 Gy as prescribed" in done.stderr
    done = run(*command(folder, *arguments))
    assert done.exit_code == 2 and "the prescription of the plan is missing" in done.stderr
    text = plain(unit="cGy").replace("[cGy]", "[Gy]")
    (folder / "plan.csv").write_text(text, encoding="utf-8")
    done = run(*command(folder, *arguments, "--rx", "50/5"))
    assert done.exit_code == 2 and "is the unit of the doses right?" in done.stderr
    done = run(*command(folder, *arguments, "--rx", "50/5", files=("plan.csv", "plan.csv")))
    assert done.exit_code == 2 and "the same as" in done.stderr
    (folder / "plan.csv").write_text(plain(), encoding="utf-8")
    both = MAP.replace('"Spinal Cord" = "cord"', '"Spinal Cord" = "other"')
    lesion = '[[lesions]]\nname = "other"\norgan = "spine"\nuse = "nsclc_metastasis"\n'
    (folder / "map.toml").write_text(both + lesion, encoding="utf-8")
    (folder / "plan.csv").write_text(plain().replace("Spinal Cord", "PTV"), encoding="utf-8")
    done = run(*command(folder, *arguments, "--rx", "50/5"))
    assert done.exit_code == 2


def two_targets(folder: Path, more: str = "") -> tuple[str, str]:
    """A plan of two targets, and maps of them to two lesions and to one."""
    lines = plain().splitlines()
    head = lines[2].replace("Spinal Cord", "PTV 2")
    rows = [line.split(",") for line in lines[3:]]
    rows = [[row[0], row[1], row[1], row[3]] for row in rows]
    text = "\n".join([*lines[:2], head, *(",".join(row) for row in rows)]) + "\n"
    (folder / "plan.csv").write_text(text, encoding="utf-8")
    lesion = f'[[lesions]]\nname = "second"\norgan = "spine"\nuse = "nsclc_metastasis"\n{more}'
    answers = MAP.replace('"Spinal Cord" = "cord"', '"PTV 2" = "second"')
    single = answers.replace('"PTV 2" = "second"', '"PTV 2" = "lung"').replace("volume_cm3", "#")
    return answers + lesion, single


def test_targets_of_one_plan_are_lesions_that_share_it_or_one(run: Any, folder: Path) -> None:
    shared, single = two_targets(folder)
    (folder / "map.toml").write_text(shared, encoding="utf-8")
    case = folder / "case.toml"
    arguments = command(folder, "--map", folder / "map.toml", "--rx", "50/5")
    done = run(*arguments, "--out", case)
    assert done.exit_code == 0, done.output
    loaded = load(str(case))
    first, second = loaded.lesions
    assert second.sparing == {"lungs": {"mean": 0.0}} and first.sparing["lungs"]["mean"] > 0.1  # type: ignore[operator]
    assert second.course == first.course and second.volume_cm3 == 30.0
    limit = next(limit for limit in loaded.limits if limit.kind == "one_plan")
    assert limit.lesions == ("lung", "second")
    assert loaded.standard is not None and len(loaded.standard.courses) == 2
    assert run("instances", "check", case, "--strict").exit_code == 0
    answer = run("solve", case, "--json", "--time-limit", "60")
    fractions = json.loads(answer.stdout)["schedule"]["fractions"]
    days = [[f["day"] for f in fractions if f["lesion"] == name] for name in ("lung", "second")]
    assert days[0] == days[1] and days[0]
    (folder / "map.toml").write_text(single, encoding="utf-8")
    done = run(*arguments)
    assert done.exit_code == 0 and "volume_cm3 = 60" in done.stdout


def test_a_plan_of_two_doses(run: Any, folder: Path) -> None:
    shared, _ = two_targets(folder, 'rx = "45/5"\n')
    (folder / "map.toml").write_text(shared, encoding="utf-8")
    case = folder / "case.toml"
    arguments = command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case)
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    loaded = load(str(case))
    limit = next(limit for limit in loaded.limits if limit.kind == "one_plan")
    assert limit.ratios == (1.0, 0.9)
    courses = [lesion.course for lesion in loaded.lesions]
    assert courses[0].prescriptions == ("50/5", "48/4")  # type: ignore[union-attr]
    assert courses[1].prescriptions == ("45/5", "43.2/4")  # type: ignore[union-attr]
    for more, rule in (
        ('rx = "54/3"\n', "one plan has one number of fractions"),
        ("last_start_day = 3\n", "days and doses follow it"),
    ):
        shared, _ = two_targets(folder, more)
        (folder / "map.toml").write_text(shared, encoding="utf-8")
        done = run(*arguments)
        assert done.exit_code == 2 and rule in done.stderr, done.output


def test_a_structure_of_which_nothing_can_be_read_is_refused_where_it_is_mapped(
    run: Any, folder: Path
) -> None:
    text = raystation().replace(
        "Spinal Cord\n#RoiVolume: 45\n#Roi volume fraction outside grid: 0",
        "Spinal Cord\n#RoiVolume: 45\n#Roi volume fraction outside grid: 9",
    )
    (folder / "plan.csv").write_text(text, encoding="utf-8")
    arguments = command(folder, "--map", folder / "map.toml", "--rx", "50/5")
    done = run(*arguments)
    assert done.exit_code == 2 and "9 % of the structure lie outside" in done.stderr
    answers = MAP.replace('= "cord"', '= ""')
    (folder / "map.toml").write_text(answers, encoding="utf-8")
    done = run(*arguments)
    assert done.exit_code == 0 and "cord_max: no structure" in done.stderr


def test_further_measures_and_sets(run: Any, folder: Path) -> None:
    arguments = ("--map", folder / "map.toml", "--rx", "50/5")
    done = run(*command(folder, *arguments, "--measure", "V7Gy", "--measure", "D50%"))
    assert "Lungs-GTV: V7Gy 50.00 % (1800.00 cm3)" in done.stderr
    assert "PTV 1: D50% 50.000 Gy" in done.stderr
    assert "such as D2cc" in run(*command(folder, *arguments, "--measure", "X")).stderr
    done = run("import", "dvh", folder / "plan.csv", "--set", "tg102")
    assert done.exit_code == 2 and "did you mean 'tg101'" in done.stderr
    done = run("import", "dvh", folder / "none.csv", "--set", "tg101")
    assert done.exit_code == 2 and "no such file" in done.stderr
