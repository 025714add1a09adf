"""`abscopt pareto`: the objective against visits, days, toxicity and other things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


@click.command("pareto")
@click.argument("case", metavar="NAME|FILE")
@click.option(
    "--against",
    type=click.Choice(["visits", "sites", "time", "lymphocytes", "toxicity", "robustness"]),
    required=True,
    help="What is traded for the objective.",
)
@click.option(
    "--count", type=click.IntRange(1, 100), default=100, show_default=True, metavar="N",
    help="Points at most, from the best objective on.",
)  # fmt: skip
@click.option(
    "--ensemble",
    metavar="NAME|FILE",
    help="Of --against robustness: whose mean is traded; default: the case's own, else "
    "plausible-20.",
)
@table_options
@solver_options(LIMIT_OF_SOLVES)
@changes_options
@click.pass_context
def pareto_command(
    ctx: click.Context,
    /,
    case: str,
    against: str,
    count: int,
    ensemble: str | None,
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """Answers that no other beats in both the objective and a measure, each judged and proved."""
    one_stream(csv_file, as_json)
    if ensemble is not None and against != "robustness":
        raise click.UsageError("--ensemble goes with --against robustness")
    if against == "robustness" and options["threads"] != 1:
        raise click.UsageError("--threads does not act on --against robustness")
    instance = load_case(case, changes)
    if against == "robustness":
        ctx.exit(_robust(instance, ensemble, count, csv_file, as_json, options))
    from abscopt.optimizer.fronts import tradeoff

    with ProgressLine() as progress:
        trade = tradeoff.pareto(instance, against, count=count, **options, listener=progress)
    say_table(trade, tradeoff, csv_file, as_json)
    ctx.exit(0 if trade.points else 3 if trade.complete else 4)


def _robust(
    instance: Instance,
    ensemble: str | None,
    count: int,
    csv_file: str | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Points against the mean over an ensemble; the exit code."""
    from abscopt.optimizer.ranged import robust

    asked = {key: value for key, value in options.items() if key != "threads"}
    with ProgressLine() as progress:
        trade = robust.pareto_robust(instance, ensemble, count=count, **asked, listener=progress)
    say_table(trade, robust, csv_file, as_json)
    return 0 if trade.points else 3 if trade.infeasible else 4
