"""The runs of a study: every case with every change, option and seed, in a fixed order."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.change import as_changes
from abscopt.instances.changes.text import inline
from abscopt.instances.load import InputError, Problem, load, names
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.sweeps.study import Draw, Options, Sample, Steps, Study

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

MOST_RUNS = 100_000
"""More are a slip in a grid: at a second each they would take a day."""

Settings = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One solve of a study.

    Attributes
    ----------
    number : place in the study, from 1
    case_name : of the case before it is changed
    variant : name of the list of changes; '' without variants
    settings : values of the keys of grid and sample
    changes : all of them as texts of `--set`
    gap, time_limit, threads, method, seed : as in `solve`
    solver : `abscopt`, or one that the programme is handed to
    """

    number: int
    case_name: str
    variant: str
    settings: Settings
    changes: tuple[str, ...]
    gap: float | None
    time_limit: float | None
    threads: int
    solver: str
    method: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """A study with its cases read and its runs counted out.

    Attributes
    ----------
    digest : SHA-256 of runs and cases: stores of equal digests hold the same runs
    """

    study: Study
    cases: dict[str, Instance]
    runs: tuple[Run, ...]
    digest: str


def plan_of(study: Study, folder: str | Path = ".") -> Plan:
    """The runs of a study.

    Parameters
    ----------
    folder : where relative paths of cases begin

    Raises
    ------
    InputError
        If a case or a change cannot be read, or no case has a key that is changed.
    """
    cases = _cases(study, Path(folder))
    size = _size(study)
    if size > MOST_RUNS:
        rule = f"at most {MOST_RUNS} runs"
        raise InputError([Problem(study.name, "runs", str(size), rule)])
    runs = tuple(_runs(study, tuple(cases)))
    _try_first_changes(study, cases, runs)
    stated = [vars(run) for run in runs] + [instance_digest(case) for case in cases.values()]
    digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
    return Plan(study, cases, runs, digest)


def described(run: Run) -> str:
    """A run on one line."""
    words = [f"{run.number:>6}  {run.case_name}", *filter(None, [run.variant]), *run.changes]
    options = {"gap": run.gap, "time_limit": run.time_limit, "threads": run.threads}
    words += [f"{name} {value:g}" for name, value in options.items() if value is not None]
    return "  ".join([*words, run.solver, run.method, f"seed {run.seed}"])


def _cases(study: Study, folder: Path) -> dict[str, Instance]:
    """Cases by name; raises InputError with the problems of all of them."""
    cases, wrong = dict[str, "Instance"](), list[Problem]()
    for label in study.cases:
        try:
            case = load(label if label in names() else folder / label)
        except InputError as error:
            wrong += error.problems
            continue
        except OSError as error:
            reason = error.strerror or "unreadable"
            wrong.append(Problem(label[:80], "path", reason, "must be readable"))
            continue
        if case.name in cases:
            wrong.append(Problem(label, "name", case.name, "another case of the study has it"))
        cases[case.name] = case
    if wrong:
        raise InputError(wrong)
    return cases


def _size(study: Study) -> int:
    """prod of the numbers of cases, variants, values, draws, options and seeds"""
    values = (s.count if isinstance(s, Steps) else len(s) for s in study.grid.values())
    options = (len(listed) for _, listed in study.options)
    draws = study.sample.count if study.sample else 1
    variants = max(1, len(study.variants))
    seeds = len(study.seeds)
    return math.prod((len(study.cases), variants, *values, draws, *options, seeds))


def _runs(study: Study, case_names: tuple[str, ...]) -> Iterator[Run]:
    variants = study.variants or {"": ()}
    steps = {
        key: stepped(values) if isinstance(values, Steps) else values
        for key, values in study.grid.items()
    }
    draws = draws_of(study.sample) if study.sample else [{}]
    everything = itertools.product(
        case_names, variants.items(), products(steps), draws, _options(study.options), study.seeds
    )
    for number, (case, (variant, texts), grid, draw, options, seed) in enumerate(everything, 1):
        settings = grid | draw
        changes = (*texts, *(f"{key}={inline(value)}" for key, value in settings.items()))
        yield Run(number, case, variant, settings, changes, seed=seed, **options)


def _options(options: Options) -> list[dict[str, Any]]:
    return list(products(dict(options)))


def products(values: dict[str, tuple[Any, ...]]) -> list[Settings]:
    """Every combination of values, the last key varying fastest."""
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def stepped(steps: Steps) -> tuple[float, ...]:
    """x_k = low + (high - low) k / (count - 1), or so in the logarithm; the ends are exact."""
    last = steps.count - 1
    between = (placed(steps, k / last) for k in range(1, last))
    return (steps.low, *between, steps.high)


def placed(span: Steps | Draw, share: float) -> float:
    """low + (high - low) u, or low (high / low)^u."""
    if span.scale == "log":
        return span.low * math.exp(share * math.log(span.high / span.low))
    return span.low + (span.high - span.low) * share


def draws_of(sample: Sample) -> list[Settings]:
    """Values of all keys for each draw; equal for equal samples."""
    points = _points(sample)
    return [
        {
            key: _drawn(values, float(share))
            for (key, values), share in zip(sample.keys.items(), row, strict=True)
        }
        for row in points
    ]


def _drawn(values: Draw | tuple[Any, ...], share: float) -> Any:
    if isinstance(values, tuple):
        return values[min(int(share * len(values)), len(values) - 1)]
    if not values.whole:
        return placed(values, share)
    low, high = math.ceil(values.low), math.floor(values.high)
    return min(low + int(share * (high - low + 1)), high)


def _points(sample: Sample) -> Any:
    """(count, keys) points of the unit cube."""
    import numpy as np

    generator = np.random.default_rng(sample.seed)
    dimensions = len(sample.keys)
    if sample.method == "random":
        return generator.random((sample.count, dimensions))
    if sample.method == "sobol":
        from abscopt.optimizer.ensemble.drawn import sobol_points

        return sobol_points(sample.count, dimensions, sample.seed)
    ranks = generator.permuted(np.tile(np.arange(sample.count), (dimensions, 1)), axis=1).T
    return (ranks + generator.random((sample.count, dimensions))) / sample.count


def _try_first_changes(study: Study, cases: dict[str, Instance], runs: tuple[Run, ...]) -> None:
    """Raise InputError where the first changes of a variant fit none of the cases.

    So a slip in a key is seen at once; a value that only some cases refuse is a row of its own.
    """
    seen: set[str] = set()
    for run in runs:
        if run.variant in seen:
            continue
        seen.add(run.variant)
        as_changes(run.changes, study.name)
        refusals = [_refusal(case, run.changes) for case in cases.values()]
        if all(refusals):
            raise refusals[0] or AssertionError


def _refusal(case: Instance, changes: tuple[str, ...]) -> InputError | None:
    try:
        case.with_(changes)
    except InputError as error:
        return error
    return None
