"""The command `abscopt log`: when a solve had its first schedule, and when it reached a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from abscopt.optimizer.console.guard import one_stream, say_table
from abscopt.optimizer.console.options import Within, table_options

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.results.result import Result

GAPS = (1.0, 0.1, 0.01)
"""Gaps that are asked about unless others are named, in the objective's unit."""


@click.command("log")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--gap", "gaps", type=Within(0.0), multiple=True, metavar="G",
    help="Gap in the objective's unit; may be repeated. Default: 1, 0.1 and 0.01.",
)  # fmt: skip
@table_options
def log_command(
    files: tuple[str, ...], gaps: tuple[float, ...], csv_file: str | None, as_json: bool
) -> None:
    """Times of solves from what `solve --log` wrote: first schedule, each gap, end."""
    one_stream(csv_file, as_json)
    from abscopt.optimizer.results.reading import log_read

    say_table(log_read.timings(files, gaps or GAPS), log_read, csv_file, as_json)


def logged(file: str | None, case: Instance, listener: Listener, **options: Any) -> Result:
    """Solve, and write the log of it to a file if one is named; raises InputError."""
    from abscopt.optimizer import solve

    if file is None:
        return solve(case, **options, listener=listener)
    from abscopt.optimizer.results.solve_log import SolveLog

    stated = {key: value for key, value in options.items() if key != "start"}
    with SolveLog(file, case, listener, **stated) as log:
        result = solve(case, **options, listener=log)
        log.end(result)
    return result
