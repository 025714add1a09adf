"""`abscopt explain`: why nothing fits, or why a lesion is left out."""

from __future__ import annotations

from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say, say_json
from abscopt.optimizer.console.judged import case_of
from abscopt.optimizer.console.options import changes_options, cross_option, solver_options
from abscopt.optimizer.process.started import time_left
from abscopt.optimizer.progress import ProgressLine


@click.command("explain")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="[RESULT]", required=False)
@click.option(
    "--lesion", "lesions", metavar="NAME", multiple=True,
    help="Ask about this lesion; may be repeated. Default: those that the answer leaves out.",
)  # fmt: skip
@solver_options("Wall seconds from the start of the command to its end; default: none.")
@cross_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options
@click.pass_context
def explain_command(
    ctx: click.Context,
    /,
    case: str,
    schedule_file: str | None,
    lesions: tuple[str, ...],
    cross: bool,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """Why no schedule of a case keeps its limits, or why an answer leaves a lesion out.

    Names a minimal set of limits, rules and demands that contradict each other, and the smallest
    changes that mend it, each shown by a schedule. A case that is feasible is solved first, unless
    RESULT (of `solve`, or any schedule) says which answer is meant.
    """
    instance = case_of(case, changes, schedule_file)
    from abscopt.optimizer.console.questions import explained
    from abscopt.optimizer.feasibility import shown

    with ProgressLine() as progress:
        explanations = explained.explanations_of(
            instance,
            schedule_file,
            lesions,
            lambda: time_left(options["time_limit"]),
            progress,
            cross=cross,
            options=options,
        )
    if as_json:
        say_json(shown.document(instance, explanations))
    else:
        say(shown.report(instance, explanations).rstrip("\n"))
    ctx.exit(4 if any(found.feasible is None for found in explanations) else 0)
