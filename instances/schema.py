"""The patient case: a frozen, fully checked description of what is asked.

Every table forbids unknown keys; units are part of the key names. `load` merges library
entries named by `use` into the tables before they are checked here.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from abscopt.instances.checks.ranges import add_to_schema
from abscopt.instances.fields import (
    AlphaBeta,
    Count,
    Day,
    FractionDose,
    LibraryTable,
    Name,
    NonNegative,
    Positive,
    Share,
    Table,
    Weekdays,
    consistent,
)
from abscopt.instances.lesions import SECOND_MOMENT, Lesion, Technique
from abscopt.instances.limits import AnyLimit
from abscopt.instances.reading.problems import CROSS_CHECKS, MOST_LIMITS
from abscopt.instances.systemic import AgentChoice, Drug, Regimen

FORMAT = 1


class Provenance(Table):
    """Birth certificate of a case: what was measured, what was assumed, and by whom."""

    source: str
    doi: str | None = None
    license: str = "MIT"
    measured: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


class Patient(Table):
    """Body data that turn mg/kg, mg/m2 and AUC into mg."""

    weight_kg: Annotated[float, Field(ge=20, le=300)] = 70.0
    bsa_m2: Annotated[float, Field(ge=0.7, le=3.5)] = 1.8
    gfr_ml_per_min: Annotated[float, Field(ge=5, le=250)] = 90.0


class Calendar(Table):
    """Day 0, the days on which the machine runs, courses start and drugs are infused.

    Weekdays count from 0 = Monday to 6 = Sunday. A dose planned for a day without infusions is
    given on the next infusion day; a plan with a dose that would move by more than
    `infusion_tolerance_days` is not offered. An agent starts on an infusion day.
    """

    start_date: Annotated[
        datetime.date, Field(ge=datetime.date(1900, 1, 1), le=datetime.date(2200, 1, 1))
    ] = datetime.date(2026, 1, 5)
    hours_between_fractions: Annotated[float, Field(gt=0, le=12)] = Field(
        default=6.0, description="between two fractions of one day"
    )
    machine_weekdays: Weekdays = (0, 1, 2, 3, 4)
    holidays: tuple[datetime.date, ...] = Field(
        default=(), description="days on which the machine does not run"
    )
    course_start_weekdays: Weekdays | None = Field(
        default=None,
        description="machine days on which a uniform course may start; all of them if absent",
    )
    course_start_holidays: tuple[datetime.date, ...] = Field(
        default=(), description="machine days on which no uniform course starts"
    )
    infusion_weekdays: Weekdays = Field(
        default=(0, 1, 2, 3, 4), description="all seven: drugs may be infused on any day"
    )
    infusion_holidays: tuple[datetime.date, ...] | None = Field(
        default=None, description="days without infusions; `holidays` if absent"
    )
    infusion_tolerance_days: Annotated[int, Field(ge=0, le=28)] = Field(
        # Label and trial protocols of three-weekly inhibitors allow a dose 3 days late (recalled);
        # it takes a dose from Friday, a holiday, to Monday.
        default=3,
        description="most days by which a dose may move to the next infusion day",
    )


class Objective(Table):
    """What is maximized, and the gap at which a proof is complete.

    All but the last are weighted sums over lesions of the mean over horizons.
    `default`: log control with conceded lesions, in nats. `log_control`: log control, in nats.
    `expected_control`: control probability, in lesions. `log_kill`: minus the log burden, in nats.
    `tumor_bed`: weighted tumor BED less repopulation, in Gy.
    """

    kind: Literal["default", "log_control", "expected_control", "log_kill", "tumor_bed"] = "default"
    conceded_at_nats: Annotated[float, Field(ge=1, le=50)] = 4.6
    conceded_slope: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    gap: Annotated[float, Field(gt=0, le=10)] = 0.01

    @property
    def unit(self) -> str:
        """Unit of the objective and of the gap."""
        return {"tumor_bed": "Gy", "expected_control": "lesion"}.get(self.kind, "nat")


class Immune(LibraryTable):
    """Constants of the systemic effect (design items 2, 3, 4 and 6); rates per day.

    Suppression (Treg, TGF-beta) multiplies the release of a fraction by
    `max(0, 1 - suppression_per_gy max(0, d - suppression_above_gy)
    - suppression_per_day max(0, days since the first fraction - suppression_after_days))`.
    `pdl1_upregulation` q multiplies a lesion's daily effect from its first fraction on by
    `1 - q (1 - occupancy)`. `burden_limit_cm3` switches the burden rule on: a lesion is credited
    with systemic effect only where its volume after radiation, `V exp(-E)`, is at most
    `burden_limit_cm3 (1 + burden_blockade * greatest occupancy)^1.5`.
    `combination` says how agents that act on one phase combine.
    """

    gate_low_gy: Positive
    gate_low_exponent: Positive
    gate_high_gy: Positive
    gate_high_exponent: Positive
    volume_exponent: NonNegative
    preblockade_sign: Annotated[float, Field(ge=-1, le=1)]
    clearance_per_day: Annotated[float, Field(gt=0, le=5)]
    priming_delay_days: Annotated[int, Field(ge=0, le=30)]
    precursors_initial: NonNegative
    precursor_inflow_per_day: NonNegative
    precursor_loss_per_day: Share
    mobilization_per_day: Share
    blockade_mobilization_per_day: Share
    effector_loss_per_day: Share
    effect_per_effector: NonNegative
    blockade_effect: NonNegative
    ctla4_threshold: Annotated[float, Field(ge=1, le=100)]
    effect_maximum_nats: Positive | None = None
    release_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="multiplies every lesion's immunogenicity (antigen loss)"
    )
    share_factor: Share = Field(
        default=1.0, description="multiplies every lesion's effector_share (antigen loss)"
    )
    release_regrowth: Share = Field(
        default=0.0, description="share of the growth between fractions that adds antigen"
    )
    repeat_release: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0, description="release of a dying cell at each later fraction"
    )
    suppression_above_gy: NonNegative = 15.0
    suppression_per_gy: NonNegative = 0.0
    suppression_after_days: NonNegative = 14.0
    suppression_per_day: NonNegative = 0.0
    pdl1_upregulation: Share = 0.0
    burden_limit_cm3: Positive | None = None
    burden_blockade: NonNegative = 0.0
    combination: Literal["multiplicative", "additive", "strongest"] = "multiplicative"

    @consistent
    def _rates(self) -> Self:
        out = (
            self.precursor_loss_per_day
            + self.mobilization_per_day
            + self.blockade_mobilization_per_day
        )
        if out > 1:
            raise ValueError("precursor loss plus mobilization must not exceed 1 per day")
        return self


class Lymphocytes(Table):
    """Circulating lymphocytes: count before treatment and recovery."""

    initial_1e9_per_l: Annotated[float, Field(gt=0, le=20)] = 1.7
    recovery_half_time_days: Positive = 35.0


class CrossMoment(Table):
    """mean(delta_s * delta_s') of two lesions in one organ; else the safe geometric mean."""

    organ: Name
    lesions: tuple[Name, Name]
    value: NonNegative


class Organ(LibraryTable):
    """A tissue at risk; alpha/beta may come from a library tissue named in `use`."""

    alpha_beta_gy: AlphaBeta
    sensitizer_enhancement_ratio: Annotated[float, Field(ge=1, le=3)] = Field(
        default=1.0, description="of its dose on days on which a drug sensitizes"
    )
    repair_half_time_hours: Positive | None = Field(
        default=None, description="of sublethal damage; complete repair between fractions if absent"
    )


class PriorDose(Table):
    """Dose that a point of an organ has received before: equal fractions, once a day.

    `recovered` is the part of its load that no longer counts. For mean_eqd2 limits the point is
    'mean' and `second_moment_gy2` = mean(D^2) per fraction is needed.
    """

    organ: Name
    point: Name
    fractions: Count
    dose_gy: FractionDose
    second_moment_gy2: NonNegative | None = None
    recovered: Annotated[float, Field(ge=0, lt=1)] = 0.0
    source: str


class StandardCourse(Table):
    """One lesion's course in a standard regimen."""

    lesion: Name
    fractions: Count
    dose_gy: FractionDose
    start_day: Day
    interval_days: Annotated[int, Field(ge=1, le=60)] = 1
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = 1
    technique: Name | None = Field(default=None, description="the lesion's first unless given")


class StandardAgent(Table):
    """One systemic agent in a standard regimen."""

    agent: Name
    start_day: Day
    cycles: Count | None = None
    regimen: Name | None = None


class Standard(Table):
    """The regimen the optimized schedule is compared with."""

    name: str
    source: str
    courses: tuple[StandardCourse, ...] = ()
    agents: tuple[StandardAgent, ...] = ()


class Instance(Table):
    """One patient problem. All cross-references are checked on construction."""

    model_config = ConfigDict(
        title="abscopt instance",
        json_schema_extra=lambda schema: schema.update(
            required=[k for k in schema["required"] if k not in ("drugs", "regimens", "immune")]
        ),
    )

    format: Literal[1]
    name: Name
    title: str
    allow_unusual: bool | None = Field(
        default=None, description="numbers outside their `usual_range` are meant"
    )
    provenance: Provenance
    patient: Patient = Patient()
    calendar: Calendar = Calendar()
    horizon_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1500)], ...], Field(min_length=1, max_length=6)
    ] = (84, 180)
    objective: Objective = Objective()
    immune: Immune
    lymphocytes: Lymphocytes = Lymphocytes()
    organs: Annotated[dict[Name, Organ], Field(max_length=200)] = Field(default_factory=dict)
    limit_set: str | None = Field(default=None, description="library set that `use` refers to")
    limits: Annotated[tuple[AnyLimit, ...], Field(max_length=MOST_LIMITS)] = ()
    prior_doses: Annotated[tuple[PriorDose, ...], Field(max_length=500)] = ()
    lesions: Annotated[tuple[Lesion, ...], Field(min_length=1, max_length=40)]
    cross_second_moments: Annotated[tuple[CrossMoment, ...], Field(max_length=1000)] = ()
    drugs: Annotated[dict[Name, Drug], Field(max_length=100)] = Field(default_factory=dict)
    regimens: Annotated[dict[Name, Regimen], Field(max_length=100)] = Field(default_factory=dict)
    agents: Annotated[tuple[AgentChoice, ...], Field(max_length=20)] = ()
    standard: Standard | None = None

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


def json_schema() -> dict[str, Any]:
    """JSON Schema of an instance file.

    Library-backed fields are optional there; a file that `extends` a bundled case states only
    what differs; a limit may list `points`.
    """
    schema = Instance.model_json_schema()
    # An entry that only says `use` fits every kind of limit: any of them, not exactly one.
    limits = schema["properties"]["limits"]["items"]
    limits["anyOf"] = limits.pop("oneOf")
    limits.pop("discriminator", None)
    for limit in schema["$defs"].values():
        if "point" in limit.get("properties", {}) and "kind" in limit["properties"]:
            points = {"type": "array", "items": {"type": "string"}, "minItems": 1}
            limit["properties"]["points"] = points
    definitions = {**schema["$defs"], Instance.__name__: schema}
    add_to_schema(definitions, _kinds_of_tables(Table))
    number = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}
    schema["properties"] |= {"extends": {"type": "string"}, "scale_caps": number}
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends"]}]
    return schema
