"""A simulation as a JSON document and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.results.result import DISCLAIMER, FORMAT, stated_changes
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines
from abscopt.optimizer.simulation.compare import (
    Comparison,
    Disagreement,
    Entry,
    Ranking,
    SimulationReport,
    simulate,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

WEEK = 7
MOST_ROWS = 30
MOST_SETS = 4
NO_TERM = "no one or two of its terms: the model has something that the surrogate lacks"
SCALE = (
    "Models of scale 'mouse' are fitted to mice or to no data at all: they order schedules, their "
    "volumes and times are not those of a patient."
)
SCORE = (
    "Burden score: minus ln of the visible burden on the last day relative to day 0. Systemic "
    "effect: immune kill in nat; in a tumor that is held it equals the growth."
)
ONE_PATIENT = (
    "Each model has tumors of its own radiosensitivity, one for all patients: of the case neither "
    "alpha nor its spread between patients enters, while the surrogate's objective is a mean over "
    "the spread of {spread}."
)
SURROGATE = {
    "effect": "the surrogate's systemic effect",
    "objective": "the surrogate's objective",
    "nadir": "the surrogate's lymphocyte nadir",
}


def simulation(
    instance: Instance, schedule: Schedule, label: str, beyond_validity: bool
) -> tuple[dict[str, Any], str]:
    """A schedule in the forward models, as a document and as text."""
    report = simulate(instance, schedule, label, beyond_validity=beyond_validity)
    document = simulation_document(report) | stated_changes(instance)
    return document, simulation_report(report, instance)


def simulation_document(report: SimulationReport) -> dict[str, Any]:
    """The report as plain data; burdens in weekly steps, relative to day 0.

    `spread_left_out`: lesions whose control is a mean over patients for the surrogate alone.
    """
    return {
        "format": FORMAT,
        "kind": "simulation",
        "notice": DISCLAIMER,
        "scale": SCALE,
        "spread_left_out": list(report.spread),
        "instance": report.instance,
        "instance_digest": report.instance_digest,
        "horizon_days": list(report.horizon_days),
        "unit": report.unit,
        "beyond_validity": report.beyond_validity,
        "schedules": [_entry(entry) for entry in report.entries],
        "models": [
            _comparison(comparison, report.horizon_days[-1]) for comparison in report.comparisons
        ],
    }


def simulation_report(report: SimulationReport, instance: Instance) -> str:
    """The report for a person."""
    head = [f"{instance.name}: {instance.title}", *change_lines(instance)]
    spread = [ONE_PATIENT.format(spread=", ".join(report.spread))] if report.spread else []
    lines: list[object] = [*head, SCALE, SCORE, *spread, ""]
    lines.append(_schedules(report))
    for comparison in report.comparisons:
        lines += _model_parts(comparison, report)
    return plain_text([*lines, DISCLAIMER])


def _entry(entry: Entry) -> dict[str, Any]:
    verdict = entry.evaluation
    return {
        "label": entry.label,
        "fractions": [
            {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy}
            | ({"fraction_of_day": f.slot + 1} if f.slot else {})
            | ({"technique": f.technique} if f.technique else {})
            for f in entry.schedule.fractions
        ],
        "doses_of_drugs": [
            {"agent": i.drug, "day": i.day, "dose_mg": i.dose_mg} for i in entry.schedule.infusions
        ],
        "feasible": verdict.feasible,
        "objective": verdict.objective,
        "systemic_effect_nats": list(verdict.immune["systemic_effect_nats"]),
        "nadir_1e9_per_l": entry.surrogate("nadir"),
    }


def _comparison(comparison: Comparison, last_day: int) -> dict[str, Any]:
    model = comparison.model
    return {
        "name": model.name,
        "source": model.source,
        "status": model.status,
        "scale": model.scale,
        "validity": model.validity,
        "represents": model.represents,
        "leaves_out": model.leaves_out,
        "drugs_left_out": list(comparison.unrepresented),
        "accepted": list(comparison.accepted),
        "refused": {label: list(reasons) for label, reasons in comparison.refused.items()},
        "rankings": [_ranking(ranking, comparison.accepted) for ranking in comparison.rankings],
        "trajectories": _trajectories(comparison, last_day),
    }


def _ranking(ranking: Ranking, accepted: tuple[str, ...]) -> dict[str, Any]:
    return {
        "quantity": ranking.name,
        "unit": ranking.unit,
        "against": ranking.against,
        "kendall_tau": ranking.tau,
        "schedules": [
            {"label": label, "value": value, "rank": rank}
            for label, value, rank in zip(accepted, ranking.values, ranking.ranks, strict=True)
        ],
        "disagreements": [
            vars(pair) | {"terms": [list(terms) for terms in pair.terms]}
            for pair in ranking.disagreements
        ],
    }


def _trajectories(comparison: Comparison, last_day: int) -> dict[str, Any] | None:
    simulated = comparison.simulated
    if simulated is None or simulated.log_burden is None or simulated.effect is None:
        return None
    days = _days(last_day, WEEK)
    responders = simulated.responders
    return {
        "day": days,
        "relative_burden": {
            label: np.exp(burden[days]).tolist()
            for label, burden in zip(comparison.accepted, simulated.log_burden, strict=True)
        },
        "systemic_effect_nats": dict(
            zip(comparison.accepted, simulated.effect.tolist(), strict=True)
        ),
        "responders": None
        if responders is None
        else dict(zip(comparison.accepted, responders.tolist(), strict=True)),
    }


def _days(last_day: int, step: int) -> list[int]:
    """Every so many days from day 0, and the last."""
    days = list(range(0, last_day + 1, step))
    return days if days[-1] == last_day else [*days, last_day]


def _schedules(report: SimulationReport) -> object:
    table = plain_table(
        "Schedules in the surrogate", ">", "Schedule", "Radiation", ">Doses of drugs",
        f">Objective {report.unit}", ">Effect nat", ">Nadir 1e9/L", "Limits",
    )  # fmt: skip
    for number, entry in enumerate(report.entries, 1):
        table.add_row(
            f"({number})",
            entry.label,
            _radiation(entry),
            str(len(entry.schedule.infusions)),
            *(f"{entry.surrogate(quantity):.3f}" for quantity in ("objective", "effect", "nadir")),
            "kept" if entry.evaluation.feasible else "broken",
        )
    return table


def _radiation(entry: Entry) -> str:
    courses = [
        f"{outcome.name} {outcome.fractions} x "
        + (f"{outcome.dose_per_fraction_gy:g} Gy" if outcome.dose_per_fraction_gy else "varied")
        for outcome in entry.evaluation.lesions
        if outcome.fractions
    ]
    return "; ".join(courses) or "none"


def _model_parts(comparison: Comparison, report: SimulationReport) -> list[object]:
    model = comparison.model
    lines: list[object] = [
        f"Model  {model.name} ({model.scale}): {model.source}",
        f"Status  {model.status}",
        f"Range  {model.validity}" + ("; not enforced here" if report.beyond_validity else ""),
        f"Represents  {model.represents}",
        f"Leaves out  {model.leaves_out}",
    ]
    if comparison.unrepresented:
        lines.append("Drugs left out  " + ", ".join(comparison.unrepresented))
    lines += _refusals(comparison, report)
    if comparison.rankings:
        lines += ["", _ranks(comparison, report)]
    for ranking in comparison.rankings:
        tau = "none" if ranking.tau is None else f"{ranking.tau:.2f}"
        lines.append(f"Kendall tau  {tau}: {ranking.name} against {SURROGATE[ranking.against]}")
        first = report.entries[0].label
        shown = [p for p in ranking.disagreements if first in (p.preferred, p.other)]
        lines += [_disagreement(pair, ranking) for pair in shown]
        remaining = len(ranking.disagreements) - len(shown)
        if remaining:
            pairs = "pair" if remaining == 1 else "pairs"
            lines.append(
                f"Differs  {remaining} more {pairs} without {first}, see the JSON document"
            )
    if comparison.simulated is not None and comparison.simulated.log_burden is not None:
        lines += ["", _burdens(comparison, report)]
    return [*lines, ""]


def _refusals(comparison: Comparison, report: SimulationReport) -> list[object]:
    """One line per set of reasons, with the numbers of the schedules."""
    numbers: dict[tuple[str, ...], list[str]] = {}
    for number, entry in enumerate(report.entries, 1):
        if entry.label in comparison.refused:
            numbers.setdefault(comparison.refused[entry.label], []).append(f"({number})")
    return [f"Refused  {' '.join(who)}: {'; '.join(why)}" for why, who in numbers.items()]


def _disagreement(pair: Disagreement, ranking: Ranking) -> str:
    terms = " or ".join(" and ".join(terms) for terms in pair.terms[:MOST_SETS])
    if len(pair.terms) > MOST_SETS:
        terms += f" or {len(pair.terms) - MOST_SETS} more"
    return (
        f"Differs  {pair.preferred} above {pair.other} here by {pair.model_difference:.3f} "
        f"{ranking.unit}, below it in the surrogate by {-pair.surrogate_difference:.3f}, "
        f"which turns without {terms or NO_TERM}"
    )


def _ranks(comparison: Comparison, report: SimulationReport) -> object:
    headings = [
        heading
        for r in comparison.rankings
        for heading in (f">{r.name.capitalize()} {r.unit}", ">Rank")
    ]
    simulated = comparison.simulated
    assert simulated is not None
    responders = simulated.responders
    if responders is not None:
        headings.append(">Without tumor %")
    table = plain_table(f"Ranking by {comparison.model.name}", ">", "Schedule", *headings)
    numbers = {entry.label: number for number, entry in enumerate(report.entries, 1)}
    for row, label in enumerate(comparison.accepted):
        cells = [
            cell
            for r in comparison.rankings
            for cell in (f"{r.values[row]:.3f}", str(r.ranks[row]))
        ]
        if responders is not None:
            cells.append(f"{100 * responders[row]:.0f}")
        table.add_row(f"({numbers[label]})", label, *cells)
    return table


def _burdens(comparison: Comparison, report: SimulationReport) -> object:
    """ln of the relative burden, in weekly steps or, over long horizons, several weeks."""
    assert comparison.simulated is not None
    burden = comparison.simulated.log_burden
    assert burden is not None
    last = report.horizon_days[-1]
    weeks = -(-last // (WEEK * MOST_ROWS))
    numbers = {entry.label: number for number, entry in enumerate(report.entries, 1)}
    columns = [f">({numbers[label]})" for label in comparison.accepted]
    table = plain_table("ln burden relative to day 0, by schedule", ">Day", *columns)
    for day in _days(last, WEEK * weeks):
        table.add_row(str(day), *(f"{round(row[day], 2) + 0.0:.2f}" for row in burden))
    return table
