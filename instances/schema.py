"""The patient case: a frozen, fully checked description of what is asked.

Every table forbids unknown keys; units are part of the key names. `load` merges library
entries named by `use` into the tables before they are checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from abscopt.instances.checks.numbers.ranges import add_to_schema
from abscopt.instances.history.delivered import Delivered
from abscopt.instances.lesions import Lesion, Technique
from abscopt.instances.limits import AnyLimit
from abscopt.instances.observation import StatedObservation
from abscopt.instances.reading.problems import CROSS_CHECKS, MOST_LIMITS
from abscopt.instances.reading.shorthand import DAYS, LISTS
from abscopt.instances.tables.calendar import Calendar
from abscopt.instances.tables.ensemble import Ensemble
from abscopt.instances.tables.fields import (
    Count,
    Day,
    FractionDose,
    Name,
    Table,
    consistent,
)
from abscopt.instances.tables.immune import Immune, Lymphocytes
from abscopt.instances.tables.organs import CrossMoment, Organ, PriorDose
from abscopt.instances.tables.sparing import SECOND_MOMENT
from abscopt.instances.tables.systemic import AgentChoice, Drug, Regimen

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Changes

FORMAT = 1


class Provenance(Table):
    """Birth certificate of a case: what was measured, what was assumed, and by whom."""

    source: str = Field(description="where the case comes from")
    doi: str | None = Field(default=None, description="of the source")
    license: str = Field(default="MIT", description="of the case file")
    measured: tuple[str, ...] = Field(
        default=(), description="places of the case that were measured"
    )
    assumed: tuple[str, ...] = Field(default=(), description="places of the case that were assumed")


class Patient(Table):
    """Body data that turn mg/kg, mg/m2 and AUC into mg."""

    weight_kg: Annotated[float, Field(ge=20, le=300)] = Field(
        default=70.0, description="body mass, for doses per kg"
    )
    bsa_m2: Annotated[float, Field(ge=0.7, le=3.5)] = Field(
        default=1.8, description="body surface area, for doses per m2"
    )
    gfr_ml_per_min: Annotated[float, Field(ge=5, le=250)] = Field(
        default=90.0, description="glomerular filtration rate, for doses by AUC (Calvert)"
    )


Preference = Literal[
    "closest-to-standard", "fewest-visits", "least-load", "consecutive-days", "earliest"
]


class Objective(Table):
    """What is maximized, and the gap at which a proof is complete.

    All but the last are weighted sums over lesions of the mean over horizons.
    `default`: log control with conceded lesions, in nats. `log_control`: log control, in nats.
    `expected_control`: control probability, in lesions. `log_kill`: minus the log burden, in nats.
    `tumor_bed`: weighted tumor BED less repopulation, in Gy.
    """

    kind: Literal["default", "log_control", "expected_control", "log_kill", "tumor_bed"] = Field(
        default="default", description="what is maximized"
    )
    conceded_at_nats: Annotated[float, Field(ge=1, le=50)] = Field(
        default=4.6,
        description="log control below -L is replaced by a line: the lesion is conceded",
    )
    conceded_slope: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        default=0.05, description="slope of that line per nat of log burden"
    )
    gap: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.01,
        description="absolute gap between bound and objective at which a proof is complete, "
        "in the objective's unit",
    )
    prefer: Annotated[tuple[Preference, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="of schedules within the gap, the one is shown that has the least of these in "
        "turn, then the least load (with free courses the best one is shown)",
    )

    @consistent
    def _once(self) -> Self:
        if self.prefer is not None and len(set(self.prefer)) < len(self.prefer):
            raise ValueError("prefer names something twice")
        return self

    @property
    def of_dose_alone(self) -> bool:
        """Whether a dose is maximized: no clone, no control and no systemic effect counts."""
        return self.kind == "tumor_bed"

    @property
    def unit(self) -> str:
        """Unit of the objective and of the gap."""
        return {"tumor_bed": "Gy", "expected_control": "lesion"}.get(self.kind, "nat")


class StandardCourse(Table):
    """One lesion's course in a standard regimen; one table for each phase of it."""

    lesion: Name = Field(description="irradiated")
    fractions: Count = Field(description="number of fractions")
    dose_gy: FractionDose = Field(description="dose of each fraction")
    start_day: Day = Field(description="day of the first fraction")
    interval_days: Annotated[int, Field(ge=1, le=60)] = Field(
        default=1, description="least days from a fraction day to the next"
    )
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = Field(
        default=1, description="fractions on each treatment day"
    )
    technique: Name | None = Field(default=None, description="the lesion's first unless given")


class StandardAgent(Table):
    """One systemic agent in a standard regimen."""

    agent: Name = Field(description="agent of the case")
    start_day: Day = Field(description="planned day of the first dose")
    cycles: Count | None = Field(
        default=None, description="number of cycles; the regimen's if absent"
    )
    regimen: Name | None = Field(default=None, description="the agent's first if absent")


class Standard(Table):
    """The regimen the optimized schedule is compared with."""

    name: str = Field(description="of the regimen")
    source: str = Field(description="where the regimen comes from")
    courses: tuple[StandardCourse, ...] = Field(default=(), description="of its lesions")
    agents: tuple[StandardAgent, ...] = Field(default=(), description="its drugs")


class Instance(Table):
    """One patient problem. All cross-references are checked on construction."""

    model_config = ConfigDict(
        title="abscopt instance",
        json_schema_extra=lambda schema: schema.update(
            required=[k for k in schema["required"] if k not in ("drugs", "regimens", "immune")]
        ),
    )

    later: ClassVar = ("observation",)

    format: Literal[1] = Field(description="version of the file format")
    name: Name = Field(description="of the case")
    title: str = Field(description="one line for lists and reports")
    allow_unusual: bool | None = Field(
        default=None, description="numbers outside their `usual_range` are meant"
    )
    provenance: Provenance = Field(description="where the case comes from and what is assumed")
    patient: Patient = Field(default=Patient(), description="body data")
    calendar: Calendar = Field(default=Calendar(), description="days and dates")
    horizon_days: Annotated[
        tuple[Annotated[Day, Field(ge=1)], ...], Field(min_length=1, max_length=6)
    ] = Field(
        default=(84, 180),
        description="days at whose ends outcome counts; the last is the length of the case",
    )
    objective: Objective = Field(default=Objective(), description="what is maximized")
    immune: Immune = Field(description="constants of the systemic effect")
    lymphocytes: Lymphocytes = Field(default=Lymphocytes(), description="circulating lymphocytes")
    organs: Annotated[dict[Name, Organ], Field(max_length=200)] = Field(
        default_factory=dict, description="organs at risk by name"
    )
    limit_set: str | None = Field(default=None, description="library set that `use` refers to")
    limits: Annotated[tuple[AnyLimit, ...], Field(max_length=MOST_LIMITS)] = Field(
        default=(), description="toxicity and logistics limits"
    )
    prior_doses: Annotated[tuple[PriorDose, ...], Field(max_length=500)] = Field(
        default=(), description="doses that organs received before"
    )
    lesions: Annotated[tuple[Lesion, ...], Field(min_length=1, max_length=40)] = Field(
        description="tumor sites"
    )
    cross_second_moments: Annotated[tuple[CrossMoment, ...], Field(max_length=1000)] = Field(
        default=(), description="mean products of two lesions' sparing factors"
    )
    drugs: Annotated[dict[Name, Drug], Field(max_length=100)] = Field(
        default_factory=dict, description="drugs by name"
    )
    regimens: Annotated[dict[Name, Regimen], Field(max_length=100)] = Field(
        default_factory=dict, description="cycles of infusions by name"
    )
    agents: Annotated[tuple[AgentChoice, ...], Field(max_length=20)] = Field(
        default=(), description="systemic decisions"
    )
    standard: Standard | None = Field(
        default=None, description="regimen that the answer is compared with"
    )
    ensemble: Ensemble | None = Field(
        default=None, description="what is not known: parameter sets that are all plausible"
    )
    observation: StatedObservation | None = Field(
        default=None, description="what is seen during the course, by which an ensemble is decided"
    )
    delivered: Delivered | None = Field(
        default=None, description="what was given until today; the rest is to be chosen"
    )
    changes: Annotated[tuple[str, ...], Field(max_length=1000)] | None = Field(
        default=None, description="what was changed (`--set`) when the case was read, for reports"
    )

    _stated: dict[str, Any] | None = PrivateAttr(default=None)
    """What the file said, before the library; None if there was none."""

    _remembered: dict[str, Any] | None = PrivateAttr(default=None)
    """What was derived from the case and is asked for again."""

    def remembered(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` derives from the case, made once."""
        if self._remembered is None:
            self._remembered = {}
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    def __eq__(self, other: object) -> bool:
        """Whether every key has the same value."""
        return isinstance(other, Instance) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def with_(self, changes: Changes) -> Instance:
        """The case with changes, checked anew.

        Parameters
        ----------
        changes : keys and values, such as `{"lesions.liver.alpha_beta_gy": 8}` (None removes), or
            texts such as `"lesions.*.alpha_per_gy*=0.9"`

        Raises
        ------
        InputError
            With every problem of the changed case; unknown keys with the nearest known ones.
        """
        from abscopt.instances.load import with_changes

        return with_changes(self, changes)

    @model_validator(mode="after")
    def _cross_checks(self, info: ValidationInfo) -> Self:
        from abscopt.instances.checks.consistency import problems

        if info.context is not None:  # a wrong case, whose problems are gathered one by one
            return self
        found = problems(self)
        if found:
            raise PydanticCustomError(CROSS_CHECKS, "cross-checks failed", {"problems": found})
        return self

    @property
    def days(self) -> int:
        """Length of the case: the last horizon."""
        return self.horizon_days[-1]

    @property
    def irradiable(self) -> tuple[int, ...]:
        """Indices of the lesions that may be irradiated."""
        return tuple(i for i, lesion in enumerate(self.lesions) if lesion.irradiable)

    def cross_moment(
        self,
        organ: str,
        first: tuple[Lesion, Technique],
        second: tuple[Lesion, Technique],
        day: int,
    ) -> float:
        """mean(delta_s delta_s') of two lesions on one day; sqrt(q_s q_s') unless stated."""
        for moment in self.cross_second_moments:
            if moment.organ == organ and set(moment.lesions) == {first[0].name, second[0].name}:
                return moment.value
        one, two = (
            lesion.sparing_factor(organ, SECOND_MOMENT, day, technique)
            for lesion, technique in (first, second)
        )
        return float((one * two) ** 0.5)


def _kinds_of_tables(kind: type[Table]) -> Iterator[type[Table]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds_of_tables(derived)


def _accept_dates(properties: dict[str, Any]) -> None:
    """Files may state dates where days are counted from day 0."""
    date = {"type": "string", "format": "date"}

    def dated(days: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in days:
            return {"anyOf": [*days["anyOf"], date]}
        return {"anyOf": [days, date]}

    for key in (*DAYS, *LISTS):
        days = properties.get(key)
        if days is None:
            continue
        if key in DAYS:
            about = {k: days.pop(k) for k in ("default", "description", "title") if k in days}
            properties[key] = about | dated(days)
        elif "items" in days:
            days["items"] = dated(days["items"])


def json_schema() -> dict[str, Any]:
    """JSON Schema of an instance file.

    Library-backed fields are optional there; a file that `extends` another case states only
    what differs; a limit may list `points`.
    """
    schema = Instance.model_json_schema()
    # An entry that only says `use` fits every kind of limit: any of them, not exactly one.
    limits = schema["properties"]["limits"]["items"]
    limits["anyOf"] = limits.pop("oneOf")
    limits.pop("discriminator", None)
    for limit in schema["$defs"].values():
        if "point" in limit.get("properties", {}) and "kind" in limit["properties"]:
            limit["properties"]["points"] = {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "one limit of the same kind for each of these points",
            }
    definitions = {**schema["$defs"], Instance.__name__: schema}
    for table in definitions.values():
        _accept_dates(table.get("properties", {}))
    add_to_schema(definitions, _kinds_of_tables(Table))
    extends = {
        "type": "string",
        "description": "case of which this one states what differs: a bundled one, or a path from "
        "this file to a .toml or .json file",
    }
    remove = {
        "type": "array",
        "items": {"type": "string"},
        "description": 'entries of the case that is extended to leave out, as "lesions.liver"',
    }
    scale_caps = {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 100,
        "description": "multiplies the caps of all limits of the case that is extended",
    }
    schema["properties"] |= {"extends": extends, "remove": remove, "scale_caps": scale_caps}
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends"]}]
    return schema
