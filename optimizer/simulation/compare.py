"""A schedule and its alternatives in every model, ranked and held against the surrogate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.simulation import MODELS
from abscopt.optimizer.simulation.alternatives import alternatives
from abscopt.optimizer.simulation.terms import terms_of, without

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.simulation.model import Model, Simulated


TOLERANCE = 0.01
"""Least difference, in the unit of the quantity, that makes an order."""

NEARER = 1e-3
"""Least gain of a term that is tried together with another."""

DECIMALS = 4
"""Decimals to which values are compared for rank and tau: integrators are not exact."""


@dataclass(frozen=True)
class Entry:
    """One schedule with the judge's verdict."""

    label: str
    schedule: Schedule
    evaluation: Evaluation

    def surrogate(self, quantity: str) -> float:
        """`effect` up to the last horizon, `objective`, or lymphocyte `nadir`."""
        return _surrogate(self.evaluation, quantity)


@dataclass(frozen=True)
class Disagreement:
    """A pair that model and surrogate order differently.

    `quantity` is the surrogate's; the model prefers `preferred` to `other`. Differences are
    `preferred` minus `other`, so the model's is positive and the surrogate's negative. `terms` are
    the sets of terms without which the surrogate orders the pair as the model does: every single
    term that does, or else every two that do together and each help, or none.
    """

    quantity: str
    preferred: str
    other: str
    model_difference: float
    surrogate_difference: float
    terms: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Ranking:
    """One quantity of one model.

    `values` and `ranks` (1 is best, equals share a rank) go with the accepted labels; `tau` is
    Kendall's tau-b with the surrogate's `against`, None where either orders nothing.
    """

    name: str
    unit: str
    against: str
    values: tuple[float, ...]
    ranks: tuple[int, ...]
    tau: float | None
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True)
class Comparison:
    """One model on all schedules: which it accepts, and what it says of them.

    `rankings` has the systemic effect (where the model has one) and the score; `refused` the
    reasons by label; `unrepresented` the drugs of the accepted schedules that it does not know.
    """

    model: Model
    accepted: tuple[str, ...]
    refused: dict[str, tuple[str, ...]]
    unrepresented: tuple[str, ...]
    simulated: Simulated | None
    rankings: tuple[Ranking, ...]


@dataclass(frozen=True)
class SimulationReport:
    """All schedules in all models.

    `spread` names the lesions whose control is a mean over radiosensitivities in the surrogate; no
    model knows of it.
    """

    instance: str
    instance_digest: str
    horizon_days: tuple[int, ...]
    unit: str
    beyond_validity: bool
    spread: tuple[str, ...]
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]


def simulate(
    instance: Instance,
    schedule: Schedule,
    label: str = "schedule",
    *,
    models: Sequence[Model] = MODELS,
    others: Mapping[str, Schedule] | None = None,
    beyond_validity: bool = False,
) -> SimulationReport:
    """Simulate a schedule, the case's standard regimen and alternatives in every model.

    Parameters
    ----------
    instance, schedule, label
        The case, the schedule and its name in the report.
    models
        Models to run, in order.
    others
        Schedules to compare with, by label; by default those of `alternatives`.
    beyond_validity
        Whether to run models outside their stated range; what their equations do not take stays
        refused.
    """
    if others is None:
        compared = alternatives(instance, schedule, label)
    else:
        compared = {label: schedule, **others}
    judge = Judge(instance)
    entries = tuple(
        Entry(name, compared_schedule, judge.evaluate(compared_schedule))
        for name, compared_schedule in compared.items()
    )
    surrogate = _Variants(instance)
    return SimulationReport(
        instance=instance.name,
        instance_digest=instance_digest(instance),
        horizon_days=instance.horizon_days,
        unit=instance.objective.unit,
        beyond_validity=beyond_validity,
        spread=tuple(lesion.name for lesion in instance.lesions if lesion.spread),
        entries=entries,
        comparisons=tuple(
            _comparison(instance, model, entries, surrogate, beyond_validity) for model in models
        ),
    )


class _Variants:
    """The surrogate without some of its terms, evaluated when first asked for."""

    def __init__(self, instance: Instance):
        soft = tuple(limit for limit in instance.limits if limit.penalty is not None)
        self.unlimited = instance.unchecked({"limits": soft})
        self.names = terms_of(instance)
        self._judges: dict[tuple[str, ...], Judge] = {}
        self._verdicts: dict[tuple[tuple[str, ...], Schedule], Evaluation] = {}

    def flips(
        self, quantity: str, preferred: Schedule, rejected: Schedule
    ) -> tuple[tuple[str, ...], ...]:
        """Sets of one term, or of two, without which the surrogate prefers the first schedule.

        Pairs are made of terms that each bring the surrogate nearer to that, by the difference or
        by its ratio to the size of the two values.
        """

        def lead(*terms: str) -> tuple[float, float]:
            first, second = (
                self._value(terms, schedule_judged, quantity)
                for schedule_judged in (preferred, rejected)
            )
            return first - second, (first - second) / max(abs(first) + abs(second), TOLERANCE)

        leads = {name: lead(name) for name in self.names}
        alone = tuple((name,) for name, (by, _) in leads.items() if by > TOLERANCE)
        if alone:
            return alone
        before = lead()
        nearer = [
            name
            for name, after in leads.items()
            if any(later > old + NEARER for later, old in zip(after, before, strict=True))
        ]
        pairs = itertools.combinations(nearer, 2)
        return tuple(terms for terms in pairs if lead(*terms)[0] > TOLERANCE)

    def _value(self, terms: tuple[str, ...], schedule: Schedule, quantity: str) -> float:
        if terms not in self._judges:
            self._judges[terms] = Judge(without(self.unlimited, *terms))
        key = (terms, schedule)
        if key not in self._verdicts:
            self._verdicts[key] = self._judges[terms].evaluate(schedule)
        return _surrogate(self._verdicts[key], quantity)


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two lists of numbers; None for fewer than two or all equal."""
    from scipy.stats import kendalltau  # type: ignore[import-untyped]

    pair = np.round([first, second], DECIMALS)
    if pair.shape[1] < 2 or np.any(np.ptp(pair, axis=1) == 0.0):
        return None
    return float(kendalltau(*pair).statistic)


def _comparison(
    instance: Instance,
    model: Model,
    entries: tuple[Entry, ...],
    surrogate: _Variants,
    beyond_validity: bool,
) -> Comparison:
    check = model.impossible if beyond_validity else model.refusals
    refused = {e.label: tuple(check(instance, e.schedule)) for e in entries}
    accepted = [entry for entry in entries if not refused[entry.label]]
    schedules = [entry.schedule for entry in accepted]
    if not accepted:
        return Comparison(model, (), refused, (), None, ())
    simulated = model.run(instance, schedules, beyond_validity=beyond_validity)
    rankings = []
    if simulated.effect is not None:
        effect = simulated.effect[:, -1]
        rankings.append(_ranking("systemic effect", "nat", "effect", effect, accepted, surrogate))
    rankings.append(
        _ranking(
            model.score_name, model.score_unit, model.against, simulated.score, accepted, surrogate
        )
    )
    return Comparison(
        model=model,
        accepted=tuple(entry.label for entry in accepted),
        refused={label: reasons for label, reasons in refused.items() if reasons},
        unrepresented=tuple(model.unrepresented(instance, schedules)),
        simulated=simulated,
        rankings=tuple(rankings),
    )


def _ranking(
    name: str,
    unit: str,
    against: str,
    values: FloatArray,
    accepted: list[Entry],
    surrogate: _Variants,
) -> Ranking:
    model = [float(value) for value in values]
    judged = [entry.surrogate(against) for entry in accepted]
    rounded = [round(value, DECIMALS) for value in model]
    return Ranking(
        name=name,
        unit=unit,
        against=against,
        values=tuple(model),
        ranks=tuple(1 + sum(rival > value for rival in rounded) for value in rounded),
        tau=kendall_tau(model, judged),
        disagreements=tuple(_disagreements(against, model, judged, accepted, surrogate)),
    )


def _disagreements(
    against: str,
    model: list[float],
    judged: list[float],
    accepted: list[Entry],
    surrogate: _Variants,
) -> list[Disagreement]:
    disagreements = []
    for first, second in itertools.combinations(range(len(accepted)), 2):
        best, last = (first, second) if model[first] > model[second] else (second, first)
        gain, loss = model[best] - model[last], judged[best] - judged[last]
        if gain > TOLERANCE and loss < -TOLERANCE:
            preferred, worse = accepted[best], accepted[last]
            terms = surrogate.flips(against, preferred.schedule, worse.schedule)
            disagreements.append(
                Disagreement(against, preferred.label, worse.label, gain, loss, terms)
            )
    return disagreements


def _surrogate(evaluation: Evaluation, quantity: str) -> float:
    if quantity == "effect":
        return float(evaluation.immune["systemic_effect_nats"][-1])
    if quantity == "nadir":
        return float(evaluation.lymphocytes["nadir_1e9_per_l"])
    assert quantity == "objective"
    assert math.isfinite(evaluation.objective)
    return evaluation.objective
