"""Part `bombs`: inputs meant to use up time or memory are refused with a sentence.

Each is given to `instances check` or `solve`, or to a command that reads schedules and results, in
a process of its own; refused means exit code 2
(or an answer that was cheap), within 2 s and 500 MB as the system counts them. Seconds are those of
the processor: what else runs on the machine does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reliability_parts import hidden_bombs, schedule_bombs
from reliability_parts.tally import Tally

SECONDS, MEGABYTES = 2.0, 500.0
WALL_SECONDS = 60.0
"""After which a process is ended; far beyond, since other work may share the machine."""

Raw = dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """How a command ended, and what it used."""

    code: int
    seconds: float
    megabytes: float
    stdout: str
    stderr: str


WATCHED = """
import atexit, re, sys
from pathlib import Path
peak = Path(sys.argv[1])
atexit.register(lambda: peak.write_text(
    re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]))
sys.argv[:2] = ["abscopt"]
from abscopt.cli import main
main()
"""
"""The command line, which notes its own greatest memory (kB) at its end.

What the system says of a child counts the parent's memory at the fork, too.
"""


def measured(args: list[str], folder: Path, **more: Any) -> Usage:
    """Run a command of abscopt in a process of its own."""
    out, err, peak = folder / "stdout", folder / "stderr", folder / "peak"
    peak.unlink(missing_ok=True)
    command = [sys.executable, "-c", WATCHED, str(peak), *args]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=folder, **more)
        timer = _killer(process)
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        process.returncode,
        usage.ru_utime + usage.ru_stime,
        float(peak.read_text() if peak.exists() else usage.ru_maxrss) / 1024,
        out.read_text(encoding="utf-8", errors="replace"),
        err.read_text(encoding="utf-8", errors="replace"),
    )


def _killer(process: subprocess.Popen[bytes]) -> Any:
    import threading

    timer = threading.Timer(WALL_SECONDS, process.kill)
    timer.start()
    return timer


def _lesion(name: str = "a", **fields: Any) -> Raw:
    course = {"form": "uniform", "fractions": [3], "doses_gy": [8.0]}
    lesion = {"use": "plain_lq", "name": name, "organ": "site", "volume_cm3": 10, "clonogens": 1e6}
    return lesion | {"course": course, "sparing": {"cord": {"max": 0.3}}} | fields


def _case(*lesions: Raw, **fields: Any) -> Raw:
    limit = {"name": "cord", "kind": "bed", "organ": "cord", "alpha_beta_gy": 2, "cap_gy": 80}
    return {
        "format": 1,
        "name": "bomb",
        "title": "bomb",
        "horizon_days": [180],
        "provenance": {"source": "test"},
        "organs": {"cord": {"use": "generic_late"}},
        "limits": [limit | {"source": "test", "status": "assumed"}],
        "lesions": list(lesions) or [_lesion()],
    } | fields


def many_courses() -> Raw:
    """Some 10^9 courses of one lesion."""
    course = {
        "form": "uniform",
        "fractions": list(range(1, 201)),
        "doses_gy": {"min_gy": 0.01, "max_gy": 20.0, "step_gy": 0.01},
        "interval_days": list(range(1, 61)),
        "first_start_day": 0,
        "last_start_day": 1400,
    }
    return _case(_lesion(course=course), horizon_days=[1500])


def many_blocks() -> Raw:
    block = {
        "fractions": list(range(1, 100)),
        "doses_gy": {"min_gy": 0.1, "max_gy": 20, "step_gy": 0.1},
    }
    course = {"form": "uniform", **block, "also": [block] * 3000}
    return _case(_lesion(course=course))


def million_days() -> Raw:
    return _case(horizon_days=[1_000_000])


def million_start_days() -> Raw:
    course = {"form": "uniform", "fractions": [3], "doses_gy": [8.0], "last_start_day": 1_000_000}
    return _case(_lesion(course=course))


def many_free_days() -> Raw:
    levels = {"min_gy": 0.01, "max_gy": 20.0, "step_gy": 0.01}
    course = {"form": "free", "days": list(range(1400)), "doses_gy": levels}
    return _case(_lesion(course=course), horizon_days=[1500])


def four_hundred_lesions() -> Raw:
    return _case(*(_lesion(f"s{i}") for i in range(400)))


def long_list() -> Raw:
    course = {"form": "uniform", "fractions": [3] * 300_000, "doses_gy": [8.0]}
    return _case(_lesion(course=course))


def long_doses() -> Raw:
    doses = [1.0 + i / 100_000 for i in range(300_000)]
    return _case(_lesion(course={"form": "uniform", "fractions": [3], "doses_gy": doses}))


def long_free_days() -> Raw:
    course = {"form": "free", "days": list(range(600_000)), "doses_gy": [2.0]}
    return _case(_lesion(course=course))


def many_names() -> Raw:
    return _case(organs={f"o{i}": {"use": "generic_late"} for i in range(100_000)})


def many_unknown_keys() -> Raw:
    return _case(**{f"key{i}": i for i in range(200_000)})


def many_wrong_lesions() -> Raw:
    return _case(*({"name": i} for i in range(150_000)))


def many_agents() -> Raw:
    regimens = {
        f"r{i}": {"cycle_days": 21, "max_cycles": 100, "source": "test", "status": "assumed",
                  "doses": [{"drug": drug, "day": 0, "amount": 200, "unit": "mg"}]}
        for i, drug in enumerate(("pembrolizumab", "ipilimumab", "cisplatin", "paclitaxel"))
    }  # fmt: skip
    agents = [
        {"name": f"a{i}", "regimens": [f"r{i}"], "first_start_day": 0, "last_start_day": 1400}
        for i in range(4)
    ]
    return _case(regimens=regimens, agents=agents, horizon_days=[1500])


def many_doses_of_a_cycle() -> Raw:
    doses = [
        {"drug": "pembrolizumab", "day": i % 365, "amount": 1, "unit": "mg"} for i in range(50_000)
    ]
    regimen = {
        "cycle_days": 1,
        "max_cycles": 100,
        "doses": doses,
        "source": "t",
        "status": "assumed",
    }
    return _case(regimens={"r": regimen})


def many_limits() -> Raw:
    limit = {"kind": "mean", "organ": "cord", "cap_gy": 10, "source": "t", "status": "assumed"}
    return _case(limits=[{"name": f"l{i}", **limit} for i in range(50_000)])


def many_holidays() -> Raw:
    return _case(calendar={"holidays": ["2026-01-01"] * 300_000})


def huge_number() -> str:
    return json.dumps(_case()).replace('"volume_cm3": 10', '"volume_cm3": 1' + "0" * 4_000_000)


def huge_exponent() -> str:
    return json.dumps(_case()).replace('"volume_cm3": 10', '"volume_cm3": 1e999999999')


def huge_text() -> Raw:
    return _case(title="x" * 4_900_000)


def huge_name() -> Raw:
    return _case(_lesion("x" * 4_000_000))


def too_long() -> str:
    return " " * 50_000_000


def deep_lists() -> str:
    return '{"lesions": ' + "[" * 1_000_000 + "]" * 1_000_000 + "}"


def deep_tables() -> str:
    return '{"a": ' * 500_000 + "1" + "}" * 500_000


def deep_toml() -> str:
    return "a = " + "[" * 200_000 + "]" * 200_000


def deep_toml_keys() -> str:
    return ".".join(["a"] * 200_000) + " = 1"


def deep_toml_tables() -> str:
    return "".join(f"[{'.'.join(['a'] * n)}]\n" for n in range(1, 1200))


def many_toml_tables() -> str:
    return "[[lesions]]\nname = 1\n" * 150_000


def equal_keys() -> str:
    return '{"a": 1' + ', "a": 1' * 300_000 + "}"


def extends_many() -> Raw:
    return {"extends": "toy-blockade", "lesions": [{"name": f"s{i}"} for i in range(100_000)]}


def points_of_limits() -> Raw:
    limit = {"name": "l", "kind": "bed", "organ": "cord", "alpha_beta_gy": 2, "cap_gy": 10}
    return _case(limits=[limit | {"points": [f"p{i}" for i in range(200_000)]}])


BOMBS: tuple[Callable[[], Raw | str], ...] = (
    many_courses, many_blocks, million_days, million_start_days, many_free_days,
    four_hundred_lesions, long_list, long_doses, long_free_days, many_names, many_unknown_keys,
    many_wrong_lesions, many_agents, many_doses_of_a_cycle, many_limits, many_holidays, huge_number,
    huge_exponent, huge_text, huge_name, too_long, deep_lists, deep_tables, deep_toml,
    deep_toml_keys, deep_toml_tables, many_toml_tables, equal_keys, extends_many, points_of_limits,
    *(bomb.of(_case, _lesion) for bomb in hidden_bombs.CASES), *hidden_bombs.TEXTS,
    *schedule_bombs.DOCUMENTS,
)  # fmt: skip


def examine(seed: int) -> Tally:
    """Give one bomb to `instances check` (even rounds) or `solve`; schedules in turn to others."""
    tally, bomb = Tally(), BOMBS[seed % len(BOMBS)]
    document = bomb()
    text = document if isinstance(document, str) else json.dumps(document)
    suffix = next((one for one in ("toml", "csv") if one in bomb.__name__), "json")
    solved, read = seed // len(BOMBS) % 2 == 1, bomb in schedule_bombs.DOCUMENTS
    command = ["solve", "--time-limit", "1"] if solved else ["instances", "check"]
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"bomb.{suffix}"
        file.write_text(text, encoding="utf-8")
        arguments = [*command, file.name]
        if read:
            arguments = schedule_bombs.command_of(seed // len(BOMBS) + seed, file.name)
        used = measured(arguments, Path(folder))
    tally.counts.update(["bombs", f"exit code {used.code}"])
    says = f"seed {seed} {arguments[0]} {bomb.__name__}: exit code {used.code}, "
    says += f"{used.seconds:.1f} s, {used.megabytes:.0f} MB"
    # An input that is not refused was asked to be solved for a second.
    more = (solved and used.code in (0, 3, 4)) or (read and arguments[0] in ("compare", "simulate"))
    seconds = SECONDS + (1.0 if more else 0.0)  # those two take a second to load
    told = used.code in (0, 3, 4) or (used.code == 2 and len(used.stderr) > 0)
    if not told or "Traceback" in used.stderr or "internal error" in used.stderr:
        tally.faults.append(f"{says}: {' '.join(used.stderr.split())[-200:]}")
    elif used.seconds > seconds or used.megabytes > MEGABYTES:
        tally.faults.append(says)
    elif len(used.stderr) > 100_000:
        tally.faults.append(f"{says}: {len(used.stderr)} characters of messages")
    return tally
