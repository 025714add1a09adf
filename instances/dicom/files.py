"""DICOM files: which they are, and whether they are whole. The only module that knows pydicom."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from abscopt.instances.reading.problems import InputError, refused

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_BYTES = 1_000_000_000
"""A dose on a grid of 1 mm around a whole trunk has 500 MB."""
DOSE, STRUCTURES, PLAN = "RTDOSE", "RTSTRUCT", "RTPLAN"
KINDS = {
    "1.2.840.10008.5.1.4.1.1.481.2": DOSE,
    "1.2.840.10008.5.1.4.1.1.481.3": STRUCTURES,
    "1.2.840.10008.5.1.4.1.1.481.5": PLAN,
    "1.2.840.10008.5.1.4.1.1.481.8": PLAN,  # of ions
}
"""SOP classes that count (DICOM PS3.4, B.5; verified by pydicom's table of UIDs)."""
PREAMBLE = 128
MARK = b"DICM"
"""What follows the preamble of every DICOM file (PS3.10, 7.1)."""


@dataclass(frozen=True)
class RtFile:
    """One object: path as the user wrote it, SHA-256, kind, and what it holds."""

    label: str
    sha256: str
    kind: str
    data: Dataset

    def wrong(self, place: str, value: object, rule: str) -> InputError:
        """An error in this file."""
        return refused(self.label, place, value, rule)

    def needed(self, holder: Dataset, keyword: str) -> object:
        """A value that the object must have; raises InputError where it is missing or empty."""
        try:
            value: object = holder.get(keyword)
        except Exception:  # pydicom converts values when they are read, with errors of many kinds
            raise self.wrong(keyword, "unreadable", "must be a value of its kind") from None
        if value is None or (hasattr(value, "__len__") and len(value) == 0):
            raise self.wrong(keyword, "missing", "the object must have it")
        return value


class _Watched(io.BytesIO):
    """Bytes that note whether a reader wanted more of them than there are."""

    short = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is not None and size > 0 and len(data) < size and (data or size > 8):
            self.short = True  # the end of a sound file is found by a header of 8 bytes that is not
        return data


def read_all(paths: Sequence[str]) -> tuple[list[RtFile], int]:
    """RT objects of files and folders, and how many files of folders are none.

    Raises
    ------
    InputError
        For a path that is no RT object, and for any DICOM file that is cut off.
    """
    objects, skipped = [], 0
    for path in paths:
        for file, stated in _files(path):
            entry = _read(file, stated)
            skipped += entry is None
            objects += [] if entry is None else [entry]
    if not objects:
        raise refused(paths[0], "path", "no RT object", "must hold RT doses and structures")
    return objects, skipped


def _files(path: str) -> Iterator[tuple[str, bool]]:
    """Files of a path, and whether each was stated by itself."""
    if Path(path).is_dir():
        for file in sorted(Path(path).rglob("*")):
            if file.is_file():
                yield str(file), False
    else:
        yield path, True


def _read(path: str, stated: bool) -> RtFile | None:
    """One object; None where a folder holds something else."""
    try:
        if not Path(path).is_file():
            raise refused(path, "path", "no such file", "must be a DICOM file or a folder of them")
        with Path(path).open("rb") as stream:
            head = stream.read(PREAMBLE + len(MARK))
            if head[PREAMBLE:] != MARK:
                if stated:
                    raise refused(path, "file", "no DICOM file", "must be DICOM (DICM at byte 128)")
                return None
            content = head + stream.read(MOST_BYTES)
    except OSError as error:
        raise refused(path, "path", error.strerror or "unreadable", "must be readable") from None
    if len(content) >= MOST_BYTES:
        raise refused(path, "file", "too long", f"must not exceed {MOST_BYTES} bytes")
    data = _parsed(content, path)
    kind = KINDS.get(str(data.get("SOPClassUID", "")))
    if kind is not None:
        return RtFile(path, hashlib.sha256(content).hexdigest(), kind, data)
    if stated:
        rule = "must be an RT dose, structure set or plan"
        raise refused(path, "SOPClassUID", "another kind of object", rule)
    return None


def _parsed(content: bytes, path: str) -> Dataset:
    library = _pydicom()
    stream = _Watched(content)
    with _silent():
        try:
            data: Dataset = library.dcmread(stream)
            data.walk(lambda *_: None)  # values within sequences are parsed when they are read
        except Exception:  # whatever a damaged file makes of the reader
            raise refused(path, "file", "damaged", "must be a whole DICOM file") from None
    if stream.short:
        raise refused(path, "file", "cut off", "must be a whole DICOM file")
    return data


def _pydicom() -> ModuleType:
    try:
        import pydicom
    except ImportError:
        rule = "is not installed: pip install 'abscopt[dicom]'"
        raise refused("import dicom", "library", "pydicom", rule) from None
    return pydicom


@contextmanager
def _silent() -> Iterator[None]:
    """No warnings or log lines of the library: they may repeat what identifies a person."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
