"""Settings of an engine exchanged for a while: for tests, ablations and users who tune."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def using(module: ModuleType, settings: object) -> Iterator[None]:
    """Other settings of an engine within a `with` block, of this process.

    Parameters
    ----------
    module : one of the modules `settings`, whose `CURRENT` its engine reads at each use
    settings : a `Settings` of that module; those before come back after the block

    Raises
    ------
    TypeError
        If the settings are those of another engine.
    """
    before = module.CURRENT
    if not isinstance(settings, type(before)):
        raise TypeError(f"{module.__name__} has no settings of {type(settings).__module__}")
    module.__dict__["CURRENT"] = settings
    try:
        yield
    finally:
        module.__dict__["CURRENT"] = before
