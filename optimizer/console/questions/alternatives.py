"""`abscopt alternatives`: plans that are nearly as good as the best."""

from __future__ import annotations

from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import one_stream, say_table
from abscopt.optimizer.console.options import (
    LIMIT_OF_COMMAND,
    changes_options,
    from_the_start,
    solver_options,
    table_options,
)
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.files import load_case


@click.command("alternatives")
@click.argument("case", metavar="NAME|FILE")
@click.option(
    "--within",
    type=float,
    metavar="X",
    help="By how much the objective may fall short of the best, in its unit; default: the case's "
    "gap.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="Plans at most, the best one included.",
)
@click.option(
    "--differ",
    type=click.Choice(["sites", "dose", "fractions", "drug-start", "days"]),
    help="One plan for each other choice of these; default: of lesions, fractions, dose, "
    "technique and regimen.",
)
@table_options
@solver_options(LIMIT_OF_COMMAND)
@changes_options
@click.pass_context
def alternatives_command(
    ctx: click.Context,
    /,
    case: str,
    within: float | None,
    count: int,
    differ: str | None,
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """Plans within a margin of the best: all of them where they are few, else a selection."""
    one_stream(csv_file, as_json)
    instance = load_case(case, changes)
    from abscopt.optimizer.near import alternatives, shown

    with ProgressLine() as progress:
        listing = alternatives.alternatives(
            instance, within=within, count=count, differ=differ,
            **from_the_start(options), listener=progress,
        )  # fmt: skip
    say_table(listing, shown, csv_file, as_json)
    ctx.exit(0 if listing.plans else 3 if listing.ending == "complete" else 4)
