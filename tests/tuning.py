"""Other settings of the search for uniform courses, for the length of a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abscopt.optimizer.search.uniform import settings


def tune(monkeypatch: pytest.MonkeyPatch, **changed: float) -> None:
    """Change some settings until the test ends."""
    monkeypatch.setattr(settings, "CURRENT", replace(settings.CURRENT, **changed))
