"""The command line: data to stdout, progress and problems to stderr.

Exit codes: 0 answer in hand, 1 our failure (`compare`: solvers disagree), 2 wrong input or usage,
3 proven infeasible, 4 nothing found in the time given. The heavy libraries are imported by the
commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import abscopt.optimizer.interrupts as interrupts  # Ctrl-C during the imports is silent

# isort: split
import atexit
import errno
import functools
import gc
import json
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from abscopt.instances.changes.change import REMOVE, Change, as_changes
from abscopt.instances.load import (
    InputError,
    Problem,
    locate,
    read_text,
    resolved_text,
    titles,
)
from abscopt.optimizer.progress import ProgressLine, Stopped
from abscopt.optimizer.results.files import load_case as _load
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT
from abscopt.optimizer.started import is_program, time_left

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.schedule import Schedule

EXIT_CODES = {"optimal": 0, "feasible": 0, "infeasible": 3, "unknown": 4}
LIBRARY = (
    "sets", "limits", "tissues", "tumors", "drugs", "regimens", "scenarios", "ensembles", "trials",
)  # fmt: skip
PICTURES = ("calendar", "limits", "control", "curves", "proof")
SOLVERS = ("highs", "scip", "cbc", "glpk", "gurobi", "cplex")


class _Guarded(click.Group):
    """Group whose commands obey signals and end with a message and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program."""
        if is_program():
            atexit.register(gc.freeze)  # else Python looks for garbage at its end: up to 0.4 s
        with interrupts.program():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn exceptions into messages."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            for problem in error.problems:
                _say(_line(problem), err=True)
            ctx.exit(2)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Stopped as error:
            _say(f"abscopt: {error}", err=True)
            ctx.exit(interrupts.NOTHING_IN_HAND)
        except (KeyboardInterrupt, click.Abort):
            _say("abscopt: interrupted", err=True)
            ctx.exit(interrupts.NOTHING_IN_HAND)
        except Exception as error:
            broken_pipe = isinstance(error, OSError) and error.errno == errno.EPIPE
            if broken_pipe or os.environ.get("ABSCOPT_DEBUG"):
                raise
            what = " ".join(f"{type(error).__name__}: {error}".split())
            _say(f"abscopt: internal error: {what}", err=True)
            _say("abscopt: set ABSCOPT_DEBUG=1 to see the traceback", err=True)
            ctx.exit(1)


def _say(text: str, err: bool = False) -> None:
    """Print a line; characters the terminal cannot show are escaped."""
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=err)


def _say_json(document: dict[str, Any]) -> None:
    _say(json.dumps(document, indent=2, allow_nan=False))


def _one_stream(csv_file: str | None, as_json: bool) -> None:
    if as_json and csv_file == "-":
        raise click.UsageError("--json and --csv - both print to stdout")


def _say_table(found: Any, module: Any, csv_file: str | None, as_json: bool) -> None:
    """Print what a module makes of its findings: text, JSON or CSV; write the CSV file named."""
    from abscopt.optimizer.results.files import write_file

    if csv_file is not None and csv_file != "-":
        write_file(csv_file, module.csv_text(found), "--csv")
    if as_json:
        _say_json(module.document(found))
    else:
        _say((module.csv_text if csv_file == "-" else module.report)(found).rstrip("\n"))


def _line(problem: Problem) -> str:
    return " ".join(str(problem).split())


def _audited(instance: Instance, file: str) -> tuple[list[Problem], list[Problem]]:
    """Notes of the input audit, and as problems for `--strict` those that are warnings."""
    from abscopt.optimizer.audit import case_audit

    notes = case_audit(instance).notes
    shown = [Problem(file, note.place, note.level, note.text) for note in notes]
    wrong = [
        Problem(file, note.place, note.kind, note.text) for note in notes if note.level == "warning"
    ]
    return shown, wrong


def _refuse_warnings(instance: Instance, file: str) -> None:
    """Raise InputError if the input audit has a warning."""
    if problems := _audited(instance, file)[1]:
        raise InputError(problems)


_strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Warnings of the input audit (probable mistakes) are errors: exit code 2.",
)


def _finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is None:
        return None
    low, strict = (0.0, True) if param.name == "gap" else (0.0, False)
    if not math.isfinite(value) or value < low or (strict and value == low):
        raise click.BadParameter(f"{value} is not finite and {'>' if strict else '>='} 0", ctx)
    return value


LIMIT_OF_COMMAND = (
    "Wall seconds from the start of the command to its end, at least half of them for the solve; "
    "default: none."
)
LIMIT_OF_SOLVES = "Wall seconds of each solve; default: none."


def _solver_options(limit_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gap, time limit, threads and seed."""
    options = (
        click.option(
            "--gap", type=float, callback=_finite, metavar="G",
            help="Absolute gap, in the objective's unit, at which to stop; default: the case's.",
        ),
        click.option(
            "--time-limit", type=float, callback=_finite, metavar="S",
            help=limit_help,
        ),
        click.option(
            "--threads", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
            help="Threads of the solver.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N",
            help="Seed of the search and of the solver.",
        ),
    )  # fmt: skip

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def _from_the_start(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a solve that begins now; the time limit counts from the start of the command."""
    return options | {"time_limit": time_left(options["time_limit"])}


def _changes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--set` and `--remove`: the command gets both as `changes`."""

    @click.option(
        "--set",
        "set_texts",
        metavar="KEY=VALUE",
        multiple=True,
        help="Change the case, such as lesions.liver.irradiable=false; * is every entry, "
        "KEY*=FACTOR multiplies. May be repeated.",
    )
    @click.option(
        "--remove", "removals", metavar="KEY", multiple=True,
        help="Take an entry out of the case, such as lesions.liver; may be repeated.",
    )  # fmt: skip
    @functools.wraps(command)
    def with_changes(
        *arguments: Any, set_texts: tuple[str, ...], removals: tuple[str, ...], **options: Any
    ) -> Any:
        texts = (*set_texts, *(REMOVE + key for key in removals))
        return command(*arguments, changes=as_changes(texts, "--set"), **options)

    return with_changes


def _cross_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Judge the answer to one case on another."""
    return click.option(
        "--cross", is_flag=True,
        help="The file may be the answer to another case; its schedule is judged on this one.",
    )(command)  # fmt: skip


@click.group(
    cls=_Guarded,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Proven-best schedules of radiotherapy, checkpoint inhibitors and chemotherapy.\n\n"
    f"{DISCLAIMER}",
    epilog="Exit codes: 0 answer in hand, 1 internal failure (compare: solvers that disagree), "
    "2 wrong input or usage, 3 proven infeasible, 4 nothing found in the time given.",
)
@click.version_option(package_name="abscopt", message="abscopt %(version)s")
def main() -> None:
    """Entry point of the command `abscopt`."""


@main.group("instances", invoke_without_command=True)
@click.pass_context
def instances_group(ctx: click.Context) -> None:
    """List, show and check patient cases."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@instances_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(as_json: bool = False) -> None:
    """Name and title of every bundled case."""
    found = titles()
    if as_json:
        rows = [{"name": name, "title": title} for name, title in found.items()]
        _say_json({"format": FORMAT, "kind": "instances", "instances": rows})
        return
    width = max(len(name) for name in found)
    for name, title in found.items():
        _say(f"{name:<{width}}  {title}")


@instances_group.command("show")
@click.argument("case", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the text of its file.")
@click.option(
    "--resolved", is_flag=True,
    help="Print it as TOML with all library values, those of the schema as comments.",
)  # fmt: skip
@_changes_options
def show_command(
    case: str, as_json: bool, as_toml: bool, resolved: bool, changes: tuple[Change, ...]
) -> None:
    """What a case asks, where its numbers come from, how many choices it leaves."""
    if as_toml and not resolved:
        if changes or as_json:
            raise click.UsageError("--toml prints the file as it is; use --resolved")
        _say(read_text(locate(case)).rstrip("\n"))
        return
    instance = _load(case, changes)
    if resolved:
        _say(resolved_text(instance).rstrip("\n"))
        return
    from abscopt.optimizer.results.case_report import instance_document, instance_report

    if as_json:
        _say_json(instance_document(instance))
    else:
        _say(instance_report(instance).rstrip("\n"))


@instances_group.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@_strict_option
@_changes_options
def check_command(files: tuple[str, ...], strict: bool, changes: tuple[Change, ...]) -> None:
    """Check case files: problems go to stderr, notes of the input audit follow the `ok`."""
    wrong: list[Problem] = []
    for file in files:
        try:
            notes, warnings = _audited(_load(file, changes), file)
        except InputError as error:
            wrong += error.problems
            continue
        if warnings and strict:
            wrong += warnings
            continue
        _say(f"{file}: ok")
        for note in notes:
            _say(_line(note))
    if wrong:
        raise InputError(wrong)


def _ensemble_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which ensemble, and how many members of it."""
    options = (
        click.option(
            "--ensemble", "ensemble_name", metavar="NAME|FILE",
            help="Ensemble of the library, or a TOML file with one; default: the case's own.",
        ),
        click.option(
            "--members", "size", type=click.IntRange(1, 1000), metavar="N",
            help="So many members in place of the number that the ensemble states.",
        ),
        click.option(
            "--ensemble-seed", type=click.IntRange(0, 2**31 - 1), metavar="N",
            help="Seed of the draws in place of the one that the ensemble states.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@instances_group.command("members")
@click.argument("case", metavar="NAME|FILE")
@_ensemble_options
@click.option("--out", metavar="DIR", help="Write each member as a case of its own, and a table.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_changes_options
def members_command(
    case: str,
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    out: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """Members of an ensemble: plausible parameter sets of a case, with their weights."""
    instance = _load(case, changes)
    from abscopt.optimizer.ensemble import written
    from abscopt.optimizer.ensemble.drawn import ensemble_of

    ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
    if out is not None:
        for path in written.write_members(ensemble, out):
            _say(f"{path}: written", err=True)
    if as_json:
        _say_json(written.members_document(ensemble))
    else:
        _say(written.members_report(ensemble).rstrip("\n"))


@instances_group.command("schema")
def schema_command() -> None:
    """JSON Schema of an instance file."""
    from abscopt.instances.schema import json_schema

    _say_json(json_schema())


@instances_group.command("new")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--name", default="my-case", show_default=True, help="Name of the new case.")
def new_command(file: str | None, name: str) -> None:
    """Write a commented template of a case (default: NAME.toml); never over another file."""
    from abscopt.optimizer.results.files import new_case

    path = new_case(file, name)
    _say(f"{path}: written; check it with `abscopt instances check {path}`")


@main.command("solve")
@click.argument("case", metavar="NAME|FILE")
@click.option("--out", metavar="DIR", help="Write result.json, report.txt and CSV files there.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@_solver_options(LIMIT_OF_COMMAND)
@click.option(
    "--method", type=click.Choice(["auto", "single"]), default="auto", show_default=True,
    help="auto: exact search, or one MILP where free courses need what the search does not cover. "
    "single: one MILP, refined until programme and judge agree, for cross-checks; a case that is "
    "too large for it is reduced first by dominance and bounds.",
)  # fmt: skip
@_strict_option
@click.option("--simulate", is_flag=True, help="Add the published forward models to the result.")
@click.option(
    "--start", "start_file", metavar="SCHEDULE",
    help="Begin with this schedule (JSON or CSV), or with the one in a result of this or a "
    "related case.",
)  # fmt: skip
@click.option("--report", "page", metavar="FILE", help="Write one HTML page that says it all.")
@_ensemble_options
@click.option(
    "--risk", metavar="MEASURE",
    help="Decide for an ensemble by mean (the default), cvar:SHARE, worst or regret.",
)  # fmt: skip
@click.option(
    "--chance", type=click.FloatRange(0.0, 1.0, max_open=True), metavar="SHARE",
    help="Share of the members in which a limit of their own may be broken; default: none.",
)  # fmt: skip
@click.option(
    "--perfect", is_flag=True,
    help="Solve each member alone, too: the value of perfect information.",
)  # fmt: skip
@click.pass_context
@_changes_options
def solve_command(
    ctx: click.Context,
    /,
    case: str,
    out: str | None,
    as_json: bool,
    simulate: bool,
    start_file: str | None,
    page: str | None,
    strict: bool,
    changes: tuple[Change, ...],
    ensemble_name: str | None,
    size: int | None,
    ensemble_seed: int | None,
    risk: str | None,
    chance: float | None,
    perfect: bool,
    **options: Any,
) -> None:
    """Find the best schedule of a case and prove how good it is.

    With --ensemble or --risk, the best one for all members of an ensemble at once.
    """
    instance = _load(case, changes)
    if strict:
        _refuse_warnings(instance, case)
    asked = (ensemble_name, size, ensemble_seed, risk, chance)
    if perfect or any(value is not None for value in asked):
        for name in ("simulate", "page"):
            if ctx.params.get(name):
                option = "report" if name == "page" else name
                raise click.UsageError(f"--{option} does not go with an ensemble")
        if options.pop("method") != "auto":
            raise click.UsageError("--method does not go with an ensemble")
        from abscopt.optimizer.ensemble.drawn import ensemble_of

        ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
        measure = {"risk": risk or "mean", "chance": chance or 0.0, "perfect": perfect}
        ctx.exit(_decide(ensemble, start_file, out, as_json, options | measure))
    from abscopt.optimizer import solve
    from abscopt.optimizer.results.files import result_folder, write_result
    from abscopt.optimizer.results.schedule_files import schedule_of_file

    start = None
    if start_file is not None:
        start = schedule_of_file(start_file, instance, cross=True)
    folder = None if out is None else result_folder(out, "--out")
    if page is not None:
        from abscopt.optimizer.report.written import refuse_without_extra

        refuse_without_extra()

    with ProgressLine() as progress:
        result = solve(instance, **_from_the_start(options), listener=progress, start=start)
    simulated, text, report = None, "", ""
    if simulate and result.schedule is not None:
        from abscopt.optimizer.simulation.document import simulation

        simulated, text = simulation(instance, result.schedule, "optimized", False)
    document = json.dumps(result.to_json(instance, simulated), indent=2, allow_nan=False)
    if folder is not None or not as_json:  # what lays out tables takes 0.1 s to load
        from abscopt.optimizer.results.report import solve_report

        report = solve_report(result, instance) + (f"\n{text}" if text else "")
    try:
        if folder is not None:
            write_result(folder, result, instance, document, report)
        if page is not None:
            from abscopt.optimizer.report.written import write_page_of

            write_page_of(result, instance, page)
    finally:  # a full disk must not cost the answer
        _say(document if as_json else report.rstrip("\n"))
    ctx.exit(EXIT_CODES[result.status])


@main.command("report")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", help="Write one self-contained HTML page.")
@click.option("--ics", metavar="FILE", help="Write the days of one result as a calendar file.")
@click.option("--case", metavar="NAME|FILE", help="Case of the results; default: the one named.")
def report_command(
    results: tuple[str, ...], out: str | None, ics: str | None, case: str | None
) -> None:
    """One page of results for a person: decision, gain, calendar, control, limits, proof."""
    if out is None and ics is None:
        raise click.UsageError("give --out FILE or --ics FILE")
    from abscopt.optimizer.report.written import write_page

    write_page(results, case, out, ics)


@main.command("plot")
@click.argument("result", metavar="RESULT")
@click.option(
    "--kind", type=click.Choice(PICTURES), default="calendar", show_default=True,
    help="What to draw.",
)  # fmt: skip
@click.option("--out", metavar="FILE", required=True, help="PNG, SVG or PDF, by its ending.")
@click.option("--case", metavar="NAME|FILE", help="Case of the result; default: the one named.")
def plot_command(result: str, kind: str, out: str, case: str | None) -> None:
    """Draw a result: calendar, use of limits, control, courses over time, proof."""
    from abscopt.optimizer.report.written import write_picture

    write_picture(result, case, kind, out)


def _decide(
    ensemble: Ensemble,
    start_file: str | None,
    out: str | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Solve for all members of an ensemble; say and write the answer; exit code."""
    from abscopt.optimizer.ensemble.decide import decide
    from abscopt.optimizer.ensemble.shown import decided_document, decided_report, write_decided
    from abscopt.optimizer.results.files import result_folder
    from abscopt.optimizer.results.schedule_files import schedule_of_file

    start = None
    if start_file is not None:
        start = schedule_of_file(start_file, ensemble.case, cross=True)
    folder = None if out is None else result_folder(out, "--out")
    options.pop("threads")  # one linear program at a time
    with ProgressLine() as progress:
        result = decide(ensemble, **_from_the_start(options), listener=progress, start=start)
    document = json.dumps(decided_document(result), indent=2, allow_nan=False)
    report = decided_report(result)
    try:
        if folder is not None:
            write_decided(folder, result, document, report)
    finally:  # a full disk must not cost the answer
        _say(document if as_json else report.rstrip("\n"))
    return EXIT_CODES[result.status]


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
@_cross_option
@_strict_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_changes_options
def evaluate_command(
    case: str,
    schedule_file: str | None,
    regimen: str | None,
    sites: tuple[str, ...],
    cross: bool,
    strict: bool,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """Judge a schedule, or check a document that `solve` or `evaluate` wrote.

    SCHEDULE is JSON or CSV: what `solve --out` writes, or your own with days or dates.
    """
    if (schedule_file is None) == (regimen is None):
        raise click.UsageError("give either SCHEDULE or --regimen NAME")
    if sites and regimen is None:
        raise click.UsageError("--site goes with --regimen")
    instance = _case_for(case, changes, schedule_file)
    if strict:
        _refuse_warnings(instance, case)
    if schedule_file is not None:
        from abscopt.optimizer.results.schedule_files import schedule_of_file

        schedule = schedule_of_file(schedule_file, instance, cross=cross)
        _say_evaluation(instance, schedule, as_json)
        return
    from abscopt.optimizer.trials import judged_regimen

    assert regimen is not None
    judged = judged_regimen(instance, case, regimen, sites)
    _say_evaluation(judged.instance, judged.schedule, as_json)
    for line in () if as_json else judged.lines:
        _say(line)


def _case_for(case: str, changes: tuple[Change, ...], file: str | None) -> Instance:
    """The case with changes; without any, with those that the document in a file states."""
    if file is None:
        return _load(case, changes)
    from abscopt.optimizer.results.changed import case_for

    return case_for(case, changes, file)


def _say_evaluation(instance: Instance, schedule: Schedule, as_json: bool) -> None:
    from abscopt.optimizer import evaluate

    evaluation = evaluate(instance, schedule)
    from abscopt.optimizer.results.recheck import evaluation_document
    from abscopt.optimizer.results.report import evaluation_report

    if as_json:
        _say_json(evaluation_document(evaluation, schedule, instance))
    else:
        _say(evaluation_report(evaluation, schedule, instance).rstrip("\n"))


@main.command("simulate")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="SCHEDULE")
@_cross_option
@click.option(
    "--beyond-validity", is_flag=True, help="Run models outside the range they state, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_changes_options
def simulate_command(
    case: str,
    schedule_file: str,
    cross: bool,
    beyond_validity: bool,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """A schedule, the standard regimen and alternatives in published forward models."""
    instance = _case_for(case, changes, schedule_file)
    from abscopt.optimizer.results.schedule_files import schedule_of_file

    schedule = schedule_of_file(schedule_file, instance, cross=cross)
    from abscopt.optimizer.simulation.document import simulation

    document, text = simulation(instance, schedule, "schedule", beyond_validity)
    if as_json:
        _say_json(document)
    else:
        _say(text.rstrip("\n"))


@main.command("evidence")
@click.option("--only", metavar="ID", multiple=True, help="Only this finding; may be repeated.")
@click.option(
    "--scenario", metavar="NAME", default="default", show_default=True,
    help="Immune constants of the library to judge with.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evidence_command(only: tuple[str, ...], scenario: str, as_json: bool) -> None:
    """Which published findings the model reproduces, and which it does not.

    Every finding is evaluated by the judge's surrogate, by each published forward model that can
    express it, and by tumor BED alone.
    """
    from abscopt.optimizer.evidence.command import evidence
    from abscopt.optimizer.evidence.document import evidence_document, evidence_report

    with ProgressLine() as progress:
        results, requirements = evidence(only, scenario, progress)
    if as_json:
        _say_json(evidence_document(results, requirements))
    else:
        _say(evidence_report(results, requirements).rstrip("\n"))


@main.command("library")
@click.argument("table", metavar="[TABLE]", type=click.Choice(LIBRARY), required=False)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def library_command(table: str | None, name: str | None, as_json: bool) -> None:
    """What the library holds: values with their source and status.

    TABLE is sets, limits, tissues, tumors, drugs, regimens, scenarios, ensembles or trials.
    """
    from abscopt.optimizer.results import library_report as shown

    if as_json:
        _say_json(shown.library_document(table, name))
    elif table is None:
        _say(shown.tables_report().rstrip("\n"))
    elif name is None:
        _say(shown.entries_report(table).rstrip("\n"))
    else:
        _say(shown.entry_report(table, name).rstrip("\n"))


@main.command("trials")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def trials_command(as_json: bool) -> None:
    """Arms of published trials, for `evaluate CASE --regimen NAME`."""
    _say_trials("trials", as_json)


@main.command("regimens", hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def regimens_command(as_json: bool) -> None:
    """The old name of `trials`; regimens of drugs are in `library regimens`."""
    _say_trials("regimens", as_json)


def _say_trials(kind: str, as_json: bool) -> None:
    from abscopt.instances.trials import trial_arms

    arms = trial_arms()
    if as_json:
        rows = {name: arm.model_dump(mode="json") for name, arm in arms.items()}
        _say_json({"format": FORMAT, "kind": kind, "notice": DISCLAIMER, kind: rows})
        return
    width = max(len(name) for name in arms)
    for name, arm in arms.items():
        _say(f"{name:<{width}}  {arm.title} ({arm.trial})")


@main.command("compare")
@click.argument("cases", metavar="CASE|RESULT|SCHEDULE...", nargs=-1, required=True)
@_cross_option
@click.option(
    "--solver", "solvers", type=click.Choice(SOLVERS), multiple=True,
    help="Also solve each case as one MILP with HiGHS and this solver; may be repeated.",
)  # fmt: skip
@click.option("--csv", "csv_file", metavar="FILE|-", help="Write the rows as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_solver_options(LIMIT_OF_SOLVES)
@click.pass_context
@_changes_options
def compare_command(
    ctx: click.Context,
    /,
    cases: tuple[str, ...],
    cross: bool,
    solvers: tuple[str, ...],
    csv_file: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """One table over cases, results of `solve`, schedules and solvers.

    Schedules without a case of their own (CSV, JSON without `kind`) and, with --cross, results of
    other cases are judged on every case named. Every answer is judged. With --solver each is
    held against HiGHS: agree, within_gap, disagree (exit code 1) or limit.
    """
    _one_stream(csv_file, as_json)
    from abscopt.optimizer.crosscheck import comparison

    with ProgressLine() as progress:
        compared = comparison.compare(
            cases, solvers, comparison.Options(**options), progress, cross=cross, changes=changes
        )
    _say_table(compared, comparison, csv_file, as_json)
    ctx.exit(1 if comparison.disagreement(compared) else 0)


@main.command("frontier")
@click.argument("case", metavar="NAME|FILE")
@click.option("--limit", "name", metavar="NAME", required=True, help="The limit whose cap varies.")
@click.option(
    "--caps", metavar="A,B,...|LOW:HIGH:N", required=True,
    help="Caps in the limit's own unit (floors of `alc`): a list, or N evenly spaced ones.",
)  # fmt: skip
@click.option("--csv", "csv_file", metavar="FILE|-", help="Write the rows as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_solver_options(LIMIT_OF_SOLVES)
@_changes_options
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
    _one_stream(csv_file, as_json)
    instance = _load(case, changes)
    from abscopt.optimizer import pareto

    values = pareto.parse_caps(caps, "--caps")
    with ProgressLine() as progress:
        found = pareto.frontier(instance, name, values, **options, listener=progress)
    _say_table(found, pareto, csv_file, as_json)
    ends = [EXIT_CODES[point.result.status] for point in found.points]
    click.get_current_context().exit(min(ends))


@main.command("export")
@click.argument("case", metavar="NAME|FILE")
@click.option("--format", "form", type=click.Choice(["mps", "lp"]), required=True)
@click.option("--out", metavar="FILE|-", default="-", help="Default: stdout.")
@click.option("--first", is_flag=True, help="The first relaxation, neither solved nor refined.")
@_solver_options(LIMIT_OF_COMMAND)
@_changes_options
def export_command(
    case: str, form: str, out: str, first: bool, changes: tuple[Change, ...], **options: Any
) -> None:
    """Write the programme of a case for any solver.

    It is refined until its optimum is the judged optimum within the gap. MPS files minimize
    minus the objective.
    """
    instance = _load(case, changes)
    from abscopt.optimizer.crosscheck import writer
    from abscopt.optimizer.crosscheck.exchange import export_programme
    from abscopt.optimizer.results.files import write_file
    from abscopt.optimizer.results.wording import change_lines

    with ProgressLine() as progress:
        limited = _from_the_start(options)
        found = export_programme(instance, first=first, listener=progress, **limited)
    text = {"mps": writer.mps, "lp": writer.lp}[form](found.programme)
    if out == "-":
        _say(text.rstrip("\n"))
    else:
        write_file(out, text, "--out")
    for line in (*change_lines(instance), found.summary):
        _say(line, err=True)


@main.command("import-solution")
@click.argument("case", metavar="NAME|FILE")
@click.argument("solution", metavar="SOLUTION")
@click.option(
    "--programme", metavar="FILE", help="The exported file; only `glpsol -w` solutions need it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_changes_options
def import_command(
    case: str,
    solution: str,
    programme: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """Judge what another solver found for an exported programme."""
    instance = _load(case, changes)
    from abscopt.optimizer.crosscheck.exchange import imported_schedule
    from abscopt.optimizer.results.files import read_file

    names = None if programme is None else read_file(programme, read_text)
    schedule = imported_schedule(read_file(solution, read_text), instance, solution, names)
    _say_evaluation(instance, schedule, as_json)


if __name__ == "__main__":
    main()
