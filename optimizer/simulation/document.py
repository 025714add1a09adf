"""A simulation as a JSON document and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.results.plain import plain_table, plain_text
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT, stated_changes
from abscopt.optimizer.results.wording import change_lines
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
SURROGATE = {
    "effect": "the surrogate's systemic effect",
    "objective": "the surrogate's objective",
    "nadir": "the surrogate's lymphocyte nadir",
}


def simulation(
    instance: Instance, schedule: Schedule, label: str, beyond_validity: bool
) -> tuple[dict[str, Any], str]:
    """A schedule in the forward models, as a document and as text."""
    found = simulate(instance, schedule, label, beyond_validity=beyond_validity)
    document = simulation_document(found) | stated_changes(instance)
    return document, simulation_report(found, instance)


def simulation_document(report: SimulationReport) -> dict[str, Any]:
    """The report as plain data; burdens in weekly steps, relative to day 0."""
    return {
        "format": FORMAT,
        "kind": "simulation",
        "notice": DISCLAIMER,
        "scale": SCALE,
        "instance": report.instance,
        "instance_digest": report.instance_digest,
        "horizon_days": list(report.horizon_days),
        "unit": report.unit,
        "beyond_validity": report.beyond_validity,
        "schedules": [_entry(entry) for entry in report.entries],
        "models": [_comparison(one, report.horizon_days[-1]) for one in report.comparisons],
    }


def simulation_report(report: SimulationReport, instance: Instance) -> str:
    """The report for a person."""
    head = [f"{instance.name}: {instance.title}", *change_lines(instance)]
    parts: list[object] = [*head, SCALE, SCORE, ""]
    parts.append(_schedules(report))
    for comparison in report.comparisons:
        parts += _model_parts(comparison, report)
    return plain_text([*parts, DISCLAIMER])


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


def _comparison(one: Comparison, last_day: int) -> dict[str, Any]:
    model = one.model
    return {
        "name": model.name,
        "source": model.source,
        "status": model.status,
        "scale": model.scale,
        "validity": model.validity,
        "represents": model.represents,
        "leaves_out": model.leaves_out,
        "drugs_left_out": list(one.unrepresented),
        "accepted": list(one.accepted),
        "refused": {label: list(reasons) for label, reasons in one.refused.items()},
        "rankings": [_ranking(ranking, one.accepted) for ranking in one.rankings],
        "trajectories": _trajectories(one, last_day),
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


def _trajectories(one: Comparison, last_day: int) -> dict[str, Any] | None:
    found = one.simulated
    if found is None or found.log_burden is None or found.effect is None:
        return None
    days = _days(last_day, WEEK)
    responders = found.responders
    return {
        "day": days,
        "relative_burden": {
            label: np.exp(burden[days]).tolist()
            for label, burden in zip(one.accepted, found.log_burden, strict=True)
        },
        "systemic_effect_nats": dict(zip(one.accepted, found.effect.tolist(), strict=True)),
        "responders": None
        if responders is None
        else dict(zip(one.accepted, responders.tolist(), strict=True)),
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
        f"{found.name} {found.fractions} x "
        + (f"{found.dose_per_fraction_gy:g} Gy" if found.dose_per_fraction_gy else "varied")
        for found in entry.evaluation.lesions
        if found.fractions
    ]
    return "; ".join(courses) or "none"


def _model_parts(one: Comparison, report: SimulationReport) -> list[object]:
    model = one.model
    parts: list[object] = [
        f"Model  {model.name} ({model.scale}): {model.source}",
        f"Status  {model.status}",
        f"Range  {model.validity}" + ("; not enforced here" if report.beyond_validity else ""),
        f"Represents  {model.represents}",
        f"Leaves out  {model.leaves_out}",
    ]
    if one.unrepresented:
        parts.append("Drugs left out  " + ", ".join(one.unrepresented))
    parts += _refusals(one, report)
    if one.rankings:
        parts += ["", _ranks(one, report)]
    for ranking in one.rankings:
        tau = "none" if ranking.tau is None else f"{ranking.tau:.2f}"
        parts.append(f"Kendall tau  {tau}: {ranking.name} against {SURROGATE[ranking.against]}")
        first = report.entries[0].label
        shown = [p for p in ranking.disagreements if first in (p.preferred, p.other)]
        parts += [_disagreement(pair, ranking) for pair in shown]
        rest = len(ranking.disagreements) - len(shown)
        if rest:
            pairs = "pair" if rest == 1 else "pairs"
            parts.append(f"Differs  {rest} more {pairs} without {first}, see the JSON document")
    if one.simulated is not None and one.simulated.log_burden is not None:
        parts += ["", _burdens(one, report)]
    return [*parts, ""]


def _refusals(one: Comparison, report: SimulationReport) -> list[object]:
    """One line per set of reasons, with the numbers of the schedules."""
    numbers: dict[tuple[str, ...], list[str]] = {}
    for number, entry in enumerate(report.entries, 1):
        if entry.label in one.refused:
            numbers.setdefault(one.refused[entry.label], []).append(f"({number})")
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


def _ranks(one: Comparison, report: SimulationReport) -> object:
    headings = [
        heading for r in one.rankings for heading in (f">{r.name.capitalize()} {r.unit}", ">Rank")
    ]
    found = one.simulated
    assert found is not None
    responders = found.responders
    if responders is not None:
        headings.append(">Without tumor %")
    table = plain_table(f"Ranking by {one.model.name}", ">", "Schedule", *headings)
    numbers = {entry.label: number for number, entry in enumerate(report.entries, 1)}
    for row, label in enumerate(one.accepted):
        cells = [cell for r in one.rankings for cell in (f"{r.values[row]:.3f}", str(r.ranks[row]))]
        if responders is not None:
            cells.append(f"{100 * responders[row]:.0f}")
        table.add_row(f"({numbers[label]})", label, *cells)
    return table


def _burdens(one: Comparison, report: SimulationReport) -> object:
    """ln of the relative burden, in weekly steps or, over long horizons, several weeks."""
    assert one.simulated is not None
    burden = one.simulated.log_burden
    assert burden is not None
    last = report.horizon_days[-1]
    weeks = -(-last // (WEEK * MOST_ROWS))
    numbers = {entry.label: number for number, entry in enumerate(report.entries, 1)}
    columns = [f">({numbers[label]})" for label in one.accepted]
    table = plain_table("ln burden relative to day 0, by schedule", ">Day", *columns)
    for day in _days(last, WEEK * weeks):
        table.add_row(str(day), *(f"{round(row[day], 2) + 0.0:.2f}" for row in burden))
    return table
