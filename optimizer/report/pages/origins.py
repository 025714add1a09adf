"""Where a value of a case is from: a library entry, the case itself, or a default.

A table that was completed from the library has the source of the entry. What a case states beside
it, such as the volume of a lesion, is not that source's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.instances.sources import library, library_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from abscopt.instances.schema import Instance

LIBRARIES = {
    "lesions": "tumors",
    "organs": "tissues",
    "immune": "scenarios",
    "drugs": "drugs",
    "regimens": "regimens",
}
"""Tables of a case and the library file that completes their entries; limits come from a set."""
STATED = ("stated in the case", "see its provenance")
DEFAULT = ("not stated", "default")


def origins(case: Instance, name: str, table: BaseModel) -> dict[str, tuple[str, str]]:
    """Source and status of each key of one table of a case.

    Parameters
    ----------
    name : of the list or dictionary of the case that the table is in, such as `lesions`
    """
    of_table = (str(getattr(table, "source", "") or ""), str(getattr(table, "status", "") or ""))
    stated = table.model_dump(mode="json", exclude_unset=True)
    entries = [entry for entry in _entries(case, name) if entry.get("source") == of_table[0] != ""]
    equal = [{key for key in entry if entry[key] == stated.get(key)} for entry in entries]
    taken = max(equal, key=len, default=None)  # entries of one study share their source
    origin = {}
    for key in type(table).model_fields:
        if key not in stated:
            origin[key] = DEFAULT
        elif taken is None:
            origin[key] = of_table if any(of_table) else STATED
        else:
            origin[key] = of_table if key in taken else STATED
    return origin


def _entries(case: Instance, name: str) -> Iterable[Mapping[str, Any]]:
    """Library entries that may have completed a table."""
    if name == "limits":
        return [] if case.limit_set is None else library_limits(case.limit_set).values()
    return library(LIBRARIES[name]).values() if name in LIBRARIES else []
