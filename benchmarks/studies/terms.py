"""Show that each biological term changes the best decision of some bundled case.

    python benchmarks/studies/terms.py [TERM ...] [--write]

Each entry names a term, a case and how to switch the term off in the parsed case. The case is
solved with and without it, and each of the two decisions is also judged under the other: a term
counts only where the decision found without it is worse with it by more than the gap of the case,
or not allowed. `--write` puts the table into `docs/terms.md`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from term_switches import EVIDENCE, TERMS, Raw, Term

from abscopt.instances.load import build, locate
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.schedule import Schedule

PAGE = Path(__file__).parents[2] / "docs" / "terms.md"


@dataclass(frozen=True)
class Row:
    """What one term does. Losses: of keeping the other decision; None if it is not allowed."""

    term: Term
    unit: str
    gap: float
    decision: tuple[str, str]
    objective: tuple[float, float]
    loss: tuple[float | None, float | None]

    @property
    def changes(self) -> bool:
        """Whether the decision found without the term is no longer a best one with it."""
        return self.loss[0] is None or self.loss[0] > self.gap


def raw_case(name: str) -> Raw:
    """A bundled case as it is written, library and base not merged in."""
    return tomllib.loads(locate(name).read_text(encoding="utf-8"))


def both(term: Term) -> tuple[Instance, Instance]:
    """The case with the term and without it."""
    stated, changed = raw_case(term.case), raw_case(term.case)
    for raw in (stated, changed):
        if term.added is not None:
            term.added(raw)
    term.off(changed)
    return build(stated, term.case), build(changed, term.case)


def examine(term: Term, time_limit: float | None = None) -> Row:
    """Solve with and without a term, and judge each decision under the other."""
    cases = both(term)
    schedules, objectives = [], []
    for case in cases:
        result = solve(case, time_limit=time_limit)
        if result.status != "optimal" or result.schedule is None or result.objective is None:
            raise RuntimeError(f"{term.name}: {case.name} is {result.status}")
        schedules.append(result.schedule)
        objectives.append(result.objective)
    losses: list[float | None] = []
    for i, case in enumerate(cases):
        try:
            verdict = evaluate(case, schedules[1 - i])
        except ValueError:  # a technique that only one of the two cases has
            losses.append(None)
            continue
        losses.append(objectives[i] - verdict.objective if verdict.admissible else None)
    return Row(
        term=term,
        unit=cases[0].objective.unit,
        gap=cases[0].objective.gap,
        decision=(decision(cases[0], schedules[0]), decision(cases[1], schedules[1])),
        objective=(objectives[0], objectives[1]),
        loss=(losses[0], losses[1]),
    )


def decision(case: Instance, schedule: Schedule) -> str:
    """One line: courses by lesion, first and number of doses by drug."""
    parts = []
    for lesion in case.lesions:
        course = schedule.course(lesion.name)
        if not course:
            continue
        doses = sorted({dose for _, dose, _ in course})
        each = f"{doses[0]:g}" if len(doses) == 1 else "/".join(f"{d:g}" for _, d, _ in course)
        days = sorted({day for day, _, _ in course})
        twice = f" {len(course) // len(days)}/day" if len(course) > len(days) else ""
        way = f" {name}" if (name := schedule.technique(lesion.name)) else ""
        parts.append(f"{lesion.name} {len(course)} x {each} Gy{twice}{way} d{days[0]}-{days[-1]}")
    drugs: dict[str, list[int]] = {}
    for infusion in schedule.infusions:
        drugs.setdefault(infusion.drug, []).append(infusion.day)
    parts += [f"{drug} d{min(days)} ({len(days)})" for drug, days in sorted(drugs.items())]
    return "; ".join(parts) or "nothing"


def _number(loss: float | None) -> str:
    return "not allowed" if loss is None else f"{loss:.3f}"


def page(rows: Iterable[Row]) -> str:
    """The table as Markdown."""
    lines = [
        "# What each biological term decides",
        "",
        "Each term changes the best decision of the bundled case named here. `without` is the same",
        "case with the term switched off as stated, solved again. The last two columns are what it",
        "would cost to keep the other decision: the one found without the term, judged with it,",
        "and the reverse (in the unit of the objective; `not allowed`: it breaks a limit or rule).",
        "The former is above the gap of the case in every row, so none is a tie; the latter may be",
        "0 where a drug that does nothing costs nothing. d7-11: first and last fraction day;",
        "d35 (6): first infusion day and number of infusions.",
        "",
        "Written by `python benchmarks/studies/terms.py --write`.",
        "",
        "| term | case | switched off by | decision with | decision without"
        " | objective with | without | loss with | loss without |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        term = row.term
        cells = [term.name, term.case, term.switch, *row.decision]
        cells += [f"{value:.4f}" for value in row.objective] + [_number(x) for x in row.loss]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Examine the terms, print them, and perhaps write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("terms", nargs="*", help="names of terms; all if none is given")
    parser.add_argument("--write", action="store_true", help="write docs/terms.md")
    parser.add_argument("--time-limit", type=float, default=120.0)
    arguments = parser.parse_args()
    chosen = [term for term in TERMS if not arguments.terms or term.name in arguments.terms]
    rows, failed = [], []
    for term in chosen:
        try:
            row = examine(term, arguments.time_limit)
        except RuntimeError as error:
            failed.append(str(error))
            print(f"FAILED  {error}", flush=True)
            continue
        rows.append(row)
        verdict = "changes" if row.changes else "SAME   "
        print(f"{verdict} {term.name} [{term.case}]", flush=True)
        print(f"   with    {row.objective[0]:.4f} loss {_number(row.loss[0])}: {row.decision[0]}")
        print(f"   without {row.objective[1]:.4f} loss {_number(row.loss[1])}: {row.decision[1]}")
    if arguments.write and not arguments.terms and not failed:
        _, heading, evidence = PAGE.read_text(encoding="utf-8").partition(EVIDENCE)
        PAGE.write_text(
            page(rows) + ("\n" + heading + evidence if heading else ""), encoding="utf-8"
        )
    return int(bool(failed) or not all(row.changes for row in rows))


if __name__ == "__main__":
    sys.exit(main())
