"""The site: ``sphinx-build -W -b html docs build/site`` (extra ``docs``).

The pages of this folder as they are, tutorials executed (MyST-NB), and two pages that are written
here from the code itself: commands (the help of each) and library (signature and docstring of
every public name) of the reference.
"""

from __future__ import annotations

import inspect
import os
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType

import click
from sphinx.application import Sphinx

from abscopt import __version__
from abscopt.cli import main

project = "abscopt"
author = "The abscopt authors"
copyright = "the abscopt authors, MIT license"
release = version = __version__
extensions = ["myst_nb"]
html_theme = "furo"
html_title = f"abscopt {__version__}"
html_show_sphinx = False
html_copy_source = False
exclude_patterns = ["**/__pycache__"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_in_temp = True  # tutorials write files
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # seconds a cell; the slowest takes some 15 on two idle cores
suppress_warnings = ["myst-nb.lexer"]  # without execution no kernel says how to color cells
# `sphinx-build -b linkcheck` asks the network; `tests/test_links.py` asks the files only.
linkcheck_anchors = False  # GitHub's are made in the browser
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1)"]
linkcheck_allowed_redirects = {r"https://doi\.org/": r"https://"}  # what a DOI is for
linkcheck_allow_unauthorized = True  # publishers that want a login are there
linkcheck_timeout = 30  # seconds; publishers are slow
linkcheck_retries = 2
linkcheck_rate_limit_timeout = 60.0

HERE = Path(__file__).parent
# Tutorials call `abscopt`: that of the Python that builds the site.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["ABSCOPT_DOCS"] = str(HERE)  # where a tutorial finds the files that it reads
# The width of a code block, so that tables of the terminal do not wrap.
os.environ["COLUMNS"] = "100"

PUBLIC = ("abscopt.instances", "abscopt.optimizer")
WRITTEN = "Written from the code when the site is built."


def commands(command: click.Command, context: click.Context) -> list[str]:
    """Help of a command and of those below it, each under a heading."""
    if isinstance(command, click.Group):
        parts = [command.get_command(context, name) for name in command.list_commands(context)]
        below = [commands(part, click.Context(part, info_name=part.name, parent=context))
                 for part in parts if part and not part.hidden]  # fmt: skip
        top = [] if context.parent is None else page(command, context)
        return [*top, *(line for lines in below for line in lines)]
    return page(command, context)


def page(command: click.Command, context: click.Context) -> list[str]:
    """Heading and help of one command."""
    context.terminal_width = context.max_content_width = 100
    return [f"## {context.command_path}", "", "```text", command.get_help(context), "```", ""]


def names(module: str) -> list[str]:
    """Signature and docstring of the public names of a module."""
    lines = [f"## {module}", ""]
    room = import_module(module)
    for name in sorted(room.__all__):
        thing = getattr(room, name)
        if not isinstance(thing, (type, FunctionType)):
            continue
        lines += [f"### {name}", "", "```text", f"{name}{inspect.signature(thing)}", ""]
        lines += [inspect.getdoc(thing) or "", "```", ""]
    return lines


def write(app: Sphinx) -> None:
    """Write the pages of commands and of the library."""
    context = click.Context(main, info_name="abscopt")
    library = [line for module in PUBLIC for line in names(module)]
    pages = {
        "commands": ["# Commands", "", WRITTEN, "", *commands(main, context)],
        "library": ["# Library", "", WRITTEN, "", *library],
    }
    for name, lines in pages.items():
        (HERE / "reference" / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Sphinx's hook: write before pages are read."""
    app.connect("builder-inited", write)
