"""Published findings as named schedules and the expected order of their outcomes.

The list is `findings.toml` and, added after the first calibration, `further_findings.toml`. Its
items say which of the project's required findings each one is:

- ``P1`` ... ``P11``: preclinical data points and clinical anchors (interferon and TREX1; CTLA-4
  with fractionation; concomitant PD-L1; CTLA-4 and OX40 around 20 Gy; iso-BED sets; blockade before
  and after, pulses; infiltration in time; single against fractionated; several sites; out-of-field
  response; drug exposure in patients),
- ``G``: dose per fraction that primes best,
- ``C1`` ... ``C6``: what a calibrated engine must reproduce (concurrent blockade adds nothing to
  six weeks of 2 Gy; consolidation works; out-of-field response by schedule and its negative trials;
  lymphocytes gate it; response is not survival; several sites),
- ``L``: lymphocytes, ``M``: published models, ``T``: further trials.

Arms are named dose per fraction x fractions: ``8x3`` is three fractions of 8 Gy. A status is that
of the published comparison: ``verified`` (read in the source), ``verified-secondary`` (read in a
reproduction), ``derived`` (computed or inferred from verified material), ``recalled`` (not read).
Only verified findings are for scoring. Days and doses have a status of their own, the weakest
among the arms; wherever the source gives none they are placeholders (``assumed``).

All arms of one finding share a clock. Human arms name drugs of the library with the dose of each
infusion (70 kg, 1.8 m², glomerular filtration 90 mL/min), mouse arms name targets.

Two splits into a training and a held-back part, each fixed by a name and nothing else: that of the
first calibration by the id of a finding (`Finding.first_split`), and the present one by the cohort,
so that no source straddles it (`Finding.split`). A cohort is therefore never renamed.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, cast

from pydantic import Field, model_validator

from abscopt.instances.evidence.effects import Effect
from abscopt.instances.tables.fields import Day, FractionDose, Name, Positive, Table

FILES = [Path(__file__).parent / name for name in ("findings.toml", "further_findings.toml")]

Status = Literal["verified", "verified-secondary", "derived", "recalled"]
Certainty = Literal["verified", "derived", "recalled", "assumed"]
Item = Literal[
    "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11",
    "G", "C1", "C2", "C3", "C4", "C5", "C6", "L", "M", "T",
]  # fmt: skip
Topic = Literal[
    "dose per fraction",
    "TREX1 threshold",
    "iso-BED",
    "timing",
    "sites",
    "lymphocytes",
    "drugs",
    "low dose",
    "local control",
    "mechanism",
]
Endpoint = Literal[
    "out_of_field", "irradiated", "all_lesions", "priming", "release", "infiltration",
    "progression", "survival", "lymphocytes", "toxicity", "marker",
]  # fmt: skip
Relation = Literal[">", ">=", "~"]
Target = Literal["PD-1", "PD-L1", "CTLA-4", "OX40", "TIGIT", "cytotoxic"]
Condition = Literal[
    "alc-high", "alc-low", "immunogenic", "poorly-immunogenic", "blockade-resistant",
    "cd8-depleted", "release-0",
]  # fmt: skip

Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]

ORDERING = r"^\S+ (>=|>|~) \S+$"


class Ordering(NamedTuple):
    """`better` beats `worse` (``>``), is at least as good (``>=``) or does not differ (``~``)."""

    better: str
    relation: Relation
    worse: str


class Fraction(NamedTuple):
    """One fraction to one site."""

    day: int
    dose_gy: float
    site: str


class Block(Table):
    """Fractions of one dose to one site; a day stated twice has two fractions.

    Parameters
    ----------
    days
        Day of each fraction, sorted.
    dose_gy
        Dose of each of them in Gy.
    field
        ``large``: conventional thoracic fields with nodes, which hit more effectors and
        lymphocytes.
    """

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    dose_gy: FractionDose
    site: Name = "primary"
    field: Literal["small", "large"] = "small"

    @model_validator(mode="after")
    def _sorted(self) -> Self:
        if list(self.days) != sorted(self.days):
            raise ValueError("days must be sorted")
        return self


class Drug(Table):
    """Days of one drug: a drug of the library (`agent`), or anything that hits `target`.

    Parameters
    ----------
    dose_mg
        Dose of each infusion in mg; required of an agent.
    """

    agent: Name | None = None
    target: Target | None = None
    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    dose_mg: Positive | None = None

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if (self.agent is None) == (self.target is None):
            raise ValueError("state either agent or target")
        if self.agent is not None and self.dose_mg is None:
            raise ValueError("an agent needs dose_mg")
        if list(self.days) != sorted(set(self.days)):
            raise ValueError("days must be sorted and different")
        return self


class Arm(Table):
    """A schedule, or one reading or state of patient or tumor under it.

    Parameters
    ----------
    condition
        State of patient or tumor: lymphocytes above or below the median of the patients, a tumor
        that immunity sees well or hardly, a tumor that progressed under blockade, a host without
        effectors (``cd8-depleted``), irradiated cells that release nothing (``release-0``).
    read_at
        Lesion on which this arm is read, in place of `Setting.assessed`.
    read_day
        Day on which the endpoint is read; None: over the whole follow-up.
    """

    radiation: tuple[Block, ...] = ()
    drugs: tuple[Drug, ...] = ()
    condition: Condition | None = None
    read_at: Name | None = None
    read_day: Day | None = None

    @property
    def fractions(self) -> tuple[Fraction, ...]:
        """Every fraction in order of day, then of site."""
        every = (Fraction(day, b.dose_gy, b.site) for b in self.radiation for day in b.days)
        return tuple(sorted(every, key=lambda fraction: (fraction.day, fraction.site)))

    @property
    def sites(self) -> frozenset[str]:
        """Lesions that are irradiated."""
        return frozenset(block.site for block in self.radiation)


class Setting(Table):
    """What was treated and where the outcome was read.

    Parameters
    ----------
    lesions
        Lesions that the comparison needs, irradiated or not. ``occult`` stands for hidden disease,
        which is no visible lesion.
    assessed
        Those among them on which the endpoint was read; empty for endpoints of the whole body.
    resected
        Lesions that are removed before the outcome is read.
    endpoint
        What is compared; more is better, except for ``toxicity``, where less is better:
        ``out_of_field`` (systemic effect where no dose went), ``irradiated`` (effect where dose
        went), ``all_lesions`` (local and systemic effect together on the lesions assessed),
        ``priming`` (T cells or what raises them), ``release`` (what irradiated cells give off:
        interferon, antigen), ``infiltration`` (antigen-presenting cells in the tumor, on the day
        that an arm is read), ``progression`` and ``survival`` (time to),
        ``lymphocytes`` (blood count), ``toxicity``, ``marker``.
    early
        Whether visible lesions in small fields are early primaries, not metastases.
    background
        Treatment of all arms alike, which is not listed in them.
    """

    tumor: str
    lesions: Annotated[tuple[Name, ...], Field(min_length=1)] = ("primary",)
    assessed: tuple[Name, ...] = ()
    resected: tuple[Name, ...] = ()
    endpoint: Endpoint
    early: bool = False
    background: str | None = None

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if not {*self.assessed, *self.resected} <= set(self.lesions):
            raise ValueError("assessed and resected lesions must be among the lesions")
        return self


class Finding(Table):
    """One published finding.

    Parameters
    ----------
    study
        Source study: one trial, one experiment.
    cohort
        Patients or mice, where several studies report on the same or on overlapping ones; None:
        those of the study alone. See `patients`.
    days, doses
        How well the days and the doses of the arms are known.
    expected
        Published orderings of the arms, the better one first.
    effects
        Published sizes of such comparisons, on this finding's endpoint.
    contested
        Two scenarios between which the sign is unsettled; None if it is settled.
    supports
        The scenario of `contested` that this finding speaks for; None if neither.
    outside
        Why schedules of the surrogate and of the simulators cannot express it.
    """

    id: Key
    title: str
    topic: Topic
    item: Item
    source: Annotated[str, Field(min_length=1)]
    doi: Annotated[str, Field(pattern=r"^10\.\S+/\S+$")] | None = None
    pmc: Annotated[str, Field(pattern=r"^PMC\d+$")] | None = None
    study: Key
    cohort: Key | None = None
    status: Status
    scale: Literal["mouse", "human"]
    setting: Setting
    days: Certainty
    doses: Certainty
    arms: dict[Name, Arm] = Field(default_factory=dict)
    expected: tuple[Annotated[str, Field(pattern=ORDERING)], ...] = ()
    effects: tuple[Effect, ...] = ()
    contested: tuple[Name, Name] | None = None
    supports: Name | None = None
    outside: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _checks(self) -> Self:
        named = [(ordering.better, ordering.worse) for ordering in self.orderings]
        for pair in [*named, *((effect.of, effect.against) for effect in self.effects)]:
            for arm in pair:
                if arm not in self.arms:
                    raise ValueError(f"no arm {arm}; known: {sorted(self.arms)}")
        if not self.expected and self.outside is None:
            raise ValueError("expects nothing and does not say why (outside)")
        arms = self.arms.values()
        sites = {block.site for arm in arms for block in arm.radiation}
        sites |= {arm.read_at for arm in arms if arm.read_at is not None}
        if not sites <= set(self.setting.lesions):
            raise ValueError(f"arms use {sorted(sites)}, lesions are {self.setting.lesions}")
        if any((drug.agent is None) == (self.scale == "human") for a in arms for drug in a.drugs):
            raise ValueError("human arms state agents, mouse arms state targets")
        if self.supports is not None and self.supports not in (self.contested or ()):
            raise ValueError("supports must be one of the contested scenarios")
        return self

    @property
    def orderings(self) -> tuple[Ordering, ...]:
        """`expected`, taken apart."""
        found = (text.split(" ") for text in self.expected)
        return tuple(Ordering(a, cast(Relation, relation), b) for a, relation, b in found)

    @property
    def patients(self) -> str:
        """Cohort of patients or mice: it counts once, and is never split."""
        return self.cohort or self.study

    @property
    def split(self) -> Literal["training", "held_back"]:
        """Training if the first hex digit of the SHA-256 of `patients` is even, else held back.

        Every finding on the same patients is on the same side.
        """
        return _side(self.patients)

    @property
    def first_split(self) -> Literal["training", "held_back"]:
        """Split of the first calibration: as `split`, by the id."""
        return _side(self.id)


def _side(name: str) -> Literal["training", "held_back"]:
    digit = hashlib.sha256(name.encode("utf-8")).hexdigest()[0]
    return "held_back" if int(digit, 16) % 2 else "training"


class _List(Table):
    """Both files as one."""

    format: Literal[1]
    findings: tuple[Finding, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [finding.id for finding in self.findings]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"ids must be unique: {twice}")
        return self


@lru_cache(maxsize=1)
def findings() -> tuple[Finding, ...]:
    """Every finding of the list, in its order.

    Raises
    ------
    pydantic.ValidationError
        The list breaks a rule of its tables.
    """
    lists = [tomllib.loads(file.read_text(encoding="utf-8")) for file in FILES]
    every = [finding for raw in lists for finding in raw.pop("findings", [])]
    return _List.model_validate_json(json.dumps(lists[0] | {"findings": every})).findings
