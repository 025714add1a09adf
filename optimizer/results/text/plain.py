"""Plain text for a person: tables in ASCII, lines folded at a width, no color codes."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as Table


WIDTH = 100


def plain_table(title: str, *columns: str) -> Table:
    """Table in plain ASCII; a heading that begins with '>' is aligned to the right."""
    from rich.box import Box
    from rich.table import Table as Table

    plain = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
    table = Table(title=title, title_justify="left", title_style="", box=plain, pad_edge=False)
    for heading in columns:
        right = heading.startswith(">")
        table.add_column(
            heading.removeprefix(">"), justify="right" if right else "left", overflow="fold"
        )
    return table


def plain_text(paragraphs: Iterable[object]) -> str:
    """Parts as lines of at most `WIDTH` columns, without color codes."""
    from rich.console import Console
    from rich.text import Text

    buffer = io.StringIO()
    console = Console(
        file=buffer, width=WIDTH, color_system=None, force_terminal=False, _environ={}
    )
    for paragraph in paragraphs:
        shown = Text(_wrapped(paragraph)) if isinstance(paragraph, str) else paragraph
        console.print(shown, markup=False, highlight=False)
    lines = [line.rstrip() for line in buffer.getvalue().split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n"


def _wrapped(line: str) -> str:
    """Line folded under the text that follows its label (`Label  text`)."""
    label = re.match(r"\s*\S+( \S+)*  +(?=\S)", line)
    indent = " " * (len(label.group()) if label else 0)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
