"""Rows as CSV: alike in every table that is written, and split alike in every file that is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from abscopt.instances.load import InputError, Problem


def csv_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under a heading; several entries of one cell are joined by '; '."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "; ".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return buffer.getvalue()


def csv_lines(text: str, label: str) -> Iterator[tuple[int, list[str]]]:
    """(line, stripped cells) of every row that is not blank; comma, semicolon or tab.

    Raises
    ------
    InputError
        If the text is not CSV; `label` names the file.
    """
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        place = f"line {reader.line_num}"
        raise InputError([Problem(label, place, str(error), "must be valid CSV")]) from None
