"""Demands of lesions on a schedule: least BED, EQD2 and control, reported among the limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.lesions import DEMANDS
from abscopt.optimizer.evaluation.limits import TOLERANCE, LimitUse

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.verdict import LesionOutcome


def demand_uses(instance: Instance, outcomes: tuple[LesionOutcome, ...]) -> tuple[LimitUse, ...]:
    """All demands of a case, lesion by lesion; `use` is what is demanded over what is reached."""
    return tuple(
        _use(f"{lesion.name}.{key}", key.removesuffix("_gy"), reached, asked, unit)
        for lesion, outcome in zip(instance.lesions, outcomes, strict=True)
        for key, reached, asked, unit in _demands(lesion, outcome)
    )


def demanding(instance: Instance) -> bool:
    """Whether any lesion states a demand."""
    demands = (getattr(lesion, key) for lesion in instance.lesions for key in DEMANDS)
    return any(demand is not None for demand in demands)


def _demands(lesion: Lesion, outcome: LesionOutcome) -> Iterator[tuple[str, float, float, str]]:
    """(key, what is reached, what is demanded, unit) of each demand that a lesion states."""
    if lesion.least_bed_gy is not None:
        unit = f"Gy BED{lesion.alpha_beta_gy:g}"
        yield "least_bed_gy", outcome.bed_gy, lesion.least_bed_gy, unit
    if lesion.least_eqd2_gy is not None:
        yield "least_eqd2_gy", lesion.eqd2(outcome.bed_gy), lesion.least_eqd2_gy, "Gy EQD2"
    if lesion.least_control is not None:
        chance = outcome.control_probability[-1]
        yield "least_control", chance, lesion.least_control, "probability"


def _use(name: str, kind: str, reached: float, asked: float, unit: str) -> LimitUse:
    use = asked / reached if reached > 0 else None
    fulfilled = use is not None and use <= 1 + TOLERANCE
    return LimitUse(
        name=name, kind=kind, value=reached, bound=asked, unit=unit, use=use, kept=fulfilled
    )
