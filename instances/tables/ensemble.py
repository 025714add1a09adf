"""What is not known of a patient: ranges, scenarios and their correlations, or members one by one.

A member of an ensemble is the case with other values of some keys, written as in `--set`. Members
differ in what is not known, never in what may be chosen: they offer the same schedules.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from abscopt.instances.tables.fields import LibraryTable, Name, Status, Table, consistent

Key = Annotated[str, Field(min_length=1, max_length=200)]
Value = float | int | bool | str
Values = Annotated[dict[Key, Value], Field(max_length=200)]
Weight = Annotated[float, Field(gt=0, le=1e6)]

MOST_MEMBERS = 1000
NEEDED = {
    "lognormal": ("median", "sigma"),
    "normal": ("mean", "sd"),
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
}
"""Numbers that a distribution needs."""
ALLOWED = {"lognormal": ("low", "high"), "normal": ("low", "high"), "uniform": (), "loguniform": ()}
"""Those that it may have beside: where it is cut off."""
NUMBERS = ("median", "sigma", "mean", "sd", "low", "high")


class Spread(Table):
    """One numeric key whose value is drawn for each member.

    `lognormal`: ln x ~ N(ln median, sigma^2); `normal`: x ~ N(mean, sd^2); both cut off at `low`
    and `high` where these are given. `uniform` and `loguniform`: from low to high.
    """

    key: Key = Field(description="as in `--set`; `lesions.*.alpha_per_gy` is one draw for all")
    of: Literal["factor", "value"] = Field(
        default="factor", description="what is drawn: a factor of the value in effect, or the value"
    )
    distribution: Literal["lognormal", "normal", "uniform", "loguniform"] = Field(
        description="of what is drawn"
    )
    median: Annotated[float, Field(gt=0)] | None = Field(default=None, description="of a lognormal")
    sigma: Annotated[float, Field(gt=0, le=5)] | None = Field(
        default=None, description="standard deviation of the log of a lognormal"
    )
    mean: float | None = Field(default=None, description="of a normal")
    sd: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="standard deviation of a normal"
    )
    low: float | None = Field(default=None, description="least value")
    high: float | None = Field(default=None, description="greatest value")
    between_lesions: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="correlation between entries that `*` names: 1 is one draw for all of them, "
        "0 one for each",
    )
    if_stated: bool = Field(
        default=False, description="left out where the case has no such value; else an error"
    )
    source: str | None = Field(default=None, description="where the range comes from")
    status: Status | None = Field(default=None, description="how well the range is known")
    note: str | None = Field(
        default=None, description="what a reader should know beside the source"
    )

    @consistent
    def _numbers(self) -> Self:
        stated = {key for key in NUMBERS if getattr(self, key) is not None}
        needed, further = NEEDED[self.distribution], ALLOWED[self.distribution]
        for key in needed:
            if key not in stated:
                raise ValueError(f"{self.distribution} needs {' and '.join(needed)}")
        for key in sorted(stated - {*needed, *further}):
            raise ValueError(f"{key} does not belong to {self.distribution}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be below high")
        if self.distribution in ("lognormal", "loguniform") and (self.low or 1) <= 0:
            raise ValueError(f"low of {self.distribution} must be above 0")
        if self.between_lesions < 1 and "*" not in self.key:
            raise ValueError("between_lesions goes with a * in the key")
        return self


class Option(Table):
    """One of several things that may be so."""

    name: Name = Field(description="of the option")
    weight: Weight = Field(default=1.0, description="relative to the other options")
    set: Values = Field(default_factory=dict, description="keys and their values")
    times: Annotated[dict[Key, Annotated[float, Field(gt=0)]], Field(max_length=50)] = Field(
        default_factory=dict, description="keys and factors of their values in effect"
    )


class Choice(Table):
    """Scenarios of which one holds; drawn independently of everything else."""

    name: Name = Field(description="of what is not known")
    options: Annotated[tuple[Option, ...], Field(min_length=2, max_length=50)] = Field(
        description="of which one holds; without keys an option is the case as it is"
    )
    if_stated: bool = Field(
        default=False, description="left out where the case has no such value; else an error"
    )
    source: str | None = Field(default=None, description="where the options come from")
    status: Status | None = Field(default=None, description="how well they are known")
    note: str | None = Field(
        default=None, description="what a reader should know beside the source"
    )

    @consistent
    def _names(self) -> Self:
        if len({option.name for option in self.options}) < len(self.options):
            raise ValueError("names of options must be unique")
        return self


class Correlation(Table):
    """Correlation of the normal scores of two keys that are drawn.

    Of keys with entries for each lesion it holds within a lesion, in full where both have the same
    `between_lesions`.
    """

    keys: tuple[Key, Key] = Field(description="of two entries of `vary`")
    value: Annotated[float, Field(ge=-1, le=1)] = Field(description="correlation")


class Ensemble(LibraryTable):
    """Parameter sets that are all plausible: drawn (`vary`, `choices`), or listed (`members`)."""

    title: str | None = Field(default=None, description="one line for lists and reports")
    size: Annotated[int, Field(ge=1, le=MOST_MEMBERS)] = Field(
        default=20, description="number of members that are drawn"
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="of the scrambled Sobol' sequence"
    )
    vary: Annotated[tuple[Spread, ...], Field(max_length=100)] = Field(
        default=(), description="numeric keys that are drawn"
    )
    choices: Annotated[tuple[Choice, ...], Field(max_length=20)] = Field(
        default=(), description="scenarios of which one holds in each member"
    )
    correlations: Annotated[tuple[Correlation, ...], Field(max_length=200)] = Field(
        default=(), description="between keys that are drawn"
    )
    members: Annotated[tuple[Option, ...], Field(max_length=MOST_MEMBERS)] = Field(
        default=(), description="all members, one by one, in place of draws"
    )

    @consistent
    def _consistent(self) -> Self:
        drawn = bool(self.vary or self.choices)
        if drawn == bool(self.members):
            raise ValueError("give members, or vary and choices: one of the two")
        keys = [spread.key for spread in self.vary]
        for what, names in (
            ("keys of vary", keys),
            ("names of choices", [choice.name for choice in self.choices]),
            ("names of members", [member.name for member in self.members]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{what} must be unique")
        pairs = [frozenset(correlation.keys) for correlation in self.correlations]
        if any(len(pair) < 2 or not pair <= set(keys) for pair in pairs):
            raise ValueError("correlations are between two different keys of vary")
        if len(set(pairs)) < len(pairs):
            raise ValueError("a correlation is stated twice")
        return self
