"""`abscopt replan`, and `--delivered` of other commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.options import (
    LIMIT_OF_COMMAND,
    changes_options,
    ensemble_options,
    from_the_start,
    solver_options,
)
from abscopt.optimizer.console.uncertainty.ensembles import EXIT_CODES, decided, replanned_under
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.files import load_case


def delivered_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--delivered` and `--today`."""
    options = (
        click.option(
            "--delivered", "delivered_file", metavar="FILE",
            help="What was given already (JSON, or the CSV that `solve --out` writes): it is kept, "
            "and the rest is chosen.",
        ),
        click.option(
            "--today", metavar="DAY|DATE",
            help="First day that is still to be decided; default: the day after the last one in "
            "the file.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def begun(
    instance: Any, delivered_file: str | None, today: str | None, missed: tuple[str, ...] = ()
) -> Any:
    """The case with the past in a file, if there is one."""
    if delivered_file is None and today is None and not missed:
        return instance
    from abscopt.optimizer.replanning.started import Circumstances, started

    return started(instance, delivered_file, Circumstances(today=today, missed=missed))


def _parts(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Values of an option that may be repeated, or be lists with commas."""
    return tuple(part for value in values for part in value.split(",") if part)


missed_option = click.option(
    "--missed", multiple=True, callback=_parts, metavar="WHAT[@DAYS],...",
    help="Lesions or drugs that were planned and not given: today, or on days such as 14-18.",
)  # fmt: skip


@click.command("replan")
@click.argument("case", metavar="NAME|FILE")
@delivered_options
@missed_option
@click.option(
    "--plan", metavar="SCHEDULE",
    help="What was planned; default: the file's rows from today on, or the standard regimen.",
)  # fmt: skip
@click.option(
    "--closed", multiple=True, callback=_parts, metavar="DAYS,...",
    help="Days without the machine, such as 21-25.",
)  # fmt: skip
@click.option(
    "--hold", multiple=True, callback=_parts, metavar="AGENT[@DAY],...",
    help="Agents that are not given before a day, or never again.",
)  # fmt: skip
@click.option("--weekends", is_flag=True, help="Lesions that have begun may use days off.")
@click.option(
    "--stop", multiple=True, callback=_parts, metavar="LESION,...",
    help="Lesions that receive nothing more, whatever was planned.",
)  # fmt: skip
@click.option("--out", metavar="DIR", help="Write the files that `solve --out` writes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@solver_options(LIMIT_OF_COMMAND)
@ensemble_options
@click.option(
    "--risk", metavar="MEASURE",
    help="With an ensemble: mean (the default), cvar:SHARE, worst or regret.",
)  # fmt: skip
@click.pass_context
@changes_options
def replan_command(
    ctx: click.Context,
    /,
    case: str,
    delivered_file: str | None,
    today: str | None,
    out: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    risk: str | None,
    missed: tuple[str, ...],
    plan: str | None,
    closed: tuple[str, ...],
    hold: tuple[str, ...],
    weekends: bool,
    stop: tuple[str, ...],
    **options: Any,
) -> None:
    """Choose the rest of a treatment that has begun; doses that were given stay as they are.

    The new rest stands beside the plan resumed: what changes, what it gains, what the interruption
    cost. The past may also stand in the case, as [delivered].
    """
    from abscopt.optimizer.replanning.started import Circumstances, started

    circumstances = Circumstances(today, missed, plan, hold, closed, weekends, stop)
    instance = started(load_case(case, changes), delivered_file, circumstances)
    if any(value is not None for value in (ensemble_name, size, ensemble_seed, risk)):
        from abscopt.optimizer.ensemble.drawn import ensemble_of

        ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
        measure = {"risk": risk or "mean", "chance": 0.0, "perfect": False}
        say_all = decided if instance.delivered is None else replanned_under
        ctx.exit(say_all(ensemble, None, out, as_json, options | measure))
    from abscopt.optimizer.replanning import document
    from abscopt.optimizer.replanning.replan import replan
    from abscopt.optimizer.results.files import result_folder, write_result

    folder = None if out is None else result_folder(out, "--out")
    with ProgressLine() as progress:
        study = replan(instance, **from_the_start(options), listener=progress)
    report = "" if as_json and folder is None else document.text(study)
    try:
        if folder is not None:
            plain = json.dumps(study.result.to_json(instance), indent=2, allow_nan=False)
            write_result(folder, study.result, instance, plain, report)
    finally:
        if as_json:
            say(json.dumps(document.document(study), indent=2, allow_nan=False))
        else:
            say(report.rstrip("\n"))
    ctx.exit(EXIT_CODES[study.result.status])
