"""Clocks for tests of searches that are stopped."""

from __future__ import annotations

from abscopt.optimizer.progress import Clock


class Stopping(Clock):
    """Expires after so many looks at the clock."""

    def __init__(self, looks: int):
        super().__init__()
        self.looks = looks

    @property
    def expired(self) -> bool:
        if self._until is not None:  # its own, short time
            return super().expired
        self.looks -= 1
        return self.looks < 0
