"""Schedules of a case in published forward models, beside the surrogate that the judge uses."""

from abscopt.optimizer.simulation.blood import EDRIC, MACLENNAN
from abscopt.optimizer.simulation.model import Model, Simulated
from abscopt.optimizer.simulation.pooled import CHO, CHO_SLOW
from abscopt.optimizer.simulation.pulses import XING
from abscopt.optimizer.simulation.separate import GONZALEZ_CRESPO, ICD, KOSINSKY

MODELS = (CHO, CHO_SLOW, KOSINSKY, GONZALEZ_CRESPO, ICD, XING, MACLENNAN, EDRIC)
"""Every model, in the order of reports."""

__all__ = ["MODELS", "Model", "Simulated"]
