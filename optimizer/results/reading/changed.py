"""The case that a document is of: as named, or with the changes that the document states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.change import FOLLOWS
from abscopt.instances.load import InputError
from abscopt.optimizer.results.files import load_case, read_file
from abscopt.optimizer.results.reading.schedule_files import read_document
from abscopt.optimizer.results.result import instance_digest

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance

MOST_CHANGES = 1000
"""Changes that are read back from one document."""


def case_for(case: str, changes: Sequence[Change], file: str) -> Instance:
    """The case on which a file is judged.

    Parameters
    ----------
    changes : those asked for; without any, those of a document that was made with some hold

    Raises
    ------
    InputError
        If there is no such case, or the changes asked for do not fit it.
    """
    instance = load_case(case, changes)
    if changes:
        return instance
    try:
        raw = read_file(file, read_document).raw
    except InputError:  # whoever reads the schedule says what is wrong
        return instance
    return restated(raw, case, instance) or instance


def restated(raw: Any, case: str, instance: Instance) -> Instance | None:
    """The case with the changes that a document states, if the document is of that one."""
    texts = stated_in(raw)
    if not texts or raw.get("instance_digest") == instance_digest(instance):
        return None
    try:
        changed = load_case(case, texts)
    except InputError:
        return None
    return changed if instance_digest(changed) == raw.get("instance_digest") else None


def stated_in(raw: Any) -> list[str]:
    """Changes that a document states, without what followed from them."""
    texts = raw.get("changes") if isinstance(raw, dict) else None
    if not isinstance(texts, list) or len(texts) > MOST_CHANGES:
        return []
    return [text for text in texts if isinstance(text, str) and not text.startswith(FOLLOWS)]
