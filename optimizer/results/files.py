"""Files named by the user: read with a message, written complete or not at all.

A file is written as a draft beside it, which is synced to the disk, renamed over it, and the
folder is synced: whatever ends the process or the machine, the old file or the new one is there.
The files of a result belong together. All drafts are on the disk before the first is renamed, and
while they are renamed `UNFINISHED` lies in the folder: where it is found later a run was ended
there, and nothing in the folder is read until another run has replaced it all.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from abscopt.instances.load import CASES, InputError, Problem, build, load

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule

Content = TypeVar("Content")

TEMPLATE = CASES.parent / "template.toml"
RESULT_FILES = (
    "report.txt",
    "schedule.csv",
    "schedule.json",
    "limits.csv",
    "lesions.csv",
    "result.json",
)
UNFINISHED = "UNFINISHED"
UNFINISHED_TEXT = (
    "A run was ended while it wrote the files of this folder: some may be missing, or of another "
    "run.\n"
    "Solve again with the same --out: that replaces them all and removes this file.\n"
)
MOST_SHOWN = 400


def _label(file: str) -> str:
    """A file name as errors show it: whole, unless it is absurdly long."""
    return file if len(file) <= MOST_SHOWN else file[: MOST_SHOWN - 3] + "..."


def load_case(name: str, changes: Sequence[str | Change] = ()) -> Instance:
    """A bundled case, or one in a file, with changes; raises InputError."""
    try:
        return load(name, changes)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(name[:80], "path", reason, "must be readable")]) from None


def read_file(file: str, reader: Callable[[Path], Content]) -> Content:
    """What `reader` makes of a file; raises InputError."""
    path = Path(file)
    try:
        if not path.exists():
            raise InputError([Problem(file, "path", file, "no such file")])
        if path.name in RESULT_FILES and (path.parent / UNFINISHED).exists():
            rule = "a run was ended while it wrote this folder: solve again with this --out"
            raise InputError([Problem(file, "path", UNFINISHED, rule)])
        return reader(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(_label(file), "path", reason, "must be readable")]) from None


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _draft(path: Path, content: str | bytes) -> Path:
    """Write a draft beside a file; it is on the disk when this returns."""
    draft = _draft_of(path)
    try:
        with _opened_for(draft, content) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _opened_for(path: Path, content: str | bytes) -> IO[Any]:
    if isinstance(content, bytes):
        return path.open("wb")
    return path.open("w", encoding="utf-8", newline="\n")


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has a way to."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _clear_drafts(path: Path) -> None:
    """Remove what processes that are gone left of a file."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)\.tmp")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            match = pattern.fullmatch(entry.name)
            if match is not None and not _alive(int(match.group(1))):
                Path(entry.path).unlink(missing_ok=True)


def _alive(process: int) -> bool:
    """Whether a process may still be running here; that of this process counts as gone."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file through a draft beside it; a device or pipe is written to as it is."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with _opened_for(path, content) as file:
            file.write(content)
        return
    path = path.resolve()  # a link stays one
    _clear_drafts(path)
    draft = _draft(path, content)
    try:
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def write_file(file: str, content: str | bytes, option: str) -> None:
    """Write the file that an option names; raises InputError."""
    try:
        replace_file(Path(file), content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputError([Problem(_label(file), option, reason, "must be writable")]) from None


def write_folder(folder: str, files: Mapping[str, str]) -> list[Path]:
    """Write files, one after the other, into a folder that is made if need be.

    Returns their paths; nothing else in the folder is touched. Raises InputError.
    """
    try:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            replace_file(path / name, text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a folder name"
        raise InputError([Problem(folder[:80], "--out", reason, "must be a folder")]) from None
    return [path / name for name in files]


def result_folder(out: str, option: str) -> Path:
    """Folder for the result files, made before solving; raises InputError."""

    def wrong(value: str, rule: str) -> InputError:
        return InputError([Problem(option, "path", _label(value), rule)])

    if not out:
        raise wrong(out, "the name must not be empty")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except FileExistsError:
        raise wrong(out, "is a file, must be a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a folder name"
        raise wrong(out, reason) from None
    clash = sorted(set(taken) & {*RESULT_FILES, UNFINISHED})
    if clash:
        raise wrong(out, f"{clash[0]} is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise wrong(out, "must be writable")
    return folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process of ours writes to the folder, where the system can tell."""
    try:
        import fcntl

        number = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def write_result(
    folder: Path, result: Result, instance: Instance, document: str, report: str
) -> None:
    """Write the files of a result, all of one run.

    Raises
    ------
    InputError
        If the folder cannot be written to; it then is as it was, or says that it is unfinished.
    """
    from abscopt.optimizer.results.text.result_tables import csv_files

    files = {"report.txt": report, **csv_files(result, instance)}
    write_files(folder, files, result.schedule, instance, document)


def write_files(
    folder: Path,
    files: dict[str, str],
    schedule: Schedule | None,
    instance: Instance,
    document: str,
) -> None:
    """Write files of one run with its schedule and its document, the last; raises InputError."""
    if schedule is not None:
        files["schedule.json"] = json.dumps(schedule.to_json(instance), indent=2) + "\n"
    files["result.json"] = document + "\n"
    try:
        with _alone_in(folder):
            _replace_together(folder, files)
    except OSError as error:
        reason = error.strerror or "cannot be written"
        wrong = Problem(_label(str(folder)), "--out", reason, "must be writable")
        raise InputError([wrong]) from None


def _replace_together(folder: Path, files: dict[str, str]) -> None:
    """Replace the files of a result in a folder; until all are, `UNFINISHED` lies there."""
    mark = folder / UNFINISHED
    paths = [folder / name for name in files]
    for name in (UNFINISHED, *RESULT_FILES):
        _clear_drafts(folder / name)
    drafts: list[Path] = []
    try:
        for path, text in zip(paths, files.values(), strict=True):
            drafts.append(_draft(path, text))
        replace_file(mark, UNFINISHED_TEXT)
        for path, draft in zip(paths, drafts, strict=True):
            os.replace(draft, path)
        for name in sorted({*RESULT_FILES} - {*files}):  # of a run that found more
            (folder / name).unlink(missing_ok=True)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    _sync_folder(folder)
    mark.unlink(missing_ok=True)
    _sync_folder(folder)


def new_case(file: str | None, name: str) -> Path:
    """Write the commented template under a name of its own (default: NAME.toml).

    Raises
    ------
    InputError
        If the name is not one, or the file exists.
    """
    line = f"name = {json.dumps(name)}"
    template = TEMPLATE.read_text(encoding="utf-8")
    text = re.sub(r"^name = .*$", lambda _: line, template, count=1, flags=re.MULTILINE)
    path = Path(f"{name}.toml" if file is None else file)
    build(tomllib.loads(text), f"--name {name}")
    try:
        _write_new(path, text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        wrong = Problem(_label(str(path)), "path", reason, "must be a new file")
        raise InputError([wrong]) from None
    return path


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not exist; it appears complete or not at all."""
    if os.path.lexists(path):
        raise FileExistsError(17, "File exists")
    _clear_drafts(path)
    draft = _draft(path, text)
    try:
        os.link(draft, path)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
