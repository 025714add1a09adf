"""The command `abscopt compare`: cases, results, schedules, solvers, and stores of sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import one_stream, say_table
from abscopt.optimizer.console.options import (
    LIMIT_OF_SOLVES,
    changes_options,
    cross_option,
    solver_options,
    table_options,
)
from abscopt.optimizer.progress import ProgressLine

if TYPE_CHECKING:
    from abscopt.optimizer.sweeps.contests.contest import Measure

SOLVERS = ("highs", "scip", "cbc", "glpk", "gurobi", "cplex")


@click.command("compare")
@click.argument("cases", metavar="CASE|RESULT|SCHEDULE|STORE...", nargs=-1, required=True)
@cross_option
@click.option(
    "--solver", "solvers", type=click.Choice(SOLVERS), multiple=True,
    help="Also solve each case as one MILP with HiGHS and this solver; may be repeated.",
)  # fmt: skip
@click.option(
    "--baseline", metavar="RESULT|SCHEDULE",
    help="Say what each answer gains over this one, and for which lesion.",
)  # fmt: skip
@click.option(
    "--reference", "by_reference", is_flag=True,
    help="Hold each answer against the known optimum of the bundled case.",
)  # fmt: skip
@click.option(
    "--measure", type=click.Choice(["seconds", "cpu_seconds", "nodes"]), default="seconds",
    show_default=True, help="Of stores: what the performance profile counts.",
)  # fmt: skip
@click.option(
    "--plot", metavar="FILE",
    help="Of stores: draw the performance profile as PNG, SVG or PDF (extra `report`).",
)  # fmt: skip
@table_options
@solver_options(LIMIT_OF_SOLVES)
@click.pass_context
@changes_options
def compare_command(
    ctx: click.Context,
    /,
    cases: tuple[str, ...],
    cross: bool,
    solvers: tuple[str, ...],
    baseline: str | None,
    by_reference: bool,
    measure: Measure,
    plot: str | None,
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """One table over cases, results of `solve`, schedules and solvers; or over stores of `sweep`.

    Schedules without a case of their own (CSV, JSON without `kind`) and, with --cross, results of
    other cases are judged on every case named. Every answer is judged. With --solver each is
    held against HiGHS: agree, within_gap, disagree (exit code 1) or limit.

    Stores are compared run by run, each a contestant (several where it holds several solvers,
    methods or threads), with a performance profile: the share of runs that each solved within a
    ratio of the best.
    """
    one_stream(csv_file, as_json)
    from abscopt.optimizer.sweeps.contests import contest

    stores = [file for file in cases if contest.is_store(file)]
    if stores:
        others = (cross, solvers, baseline, by_reference, changes)
        if len(stores) < len(cases) or any(others):
            raise click.UsageError("stores are compared with stores, without other options")
        from abscopt.optimizer.sweeps.contests import contest_shown

        shown = contest_shown.Shown(contest.contest_of(stores), measure)
        if plot is not None:
            contest_shown.write_profile(shown, plot)
        say_table(shown, contest_shown, csv_file, as_json)
        ctx.exit(1 if contest.disagreement(shown.contest) else 0)
    if plot is not None:
        raise click.UsageError("--plot draws the profile of stores; see abscopt plot for results")
    from abscopt.optimizer.crosscheck import comparison, comparison_text

    with ProgressLine() as progress:
        compared = comparison.compare(
            cases,
            solvers,
            comparison.Options(**options),
            progress,
            cross=cross,
            changes=changes,
            baseline=baseline,
            by_reference=by_reference,
        )
    say_table(compared, comparison_text, csv_file, as_json)
    ctx.exit(1 if comparison.disagreement(compared) else 0)
