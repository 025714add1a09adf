"""The answer to a case under an ensemble, as text and as a document."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.ensemble.study.robustness import quantiles
from abscopt.optimizer.results.files import write_files
from abscopt.optimizer.results.result import DISCLAIMER, heading, versions
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.report import HEADLINES, evaluation_parts, schedule_parts
from abscopt.optimizer.results.text.wording import title_lines

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.optimizer.ensemble.decide import EnsembleResult, Judged

TAIL = 0.1
"""Quantile that is shown beside the median."""


def decided_report(result: EnsembleResult) -> str:
    """Everything that an answer under an ensemble says."""
    case, ensemble = result.ensemble.case, result.ensemble
    count = len(ensemble.members)
    parts: list[object] = [
        *title_lines(case),
        HEADLINES[result.status],
        f"Decided for {count} {_noun(count)} of ensemble {ensemble.name}: {result.asked.words}.",
        *(f"Lead  {line}" for line in lead_lines(result)),
        "",
    ]
    if result.answer is not None:
        parts += schedule_parts(result.answer.schedule, case)
        parts += [_in_members(result), *_proof_lines(result)]
        parts.append("")
        parts.append("In the case as it is stated:")
        parts += evaluation_parts(result.answer.nominal, case)
    return plain_text([*parts, "", DISCLAIMER])


def lead_lines(result: EnsembleResult) -> list[str]:
    """Two lines that come first: how sure the gain is, and what ignoring the ensemble costs."""
    if result.answer is None:
        return []
    unit, lines = result.ensemble.case.objective.unit, []
    if result.standard is not None:
        gain = result.answer.values - result.standard.values
        share = float(result.ensemble.weights @ (gain > 0.0))
        low, middle, high = quantiles(gain, result.ensemble.weights, (TAIL, 0.5, 1 - TAIL))
        lines.append(
            f"better than the standard regimen in {100 * share:.0f} % of the members; gain "
            f"{middle:+.3f} {unit} in the median, {low:+.3f} to {high:+.3f} in the middle 80 %"
        )
    cost = result.cost_of_ignoring
    if cost is not None and result.nominal is not None:
        words = f"costs {cost:.3f} {unit} in the measure"
        if math.isinf(cost):
            words = f"breaks limits in {100 * result.nominal.broken:.0f} % of the members"
        lines.append(f"the optimum of the case as it is stated {words}")
    return lines


def _noun(count: int) -> str:
    return "member" if count == 1 else "members"


def _in_members(result: EnsembleResult) -> object:
    """What three schedules are worth over the members."""
    unit = result.ensemble.case.objective.unit
    table = plain_table(
        f"Over the members ({unit})", "Schedule", ">Measure", ">Worst", ">10 %", ">Median",
        ">Best", ">Broken %", ">As stated",
    )  # fmt: skip
    rows = [
        ("this one", result.answer),
        ("optimum of the stated case", result.nominal),
        ("standard regimen", result.standard),
    ]
    weights = result.ensemble.weights
    for name, judged in rows:
        if judged is None:
            continue
        low, middle = quantiles(judged.values, weights, (TAIL, 0.5))
        numbers = (
            judged.risk, judged.values.min(), low, middle, judged.values.max(),
        )  # fmt: skip
        table.add_row(
            name, *(f"{number:.4f}" for number in numbers), f"{100 * judged.broken:.0f}",
            f"{judged.nominal.objective:.4f}",
        )  # fmt: skip
    return table


def _proof_lines(result: EnsembleResult) -> list[str]:
    unit = result.ensemble.case.objective.unit
    lines = [f"Objective  {result.objective:.4f} {unit}" if result.objective is not None else ""]
    if result.bound is not None:
        lines.append(f"Bound      {result.bound:.4f} {unit}")
        lines.append(f"Gap        {result.gap:.4f} {unit} (asked for {result.requested_gap:g})")
        lines.append("Proved     no schedule that the case offers has a greater measure")
    else:
        lines.append("Bound      none: nothing is proved")
    if result.best is not None and result.asked.kind == "regret":
        lines.append(
            f"Inside it  optima of members: at most {result.best_error:.4f} {unit} too high"
        )
    price = result.price_of_robustness
    if price is not None:
        lines.append(f"Price of robustness  {price:.4f} {unit} in the case as it is stated")
    least, perfect = result.perfect_information_at_least, result.perfect_information
    if least is not None:
        ends = "its ceiling needs --perfect" if perfect is None else f"at most {perfect:.4f} {unit}"
        lines.append(f"Value of perfect information  at least {least:.4f} {unit}; {ends}")
    if result.chance > 0.0:
        lines.append(f"Limits may be broken in {100 * result.chance:g} % of the members")
    way = "programme over members, MILPs" if result.by_programme else "search over members, LPs"
    lines.append(f"Proved by  abscopt {way} by HiGHS; {result.seconds:.2f} s")
    return lines


def decided_document(result: EnsembleResult) -> dict[str, Any]:
    """Plain data: answer, bound, and each member's values."""
    case, ensemble = result.ensemble.case, result.ensemble
    judged = {
        "answer": result.answer, "nominal": result.nominal, "standard": result.standard,
    }  # fmt: skip
    return {
        **heading("ensemble_result", case),
        "ensemble": ensemble.name,
        "risk": result.asked.text,
        "chance": result.chance,
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "gap_unit": case.objective.unit,
        "requested_gap": result.requested_gap,
        "lead": lead_lines(result),
        "schedule": result.answer.schedule.to_json(case) if result.answer else None,
        "price_of_robustness": result.price_of_robustness,
        "cost_of_ignoring": _finite(result.cost_of_ignoring),
        "value_of_perfect_information_at_least": result.perfect_information_at_least,
        "value_of_perfect_information_at_most": result.perfect_information,
        "judged": {
            name: _judged(schedule, result)
            for name, schedule in judged.items()
            if schedule is not None
        },
        "members": [
            {
                "name": member.name,
                "weight": member.weight,
                "changes": [str(change) for change in member.changes],
                "best_at_most": None if result.best is None else float(result.best[number]),
                "values": {
                    name: float(one.values[number])
                    for name, one in judged.items()
                    if one is not None
                },
            }
            for number, member in enumerate(ensemble.members)
        ],
        "evaluation": result.answer.nominal.to_json() if result.answer else None,
        "by_programme": result.by_programme,
        "nodes": result.nodes,
        "seconds": round(result.seconds, 3),
        "versions": versions(),
        "seed": result.seed,
    }


def _judged(judged: Judged, result: EnsembleResult) -> dict[str, Any]:
    case = result.ensemble.case
    return {
        "measure": judged.risk,
        "as_stated": judged.nominal.objective,
        "limits_broken_weight": judged.broken,
        "schedule": judged.schedule.to_json(case),
    }


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number


def write_decided(folder: Path, result: EnsembleResult, document: str, report: str) -> None:
    """Write report, document and schedule; raises InputError where the folder cannot be written."""
    case = result.ensemble.case
    schedule = None if result.answer is None else result.answer.schedule
    write_files(folder, {"report.txt": report}, schedule, case, document)
