"""The commands `abscopt instances`: list, show, check, schema, new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abscopt.instances.changes.change import Change
from abscopt.instances.load import (
    InputError,
    Problem,
    locate,
    read_text,
    resolved_text,
    titles,
)
from abscopt.optimizer.console.guard import line_of, say, say_json
from abscopt.optimizer.console.options import changes_options, ensemble_options, strict_option
from abscopt.optimizer.results.files import load_case
from abscopt.optimizer.results.result import FORMAT

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


def _audited(instance: Instance, file: str) -> tuple[list[Problem], list[Problem]]:
    """Notes of the input audit, and as problems for `--strict` those that are warnings."""
    from abscopt.optimizer.audit import case_audit

    notes = case_audit(instance).notes
    shown = [Problem(file, note.place, note.level, note.text) for note in notes]
    wrong = [
        Problem(file, note.place, note.kind, note.text) for note in notes if note.level == "warning"
    ]
    return shown, wrong


def refuse_warnings(instance: Instance, file: str) -> None:
    """Raise InputError if the input audit has a warning."""
    if problems := _audited(instance, file)[1]:
        raise InputError(problems)


@click.group("instances", invoke_without_command=True)
@click.pass_context
def instances_group(ctx: click.Context) -> None:
    """List, show and check patient cases."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@instances_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(as_json: bool = False) -> None:
    """Name and title of every bundled case."""
    title_by_name = titles()
    if as_json:
        rows = [{"name": name, "title": title} for name, title in title_by_name.items()]
        say_json({"format": FORMAT, "kind": "instances", "instances": rows})
        return
    width = max(len(name) for name in title_by_name)
    for name, title in title_by_name.items():
        say(f"{name:<{width}}  {title}")


@instances_group.command("show")
@click.argument("case", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the text of its file.")
@click.option(
    "--resolved", is_flag=True,
    help="Print it as TOML with all library values, those of the schema as comments.",
)  # fmt: skip
@changes_options
def show_command(
    case: str, as_json: bool, as_toml: bool, resolved: bool, changes: tuple[Change, ...]
) -> None:
    """What a case asks, where its numbers come from, how many choices it leaves."""
    if as_toml and not resolved:
        if changes or as_json:
            raise click.UsageError("--toml prints the file as it is; use --resolved")
        say(read_text(locate(case)).rstrip("\n"))
        return
    instance = load_case(case, changes)
    if resolved:
        say(resolved_text(instance).rstrip("\n"))
        return
    from abscopt.optimizer.results.text.case_report import instance_document, instance_report

    if as_json:
        say_json(instance_document(instance))
    else:
        say(instance_report(instance).rstrip("\n"))


@instances_group.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@strict_option
@changes_options
def check_command(files: tuple[str, ...], strict: bool, changes: tuple[Change, ...]) -> None:
    """Check case files: problems go to stderr, notes of the input audit follow the `ok`."""
    wrong: list[Problem] = []
    for file in files:
        try:
            notes, warnings = _audited(load_case(file, changes), file)
        except InputError as error:
            wrong += error.problems
            continue
        if warnings and strict:
            wrong += warnings
            continue
        say(f"{file}: ok")
        for note in notes:
            say(line_of(note))
    if wrong:
        raise InputError(wrong)


@instances_group.command("members")
@click.argument("case", metavar="NAME|FILE")
@ensemble_options
@click.option("--out", metavar="DIR", help="Write each member as a case of its own, and a table.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options
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
    instance = load_case(case, changes)
    from abscopt.optimizer.ensemble import written
    from abscopt.optimizer.ensemble.drawn import ensemble_of

    ensemble = ensemble_of(instance, ensemble_name, size=size, seed=ensemble_seed)
    if out is not None:
        for path in written.write_members(ensemble, out):
            say(f"{path}: written", err=True)
    if as_json:
        say_json(written.members_document(ensemble))
    else:
        say(written.members_report(ensemble).rstrip("\n"))


@instances_group.command("schema")
def schema_command() -> None:
    """JSON Schema of an instance file."""
    from abscopt.instances.schema import json_schema

    say_json(json_schema())


@instances_group.command("new")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--name", default="my-case", show_default=True, help="Name of the new case.")
def new_command(file: str | None, name: str) -> None:
    """Write a commented template of a case (default: NAME.toml); never over another file."""
    from abscopt.optimizer.results.files import new_case

    path = new_case(file, name)
    say(f"{path}: written; check it with `abscopt instances check {path}`")
