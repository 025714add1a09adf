"""Rooms point downhill, and foreign libraries enter by one door."""

from __future__ import annotations

import ast
import re
import sys
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_links import WRITTEN

from abscopt.instances.limits import AnyLimit, LogisticsLimit
from abscopt.optimizer.candidates.limits.registry import kinds_of_limits

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "instances", "optimizer")
MODULES = sorted(
    [ROOT / "cli.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
)
MOST_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def place(module: Path) -> str:
    """`optimizer/solver.py`."""
    return module.relative_to(ROOT).as_posix()


@cache
def imports(module: Path) -> tuple[str, ...]:
    """Dotted names of everything a module imports, inside functions as well."""
    return tuple(_imports(module))


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(module)}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(module: Path) -> set[str]:
    """Top-level packages a module imports, without the standard library and our own."""
    found = {name.partition(".")[0] for name in imports(module)}
    return found - set(sys.stdlib_module_names) - {"abscopt"}


def own(module: Path) -> set[str]:
    """Our own modules that a module imports, such as `abscopt.models.lq`."""
    return {name for name in imports(module) if name.partition(".")[0] == "abscopt"}


def inside(prefix: str) -> list[Path]:
    """Modules of one room."""
    found = [module for module in MODULES if place(module).startswith(prefix)]
    assert found
    return found


def users(library: str) -> list[str]:
    """Modules that import a foreign library."""
    return [place(module) for module in MODULES if library in tops(module)]


@pytest.mark.parametrize("module", inside("models/"), ids=place)
def test_models_know_numpy_and_each_other_only(module: Path) -> None:
    integrator = {"scipy"} if place(module).startswith("models/simulators/") else set()
    assert tops(module) <= {"numpy"} | integrator
    # Differential equations need an adaptive integrator; nothing else of SciPy belongs here.
    scipy = {name for name in imports(module) if name.partition(".")[0] == "scipy"}
    assert scipy <= {"scipy.integrate", "scipy.integrate.solve_ivp"}
    assert all(name.startswith("abscopt.models") for name in own(module))


@pytest.mark.parametrize("module", inside("instances/"), ids=place)
def test_instances_know_models_and_pydantic_only(module: Path) -> None:
    readers = {"instances/dicom/files.py": {"pydicom"}, "instances/voxels/matlab.py": {"scipy"}}
    known = {"numpy", "pydantic", "pydantic_core"}
    assert tops(module) <= known | readers.get(place(module), set())
    assert all(name.startswith(("abscopt.models", "abscopt.instances")) for name in own(module))


@pytest.mark.parametrize("module", inside("optimizer/"), ids=place)
def test_optimizer_does_not_know_the_command_line(module: Path) -> None:
    assert not any(name.startswith("abscopt.cli") for name in own(module))


@pytest.mark.parametrize("module", inside("optimizer/evaluation/"), ids=place)
def test_the_judge_knows_nothing_of_how_a_schedule_was_found(module: Path) -> None:
    known = ("models", "instances", "optimizer.evaluation", "optimizer.schedule")
    assert all(name.startswith(tuple(f"abscopt.{room}" for room in known)) for name in own(module))
    assert tops(module) <= {"numpy", "pandas"}


FOLDERS = (ROOT, ROOT / "docs", ROOT / "benchmarks/timings", ROOT / "benchmarks/studies")
PAGE = re.compile(r"[\w./-]+\.md\b")
SOURCES = sorted(
    path
    for room in (*ROOMS, "docs")
    for pattern in ("*.py", "*.md", "*.toml")
    for path in (ROOT / room).rglob(pattern)
)


WHO_KNOWS_KINDS = ("instances/", "optimizer/evaluation/", "optimizer/candidates/limits/")


def asked_kinds(module: Path) -> set[str]:
    """Classes of limits that a module asks for with `isinstance`."""
    return {
        name.id
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance"
        for name in ast.walk(node.args[1])
        if isinstance(name, ast.Name) and name.id.endswith("Limit")
    }


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_only_schema_judge_and_modules_of_limits_know_kinds_of_limits(module: Path) -> None:
    if not place(module).startswith(WHO_KNOWS_KINDS):
        assert asked_kinds(module) == set()
    families = ("optimizer.candidates.limits", "optimizer.programme.constraints")
    if not place(module).startswith(tuple(room.replace(".", "/") for room in families)):
        kinds = {kind.__name__ for kind in kinds_of_limits().values()}
        assert {name.rpartition(".")[2] for name in own(module)} & kinds == set()


def test_every_limit_of_the_schema_has_a_module() -> None:
    union = typing.get_args(AnyLimit)[0]
    stated = {
        name
        for kind in typing.get_args(union)
        for name in typing.get_args(
            kind.model_fields["quantity" if kind is LogisticsLimit else "kind"].annotation
        )
    }
    assert set(kinds_of_limits()) == stated
    modules = [kind.__module__ for kind in kinds_of_limits().values()]
    assert len(set(modules)) == len(modules)
    assert all(kind.__module__.endswith(f".{name}") for name, kind in kinds_of_limits().items())


@pytest.mark.parametrize("source", SOURCES, ids=place)
def test_pages_that_are_cited_exist(source: Path) -> None:
    cited = set(PAGE.findall(source.read_text(encoding="utf-8")))
    missing = {
        name
        for name in cited
        if f"docs/{name}" not in WRITTEN
        and not any((folder / name).exists() for folder in (source.parent, *FOLDERS))
    }
    assert missing == set()


def test_highs_enters_by_one_door() -> None:
    assert users("highspy") == ["optimizer/solver.py"]


def test_joblib_and_dask_enter_by_one_door() -> None:
    for library in ("joblib", "distributed"):
        assert users(library) == ["optimizer/sweeps/workers.py"]


def test_pyomo_stays_in_the_programme() -> None:
    assert users("pyomo")
    assert all(module.startswith("optimizer/programme/") for module in users("pyomo"))


def test_click_stays_in_the_command_line() -> None:
    assert all(name.startswith(("cli.py", "optimizer/console/")) for name in users("click"))
    assert not any(
        name.startswith("abscopt.optimizer.console")
        for module in inside("optimizer/")
        if not place(module).startswith("optimizer/console/")
        for name in own(module)
    )


def test_rich_is_for_showing_only() -> None:
    assert set(users("rich")) <= {"cli.py", "optimizer/results/plain.py"}


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_module_is_short_and_named_for_its_idea(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert not VAGUE & set(module.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_module_says_what_it_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
