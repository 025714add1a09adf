"""The group of commands: signals, messages and exit codes; what is printed, and where."""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import sys
from typing import Any

import click

from abscopt.instances.load import (
    InputError,
    Problem,
)
from abscopt.optimizer.process import interrupts
from abscopt.optimizer.process.started import is_program
from abscopt.optimizer.progress import Stopped

OBJECTS = 50_000
"""New objects between two looks for garbage in cycles, some MB. Python's 700 cost a short solve 5 %
of its time: what it imports and tabulates stays, and is looked through again and again."""


class Guarded(click.Group):
    """Group whose commands obey signals and end with a message and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program."""
        if is_program():
            gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
            atexit.register(gc.freeze)  # else Python looks for garbage at its end: up to 0.4 s
        with interrupts.program():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn exceptions into messages."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            for problem in error.problems:
                say(line_of(problem), err=True)
            ctx.exit(2)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Stopped as error:
            say(f"abscopt: {error}", err=True)
            ctx.exit(interrupts.NOTHING_IN_HAND)
        except (KeyboardInterrupt, click.Abort):
            say("abscopt: interrupted", err=True)
            ctx.exit(interrupts.NOTHING_IN_HAND)
        except Exception as error:
            broken_pipe = isinstance(error, OSError) and error.errno == errno.EPIPE
            if broken_pipe or os.environ.get("ABSCOPT_DEBUG"):
                raise
            what = " ".join(f"{type(error).__name__}: {error}".split())
            say(f"abscopt: internal error: {what}", err=True)
            say("abscopt: set ABSCOPT_DEBUG=1 to see the traceback", err=True)
            ctx.exit(1)


def say(text: str, err: bool = False) -> None:
    """Print a line; characters the terminal cannot show are escaped."""
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=err)


def say_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    say(json.dumps(document, indent=2, allow_nan=False))


def one_stream(csv_file: str | None, as_json: bool) -> None:
    """Refuse JSON and CSV on one stream."""
    if as_json and csv_file == "-":
        raise click.UsageError("--json and --csv - both print to stdout")


def say_table(findings: Any, module: Any, csv_file: str | None, as_json: bool) -> None:
    """Print what a module makes of its findings: text, JSON or CSV; write the CSV file named."""
    from abscopt.optimizer.results.files import write_file

    if csv_file is not None and csv_file != "-":
        write_file(csv_file, module.csv_text(findings), "--csv")
    if as_json:
        say_json(module.document(findings))
    else:
        say((module.csv_text if csv_file == "-" else module.report)(findings).rstrip("\n"))


def line_of(problem: Problem) -> str:
    """A problem or a note in one line."""
    return " ".join(str(problem).split())
