"""Run adaptfx on patients given as JSON; for an interpreter that has adaptfx, without abscopt.

    PYTHON benchmarks/timings/adaptfx_policy.py < question.json > answer.json

A question has `patients` (each with `planning` and `daily` sparing factors), `oar_limit`, `abt`
and `abn`. Priors of a patient are fitted by adaptfx's own functions to all *other* patients. Called
by `adaptive.py`.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from importlib.metadata import version
from typing import Any

with contextlib.redirect_stdout(sys.stderr):
    import adaptfx
    import numpy
    import scipy
    from scipy.optimize import minimize


def priors(others: Any) -> dict[str, float]:
    """Hyperparameters from the spread of other patients' sparing factors."""
    shape, scale = adaptfx.fit_gamma_prior(others)
    shape_inv, scale_inv = adaptfx.fit_invgamma_prior(others)
    return {"shape": shape, "scale": scale, "shape_inv": shape_inv, "scale_inv": scale_inv}


def policy(
    question: dict[str, Any],
    factors: list[float],
    prior: dict[str, float],
    algorithm: str,
    update: int,
    known: list[float] | None = None,
) -> dict[str, Any]:
    """Doses of the whole treatment, decided day by day.

    Update 0 keeps a normal distribution of the factors of `known`, 1 has the gamma prior of its
    spread, 2 the inverse-gamma prior of its variance.
    """
    keys = {
        "number_of_fractions": len(factors) - 1, "fraction": 0, "sparing_factors": factors,
        "prob_update": update, "fixed_mean": None, "fixed_std": None, "c": 0,
        "oar_limit": question["oar_limit"], "abt": question["abt"], "abn": question["abn"],
        "accumulated_oar_dose": 0, "accumulated_tumor_dose": 0, "min_dose": 0, "max_dose": -1,
    }  # fmt: skip
    keys.update(prior)
    if known is not None:
        keys["fixed_mean"], keys["fixed_std"] = float(numpy.mean(known)), float(numpy.std(known))
    begin = time.perf_counter()
    output = adaptfx.multiple(algorithm, keys, dict(adaptfx.SETTING_DICT))
    return {
        "doses": [float(dose) for dose in numpy.nan_to_num(output.physical_doses)],
        "seconds": time.perf_counter() - begin,
    }


def hindsight(question: dict[str, Any], daily: list[float]) -> dict[str, Any]:
    """All factors known: SLSQP from equal doses, as adaptfx's `cost_func` does for its own goal."""
    delta = numpy.array(daily)

    def bed(dose: Any, ratio: float, factor: Any = 1.0) -> float:
        return float(numpy.sum(adaptfx.bed_calc0(dose, ratio, factor)))

    begin = time.perf_counter()
    found = minimize(
        lambda dose: -bed(dose, question["abt"]),
        x0=numpy.full(len(delta), 5.0),
        bounds=[(0.0, None)] * len(delta),
        constraints=[
            {
                "type": "ineq",
                "fun": lambda dose: question["oar_limit"] - bed(dose, question["abn"], delta),
            }
        ],
    )
    return {"doses": [float(d) for d in found.x], "seconds": time.perf_counter() - begin}


def main() -> None:
    """Answer the question on stdin."""
    question = json.load(sys.stdin)
    factors = [[p["planning"], *p["daily"]] for p in question["patients"]]
    answers = []
    with contextlib.redirect_stdout(sys.stderr):
        for i, own in enumerate(factors):
            prior = priors(numpy.array(factors[:i] + factors[i + 1 :]))
            runs = {
                "tumor_old, gamma prior": policy(question, own, prior, "tumor_old", 1),
                "tumor_old, own mean and spread known": policy(
                    question, own, prior, "tumor_old", 0, own[1:]
                ),
                "tumor, gamma prior": policy(question, own, prior, "tumor", 1),
                "tumor, inverse-gamma prior": policy(question, own, prior, "tumor", 2),
            }
            runs["hindsight (SLSQP)"] = hindsight(question, own[1:])
            answers.append(runs)
    json.dump(
        {
            "versions": {
                "python": sys.version.split()[0],
                "adaptfx": version("adaptfx"),
                "numpy": numpy.__version__,
                "scipy": scipy.__version__,
            },
            "patients": answers,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
