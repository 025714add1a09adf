"""Published local control by dose: shares of irradiated lesions that stay controlled, by time.

The list is `local_control.toml`: 60 studies of lung primaries, of metastases in lung, liver,
adrenal gland, bone and nodes, and of stage III, each with what was published. It is there to fit
and to test a model of control, which needs three distinctions:

- what the lesions received: the prescribed dose, where it was prescribed, and whether all lesions
  had it or it is a median, the commonest one, or assumed;
- what was estimated: Kaplan-Meier estimates of freedom from failure answer "would it have
  recurred", cumulative incidence with death as a competing risk is lower, crude shares mix times;
- how well it is known: `verified` was read, `recalled` was not.
"""

from __future__ import annotations

import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from abscopt.instances.tables.fields import Count, Positive, Table

FILE = Path(__file__).parent / "local_control.toml"
ALPHA_BETA_GY = 10.0  # the convention of the field: BED10

Site = Literal[
    "lung_primary", "lung_metastasis", "liver_metastasis", "liver_primary", "adrenal_metastasis",
    "spine_metastasis", "bone_metastasis", "node_metastasis", "stage3",
]  # fmt: skip
Percent = Annotated[float, Field(ge=0, le=100)]
Interval = Annotated[tuple[float, float], Field(min_length=2, max_length=2)]


class Figure(Table):
    """One published share of controlled lesions.

    Parameters
    ----------
    n
        Patients or lesions (`counted`) it rests on, at the start.
    dose_gy, fractions
        Prescribed total dose and number of fractions.
    bed10_gy, bed10_range_gy
        Biologically effective dose as stated, where it isn't that of `dose_gy`, and its range.
    dose
        Whom the dose is that of; None where none is stated.
    years, control_percent
        Time after radiation, and the share without local failure until then.
    interval_percent, standard_error_percent
        As published: 95 % interval, or standard error.
    report
        Why the figure is shown but never fitted; None: it may be.
    """

    arm: str | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    counted: Literal["patients", "lesions"]
    dose_gy: Positive | None = None
    fractions: Count | None = None
    bed10_gy: Positive | None = None
    bed10_range_gy: Interval | None = None
    dose: Literal["all", "median", "commonest", "assumed"] | None = None
    volume_cm3: Positive | None = None
    diameter_cm: Positive | None = None
    years: Positive
    control_percent: Percent
    interval_percent: Interval | None = None
    standard_error_percent: Positive | None = None
    report: str | None = None

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if (self.dose_gy is None) != (self.fractions is None):
            raise ValueError("dose_gy and fractions go together")
        if (self.bed10 is None) != (self.dose is None):
            raise ValueError("a dose needs `dose`, and `dose` a dose")
        if self.interval_percent is not None:
            low, high = self.interval_percent
            if not 0 <= low <= self.control_percent <= high <= 100:
                raise ValueError("interval_percent must hold control_percent")
        if self.report is None and (self.bed10 is None or self.n is None):
            raise ValueError("a figure to be fitted needs a dose and n")
        return self

    @property
    def bed10(self) -> float | None:
        """BED10 in Gy, as stated or D (1 + D/n / 10 Gy)."""
        if self.bed10_gy is not None or self.dose_gy is None or self.fractions is None:
            return self.bed10_gy
        return self.dose_gy * (1.0 + self.dose_gy / self.fractions / ALPHA_BETA_GY)


class Study(Table):
    """Figures of one study: the same lesions at several times, or its arms.

    Parameters
    ----------
    held_out
        Kept from the fit, to test it; the rule is in the file.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
    source: Annotated[str, Field(min_length=1)]
    doi: Annotated[str, Field(pattern=r"^10\.\S+/\S+$")] | None = None
    pmc: Annotated[str, Field(pattern=r"^PMC\d+$")] | None = None
    site: Site
    histology: str
    design: Literal["randomized", "prospective", "retrospective", "pooled"]
    estimate: Literal["kaplan_meier", "competing_risks", "crude", "regression", "unstated"]
    prescribed: Literal["periphery", "isocenter", "mean", "maximum", "unstated"]
    status: Literal["verified", "recalled"]
    note: str | None = None
    held_out: bool = False
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _recalled_is_never_fitted(self) -> Self:
        if self.status == "recalled" and self.fitted:
            raise ValueError("figures that were not read are for report only")
        return self

    @property
    def fitted(self) -> tuple[Figure, ...]:
        """Figures that a model may be fitted to or tested on."""
        return tuple(figure for figure in self.figures if figure.report is None)


class _List(Table):
    """The whole file."""

    format: Literal[1]
    studies: tuple[Study, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [study.id for study in self.studies]
        if len(set(ids)) < len(ids):
            raise ValueError(f"ids must be unique: {sorted({i for i in ids if ids.count(i) > 1})}")
        return self


@lru_cache(maxsize=1)
def local_control() -> tuple[Study, ...]:
    """Every study of the list, in its order."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return _List.model_validate_json(json.dumps(raw)).studies
