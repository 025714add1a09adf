"""Random feasible schedules of the bundled cases: the surrogate's order against the simulators'.

    python benchmarks/studies/surrogate_error.py [CASE ...] [--schedules 1000] [--write]

Draws distinct schedules that keep every hard limit and rule of a case (seed 0), runs each model on
those that it accepts, and prints rank correlations, what choosing by the surrogate costs in the
model's own score, and what each term of the surrogate does to the correlation. `--write` puts the
tables of all cases into `docs/surrogate.md` and draws `docs/surrogate.svg`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from random_schedules import Sample, sample, sizes_of
from reference_optima import machine
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from surrogate_figure import draw
from surrogate_page import random_tables, replace_block

from abscopt.instances import load, names
from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.limits import alc_losses
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.simulation import MODELS, Model
from abscopt.optimizer.simulation.compare import DECIMALS, kendall_tau
from abscopt.optimizer.simulation.separate import KOSINSKY, simulate_kosinsky
from abscopt.optimizer.simulation.terms import terms_of, without

SCHEDULES, SEED = 1000, 0
CHECKED, AGREE = 3, 1e-7
"""Schedules per variant on which table and judge are held against each other, and how close."""

LEAST = 10
"""Least number of accepted schedules of which anything is said."""

MEDIAN_ANIMAL = replace(KOSINSKY, forward=partial(simulate_kosinsky, individuals=1))
STUDIED = tuple(MEDIAN_ANIMAL if model is KOSINSKY else model for model in MODELS)


@dataclass(frozen=True)
class Agreement:
    """One quantity of one model against the surrogate's.

    `tau` and `rho` are None where either side orders nothing. `terms` is tau less tau without the
    term, by term; no order counts as 0.
    """

    against: str
    tau: float | None
    rho: float | None
    terms: dict[str, float]


@dataclass(frozen=True)
class Chosen:
    """What choosing by the surrogate's objective (or nadir) costs in the model's score.

    `regret` is the model's best score less that of the schedule that the surrogate likes best (the
    worst of equals), `random` the median regret of a random choice, `percentile` the share of
    schedules that the choice beats, equals counting half; `tied` the share of schedules that have
    the model's most frequent score.
    """

    regret: float
    random: float
    percentile: float
    tied: float


@dataclass(frozen=True)
class Study:
    """One model on one case; `refused` counts the reasons, the most frequent first."""

    model: str
    accepted: int
    refused: tuple[tuple[str, int], ...]
    effect: Agreement | None
    score: Agreement | None
    chosen: Chosen | None


@dataclass(frozen=True)
class Among:
    """Kendall's tau of two models' effects and scores, on the schedules that both accept."""

    first: str
    second: str
    effect: float | None
    score: float | None


@dataclass(frozen=True)
class CaseStudy:
    """All models on one case."""

    case: str
    schedules: int
    every: bool
    studies: tuple[Study, ...]
    among: tuple[Among, ...]
    seconds: float


LATER = ("cervix-boost",)
"""Bundled after the study was run."""


def study_cases() -> list[str]:
    """Bundled base cases whose surrogate has an immune effect to judge, but for later ones."""
    found = []
    for name in names():
        instance = load(name)
        variant = any(name != other and name.startswith(f"{other}-") for other in names())
        if name in LATER or name.startswith("toy-") or variant or instance.objective.of_dose_alone:
            continue
        if instance.immune.release_factor > 0.0:
            found.append(name)
    return found


def surrogate(instance: Instance, drawn: Sample) -> dict[str, FloatArray]:
    """Systemic effect up to the last horizon, objective and lymphocyte nadir of the schedules.

    Values come from the tables of the optimizer, some of them checked against the judge, or where
    there is no table from the judge. Hard limits of the case are not looked at.

    Raises
    ------
    ArithmeticError
        Table and judge disagree.
    """
    soft = tuple(limit for limit in instance.limits if limit.penalty is not None)
    judge = Judge(instance.unchecked({"limits": soft}))
    number = len(drawn.schedules)
    effect, objective = np.empty(number), np.empty(number)
    candidates = Candidates(instance)
    # Without soft limits the menu may be longer: their tables leave out courses.
    tabulated = drawn.rows is not None and sizes_of(candidates) == drawn.sizes
    if drawn.rows is not None and tabulated:
        for plan in np.unique(drawn.rows[:, 0]).tolist():
            mine = drawn.rows[:, 0] == plan
            table, rows = Tabulated(candidates, plan), drawn.rows[mine, 1:]
            effect[mine] = table.systemic(rows)[:, -1]
            objective[mine] = table.value(rows)
    for place, one in enumerate(drawn.schedules[: CHECKED if tabulated else None]):
        verdict = judge.evaluate(one)
        judged = (verdict.immune["systemic_effect_nats"][-1], verdict.objective)
        if not tabulated:
            effect[place], objective[place] = judged
        elif not np.allclose((effect[place], objective[place]), judged, AGREE, AGREE):
            raise ArithmeticError(f"{instance.name}: table and judge disagree")
    return {"effect": effect, "objective": objective, "nadir": _nadir(instance, drawn)}


def _nadir(instance: Instance, drawn: Sample) -> FloatArray:
    plans = {one.infusions for one in drawn.schedules}
    chemo = {plan: systemic_state(instance, plan).chemotherapy_log_loss for plan in plans}
    worst = np.array(
        [
            max(alc_losses(instance, one, lost).values(), default=lost)
            for one in drawn.schedules
            for lost in [chemo[one.infusions]]
        ]
    )
    return np.asarray(instance.lymphocytes.initial_1e9_per_l * np.exp(-worst))


class Surrogate:
    """The surrogate on a sample, as it is and without each of its terms."""

    def __init__(self, instance: Instance, drawn: Sample):
        self.whole = surrogate(instance, drawn)
        self.without = {
            term: surrogate(without(instance, term), drawn) for term in terms_of(instance)
        }


def agreement(values: FloatArray, against: str, judged: Surrogate, accepted: IntArray) -> Agreement:
    """A model's values of the accepted schedules against the surrogate's."""
    own = judged.whole[against][accepted]
    tau = kendall_tau(values.tolist(), own.tolist())
    terms = {}
    for term, variant in judged.without.items():
        other = variant[against][accepted]
        if not np.array_equal(np.round(own, DECIMALS), np.round(other, DECIMALS)):
            terms[term] = (tau or 0.0) - (kendall_tau(values.tolist(), other.tolist()) or 0.0)
    rho = None
    if tau is not None:
        rho = float(spearmanr(np.round(values, DECIMALS), np.round(own, DECIMALS)).statistic)
    return Agreement(against, tau, rho, terms)


def chosen(score: FloatArray, judged: FloatArray) -> Chosen:
    """What the schedules cost that the surrogate likes best, in a model's score."""
    values, liked = np.round(score, DECIMALS), np.round(judged, DECIMALS)
    pick = values[liked == liked.max()].min()
    others = max(1, len(values) - 1)
    beaten = np.sum(values < pick) + (np.sum(values == pick) - 1) / 2
    return Chosen(
        regret=float(values.max() - pick),
        random=float(values.max() - np.median(values)),
        percentile=float(100.0 * beaten / others),
        tied=float(np.unique(values, return_counts=True)[1].max() / len(values)),
    )


@dataclass(frozen=True, eq=False)
class Run:
    """One model on the schedules that it accepts, by their place in the sample."""

    model: Model
    accepted: IntArray
    refused: tuple[tuple[str, int], ...]
    effect: FloatArray | None
    score: FloatArray | None


def run(instance: Instance, model: Model, drawn: Sample) -> Run:
    """Simulate what a model accepts; nothing where that is too few."""
    reasons = [model.refusals(instance, one) for one in drawn.schedules]
    accepted = np.array([i for i, why in enumerate(reasons) if not why], dtype=np.int64)
    count = Counter(_kind(reason) for why in reasons for reason in why)
    refused = tuple(sorted(count.items(), key=lambda pair: (-pair[1], pair[0])))
    if len(accepted) < LEAST:
        return Run(model, accepted, refused, None, None)
    found = model.run(instance, [drawn.schedules[i] for i in accepted])
    effect = None if found.effect is None else found.effect[:, -1]
    return Run(model, accepted, refused, effect, found.score)


def studied(one: Run, judged: Surrogate) -> Study:
    """One model against the surrogate."""
    name, against, number = one.model.name, one.model.against, len(one.accepted)
    if one.score is None:
        return Study(name, number, one.refused, None, None, None)
    effect = None
    if one.effect is not None:
        effect = agreement(one.effect, "effect", judged, one.accepted)
    score = agreement(one.score, against, judged, one.accepted)
    choice = chosen(one.score, judged.whole[against][one.accepted])
    return Study(name, number, one.refused, effect, score, choice)


def among(runs: Sequence[Run]) -> tuple[Among, ...]:
    """Every two tumor models on the schedules that both accept."""
    tumors = [one for one in runs if one.effect is not None]
    found = []
    for one, two in itertools.combinations(tumors, 2):
        both, mine, other = np.intersect1d(one.accepted, two.accepted, return_indices=True)
        if len(both) >= LEAST:
            assert one.effect is not None and two.effect is not None
            assert one.score is not None and two.score is not None
            effect = kendall_tau(one.effect[mine].tolist(), two.effect[other].tolist())
            score = kendall_tau(one.score[mine].tolist(), two.score[other].tolist())
            found.append(Among(one.model.name, two.model.name, effect, score))
    return tuple(found)


def _kind(reason: str) -> str:
    """A reason without the schedule's own number."""
    for part in ("Gy per fraction, above", "fractions, measured", "fractions, the model"):
        _, found, after = reason.partition(part)
        if found:
            return f"{found}{after}"
    return reason


def study(name: str, number: int = SCHEDULES) -> CaseStudy:
    """All models on one bundled case."""
    begin = time.perf_counter()
    instance = load(name)
    drawn = sample(instance, number, SEED)
    judged = Surrogate(instance, drawn)
    runs = [run(instance, model, drawn) for model in STUDIED]
    studies = tuple(studied(one, judged) for one in runs)
    seconds = time.perf_counter() - begin
    return CaseStudy(name, len(drawn.schedules), drawn.every, studies, among(runs), seconds)


def main() -> None:
    """Run the cases, print the tables and perhaps write page and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--write", action="store_true", help="write docs/surrogate.md and .svg")
    arguments = parser.parse_args()
    if arguments.write and arguments.cases:
        parser.error("--write needs all cases")
    print(json.dumps({"machine": machine(), "versions": versions()}))
    results = []
    with ProcessPoolExecutor(2) as pool:
        tasks = arguments.cases or study_cases()
        for one in pool.map(study, tasks, [arguments.schedules] * len(tasks)):
            results.append(one)
            print(f"{one.case:22s} {one.schedules:5d} schedules {one.seconds:7.1f} s", flush=True)
    lines = random_tables(results)
    print("\n".join(lines))
    if arguments.write:
        replace_block("random", lines)
        draw(results)


if __name__ == "__main__":
    main()
