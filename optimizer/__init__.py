"""What to do: from a case to a judged schedule with a certificate."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abscopt.optimizer.ensemble.decide import decide
    from abscopt.optimizer.ensemble.observation.decide import decide_observed
    from abscopt.optimizer.ensemble.study.robustness import robustness
    from abscopt.optimizer.evaluation import evaluate
    from abscopt.optimizer.feasibility.explanation import explain, explain_lesion
    from abscopt.optimizer.fronts.pareto import frontier
    from abscopt.optimizer.fronts.tradeoff import pareto
    from abscopt.optimizer.learning.update import update
    from abscopt.optimizer.memory import Memory
    from abscopt.optimizer.near.alternatives import alternatives
    from abscopt.optimizer.pipeline import solve
    from abscopt.optimizer.process.interrupts import Interrupted
    from abscopt.optimizer.progress import Listener, Progress
    from abscopt.optimizer.ranged.sensitivity import sensitivity
    from abscopt.optimizer.replanning.replan import replan
    from abscopt.optimizer.results.reading.log_read import ReadLog, read_log
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.results.solve_log import SolveLog
    from abscopt.optimizer.schedule import Fraction, Infusion, Schedule
    from abscopt.optimizer.sweeps.read import Store, read_store
    from abscopt.optimizer.sweeps.sweep import sweep

__all__ = [
    "Fraction",
    "Infusion",
    "Interrupted",
    "Listener",
    "Memory",
    "Progress",
    "ReadLog",
    "Result",
    "Schedule",
    "SolveLog",
    "Store",
    "alternatives",
    "decide",
    "decide_observed",
    "evaluate",
    "explain",
    "explain_lesion",
    "frontier",
    "pareto",
    "read_log",
    "read_store",
    "replan",
    "robustness",
    "sensitivity",
    "solve",
    "sweep",
    "update",
]

WHERE = {
    "Fraction": "schedule",
    "Infusion": "schedule",
    "Interrupted": "process.interrupts",
    "Listener": "progress",
    "Memory": "memory",
    "Progress": "progress",
    "ReadLog": "results.reading.log_read",
    "Result": "results.result",
    "Schedule": "schedule",
    "SolveLog": "results.solve_log",
    "Store": "sweeps.read",
    "alternatives": "near.alternatives",
    "decide": "ensemble.decide",
    "decide_observed": "ensemble.observation.decide",
    "evaluate": "evaluation",
    "explain": "feasibility.explanation",
    "explain_lesion": "feasibility.explanation",
    "frontier": "fronts.pareto",
    "pareto": "fronts.tradeoff",
    "read_log": "results.reading.log_read",
    "read_store": "sweeps.read",
    "replan": "replanning.replan",
    "robustness": "ensemble.study.robustness",
    "sensitivity": "ranged.sensitivity",
    "solve": "pipeline",
    "sweep": "sweeps.sweep",
    "update": "learning.update",
}
"""Modules of the public names: heavy ones are imported when first asked for."""


def __getattr__(name: str) -> Any:
    """Import the module of a public name when it is first asked for."""
    if name in WHERE:
        return getattr(import_module(f"abscopt.optimizer.{WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names for completion, those not imported yet included."""
    return sorted({*globals(), *__all__})
