"""What an answer depends on, as rows, JSON, CSV and a tornado table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.optimizer.results.result import DISCLAIMER, heading, versions
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    from abscopt.optimizer.ranged.sensitivity import Sensitivity, Swing, Varied

COLUMNS = (
    "name", "kind", "value", "changes", "status", "objective", "bound", "change_low",
    "change_high", "decided", "controlled_change", "answer", "answer_objective", "differs",
    "switch_stays", "switch_fails", "source",
)  # fmt: skip

BAR = 12
"""Characters of the longest bar of the table."""


def rows(study: Sensitivity) -> list[dict[str, Any]]:
    """One row of plain data per solve; the greatest swing first."""
    return [_row(swing, varied) for swing in study.swings for varied in swing.varied]


def _row(swing: Swing, varied: Varied) -> dict[str, Any]:
    low, high = varied.change or (None, None)
    stays, fails = _switch(swing, varied) or (None, None)
    return {
        "name": swing.axis.name,
        "kind": swing.axis.kind,
        "value": varied.words,
        "changes": list(varied.changes),
        "status": varied.result.status,
        "objective": varied.result.objective,
        "bound": varied.result.bound,
        "change_low": low,
        "change_high": high,
        "decided": varied.decided,
        "controlled_change": varied.controlled,
        "answer": varied.stays,
        "answer_objective": varied.kept,
        "differs": list(varied.differs),
        "switch_stays": stays,
        "switch_fails": fails,
        "source": swing.axis.source,
    }


def _switch(swing: Swing, varied: Varied) -> tuple[float, float] | None:
    """Where the answer stops to stay on the way to a value."""
    base = swing.axis.base
    if base is None:
        return None
    for stays, fails in swing.switches:
        if (fails - base) * (varied.value - base) > 0:
            return stays, fails
    return None


def document(study: Sensitivity) -> dict[str, Any]:
    """What `sensitivity --json` prints."""
    return {
        **heading("sensitivity", study.case),
        "complete": study.complete,
        "unit": study.solved.unit,
        "requested_gap": study.solved.requested_gap,
        "solved": {
            key: getattr(study.solved, key) for key in ("status", "objective", "bound", "gap")
        },
        "rows": rows(study),
        "seconds": [
            round(varied.result.solver.seconds, 3)
            for swing in study.swings
            for varied in swing.varied
        ],
        "versions": versions(),
    }


def csv_text(study: Sensitivity) -> str:
    """The rows as CSV."""
    return csv_rows(COLUMNS, rows(study))


def report(study: Sensitivity) -> str:
    """A tornado table for a person, and what becomes of the schedule."""
    solved = study.solved
    if solved.schedule is None:
        text = "No schedule is feasible." if solved.status == "infeasible" else "None was found."
        return plain_text([*change_lines(study.case), text, "", DISCLAIMER])
    title = f"{study.case.name}: what the answer depends on ({solved.objective:.4f} {solved.unit})"
    table = plain_table(
        title, "Varied", "To", f">Change ({solved.unit})", "", ">Controlled", "Answer"
    )
    longest = max((swing.size for swing in study.swings), default=0.0)
    lines_below: list[str] = []
    for swing in study.swings:
        for label, varied in zip(_labels(swing), swing.varied, strict=True):
            table.add_row(
                label,
                varied.words,
                _change_words(varied),
                _bar(varied, longest),
                "-" if varied.controlled is None else f"{varied.controlled:+.3f}",
                _answer_words(varied),
            )
            lines_below += _schedule_lines(swing, varied)
    lines = [
        *change_lines(study.case),
        table,
        "",
        *LEGEND.format(solved).splitlines(),
        *lines_below,
    ]
    if not study.swings and study.complete:
        lines.append("No limit binds, and no parameter was asked for: nothing was varied.")
    if not study.complete:
        lines.append("Not complete: other limits and parameters were not looked at.")
    return plain_text([*lines, "", DISCLAIMER])


LONG_KEY = 32
"""Characters of a key that a line of 100 holds beside the other columns."""
LEGEND = """\
Change  of the optimum; ? where it is smaller than the gaps of both solves, so that it is undecided
Controlled  change of the expected number of lesions controlled at the last horizon
Answer  to the case as it stands: stays within {0.requested_gap:g} {0.unit} of the best, or fails
"""


def _labels(swing: Swing) -> list[str]:
    """What stands before each row: the key; a long one over two rows, broken at its last dot."""
    head, dot, tail = swing.axis.name.rpartition(".")
    rows_below = len(swing.varied) - 1
    if rows_below and dot and len(swing.axis.name) > LONG_KEY:
        return [f"{head}{dot}", f"  {tail}", *[""] * (rows_below - 1)]
    return [swing.axis.name, *[""] * rows_below]


def _change_words(varied: Varied) -> str:
    if varied.change is None or varied.moved is None:
        return varied.result.status
    return f"{varied.moved:+.4f}{'' if varied.decided else ' ?'}"


def _bar(varied: Varied, longest: float) -> str:
    if varied.moved is None or longest <= 0.0:
        return ""
    sign = "+" if varied.moved > 0 else "-"
    return sign * round(BAR * abs(varied.moved) / longest)


def _answer_words(varied: Varied) -> str:
    if varied.stays != "fails":
        return varied.stays
    return "fails" if varied.kept is not None else "breaks a limit"


def _schedule_lines(swing: Swing, varied: Varied) -> list[str]:
    """What is another one in the schedule, and from which value on."""
    if varied.stays != "fails" or not varied.differs:
        return []
    label = f"{swing.axis.name} {varied.words}"
    switch = _switch(swing, varied)
    since = ""
    if switch is not None and switch[0] != switch[1]:
        since = f"; changes between {switch[0]:.4g} and {switch[1]:.4g}"
    return [f"{label}  {'; '.join(varied.differs)}{since}"]
