"""The page docs/mutations.md: scores of modules, and why some mutants are not noticed."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mutants import Mutant

REASONS = Path(__file__).with_name("mutation_reasons.toml")
"""Why no test notices a mutant: `[[mutant]]` with module, function, text (of the line; all lines
of the function if absent), change (any if absent), reason, and `equivalent` where nothing that
the project promises differs."""
HEAD = """\
# Mutations

How many small faults the tests notice: each mutant changes one operator, comparison, sign, number
or minimum of `models` (simulators included) or of the judge, `optimizer/evaluation`. It is noticed
if one of the tests that enter the changed function fails or does not end. What no test can notice
counts as not noticed.

Written by `python benchmarks/studies/mutations.py --write`; `benchmarks/studies/mutants.py` has
the operators, `benchmarks/studies/mutation_reasons.toml` the reasons below.
"""

Verdicts = dict[str, dict[str, str]]


def page(mutants: Sequence[Mutant], verdicts: Verdicts, environment: dict[str, Any]) -> str:
    """The page, for all mutants of the present sources and the verdicts that there are."""
    judged = [m for m in mutants if m.key in verdicts.get(m.module, {})]
    missed = [m for m in judged if not verdicts[m.module][m.key]]
    reasons = _reasons()
    lines = [HEAD, *_score(mutants, judged, missed, reasons), ""]
    lines += [*_environment(environment), "", "## Modules", ""]
    lines += ["| module | mutants | run | noticed | score |", "|---|---|---|---|---|"]
    for module in sorted({m.module for m in mutants}):
        counts = [sum(m.module == module for m in part) for part in (mutants, judged, missed)]
        lines.append(_row(module, *counts))
    for room in ("models", "optimizer/evaluation", ""):
        counts = [
            sum(m.module.startswith(room) for m in part) for part in (mutants, judged, missed)
        ]
        lines.append(_row(f"**{room or 'all'}**", *counts))
    lines += ["", "## Not noticed", ""]
    lines += ["| function | line | change | why |", "|---|---|---|---|"]
    for m in missed:
        why = reason_of(m, reasons)
        text, change = (part.replace("|", "\\|") for part in (m.text, m.change))
        name = f"`{m.module.removesuffix('.py')}` {m.unit}"
        lines.append(f"| {name} | `{text}` | `{change}` | {_words(why)} |")
    return "\n".join(lines) + "\n"


def _row(name: str, mutants: int, judged: int, missed: int) -> str:
    score = f"{100 * (judged - missed) / judged:.1f} %" if judged else ""
    return f"| {name} | {mutants} | {judged} | {judged - missed} | {score} |"


def _score(
    mutants: Sequence[Mutant], judged: Sequence[Mutant], missed: Sequence[Mutant], reasons: Any
) -> Iterator[str]:
    same = sum(bool((reason_of(m, reasons) or {}).get("equivalent")) for m in missed)
    noticed = len(judged) - len(missed)
    drawn = (
        "all of them"
        if len(judged) == len(mutants)
        else f"of {len(mutants)}: those outside functions first, then one of each function at a "
        "time, drawn with seed 0"
    )
    yield textwrap.fill(
        f"**{100 * noticed / max(1, len(judged)):.1f} %**: {noticed} of {len(judged)} mutants are "
        f"noticed ({drawn}). Of the {len(missed)} others {same} change nothing that could be "
        f"noticed; without them it is {100 * noticed / max(1, len(judged) - same):.1f} %.",
        100, break_on_hyphens=False,
    )  # fmt: skip


def _environment(environment: dict[str, Any]) -> Iterator[str]:
    yield "; ".join(f"{key} {value}" for key, value in environment.items()) + "."


def _reasons() -> list[dict[str, Any]]:
    if not REASONS.exists():
        return []
    content: list[dict[str, Any]] = tomllib.loads(REASONS.read_text(encoding="utf-8"))["mutant"]
    return content


def reason_of(mutant: Mutant, reasons: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first reason that fits a mutant."""
    values = {"module": mutant.module, "function": mutant.unit, "text": mutant.text,
              "change": mutant.change}  # fmt: skip
    for reason in reasons:
        if all(reason.get(key, value) == value for key, value in values.items()):
            return reason
    return None


def _words(reason: dict[str, Any] | None) -> str:
    if reason is None:
        return "**not examined**"
    prefix = "equivalent: " if reason.get("equivalent") else ""
    return prefix + " ".join(str(reason["reason"]).split())
