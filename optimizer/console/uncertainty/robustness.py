"""`abscopt robustness`: an answer in every member of an ensemble."""

from __future__ import annotations

from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.judged import case_of
from abscopt.optimizer.console.options import (
    changes_options,
    cross_option,
    ensemble_options,
    finite,
    solver_options,
)
from abscopt.optimizer.process.started import time_left
from abscopt.optimizer.progress import ProgressLine


@click.command("robustness")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="[SCHEDULE]", required=False)
@ensemble_options
@solver_options("Wall seconds from the start of the command to its end; default: none.")
@click.option(
    "--estimate",
    is_flag=True,
    help="Bound what it costs to fix a decision by the schedules that are known, without solves.",
)
@click.option(
    "--matters",
    type=float,
    callback=finite,
    metavar="X",
    help="A decision matters where fixing it costs more, in the objective's unit; default: 5 gaps.",
)
@click.option(
    "--drivers",
    "driver_points",
    type=click.IntRange(0, 2**14),
    default=0,
    metavar="N",
    help="Sobol' indices from N points (a power of two) per key; default: none.",
)
@click.option(
    "--out", metavar="DIR", help="Write robustness.json, robustness.txt, CSV files there."
)
@cross_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options  # fmt: skip
def robustness_command(
    case: str,
    schedule_file: str | None,
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    cross: bool,
    out: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """How an answer fares with other plausible parameters, and which decisions they identify.

    SCHEDULE is a result of `solve` or any schedule; without it the case is solved first. It, the
    standard regimen and each member's own optimum are judged in every member of the ensemble.
    """
    instance = case_of(case, changes, schedule_file)
    from abscopt.optimizer.ensemble.study import command, document

    study = command.robustness_of(
        instance,
        schedule_file,
        command.Draw(ensemble_name, size, ensemble_seed),
        ProgressLine,
        lambda: time_left(options["time_limit"]),
        cross=cross,
        **options,
    )
    try:
        if out is not None:
            document.write(study, out)
    finally:
        say(document.text(study, as_json))
