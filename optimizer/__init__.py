"""What to do: from a case to a judged schedule with a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abscopt.optimizer.evaluation import evaluate
    from abscopt.optimizer.memory import Memory
    from abscopt.optimizer.pareto import frontier
    from abscopt.optimizer.pipeline import solve

__all__ = ["Memory", "evaluate", "frontier", "solve"]


def __getattr__(name: str) -> Any:
    """Import the heavy modules when first asked for."""
    if name == "solve":
        from abscopt.optimizer.pipeline import solve

        return solve
    if name == "Memory":
        from abscopt.optimizer.memory import Memory

        return Memory
    if name == "frontier":
        from abscopt.optimizer.pareto import frontier

        return frontier
    if name == "evaluate":
        from abscopt.optimizer.evaluation import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names for completion, those not imported yet included."""
    return sorted({*globals(), *__all__})
