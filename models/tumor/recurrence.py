"""When a local failure is seen: survivors of radiation must regrow to a visible number first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def log_survivors_seen(
    years: ArrayLike, log_visible: ArrayLike, regrowth_per_year: ArrayLike
) -> FloatArray:
    """Return the log number of survivors that are just seen as a failure after some years.

    ``θ(t) = ln(1 + V e^{−λt})``: survivors that grow by e^{λt} are seen once they are V; from
    ln V at once down to 0, a single one, after ``t* = ln V/λ``. Of e^{u₀} survivors no failure is
    seen until t with ``P(t) = 1/(1 + e^{u₀ − θ(t)})``, the `control_probability` of ``u₀ − θ``,
    which falls to that of ``u₀``.

    Parameters
    ----------
    years
        ``t`` ≥ 0 since radiation, any shape.
    log_visible
        ``ln V`` in nats, broadcast: clonogens at which a lesion counts as grown.
    regrowth_per_year
        ``λ`` ≥ 0 in nats a year, broadcast.

    Returns
    -------
    FloatArray
        ``θ`` in nats, ≥ 0, broadcast shape.

    Notes
    -----
    Source: own (M39 of docs/reference/model.md); late recurrences come of few survivors, early
    ones of many. Status: derived.
    """
    waiting = np.asarray(log_visible, dtype=np.float64) - np.asarray(
        regrowth_per_year, dtype=np.float64
    ) * np.asarray(years, dtype=np.float64)
    return np.logaddexp(0.0, waiting)
