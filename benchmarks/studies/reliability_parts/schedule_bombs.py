"""Schedules, results and tables of CSV that are meant to use up time or memory.

Each is read by every command that reads such files: they are refused with a sentence, or answered
if that was cheap.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Raw = dict[str, Any]
CASE = "toy-blockade"
"""A bundled case with one irradiable lesion, `tumor`, and one drug, over some weeks."""
COMMANDS = (
    ("evaluate", CASE, "{file}"),
    ("simulate", CASE, "{file}"),
    ("compare", CASE, "{file}"),
    ("solve", CASE, "--time-limit", "1", "--start", "{file}"),
)
HEADER = "kind,what,amount,unit,day,date\n"


def _fraction(day: object = 0, **more: object) -> Raw:
    return {"lesion": "tumor", "day": day, "dose_gy": 8.0} | more


def _schedule(*fractions: Raw, **more: Any) -> Raw:
    return {"fractions": list(fractions)} | more


def million_fractions() -> str:
    return json.dumps(_schedule(*([{"lesion": "t", "day": 0}] * 110_000)))


def most_fractions_alike() -> Raw:
    return _schedule(*([_fraction()] * 19_999))


def most_fractions_unknown() -> Raw:
    return _schedule(*({"lesion": f"t{i}", "day": 0, "dose_gy": 1.0} for i in range(19_999)))


def most_fractions_wrong() -> Raw:
    return _schedule(*({"lesion": 1, "day": "x"} for i in range(19_999)))


def most_infusions() -> Raw:
    dose = {"agent": "pembrolizumab", "day": 0, "dose_mg": 200}
    return {"doses_of_drugs": [dose | {"day": i % 3} for i in range(19_999)]}


def most_fractions_of_a_day() -> Raw:
    return _schedule(*(_fraction(i // 3, fraction_of_day=1 + i % 3) for i in range(19_999)))


def every_day_three_times() -> Raw:
    return _schedule(*(_fraction(i // 3, fraction_of_day=1 + i % 3) for i in range(120)))


def day_of_a_billion() -> Raw:
    return _schedule(_fraction(10**9))


def digits_of_a_day() -> str:
    return json.dumps(_schedule(_fraction())).replace('"day": 0', '"day": ' + "9" * 100_000)


def huge_dose() -> Raw:
    return _schedule(_fraction(dose_gy=1e300))


def endless_dose() -> str:
    return json.dumps(_schedule(_fraction())).replace("8.0", "1e999999999")


def doses_of_a_drug_beyond_all() -> Raw:
    return {"doses_of_drugs": [{"agent": "pembrolizumab", "day": 0, "dose_mg": 1e308}]}


def date_far_away() -> Raw:
    return _schedule({"lesion": "tumor", "date": "9999-12-31", "dose_gy": 8.0})


def date_long_ago() -> Raw:
    return _schedule({"lesion": "tumor", "date": "0001-01-01", "dose_gy": 8.0})


def date_of_digits() -> Raw:
    return _schedule({"lesion": "tumor", "date": "9" * 100_000, "dose_gy": 8.0})


def date_as_number() -> Raw:
    return _schedule({"lesion": "tumor", "date": 10**17, "dose_gy": 8.0})


def long_lesion_name() -> Raw:
    return _schedule(_fraction(lesion="x" * 4_000_000))


def many_keys() -> Raw:
    return {"fractions": []} | {f"k{i}": i for i in range(150_000)}


def keys_of_a_fraction() -> Raw:
    return _schedule(_fraction(**{f"k{i}": i for i in range(19_000)}))


def deep_schedule() -> str:
    return '{"schedule": ' * 100_000 + "1" + "}" * 100_000


def deep_result() -> str:
    return '{"kind": "result", "schedule": {"fractions": []}, "certificate": ' + "[" * 400_000


def _result(**more: Any) -> Raw:
    empty: Raw = {"fractions": [], "doses_of_drugs": []}
    solver = {"name": "HiGHS", "seconds": 1.0}
    return {"kind": "result", "instance": CASE, "schedule": empty, "solver": solver} | more


def result_of_many_notes() -> Raw:
    return _result(notes=[{"kind": "x", "text": "y"}] * 19_000)


def result_of_long_notes() -> Raw:
    return _result(notes=[{"kind": "x", "text": "1.5" * 6_000}] * 250)


def result_of_many_places() -> Raw:
    return _result(evaluation={f"e{i}": i for i in range(19_000)})


def result_of_endless_seconds() -> str:
    return json.dumps(_result()).replace("1.0", "1e308")


def result_of_long_name() -> Raw:
    return _result(instance="x" * 4_000_000)


def rows_alike_csv() -> str:
    return HEADER + "radiation,tumor,8,Gy,0,\n" * 39_000


def rows_wrong_csv() -> str:
    return HEADER + "radiation,tumor,x,y,z,w\n" * 39_000


def rows_too_many_csv() -> str:
    return HEADER + "radiation,tumor,8,Gy,0,\n" * 190_000


def rows_empty_csv() -> str:
    return HEADER + "\n" * 4_900_000


def columns_csv() -> str:
    return ",".join(f"c{i}" for i in range(500_000)) + "\n"


def columns_like_known_csv() -> str:
    return ",".join(["kinds"] * 500_000) + "\n"


def cells_csv() -> str:
    return HEADER + "," * 4_900_000


def wide_rows_csv() -> str:
    return HEADER + "a,b,c\n" * 39_000


def quoted_csv() -> str:
    return HEADER + '"' + "x" * 4_000_000


def digits_csv() -> str:
    return HEADER + "radiation,tumor,8,Gy," + "9" * 100_000 + ",\n"


def exponent_csv() -> str:
    return HEADER + "radiation,tumor,8,Gy,1e300,\n"


def lines_csv() -> str:
    return HEADER + "x\r" * 2_400_000


DOCUMENTS: tuple[Callable[[], Raw | str], ...] = (
    million_fractions, most_fractions_alike, most_fractions_unknown, most_fractions_wrong,
    most_infusions, most_fractions_of_a_day, every_day_three_times, day_of_a_billion,
    digits_of_a_day, huge_dose, endless_dose, doses_of_a_drug_beyond_all, date_far_away,
    date_long_ago, date_of_digits, date_as_number, long_lesion_name, many_keys, keys_of_a_fraction,
    deep_schedule, deep_result, result_of_many_notes, result_of_long_notes, result_of_many_places,
    result_of_endless_seconds, result_of_long_name, rows_alike_csv, rows_wrong_csv,
    rows_too_many_csv, rows_empty_csv, columns_csv, columns_like_known_csv, cells_csv,
    wide_rows_csv, quoted_csv, digits_csv, exponent_csv, lines_csv,
)  # fmt: skip


def command_of(turn: int, file: str) -> list[str]:
    """One of the commands that read such files."""
    return [word.format(file=file) for word in COMMANDS[turn % len(COMMANDS)]]
