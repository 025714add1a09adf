"""The judge: recomputes a schedule exactly, knowing nothing of candidates or programme."""

from abscopt.optimizer.evaluation.judge import Evaluation, Judge, LesionOutcome, evaluate
from abscopt.optimizer.evaluation.limits import LimitUse

__all__ = ["Evaluation", "Judge", "LesionOutcome", "LimitUse", "evaluate"]
