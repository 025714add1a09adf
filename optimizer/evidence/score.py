"""Verdicts on every finding: surrogate, scenarios, baseline and simulators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from abscopt.instances.evidence import findings
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.measures import (
    SYSTEMIC,
    Verdict,
    dose_measure,
    scale_of,
    surrogate_measure,
    verdict_of,
)
from abscopt.optimizer.evidence.settings import (
    Trial,
    Unrepresented,
    default_constants,
    trial_of,
    with_scenario,
)

if TYPE_CHECKING:
    from abscopt.instances.evidence import Finding
    from abscopt.instances.tables.immune import Immune

SCORED = "verified"
"""Status of the findings that count."""


@dataclass(frozen=True)
class Scored:
    """Verdicts on one finding.

    Attributes
    ----------
    measures : arm -> what the surrogate says, one number per horizon (empty if outside)
    scenarios : of a contested finding, the verdict under each scenario
    baseline : verdict of tumor BED alone
    simulators : verdict of each published model, where they were run (`command`)
    reason : why the surrogate cannot express it; None if it can
    """

    finding: Finding
    surrogate: Verdict
    baseline: Verdict
    measures: Mapping[str, FloatArray] = field(default_factory=dict)
    scenarios: Mapping[str, Verdict] = field(default_factory=dict)
    simulators: Mapping[str, Verdict] = field(default_factory=dict)
    reason: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is scored: a verified source, a settled sign and an order to be had."""
        unscored = ("scenario", "not_informative")
        return self.finding.status == SCORED and self.surrogate not in unscored


@dataclass(frozen=True)
class Score:
    """How many scored findings came out in which way."""

    reproduced: int
    contradicted: int
    outside_range: int

    @property
    def total(self) -> int:
        """Findings that count."""
        return self.reproduced + self.contradicted + self.outside_range

    @property
    def share(self) -> float:
        """Reproduced over all; outside the range counts as not reproduced."""
        return self.reproduced / self.total if self.total else 0.0


@lru_cache(maxsize=1)
def trials() -> tuple[tuple[Finding, Trial | str], ...]:
    """Every finding with its cases, or with the reason why there are none."""
    pairs: list[tuple[Finding, Trial | str]] = []
    for finding in findings():
        try:
            pairs.append((finding, trial_of(finding)))
        except Unrepresented as error:
            pairs.append((finding, str(error)))
    return tuple(pairs)


def measured(trial: Trial) -> dict[str, FloatArray]:
    """What the judge says of every arm."""
    arms = trial.finding.arms
    return {
        name: surrogate_measure(trial.finding, arms[name], case, schedule)
        for name, (case, schedule) in trial.arms.items()
    }


def surrogate_verdict(trial: Trial) -> tuple[Verdict, dict[str, FloatArray]]:
    """Verdict of the judge on one finding, and the measures of its arms."""
    values = measured(trial)
    return verdict_of(trial.finding, values, scale_of(trial.finding)), values


def baseline_verdict(trial: Trial) -> Verdict:
    """Verdict of tumor BED alone."""
    setting, arms = trial.finding.setting, trial.finding.arms
    values = {name: dose_measure(setting, arms[name], *arm) for name, arm in trial.arms.items()}
    return verdict_of(trial.finding, values, SYSTEMIC)


def scored(
    immune: Immune | None = None,
    only: Iterable[str] | None = None,
) -> list[Scored]:
    """Verdicts on every finding of the list (or on those named), in its order."""
    constants = immune or default_constants()
    wanted = None if only is None else set(only)
    return [
        _scored(finding, trial, constants)
        for finding, trial in trials()
        if wanted is None or finding.id in wanted
    ]


def _scored(finding: Finding, trial: Trial | str, immune: Immune) -> Scored:
    outside: Verdict = "outside_range"
    if isinstance(trial, str):
        return Scored(finding, outside, outside, reason=trial)
    present = trial.under(immune)
    verdict, values = surrogate_verdict(present)
    scenarios: dict[str, Verdict] = {}
    if finding.contested is not None:
        scenarios = {
            name: surrogate_verdict(trial.under(with_scenario(immune, name)))[0]
            for name in finding.contested
        }
        verdict = "scenario"
    return Scored(finding, verdict, baseline_verdict(trial), values, scenarios)


def score_of(
    results: Sequence[Scored], which: Callable[[Scored], Verdict] = lambda scored: scored.surrogate
) -> Score:
    """Counts over the scored findings among `results`, by the verdict that `which` reads."""
    verdicts = [which(scored) for scored in results if scored.counts]
    return Score(
        verdicts.count("reproduced"),
        verdicts.count("contradicted"),
        verdicts.count("outside_range"),
    )
