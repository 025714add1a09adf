"""What the published sizes say of the two constants of scale: their profile likelihoods.

    python benchmarks/studies/evidence_profile.py --write

`effect_per_effector` and `release_factor` on a grid, all others at their defaults; the likelihood
is that of the randomized comparisons of the training half (`optimizer/evidence/likelihood.py`). The
profile of one constant is the greatest log likelihood over the other; its 95 % interval holds the
values within half of the chi square quantile, 3.84 / 2 = 1.92, of the greatest (Wilks 1938, Ann
Math Stat 9:60). An end of the grid inside the interval means that the evidence does not bound it
there. The held-back half is not looked at, and no default is changed. Writes
`evidence_profile.json`. Takes one to five minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.likelihood import comparisons, fits
from abscopt.optimizer.evidence.score import scored, trials
from abscopt.optimizer.evidence.settings import default_constants

RESULT = Path(__file__).with_name("evidence_profile.json")
GRID = {
    "effect_per_effector": np.geomspace(0.0075, 0.12, 13),
    "release_factor": np.geomspace(0.0625, 2.0, 11),
}
"""A factor of 8 or more down and 2 up from the defaults 0.06 and 1; status: assumed."""
FALL = 1.9207
"""Half of the 95 % quantile of chi square with one degree of freedom."""


def log_likelihoods() -> FloatArray:
    """ln L of the training comparisons, shape (effect_per_effector, release_factor)."""
    needed = [f.id for f, _ in trials() if f.effects and f.split == "training"]
    effects, releases = GRID.values()
    surface = np.empty((len(effects), len(releases)))
    for i, effect in enumerate(effects):
        for j, release in enumerate(releases):
            changed = {"effect_per_effector": float(effect), "release_factor": float(release)}
            results = scored(default_constants().unchecked(changed), only=needed)
            surface[i, j] = fits(comparisons(results))["model"].log_likelihood
    return surface


def profile(values: FloatArray, likelihood: FloatArray) -> dict[str, Any]:
    """Greatest point, interval and whether each end of the grid is outside it."""
    inside = np.flatnonzero(likelihood >= likelihood.max() - FALL)
    return {
        "best": round(float(values[likelihood.argmax()]), 5),
        "interval": [round(float(values[inside[0]]), 5), round(float(values[inside[-1]]), 5)],
        "bounded": [bool(inside[0] > 0), bool(inside[-1] < len(values) - 1)],
        "values": [round(float(value), 5) for value in values],
        "log_likelihood": [round(float(value), 3) for value in likelihood],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Profile the two constants of scale.")
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    surface = log_likelihoods()
    results = scored(only=[f.id for f, _ in trials() if f.effects and f.split == "training"])
    released = fits(comparisons(results))
    found = {
        "format": 1,
        "comparisons": len(comparisons(results)),
        "released": {name: round(fit.log_likelihood, 3) for name, fit in released.items()},
        "best": round(float(surface.max()), 3),
        "effect_per_effector": profile(GRID["effect_per_effector"], surface.max(axis=1)),
        "release_factor": profile(GRID["release_factor"], surface.max(axis=0)),
    }
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if write:
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
