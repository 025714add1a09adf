"""A sweep killed by SIGKILL at every write, rename and commit, and gone on with each time.

    python benchmarks/studies/killed_sweep.py [--runs N]

Prints how often it was killed before all runs were in the store; exit code 1 (with the reason) if
a committed run is lost or repeated, or the store is not that of an undisturbed sweep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from killed_sweeps import killed_throughout

from abscopt.optimizer.sweeps.study import Steps, Study


def study_of(runs: int) -> Study:
    """Two toy cases with radiosensitivities around theirs; `runs` in all."""
    steps = Steps(low=0.8, high=1.2, count=runs // 2)
    return Study(
        name="killed",
        cases=("toy-blockade", "toy-two-lesions"),
        grid={"lesions.*.alpha_per_gy*": steps},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills = killed_throughout(
            study_of(options.runs), Path(folder), lambda line: print(line, flush=True)
        )
    print(f"{options.runs} runs, killed {kills} times: the store is that of an undisturbed sweep")


if __name__ == "__main__":
    main()
