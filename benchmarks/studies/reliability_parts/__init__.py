"""Parts of the reliability campaign; `reliability.py` runs them, `tests/reliability` in short.

The generators of random cases are those of the tests.
"""

import sys
from pathlib import Path

TESTS = str(Path(__file__).resolve().parents[3] / "tests")
if TESTS not in sys.path:
    sys.path.append(TESTS)
