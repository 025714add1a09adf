"""The command line: data to stdout, progress and problems to stderr.

Exit codes: 0 answer in hand, 1 our failure (`compare`: solvers disagree), 2 wrong input or usage,
3 proven infeasible, 4 nothing found in the time given. The heavy libraries are imported by the
commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import abscopt.optimizer.process.interrupts  # noqa: F401  first: silent Ctrl-C, one BLAS thread

# isort: split
import json
from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.cases import instances_group, refuse_warnings
from abscopt.optimizer.console.compare import compare_command
from abscopt.optimizer.console.exchange import export_command, import_command
from abscopt.optimizer.console.guard import Guarded, one_stream, say, say_table
from abscopt.optimizer.console.histograms import import_group
from abscopt.optimizer.console.judged import case_of, say_evaluation
from abscopt.optimizer.console.logs import log_command, logged
from abscopt.optimizer.console.options import (
    LIMIT_OF_COMMAND,
    LIMIT_OF_SOLVES,
    Within,
    changes_options,
    cross_option,
    ensemble_options,
    from_the_start,
    solver_options,
    strict_option,
    table_options,
)
from abscopt.optimizer.console.pages import plot_command, report_command
from abscopt.optimizer.console.published import (
    evidence_command,
    library_command,
    regimens_command,
    simulate_command,
    trials_command,
)
from abscopt.optimizer.console.questions.alternatives import alternatives_command
from abscopt.optimizer.console.questions.explain import explain_command
from abscopt.optimizer.console.questions.pareto import pareto_command
from abscopt.optimizer.console.questions.sensitivity import sensitivity_command
from abscopt.optimizer.console.sweeps import results_command, sweep_command
from abscopt.optimizer.console.uncertainty.ensembles import EXIT_CODES, decided, observed
from abscopt.optimizer.console.uncertainty.learning import update_command
from abscopt.optimizer.console.uncertainty.replanning import (
    begun,
    delivered_options,
    replan_command,
)
from abscopt.optimizer.console.uncertainty.robustness import robustness_command
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.files import load_case
from abscopt.optimizer.results.result import DISCLAIMER


@click.group(
    cls=Guarded,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Proven-best schedules of radiotherapy, checkpoint inhibitors and chemotherapy.\n\n"
    f"{DISCLAIMER}",
    epilog="Exit codes: 0 answer in hand, 1 internal failure (compare: solvers that disagree), "
    "2 wrong input or usage, 3 proven infeasible, 4 nothing found in the time given.",
)
@click.version_option(package_name="abscopt", message="abscopt %(version)s")
def main() -> None:
    """Entry point of the command `abscopt`."""


@main.command("solve")
@click.argument("case", metavar="NAME|FILE")
@click.option("--out", metavar="DIR", help="Write result.json, report.txt and CSV files there.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@solver_options(LIMIT_OF_COMMAND)
@click.option(
    "--method", type=click.Choice(["auto", "single"]), default="auto", show_default=True,
    help="auto: exact search, or one MILP where free courses need what the search does not cover. "
    "single: one MILP, refined until programme and judge agree, for cross-checks; a case that is "
    "too large for it is reduced first by dominance and bounds.",
)  # fmt: skip
@strict_option
@click.option("--simulate", is_flag=True, help="Add the published forward models to the result.")
@click.option(
    "--start", "start_file", metavar="SCHEDULE",
    help="Begin with this schedule (JSON or CSV), or with the one in a result of this or a "
    "related case.",
)  # fmt: skip
@click.option("--report", "page", metavar="FILE", help="Write one HTML page that says it all.")
@click.option(
    "--log", "log_file", metavar="FILE",
    help="Write incumbent, bound, nodes and the solver's text over time, one JSON object a line; "
    "`abscopt log` reads it.",
)  # fmt: skip
@ensemble_options
@click.option(
    "--risk", metavar="MEASURE",
    help="Decide for an ensemble by mean (the default), cvar:SHARE, worst or regret.",
)  # fmt: skip
@click.option(
    "--chance", type=Within(0.0, 1.0, max_open=True), metavar="SHARE",
    help="Share of the members in which a limit of their own may be broken; default: none.",
)  # fmt: skip
@click.option(
    "--perfect", is_flag=True,
    help="Solve each member alone, too: the value of perfect information.",
)  # fmt: skip
@click.option(
    "--observe", metavar="WHAT",
    help="Decide in two stages, by the mean: one plan up to an observation, such as alc@14<0.8 "
    "(also effectors@DAY<X, burden:LESION@DAY<X; X,Y for three classes, ~S for an error), then "
    "one continuation for each outcome.",
)  # fmt: skip
@click.option(
    "--robustness", "robustness_name", metavar="NAME|FILE", is_flag=False, flag_value="",
    help="Then judge the answer in an ensemble (the case's own without a name), as `abscopt "
    "robustness` does.",
)  # fmt: skip
@delivered_options
@click.pass_context
@changes_options
def solve_command(
    ctx: click.Context,
    /,
    case: str,
    out: str | None,
    as_json: bool,
    simulate: bool,
    start_file: str | None,
    page: str | None,
    log_file: str | None,
    robustness_name: str | None,
    strict: bool,
    changes: tuple[Change, ...],
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    risk: str | None,
    chance: float | None,
    perfect: bool,
    observe: str | None,
    delivered_file: str | None,
    today: str | None,
    **options: Any,
) -> None:
    """Find the best schedule of a case and prove how good it is.

    With --ensemble or --risk, the best one for all members of an ensemble at once.
    """
    instance = begun(load_case(case, changes), delivered_file, today)
    if strict:
        refuse_warnings(instance, case)
    asked = (ensemble_name, size, ensemble_seed, risk, chance, observe, instance.observation)
    if perfect or any(value is not None for value in asked):
        renamed = {"page": "report", "robustness_name": "robustness", "log_file": "log"}
        for name in ("simulate", *renamed):
            if ctx.params.get(name) not in (None, False):
                option = renamed.get(name, name)
                raise click.UsageError(f"--{option} does not go with an ensemble")
        from abscopt.optimizer.ensemble.drawn import ensemble_of

        ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
        measure = {"risk": risk or "mean", "chance": chance or 0.0, "perfect": perfect}
        options |= measure
        if observe is not None or instance.observation is not None:
            ctx.exit(observed(ensemble, observe or instance, start_file, out, as_json, options))
        ctx.exit(decided(ensemble, start_file, out, as_json, options))
    from abscopt.optimizer.results.files import result_folder, write_result
    from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

    start = None
    if start_file is not None:
        start = schedule_of_file(start_file, instance, cross=True)
    folder = None if out is None else result_folder(out, "--out")
    if page is not None:
        from abscopt.optimizer.report.written import refuse_without_extra

        refuse_without_extra()
    plausible = None
    if robustness_name is not None:
        from abscopt.optimizer.ensemble.drawn import ensemble_of

        plausible = ensemble_of(instance, robustness_name or None)

    with ProgressLine() as progress:
        limited = from_the_start(options)
        if plausible is not None and limited["time_limit"] is not None:
            limited["time_limit"] /= 2
        result = logged(log_file, instance, progress, **limited, start=start)
        judged, robust = None, dict[str, list[str]]()
        if plausible is not None:
            from abscopt.optimizer.ensemble.study.command import answer_in

            judged, robust = answer_in(plausible, result, from_the_start(options), progress)
    simulated, text, report = None, "", ""
    if simulate and result.schedule is not None:
        from abscopt.optimizer.simulation.document import simulation

        simulated, text = simulation(instance, result.schedule, "optimized", False)
    document = json.dumps(result.to_json(instance, simulated, judged), indent=2, allow_nan=False)
    if folder is not None or not as_json:  # what lays out tables takes 0.1 s to load
        from abscopt.optimizer.results.text.report import solve_report

        report = solve_report(result, instance, **robust) + (f"\n{text}" if text else "")
    try:
        if folder is not None:
            write_result(folder, result, instance, document, report)
        if page is not None:
            from abscopt.optimizer.report.written import write_page_of

            write_page_of(result, instance, page, judged)
    finally:  # a full disk must not cost the answer
        say(document if as_json else report.rstrip("\n"))
    ctx.exit(EXIT_CODES[result.status])


@main.command("evaluate")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="[SCHEDULE]", required=False)
@click.option(
    "--regimen", metavar="NAME",
    help="Judge a trial arm (`abscopt trials`), or the case's own: `standard`.",
)  # fmt: skip
@click.option(
    "--site", "sites", metavar="LESION", multiple=True,
    help="Lesion that a trial arm irradiates; may be repeated. Default: the first ones.",
)  # fmt: skip
@cross_option
@strict_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@delivered_options
@changes_options
def evaluate_command(
    case: str,
    schedule_file: str | None,
    regimen: str | None,
    sites: tuple[str, ...],
    cross: bool,
    strict: bool,
    as_json: bool,
    changes: tuple[Change, ...],
    delivered_file: str | None,
    today: str | None,
) -> None:
    """Judge a schedule, or check a document that `solve` or `evaluate` wrote.

    SCHEDULE is JSON or CSV: what `solve --out` writes, or your own with days or dates.
    """
    if (schedule_file is None) == (regimen is None):
        raise click.UsageError("give either SCHEDULE or --regimen NAME")
    if sites and regimen is None:
        raise click.UsageError("--site goes with --regimen")
    instance = begun(case_of(case, changes, schedule_file), delivered_file, today)
    if strict:
        refuse_warnings(instance, case)
    if schedule_file is not None:
        from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

        schedule = schedule_of_file(schedule_file, instance, cross=cross)
        say_evaluation(instance, schedule, as_json)
        return
    from abscopt.optimizer.trials import judged_regimen

    assert regimen is not None
    judged = judged_regimen(instance, case, regimen, sites)
    say_evaluation(judged.instance, judged.schedule, as_json)
    for line in () if as_json else judged.lines:
        say(line)


@main.command("frontier")
@click.argument("case", metavar="NAME|FILE")
@click.option("--limit", "name", metavar="NAME", required=True, help="The limit whose cap varies.")
@click.option(
    "--caps", metavar="A,B,...|LOW:HIGH:N", required=True,
    help="Caps in the limit's own unit (floors of `alc`): a list, or N evenly spaced ones.",
)  # fmt: skip
@table_options
@solver_options(LIMIT_OF_SOLVES)
@changes_options
def frontier_command(
    case: str,
    name: str,
    caps: str,
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """The best objective for several caps of one limit, each judged and proved."""
    one_stream(csv_file, as_json)
    instance = load_case(case, changes)
    from abscopt.optimizer.fronts import pareto

    values = pareto.parse_caps(caps, "--caps")
    with ProgressLine() as progress:
        found = pareto.frontier(instance, name, values, **options, listener=progress)
    say_table(found, pareto, csv_file, as_json)
    ends = [EXIT_CODES[point.result.status] for point in found.points]
    click.get_current_context().exit(min(ends))


for command in (
    instances_group,
    compare_command,
    export_command,
    import_command,
    import_group,
    robustness_command,
    log_command,
    replan_command,
    explain_command,
    pareto_command,
    sweep_command,
    results_command,
    alternatives_command,
    sensitivity_command,
    update_command,
    evidence_command,
    regimens_command,
    simulate_command,
    library_command,
    trials_command,
    plot_command,
    report_command,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
