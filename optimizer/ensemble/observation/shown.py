"""A policy of two stages as text, as a document and as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.results.files import write_files
from abscopt.optimizer.results.result import (
    DISCLAIMER,
    heading,
    versions,
)
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.report import HEADLINES, evaluation_parts, schedule_parts
from abscopt.optimizer.results.text.wording import title_lines

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.optimizer.ensemble.observation.decide import TwoStageResult


def observed_report(result: TwoStageResult) -> str:
    """Everything that a policy says."""
    case, observation = result.ensemble.case, result.observation
    paragraphs: list[object] = [
        *title_lines(case),
        HEADLINES[result.status],
        f"Decided in two stages for {len(result.ensemble.members)} members of ensemble "
        f"{result.ensemble.name}, by the mean: {observation.text}.",
        *(f"Lead  {line}" for line in lead_lines(result)),
        "",
    ]
    if result.first is not None:
        paragraphs += [f"Before day {observation.day}, whatever is observed", ""]
        paragraphs += schedule_parts(result.first, case)
        for outcome in result.outcomes:
            share = f"{100 * outcome.weight:.0f} % of the members"
            paragraphs += ["", f"If {outcome.words} ({share})", ""]
            if outcome.schedule is None or outcome.stated is None:
                paragraphs.append("No member is observed so.")
                continue
            paragraphs += schedule_parts(outcome.schedule, case)
            paragraphs += evaluation_parts(outcome.stated, case)
        paragraphs += ["", _means(result), *_proof_lines(result)]
    return plain_text([*paragraphs, "", DISCLAIMER])


def lead_lines(result: TwoStageResult) -> list[str]:
    """What the observation is worth, and what it could be worth at most."""
    worth, ceiling = result.sample_information, result.sample_information_at_most
    perfect, unit = result.single.perfect_information, result.ensemble.case.objective.unit
    if worth is None:
        return []
    line = f"the observation is worth {worth:.4f} {unit} (EVSI"
    if ceiling is not None:
        line += f"; from {result.sample_information_at_least or 0.0:.4f} to {ceiling:.4f} is proved"
    lines = [line + ")"]
    if perfect is not None:
        lines.append(f"knowing the member would be worth at most {perfect:.4f} {unit} (EVPI)")
    return lines


def _means(result: TwoStageResult) -> object:
    """Mean over members of the policy and of single schedules."""
    unit = result.ensemble.case.objective.unit
    table = plain_table(f"Mean over the members ({unit})", "Decision", ">Mean")
    rows: list[tuple[str, float | None]] = [
        ("this policy", result.objective),
        ("best single schedule", result.single.objective),
    ]
    if result.single.standard is not None:
        rows.append(("standard regimen", result.single.standard.risk))
    for name, number in rows:
        if number is not None:
            table.add_row(name, f"{number:.4f}")
    return table


def _proof_lines(result: TwoStageResult) -> list[str]:
    unit = result.ensemble.case.objective.unit
    lines = [f"Objective  {result.objective:.4f} {unit}"]
    if result.bound is None:
        lines.append("Bound      none: nothing is proved")
    else:
        lines.append(f"Bound      {result.bound:.4f} {unit}")
        lines.append(f"Gap        {result.gap:.4f} {unit} (asked for {result.requested_gap:g})")
        lines.append("Proved     no policy that observes so has a greater mean")
    lines.append(
        f"Proved by  abscopt search over first stages, LPs by HiGHS; {result.nodes} nodes, "
        f"{result.seconds:.2f} s"
    )
    return lines


def observed_document(result: TwoStageResult) -> dict[str, Any]:
    """Plain data: first stage, continuations, bound, value of the observation."""
    case, ensemble, single = result.ensemble.case, result.ensemble, result.single
    return {
        **heading("two_stage_result", case),
        "ensemble": ensemble.name,
        "observation": result.observation.text,
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "gap_unit": case.objective.unit,
        "requested_gap": result.requested_gap,
        "lead": lead_lines(result),
        "first_stage": None if result.first is None else result.first.to_json(case),
        "continuations": [
            {
                "observed": outcome.words,
                "probability": outcome.weight,
                "schedule": outcome.schedule.to_json(case) if outcome.schedule else None,
                "as_stated": None if outcome.stated is None else outcome.stated.objective,
            }
            for outcome in result.outcomes
        ],
        "single": {
            "objective": single.objective,
            "bound": single.bound,
            "schedule": single.answer.schedule.to_json(case) if single.answer else None,
            "price_of_robustness": single.price_of_robustness,
        },
        "value_of_sample_information": result.sample_information,
        "value_of_sample_information_at_least": result.sample_information_at_least,
        "value_of_sample_information_at_most": result.sample_information_at_most,
        "value_of_perfect_information_at_most": single.perfect_information,
        "members": [
            {
                "name": member.name,
                "weight": member.weight,
                "changes": [str(change) for change in member.changes],
                "probabilities": [float(p) for p in result.probabilities[:, number]],
                "values": [
                    float(value) if share > 0.0 else None
                    for value, share in zip(
                        result.values[:, number], result.probabilities[:, number], strict=True
                    )
                ],
            }
            for number, member in enumerate(ensemble.members)
        ],
        "nodes": result.nodes,
        "seconds": round(result.seconds, 3),
        "versions": versions(),
        "seed": result.seed,
    }


def write_observed(folder: Path, result: TwoStageResult, document: str, report: str) -> None:
    """Write report, document and one schedule for each outcome; raises InputError."""
    case, files = result.ensemble.case, {"report.txt": report}
    for number, outcome in enumerate(result.outcomes):
        if outcome.schedule is not None:
            text = json.dumps(outcome.schedule.to_json(case), indent=2) + "\n"
            files[f"continuation-{number + 1}.json"] = text
    write_files(folder, files, None, case, document)
