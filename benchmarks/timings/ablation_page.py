"""ABLATION.md from what is stored: one table for each group of settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

TITLE = (
    "# What each setting is worth",
    "",
    "Written by `ablation.py`, which says how to read it; cases and words of the groups are in "
    "`ablation.toml`, measurements in `ablation.json`.",
    "",
)
HEAD = (
    "| setting | usual | tried | CPU | nodes | answers | cases | run |",
    "|---|---|---|---|---|---|---|---|",
)
Group, Held = dict[str, Any], dict[str, Any]


def page(groups: Sequence[Group], held: Held) -> str:
    """The whole page."""
    return "\n".join(_lines(groups, held))


def moved(row: dict[str, Any]) -> bool:
    """Whether a value gave other nodes or another answer than the usual one."""
    return bool(row["answers"] != "same" or row["nodes"][0] != row["nodes"][1])


def _lines(groups: Sequence[Group], held: Held) -> Iterator[str]:
    rows = {name: [] for group in groups for name in group["fields"]}
    for row in held["rows"]:
        if row["setting"] in rows:
            rows[row["setting"]].append(row)
    read = {json.loads(case)["name"]: names for case, names in held["reads"].items()}
    tried = [found for found in rows.values() if found]
    moving = sum(any(moved(row) for row in found) for found in tried)
    unread = sum(len(_unread(group, rows, read)) for group in groups)
    yield from TITLE
    yield from (
        f"{len(rows)} settings: {moving} change nodes or answers of the cases that they were tried "
        f"on, {len(tried) - moving} change neither there, {unread} are read by none of their "
        f"cases, {len(rows) - len(tried) - unread} have not been measured. CPU is told as it was "
        "measured, beside other work on the machine: where nodes are equal, between 0.75 and 1.35 "
        "it is noise.",
        "",
    )
    used = sorted({row["environment"] for found in tried for row in found})
    for number in used:
        facts = ", ".join(f"{key} {value}" for key, value in held["environments"][number].items())
        yield f"Run {number + 1}: {facts}."
        yield ""
    for group in groups:
        yield from _section(group, rows, read)


def _unread(
    group: Group, rows: dict[str, list[dict[str, Any]]], read: dict[str, list[str]]
) -> set[str]:
    """Settings of a group without a row that none of its cases reads."""
    asked = {name for case in group["cases"] for name in read.get(case, group["fields"])}
    return {name for name in group["fields"] if not rows[name] and name not in asked}


def _section(
    group: Group, rows: dict[str, list[dict[str, Any]]], read: dict[str, list[str]]
) -> Iterator[str]:
    """A group: what it is for, its table, what no case reads or nobody has measured."""
    room = group["fields"][0].split(".")[0]
    yield from (f"## {room}: {group['title']}", "", " ".join(group["words"].split()), "")
    unread = _unread(group, rows, read)
    shown = [row for name in group["fields"] for row in rows[name]]
    if shown:
        yield from (*HEAD, *map(_row, shown), "")
    missing = {name for name in group["fields"] if not rows[name]} - unread
    for said, names in (("Read by none of its cases", unread), ("Not measured", missing)):
        some = [f"`{name}`" for name in group["fields"] if name in names]
        if some:
            yield from (f"{said} ({', '.join(group['cases'])}): {', '.join(some)}.", "")


def _row(row: dict[str, Any]) -> str:
    """One line of a table."""
    before, after = row["seconds"]
    first, second = row["nodes"]
    nodes = f"{second / first:.2f}" if first else f"{second} / 0"
    cells = (
        f"`{row['setting']}`", _shown(row["usual"]), _shown(row["tried"]), f"{after / before:.2f}",
        nodes, row["answers"], ", ".join(row["cases"]), str(row["environment"] + 1),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _shown(value: Any) -> str:
    """A number, or how many points a list has."""
    return f"{len(value)} points" if isinstance(value, list) else f"{value:g}"
