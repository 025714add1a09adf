"""How animals of the model of Kosinsky et al. (2018) differ: a log-normal constant of priming."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def individual_priming_half(
    quantiles: ArrayLike, median_ul: float = 8.89, deviation: float = 0.696
) -> FloatArray:
    """Return ``S_L`` of the animals at given quantiles of its log-normal distribution.

    ``S_L = median·exp(deviation·Φ⁻¹(quantile))`` in µL, quantiles in (0, 1), any shape.

    Notes
    -----
    Source: Table 1 of doi:10.1186/s40425-018-0327-9, random effect 0.696. Status: verified numbers;
    its reading as the standard deviation of ln S_L is derived (the fitted individuals of the paper
    have 1.77, 6.95 and 22.63 at 10, 50 and 90 %, against 3.64, 8.89 and 21.7 here).
    """
    normal = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
    scores = np.asarray(normal(np.asarray(quantiles, dtype=np.float64)), dtype=np.float64)
    return median_ul * np.exp(deviation * scores)
