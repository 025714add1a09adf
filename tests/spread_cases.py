"""Cases whose tumors differ in radiosensitivity from patient to patient."""

from __future__ import annotations

import numpy as np
from random_instances import Raw


def spread(raw: Raw, seed: int) -> Raw:
    """The case with spreads of alpha, of some lesions or of all."""
    rng = np.random.default_rng(seed)
    lesions = [
        one | {"alpha_cv": round(float(rng.uniform(0.05, 0.5)), 3)} for one in raw["lesions"]
    ]
    if len(lesions) > 1 and rng.random() < 0.3:
        lesions[0] = raw["lesions"][0]
    return raw | {"lesions": lesions}
