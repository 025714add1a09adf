"""Other settings of a search or of the programme, for the length of a test."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest


def tune(monkeypatch: pytest.MonkeyPatch, settings: ModuleType, **changed: float) -> None:
    """Change some fields of a module's `CURRENT` until the test ends."""
    monkeypatch.setattr(settings, "CURRENT", replace(settings.CURRENT, **changed))
