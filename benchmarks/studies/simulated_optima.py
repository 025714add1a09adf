"""The optimizer's schedule against the standard regimen of every case, in every simulator.

    python benchmarks/studies/simulated_optima.py [CASE ...] [--write]

Solves each bundled case with an immune effect (variants included) to its own gap, runs both
schedules in each model, outside its stated range as well where the equations take them, and
explains each loss by the terms of the surrogate without which it would order the pair likewise.
`--write` puts the tables of all cases into `docs/surrogate.md`.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from reference_optima import machine
from surrogate_error import study_cases
from surrogate_page import optima_tables, replace_block

from abscopt.instances import load, names
from abscopt.instances.schema import Instance
from abscopt.models.tumor import lq
from abscopt.optimizer import solve
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Schedule, standard_schedule
from abscopt.optimizer.simulation import MODELS, Model
from abscopt.optimizer.simulation.compare import TOLERANCE, SimulationReport, simulate
from abscopt.optimizer.simulation.model import visible

OPTIMUM, STANDARD, EFFECT = "optimum", "standard", "systemic effect"
ALPHA_BETA_GY = 10.0


@dataclass(frozen=True)
class Facts:
    """What sets optimum and standard apart in what the models see, in this order.

    `bed` is BED with alpha/beta 10 Gy, over the lesions with a volume by their weight; `outside`
    names those that are not irradiated; `unknown` the drugs that the model does not know.
    """

    fractions: tuple[int, int]
    bed: tuple[float, float]
    outside: tuple[str, str]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Optimum and standard in one quantity of one model.

    `surrogate_by` is optimum less standard in the surrogate's `against`; `beyond` says where the
    stated range of the model is left. `terms` are those without which the surrogate orders the pair
    as the model does, None where it does not contradict the model. `scores` are those of the model,
    whatever the quantity; `averaged` is optimum less standard in minus ln of the burden, in the
    mean over all days. `exchanged` holds, for a loss, the lead over the standard of its drugs with
    the optimum's radiation, and of its radiation with the optimum's drugs.
    """

    case: str
    model: str
    quantity: str
    unit: str
    against: str
    optimum: float
    standard: float
    surrogate_by: float
    beyond: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...] | None
    scores: tuple[float, float]
    averaged: float | None
    facts: Facts
    exchanged: tuple[float, float] | None = None

    @property
    def by(self) -> float:
        """Optimum less standard in the model."""
        return self.optimum - self.standard

    @property
    def outcome(self) -> str:
        """Whether the optimum wins, ties or loses."""
        if abs(self.by) <= TOLERANCE:
            return "tie"
        return "win" if self.by > 0.0 else "loss"


@dataclass(frozen=True)
class CaseOptima:
    """One case; `refused` gives the reasons of models whose equations do not take the schedules.

    `gain` is optimum less standard in the objective; `broken` what the standard breaks.
    """

    case: str
    status: str
    optimum: str
    standard: str
    broken: tuple[str, ...]
    gain: float
    pairs: tuple[Pair, ...]
    refused: dict[str, tuple[str, ...]]


def optima_cases() -> list[str]:
    """Base cases and variants whose surrogate has an immune effect to judge."""
    bases = study_cases()
    return [
        name
        for name in names()
        if name in bases or any(name.startswith(f"{base}-") for base in bases)
    ]


def compared(name: str) -> CaseOptima:
    """Solve a case and hold its optimum against its standard regimen."""
    instance = load(name)
    result = solve(instance)
    standard = standard_schedule(instance)
    assert result.schedule is not None and result.evaluation is not None
    assert standard is not None and result.standard is not None
    pairs: list[Pair] = []
    refused: dict[str, tuple[str, ...]] = {}
    for model in MODELS:
        both = {OPTIMUM: result.schedule, STANDARD: standard}
        why = {who: model.refusals(instance, one) for who, one in both.items()}
        left = tuple(f"{who}: {reason}" for who, reasons in why.items() for reason in reasons)
        if any(model.impossible(instance, one) for one in both.values()):
            refused[model.name] = left
            continue
        report = simulate(
            instance, result.schedule, OPTIMUM, models=[model],
            others={STANDARD: standard}, beyond_validity=bool(left),
        )  # fmt: skip
        pairs += _pairs(instance, report, left)
    verdict = result.standard
    return CaseOptima(
        case=name,
        status=result.status,
        optimum=described(result.schedule),
        standard=described(standard),
        broken=(*verdict.broken_limits, *verdict.obstacles),
        gain=result.evaluation.objective - verdict.objective,
        pairs=tuple(pairs),
        refused=refused,
    )


def _pairs(instance: Instance, report: SimulationReport, left: tuple[str, ...]) -> list[Pair]:
    (comparison,) = report.comparisons
    first, second = report.entries
    assert comparison.simulated is not None
    burden = comparison.simulated.log_burden
    score = comparison.simulated.score
    found = []
    for ranking in comparison.rankings:
        optimum, standard = ranking.values
        one = Pair(
            case=instance.name,
            model=comparison.model.name,
            quantity=ranking.name,
            unit=ranking.unit,
            against=ranking.against,
            optimum=optimum,
            standard=standard,
            surrogate_by=first.surrogate(ranking.against) - second.surrogate(ranking.against),
            beyond=left,
            terms=ranking.disagreements[0].terms if ranking.disagreements else None,
            scores=(float(score[0]), float(score[1])),
            averaged=None if burden is None else float((burden[1] - burden[0]).mean()),
            facts=_facts(instance, first.schedule, second.schedule, comparison.unrepresented),
        )
        if one.outcome == "loss":
            by = _exchanged(instance, comparison.model, first.schedule, second.schedule, one)
            one = replace(one, exchanged=by)
        found.append(one)
    return found


def _facts(
    instance: Instance, optimum: Schedule, standard: Schedule, unknown: tuple[str, ...]
) -> Facts:
    sites = [instance.lesions[place] for place in visible(instance)]
    weight = sum(lesion.weight for lesion in sites)

    def bed(one: Schedule) -> float:
        return sum(
            lesion.weight / weight * float(lq.bed(dose, ALPHA_BETA_GY))
            for lesion in sites
            for _, dose, _ in one.course(lesion.name)
        )

    def outside(one: Schedule) -> str:
        return ", ".join(lesion.name for lesion in sites if not one.course(lesion.name))

    return Facts(
        fractions=(len(optimum.fractions), len(standard.fractions)),
        bed=(bed(optimum), bed(standard)),
        outside=(outside(optimum), outside(standard)),
        unknown=unknown,
    )


def _exchanged(
    instance: Instance, model: Model, optimum: Schedule, standard: Schedule, pair: Pair
) -> tuple[float, float]:
    """Lead over the standard with only the radiation, and only the drugs, of the optimum."""
    mixed = [
        Schedule(optimum.fractions, standard.infusions),
        Schedule(standard.fractions, optimum.infusions),
    ]
    found = model.run(instance, mixed, beyond_validity=True)
    values = found.score
    if pair.quantity == EFFECT:
        assert found.effect is not None
        values = found.effect[:, -1]
    return float(values[0] - pair.standard), float(values[1] - pair.standard)


def described(schedule: Schedule) -> str:
    """Courses and drugs in short: `primary 3 x 8 Gy d0-d4; nivolumab d0, d14`."""
    parts = []
    for lesion in dict.fromkeys(f.lesion for f in schedule.fractions):
        given = [f for f in schedule.fractions if f.lesion == lesion]
        doses = sorted({f.dose_gy for f in given})
        dose = f"{doses[0]:g}" if len(doses) == 1 else f"{doses[0]:g}-{doses[-1]:g}"
        way = f" {given[0].technique}" if given[0].technique else ""
        days = f"d{given[0].day}" + (f"-{given[-1].day}" if len(given) > 1 else "")
        parts.append(f"{lesion}{way} {len(given)} x {dose} Gy {days}")
    for drug in dict.fromkeys(i.drug for i in schedule.infusions):
        doses_on = [i.day for i in schedule.infusions if i.drug == drug]
        span = f"d{doses_on[0]}" + (f"-{doses_on[-1]}" if len(doses_on) > 1 else "")
        parts.append(f"{drug} {len(doses_on)} x {span}")
    return "; ".join(parts) or "nothing"


def main() -> None:
    """Run the cases, print the tables and perhaps write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--write", action="store_true", help="write docs/surrogate.md")
    arguments = parser.parse_args()
    if arguments.write and arguments.cases:
        parser.error("--write needs all cases")
    print(json.dumps({"machine": machine(), "versions": versions()}))
    results = []
    with ProcessPoolExecutor(2) as pool:
        for one in pool.map(compared, arguments.cases or optima_cases()):
            results.append(one)
            print(f"{one.case:28s} {one.status}", flush=True)
    lines = optima_tables(results)
    print("\n".join(lines))
    if arguments.write:
        replace_block("optima", lines)


if __name__ == "__main__":
    main()
