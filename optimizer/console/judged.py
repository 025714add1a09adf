"""What the judge says, printed; and the case that a document was about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say, say_json
from abscopt.optimizer.results.files import load_case

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule


def case_of(case: str, changes: tuple[Change, ...], file: str | None) -> Instance:
    """The case with changes; without any, with those that the document in a file states."""
    if file is None:
        return load_case(case, changes)
    from abscopt.optimizer.results.reading.changed import case_for

    return case_for(case, changes, file)


def say_evaluation(instance: Instance, schedule: Schedule, as_json: bool) -> None:
    """Print the judge's verdict on a schedule."""
    from abscopt.optimizer import evaluate

    evaluation = evaluate(instance, schedule)
    from abscopt.optimizer.results.reading.recheck import evaluation_document
    from abscopt.optimizer.results.text.report import evaluation_report

    if as_json:
        say_json(evaluation_document(evaluation, schedule, instance))
    else:
        say(evaluation_report(evaluation, schedule, instance).rstrip("\n"))
