"""Conflicts and changes of random infeasible cases against enumeration; infeasible bundled cases.

    python benchmarks/studies/conflicts.py [--seeds FIRST LAST] [--bundled]

Random cases: each conflict is minimal, each change mends its case and a step less does not, by
every schedule judged; faults are printed, exit code 1 if there are any. --bundled: CPU seconds of
the proof for every bundled case that asks for all of its lesions, with its caps and with 0.3 times
them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from enumerated_conflicts import case_of_seed, faults

from abscopt.instances.limits import LogisticsLimit
from abscopt.instances.load import InputError, load, names
from abscopt.optimizer.feasibility.explanation import explain
from abscopt.optimizer.feasibility.oracle import Oracle
from abscopt.optimizer.progress import Clock

SECONDS = 60.0


def random_cases(first: int, last: int) -> int:
    """Check the cases of some seeds; how many faults there are."""
    counts: Counter[str] = Counter()
    for seed in range(first, last):
        try:
            instance = case_of_seed(seed)
        except InputError:
            counts["refused"] += 1
            continue
        found = explain(instance, time_limit=SECONDS)
        wrong = faults(instance, found)
        counts["feasible" if found.feasible else "infeasible"] += 1
        for conflict in found.conflicts:
            counts[f"conflicts of {len(conflict.members)}"] += 1
        counts["changes"] += len(found.relaxations)
        counts["faults"] += len(wrong)
        for line in wrong:
            print(f"seed {seed}: {line}", flush=True)
    print(", ".join(f"{key} {count}" for key, count in sorted(counts.items())))
    return counts["faults"]


def bundled_cases() -> None:
    """Seconds of CPU of each verdict."""
    for name in names():
        shown = []
        for scale in (1.0, 0.3):
            try:
                case = load(name).with_({} if scale == 1.0 else {"scale_caps": scale})
            except InputError:
                shown.append("refused at once")
                continue
            floor = LogisticsLimit(
                kind="logistics", name="all_sites", quantity="lesions",
                floor=len(case.irradiable), source="study", status="assumed",
            )  # fmt: skip
            case = case.unchecked({"limits": (*case.limits, floor)})
            begun = time.process_time()
            schedule = Oracle(Clock(SECONDS)).schedule(case)
            seconds = time.process_time() - begun
            shown.append(f"{'infeasible' if schedule is None else 'feasible'} {seconds:.2f} s")
        print(f"{name:<30} {shown[0]:<20} caps x 0.3: {shown[1]}", flush=True)


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 160), metavar=("FIRST", "LAST"))
    parser.add_argument("--bundled", action="store_true")
    options = parser.parse_args()
    if options.bundled:
        bundled_cases()
        return 0
    return 1 if random_cases(*options.seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
