"""Members written out: one table, and each as a case of its own."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.text import inline
from abscopt.instances.load import resolved_text
from abscopt.optimizer.results.files import write_folder
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT, instance_digest
from abscopt.optimizer.results.text.plain import plain_table, plain_text

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ensemble.members import Ensemble, Member

TABLE = "members.csv"
MOST_COLUMNS = 6
"""Keys shown side by side on a page of 100 columns; CSV and JSON have all."""


def member_case(ensemble: Ensemble, member: Member) -> Instance:
    """A member as a case of its own, named after both."""
    case = ensemble.case
    title = f"{case.title} (member {member.name} of {ensemble.name})"
    return member.instance.with_({"name": f"{case.name}-{member.name}"[:80], "title": title})


def write_members(ensemble: Ensemble, folder: str) -> list[Path]:
    """Write each member as a case, and the table of all; raises InputError.

    The files of members of the same names are replaced; nothing else in the folder is touched.
    """
    cases = (member_case(ensemble, member) for member in ensemble.members)
    files = {f"{case.name}.toml": resolved_text(case) for case in cases}
    return write_folder(folder, {**files, TABLE: members_csv(ensemble)})


def members_csv(ensemble: Ensemble) -> str:
    """One row per member: its weight and the value of every key that differs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["member", "weight", *ensemble.keys])
    for member in ensemble.members:
        values = {change.key: change.value for change in member.changes}
        row = [values.get(key, "") for key in ensemble.keys]
        writer.writerow([member.name, repr(float(member.weight)), *row])
    return buffer.getvalue()


def members_document(ensemble: Ensemble) -> dict[str, Any]:
    """What `instances members --json` prints."""
    return {
        "format": FORMAT,
        "kind": "ensemble",
        "notice": DISCLAIMER,
        "instance": ensemble.case.name,
        "instance_digest": instance_digest(ensemble.case),
        "ensemble": ensemble.name,
        "left_out": list(ensemble.left_out),
        "members": [
            {
                "name": member.name,
                "weight": member.weight,
                "instance_digest": instance_digest(member.instance),
                "changes": {change.key: change.value for change in member.changes},
            }
            for member in ensemble.members
        ],
    }


def members_report(ensemble: Ensemble) -> str:
    """The table for a person: the first keys that differ, and how many more there are."""
    keys = ensemble.keys[:MOST_COLUMNS]
    title = f"{ensemble.case.name}: {len(ensemble.members)} members, ensemble {ensemble.name}"
    table = plain_table(title, "Member", ">Weight", *(f">[{i + 1}]" for i in range(len(keys))))
    for member in ensemble.members:
        values = {change.key: change.value for change in member.changes}
        shown = (inline(values[key]) if key in values else "-" for key in keys)
        table.add_row(member.name, f"{member.weight:.3g}", *shown)
    lines: list[object] = [f"[{i + 1}]  {key}" for i, key in enumerate(keys)]
    if len(ensemble.keys) > len(keys):
        lines.append(f"and {len(ensemble.keys) - len(keys)} more keys: --json or --out")
    if ensemble.left_out:
        lines.append(f"Not in this case  {', '.join(ensemble.left_out)}")
    return plain_text([table, *lines, "", DISCLAIMER])
