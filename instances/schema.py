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
from abscopt.instances.limits import AnyLimit
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
    hours_between_fractions: Annotated[float, Field(gt=0, le=12)] = Field(
        default=6.0, description="between two fractions of one day"
    )
    machine_weekdays: Annotated[
        tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1, max_length=7)
    ] = (0, 1, 2, 3, 4)
    holidays: tuple[datetime.date, ...] = ()


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
    suppression_above_gy: NonNegative = 15.0
    suppression_per_gy: NonNegative = 0.0
    suppression_after_days: NonNegative = 14.0
    suppression_per_day: NonNegative = 0.0
    pdl1_upregulation: Share = 0.0
    burden_limit_cm3: Positive | None = None
    burden_blockade: NonNegative = 0.0
    combination: Literal["multiplicative", "additive", "strongest"] = "multiplicative"

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


class CourseBlock(Table):
    """Further fraction numbers and doses on a uniform menu, with the same start days."""

    fractions: Annotated[tuple[Count, ...], Field(min_length=1)]
    doses_gy: Doses
    fractions_per_day: Annotated[int, Field(ge=1, le=3)] = 1
    interval_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60)], ...], Field(min_length=1)
    ] = (1,)

    @model_validator(mode="after")
    def _whole_days(self) -> Self:
        for count in self.fractions:
            if count % self.fractions_per_day:
                raise ValueError(
                    f"{count} fractions do not fill days of {self.fractions_per_day} each"
                )
        return self

    @property
    def levels_gy(self) -> tuple[float, ...]:
        """Doses per fraction on the menu."""
        return _levels(self.doses_gy)


class UniformCourse(CourseBlock):
    """n equal fractions from a start day, the next on the first machine day >= +interval.

    With `fractions_per_day` m, m fractions are given on each treatment day,
    `calendar.hours_between_fractions` apart. `also` adds further blocks to the menu.
    """

    form: Literal["uniform"]
    also: tuple[CourseBlock, ...] = ()
    first_start_day: Day = 0
    last_start_day: Day = 0
    start_step_days: Annotated[int, Field(ge=1, le=365)] = 1

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.last_start_day < self.first_start_day:
            raise ValueError("last_start_day must not be before first_start_day")
        return self

    @property
    def blocks(self) -> tuple[CourseBlock, ...]:
        """All blocks of the menu, its own first."""
        return (self, *self.also)

    @property
    def start_days(self) -> range:
        """Days on which the course may start, machine days or not."""
        return range(self.first_start_day, self.last_start_day + 1, self.start_step_days)


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
    return "table" if isinstance(value, dict | DailyFactors) else "number"


SparingFactor = Annotated[
    Annotated[float, Field(ge=0, le=3), Tag("number")] | Annotated[DailyFactors, Tag("table")],
    Discriminator(_factor_form),
]


class Clone(Table):
    """A part of a lesion's clonogens with its own sensitivity; absent values are the lesion's."""

    name: Name
    share: Annotated[float, Field(gt=0, le=1, description="of the lesion's clonogens")]
    alpha_per_gy: Annotated[float, Field(gt=0, le=3)] | None = None
    alpha_beta_gy: AlphaBeta | None = None
    effector_share_factor: Annotated[float, Field(ge=0, le=10)] = 1.0
    drug_kill_factor: Annotated[float, Field(ge=0, le=10)] = 1.0


class Technique(Table):
    """One way to irradiate a lesion: absent values are the lesion's.

    `irradiated_share` is the part f of the clonogens in the beam, survival `(1 - f) + f S`; a
    table gives it clone by clone (clones not named: 1). Release is scaled by the irradiated
    share of the whole lesion. `node_factor` multiplies the priming of the release (an irradiated
    draining node lowers it).
    """

    name: Name
    sparing: dict[Name, dict[Name, SparingFactor]] = Field(
        default_factory=dict, description="replaces the lesion's factors of the organs it names"
    )
    irradiated_share: Annotated[
        Annotated[float, Field(gt=0, le=1), Tag("number")]
        | Annotated[dict[Name, Share], Tag("table")],
        Discriminator(_factor_form),
    ] = 1.0
    node_factor: Share = 1.0
    integral_dose_cm3: NonNegative | None = None
    effector_kill_per_fraction: NonNegative | None = None
    lymphocyte_loss_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = None
    lymphocyte_effect_per_fraction: Annotated[float, Field(ge=0, le=2)] | None = None

    def share_of(self, clone: str) -> float:
        """Irradiated share of one clone."""
        share = self.irradiated_share
        return share.get(clone, 1.0) if isinstance(share, dict) else share


class Lesion(LibraryTable):
    """A tumor site; tumor constants may come from a library tumor named in `use`.

    Doses act as `d / OMF` (`oxygen_modification_factor`, 1 + (OMF - 1)(1 - days since the first
    fraction / reoxygenation_days) where reoxygenation is stated).
    """

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
    clones: Annotated[tuple[Clone, ...], Field(max_length=6)] = ()
    oxygen_modification_factor: Annotated[float, Field(ge=1, le=4)] = 1.0
    reoxygenation_days: Positive | None = None
    repair_half_time_hours: Positive | None = Field(
        default=None, description="of sublethal damage; complete repair between fractions if absent"
    )
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
    techniques: Annotated[tuple[Technique, ...], Field(max_length=8)] = ()
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
        elif self.course is not None or self.sparing or self.techniques:
            raise ValueError(
                "a lesion with irradiable = false has no course, no sparing and no techniques"
            )
        if self.clonogens_per_cm3 is not None and self.volume_cm3 is None:
            raise ValueError("clonogens_per_cm3 needs volume_cm3")
        _check_sparing("sparing", self.sparing)
        for technique in self.techniques:
            _check_sparing(f"techniques.{technique.name}.sparing", technique.sparing)
        self._check_clones()
        return self

    def _check_clones(self) -> None:
        total = sum(clone.share for clone in self.clones)
        if self.clones and abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of the clones add up to {total:.9g}, not 1")
        known = {clone.name for clone in self.clones}
        for names in ([c.name for c in self.clones], [t.name for t in self.techniques]):
            if len(set(names)) < len(names):
                raise ValueError("names of clones and of techniques must be unique")
        for technique in self.techniques:
            if isinstance(technique.irradiated_share, dict):
                unknown = sorted(set(technique.irradiated_share) - known)
                if unknown:
                    raise ValueError(f"techniques.{technique.name}: unknown clones {unknown}")

    @property
    def populations(self) -> tuple[Clone, ...]:
        """The clones; a lesion that states none has one."""
        return self.clones or (Clone(name="all", share=1.0),)

    @property
    def ways(self) -> tuple[Technique, ...]:
        """The techniques; a lesion that states none has one, called ''."""
        return self.techniques or (PLAIN,)

    def way(self, name: str) -> Technique:
        """Technique of a name ('' where the lesion states none)."""
        return next(technique for technique in self.ways if technique.name == name)

    def clone_constants(self, clone: Clone) -> tuple[float, float]:
        """(alpha in 1/Gy, alpha/beta in Gy) of one clone."""
        alpha = self.alpha_per_gy if clone.alpha_per_gy is None else clone.alpha_per_gy
        ratio = self.alpha_beta_gy if clone.alpha_beta_gy is None else clone.alpha_beta_gy
        return alpha, ratio

    @property
    def clonogen_number(self) -> float:
        """Clonogens at day 0."""
        if self.clonogens is not None:
            return self.clonogens
        assert self.clonogens_per_cm3 is not None and self.volume_cm3 is not None
        return self.clonogens_per_cm3 * self.volume_cm3

    def immune_active(self, immune: Immune) -> bool:
        """Whether its own release or precursors add to the systemic effect."""
        released = self.immunogenicity * immune.release_factor > 0
        return immune.effect_per_effector > 0 and (released or self.precursor_share > 0)

    def effector_kill(self, technique: Technique) -> float:
        """lambda of design item 4: own effectors lost per fraction, in nats."""
        given = technique.effector_kill_per_fraction
        return self.effector_kill_per_fraction if given is None else given

    def lymphocyte_loss(self, technique: Technique) -> float:
        """kappa of design item 5: lymphocytes lost per fraction, in nats."""
        given = technique.lymphocyte_loss_per_fraction
        return self.lymphocyte_loss_per_fraction if given is None else given

    def effect_loss(self, technique: Technique) -> float:
        """lambda' of design item 5; the lymphocyte loss unless given."""
        for given in (
            technique.lymphocyte_effect_per_fraction,
            self.lymphocyte_effect_per_fraction,
        ):
            if given is not None:
                return given
        return self.lymphocyte_loss(technique)

    def integral_dose(self, technique: Technique) -> float:
        """Integral dose in Gy cm3 per Gy prescribed; 0 if none is stated."""
        given = technique.integral_dose_cm3
        return (self.integral_dose_cm3 if given is None else given) or 0.0

    def sparing_factor(self, organ: str, point: str, day: int, technique: Technique) -> float:
        """Dose to an organ's point per Gy prescribed on `day`; 0 if none is stated."""
        points = technique.sparing.get(organ, self.sparing.get(organ, {}))
        factor = points.get(point, 0.0)
        if isinstance(factor, DailyFactors):
            return factor.values[factor.days.index(day)]
        return factor


def _check_sparing(place: str, sparing: dict[str, dict[str, SparingFactor]]) -> None:
    for organ, points in sparing.items():
        if SECOND_MOMENT in points and "mean" not in points:
            raise ValueError(f"{place}.{organ}.second_moment needs {place}.{organ}.mean")
        mean, square = points.get("mean"), points.get(SECOND_MOMENT)
        if isinstance(mean, float) and isinstance(square, float) and square < mean**2 * 0.999:
            raise ValueError(f"{place}.{organ}.second_moment is below the square of the mean")


PLAIN = Technique.model_construct(
    name="",
    sparing={},
    irradiated_share=1.0,
    node_factor=1.0,
    integral_dose_cm3=None,
    effector_kill_per_fraction=None,
    lymphocyte_loss_per_fraction=None,
    lymphocyte_effect_per_fraction=None,
)
"""The one technique of a lesion that states none."""


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
    prior_doses: tuple[PriorDose, ...] = ()
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


def json_schema() -> dict[str, Any]:
    """JSON Schema of an instance file (library-backed fields are optional there)."""
    schema = Instance.model_json_schema()
    # An entry that only says `use` fits every kind of limit: any of them, not exactly one.
    limits = schema["properties"]["limits"]["items"]
    limits["anyOf"] = limits.pop("oneOf")
    limits.pop("discriminator", None)
    return schema
