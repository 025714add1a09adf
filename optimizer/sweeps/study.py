"""A study as its file states it: which cases, changed how, solved with which options and seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from abscopt.instances.load import InputError, problems_of, read_text
from abscopt.instances.reading.read import parse_toml
from abscopt.instances.tables.ensemble import Key
from abscopt.instances.tables.fields import Name, Table, consistent
from abscopt.optimizer.results.files import read_file


class Range(Table):
    """From a least to a greatest value."""

    low: float = Field(description="least value")
    high: float = Field(description="greatest value")
    scale: Literal["linear", "log"] = Field(
        default="linear", description="log: even in the logarithm"
    )

    @consistent
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("high must be above low")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("a logarithmic scale needs low > 0")
        return self


class Steps(Range):
    """Evenly spaced values of a key, both ends included."""

    count: Annotated[int, Field(ge=2, le=1000)] = Field(description="of values")


class Draw(Range):
    """A range that a key's value is drawn from."""

    whole: bool = Field(default=False, description="draw whole numbers, both ends included")


Listed = Annotated[tuple[Any, ...], Field(min_length=1, max_length=1000)]


class Sample(Table):
    """Joint draws of several keys."""

    count: Annotated[int, Field(ge=1, le=100_000)] = Field(description="of draws")
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(default=0, description="of the draws")
    method: Literal["random", "latin", "sobol"] = Field(
        default="sobol", description="independent, Latin hypercube, or scrambled Sobol' sequence"
    )
    keys: Annotated[dict[Key, Draw | Listed], Field(min_length=1, max_length=50)] = Field(
        description="keys as in `--set`, each with a range or a list to draw from"
    )


SolverName = Literal["abscopt", "highs", "scip", "cbc", "glpk", "gurobi", "cplex"]


class Options(Table):
    """Options of `solve`: each a list of values to try."""

    gap: Annotated[tuple[Annotated[float, Field(gt=0)] | None, ...], Field(min_length=1)] = Field(
        default=(None,), description="absolute gaps; the case's own without"
    )
    time_limit: Annotated[tuple[Annotated[float, Field(ge=0)] | None, ...], Field(min_length=1)] = (
        Field(default=(None,), description="seconds of one solve; none without")
    )
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)] = Field(
        default=(1,), description="of the solver"
    )
    solver: Annotated[tuple[SolverName, ...], Field(min_length=1)] = Field(
        default=("abscopt",),
        description="abscopt: as `solve`; else the one MILP in that solver, as `compare --solver`",
    )
    method: Annotated[tuple[Literal["auto", "single"], ...], Field(min_length=1)] = Field(
        default=("auto",), description="of `solve`"
    )


class Study(Table):
    """What a sweep works off: every case with every change, option and seed."""

    format: Literal[1] = Field(default=1, description="of this file")
    name: Name = Field(default="study", description="of the study; default: that of the file")
    cases: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] = Field(
        description="bundled names, or paths from the study's folder"
    )
    variants: dict[Name, Annotated[tuple[str, ...], Field(max_length=200)]] = Field(
        default={}, description="named lists of changes, as in `--set`, or `remove KEY`"
    )
    grid: Annotated[dict[Key, Steps | Listed], Field(max_length=50)] = Field(
        default={}, description="keys as in `--set`, each with the values to try"
    )
    sample: Sample | None = Field(default=None, description="joint draws of several keys")
    options: Options = Field(default=Options(), description="of `solve`")
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...], Field(min_length=1)] = (
        Field(default=(0,), description="of the search and of the solver")
    )

    @consistent
    def _unique(self) -> Self:
        if self.sample is not None and (twice := set(self.sample.keys) & set(self.grid)):
            raise ValueError(f"{sorted(twice)[0]} stands in grid and in sample")
        for name, values in (("cases", self.cases), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names one twice")
        return self


def read_study(file: str | Path) -> Study:
    """The study in a TOML file.

    Raises
    ------
    InputError
        With every problem of the file.
    """
    return read_file(str(file), _read)


def _read(path: Path) -> Study:
    raw = parse_toml(read_text(path), str(path))
    options = raw.get("options")
    if isinstance(options, dict):  # one value stands for a list of one
        raw["options"] = {k: v if isinstance(v, list) else [v] for k, v in options.items()}
    raw.setdefault("name", path.stem)
    try:
        return Study.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise InputError(list(problems_of(error, str(path)))) from None
