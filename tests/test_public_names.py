"""Names that a user imports: there at once for types and completion, heavy modules when asked."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version

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


PUBLIC = """\
from abscopt import __version__
from abscopt.instances import load
from abscopt.optimizer import Listener, Memory, Progress, Result, Schedule, solve

def shown(progress: Progress) -> None: print(progress.bound)
def planned(result: Result) -> Schedule | None: return result.schedule
listener: Listener = shown

reveal_type(solve(load("early-sabr"), memory=Memory(), listener=listener))
reveal_type(__version__)
"""
MIXED_UP = """\
from abscopt.optimizer.candidates.menus.kinds import Kinds
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, KindIds, PlanId

def uses(candidates: Candidates, plan: PlanId, kinds: Kinds, courses: CourseIds) -> None:
    candidates.effects(plan)
    candidates.effects(courses[0])  # a course for a plan
    candidates.effects(3)  # a number for a plan
    Tabulated(candidates, kinds.of[0])  # a kind for a plan
    chosen: KindIds = kinds.of[courses > 0]
    chosen = courses[1:]  # courses for kinds
    courses = kinds.blocks[0].course[:, 0]
    courses = kinds.blocks[0].patterns  # patterns for courses
    kinds.menu.patterns.first[kinds.menu.pattern]
"""


@pytest.fixture(scope="module")
def said_by_mypy(tmp_path_factory: pytest.TempPathFactory) -> str:
    mypy = pytest.importorskip("mypy.api")
    folder = tmp_path_factory.mktemp("types")
    (folder / "uses.py").write_text(PUBLIC, encoding="utf-8")
    (folder / "mixed_up.py").write_text(MIXED_UP, encoding="utf-8")
    files = [str(folder / name) for name in ("uses.py", "mixed_up.py")]
    arguments = ["--follow-imports", "silent", "--cache-dir", str(folder), *files]
    return str(mypy.run(arguments)[0])


def test_types_of_public_functions_are_known(said_by_mypy: str) -> None:
    assert 'Revealed type is "abscopt.optimizer.results.result.Result"' in said_by_mypy
    assert 'Revealed type is "Any"' not in said_by_mypy


def test_ids_of_different_sorts_are_kept_apart(said_by_mypy: str) -> None:
    refused = set(re.findall(r"mixed_up.py:(\d+): error: .*incompatible type", said_by_mypy, re.I))
    wrong = [n for n, line in enumerate(MIXED_UP.splitlines(), 1) if " for " in line]
    assert sorted(map(int, refused)) == wrong
