"""What was learned about which parameter, as tables: rows of plain data and pandas frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri  # type: ignore[import-untyped]

from abscopt.instances.changes.change import path_of
from abscopt.instances.changes.values import values_at
from abscopt.optimizer.ensemble.study.frames import Rows
from abscopt.optimizer.ensemble.study.robustness import quantiles
from abscopt.optimizer.learning.space import RESORPTION
from abscopt.optimizer.learning.tempering import effective

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.learning.update import Update

LEVELS = (0.05, 0.5, 0.95)
FEW_VALUES = 5
"""Different values up to which a parameter counts as a choice."""
NOISE = 2.0
"""A mean and a variance of n sets are off by 1/n nats in the mean: twice that tells nothing."""


def observation_rows(update: Update) -> Rows:
    """One row per observation: measured, predicted before and after, deviation after.

    A limit of detection that is kept has no deviation.
    """
    likelihood, rows = update.likelihood, []
    residuals = likelihood.residuals(update.after.log_predicted)
    for i, observation in enumerate(update.observations):
        row: dict[str, Any] = {
            "observation": observation.name,
            "kind": observation.kind,
            "lesion": observation.lesion or None,
            "day": observation.day,
            "measured": observation.value,
            "seen": observation.seen,
            "unit": observation.unit,
            "error_sd": observation.sd,
        }
        for label, sample in (("prior", update.before), ("posterior", update.after)):
            allowed = np.isfinite(sample.log_predicted[:, i])
            values = np.exp(sample.log_predicted[allowed, i])
            row |= _spread(label, values, sample.weights[allowed])
        held = update.after.weights > 0.0
        mean = float(update.after.weights[held] @ residuals[held, i])
        deviation = mean / float(likelihood.total_sd[i])
        row["deviation_sd"] = deviation if observation.seen or deviation < 0.0 else None
        rows.append(row)
    return rows


def parameter_rows(update: Update) -> Rows:
    """One row per parameter: quantiles before and after, nats learned; most informative first.

    `learned` says whether the nats exceed what so few parameter sets pretend.
    """
    keys = list(dict.fromkeys(c.key for changes in update.before.changes for c in changes))
    columns = {key: _values(update, key) for key in keys}
    if update.likelihood.observations and any(o.kind == "volume" for o in update.observations):
        columns[RESORPTION] = (list(update.before.half_times), list(update.after.half_times))
    noise = NOISE / max(1.0, effective(update.after.weights))
    rows = []
    for key, (before, after) in columns.items():
        row = _row(key, before, after, update)
        if row is not None:
            rows.append(row | {"learned": row["information_nats"] > noise})
    return sorted(rows, key=lambda row: -row["information_nats"])


def member_rows(update: Update) -> Rows:
    """One row per member of the prior: weights, log likelihood, deviations of its predictions."""
    likelihood, members = update.likelihood, update.members
    scores = likelihood.residuals(members.log_predicted) / likelihood.total_sd
    prior = update.prior.members
    return [
        {
            "member": prior[i].name,
            "prior_weight": prior[i].weight,
            "weight": float(members.weights[i]),
            "log_likelihood": _finite(float(members.log_likelihood[i])),
        }
        | {
            f"deviation: {o.name}": _finite(float(scores[i, k]))
            for k, o in enumerate(update.observations)
        }
        for i in range(len(prior))
    ]


TABLES = {
    "observations": observation_rows,
    "parameters": parameter_rows,
    "members": member_rows,
}
"""Name -> rows; each becomes a frame, a CSV file and a list of the document."""


def frames(update: Update) -> dict[str, pd.DataFrame]:
    """Every table as a pandas frame."""
    import pandas as pd

    return {name: pd.DataFrame(rows(update)) for name, rows in TABLES.items()}


def _values(update: Update, key: str) -> tuple[list[Any], list[Any]]:
    """Value of a key in each set before and after; the case's where a set does not change it."""
    stated = values_at(update.prior.case, path_of(key))
    default = stated[0][1] if stated else None
    columns = []
    for sample in (update.before, update.after):
        tables = ({c.key: c.value for c in changes} for changes in sample.changes)
        columns.append([table.get(key, default) for table in tables])
    return columns[0], columns[1]


def _row(key: str, before: list[Any], after: list[Any], update: Update) -> dict[str, Any] | None:
    """Quantiles and information of one parameter; None where it does not vary."""
    different = {str(value) for value in before}
    if len(different) < 2:
        return None
    prior, posterior = update.before.weights, update.after.weights
    if len(different) <= FEW_VALUES or any(_is_text(value) for value in before):
        names = sorted(different)
        shares = [
            np.array([w[[str(v) == n for v in vs]].sum() for n in names])
            for vs, w in ((before, prior), (after, posterior))
        ]
        probable = names[int(shares[1].argmax())]
        return {
            "parameter": key, **dict.fromkeys(_columns("prior")), "prior_probable": names[
                int(shares[0].argmax())
            ], **dict.fromkeys(_columns("posterior")), "posterior_probable": probable,
            "information_nats": choice_information(shares[0], shares[1]),
        }  # fmt: skip
    first, second = np.array(before, dtype=float), np.array(after, dtype=float)
    inside = [np.isfinite(first) & (prior > 0), np.isfinite(second) & (posterior > 0)]
    return {
        "parameter": key,
        **_spread("prior", first[inside[0]], prior[inside[0]]),
        "prior_probable": None,
        **_spread("posterior", second[inside[1]], posterior[inside[1]]),
        "posterior_probable": None,
        "information_nats": information(
            first[inside[0]], prior[inside[0]], second[inside[1]], posterior[inside[1]]
        ),
    }


def information(
    before: FloatArray, prior: FloatArray, after: FloatArray, posterior: FloatArray
) -> float:
    """Nats learned about a number, as of normal distributions of its normal scores.

    KL = 1/2 (s^2/s0^2 + (m - m0)^2/s0^2 - 1 - ln(s^2/s0^2)),

    with mean and variance (m, s^2) after and (m0, s0^2) before of z = Phi^-1(share of the prior
    below): exact where scores are normal, whatever the distribution of the number.
    """
    order = np.argsort(before, kind="stable")
    values, weights = before[order], prior[order] / prior.sum()
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    reached = np.cumsum(weights)
    ends = reached[first + counts - 1]
    shares = 0.5 * (ends + np.concatenate([[0.0], ends[:-1]]))
    scores = ndtri(np.clip(shares, 1e-9, 1.0 - 1e-9))
    moments = []
    for numbers, of in ((before, prior), (after, posterior)):
        z, w = np.interp(numbers, values[first], scores), of / of.sum()
        mean = float(w @ z)
        moments.append((mean, float(w @ (z - mean) ** 2)))
    (m0, v0), (m, v) = moments
    v = max(v, 1e-12)
    return max(0.0, 0.5 * (v / v0 + (m - m0) ** 2 / v0 - 1.0 - math.log(v / v0)))


def choice_information(prior: FloatArray, posterior: FloatArray) -> float:
    """Nats learned about a choice: sum p ln(p / p0)."""
    held = (posterior > 0.0) & (prior > 0.0)
    return max(0.0, float(posterior[held] @ np.log(posterior[held] / prior[held])))


def _spread(label: str, values: FloatArray, weights: FloatArray) -> dict[str, float]:
    return dict(zip(_columns(label), quantiles(values, weights, LEVELS), strict=True))


def _columns(label: str) -> list[str]:
    return [f"{label}_quantile_{100 * level:.0f}" for level in LEVELS]


def _is_text(value: Any) -> bool:
    return isinstance(value, bool | str)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
