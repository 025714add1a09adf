"""One structure's columns of numbers, checked: from a cumulative or differential table to a curve.

A cumulative table must begin with the whole structure, must not rise, and must end where nothing
receives more. A differential one lists volumes per bin, or densities per unit of dose
(`dVolume / dDose`), which are integrated by the trapezoidal rule.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from abscopt.instances.dvh.measures import Curve
from abscopt.instances.reading.problems import InputError, refused
from abscopt.models.arrays import FloatArray

Kind = Literal["cumulative", "differential"]

VOLUME_TOLERANCE = 0.02
"""Relative difference of a table's volume and the one that its header states: planning systems
sample a structure on the dose grid (assumed; exports that were read state 100.1 % sampled)."""
PERCENT_TOLERANCE = 0.5
"""The same of a table in % of the volume, in percent: rounding only."""
MOST_AT_END_CM3 = 0.01
MOST_AT_END = 1e-3
"""What may receive more than the last dose of a table; it is put at that dose. A third of the
0.035 cm3 that a point dose is read from, and a thousandth of the structure."""

GY = {"gy": 1.0, "cgy": 0.01}
VOLUMES = {"cm3": "cm3", "cm³": "cm3", "cm^3": "cm3", "cc": "cm3", "ccm": "cm3", "ml": "cm3"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def dose_unit(text: str) -> str | None:
    """`Gy`, `cGy` or `%` of a unit as it is written; None if it is none of them."""
    word = text.strip().lower()
    return {"gy": "Gy", "cgy": "cGy", "%": "%", "percent": "%", "pct": "%"}.get(word)


def volume_unit(text: str) -> str | None:
    """`cm3` or `%`; None if it is neither."""
    word = text.strip().lower().replace(" ", "")
    return "%" if word in ("%", "percent", "pct") else VOLUMES.get(word)


def number(text: str, comma: bool) -> float | None:
    """A number, with a decimal comma if `comma`; None if it is none."""
    word = text.strip()
    if comma and "." not in word:
        word = word.replace(",", ".", 1)
    value = float(word) if NUMBER.fullmatch(word) else math.inf
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Table:
    """Rows of one structure as they stand in a file.

    Attributes
    ----------
    dose_unit : `Gy`, `cGy` or `%` of the prescription
    volume_unit : `cm3` or `%` of the structure
    density_unit : unit of dose that volumes are divided by, None if they are volumes
    stated_cm3 : volume of the structure as the header says it
    unusable : why nothing may be read from it, if so
    kind : None where the file does not say
    """

    file: str
    structure: str
    lines: list[int]
    dose: list[float]
    volume: list[float]
    dose_unit: str
    volume_unit: str
    kind: Kind | None = None
    density_unit: str | None = None
    stated_cm3: float | None = None
    unusable: str | None = None

    @property
    def why_unusable(self) -> str | None:
        """Why nothing can be read from it, though the file is sound; None if it can be."""
        if self.unusable is None and self.volume and not any(self.volume):
            return "the structure has no volume"
        return self.unusable

    def wrong(self, row: int, value: object, rule: str) -> InputError:
        """An error in one row."""
        return refused(
            self.file, f"line {self.lines[row]}, structure {self.structure}", value, rule
        )

    def curve(self, kind: Kind | None) -> Curve:
        """The cumulative curve; `kind` is what the user says where the file does not.

        Raises
        ------
        InputError
            With the line of the first row that breaks a rule.
        """
        if len(self.lines) < 2:
            raise refused(
                self.file, f"structure {self.structure}", f"{len(self.lines)} rows", "at least 2"
            )
        if self.kind is not None and kind is not None and self.kind != kind:
            rule = f"is {self.kind} by its header, not {kind}"
            raise refused(self.file, f"structure {self.structure}", kind, rule)
        dose, volume = np.array(self.dose), np.array(self.volume)
        for row, (d, v) in enumerate(zip(self.dose, self.volume, strict=True)):
            if d < 0 or v < 0:
                raise self.wrong(row, f"{min(d, v):g}", "a dose or volume must not be negative")
            if row and d <= self.dose[row - 1]:
                raise self.wrong(row, f"{d:g}", "doses must increase from row to row")
        dose *= GY.get(self.dose_unit.lower(), 1.0)
        if (self.kind or kind or "cumulative") == "differential":
            dose, volume = self._summed(dose, volume)
        else:
            self._check_falls()
        return self._closed(dose, volume)

    def _check_falls(self) -> None:
        rounding = 1e-6 * self.volume[0]
        for row in range(1, len(self.volume)):
            if self.volume[row] > self.volume[row - 1] + rounding:
                rule = f"a cumulative table must not rise ({self.volume[row - 1]:g} before it)" + (
                    "" if self.kind else "; for a differential one say --type differential"
                )
                raise self.wrong(row, f"{self.volume[row]:g}", rule)
        if self.dose[0] > 0 and self.volume_unit == "cm3" and self.stated_cm3 is None:
            rule = "must begin at dose 0: else nothing says the volume of the structure"
            raise self.wrong(0, f"{self.dose[0]:g} {self.dose_unit}", rule)

    def _summed(self, dose: FloatArray, volume: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Edges and the volumes above them, of a differential table."""
        if self.density_unit is not None:
            volume = volume / GY.get(self.density_unit.lower(), 1.0)
            parts = np.diff(dose) * (volume[1:] + volume[:-1]) / 2.0
            edges = dose
        else:
            edges, parts = self._edges(dose), volume
        return edges, np.append(np.cumsum(parts[::-1])[::-1], 0.0)

    def _edges(self, dose: FloatArray) -> FloatArray:
        """Edges of bins, which the table lists by lower edges (from 0) or centers (from half)."""
        width = float(dose[1] - dose[0])
        if dose[0] <= 1e-6 * width:
            return np.append(dose, 2 * dose[-1] - dose[-2])
        if abs(dose[0] - width / 2) <= 1e-3 * width:
            if float(np.ptp(np.diff(dose))) > 1e-3 * width:
                rule = "bins must be equally wide where the table has their centers"
                raise self.wrong(0, f"{self.dose[0]:g}", rule)
            return np.append(dose - width / 2, dose[-1] + width / 2)
        rule = "a differential table begins at 0 (lower edges) or half a bin (centers)"
        raise self.wrong(0, f"{self.dose[0]:g} {self.dose_unit}", rule)

    def _closed(self, dose: FloatArray, volume: FloatArray) -> Curve:
        """A curve from the whole structure to nothing; refused where the table has less."""
        whole = float(volume[0])
        if self.volume_unit == "%":
            total, stated, rounding = self.stated_cm3, 100.0, PERCENT_TOLERANCE
        else:
            total, stated = whole, self.stated_cm3 or whole
            rounding = VOLUME_TOLERANCE * stated + 0.1  # a header may round to 0.1 cm3
        if abs(whole - stated) > rounding:
            unit = self.volume_unit
            side = "starts below" if whole < stated else "exceeds"
            rule = f"the table {side} the volume of the structure, {stated:g} {unit}"
            raise self.wrong(0, f"{whole:g} {unit}", rule)
        share = np.minimum.accumulate(volume) / whole
        end = float(share[-1])
        if end > MOST_AT_END or (total is not None and end * total > MOST_AT_END_CM3):
            rule = "the table must go on to the dose that nothing exceeds"
            raise self.wrong(-1, f"{100 * end:.3g} % of the structure", rule)
        if dose[0] > 0:
            dose, share = np.append(0.0, dose), np.append(1.0, share)
        if end > 0:
            dose, share = np.append(dose, dose[-1]), np.append(share, 0.0)
        return Curve(self.structure, dose, share, total, self.dose_unit == "%")
