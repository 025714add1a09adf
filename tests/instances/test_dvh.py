"""Dose-volume histograms: formulas in closed form, every shape of file, tables that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dvh_phantom import (
    FRENCH,
    GERMAN,
    RX_GY,
    SECRETS,
    SHAPES,
    SPANISH,
    STRUCTURES,
    differential,
    eclipse,
    expected,
    monaco,
    plain,
    raystation,
    translated,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from abscopt.instances.dvh import measures
from abscopt.instances.dvh.files.read import read
from abscopt.instances.dvh.files.tables import Kind
from abscopt.instances.dvh.measures import Curve
from abscopt.instances.dvh.points import asked, dose_at, measured
from abscopt.instances.load import InputError


def slab(top: float = 20.0, volume: float | None = 100.0, bins: int = 7) -> Curve:
    """Uniform between 0 and a dose: V(D) = 1 - D / top."""
    dose = np.linspace(0.0, top, bins + 1)
    return Curve("slab", dose, 1.0 - dose / top, volume)


def test_a_slab_in_a_gradient_has_its_closed_forms() -> None:
    curve = slab()
    assert measures.mean(curve) == pytest.approx(10.0)
    assert measures.second_moment(curve) == pytest.approx(400.0 / 3.0)
    assert measures.maximum(curve) == 20.0
    assert measures.hottest(curve, 0.25) == pytest.approx(15.0)
    assert measures.hottest_cm3(curve, 2.0) == pytest.approx(19.6)
    assert measures.coldest_cm3(curve, 70.0) == pytest.approx(14.0)
    assert measures.share_above(curve, 5.0) == pytest.approx(0.75)
    assert measures.share_above(curve, 20.5) == 0.0


def test_what_is_larger_than_the_structure_or_of_unknown_volume_is_not_said() -> None:
    assert measures.hottest_cm3(slab(), 100.1) is None
    assert measures.coldest_cm3(slab(), 100.1) is None
    assert measures.hottest_cm3(slab(volume=None), 1.0) is None
    assert measures.hottest_cm3(slab(), 100.0) == 0.0


def test_a_step_is_found_from_both_sides() -> None:
    curve = Curve("step", np.array([0.0, 5.0, 5.0]), np.array([1.0, 1.0, 0.0]), 10.0)
    assert measures.mean(curve) == 5.0 and measures.second_moment(curve) == 25.0
    assert measures.hottest(curve, 0.5) == 5.0 and measures.maximum(curve) == 5.0
    assert measures.share_above(curve, 5.0) == 1.0


def test_bins_keep_the_mean_and_every_dose_to_their_width() -> None:
    curve = slab(top=20.0, bins=23)
    for width in (0.3, 1.0, 7.0, 50.0):
        doses, shares = measures.bins_of(curve, width)
        assert float(doses @ shares) == pytest.approx(measures.mean(curve), rel=1e-12)
        assert np.all(np.diff(doses) > 0) and shares.sum() == pytest.approx(1.0)
        stepped = measures.of_bins(doses, shares, curve.volume_cm3)
        for share in (0.013, 0.2, 0.5, 0.77, 0.999):
            assert abs(measures.hottest(stepped, share) - measures.hottest(curve, share)) < width
            assert measures.share_above(stepped, measures.hottest(stepped, share)) >= share


def test_bins_of_bins_are_the_bins() -> None:
    doses, shares = np.array([0.0, 1.2, 3.4, 9.9]), np.array([0.4, 0.3, 0.2, 0.1])
    again = measures.bins_of(measures.of_bins(doses, shares), 0.5)
    np.testing.assert_allclose(again, (doses, shares), rtol=1e-12)
    assert measures.hottest(measures.of_bins(doses, shares), 0.1) == 9.9
    assert measures.hottest(measures.of_bins(doses, shares), 0.11) == 3.4


def test_a_union_weighs_by_volume() -> None:
    both = measures.union([slab(20.0, 100.0), slab(10.0, 300.0, bins=3)])
    assert both.volume_cm3 == 400.0
    assert measures.mean(both) == pytest.approx((100 * 10.0 + 300 * 5.0) / 400)
    assert measures.second_moment(both) == pytest.approx((100 * 400 / 3 + 300 * 100 / 3) / 400)
    assert measures.hottest_cm3(both, 50.0) == pytest.approx(10.0)
    step = Curve("step", np.array([0.0, 4.0, 4.0]), np.array([1.0, 1.0, 0.0]), 100.0)
    mixed = measures.union([step, slab(20.0, 100.0)])
    assert measures.mean(mixed) == pytest.approx(7.0)
    assert measures.second_moment(mixed) == pytest.approx((16.0 + 400.0 / 3.0) / 2)
    with pytest.raises(ValueError, match="volume"):
        measures.union([slab(), slab(volume=None)])


@settings(max_examples=40)
@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=8), st.floats(0.0, 1.0))
def test_moments_and_quantiles_of_any_curve(masses: list[float], share: float) -> None:
    parts = np.array(masses) / sum(masses)
    dose = np.arange(len(parts) + 1.0)
    above = np.append(np.cumsum(parts[::-1])[::-1], 0.0)
    curve = Curve("any", dose, above / above[0], 50.0)
    middle = (dose[1:] + dose[:-1]) / 2  # uniform in a bin: mean square = middle^2 + 1/12
    assert measures.mean(curve) == pytest.approx(parts @ middle)
    assert measures.second_moment(curve) == pytest.approx(parts @ (middle**2 + 1 / 12))
    assert measures.share_above(curve, measures.hottest(curve, share)) == pytest.approx(share)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_phantom(shape: str, tmp_path: Path) -> None:
    write, has_volumes = SHAPES[shape]
    path = tmp_path / "plan.txt"
    path.write_text(write(), encoding="utf-8")
    file = read(str(path))
    assert list(file.curves) == list(STRUCTURES)
    for name, (top, volume) in STRUCTURES.items():
        curve = file.curves[name].in_gy(RX_GY)
        mean, square = expected(name)
        assert measures.mean(curve) == pytest.approx(mean, abs=0.01)
        assert measures.second_moment(curve) == pytest.approx(square, rel=1e-3)
        assert measures.maximum(curve) == pytest.approx(top, abs=0.06)
        assert curve.volume_cm3 == (pytest.approx(volume, rel=1e-4) if has_volumes else None)
        base = 40.0 if name == "PTV 1" else 0.0
        middle = (base + top) / 2  # V = 1/2 there, by symmetry
        assert measures.hottest(curve, 0.5) == pytest.approx(middle, abs=0.01)
    assert not any(secret in repr(file) for secret in SECRETS)


@pytest.mark.parametrize("words", [GERMAN, FRENCH, SPANISH], ids=["german", "french", "spanish"])
def test_other_languages_say_kind_and_prescription(words: dict[str, str], tmp_path: Path) -> None:
    for kind in ("Cumulative", "Differential"):
        path = tmp_path / f"{kind}.txt"
        path.write_text(translated(words, kind), encoding="utf-8")
        assert read(str(path)).prescribed_gy == RX_GY
        other: Kind = "differential" if kind == "Cumulative" else "cumulative"
        with pytest.raises(InputError, match=f"is {kind.lower()} by its header, not {other}"):
            read(str(path), other)


@pytest.mark.parametrize("head", ["Struktur;Dosis [Gy];Volumen [%]", "ROI;Dose [Gy];Volume [%]"])
def test_rows_of_structures_in_other_languages(head: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    rows = [f"{name};{d};{100 - 10 * d},0" for name in ("Herz", "Lunge") for d in range(11)]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    curves = read(str(path)).curves
    assert {name: measures.mean(curve) for name, curve in curves.items()} == {
        "Herz": pytest.approx(5.0),
        "Lunge": pytest.approx(5.0),
    }


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_encodings_of_exports(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    path.write_bytes(eclipse(percent=False).encode(encoding))
    assert list(read(str(path)).curves) == list(STRUCTURES)


@pytest.mark.parametrize(("per_gy", "centers"), [(False, False), (False, True), (True, False)])
def test_differential_tables(per_gy: bool, centers: bool, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text(differential(per_gy, centers), encoding="utf-8")
    curve = read(str(path)).curves["PTV 1"]
    mean, square = expected("PTV 1")
    assert measures.mean(curve) == pytest.approx(mean, abs=1e-3)
    assert measures.second_moment(curve) == pytest.approx(square, rel=1e-4)
    assert curve.volume_cm3 == pytest.approx(30.0, rel=1e-5)


def test_relative_dose_is_of_the_level_that_the_plan_is_prescribed_to(tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    text = eclipse(relative=True).replace("% for dose (%): 100.0", "% for dose (%): 80.0")
    path.write_text(text, encoding="utf-8")
    curve = read(str(path)).curves["Spinal Cord"].in_gy(RX_GY)
    assert measures.mean(curve) == pytest.approx(expected("Spinal Cord")[0] / 0.8, rel=1e-3)


SMALL = "Dose [Gy],Heart [cm3]\n0,100\n1,60\n2,20\n3,0\n"
WRONG: dict[str, tuple[str, str, str, str]] = {
    "rises": (SMALL.replace("2,20", "2,70"), "line 4", "70", "must not rise (60 before it)"),
    "negative volume": (SMALL.replace("3,0", "3,-1"), "line 5", "-1", "must not be negative"),
    "negative dose": (SMALL.replace("\n0,", "\n-1,"), "line 2", "-1", "must not be negative"),
    "dose falls": (SMALL.replace("2,20", "0.5,20"), "line 4", "0.5", "doses must increase"),
    "no number": (SMALL.replace("2,20", "2,n/a"), "line 4", "n/a", "must be a number"),
    "not finite": (SMALL.replace("2,20", "2,nan"), "line 4", "nan", "must be a number"),
    "too large": (SMALL.replace("2,20", "2,1e400"), "line 4", "1e400", "must be a number"),
    "unit in a cell": (SMALL.replace("2,20", "2,20 cm3"), "line 4", "20 cm3", "unit belongs"),
    "empty inside": (SMALL.replace("2,20", "2,"), "line 4", "empty", "must be a number"),
    "truncated": (
        SMALL.replace("3,0\n", ""),
        "line 4",
        "20 % of the structure",
        "must go on to the dose",
    ),
    "starts late": (SMALL.replace("\n0,100", ""), "line 2", "1 Gy", "must begin at dose 0"),
    "starts below": (
        SMALL.replace("[cm3]", "[%]").replace("0,100", "0,90"),
        "line 2",
        "90 %",
        "starts below the volume of the structure, 100 %",
    ),
    "no dose unit": (SMALL.replace(" [Gy]", ""), "line 1", "Dose", "doses need a unit"),
    "no volume unit": (SMALL.replace(" [cm3]", ""), "line 1", "Heart", "volumes need a unit"),
    "mixed doses": (
        "Dose [Gy],Dose [cGy],Heart [cm3]\n0,0,9\n1,100,0\n",
        "line 1",
        "Gy and cGy",
        "mixed units",
    ),
    "mixed volumes": (
        "Dose [Gy],Heart [cm3],Cord [%]\n0,9,100\n1,0,0\n",
        "line 1",
        "cm3 and %",
        "mixed units",
    ),
    "unit of remark": ("# Dose unit: cGy\n" + SMALL, "line 2", "cGy and Gy", "mixed units"),
    "numbers first": (SMALL.partition("\n")[2], "line 1", "numbers", "must name the columns"),
    "nothing": ("# only a remark\n", "file", "no table", "must hold a heading"),
    "more columns": (SMALL.replace("2,20", "2,20,5"), "line 4", "3 columns", "at most 2 columns"),
    "both kinds": (
        "# cumulative and differential\n" + SMALL,
        "header",
        "cumulative and differential",
        "one kind",
    ),
    "late bins": (
        "# differential\n" + SMALL.replace("\n0,100", ""),
        "line 3",
        "1 Gy",
        "begins at 0 (lower edges) or half a bin",
    ),
    "twice": (SMALL.replace("Heart [cm3]", "Heart [cm3],Heart [cm3]").replace("0,", "0,9,")
              .replace("1,60", "1,5,60").replace("2,20", "2,2,20").replace("3,0", "3,0,0"),
              "line 2", "Heart", "a structure twice"),
    "one row": ("Dose [Gy],Heart [cm3]\n0,100\n", "structure Heart", "1 rows", "at least 2"),
    "eclipse volume": (
        eclipse(percent=False).replace("Volume [cm³]: 45.0", "Volume [cm³]: 60.0"),
        "structure Spinal Cord",
        "45 cm3",
        "starts below the volume of the structure, 60 cm3",
    ),
    "eclipse row": (
        eclipse().replace("  100 2   ", "  100 x   "),
        "structure PTV 1",
        "x",
        "must be a number",
    ),
    "raystation unit": (
        raystation("#Dose unit: rad"), "structure PTV 1", "missing", "the dose needs a unit"),
    "monaco unit": (monaco("l"), "line 1", "l", "Volume Units"),
    "monaco row": (
        monaco().replace("Spinal Cord      0.100", "Spinal Cord      0.1x0", 1),
        "structure Spinal Cord",
        "0.1x0",
        "must be a number",
    ),
    "binary": ("a\0b", "file", "binary", "must be text"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_tables_are_refused_with_place_value_and_rule(what: str, tmp_path: Path) -> None:
    text, place, value, rule = WRONG[what]
    path = tmp_path / "plan.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read(str(path))
    problem = error.value.problems[0]
    assert problem.file == str(path) and place in problem.place
    assert problem.value == value and rule in problem.rule
    assert not any(secret in str(problem) for secret in SECRETS)


def test_structures_of_which_nothing_can_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    text = raystation().replace("outside grid: 0", "outside grid: 7", 1)
    path.write_text(text, encoding="utf-8")
    file = read(str(path))
    assert file.unusable == {"PTV 1": "7 % of the structure lie outside the dose grid"}
    assert list(file.curves) == list(STRUCTURES)[1:]
    path.write_text("Dose [Gy],Heart [cc],Couch [cc]\n0,9,0\n1,5,0\n2,0,0\n", encoding="utf-8")
    file = read(str(path))
    assert list(file.curves) == ["Heart"]
    assert file.unusable == {"Couch": "the structure has no volume"}


@pytest.mark.parametrize(
    "head",
    [
        "Dosis [Gy];Volumen [%]",
        "dose_cgy;cum. volume %",
        "Dose (Gy)\tVol. (%)",
        "Bin [Gy]  Volume [%]",
        "dose [Gy];volume % ",
    ],
)
def test_headings_of_one_structure(head: str, tmp_path: Path) -> None:
    path = tmp_path / "Heart.txt"
    divider = next((d for d in ";\t" if d in head), "   ")
    factor = 100 if "cgy" in head else 1
    rows = [f"{factor * d}{divider}{100 - 10 * d},0" for d in range(11)]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    curve = read(str(path)).curves["Heart"]
    assert measures.mean(curve) == pytest.approx(5.0) and measures.maximum(curve) == 10.0


def test_columns_of_doses_belong_to_the_volumes_after_them(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(
        "Dose [Gy],Heart [cc],Dose [Gy],Cord [cc]\n0,9,0,4\n2,0,6,0\n,,8,0\n", encoding="utf-8"
    )
    curves = read(str(path)).curves
    assert [measures.mean(curve) for curve in curves.values()] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Dose [Gy],Dose [Gy],Heart [cc]\n0,0,9\n1,1,0\n", "a second column of doses"),
        ("A [cc],Dose [Gy],B [cc],Dose [Gy]\n9,0,9,0\n0,1,0,1\n", "stands before its volumes"),
        ("Dose [Gy],Volume [cc],Structure\n0,9,A\n1,0\n", "the structure must be named"),
    ],
)
def test_columns_that_belong_to_nothing(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rule):
        read(str(path))


def test_kind_that_contradicts_the_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("# cumulative\n" + SMALL, encoding="utf-8")
    with pytest.raises(InputError, match="is cumulative by its header, not differential"):
        read(str(path), "differential")


@pytest.mark.parametrize(("write", "stated"), [(plain, RX_GY), (eclipse, RX_GY), (monaco, None)])
def test_the_prescription_that_a_file_states(
    write: Callable[[], str], stated: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(write(), encoding="utf-8")
    assert read(str(path)).prescribed_gy == stated


def test_points_that_sets_ask_for_are_known() -> None:
    points = {limit.name: limit.points for limit in asked("peripheral-sbrt")}
    assert points["lungs_mean_eqd2"] == (("lungs", "mean"), ("lungs", "second_moment"))
    assert points["cord_max"] == (("cord", "max"),)
    assert points["new_sites"] == ()
    tg101 = {limit.name: limit.points for limit in asked("tg101")}
    assert tg101["liver_spare_700cm3"] == (("liver", "spare_700cm3"),)


def test_doses_at_points() -> None:
    curve = slab(20.0, 100.0)
    assert dose_at(curve, "max") == pytest.approx(20.0 * (1 - 0.035 / 100))
    assert dose_at(curve, "max", absolute=True) == 20.0
    assert dose_at(curve, "d1_2cm3") == pytest.approx(20.0 * (1 - 0.012))
    assert dose_at(curve, "spare_30cm3") == pytest.approx(6.0)
    assert dose_at(curve, "second_moment") == pytest.approx(400.0 / 3.0)
    assert dose_at(curve, "d700cm3") == "the structure has 100 cm3 only"
    assert dose_at(slab(volume=None), "d1cm3") == "the file does not say the volume in cm3"
    assert dose_at(curve, "eud") == "eud is no point of a histogram"


def test_measures_by_name() -> None:
    curve = slab(20.0, 100.0)
    assert measured(curve, "D2cc", 50.0) == "19.600 Gy"
    assert measured(curve, "D95%", 50.0) == "1.000 Gy"
    assert measured(curve, "V5Gy", 50.0) == "75.00 % (75.00 cm3)"
    assert measured(curve, "V10%", 50.0) == "75.00 % (75.00 cm3)"
    assert measured(curve, "D200cc", 50.0) == "-"
    assert measured(curve, "V5", 50.0) is None
