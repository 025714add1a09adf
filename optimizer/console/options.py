"""Options that several commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import click

from abscopt.instances.changes.change import REMOVE, as_changes
from abscopt.optimizer.process.started import time_left

strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Warnings of the input audit (probable mistakes) are errors: exit code 2.",
)


def finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A number that is finite and not negative; a gap is above 0."""
    if value is None:
        return None
    low, strict = (0.0, True) if param.name == "gap" else (0.0, False)
    if not math.isfinite(value) or value < low or (strict and value == low):
        raise click.BadParameter(f"{value} is not finite and {'>' if strict else '>='} 0", ctx)
    return value


class Within(click.FloatRange):
    """A number within a range, which NaN is not: every comparison with it fails."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; click's error where it is none of the range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


LIMIT_OF_COMMAND = (
    "Wall seconds from the start of the command to its end, at least half of them for the solve; "
    "default: none."
)


LIMIT_OF_SOLVES = "Wall seconds of each solve; default: none."


def solver_options(limit_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gap, time limit, threads and seed."""
    options = (
        click.option(
            "--gap", type=float, callback=finite, metavar="G",
            help="Absolute gap, in the objective's unit, at which to stop; default: the case's.",
        ),
        click.option(
            "--time-limit", type=float, callback=finite, metavar="S",
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


def from_the_start(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a solve that begins now; the time limit counts from the start of the command."""
    return options | {"time_limit": time_left(options["time_limit"])}


def changes_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--csv` and `--json` of a command that prints a table: `csv_file` and `as_json`."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        command
    )
    return click.option("--csv", "csv_file", metavar="FILE|-", help="Write the rows as CSV.")(
        command
    )


def cross_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Judge the answer to one case on another."""
    return click.option(
        "--cross", is_flag=True,
        help="The file may be the answer to another case; its schedule is judged on this one.",
    )(command)  # fmt: skip


def ensemble_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
