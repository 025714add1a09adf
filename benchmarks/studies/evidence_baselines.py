"""Scores of random constants: the baseline of `abscopt evidence`.

    python benchmarks/studies/evidence_baselines.py --write

Sets of `evidence_sets.py` (seed 0). Nothing is chosen. Writes `instances/evidence/baselines.json`:
for each half mean, best and quartiles of the share of findings that are reproduced, and of the log
likelihood of the published effects. Takes some minutes.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from evidence_sets import drawn, immune_of

from abscopt.instances.tables.immune import Immune
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.document import BASELINES, SPLITS
from abscopt.optimizer.evidence.likelihood import comparisons, fits
from abscopt.optimizer.evidence.score import score_of, scored

SETS, SEED = 32, 0


def measured(immune: Immune) -> list[tuple[float, float]]:
    """Share of findings reproduced and log likelihood, per half."""
    results = scored(immune)
    halves = []
    for split in SPLITS:
        half = [one for one in results if one.finding.split == split]
        halves.append((score_of(half).share, fits(comparisons(half))["model"].log_likelihood))
    return halves


def summary(values: FloatArray) -> dict[str, Any]:
    """Mean, best and quartiles over the sets."""
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "mean": round(float(values.mean()), 4),
        "best": round(float(values.max()), 4),
        "quartiles": [round(float(value), 4) for value in quartiles],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Score random constants on the findings.")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.workers) as pool:
        values = np.array(list(pool.map(measured, map(immune_of, drawn(SETS, SEED)))))
    found: dict[str, Any] = {"format": 1, "sets": SETS, "seed": SEED}
    for i, split in enumerate(SPLITS):
        shares, likelihoods = values[:, i].T
        found[split] = {"reproduced": summary(shares), "log_likelihood": summary(likelihoods)}
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if arguments.write:
        BASELINES.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
