"""Random cases in which limits on mean doses of `organ` become limits by bins of histograms."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from random_instances import random_case
from widened_instances import widened_case

from abscopt.models.organs import ntcp

Raw = dict[str, Any]
Rng = np.random.Generator

MEANS = ("mean", "mean_eqd2")
EXPONENTS = (0.05, 0.2, 0.5, 0.8, 1.0)
M, CAP = 0.3, 0.2


def binned_case(seed: int) -> Raw | None:
    """A random case (even seeds) or a widened one by bins; None if none of its limits can be."""
    raw = random_case(seed // 2) if seed % 2 == 0 else widened_case(seed // 2)
    rng = np.random.default_rng([2028, seed])
    n = float(EXPONENTS[int(rng.integers(len(EXPONENTS)))])
    limits = [_by_bins(entry, n) for entry in raw["limits"]]
    if limits == raw["limits"]:
        return None
    lesions = [_with_bins(rng, lesion, n) for lesion in raw["lesions"]]
    priors = [prior for prior in raw.get("prior_doses", []) if prior["organ"] != "organ"]
    rest = {key: value for key, value in raw.items() if key != "prior_doses"}
    return (
        rest | {"limits": limits, "lesions": lesions} | ({"prior_doses": priors} if priors else {})
    )


def _by_bins(entry: Raw, n: float) -> Raw:
    if entry.get("organ") != "organ" or entry.get("point", "mean") != "mean":
        return entry
    if entry["kind"] == "ntcp":
        return entry | {"volume_exponent": n}
    if entry["kind"] not in MEANS:
        return entry
    shared = {
        key: entry[key] for key in ("name", "organ", "source", "status", "penalty") if key in entry
    }
    ratio = (
        {"dose": "eqd2", "alpha_beta_gy": entry["alpha_beta_gy"]}
        if entry["kind"] == "mean_eqd2"
        else {}
    )
    td50 = entry["cap_gy"] / (1.0 + M * NormalDist().inv_cdf(CAP))
    lkb = {"kind": "ntcp", "model": "lkb", "m": M, "cap": CAP, "td50_gy": td50}
    return shared | ratio | lkb | {"volume_exponent": n}


def _with_bins(rng: Rng, entry: Raw, n: float) -> Raw:
    """A lesion, or a technique of it, with bins whose equivalent uniform dose is its mean."""
    points = entry.get("sparing", {}).get("organ", {})
    ways = [_with_bins(rng, way, n) for way in entry.get("techniques", [])]
    entry = entry | ({"techniques": ways} if ways else {})
    if not isinstance(points.get("mean"), float) or points["mean"] == 0:
        return entry
    number = int(rng.integers(2, 7))
    doses = np.sort(rng.gamma(2.0, 1.0, number)) + 1e-3 * np.arange(number)
    shares = rng.dirichlet(np.ones(number))
    shares = np.round(shares + 0.01, 4)
    shares /= shares.sum()
    doses *= points["mean"] / float(ntcp.geud(doses, shares, n))
    doses = np.minimum(np.round(doses, 6), 3.0 - 1e-4 * np.arange(number)[::-1])
    bins = {"doses": doses.tolist(), "shares": shares.tolist(), "source": "random"}
    return entry | {"histograms": {"organ": bins}}
