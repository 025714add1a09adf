"""Changes of a case by key, cases written as text, copies that are checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from abscopt.instances import InputError, build, load, names, save
from abscopt.instances.changes.change import Change, as_changes, parsed
from abscopt.instances.changes.text import toml
from abscopt.instances.load import resolved_text
from abscopt.instances.reading.read import parse_toml
from abscopt.optimizer.results.result import instance_digest

FOUR = load("oligomet-4")


def problems(changes: Any, case: str = "oligomet-4") -> list[str]:
    """Lines of what is wrong with a change."""
    with pytest.raises(InputError) as caught:
        load(case, changes)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("ending", ["toml", "json"])
@pytest.mark.parametrize("name", names())
def test_a_saved_case_is_read_back_equal(name: str, ending: str, tmp_path: Path) -> None:
    case, path = load(name), tmp_path / f"case.{ending}"
    save(case, path)
    copy = load(path)
    assert copy == case
    assert instance_digest(copy) == instance_digest(case)
    assert copy.model_fields_set == case.model_fields_set  # notes rest on what is stated
    for one, other in zip(copy.lesions, case.lesions, strict=True):
        assert one.model_fields_set == other.model_fields_set


def test_a_saved_case_needs_no_library(tmp_path: Path) -> None:
    text = resolved_text(FOUR)
    raw = parse_toml(text, "text")
    assert raw["lesions"][0]["alpha_per_gy"] == FOUR.lesions[0].alpha_per_gy
    assert raw["drugs"]["pembrolizumab"]["clearance_l_per_day"] > 0
    assert "# weight = 1.0" in text
    raw["lesions"][0] = {k: v for k, v in raw["lesions"][0].items() if k != "use"}
    assert build(raw).lesions[0].alpha_per_gy == FOUR.lesions[0].alpha_per_gy


def test_a_change_is_as_if_the_file_had_said_so(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text(
        'extends = "oligomet-4"\n[immune]\nuse = "gate-low-5"\n'
        '[[limits]]\nuse = "edric"\ncap_gy = 5\n'
        '[[lesions]]\nname = "lung"\nclonogens_per_cm3 = 1e5\n'
        '[[agents]]\nname = "pembrolizumab"\nfirst_start_day = 14\n'
    )
    changes = {
        "immune.use": "gate-low-5",
        "limits.edric.cap_gy": 5,
        "lesions.lung.clonogens_per_cm3": 1e5,
        "agents.pembrolizumab.first_start_day": 14,
    }
    stated = load(file)
    for changed in (load("oligomet-4", changes), FOUR.with_(changes)):
        assert instance_digest(changed) == instance_digest(stated)
        assert changed.immune.gate_low_gy == 5
        assert {limit.cap_gy for limit in changed.limits if limit.name == "edric"} == {5}  # type: ignore[union-attr]


def test_changes_are_stated_and_can_be_made_again() -> None:
    changed = FOUR.with_({"lesions.liver.irradiable": False, "horizon_days": [60, 120]})
    assert changed.changes == (
        "lesions.liver.irradiable=false",
        "horizon_days=[60, 120]",
        "(the standard regimen is without liver)",
    )
    again = load("oligomet-4", changed.changes[:2])
    assert again == changed
    more = changed.with_({"lesions.lung.weight": 2})
    assert more.changes is not None and more.changes[:3] == changed.changes
    assert FOUR.changes is None  # the case itself is as it was


def test_what_names_a_lesion_that_is_gone_goes_with_it() -> None:
    for changes in ({"lesions.liver": None}, {"lesions.liver.irradiable": False}):
        changed = FOUR.with_(changes)
        assert changed.standard is not None
        assert [x.lesion for x in changed.standard.courses] == ["lung", "adrenal", "vertebra"]
    kept = FOUR.with_({"lesions.liver.irradiable": False}).lesions[1]
    assert (kept.name, kept.course, kept.sparing, kept.techniques) == ("liver", None, {}, ())
    without = FOUR.with_({"agents.pembrolizumab": None})
    assert without.standard is not None and not without.standard.agents


def test_factors_multiply_what_is_in_effect() -> None:
    changed = FOUR.with_(
        [
            "lesions.*.alpha_per_gy*=1.1",
            "lesions.lung.immunogenicity*=0.5",  # default of the schema
            "drugs.pembrolizumab.ec50_mg_per_l*=2",  # from the library, not stated
            "limits.edric.cap_gy*=0.5",
            "limits.stomach_max.limits_gy*=0.9",
            "lesions.*.reoxygenation_days*=2",
        ][:5]
    )
    assert [lesion.alpha_per_gy for lesion in changed.lesions] == [
        1.1 * lesion.alpha_per_gy for lesion in FOUR.lesions
    ]
    assert changed.lesions[0].immunogenicity == 0.5
    assert changed.drugs["pembrolizumab"].ec50_mg_per_l == (
        2 * FOUR.drugs["pembrolizumab"].ec50_mg_per_l
    )
    caps = [
        {limit.name: limit for limit in case.limits}["stomach_max"].limits_gy  # type: ignore[union-attr]
        for case in (changed, FOUR)
    ]
    assert caps[0] == tuple(0.9 * cap for cap in caps[1])
    assert problems(["lesions.*.reoxygenation_days*=2"]) == [
        "oligomet-4: lesions.*.reoxygenation_days: *: no entry has it"
    ]
    assert "must be a number" in problems(["lesions.lung.organ*=2"])[0]


def test_a_cap_that_is_set_is_not_scaled() -> None:
    tight = load("oligomet-4-tight")
    changed = tight.with_({"limits.lungs_mean.cap_gy": 5})
    for before, after in zip(tight.limits, changed.limits, strict=True):
        if before.name == "lungs_mean":
            assert after.cap_gy == 5  # type: ignore[union-attr]
        else:
            assert after == before
    scaled = FOUR.with_({"scale_caps": 0.5, "limits.edric.cap_gy": 6})
    caps = {limit.name: getattr(limit, "cap_gy", None) for limit in scaled.limits}
    assert (caps["edric"], caps["lungs_mean"]) == (6, 4)


def test_points_of_a_limit_are_addressed_alone_or_together() -> None:
    raw = _two_points()
    both = build(raw, "case", {"limits.cord.cap_gy": 9})
    assert [limit.cap_gy for limit in both.limits] == [9, 9]  # type: ignore[union-attr]
    one = build(raw, "case", {"limits.cord@high.cap_gy": 9})
    assert [limit.cap_gy for limit in one.limits] == [9, 12]  # type: ignore[union-attr]


def _two_points() -> dict[str, Any]:
    raw = parse_toml(resolved_text(load("toy-blockade")), "text")
    raw["organs"] = {"cord": {"use": "cord"}}
    raw["limits"] = [
        {
            "name": "cord", "kind": "bed", "organ": "cord", "points": ["high", "low"],
            "cap_gy": 12, "source": "test", "status": "assumed",
        }
    ]  # fmt: skip
    raw["lesions"][0]["sparing"] = {"cord": {"high": 0.1, "low": 0.2}}
    return raw


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("lesions.livr.weight=2", ".livr.weight: livr: no such lesion; did you mean 'liver'?"),
        ("limits.edrik.cap_gy=2", ".edrik.cap_gy: edrik: no such limit; did you mean 'edric'?"),
        ("lesions.lung.wait=2", "lesions.lung.wait: wait: unknown key; did you mean 'weight'?"),
        ("lessions.lung.weight=2", "lessions.lung.weight: lessions: unknown key; did you mean"),
        ("lesions.lung.weight=-2", "lesions[0].weight: -2: input should be greater than 0"),
        ("lesions.lung.weight=heavy", "lesions[0].weight: heavy: input should be a valid number"),
        ("lesions[9].weight=2", "lesions[9].weight: [9]: lesions has 5 entries, from [0]"),
        ("title.first=2", "is one value: nothing lies below it"),
        ("format=2", "format: format: is no property of the patient"),
        ("immune.use=of", "immune.use: of: no such scenario; did you mean 'off'?"),
        ("remove lesions.lung.lql_transition_gy", "the case does not state it"),
        ("agents.pembrolizumab.last_start_day=-5", "agents[0].last_start_day: -5"),
    ],
)  # fmt: skip
def test_wrong_changes_are_refused_with_place_and_nearest(change: str, line: str) -> None:
    assert any(line in problem for problem in problems([change])), problems([change])


@pytest.mark.parametrize(
    "text", ["", "a", "=1", "a..b=1", "a.=1", "a=", "a=1 2", "a=[1", "a*=x", "a b=1", "a=1\nb=2",
             "lesions." * 20 + "x=1", "x=" + "9" * 5000, "a[99999]=1", '"a=1'],
)  # fmt: skip
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parsed(text)


KEYS = st.lists(
    st.one_of(
        st.from_regex(r"[A-Za-z][\w@+-]{0,8}", fullmatch=True),
        st.just("d0.1cc"),
        st.just("*"),
        st.integers(0, 99).map(lambda i: f"[{i}]"),
    ),
    min_size=1,
    max_size=6,
).map(lambda parts: ("lesions", *parts))
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**17), 10**17),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12).filter(lambda text: "\0" not in text and text.isprintable()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab.c", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(KEYS, VALUES)
def test_changes_as_text_are_read_back(path: tuple[str, ...], value: Any) -> None:
    change = Change(path, value)
    assert parsed(str(change)) == change
    assert parsed(str(Change(path, kind="remove"))) == Change(path, kind="remove")
    if isinstance(value, float):
        assert parsed(str(Change(path, value, "times"))) == Change(path, value, "times")


@given(st.dictionaries(st.text("ab-.\"' ü", min_size=1), VALUES, max_size=5))
def test_toml_text_reads_back_to_the_same_values(table: dict[str, Any]) -> None:
    assert parse_toml(toml(table), "text") == table


def test_extends_takes_a_path_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    base = tmp_path / "inner" / "base.toml"
    base.write_text('extends = "oligomet-4"\nname = "base"\nremove = ["lesions.liver"]\n')
    file = tmp_path / "case.toml"
    file.write_text(
        'extends = "inner/base.toml"\nname = "case"\nremove = ["limits.edric"]\n'
        "horizon_days = [70]\n"
    )
    case = load(file)
    assert [lesion.name for lesion in case.lesions] == ["lung", "adrenal", "vertebra", "occult"]
    assert "edric" not in {limit.name for limit in case.limits}
    assert (case.name, case.horizon_days, case.changes) == ("case", (70,), None)
    assert case.standard is not None and len(case.standard.courses) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('extends = "case.toml"', "cases extend each other in a circle"),
        ('extends = "absent.toml"', "extends: absent.toml: no such file from"),
        ('extends = "oligomet-5"', "did you mean 'oligomet-4' or"),
        ('extends = "oligomet-4"\nremove = ["lesions.livr"]', "did you mean 'liver'?"),
        ('extends = "oligomet-4"\nremove = "lesions.liver"', "must be a list of keys"),
        ('remove = ["lesions.liver"]', "belongs to a case that extends another one"),
    ],
)  # fmt: skip
def test_wrong_extensions_are_named(text: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=line.replace("?", r"\?")):
        load(file)


def test_a_copy_with_other_values_is_checked() -> None:
    lesion = FOUR.lesions[0]
    assert lesion.model_copy(update={"weight": 2.0}).weight == 2
    assert lesion.model_copy() == lesion
    for update in ({"weight": -1.0}, {"wait": 1.0}, {"weight": math.nan}, {"course": None}):
        with pytest.raises(ValidationError):
            lesion.model_copy(update=update)
    with pytest.raises(ValidationError):
        FOUR.model_copy(update={"lesions": FOUR.lesions[:2]})  # the standard names the others
    assert FOUR.model_copy(update={"title": "other"}).title == "other"


def test_a_case_without_a_file_is_changed_by_its_values() -> None:
    case = build(_two_points())  # the limits have the alpha/beta of their organ
    for base in (case, case.unchecked({"title": "other"})):
        changed = base.with_({"organs.cord.alpha_beta_gy": 7})
        assert changed.title == base.title
        assert [limit.alpha_beta_gy for limit in base.limits] == [2, 2]  # type: ignore[union-attr]
        assert [limit.alpha_beta_gy for limit in changed.limits] == [7, 7]  # type: ignore[union-attr]
    bare = FOUR.unchecked({"limits": FOUR.limits[:5]})
    changed = bare.with_({"lesions.lung.clonogens": 1e6})
    assert (len(changed.limits), changed.lesions[0].clonogen_number) == (5, 1e6)
    with pytest.raises(InputError, match="without a file"):
        bare.with_({"immune.use": "off"})


def test_changes_may_be_given_in_any_form() -> None:
    expected = (Change(("lesions", "lung", "weight"), 2),)
    assert as_changes(["lesions.lung.weight=2"]) == expected
    assert as_changes({"lesions.lung.weight": 2}) == expected
    assert as_changes(expected) == expected
    assert as_changes({"lesions.lung": None}) == (Change(("lesions", "lung"), kind="remove"),)
    with pytest.raises(InputError):
        as_changes({"lesions.lung.weight": math.inf})
