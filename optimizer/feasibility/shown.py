"""An explanation as text and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.results.result import (
    DISCLAIMER,
    heading,
    versions,
)
from abscopt.optimizer.results.text.plain import plain_text
from abscopt.optimizer.results.text.wording import title_lines

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.feasibility.explanation import Explanation

OUT_OF_TIME = "The time was over before everything was tried."


def report(case: Instance, explanations: Sequence[Explanation]) -> str:
    """What forbids a case, or lesions of an answer."""
    lines: list[object] = [*title_lines(case)]
    if not explanations:
        lines.append("Every lesion that may be irradiated is treated: nothing to explain.")
    for explanation in explanations:
        lines += ["", *_lines(explanation)]
    return plain_text([*lines, "", DISCLAIMER])


def _lines(explanation: Explanation) -> list[str]:
    lines = [_headline(explanation)]
    for i, conflict in enumerate(explanation.conflicts):
        title = "In conflict" if i == 0 else "Besides"
        if conflict.members:
            lines.append(
                f"{title} (no schedule keeps all of these; without any one of them there is one):"
            )
        lines += [f"  {line}" for line in conflict.words]
    if explanation.relaxations:
        lines.append("What would mend it, each shown by a schedule and the smallest of its kind:")
    for relaxation in explanation.relaxations:
        lines.append(f"  {relaxation.words}")
        lines.append(f"      {_options(relaxation.changes)}")
    if explanation.feasible is False and explanation.complete and not explanation.relaxations:
        lines.append("No change of one kind that was tried mends it.")
    if not explanation.complete:
        lines.append(OUT_OF_TIME)
    return lines


def _headline(explanation: Explanation) -> str:
    subject = explanation.subject
    beside_names = ", ".join(explanation.beside)
    beside = f" beside {beside_names}" if beside_names else ""
    if explanation.feasible is None:
        return f"{subject + ': n' if subject else 'N'}othing was proved in the time given."
    if not subject:
        if explanation.feasible:
            return "Feasible: some schedule keeps every limit, rule and demand."
        return "Infeasible: proven that no schedule keeps every limit, rule and demand."
    if explanation.feasible:
        return (
            f"{subject} could be treated{beside}: some doses of all keep every limit. The answer "
            "leaves it out because that is worth as much or more."
        )
    return f"{subject} cannot be treated{beside}, whatever the doses."


def _options(changes: Sequence[str]) -> str:
    """As options of the command line."""
    return " ".join(
        f"--remove {change.removeprefix('remove ')}"
        if change.startswith("remove ")
        else f"--set '{change}'"
        for change in changes
    )


def document(case: Instance, explanations: Sequence[Explanation]) -> dict[str, Any]:
    """What `explain --json` prints."""
    return {
        **heading("explanation", case),
        "explanations": [_plain(explanation) for explanation in explanations],
        "versions": versions(),
    }


def _plain(explanation: Explanation) -> dict[str, Any]:
    case = explanation.case
    return {
        "lesion": explanation.subject or None,
        "beside": list(explanation.beside),
        "feasible": explanation.feasible,
        "complete": explanation.complete,
        "conflicts": [
            {"places": list(conflict.places), "words": list(conflict.words)}
            for conflict in explanation.conflicts
        ],
        "relaxations": [
            {
                "words": relaxation.words,
                "changes": list(relaxation.changes),
                "places": list(relaxation.places),
                "schedule": relaxation.schedule.to_json(case),
            }
            for relaxation in explanation.relaxations
        ],
        "searches": explanation.searches,
        "seconds": round(explanation.seconds, 3),
    }
