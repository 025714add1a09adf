"""Drugs, regimens and the choice of when to give them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from abscopt.instances.tables.fields import (
    Count,
    Day,
    LibraryTable,
    Name,
    NonNegative,
    Positive,
    Table,
    Weekdays,
    consistent,
)
from abscopt.instances.tables.starts import StartStep, StartWindow

Phase = Literal["priming", "mobilization", "effector", "suppression"]
DoseUnit = Literal["mg", "mg_per_kg", "mg_per_m2", "auc"]


class ReferenceDose(Table):
    """A dose of one infusion."""

    amount: Positive = Field(description="in the unit below")
    unit: DoseUnit = Field(description="of the amount")


class Drug(LibraryTable):
    """One drug: pharmacokinetics and what it acts on.

    An immune agent (any co-inhibitory or co-stimulatory target) needs its two-compartment
    constants and an EC50. With `phase`, `sign` and `strength` its occupancy multiplies that
    phase by `1 + sign * strength * occupancy`. Without a phase, PD-1 and PD-L1 inhibitors
    mobilize precursors (`blockade_mobilization_per_day`) and CTLA-4 inhibitors prime by Serre's
    factor; other targets must name a phase. Chemotherapy acts on the irradiated tumor either as
    a sensitizer or by an equivalent BED, never both. Its effects per dose are those of the
    reference doses; outside their range they are proportional to the dose.
    """

    kind: Literal["checkpoint_inhibitor", "chemotherapy"] = Field(description="class of the drug")
    target: Literal["PD-1", "PD-L1", "CTLA-4", "LAG-3", "TIGIT", "OX40", "4-1BB"] | None = Field(
        default=None, description="of a checkpoint inhibitor or agonist"
    )
    phase: Phase | None = Field(
        default=None, description="that the occupancy multiplies; by the target if absent"
    )
    sign: Literal[-1, 1] | None = Field(
        default=None, description="whether occupancy raises or lowers the phase"
    )
    strength: Annotated[float, Field(ge=0, le=20)] | None = Field(
        default=None, description="change of the phase at full occupancy"
    )
    clearance_l_per_day: Positive | None = Field(
        default=None, description="clearance after the first dose"
    )
    central_volume_l: Positive | None = Field(
        default=None, description="volume of the central compartment"
    )
    intercompartmental_clearance_l_per_day: Positive | None = Field(
        default=None, description="exchange between the compartments"
    )
    peripheral_volume_l: Positive | None = Field(
        default=None, description="volume of the peripheral compartment"
    )
    clearance_emax: Annotated[float, Field(ge=-2, le=2)] = Field(
        default=0.0, description="log change of the clearance in the long run"
    )
    clearance_t50_days: Positive | None = Field(
        default=None, description="days from the first dose to half of that change"
    )
    clearance_hill: Positive | None = Field(default=None, description="steepness of that change")
    ec50_mg_per_l: Positive | None = Field(
        default=None, description="concentration of half occupancy"
    )
    occupancy_hill: Positive = Field(default=1.0, description="steepness of occupancy")
    irae_risk_per_dose: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="probability of an immune-related adverse event per infusion"
    )
    sensitizer_enhancement_ratio: Annotated[float, Field(ge=1, le=3)] = Field(
        default=1.0, description="multiplies the linear term of the dose to tumors"
    )
    sensitizing_days: Annotated[int, Field(ge=0, le=60)] = Field(
        default=0, description="days from a dose on which it sensitizes"
    )
    equivalent_bed_gy_per_dose: Annotated[float, Field(ge=0, le=20)] = Field(
        default=0.0,
        description="BED per dose with a fraction within `sensitizing_days` of it",
    )
    cytotoxic_log_kill_per_dose: Annotated[float, Field(ge=0, le=20)] = Field(
        default=0.0, description="kill in nats of every clone, irradiated or not"
    )
    lymphocyte_log_loss_per_dose: NonNegative = Field(
        default=0.0, description="log loss of circulating lymphocytes"
    )
    precursor_log_loss_per_dose: Annotated[float, Field(ge=0, le=20)] = Field(
        default=0.0, description="log loss of precursors on the day of the dose"
    )
    taken_at_home: bool = Field(
        default=False,
        description="tablets and the like: any day, never moved to an infusion day of the calendar",
    )
    reference_doses: (
        Annotated[tuple[ReferenceDose, ...], Field(min_length=1, max_length=10)] | None
    ) = Field(
        default=None,
        description="doses at which the effects of chemotherapy per dose are known; "
        "if absent, the doses of the case's regimens",
    )

    @property
    def acts_by_dose(self) -> bool:
        """Whether a drug has effects that are stated per dose of chemotherapy."""
        return (
            self.sensitizer_enhancement_ratio > 1
            or self.equivalent_bed_gy_per_dose > 0
            or self.cytotoxic_log_kill_per_dose > 0
            or self.lymphocyte_log_loss_per_dose > 0
            or self.precursor_log_loss_per_dose > 0
        )

    @consistent
    def _complete(self) -> Self:
        if self.kind == "checkpoint_inhibitor":
            if self.reference_doses is not None or self.acts_by_dose:
                raise ValueError(
                    "effects per dose and reference_doses belong to chemotherapy: a checkpoint "
                    "inhibitor acts by its concentration"
                )
            needed = (
                "target",
                "clearance_l_per_day",
                "central_volume_l",
                "intercompartmental_clearance_l_per_day",
                "peripheral_volume_l",
                "ec50_mg_per_l",
            )
            missing = [name for name in needed if getattr(self, name) is None]
            if missing:
                raise ValueError(f"a checkpoint inhibitor needs {', '.join(missing)}")
            if self.phase is None and self.target not in ("PD-1", "PD-L1", "CTLA-4"):
                raise ValueError(f"target {self.target} needs phase, sign and strength")
        elif self.phase is not None or self.target is not None:
            raise ValueError("target and phase belong to a checkpoint_inhibitor")
        stated = [value is not None for value in (self.phase, self.sign, self.strength)]
        if any(stated) and not all(stated):
            raise ValueError("phase, sign and strength belong together")
        if self.sign == -1 and self.strength is not None and self.strength > 1:
            raise ValueError("a strength above 1 with sign -1 would make the phase negative")
        near = self.sensitizer_enhancement_ratio > 1 or self.equivalent_bed_gy_per_dose > 0
        if near and self.sensitizing_days == 0:
            raise ValueError(
                "sensitizer_enhancement_ratio and equivalent_bed_gy_per_dose need "
                "sensitizing_days of 1 or more"
            )
        if self.sensitizer_enhancement_ratio > 1 and self.equivalent_bed_gy_per_dose > 0:
            raise ValueError("a sensitizer or an equivalent BED (which contains it), not both")
        if self.clearance_emax != 0 and None in (self.clearance_t50_days, self.clearance_hill):
            raise ValueError("clearance_emax needs clearance_t50_days and clearance_hill")
        return self


class RegimenDose(Table):
    """One infusion of a cycle."""

    drug: Name = Field(description="infused")
    day: Annotated[int, Field(ge=0, le=365, description="day within the cycle, from 0")]
    amount: Positive = Field(description="in the unit below")
    unit: DoseUnit = Field(description="of the amount")


class RegimenPhase(Table):
    """Cycles of other doses or another rhythm, after those before them."""

    cycle_days: Annotated[int, Field(ge=1, le=365)] = Field(
        description="from the start of a cycle to the next"
    )
    cycles: Annotated[int, Field(ge=1, le=100)] = Field(description="greatest number of cycles")
    after_days: Annotated[int, Field(ge=1, le=365)] | None = Field(
        default=None,
        description="from the start of the last cycle before to the first one; the days of that "
        "cycle if absent",
    )
    doses: Annotated[tuple[RegimenDose, ...], Field(min_length=1, max_length=60)] = Field(
        description="infusions of one cycle"
    )


class Regimen(LibraryTable):
    """Infusions of one cycle, repeated every `cycle_days` at most `max_cycles` times.

    `then` goes on with other cycles: 240 mg every two weeks and then 480 mg every four, a loading
    dose and then smaller ones. Cycles are counted over all of them.
    """

    later: ClassVar = ("then",)

    title: str | None = Field(default=None, description="one line for reports")
    cycle_days: Annotated[int, Field(ge=1, le=365)] = Field(
        description="from the start of a cycle to the next"
    )
    max_cycles: Annotated[int, Field(ge=1, le=100)] = Field(description="greatest number of cycles")
    doses: Annotated[tuple[RegimenDose, ...], Field(min_length=1, max_length=60)] = Field(
        description="infusions of one cycle"
    )
    then: Annotated[tuple[RegimenPhase, ...], Field(max_length=8)] = Field(
        default=(), description="cycles that follow, of other doses or another rhythm"
    )

    @property
    def all_cycles(self) -> int:
        """Greatest number of cycles, those that follow included."""
        return self.max_cycles + sum(phase.cycles for phase in self.then)

    @property
    def every_dose(self) -> tuple[RegimenDose, ...]:
        """Infusions of one cycle of each sort."""
        return self.doses + tuple(dose for phase in self.then for dose in phase.doses)

    def cycles_in_order(self, count: int) -> Iterator[tuple[int, tuple[RegimenDose, ...]]]:
        """(day from the start of the regimen, infusions) of its first cycles."""
        begin = 0
        first = (self.cycle_days, self.max_cycles, None, self.doses)
        sorts: list[tuple[int, int, int | None, tuple[RegimenDose, ...]]] = [first]
        sorts += [(p.cycle_days, p.cycles, p.after_days, p.doses) for p in self.then]
        yielded, last = 0, 0
        for cycle_days, cycles, after_days, doses in sorts:
            if yielded and after_days is not None:
                begin = last + after_days
            for _ in range(min(cycles, count - yielded)):
                yield begin, doses
                yielded, last = yielded + 1, begin
                begin += cycle_days

    @consistent
    def _one_dose_a_day(self) -> Self:
        """A drug is infused once a day, doses of later cycles included."""
        if self.then:
            taken: set[tuple[str, int]] = set()
            for begin, doses in self.cycles_in_order(self.all_cycles):
                for dose in doses:
                    if (dose.drug, begin + dose.day) in taken:
                        raise ValueError(f"{dose.drug} is given twice on day {begin + dose.day}")
                    taken.add((dose.drug, begin + dose.day))
            return self
        for i, dose in enumerate(self.doses):
            for other in self.doses[:i]:
                cycles, rest = divmod(abs(dose.day - other.day), self.cycle_days)
                if dose.drug == other.drug and rest == 0 and cycles < self.max_cycles:
                    raise ValueError(
                        f"{dose.drug} is given twice on one day: state one dose of the sum"
                    )
        return self


class AgentChoice(StartWindow):
    """One systemic decision: which regimen, started on which day, or not given.

    The agent starts on an infusion day of the calendar. Each later dose is planned by its cycle,
    counted from the start, and given on the first infusion day from its planned day on; the doses
    planned after it stay where they are. Doses on or after the last horizon are not given.
    """

    name: Name = Field(description="of the agent")
    regimens: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="of which one is chosen"
    )
    first_start_day: Day = Field(description="first planned day on which it may start")
    last_start_day: Day = Field(description="last planned day on which it may start")
    start_step_days: StartStep = 1
    cycles: Count | None = Field(default=None, description="fewer cycles than the regimen's")
    optional: bool = Field(default=True, description="may the agent be left out?")
    min_days_after_radiation: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None,
        description="start >= last fraction of any lesion + this; waived without radiation",
    )
    max_days_after_radiation: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None,
        description="start <= last fraction of all lesions + this; waived without radiation",
    )
    min_days_before_radiation: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None,
        description="first fraction of any lesion >= start + this; waived without radiation",
    )
    max_days_before_radiation: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None,
        description="first fraction of all lesions <= start + this; waived without radiation",
    )
    min_days_between_dose_and_fraction: Annotated[int, Field(ge=1, le=365)] | None = Field(
        default=None,
        description="|infusion day - fraction day| >= this; waived without radiation",
    )
    infusion_weekdays: Weekdays | None = Field(
        default=None, description="of this agent; the calendar's if absent"
    )
    infusion_tolerance_days: Annotated[int, Field(ge=0, le=28)] | None = Field(
        default=None, description="of this agent; the calendar's if absent"
    )

    @consistent
    def _rules(self) -> Self:
        low, high = self.min_days_after_radiation, self.max_days_after_radiation
        if low is not None and high is not None and high < low:
            raise ValueError("max_days_after_radiation must not be below min_days_after_radiation")
        low, high = self.min_days_before_radiation, self.max_days_before_radiation
        if low is not None and high is not None and high < low:
            raise ValueError(
                "max_days_before_radiation must not be below min_days_before_radiation"
            )
        if len(set(self.regimens)) < len(self.regimens):
            raise ValueError("a regimen is listed twice")
        return self
