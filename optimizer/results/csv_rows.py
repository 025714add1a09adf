"""Rows as CSV, alike in every table that is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def csv_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under a heading; several entries of one cell are joined by '; '."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "; ".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return buffer.getvalue()
