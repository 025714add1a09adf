"""DVH files: bytes, their SHA-256, the shape they are in, and the curves of their structures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.dvh.files import exports, plain
from abscopt.instances.dvh.files.tables import Kind
from abscopt.instances.dvh.measures import Curve
from abscopt.instances.reading.problems import refused

MOST_BYTES = 60_000_000
"""Forty structures at 1 cGy to 80 Gy with three columns are 20 MB."""


@dataclass(frozen=True)
class DvhFile:
    """What a file says, without anything that identifies a person.

    Attributes
    ----------
    label : path as the user wrote it, for messages only
    sha256 : of its bytes
    curves : by structure
    unusable : structures without a curve, and why
    prescribed_gy : total dose that it states; None if it states none, or several
    fractions : number of fractions, in the same way
    others : structures whose curves nobody asked for
    kind : what it is, for the provenance of a case
    """

    label: str
    sha256: str
    curves: dict[str, Curve]
    unusable: dict[str, str]
    prescribed_gy: float | None
    fractions: int | None = None
    others: tuple[str, ...] = ()
    kind: str = "dose-volume histograms"

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures that may be mapped."""
        return (*self.curves, *self.others)


def usable(
    drawn: Iterable[tuple[str, Curve | str]],
) -> tuple[dict[str, Curve], dict[str, str]]:
    """Curves by structure, and of structures without one the reason that stands in its place."""
    curves: dict[str, Curve] = {}
    reasons: dict[str, str] = {}
    for name, curve in drawn:
        if isinstance(curve, str):
            reasons[name] = curve
        else:
            curves[name] = curve
    return curves, reasons


def read(path: str, kind: Kind | None = None) -> DvhFile:
    """Curves of one file.

    Parameters
    ----------
    kind : of a file that does not say whether it is cumulative or differential

    Raises
    ------
    InputError
        With file, place, value and rule of the first thing that is wrong.
    """
    data = _bytes(path)
    text = _text(data, path)
    if exports.is_eclipse(text):
        tables, prescribed = exports.eclipse(text, path)
    elif exports.is_raystation(text):
        tables, prescribed = exports.raystation(text, path)
    elif exports.is_monaco(text):
        tables, prescribed = exports.monaco(text, path)
    elif exports.is_oncentra(text):
        tables, prescribed = exports.oncentra(text, path)
    else:
        tables, prescribed = plain.tables(text, path)
    curves: dict[str, Curve] = {}
    unusable: dict[str, str] = {}
    for table in tables:
        if table.structure in curves or table.structure in unusable:
            rule = "a structure twice in one file: export one plan, each structure once"
            raise refused(path, f"line {table.lines[0]}", table.structure, rule)
        why = table.why_unusable
        if why is None:
            curves[table.structure] = table.curve(kind)
        else:
            unusable[table.structure] = why
    if not curves:
        raise refused(path, "file", "no structures", "must hold a table of a structure")
    return DvhFile(path, hashlib.sha256(data).hexdigest(), curves, unusable, prescribed)


def _bytes(path: str) -> bytes:
    file = Path(path)
    try:
        if not file.is_file():
            value = "a folder" if file.is_dir() else "no such file"
            raise refused(path, "path", value, "must be a DVH file")
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unreadable"
        raise refused(path, "path", reason, "must be readable") from None
    if len(data) > MOST_BYTES:
        raise refused(path, "file", "too long", f"must not exceed {MOST_BYTES} bytes")
    return data


def _text(data: bytes, path: str) -> str:
    """Text in UTF-8 or UTF-16 with a mark, else in the Windows encoding of western Europe."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise refused(path, "file", "binary", "must be text, not DICOM")
    return text
