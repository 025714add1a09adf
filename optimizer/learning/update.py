"""What measurements say about a patient: `update(case, schedule, observations, ensemble)`.

Members of the ensemble are weighed by the likelihood of what was measured. Where the effective
number of members collapses, particles are moved through tempered likelihoods instead. The posterior
is an ensemble of the case like the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.history.past import past_of
from abscopt.instances.load import InputError, Problem, case_of
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.evaluation.offered.menu import other_past
from abscopt.optimizer.learning.explained import refuse_unexplained
from abscopt.optimizer.learning.measured.likelihood import Likelihood
from abscopt.optimizer.learning.measured.observations import (
    Observation,
    observations_of,
    read_observations,
)
from abscopt.optimizer.learning.posterior import posterior_ensemble
from abscopt.optimizer.learning.sample import Sample, Values
from abscopt.optimizer.learning.space import Space
from abscopt.optimizer.learning.tempering import effective, tempered
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.schedule import (
    Schedule,
    given_schedule,
    read_schedule,
    resumed_schedule,
    standard_schedule,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abscopt.instances.schema import Instance

PARTICLES = 128
"""Where members collapse: twice what 14 coordinates need for their covariance, and some seconds."""
LEAST_EFFECTIVE = 8.0
"""Members that a mean or a quantile needs; with fewer from the outset, all of them: round."""
LEAST_SHARE = 0.1
"""Of the members, below which most of them stand for nothing: round."""


@dataclass(frozen=True, eq=False)
class Update:
    """What was learned.

    Attributes
    ----------
    prior, posterior : ensembles of the case
    schedule : that was given, judged up to the day of each observation
    likelihood : of the observations
    members : members of the prior with their importance weights
    before, after : parameter sets of the prior and of the posterior; the members with both weights
        unless they collapsed
    log_evidence : ln of the mean likelihood over the prior
    temperatures : of the stages; empty where members were only weighed
    acceptance : share of Metropolis steps accepted in each stage
    stopped : whether time or a signal ended the stages; the members' weights stand then
    evaluations : trajectories that were judged
    """

    prior: Ensemble
    posterior: Ensemble
    schedule: Schedule
    likelihood: Likelihood
    members: Sample
    before: Sample
    after: Sample
    log_evidence: float
    temperatures: tuple[float, ...]
    acceptance: tuple[float, ...]
    stopped: bool
    evaluations: int
    particles: int
    seed: int

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was measured, by day."""
        return self.likelihood.observations

    @property
    def resampled(self) -> bool:
        """Whether particles were moved because the members collapsed."""
        return bool(self.temperatures)

    @property
    def effective(self) -> float:
        """Effective number of the members under their importance weights."""
        return effective(self.members.weights)

    @property
    def collapsed(self) -> bool:
        """Whether so few members stand for the posterior that more is needed."""
        return self.effective < _least(len(self.members.weights))

    @property
    def information(self) -> float:
        """Nats learned about all parameters together: E_posterior[ln likelihood] - ln evidence."""
        weights, values = self.after.weights, self.after.log_likelihood
        held = weights > 0.0
        return max(0.0, float(weights[held] @ values[held]) - self.log_evidence)

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables `observations`, `parameters` and `members` as pandas frames."""
        from abscopt.optimizer.learning.learned import frames

        return frames(self)

    def report(self) -> str:
        """Everything for a person."""
        from abscopt.optimizer.learning.shown import report

        return report(self)

    def to_json(self) -> dict[str, Any]:
        """Everything for a program."""
        from abscopt.optimizer.learning.shown import document

        return document(self)


@raises_interrupted
def update(
    case: Instance | str | Path,
    schedule: Schedule | None,
    observations: str | Path | Sequence[Observation] | dict[str, Any],
    ensemble: Ensemble | str | None = None,
    *,
    particles: int = PARTICLES,
    seed: int = 0,
    time_limit: float | None = None,
    listener: Listener | None = None,
) -> Update:
    """Weigh the members of an ensemble by what was measured of a patient.

    Parameters
    ----------
    schedule : what is given; if None the case's standard regimen, or, where treatment has begun,
        what was delivered and the plan resumed
    observations : a file, a table as in one, or observations
    ensemble : of the library, or a file; the case's own if None
    particles : moved where the members collapse
    seed : of draws; same input and seed, same result

    Raises
    ------
    InputError
        If something is wrong with the input, or no member explains what was measured.
    Stopped
        If there was not even time to judge the members.
    """
    instance = case_of(case)
    label, measured = _observations(observations, instance)
    prior = ensemble if isinstance(ensemble, Ensemble) else ensemble_of(instance, ensemble)
    treatment = treatment_of(schedule, instance)
    if schedule is None:
        refuse_unknown_days(instance, measured, label)
    clock = Clock(time_limit, listener)
    space = Space(prior, any(o.kind == "volume" for o in measured))
    values = Values(space, Likelihood(measured), treatment, clock)
    with clock.running("members"):
        weights = prior.weights if space.draws is None else np.full(len(prior.members), 1.0)
        before = values.sample(space.of_members(seed), weights / weights.sum())
        members, evidence = before.weighed()
        result = (before, members, evidence)
        temperatures: tuple[float, ...] = ()
        acceptance: tuple[float, ...] = ()
        stopped = False
        few = effective(members.weights) < _least(len(weights))
        if few and (space.draws is not None or not space.discrete.all()):
            try:
                moved = _moved(values, particles, seed)
                *result, temperatures, acceptance = moved  # type: ignore[assignment]
            except Stopped:
                stopped = True
        before, after, evidence = result
        if not stopped:
            refuse_unexplained(values, after if temperatures else before, label)
        posterior = posterior_ensemble(space, after, bool(temperatures), seed)
    return Update(
        prior, posterior, treatment, values.likelihood, members, before, after, evidence,
        temperatures, acceptance, stopped, values.evaluations, particles, seed,
    )  # fmt: skip


def _least(members: int) -> float:
    """Effective number of members below which they have collapsed."""
    return min(float(members), max(LEAST_EFFECTIVE, LEAST_SHARE * members))


def _moved(
    values: Values, particles: int, seed: int
) -> tuple[Sample, Sample, float, tuple[float, ...], tuple[float, ...]]:
    """Particles of the prior, those of the posterior, evidence, temperatures, acceptance."""
    space = values.space
    equal = np.full(particles, 1.0 / particles)
    before = values.sample(space.prior(particles, seed), equal)
    if not np.isfinite(before.log_likelihood).any():
        raise Stopped
    moved = tempered(
        before.scores,
        before.log_likelihood,
        values.log_likelihood,
        space.discrete,
        np.random.default_rng([seed, 1]),
        values.say,
    )
    after = values.sample(moved.scores, equal)
    return before, after, moved.log_evidence, moved.temperatures, moved.acceptance


def _observations(
    observations: str | Path | Sequence[Observation] | dict[str, Any], instance: Instance
) -> tuple[str, tuple[Observation, ...]]:
    """Where observations come from, and those, by day."""
    if isinstance(observations, dict):
        return "observations", observations_of(observations, instance)
    if isinstance(observations, Sequence) and not isinstance(observations, str):
        if not observations:
            raise InputError([Problem("observations", "list", "empty", "needs an observation")])
        ordered = sorted(observations, key=lambda o: (o.day, o.kind, o.lesion))
        return "observations", tuple(ordered)
    return str(observations), read_observations(str(observations), instance)


def refuse_unknown_days(instance: Instance, measured: tuple[Observation, ...], label: str) -> None:
    """Without a plan nobody knows what is given between today and a later measurement."""
    past = past_of(instance)
    if past is None or past.planned_fractions is not None:
        return
    rule = (
        f"after today, day {past.today}: no plan says what is given until then; name the schedule, "
        "or state what was planned"
    )
    late = [o for o in measured if o.day > past.today]
    if late:
        raise InputError([Problem(label, f"{o.kind}, day", str(o.day), rule) for o in late])


def treatment_of(schedule: Schedule | None, instance: Instance) -> Schedule:
    """The schedule checked against the case; if None what `update` says."""
    if schedule is not None:
        treatment = read_schedule(schedule.to_json(instance), instance, "schedule")
        problems = [
            Problem(instance.name, "schedule", "before today", rule)
            for rule in other_past(instance, treatment)
        ]
        if problems:
            raise InputError(problems)
        return treatment
    if instance.delivered is not None:
        resumed = resumed_schedule(instance)
        return given_schedule(instance) if resumed is None else resumed
    standard = standard_schedule(instance)
    if standard is None:
        rule = "the case states no standard regimen: give the schedule that the patient gets"
        raise InputError([Problem(instance.name, "schedule", "none", rule)])
    return standard
