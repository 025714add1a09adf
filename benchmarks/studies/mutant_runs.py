"""Tests of a mutant, each in a forked process.

pytest collects the tests once. For a mutant a child of that process takes its code in place of
that of the function that was changed, and runs the tests that enter the function, the quick ones
first, until one fails. A mutant that shows outside the code of functions (a constant of the
module, a default) gets a process in which the package is imported afresh, with the mutant instead
of its module.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import resource
import select
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutants import OUTSIDE, ROOT, Mutant, unit_at, units_of

PATIENCE = 2.0
"""A mutant may take so many times the time of its tests, and `GRACE`, before it counts as hung."""
GRACE = 3.0
WALL = 1200.0
"""Seconds after which a child that does not compute is given up."""
MEMORY = 8 << 30
"""Bytes of a child at most."""

LIBRARIES = ("numpy", "scipy.integrate", "scipy.special", "scipy.stats", "scipy.sparse", "pandas",
             "pydantic", "hypothesis", "highspy", "pyomo.environ")  # fmt: skip
"""Imported before processes part that import the package afresh."""

Tests = Sequence[tuple[str, float]]
"""Names of tests and their CPU seconds."""


def in_child(task: Callable[[], Any], seconds: float | None = None) -> Any:
    """What a task returns in a forked process; None if it ends otherwise or computes longer."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            if seconds is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 5))
            try:
                text = json.dumps({"value": task()})
            except Exception as error:
                text = json.dumps({"error": repr(error)})
            with os.fdopen(writer, "w") as pipe:
                pipe.write(text)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read() if select.select([pipe], [], [], WALL)[0] else ""
        if not text:
            os.kill(process, 9)
    os.waitpid(process, 0)
    if not text:
        return None
    answer = json.loads(text)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["value"]


class Session:
    """Plugin: gives the collected tests to a task instead of running them."""

    def __init__(self, task: Callable[[list[pytest.Item]], None]):
        self.task = task
        self.failed = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not self.failed:
            self.task(session.items)
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = "import"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def session(files: Iterable[str], task: Callable[[list[pytest.Item], Session], None]) -> Session:
    """Collect the tests of some files and give them to a task."""
    os.chdir(ROOT)
    plugin = Session(lambda items: task(items, plugin))
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT),
               "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    code = pytest.main([*options, *files], plugins=[plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not plugin.failed:
        raise RuntimeError(f"pytest ended with {code}")
    return plugin


def run(items: Sequence[pytest.Item], plugin: Session) -> str:
    """Run tests until one fails: its name, or nothing."""
    for item, after in zip(items, [*items[1:], None], strict=False):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if plugin.failed:
            break
    return plugin.failed


def _codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """Code of a module and of all functions in it, by name and line."""
    codes = {(code.co_qualname, code.co_firstlineno): code}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            codes |= _codes(constant)
    return codes


def _compiled(mutant: Mutant) -> tuple[CodeType, CodeType]:
    path = ROOT / mutant.module
    source = path.read_bytes()
    before = compile(source, str(path), "exec")
    return before, compile(mutant.of(source), str(path), "exec")


def _own(code: CodeType) -> tuple[Any, ...]:
    """What code does by itself, without the functions in it."""
    constants = [part for part in code.co_consts if not isinstance(part, CodeType)]
    return code.co_code, [(type(part), repr(part)) for part in constants], code.co_names


def replaced(mutant: Mutant) -> dict[tuple[str, int], CodeType] | None:
    """Code of the functions that a mutant changes; None if it shows outside of functions."""
    before, after = map(_codes, _compiled(mutant))
    if before.keys() != after.keys():
        return None
    changed = {key for key in before if _own(before[key]) != _own(after[key])}
    outer = {key for key in before if before[key].co_name == "<module>" or _is_class(before[key])}
    if changed & outer or not changed:
        return None
    # functions within a changed one, and those around it, carry its code as a constant
    return {key: after[key] for key in before if key not in outer and before[key] != after[key]}


def _is_class(code: CodeType) -> bool:
    return "__module__" in code.co_names and "__qualname__" in code.co_names


def functions_of(modules: Iterable[str]) -> dict[tuple[str, str, int], list[FunctionType]]:
    """Functions that were imported, by module, name and line."""
    paths = {str(ROOT / module): module for module in modules}
    functions = defaultdict(list)
    for part in gc.get_objects():
        if isinstance(part, FunctionType):
            code = part.__code__
            module = paths.get(os.path.realpath(code.co_filename))
            if module is not None:
                functions[module, code.co_qualname, code.co_firstlineno].append(part)
    return dict(functions)


def verdict_by_code(
    mutant: Mutant,
    codes: dict[tuple[str, int], CodeType],
    functions: dict[tuple[str, str, int], list[FunctionType]],
    items: Sequence[pytest.Item],
    plugin: Session,
    seconds: float,
) -> str:
    """The test that notices a mutant, or `time`, or nothing."""

    def task() -> str:
        for (name, line), code in codes.items():
            for function in functions.get((mutant.module, name, line), ()):
                function.__code__ = code
        return run(items, plugin)

    ended = in_child(task, PATIENCE * seconds + GRACE)
    return "time" if ended is None else str(ended)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the mutant instead of its module."""

    def __init__(self, mutant: Mutant):
        self.path = ROOT / mutant.module
        self.name = "abscopt." + mutant.module.removesuffix(".py").replace("/", ".")
        self.code = _compiled(mutant)[1]

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: Any) -> None:
        exec(self.code, module.__dict__)


def verdict_by_import(mutant: Mutant, tests: Tests) -> str:
    """The test that notices a mutant, or `import`, `time`, or nothing."""
    names = [test for test, _ in tests]

    def task() -> str:
        assert "abscopt" not in sys.modules
        sys.meta_path.insert(0, _Finder(mutant))

        def chosen(items: list[pytest.Item], plugin: Session) -> None:
            named = {item.nodeid: item for item in items}
            run([named[name] for name in names if name in named], plugin)

        return session(dict.fromkeys(name.split("::")[0] for name in names), chosen).failed

    ended = in_child(task, PATIENCE * sum(part for _, part in tests) + GRACE)
    return "time" if ended is None else str(ended)


class TestMap:
    """Seconds of each test, and the units it enters: {file: {digest, tests: {id: [s, units]}}}."""

    __test__ = False

    def __init__(self, path: Path):
        self.path = path
        self.files: dict[str, Any] = {}
        if path.exists():
            self.files = json.loads(path.read_text(encoding="utf-8"))

    def measure(self, files: Sequence[str], modules: Sequence[str]) -> None:
        """Measure the files that changed since."""
        digests = {file: hashlib.sha1((ROOT / file).read_bytes()).hexdigest() for file in files}
        self.files = {
            file: part for file, part in self.files.items() if digests.get(file) == part["digest"]
        }
        for file in sorted(digests.keys() - self.files.keys()):
            tests = in_child(lambda file=file: _entered(file, modules))  # type: ignore[misc]
            if not tests:
                raise SystemExit(f"{file} fails without any mutant")
            self.files[file] = {"digest": digests[file], "tests": tests}
            self.path.parent.mkdir(exist_ok=True)
            self.path.write_text(json.dumps(self.files), encoding="utf-8")
            seconds = sum(seconds for seconds, _ in tests.values())
            print(f"{file}: {len(tests)} tests, {seconds:.0f} s", flush=True)

    def of(self, mutant: Mutant, most: float) -> Tests:
        """Tests that enter the unit of a mutant (the module, for what is outside), in order.

        Those named after the module come first, then the quick ones, up to `most` CPU seconds.
        """
        stem = Path(mutant.module).stem
        named = (f"/test_{stem}.py", f"/test_simulator_{stem}.py")
        unit = f"{mutant.module}::{'' if mutant.unit == OUTSIDE else mutant.unit}"

        def enters(units: list[str]) -> bool:
            return any(part.startswith(unit) if unit.endswith("::") else part == unit
                       for part in units)  # fmt: skip

        ranked = sorted(
            (not file.endswith(named), seconds, test)
            for file, content in self.files.items()
            for test, (seconds, units) in content["tests"].items()
            if enters(units)
        )
        tests, spent = [], 0.0
        for _, seconds, test in ranked:
            if spent + seconds <= most:
                spent += seconds
                tests.append((test, seconds))
        return tests


def _entered(file: str, modules: Sequence[str]) -> dict[str, Any]:
    """Tests of a file: [seconds, units entered]; empty if one fails."""
    import coverage

    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        recorder = coverage.Coverage(
            data_file=str(Path(folder) / "data"), config_file=False,
            include=[str(ROOT / name) for name in modules],
        )  # fmt: skip

        def timed(items: list[pytest.Item], plugin: Session) -> None:
            package = sys.modules["abscopt"].__file__
            assert package and Path(package).resolve().parent == ROOT, package
            recorder.start()
            for item, after in zip(items, [*items[1:], None], strict=True):
                recorder.switch_context(item.nodeid)
                begin = time.process_time()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                seconds[item.nodeid] = round(time.process_time() - begin, 3)
            recorder.stop()

        if session([file], timed).failed:
            return {}
        data = recorder.get_data()
        units: dict[str, set[str]] = {test: set() for test in seconds}
        for path in data.measured_files():
            module = Path(path).resolve().relative_to(ROOT).as_posix()
            parts = units_of((ROOT / module).read_bytes())
            for line, tests in data.contexts_by_lineno(path).items():
                unit = unit_at(parts, line)
                if unit.name == OUTSIDE or line == unit.first:
                    continue
                for test in set(tests) & units.keys():
                    units[test].add(f"{module}::{unit.name}")
    return {test: [seconds[test], sorted(units[test])] for test in seconds}
