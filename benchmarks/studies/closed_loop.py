"""Does re-planning on measurements help? A closed loop of virtual patients.

    python benchmarks/studies/closed_loop.py [CASE ...] [--patients 200] [--check 2] [--write]

Each patient is a parameter set with one radiosensitivity of its own: `--patients` of them drawn
from the ensemble `monitored`, as many from one outside it (spread twice as wide, an effector with
half the effect). All begin with the plan that the mean over the ensemble decides. On the day of
`DAYS` the rest is chosen again, in these ways:

    stated      the plan that `solve` makes of the stated case, from day 0 on, never changed
    robust      the plan that was begun, never changed
    again       the best rest, given nothing measured: what a second decision alone is worth
    counts      the best rest given lymphocyte counts
    all         the best rest given counts, tumor volumes and ctDNA
    all, noisy  the same, where errors are twice as great as the likelihood believes
    told        the best rest for the true parameters (perfect information from that day on)

"Best" is the greatest mean of `PARTICLES` parameter sets weighed by the likelihood of what was
measured (`optimizer/learning`), among all rests that keep the limits of the stated case and, with
probability 1 - `CHANCE` under the same weights, the patient's own (the floor of lymphocytes depends
on them). Rests within `NEAR` of the best one of the stated case are valued in all parameter sets by
the tables of the search; `--check` patients are decided by the search over members, too, which
knows every rest and must find the same optimum where it ends in `CHECK_SECONDS`.
Every plan is then judged in the patient's true parameters. Differences from `robust` are paired.

CPU seconds of a way are of all its decisions, with the valuing of all rests in the parameter sets
that these weigh; of plans that are kept, of the one solve that made them.

Prints the rows; --write stores them beside this script and writes docs/adaptive.md with its figure.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from closed_loop_page import figure, page
from reference_optima import machine

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.instances.sources import library
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ids import CourseRows, PlanId
from abscopt.optimizer.learning.measured.errors import ALC_SD, CTDNA_SD, VOLUME_SD
from abscopt.optimizer.learning.measured.likelihood import Likelihood
from abscopt.optimizer.learning.measured.observations import Observation
from abscopt.optimizer.learning.measured.predicted import log_predicted
from abscopt.optimizer.learning.space import Patient, Space
from abscopt.optimizer.learning.tempering import effective, weighed
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.replanning.started import events_table, with_past
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.ensemble.explore import explore
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.plan import Plans
from abscopt.optimizer.search.ensemble.risk import Risk
from abscopt.optimizer.search.join import every_row

HERE = Path(__file__).resolve().parent
FILE = HERE / "closed_loop.json"
PAGE = HERE.parents[1] / "docs" / "adaptive.md"
FIGURE = PAGE.with_suffix(".svg")

DAYS = {"hfrt-crt": 14, "stage3-crt": 14, "early-sabr": 7}
"""Cases with one treated tumor, and the day of the second decision: in the middle of the course."""
ENSEMBLE = "monitored"
PARTICLES = 128
"""Parameter sets of a posterior: some tens stay effective (the table says how many)."""
PLANNED_WITH = 16
"""Members for which the first plan is decided."""
CHANCE = 0.1
"""Probability with which a limit that the patient's own parameters move may be broken."""
NEAR = 0.3
"""Nats below the best rest of the stated case within which rests are valued; the search over
members, which knows all of them, says whether a better one is left out."""
GAP = 0.02
CHECK_SECONDS = 240.0
"""Most time for one decision by the search over members: it is a check, and its cost is shown."""
WIDER, WEAKER, NOISIER = 2.0, 0.5, 2.0
SEED = 20261130
ARMS = ("stated", "robust", "again", "counts", "all", "all, noisy", "told")


@dataclass(frozen=True)
class Row:
    """What one way to go on was worth to the patients of one origin.

    Attributes
    ----------
    truth : where patients are from: inside the ensemble or outside
    gain, low, high : mean difference from `robust` in the objective's unit, its 95 % interval
    control : mean over patients of the control of the tumor at the last horizon
    broken : share of the patients in whom a limit is broken
    changed : share whose plan is another than that begun
    effective : mean effective number of parameter sets; None where nothing was measured
    solves : decisions made for these patients, the first plan of all others not counted
    seconds : CPU of all of them
    searched : CPU of one decision by the search over members, the mean of those checked; None
        where none was
    """

    case: str
    day: int
    rests: int
    truth: str
    arm: str
    patients: int
    gain: float
    low: float
    high: float
    control: float
    broken: float
    changed: float
    effective: float | None
    solves: int
    seconds: float
    searched: float | None


@dataclass(frozen=True)
class Patients:
    """Parameter sets, as cases without and with the past, and what is worth what in them.

    Attributes
    ----------
    values, broken : (n, rests) objective, and whether a limit of their own is broken
    predicted : (n, observations) logarithms
    seconds : CPU that this took
    """

    truths: tuple[Instance, ...]
    values: np.ndarray[Any, Any]
    broken: np.ndarray[Any, Any]
    predicted: np.ndarray[Any, Any]
    seconds: float


class Loop:
    """One case: the plan begun, its past, the rests, and what could be measured."""

    def __init__(self, name: str):
        self.case, self.day = load(name), DAYS[name]
        begin = time.process_time()
        stated = solve(self.case, gap=GAP)
        middle = time.process_time()
        robust = decide(ensemble_of(self.case, ENSEMBLE, size=PLANNED_WITH), "mean", gap=GAP)
        self.seconds = {"stated": middle - begin, "robust": time.process_time() - middle}
        assert stated.schedule is not None and robust.answer is not None
        self.stated, self.robust = stated.schedule, robust.answer.schedule
        given = Schedule(
            tuple(f for f in self.robust.fractions if f.day < self.day),
            tuple(i for i in self.robust.infusions if i.day < self.day),
        )
        self.past = {"today": self.day, **events_table(given), "plan": events_table(self.robust)}
        self.begun = with_past(self.case, self.past)
        self.given = given
        self.observations = self._observations()
        self.rests: list[tuple[PlanId, np.ndarray[Any, Any]]] = []
        worth: list[float] = []
        nominal = Members.of(self.begun, [self.begun], np.ones(1))
        rows = every_row([np.arange(len(t.menu)) for t in nominal.nominal.lesions])
        plans = Plans(nominal)
        for plan in nominal.nominal.plan_ids:
            under = plans.of(plan)
            kept = rows[under.nominal.feasible(CourseRows(rows))]
            worth += under.values(CourseRows(kept))[:, 0].tolist() if len(kept) else []
            self.rests += [(plan, row) for row in kept]
        floor = max(worth) - NEAR
        self.rests = [r for r, value in zip(self.rests, worth, strict=True) if value >= floor]
        self.candidates = nominal.nominal
        self.resumed = next(
            i for i, (plan, row) in enumerate(self.rests)
            if schedule_of_row(self.candidates, plan, row) == self.robust
        )  # fmt: skip

    def _observations(self) -> tuple[Observation, ...]:
        """Counts every week, volumes and ctDNA before treatment and on the day."""
        counts = [Observation("alc", d, 1.0, ALC_SD.value) for d in range(0, self.day + 1, 7)]
        measured = [
            Observation("volume", day, 1.0, VOLUME_SD.value, lesion.name)
            for lesion in self.case.lesions
            if lesion.irradiable and lesion.volume_cm3 is not None
            for day in (0, self.day)
        ]
        dna = [Observation("ctdna", day, 1.0, CTDNA_SD.value) for day in (0, self.day)]
        return (*counts, *measured, *dna)

    def patients(self, drawn: Sequence[Patient]) -> Patients:
        """Values of all rests in some parameter sets, and what would be measured of them."""
        begin = time.process_time()
        begun = [self.begun.with_(p.changes) for p in drawn]
        weights = np.full(len(drawn), 1.0 / len(drawn))
        members = Members.of(self.begun, begun, weights)
        plans = Plans(members)
        values = np.empty((len(drawn), len(self.rests)))
        broken = np.zeros((len(drawn), len(self.rests)), dtype=bool)
        of_plan = np.array([plan for plan, _ in self.rests])
        for plan in np.unique(of_plan):
            at = np.flatnonzero(of_plan == plan)
            rows = CourseRows(np.array([self.rests[i][1] for i in at]))
            under = plans.of(PlanId(int(plan)))
            values[:, at] = under.values(rows).T
            for m in np.flatnonzero(members.own_limits):
                broken[m, at] = ~under.tabulated[m].feasible(rows)
        predicted = [
            log_predicted(p.instance, self.given, self.observations, p.half_time_days)
            for p in drawn
        ]
        seconds = time.process_time() - begin
        truths = tuple(p.instance for p in drawn)
        return Patients(truths, values, broken, np.array(predicted), seconds)

    def best(self, among: Patients, weights: np.ndarray[Any, Any]) -> int:
        """The rest of the greatest weighted mean that keeps limits with enough probability."""
        risk = weights @ among.broken
        allowed = np.flatnonzero(risk <= max(CHANCE, float(risk.min())) + 1e-9)
        return int(allowed[np.argmax((weights @ among.values)[allowed])])

    def by_search(self, among: Patients, weights: np.ndarray[Any, Any], drawn: Sequence[Patient]
                  ) -> float | None:  # fmt: skip
        """The optimal mean by the search over members; None where its time is up before."""
        begun = [self.begun.with_(p.changes) for p in drawn]
        members = Members.of(self.begun, begun, weights, CHANCE)
        clock = Clock(CHECK_SECONDS)
        with clock.running("search over members"):
            state = explore(members, Risk("mean", weights), 1e-6, clock)
        return state.value if state.complete else None


def outside(case: Instance, count: int) -> Ensemble:
    """`monitored` with wider spreads and weaker effectors: what the planner does not know of."""
    vary = []
    for entry in library("ensembles")[ENSEMBLE]["vary"]:
        weaker = WEAKER if entry["key"] == "immune.effect_per_effector" else 1.0
        vary.append(entry | {"sigma": WIDER * entry["sigma"], "median": weaker * entry["median"]})
    about = {"source": "own, around `monitored`", "status": "assumed"}
    wide = {"vary": vary, "size": count, **about}
    return ensemble_of(case.with_({"ensemble": wide, "allow_unusual": True}))


def measured(
    loop: Loop, truth: np.ndarray[Any, Any], noise: np.ndarray[Any, Any], kinds: Sequence[str]
) -> tuple[np.ndarray[Any, Any], Likelihood]:
    """Which observations are made, and the likelihood of what they show."""
    used = np.array([o.kind in kinds for o in loop.observations])
    shown = [
        Observation(o.kind, o.day, float(np.exp(value)), o.sd, o.lesion)
        for o, value, made in zip(loop.observations, truth + noise, used, strict=True)
        if made
    ]
    return used, Likelihood(shown)


def rows_of(name: str, count: int, check: int) -> list[Row]:
    """All rows of one case."""
    loop, rng = Loop(name), np.random.default_rng(SEED)
    prior = ensemble_of(loop.case, ENSEMBLE)
    inside = Space(prior, volumes=True)
    particles = [inside.patient(row) for row in inside.prior(PARTICLES, SEED + 1)]
    among = loop.patients(particles)
    equal = np.full(PARTICLES, 1.0 / PARTICLES)
    root = np.linalg.cholesky(Likelihood(loop.observations).covariance)
    beyond = Space(outside(loop.case, PARTICLES), volumes=True)
    rows: list[Row] = []
    for truth, space in (("inside", inside), ("outside", beyond)):
        drawn = [space.patient(row) for row in space.prior(count, SEED + 2)]
        true = loop.patients(drawn)
        plans = {arm: [loop.robust] * count for arm in ARMS} | {"stated": [loop.stated] * count}
        numbers: dict[str, list[float]] = {arm: [] for arm in ARMS}
        seconds = loop.seconds | dict.fromkeys(("counts", "all", "all, noisy"), among.seconds)
        seconds["told"] = true.seconds
        searched: dict[str, list[float]] = {arm: [] for arm in ARMS}
        begin = time.process_time()
        again = schedule_of_row(loop.candidates, *loop.rests[loop.best(among, equal)])
        seconds["again"] = among.seconds + time.process_time() - begin
        plans["again"] = [again] * count
        for k in range(count):
            noise = root @ rng.standard_normal(len(loop.observations))
            for arm, kinds, times in (
                ("counts", ("alc",), 1.0),
                ("all", ("alc", "volume", "ctdna"), 1.0),
                ("all, noisy", ("alc", "volume", "ctdna"), NOISIER),
            ):
                begin = time.process_time()
                used, likelihood = measured(loop, true.predicted[k], times * noise, kinds)
                found = likelihood.log_likelihood(among.predicted[:, used])
                weights, _ = weighed(equal, found)
                numbers[arm].append(effective(weights))
                chosen = loop.best(among, weights)
                plans[arm][k] = schedule_of_row(loop.candidates, *loop.rests[chosen])
                seconds[arm] += time.process_time() - begin
                if arm == "all" and k < check and truth == "inside":
                    searched[arm].append(checked(loop, among, weights, particles, chosen))
            begin = time.process_time()
            alone = replace(true, values=true.values[[k]], broken=true.broken[[k]])
            plans["told"][k] = schedule_of_row(
                loop.candidates, *loop.rests[loop.best(alone, np.ones(1))]
            )
            seconds["told"] += time.process_time() - begin
        rows += summaries(loop, truth, true, plans, numbers, Cost(seconds, searched))
    return rows


def checked(
    loop: Loop,
    among: Patients,
    weights: np.ndarray[Any, Any],
    particles: Sequence[Patient],
    chosen: int,
) -> float:
    """Compare with the search over members in value; its CPU seconds."""
    begin = time.process_time()
    value, tabulated = loop.by_search(among, weights, particles), weights @ among.values[:, chosen]
    seconds = time.process_time() - begin
    words = "not ended" if value is None else f"{value:.6f}"
    print(f"  search over {len(particles)} members: {words} in {seconds:.1f} s, "
          f"all rests valued: {tabulated:.6f}", flush=True)  # fmt: skip
    if value is None:
        return seconds
    if abs(value - tabulated) > 1e-5 and float(weights @ among.broken[:, chosen]) <= CHANCE:
        raise AssertionError("the search over members finds another optimum")
    return seconds


@dataclass(frozen=True)
class Cost:
    """CPU seconds of each way's decisions, and of single ones by the search over members."""

    seconds: dict[str, float]
    searched: dict[str, list[float]]


def summaries(
    loop: Loop,
    truth: str,
    true: Patients,
    plans: dict[str, list[Schedule]],
    numbers: dict[str, list[float]],
    cost: Cost,
) -> list[Row]:
    """Every plan judged in the true parameters."""
    treated = next(i for i, lesion in enumerate(loop.case.lesions) if lesion.irradiable)
    values, rows = {}, []
    for arm in ARMS:
        verdicts = [
            Judge(instance).evaluate(plan)
            for instance, plan in zip(true.truths, plans[arm], strict=True)
        ]
        values[arm] = np.array([verdict.objective for verdict in verdicts])
        control = [verdict.lesions[treated].control_probability[-1] for verdict in verdicts]
        broken = [any(use.broken for use in verdict.limits) for verdict in verdicts]
        changed = [plan != loop.robust for plan in plans[arm]]
        number = None if not numbers[arm] else float(np.mean(numbers[arm]))
        rows.append((arm, float(np.mean(control)), float(np.mean(broken)),
                     float(np.mean(changed)), number))  # fmt: skip
    result = []
    for arm, control_mean, broken_share, changed_share, number in rows:
        apart = values[arm] - values["robust"]
        half = 1.96 * float(apart.std(ddof=1)) / math.sqrt(len(apart))
        mean = float(apart.mean())
        solves = 1 if arm in ("stated", "robust", "again") else len(apart)
        searched = float(np.mean(cost.searched[arm])) if cost.searched[arm] else None
        result.append(
            Row(loop.case.name, loop.day, len(loop.rests), truth, arm, len(apart), mean,
                mean - half, mean + half, control_mean, broken_share, changed_share, number,
                solves, cost.seconds[arm], searched)
        )  # fmt: skip
    return result


def main() -> None:
    """Run, print; with --write store and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--check", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"rows": []}
    for name in () if options.page else options.cases or DAYS:
        begin = time.process_time()
        rows = rows_of(name, options.patients, options.check)
        print(f"{name}: {time.process_time() - begin:.0f} s of CPU", flush=True)
        for row in rows:
            print(row, flush=True)
        order = list(DAYS)
        others = [row for row in table["rows"] if row["case"] != name]
        table["rows"] = sorted(
            [*others, *map(asdict, rows)], key=lambda row: order.index(row["case"])
        )
        if options.write:
            table["about"] = machine() | versions()
            FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if options.write or options.page:
        stored = [Row(**row) for row in table["rows"]]
        PAGE.write_text(page(stored, table["about"]), encoding="utf-8")
        figure(stored, FIGURE)


if __name__ == "__main__":
    main()
