"""The commands `abscopt sweep` and `abscopt results`: many solves in one file, and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abscopt.optimizer.console.guard import one_stream, say, say_json
from abscopt.optimizer.console.options import finite
from abscopt.optimizer.progress import ProgressLine

if TYPE_CHECKING:
    from abscopt.optimizer.sweeps.shown import TableName


@click.command("sweep")
@click.argument("study", metavar="STUDY")
@click.option(
    "--store", metavar="FILE", help="File of SQLite for the results; default: STUDY with .db."
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
    help="Runs at a time on this machine, each in a process of its own (extra `sweeps`).",
)  # fmt: skip
@click.option(
    "--cluster", metavar="ADDRESS",
    help="Run on a Dask cluster with this scheduler, such as tcp://host:8786 (extra `cluster`).",
)  # fmt: skip
@click.option("--retry", is_flag=True, help="Run again what an error of ours ended.")
@click.option("--list", "only_list", is_flag=True, help="Print the runs; solve nothing.")
@click.option(
    "--time-limit", type=float, callback=finite, metavar="S",
    help="Seconds after which no further run is awaited; default: none.",
)  # fmt: skip
def sweep_command(
    study: str,
    store: str | None,
    jobs: int,
    cluster: str | None,
    retry: bool,
    only_list: bool,
    time_limit: float | None,
) -> None:
    """Solve every run of a study: cases with changes, options and seeds, kept in one file.

    STUDY is TOML (docs/sweeps.md). Each finished run is on the disk at once; started again after
    whatever end, a sweep solves what is missing. A run that fails is a row with its reason. Exit
    code 4 where runs are missing at the end.
    """
    if cluster is not None and jobs != 1:
        raise click.UsageError("give either --jobs or --cluster")
    from abscopt.optimizer.sweeps.runs import described, plan_of
    from abscopt.optimizer.sweeps.study import read_study
    from abscopt.optimizer.sweeps.sweep import sweep

    if only_list:
        from pathlib import Path

        for run in plan_of(read_study(study), Path(study).parent).runs:
            say(described(run))
        return
    with ProgressLine() as progress:
        swept = sweep(
            study,
            store,
            jobs=jobs,
            cluster=cluster,
            retry=retry,
            time_limit=time_limit,
            listener=progress,
        )
    finished = ", ".join(f"{number} {status}" for status, number in sorted(swept.now.items()))
    say(
        f"{swept.store}: {swept.total - swept.missing} of {swept.total} runs; "
        f"{swept.before} held before, now {finished or 'none'}"
    )
    if swept.missing:
        say(f"{swept.missing} missing: start the sweep again", err=True)
    click.get_current_context().exit(4 if swept.missing else 0)


@click.command("results")
@click.argument("stores", metavar="STORE...", nargs=-1, required=True)
@click.option(
    "--table", type=click.Choice(["runs", "lesions", "limits"]), default="runs",
    show_default=True, help="Which rows to write.",
)  # fmt: skip
@click.option("--csv", "csv_file", metavar="FILE|-", help="Write the rows as CSV.")
@click.option("--parquet", metavar="FILE", help="Write the rows as Parquet (extra `parquet`).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--run", type=click.IntRange(1), metavar="N", help="Print what `solve --json` said of one run."
)
def results_command(
    stores: tuple[str, ...],
    table: TableName,
    csv_file: str | None,
    parquet: str | None,
    as_json: bool,
    run: int | None,
) -> None:
    """Tables of the stores of `sweep`, also of one that is still being written."""
    one_stream(csv_file, as_json)
    from abscopt.optimizer.results.files import write_file
    from abscopt.optimizer.sweeps import shown
    from abscopt.optimizer.sweeps.read import read_store

    read = [read_store(store) for store in stores]
    if run is not None:
        if len(read) > 1:
            raise click.UsageError("--run goes with one store")
        say_json(read[0].document(run))
        return
    frame = shown.frame_of(read, table)
    if csv_file is not None and csv_file != "-":
        write_file(csv_file, shown.csv_text(frame), "--csv")
    if parquet is not None:
        shown.write_parquet(frame, parquet)
    if as_json:
        say_json(shown.document(read, table))
    elif csv_file == "-":
        say(shown.csv_text(frame).rstrip("\n"))
    else:
        say(shown.report(read).rstrip("\n"))
