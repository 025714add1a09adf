"""Files named by the user: read with a message, written complete or not at all."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from abscopt.instances.load import CASES, InputError, Problem, build

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.result import Result

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
MOST_SHOWN = 400


def _label(file: str) -> str:
    """A file name as errors show it: whole, unless it is absurdly long."""
    return file if len(file) <= MOST_SHOWN else file[: MOST_SHOWN - 3] + "..."


def read_file(file: str, reader: Callable[[Path], Content]) -> Content:
    """What `reader` makes of a file; raises InputError."""
    path = Path(file)
    try:
        if not path.exists():
            raise InputError([Problem(file, "path", file, "no such file")])
        return reader(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(_label(file), "path", reason, "must be readable")]) from None


def replace_file(path: Path, text: str) -> None:
    """Write a file through a draft beside it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_file(file: str, text: str, option: str) -> None:
    """Write the file that an option names; raises InputError."""
    try:
        replace_file(Path(file), text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputError([Problem(_label(file), option, reason, "must be writable")]) from None


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
    clash = sorted(set(taken) & set(RESULT_FILES))
    if clash:
        raise wrong(out, f"{clash[0]} is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise wrong(out, "must be writable")
    return folder


def write_result(
    folder: Path, result: Result, instance: Instance, document: str, report: str
) -> None:
    """Write every file of a result; each appears complete or not at all."""
    from abscopt.optimizer.report import csv_files

    files = {"report.txt": report, **csv_files(result, instance)}
    if result.schedule is None:
        (folder / "schedule.json").unlink(missing_ok=True)
    else:
        files["schedule.json"] = json.dumps(result.schedule.to_json(instance), indent=2) + "\n"
    files["result.json"] = document + "\n"
    for name, text in files.items():
        replace_file(folder / name, text)


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
        with path.open("x", encoding="utf-8") as new:
            new.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        wrong = Problem(_label(str(path)), "path", reason, "must be a new file")
        raise InputError([wrong]) from None
    return path
