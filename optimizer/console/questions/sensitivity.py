"""`abscopt sensitivity`: what an answer depends on."""

from __future__ import annotations

from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import one_stream, say_table
from abscopt.optimizer.console.options import (
    LIMIT_OF_SOLVES,
    changes_options,
    solver_options,
    table_options,
)
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.files import load_case
from abscopt.optimizer.results.reading.schedule_files import schedule_of_file


@click.command("sensitivity")
@click.argument("case", metavar="NAME|FILE")
@click.option(
    "--ensemble",
    metavar="NAME|FILE",
    help="Whose ranges the parameters take; default: the case's own, else plausible-20.",
)
@click.option(
    "--vary",
    multiple=True,
    metavar="KEY=LOW:HIGH",
    help="A range of a parameter, KEY*=LOW:HIGH for factors, in place of an ensemble's; may be "
    "repeated.",
)
@click.option(
    "--only",
    type=click.Choice(["limits", "parameters"]),
    help="Vary these only; default: both.",
)
@click.option(
    "--step",
    type=float,
    default=0.05,
    show_default=True,
    metavar="X",
    help="Part of a cap by which limits that bind are tightened and relaxed; counts change by 1.",
)
@click.option(
    "--halvings",
    type=click.IntRange(0, 20),
    default=4,
    show_default=True,
    metavar="N",
    help="How often the range in which the schedule changes is halved.",
)
@click.option("--start", metavar="FILE", help="A schedule to begin with, as of `solve`.")
@click.option("--plot", metavar="FILE", help="Draw the tornado: PNG, SVG or PDF, by its ending.")
@table_options
@solver_options(LIMIT_OF_SOLVES)
@changes_options
@click.pass_context
def sensitivity_command(
    ctx: click.Context,
    /,
    case: str,
    ensemble: str | None,
    vary: tuple[str, ...],
    only: str | None,
    start: str | None,
    plot: str | None,
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """What the answer depends on: limits that bind, and each parameter over its range.

    With --threads N as many limits and parameters are varied at a time, each in a process of its
    own (pip install 'abscopt[sweeps]'); the answer is the same.
    """
    one_stream(csv_file, as_json)
    instance = load_case(case, changes)
    from abscopt.optimizer.ranged import sensitivity, shown

    if plot is not None:
        from abscopt.optimizer.report.written import refuse_tornado

        refuse_tornado(plot)
    begun = None if start is None else schedule_of_file(start, instance, cross=True)
    with ProgressLine() as progress:
        study = sensitivity.sensitivity(
            instance, ensemble=ensemble, vary=vary,
            limits=only != "parameters", parameters=only != "limits",
            **options, start=begun, listener=progress,
        )  # fmt: skip
    if plot is not None:
        from abscopt.optimizer.report.written import write_tornado

        write_tornado(study, plot)
    say_table(study, shown, csv_file, as_json)
    ctx.exit(0 if study.swings or study.solved.schedule else 3 if study.complete else 4)
