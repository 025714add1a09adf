"""The command line: data to stdout, progress and problems to stderr.

Exit codes: 0 answer in hand, 1 our failure, 2 wrong input or usage, 3 proven infeasible,
4 nothing found in the time given. The heavy libraries are imported by the commands that need
them, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import click
from abscopt.instances.load import InputError, Problem, load, parse_json, titles
from abscopt.optimizer.result import DISCLAIMER, FORMAT

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.progress import Progress
    from abscopt.optimizer.result import Result
    from abscopt.optimizer.schedule import Schedule

EXIT_CODES = {"optimal": 0, "feasible": 0, "infeasible": 3, "unknown": 4}
INTERRUPTED = 130
QUIET_SECONDS = 5.0


class _Guarded(click.Group):
    """Group whose commands end with a message and an exit code, never with a traceback."""

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
        except (KeyboardInterrupt, click.Abort):
            _say("abscopt: interrupted", err=True)
            ctx.exit(INTERRUPTED)
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


def _line(problem: Problem) -> str:
    return " ".join(str(problem).split())


def _load(name: str) -> Instance:
    try:
        return load(name)
    except OSError as error:
        rule = "must be readable"
        reason = error.strerror or "unreadable"
        raise InputError([Problem(name[:80], "path", reason, rule)]) from None


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    from importlib.metadata import PackageNotFoundError, version

    if not value or ctx.resilient_parsing:
        return
    try:
        _say(f"abscopt {version('abscopt')}")
    except PackageNotFoundError:
        _say("abscopt (not installed)")
    ctx.exit()


def _finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is None:
        return None
    low, strict = (0.0, True) if param.name == "gap" else (0.0, False)
    if not math.isfinite(value) or value < low or (strict and value == low):
        raise click.BadParameter(f"{value} is not finite and {'>' if strict else '>='} 0", ctx)
    return value


@click.group(
    cls=_Guarded,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Proven-best schedules of radiotherapy, checkpoint inhibitors and chemotherapy.\n\n"
    f"{DISCLAIMER}",
    epilog="Exit codes: 0 answer in hand, 1 internal failure, 2 wrong input or usage, "
    "3 proven infeasible, 4 nothing found in the time given.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
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
def show_command(case: str, as_json: bool) -> None:
    """What a case asks, where its numbers come from, how many choices it leaves."""
    instance = _load(case)
    from abscopt.optimizer.report import instance_report, raw_courses, systemic_plans
    from abscopt.optimizer.result import instance_digest

    if not as_json:
        _say(instance_report(instance).rstrip("\n"))
        return
    treated = [instance.lesions[i] for i in instance.irradiable]
    _say_json(
        {
            "format": FORMAT,
            "kind": "instance",
            "notice": DISCLAIMER,
            "name": instance.name,
            "title": instance.title,
            "instance_digest": instance_digest(instance),
            "raw_courses": {lesion.name: raw_courses(instance, lesion) for lesion in treated},
            "systemic_plans": systemic_plans(instance),
            "instance": instance.model_dump(mode="json"),
        }
    )


@instances_group.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
def check_command(files: tuple[str, ...]) -> None:
    """Check case files; every problem is one line on stderr."""
    wrong: list[Problem] = []
    for file in files:
        try:
            _load(file)
        except InputError as error:
            wrong += error.problems
        else:
            _say(f"{file}: ok")
    if wrong:
        raise InputError(wrong)


@instances_group.command("schema")
def schema_command() -> None:
    """JSON Schema of an instance file."""
    from abscopt.instances.schema import json_schema

    _say_json(json_schema())


@main.command("solve")
@click.argument("case", metavar="NAME|FILE")
@click.option("--out", metavar="DIR", help="Write result.json, report.txt and CSV files there.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option(
    "--gap", type=float, callback=_finite, metavar="G",
    help="Absolute gap, in the objective's unit, at which to stop; default: the case's own.",
)  # fmt: skip
@click.option(
    "--time-limit", type=float, callback=_finite, metavar="S", help="Seconds; default: none."
)
@click.option(
    "--threads", type=click.IntRange(1, 64), default=2, show_default=True, metavar="N",
    help="Threads of the solver.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N",
    help="Seed of the search and of the solver.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["auto", "single"]), default="auto", show_default=True,
    help="single: one MILP without any reduction, for cross-checks.",
)  # fmt: skip
@click.pass_context
def solve_command(
    ctx: click.Context,
    case: str,
    out: str | None,
    as_json: bool,
    gap: float | None,
    time_limit: float | None,
    threads: int,
    seed: int,
    method: Literal["auto", "single"],
) -> None:
    """Find the best schedule of a case and prove how good it is."""
    instance = _load(case)
    folder = None if out is None else _out_folder(out)
    from abscopt.optimizer import solve

    with _ProgressLine() as progress:
        result = solve(
            instance,
            gap=gap,
            time_limit=time_limit,
            threads=threads,
            seed=seed,
            method=method,
            listener=progress,
        )
    from abscopt.optimizer.report import solve_report

    document = json.dumps(result.to_json(instance), indent=2, allow_nan=False)
    report = solve_report(result, instance)
    if folder is not None:
        _write_files(folder, result, instance, document, report)
    _say(document if as_json else report.rstrip("\n"))
    ctx.exit(EXIT_CODES[result.status])


@main.command("evaluate")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="[SCHEDULE.json]", required=False)
@click.option("--regimen", metavar="NAME", help="Judge the case's standard regimen instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_command(
    case: str, schedule_file: str | None, regimen: str | None, as_json: bool
) -> None:
    """Judge a schedule, or check a document that `solve` or `evaluate` wrote."""
    if (schedule_file is None) == (regimen is None):
        raise click.UsageError("give either SCHEDULE.json or --regimen NAME")
    instance = _load(case)
    if regimen is not None:
        schedule = _regimen(instance, case, regimen)
    else:
        assert schedule_file is not None
        schedule = _checked_schedule(_read_json(schedule_file), instance, schedule_file)
    from abscopt.optimizer import evaluate

    evaluation = evaluate(instance, schedule)
    if as_json:
        _say_json(_evaluation_document(evaluation, schedule, instance))
        return
    from abscopt.optimizer.report import evaluation_report

    _say(evaluation_report(evaluation, schedule, instance).rstrip("\n"))


class _ProgressLine:
    """Listener that keeps one line on a terminal, or prints one every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last: float | None = None

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._last is not None:
            click.echo("\r\x1b[K", nl=False, err=True)

    def __call__(self, progress: Progress) -> None:
        """Show one report; absent values are shown as '-'."""
        wait = 0.1 if self._terminal else QUIET_SECONDS
        if self._last is not None and progress.elapsed - self._last < wait:
            return
        self._last = progress.elapsed
        bound, best, gap = (
            "-" if value is None else f"{value:.4f}"
            for value in (progress.bound, progress.incumbent, progress.gap)
        )
        line = f"{progress.phase}: bound {bound}, best {best}, gap {gap}, {progress.elapsed:.1f} s"
        if self._terminal:
            click.echo(f"\r{line}\x1b[K", nl=False, err=True)
        else:
            click.echo(line, err=True)


def _out_folder(out: str) -> Path:
    """Folder for the result files, made before solving; raises a usage error."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if folder.is_file() else error.strerror
        raise click.BadParameter(f"{out}: {reason}", param_hint="--out") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.BadParameter(f"{out}: not writable", param_hint="--out")
    return folder


def _write_files(
    folder: Path, result: Result, instance: Instance, document: str, report: str
) -> None:
    """Write every file of a result; each appears complete or not at all."""
    from abscopt.optimizer.report import csv_files

    files = {"report.txt": report, **csv_files(result, instance), "result.json": document + "\n"}
    for name, text in files.items():
        draft = folder / f".{name}.{os.getpid()}.tmp"
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, folder / name)
        finally:
            draft.unlink(missing_ok=True)


def _regimen(instance: Instance, case: str, name: str) -> Schedule:
    from abscopt.optimizer.schedule import standard_schedule

    standard = instance.standard
    known = [] if standard is None else ["standard", standard.name]
    schedule = standard_schedule(instance)
    if name not in known or schedule is None:
        raise InputError([Problem(case, "--regimen", name, f"unknown; known {known}")])
    return schedule


def _read_json(file: str) -> Any:
    path = Path(file)
    try:
        if not path.exists():
            raise InputError([Problem(file, "path", file, "no such file")])
        return parse_json(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(file[:80], "path", reason, "must be readable")]) from None


def _evaluation_document(
    evaluation: Evaluation, schedule: Schedule, instance: Instance
) -> dict[str, Any]:
    from abscopt.optimizer.result import instance_digest, sealed

    return sealed(
        {
            "format": FORMAT,
            "kind": "evaluation",
            "notice": DISCLAIMER,
            "instance": instance.name,
            "instance_digest": instance_digest(instance),
            "schedule": schedule.to_json(instance),
            "evaluation": evaluation.to_json(),
        }
    )


def _checked_schedule(raw: Any, instance: Instance, file: str) -> Schedule:
    """Schedule of a file; a document that makes claims must agree with the judge."""
    from abscopt.optimizer.schedule import read_schedule

    if not isinstance(raw, dict):
        raise InputError([Problem(file, "file", type(raw).__name__, "must be one JSON object")])
    kind = raw.get("kind")
    if "kind" in raw and kind not in ("result", "evaluation"):
        rule = "must be 'result' or 'evaluation'; leave it out in a plain schedule"
        raise InputError([Problem(file, "kind", str(kind)[:80], rule)])
    if "kind" not in raw and "schedule" not in raw:
        if not {"fractions", "doses_of_drugs"} & set(raw):
            rule = "needs fractions, doses_of_drugs or schedule"
            raise InputError([Problem(file, "file", str(sorted(raw))[:80], rule)])
        return read_schedule(raw, instance, file)
    plan = raw.get("schedule")
    if not isinstance(plan, dict):
        rule = "there is no schedule to judge" if plan is None else "must be a table"
        raise InputError([Problem(file, "schedule", json.dumps(plan)[:80], rule)])
    if "kind" not in raw:
        extra = [Problem(file, key[:80], key[:80], "unknown key") for key in raw]
        extra = [problem for problem in extra if problem.place != "schedule"]
        if extra:
            raise InputError(extra)
        return read_schedule(plan, instance, file)
    problems = _seal_problems(raw, instance, file)
    if any(problem.place == "instance_digest" for problem in problems):
        raise InputError(problems)
    schedule = read_schedule(plan, instance, file)
    problems += _claim_problems(raw, schedule, instance, file)
    if problems:
        raise InputError(problems)
    return schedule


def _seal_problems(raw: dict[str, Any], instance: Instance, file: str) -> list[Problem]:
    """Whether a document belongs to this case and is as it was written."""
    from abscopt.optimizer.result import check_document

    solver = raw.get("solver")
    if raw["kind"] == "result":
        seconds = solver.get("seconds") if isinstance(solver, dict) else None
        if not isinstance(seconds, float) or not 0 <= seconds < 1e9:
            rule = "must be the seconds the solver took"
            return [Problem(file, "solver.seconds", str(seconds)[:80], rule)]
    elif "solver" in raw:
        return [Problem(file, "solver", "solver", "unknown key")]
    try:
        check_document(raw, instance, file)
    except InputError as error:
        timed = raw["kind"] == "result"
        return [p for p in error.problems if timed or p.place != "solver.seconds"]
    return []


def _claim_problems(
    raw: dict[str, Any], schedule: Schedule, instance: Instance, file: str
) -> list[Problem]:
    """Every claim of a document that the judge does not confirm."""
    from abscopt.optimizer import evaluate
    from abscopt.optimizer.result import differences
    from abscopt.optimizer.schedule import standard_schedule

    evaluation = evaluate(instance, schedule)
    judged = _evaluation_document(evaluation, schedule, instance)
    del judged["digest"]
    if raw["kind"] == "evaluation":
        claimed = {key: value for key, value in raw.items() if key != "digest"}
        places = differences(claimed, judged, "")
        return [_disagreement(claimed, judged, place, file) for place in places]
    standard = standard_schedule(instance)
    judged |= {
        "kind": "result",
        "objective": evaluation.objective,
        "gap_unit": evaluation.unit,
        "standard": None if standard is None else evaluate(instance, standard).to_json(),
    }
    claimed = {key: raw.get(key) for key in judged}
    places = differences(claimed, judged, "")
    problems = [_disagreement(claimed, judged, place, file) for place in places]
    return problems + _proof_problems(raw, evaluation, file)


def _proof_problems(raw: dict[str, Any], evaluation: Evaluation, file: str) -> list[Problem]:
    """Whether bound, gap and status of a result fit the judged objective."""
    bound, asked, gap = raw.get("bound"), raw.get("requested_gap"), raw.get("gap")
    if not _is_number(asked) or asked <= 0:
        return [Problem(file, "requested_gap", str(asked), "must be a positive number")]
    if bound is not None and not _is_number(bound):
        return [Problem(file, "bound", str(bound), "must be a number or null")]
    judged = None if bound is None else max(0.0, bound - evaluation.objective)
    problems = []
    if bound is not None and bound < evaluation.objective - 1e-6 * max(1.0, abs(bound)):
        rule = f"below the judge's objective {evaluation.objective!r}"
        problems.append(Problem(file, "bound", str(bound), rule))
    if (judged is None) != (gap is None) or (
        judged is not None
        and not (_is_number(gap) and math.isclose(gap, judged, rel_tol=1e-9, abs_tol=1e-9))
    ):
        rule = f"bound minus objective is {judged!r}"
        problems.append(Problem(file, "gap", str(gap), rule))
    proven = judged is not None and judged <= asked * (1 + 1e-9)
    if raw.get("status") != ("optimal" if proven else "feasible"):
        rule = f"a gap of {judged!r} with {asked!r} asked for does not have this status"
        problems.append(Problem(file, "status", str(raw.get("status")), rule))
    if not evaluation.feasible:
        broken = [*evaluation.broken_limits, *evaluation.broken_rules]
        problems.append(Problem(file, "schedule", str(broken), "a result must break no limit"))
    return problems


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _disagreement(claimed: Any, judged: Any, place: str, file: str) -> Problem:
    value, expected = (json.dumps(_at(tree, place)) for tree in (claimed, judged))
    return Problem(file, place, _clipped(value), f"the judge finds {_clipped(expected)}")


def _at(tree: Any, place: str) -> Any:
    """Value at a place like `lesions[0].dose_gy` of a JSON tree; None if there is none."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        if key and isinstance(tree, dict):
            tree = tree.get(key)
        elif index and isinstance(tree, list) and int(index) < len(tree):
            tree = tree[int(index)]
        else:
            return None
    return tree


def _clipped(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


if __name__ == "__main__":
    main()
