"""Instances from files and from the bundled set: read, complete from the library, check.

Any problem raises `InputError`, which lists file, place, value and rule of each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from abscopt.instances.changes.change import Changes, as_changes
from abscopt.instances.changes.text import toml
from abscopt.instances.reading.fill import completed
from abscopt.instances.reading.problems import (
    InputError,
    Problem,
    first_of,
    printable,
    problems_of,
    refused,
)
from abscopt.instances.reading.read import (
    MAX_BYTES,
    MOST_IN_CASE,
    check_size,
    parse_case,
    parse_json,
    parse_toml,
    read_text,
)
from abscopt.instances.sources import (
    CASES,
    LIBRARY,
    Raw,
    bundled,
    library,
    library_limits,
    names,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

__all__ = [
    "CASES",
    "LIBRARY",
    "MAX_BYTES",
    "InputError",
    "Problem",
    "build",
    "case_of",
    "library",
    "library_limits",
    "load",
    "locate",
    "names",
    "parse_json",
    "printable",
    "problems_of",
    "read_text",
    "resolved_text",
    "save",
    "titles",
    "with_changes",
]


def titles() -> dict[str, str]:
    """Title of every bundled case, read without the checking machinery."""
    files = bundled()
    return {name: str(parse_case(files[name])["title"]) for name in names()}


def locate(name_or_path: str | Path) -> Path:
    """Path of a bundled case or of a file; raises InputError if there is none."""
    case = bundled().get(str(name_or_path))
    if case is not None:
        return case
    path = Path(name_or_path)
    try:
        found = path.exists()
    except (OSError, ValueError):
        found = False
    if not found:
        rule = "no such file, and no bundled case of this name (see `abscopt instances list`)"
        raise refused(str(name_or_path), "path", str(name_or_path), rule)
    return path


def case_of(case: Instance | str | Path) -> Instance:
    """A case, or the one that a name or a path stands for; raises InputError."""
    return load(case) if isinstance(case, str | Path) else case


def load(name_or_path: str | Path, changes: Changes = ()) -> Instance:
    """Read, complete and check a bundled case or an instance file (TOML or JSON).

    Parameters
    ----------
    changes : what is to differ from the file: a table of keys and values, such as
        `{"lesions.liver.alpha_per_gy": 0.25}` (None removes), or texts such as
        `lesions.*.alpha_per_gy*=0.9`

    Raises
    ------
    InputError
        With every problem of the case as it is changed.
    """
    path, label = locate(name_or_path), str(name_or_path)
    return build(parse_case(path), label, changes, path.parent)


def build(
    raw: Raw, label: str = "instance", changes: Changes = (), folder: Path | None = None
) -> Instance:
    """Complete a parsed case from the library and check it.

    Parameters
    ----------
    label : names it in errors
    changes : as for `load`
    folder : where relative paths of `extends` begin; the working directory if None
    """
    from pydantic import ValidationError

    from abscopt.instances.reading.partial import all_problems
    from abscopt.instances.schema import Instance

    if not isinstance(raw, dict):
        raise refused(label, "file", type(raw).__name__, "must be one table")
    check_size(raw, label, MOST_IN_CASE)
    case, stated, lookups = completed(raw, label, folder, as_changes(changes, label))
    if changes:
        check_size(case, label, MOST_IN_CASE)
    try:
        text = json.dumps(case, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise refused(label, "file", type(error).__name__, "must be plain TOML or JSON") from None
    if not lookups.problems:
        try:
            instance = Instance.model_validate_json(text)
            instance._stated = stated
            return instance
        except ValidationError:
            pass
    raise InputError(first_of(all_problems(json.loads(text), lookups)))


def with_changes(instance: Instance, changes: Changes) -> Instance:
    """A case with changes, as if its file had said so; `Instance.with_`."""
    if instance._stated is not None:
        return build(instance._stated, instance.name, changes)
    wanted = as_changes(changes, instance.name)
    for change in wanted:
        if change.path[-1] in ("use", "limit_set"):
            rule = "this case was made without a file: state the values themselves"
            raise refused(instance.name, change.key, change.value, rule)
    return build(_stated_by(instance), instance.name, wanted)


def with_ensemble(instance: Instance, table: Raw) -> Instance:
    """A case that states another ensemble; no change of it is noted, however long the table is."""
    stated = _stated_by(instance) if instance._stated is None else instance._stated
    return build({**stated, "ensemble": table}, instance.name)


def _stated_by(instance: Instance) -> Raw:
    """What a case states with its library values, as a file would; alpha/beta of limits that is
    the organ's is left to the organ."""
    stated = instance.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    for limit in stated.get("limits", ()):
        organ = instance.organs.get(limit.get("organ", ""))
        if organ is not None and limit.get("alpha_beta_gy") == organ.alpha_beta_gy:
            del limit["alpha_beta_gy"]
    return stated


def resolved_text(instance: Instance) -> str:
    """TOML text of a case with its library values; those of the schema follow as comments."""
    return toml(_stated_by(instance), instance.model_dump(mode="json", exclude_none=True))


def save(instance: Instance, path: str | Path) -> None:
    """Write a case with its library values; `load` of the file is equal to it.

    A name that ends with `.json` gives JSON, any other TOML.

    Raises
    ------
    InputError
        If the text would not read back to the same case.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    is_json = path.suffix.lower() == ".json"
    text = json.dumps(_stated_by(instance), indent=2) + "\n" if is_json else resolved_text(instance)
    raw = json.loads(text) if is_json else parse_toml(text, str(path))
    if build(raw, str(path)) != instance:
        rule = "cannot be stated in a file: it lacks a value that its library entry has"
        raise refused(str(path), "case", instance.name, rule)
    path.write_text(text, encoding="utf-8", newline="\n")
