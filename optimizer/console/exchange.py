"""The commands that hand the programme to other solvers and read what they found."""

from __future__ import annotations

from typing import Any

import click

from abscopt.instances.changes.change import Change
from abscopt.instances.load import (
    read_text,
)
from abscopt.optimizer.console.guard import say, say_json
from abscopt.optimizer.console.judged import say_evaluation
from abscopt.optimizer.console.options import (
    LIMIT_OF_COMMAND,
    changes_options,
    from_the_start,
    solver_options,
)
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.files import load_case


@click.command("export")
@click.argument("case", metavar="NAME|FILE")
@click.option("--format", "form", type=click.Choice(["mps", "lp"]), required=True)
@click.option("--out", metavar="FILE|-", default="-", help="Default: stdout.")
@click.option("--first", is_flag=True, help="The first relaxation, neither solved nor refined.")
@click.option(
    "--whole", is_flag=True,
    help="State all that the case offers; by default a large case is reduced first, as by solve "
    "--method single.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="With --out: print one JSON document on it.")
@solver_options(LIMIT_OF_COMMAND)
@changes_options
def export_command(
    case: str,
    form: str,
    out: str,
    first: bool,
    whole: bool,
    as_json: bool,
    changes: tuple[Change, ...],
    **options: Any,
) -> None:
    """Write the programme of a case for any solver.

    It is refined until its optimum is the judged optimum within the gap. Its first lines say what
    it assumes. MPS files minimize minus the objective.
    """
    if as_json and out == "-":
        raise click.UsageError("--json needs --out FILE: the programme goes to stdout")
    instance = load_case(case, changes)
    from abscopt.optimizer.crosscheck.handover import writer
    from abscopt.optimizer.crosscheck.handover.exchange import export_programme
    from abscopt.optimizer.results.files import write_file
    from abscopt.optimizer.results.text.wording import change_lines

    with ProgressLine() as progress:
        limited = from_the_start(options)
        exported = export_programme(
            instance, first=first, whole=whole, listener=progress, **limited
        )
    text = {"mps": writer.mps, "lp": writer.lp}[form](exported.programme, exported.statements)
    if out == "-":
        say(text.rstrip("\n"))
    else:
        write_file(out, text, "--out")
    for line in (*change_lines(instance), exported.summary, *exported.statements):
        say(line, err=True)
    if as_json:
        say_json(exported.document())


@click.command("import-solution")
@click.argument("case", metavar="NAME|FILE")
@click.argument("solution", metavar="SOLUTION")
@click.option(
    "--programme", metavar="FILE", help="The exported file; only `glpsol -w` solutions need it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options
def import_command(
    case: str,
    solution: str,
    programme: str | None,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """Judge what another solver found for an exported programme."""
    instance = load_case(case, changes)
    from abscopt.optimizer.crosscheck.handover.exchange import imported_schedule
    from abscopt.optimizer.results.files import read_file

    names = None if programme is None else read_file(programme, read_text)
    schedule = imported_schedule(read_file(solution, read_text), instance, solution, names)
    say_evaluation(instance, schedule, as_json)
