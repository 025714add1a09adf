"""What pyproject.toml ships is what the folders hold."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "instances", "optimizer")
DATA = (".toml", ".json")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]


def folders() -> list[Path]:
    """Folders of the rooms that hold code or data; variants of a case ship with the cases."""
    inner = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_dir()]
    return [
        folder
        for folder in (*(ROOT / room for room in ROOMS), *inner)
        if folder.name != "__pycache__"
        and folder.parent.name != "cases"
        and any(file.suffix in (".py", *DATA) for file in folder.iterdir())
    ]


def dotted(folder: Path) -> str:
    """`abscopt.instances.cases`."""
    return ".".join(("abscopt", *folder.relative_to(ROOT).parts))


def test_listed_packages_are_the_folders_with_code_or_data() -> None:
    listed = SETUPTOOLS["packages"]
    assert sorted(listed) == sorted(["abscopt", *(dotted(folder) for folder in folders())])
    assert SETUPTOOLS["package-dir"] == {"abscopt": "."}


@pytest.mark.parametrize("folder", folders(), ids=dotted)
def test_folder_of_code_is_a_package_and_data_is_shipped(folder: Path) -> None:
    if any(folder.glob("*.py")):
        assert (folder / "__init__.py").is_file()
    patterns = SETUPTOOLS["package-data"].get(dotted(folder), [])
    shipped = {file for pattern in patterns for file in folder.glob(pattern)}
    held = folder.rglob("*") if folder.name == "cases" else folder.iterdir()
    assert {file for file in held if file.suffix in DATA} <= shipped


def test_patterns_of_package_data_match_listed_packages() -> None:
    assert set(SETUPTOOLS["package-data"]) <= set(SETUPTOOLS["packages"])


def test_root_holds_the_command_line_and_the_version() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "cli.py"}
    assert (ROOT / "py.typed").is_file()


def test_no_other_room_at_the_root() -> None:
    """A folder with code is one of the rooms, or is not shipped."""
    unshipped = {"tests", "benchmarks", "docs", "build", "dist"}
    rooms = {path.parent.name for path in ROOT.glob("*/*.py")}
    rooms = {room for room in rooms if not room.startswith(".")}
    assert rooms - unshipped == set(ROOMS)


def test_highs_1_14_is_not_allowed() -> None:
    """1.14 answers some small programs wrongly and calls them optimal."""
    (highs,) = (text for text in PROJECT["project"]["dependencies"] if "highspy" in text)
    assert highs == "highspy>=1.15.1"


def test_command_and_installed_version() -> None:
    assert PROJECT["project"]["scripts"] == {"abscopt": "abscopt.cli:main"}
    assert version("abscopt") == PROJECT["project"]["version"]
