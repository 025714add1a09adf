"""Numbers outside their plausible ranges are refused, unless a case says that they are meant."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from abscopt.instances import InputError, build, names
from abscopt.instances.checks.numbers.ranges import KEY, RANGES, outside, ranges_of
from abscopt.instances.history import events
from abscopt.instances.load import CASES, load
from abscopt.instances.schema import json_schema
from abscopt.optimizer import evaluate, solve

Raw = dict[str, Any]
WIDE = 1e5
"""A bound of the schema that is no range: numbers up to a million are of every unit."""


@pytest.fixture
def toy() -> Raw:
    case = load("toy-blockade")
    return case.model_dump(mode="json", exclude_none=True)


def problems(raw: Raw) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        build(raw)
    return [(problem.place, problem.rule) for problem in caught.value.problems]


SPOILED: dict[str, tuple[tuple[str, ...], float, str]] = {
    "steep binding": (("drugs", "pembrolizumab", "occupancy_hill"), 300.0, "0.2 to 20"),
    "no volume of the body": (("drugs", "pembrolizumab", "peripheral_volume_l"), 1e-300, "L"),
    "endless clearance": (("drugs", "pembrolizumab", "clearance_l_per_day"), 1e6, "L per day"),
    "one binding site": (("drugs", "pembrolizumab", "ec50_mg_per_l"), 1e-9, "mg/L"),
    "steep gate": (("immune", "gate_low_exponent"), 4000.0, "0.2 to 20"),
    "power of the volume": (("immune", "volume_exponent"), 400.0, "0 to 2"),
    "no recovery": (("lymphocytes", "recovery_half_time_days"), 1e6, "days"),
    "atom": (("lesions", 0, "volume_cm3"), 1e-21, "cm3"),
    "insensitive": (("lesions", 0, "alpha_per_gy"), 1e-12, "per Gy"),
    "fast growth": (("lesions", 0, "growth_doubling_time_days"), 1e-3, "days"),
    "clonogens": (("lesions", 0, "clonogens"), 1e-300, "cells"),
    "dose": (("regimens", "pembrolizumab-200-q3w", "doses", 0, "amount"), 1e6, "0.001 to 100000"),
}  # fmt: skip


def spoil(raw: Raw, path: tuple[Any, ...], value: float) -> Raw:
    table: Any = raw
    for part in path[:-1]:
        table = table[part]
    if path[-1] == "clonogens":
        table.pop("clonogens_per_cm3", None)
    table[path[-1]] = value
    return raw


@pytest.mark.parametrize("name", SPOILED)
def test_refused_with_place_range_and_the_way_beyond(toy: Raw, name: str) -> None:
    path, value, words = SPOILED[name]
    ((place, rule),) = problems(spoil(toy, path, value))
    assert place.replace("[0]", ".0") == ".".join(map(str, path))
    assert rule.startswith("usual is ")
    assert words in rule
    assert KEY in rule


@pytest.mark.parametrize("name", SPOILED)
def test_allowed_where_it_is_meant(toy: Raw, name: str) -> None:
    path, value, _ = SPOILED[name]
    case = build(spoil(toy, path, value) | {"allow_unusual": True})
    assert list(outside(case)) == []


HARD = {
    "negative volume": (("lesions", 0, "volume_cm3"), -1.0),
    "no number": (("lesions", 0, "volume_cm3"), float("nan")),
    "endless": (("lesions", 0, "clonogens"), float("inf")),
    "share": (("immune", "share_factor"), 1.5),
    "probability": (("drugs", "pembrolizumab", "irae_risk_per_dose"), 1.0),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_rules_hold_all_the_same(toy: Raw, name: str) -> None:
    path, value = HARD[name]
    ((place, rule),) = problems(spoil(toy, path, value) | {"allow_unusual": True})
    assert place.replace("[0]", ".0") == ".".join(map(str, path))
    assert KEY not in rule


def test_a_steep_binding_curve_is_solved_and_the_drug_counts() -> None:
    """A step at EC50 is a limit of Hill curves: the answer is that of a curve nearly as steep."""
    raw = tomllib.loads((CASES / "toy-blockade.toml").read_text())
    values = []
    for hill in (150.0, 300.0, 1e5):
        raw["drugs"] = {"pembrolizumab": {"use": "pembrolizumab", "occupancy_hill": hill}}
        case = build(raw | {"allow_unusual": True})
        result = solve(case)
        assert result.status == "optimal"
        assert result.schedule is not None
        assert result.schedule.infusions
        assert evaluate(case, result.schedule).objective == pytest.approx(result.objective)
        values.append(result.objective)
    assert values == pytest.approx([values[0]] * 3, abs=1e-3)


@pytest.mark.parametrize("name", names())
def test_bundled_cases_lie_inside(name: str) -> None:
    assert list(outside(load(name))) == []


def numbers(schema: Raw, definitions: Raw) -> Iterator[Raw]:
    """The kinds of number that a key of a table may hold; tables have keys of their own."""
    for part in schema.get("anyOf", schema.get("oneOf", ())):
        yield from numbers(part, definitions)
    if schema.get("type") == "array":
        yield from numbers(schema.get("items", {}), definitions)
    if schema.get("type") in ("number", "integer"):
        yield schema


def test_every_number_of_the_schema_has_a_range() -> None:
    """Bounded on both sides by the schema, or listed with unit and reason."""
    schema = json_schema()
    open_keys = []
    for table, definition in schema["$defs"].items():
        for key, entry in definition.get("properties", {}).items():
            for number in numbers(entry, schema["$defs"]):
                low = number.get("minimum", number.get("exclusiveMinimum"))
                high = number.get("maximum", number.get("exclusiveMaximum"))
                bounded = low is not None and high is not None and high < WIDE
                if (
                    not bounded
                    and "usual_range" not in entry
                    and not {"const", "enum"} & set(number)
                ):
                    open_keys.append(f"{table}.{key}")
    assert open_keys == [], "add a range to instances/checks/numbers/ranges.py"


def test_ranges_are_of_keys_that_exist_and_can_be_kept() -> None:
    from abscopt.instances import lesions, limits, schema
    from abscopt.instances.menus import courses, phases
    from abscopt.instances.tables import doses, ensemble, systemic

    tables = (schema, ensemble, events, lesions, courses, doses, phases, limits, systemic)
    for table, entries in RANGES.items():
        kinds = [
            kind
            for module in tables
            for kind in vars(module).values()
            if isinstance(kind, type) and table in {base.__name__ for base in kind.__mro__}
        ]
        for key, usual in entries.items():
            assert any(key in ranges_of(kind) for kind in kinds), (table, key)
            assert usual.low < usual.high
            assert usual.reason
