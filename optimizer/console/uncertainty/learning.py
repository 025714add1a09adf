"""`abscopt update`: what measurements say about a patient."""

from __future__ import annotations

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.judged import case_of
from abscopt.optimizer.console.options import (
    changes_options,
    cross_option,
    ensemble_options,
    finite,
)
from abscopt.optimizer.console.uncertainty.replanning import begun, delivered_options, missed_option
from abscopt.optimizer.process.started import time_left
from abscopt.optimizer.progress import ProgressLine


@click.command("update")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="[SCHEDULE]", required=False)
@click.option(
    "--observations", "observations_file", metavar="FILE", required=True,
    help="What was measured: TOML, JSON or CSV with kind (alc, nlr, volume, ctdna), day or date, "
    "value or below, unit, lesion, cv (docs/biomarkers.md).",
)  # fmt: skip
@delivered_options
@missed_option
@ensemble_options
@click.option(
    "--particles", type=click.IntRange(16, 10_000), default=128, show_default=True, metavar="N",
    help="Parameter sets that are moved where the members collapse.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N",
    help="Seed of draws and moves.",
)  # fmt: skip
@click.option(
    "--time-limit", type=float, callback=finite, metavar="S",
    help="Wall seconds from the start of the command to its end; default: none.",
)  # fmt: skip
@click.option(
    "--out", metavar="DIR", help="Write posterior.toml, update.json, update.txt, CSV files there."
)
@cross_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options
def update_command(
    case: str,
    schedule_file: str | None,
    observations_file: str,
    delivered_file: str | None,
    today: str | None,
    missed: tuple[str, ...],
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    particles: int,
    seed: int,
    time_limit: float | None,
    out: str | None,
    cross: bool,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """Weigh the members of an ensemble by what was measured, and say what that taught.

    SCHEDULE is what the patient gets (a result of `solve` or any schedule); without it the case's
    standard regimen, or where treatment has begun (--delivered, [delivered] of the case) what was
    given and the plan resumed. The posterior, members with weights, is an ensemble that `solve` and
    `robustness` take: --ensemble DIR/posterior.toml.
    """
    instance = begun(case_of(case, changes, schedule_file), delivered_file, today, missed)
    from abscopt.optimizer.ensemble.drawn import ensemble_of
    from abscopt.optimizer.learning.shown import text, write
    from abscopt.optimizer.learning.update import update
    from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

    ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
    schedule = None
    if schedule_file is not None:
        schedule = schedule_of_file(schedule_file, instance, cross=cross)
    with ProgressLine() as progress:
        learned = update(
            instance,
            schedule,
            observations_file,
            ensemble,
            particles=particles,
            seed=seed,
            time_limit=time_left(time_limit),
            listener=progress,
        )
    try:
        if out is not None:
            write(learned, out)
    finally:  # a full disk must not cost the answer
        say(text(learned, as_json))
