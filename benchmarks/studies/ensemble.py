"""Ensembles of plausible patients: what the evidence accepts, times what it leaves open.

    python benchmarks/studies/ensemble.py --write

A member is values and factors of keys of a case: immune constants, the contested sign of blockade
before radiation, and radiobiology common to all lesions of a patient.

* Immune constants: `SETS` sets of `evidence_sets.py`, whose ranges are the prior, without the terms
  that are off by default (`OFF`; free courses cannot have them). Each is weighted
  by the likelihood of the systemic comparisons of the training half
  (`optimizer/evidence/likelihood.py`), the mean over spreads of the effect between patients
  (`SPREADS`), which the sizes do not tell (`evidence_fit.py`). As sizes scatter more than their
  intervals say, log likelihoods are divided by chi square per degree of freedom of the best set. A
  set that breaks a requirement of `optimizer/evidence/requirements.py` has no weight. The effective
  number is ``(sum w)^2 / sum w^2``.
* The sign: one of the two contested scenarios or neither, each a third (assumed).
* Radiobiology: alpha, alpha/beta and doubling time times lognormal factors of median 1. 20 % for
  alpha and alpha/beta (assumed; the fit of alpha has an interval of about that width, and a case's
  `alpha_cv`, if any, is a spread beside it), 0.7 in the logarithm for the doubling time (assumed:
  two thirds of untreated tumors from half to twice the median).

One scrambled Sobol' sequence of five dimensions draws the members of equal weight: its first point
picks a set by cumulative weight, so that the first 20 or 100 points are the ensembles. Writes
`plausible-20` and `plausible-100` below the mark in `instances/library/ensembles.toml`. Takes some
seven minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from evidence_fit import Sizes
from evidence_sets import RANGES, drawn, immune_of
from scipy.stats import norm, qmc

import abscopt.instances
from abscopt.instances.load import library
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.likelihood import fit
from abscopt.optimizer.evidence.requirements import in_turn
from abscopt.optimizer.evidence.settings import default_constants

FILE = Path(abscopt.instances.__file__).parent / "library" / "ensembles.toml"
MARK = "# Below: written by benchmarks/studies/ensemble.py.\n"
SETS, SEED = 128, 0
SPREADS = (1.0, 2.0, 4.0)
SIZES = (20, 100)
SIGNS = ("preblockade-harms", "default", "preblockade-helps")
OFF = ("repeat_release", "release_regrowth")
FACTORS = ("effect_per_effector", "release_factor")
ALPHA, RATIO, DOUBLING = 0.2, 0.2, 0.7
"""Standard deviations of the log factors."""
FREE = 3
"""Numbers that the evidence fits: effect, release, spread; degrees of freedom are the rest."""


@lru_cache(maxsize=1)
def _sizes() -> Sizes:
    return Sizes("training")


def likelihood_of(values: dict[str, float | int]) -> list[tuple[float, float, int]]:
    """(ln L, chi square, cohorts) of the systemic sizes of the training half, per spread."""
    effects = _sizes().effects(immune_of(values))
    found = []
    for spread in SPREADS:
        some = [one for one in _sizes().compared(effects, 1.0, spread) if not one.local]
        fitted = fit(some, np.array([one.predicted for one in some]))
        cohorts = len({one.finding.patients for one in some})
        found.append((fitted.log_likelihood, fitted.chi_square, cohorts))
    return found


def required(values: dict[str, float | int]) -> bool:
    """Whether a set meets every requirement."""
    return all(one.holds for one in in_turn(immune_of(values)))


def weighted(sets: list[dict[str, float | int]], workers: int) -> tuple[FloatArray, dict[str, Any]]:
    """Weights of the sets, adding up to 1, and what is to be said of them."""
    with ProcessPoolExecutor(workers) as pool:
        table = np.array(list(pool.map(likelihood_of, sets)))
        met = np.array(list(pool.map(required, sets)))
    likelihood, squares = table[..., 0], table[..., 1]
    best = np.unravel_index(likelihood.argmax(), likelihood.shape)
    dispersion = max(1.0, float(squares[best] / (table[best][2] - FREE)))
    raw = np.exp((likelihood - likelihood.max()) / dispersion).mean(axis=1) * met
    weights = raw / raw.sum()
    plain = np.exp(likelihood - likelihood.max()).mean(axis=1) * met
    return weights, {
        "sets": len(sets),
        "requirements_met": int(met.sum()),
        "dispersion": round(dispersion, 3),
        "effective_number": round(_effective(weights), 1),
        "effective_number_undispersed": round(_effective(plain / plain.sum()), 1),
        "log_likelihood": [round(float(likelihood.min()), 2), round(float(likelihood.max()), 2)],
        "mean_of_prior_and_accepted": {
            name: [
                float(f"{np.average([one[name] for one in sets], weights=w):.4g}")
                for w in (None, weights)
            ]
            for name in RANGES
            if name not in OFF
        },
    }


def _effective(weights: FloatArray) -> float:
    return float(1.0 / (weights**2).sum())


def members(
    sets: list[dict[str, float | int]], weights: FloatArray, number: int, seed: int = SEED
) -> list[dict[str, Any]]:
    """That many members of equal weight: name, values (`set`) and factors (`times`) of keys.

    Constants that switch immunity off at 0 are factors, so that they leave it off.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # not a power of two
        points = qmc.Sobol(5, scramble=True, rng=seed).random(number)
    cumulative, default = np.cumsum(weights), default_constants()
    found = []
    for i, point in enumerate(points):
        chosen = sets[min(int(np.searchsorted(cumulative, point[0])), len(sets) - 1)]
        sign = SIGNS[int(point[1] * len(SIGNS))]
        values = {f"immune.{name}": value for name, value in chosen.items() if name not in FACTORS}
        values["immune.preblockade_sign"] = library("scenarios")[sign]["preblockade_sign"]
        times = {
            f"immune.{name}": round(chosen[name] / getattr(default, name), 4) for name in FACTORS
        }
        for name, spread, share in (
            ("alpha_per_gy", ALPHA, point[2]),
            ("alpha_beta_gy", RATIO, point[3]),
            ("growth_doubling_time_days", DOUBLING, point[4]),
        ):
            factor = math.exp(spread * float(norm.ppf(share)))
            times[f"lesions.*.{name}"] = round(factor, 4)
        found.append({"name": f"{i + 1:03d}-{sign}", "set": values, "times": times})
    return found


def text_of(number: int, said: dict[str, Any], listed: list[dict[str, Any]]) -> str:
    """One ensemble as TOML."""
    name = f"plausible-{number}"
    note = (
        "Immune constants weighted by published sizes of trials (training half), which hardly tell "
        f"them apart: {said['requirements_met']} of {said['sets']} sets meet the requirements, the "
        f"effective number is {said['effective_number']}. The sign of blockade before radiation is "
        "one of three; alpha and alpha/beta spread by 20 %, doubling time by 0.7 in the logarithm "
        "(assumed), common to all lesions of a patient. Members have equal weights."
    )
    head = {
        "title": f"{number} plausible patients: evidence, contested sign, radiobiology",
        "source": f"benchmarks/studies/ensemble.py, seed {SEED}",
        "status": "derived",
        "note": note,
    }
    lines = [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in head.items()), ""]
    for member in listed:
        lines += [f"[[{name}.members]]", f"name = {json.dumps(member['name'])}"]
        for key in ("set", "times"):
            inside = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in member[key].items())
            lines.append(f"{key} = {{ {inside} }}")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the library's ensembles.")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    sets = [{k: v for k, v in one.items() if k not in OFF} for one in drawn(SETS, SEED)]
    weights, said = weighted(sets, arguments.workers)
    print(json.dumps(said, indent=1))
    if not arguments.write:
        return
    before = FILE.read_text(encoding="utf-8").partition(MARK)[0] if FILE.exists() else ""
    written = [text_of(number, said, members(sets, weights, number)) for number in SIZES]
    FILE.write_text(before + MARK + "\n" + "\n".join(written), encoding="utf-8")


if __name__ == "__main__":
    main()
