"""Part `kills`: killed at any step of writing, a file is the old one or the new one, never half.

A seed is a command that writes (`solve --out`, `compare --csv`, `export --out`), over the files of
an earlier run or not. It is killed at every step that writing has. Then every file must be whole,
all files of a folder of one run unless a mark says that a run was ended there; and the next run
must succeed and leave nothing but its files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from abscopt.cli import main
from reliability_parts import killing
from reliability_parts.tally import Tally

CASES = ("toy-blockade", "toy-two-lesions")
MARK = "UNFINISHED"
"""Name of the file that says that a run was ended while it wrote the folder."""


def _solve(case: str, folder: Path, seed: int) -> list[str]:
    gap = ("0.01", "0.02")[seed]
    return ["solve", case, "--out", str(folder), "--gap", gap, "--seed", str(seed)]


def _compare(case: str, folder: Path, seed: int) -> list[str]:
    names = [case, *(other for other in CASES if other != case)][: 1 + seed]
    return ["compare", *names, "--csv", str(folder / "rows.csv")]


def _export(case: str, folder: Path, seed: int) -> list[str]:
    form = ("mps", "lp")[seed]
    return ["export", case, "--format", form, "--first", "--out", str(folder / "programme")]


COMMANDS: tuple[Callable[[str, Path, int], list[str]], ...] = (_solve, _compare, _export)


def examine(seed: int, stride: int = 1) -> Tally:
    """Kill one command at each of its steps, or at every so many."""
    tally, wrongs = Tally(), []
    command = COMMANDS[seed % len(COMMANDS)]
    over = seed // len(COMMANDS) % 2 == 0
    case = CASES[seed // (2 * len(COMMANDS)) % len(CASES)]
    says = f"seed {seed} {command.__name__[1:]} {case}{' over older files' if over else ''}"
    with TemporaryDirectory() as place:
        folder = Path(place) / "out"
        before = _files_of(folder, lambda: _run(command(case, folder, 1), folder)) if over else {}
        after = _files_of(folder, lambda: _run(command(case, folder, 0), folder))
        steps = _run(command(case, folder, 0), folder)
        if steps <= 0 or not after or before == after:
            tally.faults.append(f"{says}: the command itself fails ({steps})")
            return tally
        for last in range(1, steps + 1, stride):
            _restore(folder, before)
            ending = _run(command(case, folder, 0), folder, last)
            if ending != -9:
                continue  # over fewer files there are fewer steps
            tally.counts.update(["kills", f"kills of {command.__name__[1:]}"])
            wrong = _state(folder, before, after) or _recovered(
                command(case, folder, 0), folder, after
            )
            if wrong is not None:
                wrongs.append(f"{says}: killed at step {last} of {steps}: {wrong}")
    if wrongs:
        tally.faults.append(f"{wrongs[0]} ({len(wrongs)} such)")
    return tally


def _run(args: list[str], folder: Path, last: int = 0) -> int:
    return killing.run(main, args, folder, last)


def _files_of(folder: Path, run: Callable[[], int]) -> dict[str, bytes]:
    """What a command leaves in an empty folder."""
    _restore(folder, {})
    run()
    return _read(folder)


def _restore(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _read(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _state(folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> str | None:
    """What is wrong with a folder after a kill; None if nothing is."""
    found = {
        n: d for n, d in _read(folder).items() if not (n.startswith(".") and n.endswith(".tmp"))
    }
    marked = found.pop(MARK, None) is not None
    for name, data in found.items():
        if data not in (before.get(name), after.get(name)):
            return f"{name} is neither the old file nor the new one"
    if not marked and found not in (before, after):
        return f"files of two runs: {sorted(n for n in after if found.get(n) == after[n])} are new"
    if marked and _run(["evaluate", CASES[0], str(folder / "result.json")], folder) > 0:
        return "a folder that is marked as unfinished is read"
    return None


def _recovered(args: list[str], folder: Path, after: dict[str, bytes]) -> str | None:
    """What is wrong after the same command was run again."""
    if _run(args, folder) < 0:
        return "the next run fails"
    found = _read(folder)
    if found != after:
        return f"after the next run: {sorted(set(found) ^ set(after)) or 'other contents'}"
    return None
