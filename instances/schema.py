"""The patient case: a frozen, fully checked description of what is asked.

Every table forbids unknown keys; units are part of the key names. `load` merges library
entries named by `use` into the tables before they are checked here.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

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
)
from abscopt.instances.limits import AnyLimit, MeanEqd2Limit
from abscopt.instances.systemic import AgentChoice, Drug, Regimen

FORMAT = 1
SECOND_MOMENT = "second_moment"


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
    """Day 0 and the days on which the machine runs (0 = Monday ... 6 = Sunday)."""

    start_date: Annotated[
        datetime.date, Field(ge=datetime.date(1900, 1, 1), le=datetime.date(2200, 1, 1))
    ] = datetime.date(2026, 1, 5)
    machine_weekdays: Annotated[
        tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1, max_length=7)
    ] = (0, 1, 2, 3, 4)
    holidays: tuple[datetime.date, ...] = ()


class Objective(Table):
    """What is maximized, and the gap at which a proof is complete.

    `default`: sum of weighted log control with conceded lesions, in nats, mean over horizons.
    `tumor_bed`: sum of weighted tumor BED less repopulation, in Gy.
    """

    kind: Literal["default", "tumor_bed"] = "default"
    conceded_at_nats: Annotated[float, Field(ge=1, le=50)] = 4.6
    conceded_slope: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    gap: Annotated[float, Field(gt=0, le=10)] = 0.01


class Immune(LibraryTable):
    """Constants of the systemic effect (design items 2, 3, 4 and 6); rates per day."""

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

    @model_validator(mode="after")
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


class DoseGrid(Table):
    """Equally spaced doses per fraction."""

    min_gy: FractionDose
    max_gy: FractionDose
    step_gy: FractionDose

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_gy < self.min_gy:
            raise ValueError("max_gy must not be below min_gy")
        if (self.max_gy - self.min_gy) / self.step_gy > 2000:
            raise ValueError("at most 2000 dose levels")
        return self


def _doses_form(value: object) -> str:
    return "levels" if isinstance(value, list | tuple) else "grid"


Doses = Annotated[
    Annotated[tuple[FractionDose, ...], Field(min_length=1, max_length=2001), Tag("levels")]
    | Annotated[DoseGrid, Tag("grid")],
    Discriminator(_doses_form),
]


def _levels(doses: tuple[float, ...] | DoseGrid) -> tuple[float, ...]:
    if isinstance(doses, tuple):
        return tuple(sorted(set(doses)))
    count = int((doses.max_gy - doses.min_gy) / doses.step_gy + 1e-9) + 1
    return tuple(round(doses.min_gy + i * doses.step_gy, 9) for i in range(count))


class UniformCourse(Table):
    """n equal fractions from a start day, the next on the first machine day >= +interval."""

    form: Literal["uniform"]
    fractions: Annotated[tuple[Count, ...], Field(min_length=1)]
    doses_gy: Doses
    first_start_day: Day = 0
    last_start_day: Day = 0
    start_step_days: Annotated[int, Field(ge=1, le=365)] = 1
    interval_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)
    ] = (1,)

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.last_start_day < self.first_start_day:
            raise ValueError("last_start_day must not be before first_start_day")
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu."""
        return _levels(self.doses_gy)


class FreeCourse(Table):
    """Any dose of the menu, or none, on each allowed day."""

    form: Literal["free"]
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=200)]
    doses_gy: Doses
    max_fractions: Count | None = None

    @model_validator(mode="after")
    def _days(self) -> Self:
        if any(b <= a for a, b in zip(self.days, self.days[1:], strict=False)):
            raise ValueError("days must increase")
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu, without 'none'."""
        return _levels(self.doses_gy)


Course = Annotated[UniformCourse | FreeCourse, Field(discriminator="form")]


class DailyFactors(Table):
    """Sparing factors that vary from day to day."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    values: Annotated[tuple[Annotated[float, Field(ge=0, le=3)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if len(self.days) != len(self.values):
            raise ValueError("days and values must have the same length")
        if len(set(self.days)) < len(self.days):
            raise ValueError("a day is listed twice")
        return self


def _factor_form(value: object) -> str:
    return "by_day" if isinstance(value, dict | DailyFactors) else "number"


SparingFactor = Annotated[
    Annotated[float, Field(ge=0, le=3), Tag("number")] | Annotated[DailyFactors, Tag("by_day")],
    Discriminator(_factor_form),
]


class Lesion(LibraryTable):
    """A tumor site; tumor constants may come from a library tumor named in `use`."""

    name: Name
    organ: str
    irradiable: bool = True
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    volume_cm3: Annotated[float, Field(gt=0, le=5000)] | None = None
    alpha_per_gy: Annotated[float, Field(gt=0, le=3)]
    alpha_beta_gy: AlphaBeta
    lql_transition_gy: FractionDose | None = None
    clonogens: Annotated[float, Field(gt=0, le=1e15)] | None = None
    clonogens_per_cm3: Annotated[float, Field(gt=0, le=1e12)] | None = None
    growth_doubling_time_days: Positive | None = None
    repopulation_doubling_time_days: Positive | None = None
    kick_off_days: Annotated[float, Field(ge=0, le=365)] = 0.0
    immunogenicity: NonNegative = 1.0
    effector_share: Share = Field(default=0.0, description="H: share of the systemic effect")
    precursor_share: Share = Field(default=0.0, description="share of initial precursors")
    effector_kill_per_fraction: NonNegative = 0.0
    lymphocyte_loss_per_fraction: Annotated[float, Field(ge=0, le=2)] = 0.0
    lymphocyte_effect_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None, description="lambda'; the loss per fraction unless given"
    )
    integral_dose_cm3: NonNegative | None = Field(
        default=None, description="integral total dose (Gy cm3) per Gy prescribed"
    )
    sparing: dict[Name, dict[Name, SparingFactor]] = Field(default_factory=dict)
    course: Course | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.clonogens is None) == (self.clonogens_per_cm3 is None):
            raise ValueError("give clonogens or clonogens_per_cm3, not both")
        if self.irradiable:
            if self.volume_cm3 is None:
                raise ValueError("volume_cm3 is missing (needed for an irradiable lesion)")
            if self.course is None:
                raise ValueError("course is missing (needed for an irradiable lesion)")
        elif self.course is not None or self.sparing:
            raise ValueError("a lesion with irradiable = false has no course and no sparing")
        if self.clonogens_per_cm3 is not None and self.volume_cm3 is None:
            raise ValueError("clonogens_per_cm3 needs volume_cm3")
        for organ, points in self.sparing.items():
            if SECOND_MOMENT in points and "mean" not in points:
                raise ValueError(f"sparing.{organ}.second_moment needs sparing.{organ}.mean")
            mean, square = points.get("mean"), points.get(SECOND_MOMENT)
            if isinstance(mean, float) and isinstance(square, float) and square < mean**2 * 0.999:
                raise ValueError(f"sparing.{organ}.second_moment is below the square of the mean")
        return self

    @property
    def clonogen_number(self) -> float:
        """Clonogens at day 0."""
        if self.clonogens is not None:
            return self.clonogens
        assert self.clonogens_per_cm3 is not None and self.volume_cm3 is not None
        return self.clonogens_per_cm3 * self.volume_cm3

    @property
    def effect_loss_per_fraction(self) -> float:
        """lambda' of design item 5."""
        given = self.lymphocyte_effect_per_fraction
        return self.lymphocyte_loss_per_fraction if given is None else given

    def sparing_factor(self, organ: str, point: str, day: int) -> float:
        """Dose to an organ's point per Gy prescribed on `day`; 0 if none is stated."""
        factor = self.sparing.get(organ, {}).get(point, 0.0)
        if isinstance(factor, DailyFactors):
            return factor.values[factor.days.index(day)]
        return factor


class CrossMoment(Table):
    """mean(delta_s * delta_s') of two lesions in one organ; else the safe geometric mean."""

    organ: Name
    lesions: tuple[Name, Name]
    value: NonNegative


class Organ(LibraryTable):
    """A tissue at risk; alpha/beta may come from a library tissue named in `use`."""

    alpha_beta_gy: AlphaBeta


class StandardCourse(Table):
    """One lesion's course in a standard regimen."""

    lesion: Name
    fractions: Count
    dose_gy: FractionDose
    start_day: Day
    interval_days: Annotated[int, Field(ge=1, le=60)] = 1


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
    provenance: Provenance
    patient: Patient = Patient()
    calendar: Calendar = Calendar()
    horizon_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1500)], ...], Field(min_length=1, max_length=6)
    ] = (84, 180)
    objective: Objective = Objective()
    immune: Immune
    lymphocytes: Lymphocytes = Lymphocytes()
    organs: dict[Name, Organ] = Field(default_factory=dict)
    limit_set: str | None = Field(default=None, description="library set that `use` refers to")
    limits: tuple[AnyLimit, ...] = ()
    lesions: Annotated[tuple[Lesion, ...], Field(min_length=1, max_length=40)]
    cross_second_moments: tuple[CrossMoment, ...] = ()
    drugs: dict[Name, Drug] = Field(default_factory=dict)
    regimens: dict[Name, Regimen] = Field(default_factory=dict)
    agents: tuple[AgentChoice, ...] = ()
    standard: Standard | None = None

    @model_validator(mode="after")
    def _cross_checks(self) -> Self:
        from abscopt.instances.consistency import problems

        found = problems(self)
        if found:
            raise ValueError("\n".join(f"{place}\t{value}\t{rule}" for place, value, rule in found))
        return self

    @property
    def days(self) -> int:
        """Length of the case: the last horizon."""
        return self.horizon_days[-1]

    @property
    def irradiable(self) -> tuple[int, ...]:
        """Indices of the lesions that may be irradiated."""
        return tuple(i for i, lesion in enumerate(self.lesions) if lesion.irradiable)

    def cross_moment(self, limit: MeanEqd2Limit, first: Lesion, second: Lesion, day: int) -> float:
        """mean(delta_s delta_s') of two lesions on one day; sqrt(q_s q_s') unless stated."""
        for moment in self.cross_second_moments:
            if moment.organ == limit.organ and set(moment.lesions) == {first.name, second.name}:
                return moment.value
        one = first.sparing_factor(limit.organ, SECOND_MOMENT, day)
        two = second.sparing_factor(limit.organ, SECOND_MOMENT, day)
        return float((one * two) ** 0.5)


def json_schema() -> dict[str, Any]:
    """JSON Schema of an instance file (library-backed fields are optional there)."""
    schema = Instance.model_json_schema()
    # An entry that only says `use` fits every kind of limit: any of them, not exactly one.
    limits = schema["properties"]["limits"]["items"]
    limits["anyOf"] = limits.pop("oneOf")
    limits.pop("discriminator", None)
    return schema
