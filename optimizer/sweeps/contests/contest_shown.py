"""A contest of stores as text, CSV, JSON and a picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from abscopt.optimizer.results.result import DISCLAIMER, FORMAT
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.sweeps.contests.contest import Contest, Measure, rows_of
from abscopt.optimizer.sweeps.contests.profile import RATIOS

MOST_SHOWN = 60
"""Rows on a screen; files have them all."""
WORDS = {"seconds": "seconds", "cpu_seconds": "seconds of CPU", "nodes": "nodes"}


@dataclass(frozen=True)
class Shown:
    """A contest and the measure of its profile."""

    contest: Contest
    measure: Measure


def document(shown: Shown) -> dict[str, Any]:
    """What `compare --json` prints of stores."""
    contest = shown.contest
    curves = contest.profile(shown.measure)
    return {
        "format": FORMAT,
        "kind": "contest",
        "notice": DISCLAIMER,
        "stores": [
            {"file": str(s.path), "study": s.name, "versions": s.versions} for s in contest.stores
        ],
        "contestants": list(contest.contestants),
        "rows": rows_of(contest),
        "profile": {
            "measure": shown.measure,
            "problems": curves.problems,
            "steps": {name: curves.steps(name) for name in contest.contestants},
            "solved": {name: curves.solved(name) for name in contest.contestants},
        },
    }


def csv_text(shown: Shown) -> str:
    """The rows as CSV."""
    rows = rows_of(shown.contest)
    return csv_rows(list(rows[0]), rows)


def report(shown: Shown) -> str:
    """Case by case, then the profile."""
    contest = shown.contest
    lines: list[object] = [_versions(contest), "", _cases(contest)]
    rows = rows_of(contest)
    if len(rows) > MOST_SHOWN:
        lines.append(f"{len(rows) - MOST_SHOWN} more: --csv FILE has all")
    count = Counter(row["verdict"] for row in rows if row["verdict"])
    judged = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    lines += [f"Against {contest.contestants[0]}, or who has the run: {judged or 'nothing'}", ""]
    return plain_text([*lines, _profile(shown), "", DISCLAIMER])


def _versions(contest: Contest) -> str:
    stores = contest.stores
    same = all(store.versions == stores[0].versions for store in stores)
    if same:
        return f"{len(stores)} stores of abscopt {stores[0].versions['abscopt']}"
    differing = sorted(
        key for key in stores[0].versions if len({store.versions.get(key) for store in stores}) > 1
    )
    return "; ".join(
        f"{store.path.stem}: {', '.join(f'{key} {store.versions.get(key)}' for key in differing)}"
        for store in stores
    )


def _cases(contest: Contest) -> object:
    table = plain_table(
        "Case by case", "Case", "Changes", "By", "Status", ">Objective", ">Bound", ">Seconds",
        ">Ratio", "Verdict",
    )  # fmt: skip
    before = ("", "")
    for row in rows_of(contest)[:MOST_SHOWN]:
        problem = (row["case"], "; ".join(row["changes"]) or "-")
        table.add_row(
            *(("", "") if problem == before else problem),
            row["contestant"],
            row["status"],
            *(_number(row[key], 4) for key in ("objective", "bound")),
            _number(row["seconds"], 2),
            _number(row["seconds_ratio"], 2),
            row["verdict"] or "",
        )
        before = problem
    return table


def _profile(shown: Shown) -> object:
    curves = shown.contest.profile(shown.measure)
    title = (
        f"Share of {curves.problems} runs solved within a ratio of the best {WORDS[shown.measure]}"
    )
    headings = [f">{ratio:g}" for ratio in RATIOS]
    table = plain_table(title, "By", *headings, ">at all")
    for name in shown.contest.contestants:
        shares = (f"{100 * curves.share(name, ratio):.0f} %" for ratio in RATIOS)
        table.add_row(name, *shares, f"{100 * curves.solved(name):.0f} %")
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def write_profile(shown: Shown, file: str) -> None:
    """Draw the profile as PNG, SVG or PDF (extra `report`); raises InputError."""
    from abscopt.optimizer.report.written import extra

    with extra():
        from abscopt.optimizer.report.plots import save
        from abscopt.optimizer.report.profiles import profile_figure
    curves = shown.contest.profile(shown.measure)
    save(profile_figure(curves, shown.contest.contestants, WORDS[shown.measure]), file)
