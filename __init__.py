"""Schedules of radiotherapy, immunotherapy and chemotherapy: cases, judge, search, proof.

`abscopt.instances` says what is asked, `abscopt.optimizer` what to do, `abscopt.models` what a
dose or a drug does.
"""

from __future__ import annotations

__version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """`__version__`, read from the installed package when first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("abscopt")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
