"""Random cases with limits by bins of histograms against enumeration by the judge.

    python benchmarks/studies/binned.py FIRST LAST

Every case is solved by the search, every fourth by the one programme as well. Faults are printed;
exit code 1 if there are any. Seeds 0 to 419 on 2026-11-30: 158 cases, in 59 of which the limit by
bins decides, 39 by the programme, no fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from binned_instances import binned_case
from brute_force import agrees, binding, enumerate_by_judge

from abscopt.instances.load import build
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge

BY_PROGRAMME = 4
"""Every so manieth case is stated as one programme, too, which takes most of the time."""


def main() -> int:
    """Compare some seeds; how many disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    seeds = parser.parse_args()
    cases = decided = programmes = faults = 0
    for seed in range(seeds.first, seeds.last):
        raw = binned_case(seed)
        if raw is None:
            continue
        instance = build(raw)
        names = {entry["name"] for entry in raw["limits"] if "volume_exponent" in entry}
        found = enumerate_by_judge(instance, Judge(instance))
        cases, decided = cases + 1, decided + bool(binding(found) & names)
        answers = {1e-4: solve(instance, gap=1e-4)}
        if cases % BY_PROGRAMME == 0:
            programmes += 1
            answers[1e-3] = solve(instance, gap=1e-3, method="single", time_limit=60)
        if not all(agrees(answer, found.best, gap) for gap, answer in answers.items()):
            faults += 1
            print(f"seed {seed}: {found.best}, {answers}")
    print(f"{cases} cases, {decided} decided by bins, {programmes} by programme, {faults} faults")
    return faults


if __name__ == "__main__":
    sys.exit(main() > 0)
