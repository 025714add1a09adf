"""The parts of the campaign are modules of `benchmarks/studies`, which these tests run in short."""

import sys
from pathlib import Path

BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks" / "studies")
if BENCHMARKS not in sys.path:
    sys.path.append(BENCHMARKS)
