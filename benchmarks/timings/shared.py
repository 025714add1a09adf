"""What the timings take from the studies, whose folder they can import from after this."""

import sys
from pathlib import Path

STUDIES = str(Path(__file__).resolve().parents[1] / "studies")
if STUDIES not in sys.path:
    sys.path.append(STUDIES)

from reference_optima import FILE as REFERENCE  # noqa: E402
from reference_optima import machine  # noqa: E402

__all__ = ["REFERENCE", "machine"]
