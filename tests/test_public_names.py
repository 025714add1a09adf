"""Names that a user imports: there at once for types and completion, heavy modules when asked."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import abscopt
import abscopt.instances
import abscopt.optimizer

ROOMS = (abscopt.instances, abscopt.optimizer)


def test_version_is_that_of_the_installed_package() -> None:
    assert abscopt.__version__ == version("abscopt")
    with pytest.raises(AttributeError):
        _ = abscopt.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_public_names_are_listed_and_there(room: object) -> None:
    names = room.__all__  # type: ignore[attr-defined]
    assert set(names) <= set(dir(room))
    assert all(callable(getattr(room, name)) for name in names)


def test_listing_names_imports_nothing_heavy() -> None:
    code = "import sys, abscopt.optimizer as o; dir(o); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_types_of_public_functions_are_known(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    script = tmp_path / "uses.py"
    script.write_text(
        "from abscopt import __version__\n"
        "from abscopt.instances import load\n"
        "from abscopt.optimizer import Memory, evaluate, frontier, solve\n"
        "reveal_type(solve(load('early-sabr'), memory=Memory()))\n"
        "reveal_type(__version__)\n",
        encoding="utf-8",
    )
    arguments = ["--follow-imports", "silent", "--cache-dir", str(tmp_path), str(script)]
    text = mypy.run(arguments)[0]
    assert 'Revealed type is "abscopt.optimizer.results.result.Result"' in text
    assert 'Revealed type is "Any"' not in text
