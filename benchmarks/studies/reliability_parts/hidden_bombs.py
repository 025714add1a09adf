"""Inputs that no look at one list or key betrays: they grow when completed, checked or solved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Raw = dict[str, Any]
LIMIT: Raw = {
    "kind": "bed", "organ": "cord", "alpha_beta_gy": 2, "cap_gy": 80, "source": "t",
    "status": "assumed",
}  # fmt: skip
COURSE: Raw = {"form": "uniform", "fractions": [3], "doses_gy": [8.0]}


@dataclass(frozen=True)
class Bomb:
    """Fields of a case that make it one; `lesion` are those of its lesion."""

    name: str
    case: Callable[[], Raw]
    lesion: Callable[[], Raw] = dict

    def of(self, case: Callable[..., Raw], lesion: Callable[..., Raw]) -> Callable[[], Raw]:
        """What writes the case, under the name of the bomb."""

        def written() -> Raw:
            return case(lesion(**self.lesion()), **self.case())

        written.__name__ = self.name
        return written


def _limits_by_points() -> Raw:
    points = [f"p{i}" for i in range(99)]
    return {"limits": [{"name": f"l{i}", **LIMIT, "points": points} for i in range(1500)]}


def _unknown_organs_like_known() -> Raw:
    limits = [{"name": f"l{i}", **LIMIT, "organ": f"org{i}"} for i in range(490)]
    return {"limits": limits, "organs": {f"orga{i}": {"use": "generic_late"} for i in range(190)}}


def _long_cycle() -> Raw:
    doses = [{"drug": "pembrolizumab", "day": i, "amount": 1, "unit": "mg"} for i in range(60)]
    regimen = {"cycle_days": 1, "max_cycles": 100, "doses": doses, "source": "t"}
    agent = {"name": "a", "regimens": ["r"], "first_start_day": 0, "last_start_day": 300}
    return {
        "regimens": {"r": {**regimen, "status": "assumed"}},
        "agents": [agent],
        "horizon_days": [1500],
    }


def _many_agents_of_library() -> Raw:
    agent = {"regimens": ["pembrolizumab-200-q3w"], "first_start_day": 0, "last_start_day": 0}
    return {"agents": [{"name": f"a{i}", **agent} for i in range(2000)]}


CASES = (
    Bomb("limits_by_points", _limits_by_points),
    Bomb("unknown_organs_like_known", _unknown_organs_like_known),
    Bomb("long_cycle", _long_cycle),
    Bomb("agents_of_library", _many_agents_of_library),
    Bomb(
        "organs_unknown_use",
        lambda: {"organs": {f"o{i}": {"use": f"generic_lat{i}"} for i in range(2000)}},
    ),
    Bomb("many_horizons", lambda: {"horizon_days": list(range(1, 1500))}),
    Bomb("many_keys_of_a_lesion", dict, lambda: {f"k{i}": 1 for i in range(2000)}),
    Bomb(
        "many_day_patterns",
        lambda: {"horizon_days": [1500]},
        lambda: {
            "course": COURSE | {
                "fractions": list(range(1, 21)), "interval_days": list(range(1, 21)),
                "last_start_day": 1200,
            }
        },
    ),
    Bomb(
        "menu_as_large_as_allowed",
        dict,
        lambda: {
            "course": COURSE | {
                "fractions": list(range(1, 21)), "last_start_day": 120,
                "interval_days": list(range(1, 7)),
                "doses_gy": {"min_gy": 0.1, "max_gy": 20, "step_gy": 0.1},
            }
        },
    ),
)  # fmt: skip


def toml_quoted_keys() -> str:
    return ".".join(['"a"'] * 200_000) + " = 1"


def toml_quoted_headers() -> str:
    return "[" + ".".join(["'a'"] * 200_000) + "]"


def toml_short_dotted_keys() -> str:
    return "".join(f"a{i}.b.c.d.e.f.g.h.i.j.k = 1\n" for i in range(100_000))


def toml_many_headers() -> str:
    return "".join(f"[t.a.b.c.d.e.f.g.h.t{i}]\n" for i in range(70_000))


def toml_digits() -> str:
    return "a = " + "9" * 4_900_000


def toml_hexadecimal() -> str:
    return "a = 0x" + "f" * 4_900_000


def toml_decimals() -> str:
    return "a = 0." + "9" * 4_900_000


def toml_escapes() -> str:
    return 'a = "' + "\\u0041" * 800_000 + '"'


def json_empty_tables() -> str:
    return '{"a": [' + "{}," * 1_600_000 + "{}]}"


def json_digits() -> str:
    return '{"a": -' + "9" * 100_000 + "}"


TEXTS: tuple[Callable[[], str], ...] = (
    toml_quoted_keys, toml_quoted_headers, toml_short_dotted_keys, toml_many_headers, toml_digits,
    toml_hexadecimal, toml_decimals, toml_escapes, json_empty_tables, json_digits,
)  # fmt: skip
