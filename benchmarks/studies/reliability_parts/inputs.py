"""Part `inputs`: mutated documents end in a true answer or in lines that say what is wrong.

A document is a case, a schedule, a result, an evaluation or a solution file, mutated as a tree or
as text, given to a command of the command line or to the library. No traceback, no internal error,
no hang; of wrong input one line per problem; an `optimal` holds against the judge, who sees all
schedules where these are few; a sealed document that was changed is never accepted.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from abscopt.cli import main
from abscopt.instances import InputError, load
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import read_schedule
from reliability_parts import documents
from reliability_parts.claims import false_proof
from reliability_parts.mutations import Rng, mutated, nudged
from reliability_parts.tally import HangError, Tally, one_line, time_box

LIMIT = 1.0
"""Seconds given to a solve; the largest mutated cases do not end by themselves."""
LATE = 2.5
"""Seconds of our own processor time beyond the limit that count as late."""
HANG_SECONDS = 40.0
GENTLE = 0.6
"""Share of the tiny cases of which only numbers are changed, so that they are solved, too."""
LINE_BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(frozen=True)
class Trial:
    """One fuzzed call: the command with FILE for the document, the text, how it is called."""

    kind: str
    name: str
    text: str
    args: tuple[str, ...]
    sealed: bool = False


def trial(seed: int) -> Trial:
    """The call of a seed."""
    rng = np.random.default_rng([2030, seed])
    draw = rng.random()
    if draw < 0.62:
        return _case_trial(rng)
    if draw < 0.76:
        return _schedule_trial(rng)
    if draw < 0.92:
        return _result_trial(rng)
    if draw < 0.96:
        return _solution_trial(rng)
    return _options_trial(rng)


def _pick(rng: Rng, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _case_trial(rng: Rng) -> Trial:
    raw, tiny = documents.case(rng)
    change = nudged if tiny and rng.random() < GENTLE else mutated
    changed = change(rng, raw, documents.case(rng)[0])
    solved = ("solve", "FILE", "--time-limit", str(LIMIT), "--json")
    commands: list[tuple[str, ...]] = [("instances", "check", "FILE"), ("LIBRARY", "build")]
    if tiny:
        commands += [solved, solved, solved, ("LIBRARY", "solve"), (*solved, "--method", "single")]
        commands += [("instances", "show", "FILE"), ("evaluate", "FILE", "--regimen", "standard")]
        commands += [
            ("export", "FILE", "--format", "lp", "--first"),
            ("compare", "FILE", *solved[2:]),
        ]
    return Trial("case", *_written(rng, changed), _pick(rng, commands))


def _schedule_trial(rng: Rng) -> Trial:
    name = _pick(rng, documents.SOLVED)
    other = documents.schedule(_pick(rng, documents.SOLVED))
    changed = mutated(rng, documents.schedule(name), other)
    commands = (
        ("evaluate", name, "FILE"),
        ("evaluate", name, "FILE", "--json"),
        ("simulate", name, "FILE", "--json"),
        ("solve", name, "--start", "FILE", "--time-limit", str(LIMIT), "--json"),
        ("LIBRARY", "schedule", name),
    )
    return Trial(
        "schedule", "schedule.json", _damaged(rng, documents.as_json(changed)), _pick(rng, commands)
    )


def _result_trial(rng: Rng) -> Trial:
    name = _pick(rng, documents.SOLVED)
    kind, document = _pick(
        rng, (("result", documents.result), ("evaluation", documents.evaluation))
    )
    changed = mutated(rng, document(name), document(_pick(rng, documents.SOLVED)))
    if rng.random() < 0.25:
        changed = _tampered(rng, document(name))
    commands = [("evaluate", name, "FILE"), ("simulate", name, "FILE"), ("compare", "FILE")]
    args = _pick(rng, commands[: 3 if kind == "result" else 2])
    text = documents.as_json(changed)
    same = _equal(_parsed(text), document(name))
    return Trial(kind, "result.json", text, args, sealed=not same)


def _tampered(rng: Rng, document: dict[str, Any]) -> dict[str, Any]:
    """A single leaf of the seal, the versions or the proof changed."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    key = _pick(
        rng,
        [
            k
            for k in ("digest", "versions", "instance_digest", "bound", "gap", "seed", "status")
            if k in changed
        ],
    )
    value = changed[key]
    if isinstance(value, dict):
        value[_pick(rng, sorted(value))] = _pick(rng, ("9.9", None, 1, "0.4.0 "))
    elif isinstance(value, str):
        changed[key] = _pick(rng, (value[:-1], value + "0", value.upper(), "", None, value[::-1]))
    else:
        changed[key] = _pick(rng, (None, 0, 1, -1, 1e9, "1", True, 0.5))
    return changed


def _solution_trial(rng: Rng) -> Trial:
    name = _pick(rng, documents.SOLVED)
    text = documents.solution(name)
    for _ in range(int(rng.geometric(0.5))):
        text = _damaged(rng, text, always=True)
    return Trial("solution", "p.sol", text, ("import-solution", name, "FILE"))


def _options_trial(rng: Rng) -> Trial:
    """A command with a strange value of an option."""
    values = (
        "nan",
        "inf",
        "-1",
        "0",
        "1e400",
        "",
        "x",
        "1e-300",
        "9" * 400,
        "é",
        "-0",
        "1_0",
        "0x1",
        "\t",
    )
    value = _pick(rng, values)
    commands = (
        ("solve", "toy-blockade", "--gap", value),
        ("solve", "toy-blockade", "--time-limit", value),
        ("solve", "toy-blockade", "--seed", value),
        ("solve", "toy-blockade", "--threads", value),
        ("frontier", "toy-two-lesions", "--limit", "organ", "--caps", value),
        ("frontier", "toy-two-lesions", "--limit", value, "--caps", "1,2"),
        ("evaluate", "toy-blockade", "--regimen", value),
        ("evaluate", value, "--regimen", "standard"),
        ("solve", value),
        ("evidence", "--only", value),
        ("instances", "check", value),
    )
    return Trial("options", "unused", "", _pick(rng, commands))


def _written(rng: Rng, document: Any) -> tuple[str, str]:
    """File name and text: TOML where it can say it, half of the time."""
    toml = documents.as_toml(document) if rng.random() < 0.5 else None
    if toml is not None:
        return "case.toml", _damaged(rng, toml)
    return "case.json", _damaged(rng, documents.as_json(document))


def _damaged(rng: Rng, text: str, always: bool = False) -> str:
    """The text, now and then cut, doubled or with a character put in."""
    if not text or not (always or rng.random() < 0.08):
        return text
    place = int(rng.integers(len(text)))
    other = int(rng.integers(len(text)))
    strange = _pick(
        rng,
        (
            "\t",
            "\n",
            "\0",
            '"',
            "{",
            "]",
            "=",
            "#",
            "é",
            "\ufeff",
            " ",
            "9" * 20,
            "-",
            "e999",
            "[" * 5000,
            '{"a":' * 3000,
        ),
    )
    return str(
        _pick(
            rng,
            (
                text[:place],
                text[:place] + strange + text[place:],
                text[:place] + text[place + 1 :],
                text[: max(place, other)] + text[min(place, other) :],
                text[:place] + strange + text[place + 1 :],
            ),
        )
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _equal(one: Any, other: Any) -> bool:
    """Whether two documents say the same; 1 and 1.0 differ, NaN is NaN."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return False


def examine(seed: int, keep: Path | None = None) -> Tally:
    """Make one call and judge how it ends; `keep` is a folder for the document."""
    tally, call = Tally(), trial(seed)
    tally.counts.update(["inputs", f"{call.kind} documents"])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        path = (keep or Path(folder)) / f"{seed}-{call.name}"
        path.write_bytes(call.text.encode("utf-8", "surrogatepass"))
        began = time.process_time()
        try:
            with time_box(HANG_SECONDS):
                wrong = (
                    _library(call, tally)
                    if call.args[0] == "LIBRARY"
                    else _command(call, path, tally)
                )
        except HangError as error:
            wrong = f"hang: {error}"
        taken = time.process_time() - began
    if wrong is None and "solve" in call.args and taken > LATE + LIMIT:
        wrong = f"late: {taken:.1f} s of processor time"
    if wrong is not None:
        tally.faults.append(f"seed {seed} {call.kind} {' '.join(call.args)}: {wrong}"[:500])
    return tally


def _command(call: Trial, path: Path, tally: Tally) -> str | None:
    args = [str(path) if arg == "FILE" else arg for arg in call.args]
    done = CliRunner().invoke(main, args, env={"ABSCOPT_DEBUG": ""})
    code = done.exit_code
    tally.counts[f"exit code {code}"] += 1
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"exception {one_line(done.exception)}"
    if "Traceback" in done.output:
        return "traceback"
    if code not in (0, 2, 3, 4):
        if code == 1 and call.args[0] == "compare" and "internal error" not in done.stderr:
            return None
        return f"exit code {code}: {' '.join(done.stderr.split())[:250]}"
    if code == 2:
        return _wrong_lines(done)
    if call.sealed and code == 0:
        return "a changed document was accepted"
    if call.args[0] == "solve" and call.kind == "case":
        return false_proof(json.loads(done.stdout), _loaded(path), tally)
    return None


def _loaded(path: Path) -> Instance:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(path)


def _wrong_lines(done: Result) -> str | None:
    """Wrong input is told in lines `file: place: value: rule`, wrong usage in click's way."""
    text = done.stderr
    if text.startswith("Usage:"):
        return None
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return "exit code 2 without a word"
    for line in lines:
        if line.count(": ") < 2:
            return f"a line without place, value and rule: {line[:200]!r}"
        if any(not char.isprintable() and char not in " \u202e" for char in line.strip()):
            odd = next(char for char in line.strip() if not char.isprintable())
            return f"a line holds {odd!r}: {line[:200]!r}"
    return None


def _library(call: Trial, tally: Tally) -> str | None:
    """The same through the library; the document is what JSON or TOML makes of the text."""
    document = _document(call)
    try:
        if call.args[1] == "schedule":
            instance = load(call.args[2])
            Judge(instance).evaluate(read_schedule(document, instance, "document"))
            return None
        instance = build(document)
        if call.args[1] == "solve":
            result = solve(instance, time_limit=LIMIT)
            tally.counts[f"library {result.status}"] += 1
            return false_proof(result.to_json(instance), instance, tally)
    except InputError as error:
        tally.counts["library refused"] += 1
        if len(str(error).split("\n")) != len(error.problems):
            return f"{len(error.problems)} problems on other lines: {str(error)[:200]!r}"
    except RecursionError as error:
        return f"exception {one_line(error)}"
    except Exception as error:
        return f"exception {one_line(error)}"
    return None


def _document(call: Trial) -> Any:
    import tomllib

    try:
        return json.loads(call.text) if call.name.endswith(".json") else tomllib.loads(call.text)
    except (ValueError, RecursionError):
        return {"text": call.text[:50]}


def reproducer(seed: int, folder: Path) -> str:
    """Write the document of a seed; the command line that shows what happens."""
    call = trial(seed)
    path = folder / f"{seed}-{call.name}"
    path.write_bytes(call.text.encode("utf-8", "surrogatepass"))
    return f"abscopt {' '.join(os.fspath(path) if arg == 'FILE' else arg for arg in call.args)}"
