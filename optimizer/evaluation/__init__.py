"""The judge: recomputes a schedule exactly, knowing nothing of candidates or programme."""

from abscopt.optimizer.evaluation.judge import Judge, evaluate
from abscopt.optimizer.evaluation.limits import LimitUse
from abscopt.optimizer.evaluation.verdict import Evaluation, LesionOutcome

__all__ = ["Evaluation", "Judge", "LesionOutcome", "LimitUse", "evaluate"]
