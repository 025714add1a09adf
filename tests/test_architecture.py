"""Rooms point downhill, and foreign libraries enter by one door."""

from __future__ import annotations

import ast
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from test_links import WRITTEN

from abscopt.instances.limits import AnyLimit, LogisticsLimit
from abscopt.optimizer.candidates.limits.registry import kinds_of_limits

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "instances", "optimizer")
MODULES = sorted(
    [ROOT / "cli.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
)
MOST_LINES = 400
MOST_MODULES = 12
"""Of a folder, `__init__` not counted."""
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def place(module: Path) -> str:
    """`optimizer/highs/solver.py`."""
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
    """Our own modules that a module imports, such as `abscopt.models.tumor.lq`."""
    return {name for name in imports(module) if name.partition(".")[0] == "abscopt"}


def inside(prefix: str) -> list[Path]:
    """Modules of one room."""
    found = [module for module in MODULES if place(module).startswith(prefix)]
    assert found
    return found


def users(library: str) -> list[str]:
    """Modules that import a foreign library."""
    return [place(module) for module in MODULES if library in tops(module)]


def offenders(modules: Iterable[Path], rule: Callable[[Path], object]) -> dict[str, object]:
    """What breaks a rule, by module: a rule gives what is wrong, empty if nothing."""
    return {place(module): wrong for module in modules if (wrong := rule(module))}


def beyond(names: set[str], *known: str) -> set[str]:
    """Our own modules that are in none of some rooms."""
    return {name for name in names if not name.startswith(known)}


def test_no_room_is_crowded() -> None:
    folders = sorted({module.parent for module in MODULES})
    sizes = {place(f): sum(p.name != "__init__.py" for p in f.glob("*.py")) for f in folders}
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_models_know_numpy_and_each_other_only() -> None:
    # Differential equations need an adaptive integrator; nothing else of SciPy belongs here.
    scipy = {"scipy", "scipy.integrate", "scipy.integrate.solve_ivp"}

    def wrong(module: Path) -> set[str]:
        simulates = place(module).startswith("models/simulators/")
        foreign = tops(module) - ({"numpy", "scipy"} if simulates else {"numpy"})
        more = {name for name in imports(module) if name.partition(".")[0] == "scipy"} - scipy
        return foreign | more | beyond(own(module), "abscopt.models")

    assert offenders(inside("models/"), wrong) == {}


def test_instances_know_models_and_pydantic_only() -> None:
    readers = {"instances/dicom/files.py": {"pydicom"}, "instances/voxels/matlab.py": {"scipy"}}
    known = {"numpy", "pydantic", "pydantic_core"}

    def wrong(module: Path) -> set[str]:
        foreign = tops(module) - known - readers.get(place(module), set())
        return foreign | beyond(own(module), "abscopt.models", "abscopt.instances")

    assert offenders(inside("instances/"), wrong) == {}


def test_optimizer_does_not_know_the_command_line() -> None:
    def wrong(module: Path) -> set[str]:
        return {name for name in own(module) if name.startswith("abscopt.cli")}

    assert offenders(inside("optimizer/"), wrong) == {}


def test_the_judge_knows_nothing_of_how_a_schedule_was_found() -> None:
    known = ("models", "instances", "optimizer.evaluation", "optimizer.schedule")

    def wrong(module: Path) -> set[str]:
        foreign = tops(module) - {"numpy", "pandas"}
        return foreign | beyond(own(module), *(f"abscopt.{room}" for room in known))

    assert offenders(inside("optimizer/evaluation/"), wrong) == {}


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


def test_only_schema_judge_and_modules_of_limits_know_kinds_of_limits() -> None:
    families = ("optimizer/candidates/limits", "optimizer/programme/constraints")
    kinds = {kind.__name__ for kind in kinds_of_limits().values()}

    def wrong(module: Path) -> set[str]:
        asked = set() if place(module).startswith(WHO_KNOWS_KINDS) else asked_kinds(module)
        if place(module).startswith(families):
            return asked
        return asked | {name.rpartition(".")[2] for name in own(module)} & kinds

    assert offenders(MODULES, wrong) == {}


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


def test_pages_that_are_cited_exist() -> None:
    def missing(source: Path) -> set[str]:
        return {
            name
            for name in PAGE.findall(source.read_text(encoding="utf-8"))
            if f"docs/{name}" not in WRITTEN
            and not any((folder / name).exists() for folder in (source.parent, *FOLDERS))
        }

    assert offenders(SOURCES, missing) == {}


def test_highs_enters_by_one_door() -> None:
    assert users("highspy") == ["optimizer/highs/solver.py"]


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
    assert set(users("rich")) <= {"cli.py", "optimizer/results/text/plain.py"}


def test_modules_are_short_and_named_for_their_idea() -> None:
    def wrong(module: Path) -> object:
        lines = len(module.read_text(encoding="utf-8").splitlines())
        vague = VAGUE & set(module.relative_to(ROOT).with_suffix("").parts)
        return vague or (lines if lines > MOST_LINES else 0)

    assert offenders(MODULES, wrong) == {}


def test_modules_say_what_they_are() -> None:
    def silent(module: Path) -> bool:
        return not ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))

    assert offenders(MODULES, silent) == {}
