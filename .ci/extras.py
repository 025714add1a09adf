"""Packages that the core and each extra install, beyond an empty environment.

    python .ci/extras.py [FOLDER]

Asks pip for what it would install into an empty environment (`--dry-run`), prints the numbers, and
ends with 1 where an extra brings more packages than it may.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

MOST = {"": 18, "report": 12, "dicom": 1, "cluster": 21}
"""Packages at most: of the core (17 on 2026-11-30, ply with an older Pyomo), and further ones of an
extra."""


def packages(python: Path, folder: Path, extra: str) -> set[str]:
    """Names of what pip would install."""
    wanted = f"{folder}[{extra}]" if extra else str(folder)
    command = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", wanted]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {item["metadata"]["name"] for item in json.loads(done.stdout)["install"]}


def main() -> None:
    """Print the numbers."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    with tempfile.TemporaryDirectory() as empty:
        venv.create(empty, with_pip=True)
        python = Path(empty) / "bin" / "python"
        core = packages(python, folder, "")
        wrong = False
        for extra, most in MOST.items():
            names = packages(python, folder, extra) - core if extra else core
            more = sorted(names - {"abscopt"})
            wrong |= len(more) > most
            print(f"{extra or 'core'}: {len(more)} of at most {most}: {', '.join(more)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
