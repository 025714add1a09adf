"""What the judge says of a schedule: outcome per lesion, limits, traces, objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.evaluation.limits import LimitUse

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LesionOutcome:
    """What one lesion received and what comes of it; tuples have one entry per horizon.

    `clone_log_burden` has one such tuple per clone; `technique` is '' where there is no choice or
    no course, and several in their order are `ebrt+hdr`; `credited` tells whether the systemic
    effect counts (burden rule).
    """

    name: str
    technique: str
    fractions: int
    dose_gy: float
    dose_per_fraction_gy: float | None
    bed_gy: float
    tumor_bed_gy: float
    clone_log_burden: tuple[tuple[float, ...], ...]
    log_burden: tuple[float, ...]
    control_probability: tuple[float, ...]
    poisson_tcp: tuple[float, ...]
    value: tuple[float, ...]
    conceded: bool
    credited: bool
    lymphocyte_factor: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {key: _listed(value) for key, value in vars(self).items()}


@dataclass(frozen=True)
class Evaluation:
    """The judge's verdict: `objective` is the value less `soft_cost`, all in `unit`.

    `feasible` is whether every hard limit and rule is kept, whatever the case has on its menus;
    what of the schedule is on none of them is in `off_menu`. An answer of a solver has neither.
    """

    instance: str
    objective: float
    soft_cost: float
    unit: str
    feasible: bool
    lesions: tuple[LesionOutcome, ...]
    limits: tuple[LimitUse, ...]
    broken_rules: tuple[str, ...]
    off_menu: tuple[str, ...]
    immune: dict[str, Any]
    lymphocytes: dict[str, Any]

    @property
    def admissible(self) -> bool:
        """Whether the schedule could be the answer: feasible, and all of it on the menus."""
        return self.feasible and not self.off_menu

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Broken rules, and what is on no menu: why it is no answer."""
        return (*self.broken_rules, *self.off_menu)

    @property
    def broken_limits(self) -> tuple[str, ...]:
        """Names of the hard limits that are not kept."""
        return tuple(use.name for use in self.limits if use.broken)

    @property
    def exceeded_soft(self) -> tuple[str, ...]:
        """Names of the soft limits that are exceeded at a cost."""
        return tuple(use.name for use in self.limits if not use.kept and not use.broken)

    @property
    def conceded(self) -> tuple[str, ...]:
        """Names of lesions given up at the last horizon (default objective)."""
        return tuple(lesion.name for lesion in self.lesions if lesion.conceded)

    def to_json(self) -> dict[str, Any]:
        """Plain data (interface `evaluation` of a result); `off_menu` only where there is any."""
        return {
            "objective": self.objective,
            "soft_cost": self.soft_cost,
            "unit": self.unit,
            "feasible": self.feasible,
            "lesions": [lesion.to_json() for lesion in self.lesions],
            "limits": [use.to_json() for use in self.limits],
            "broken_rules": list(self.broken_rules),
            **({"off_menu": list(self.off_menu)} if self.off_menu else {}),
            "immune": self.immune,
            "lymphocytes": self.lymphocytes,
        }

    def lesions_frame(self) -> pd.DataFrame:
        """One row per lesion."""
        import pandas as pd

        return pd.DataFrame([lesion.to_json() for lesion in self.lesions])

    def limits_frame(self) -> pd.DataFrame:
        """One row per limit."""
        import pandas as pd

        return pd.DataFrame([use.to_json() for use in self.limits])


def _listed(value: Any) -> Any:
    """Tuples as lists, at any depth."""
    return [_listed(entry) for entry in value] if isinstance(value, tuple) else value
