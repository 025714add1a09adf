"""Verdicts on the findings as a JSON document and as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import abscopt.instances.evidence
from abscopt.optimizer.evidence.score import Score, Scored, score_of
from abscopt.optimizer.results.report import plain_table, plain_text
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT

if TYPE_CHECKING:
    from abscopt.optimizer.evidence.measures import Verdict
    from abscopt.optimizer.evidence.requirements import Requirement

CALIBRATION = Path(abscopt.instances.evidence.__file__).with_name("calibration.json")
SPLITS = ("training", "held_back")
SHORT = {
    "reproduced": "yes",
    "contradicted": "no",
    "outside_range": "-",
    "scenario": "scenario",
}


def evidence_document(
    results: Sequence[Scored], requirements: Sequence[Requirement]
) -> dict[str, Any]:
    """Every verdict, the scores of both halves beside their baselines, and the requirements."""
    return {
        "format": FORMAT,
        "kind": "evidence",
        "notice": DISCLAIMER,
        "summary": {split: _summary(_half(results, split), split) for split in SPLITS},
        "requirements": [
            {"statement": r.statement, "holds": r.holds, "numbers": dict(r.numbers)}
            for r in requirements
        ],
        "findings": [_finding(one) for one in results],
    }


def _half(results: Sequence[Scored], split: str) -> list[Scored]:
    return [one for one in results if one.finding.split == split]


def _summary(results: Sequence[Scored], split: str) -> dict[str, Any]:
    random = json.loads(CALIBRATION.read_text(encoding="utf-8"))["scores"][split]
    return {
        "surrogate": _score(score_of(results)),
        "tumor_bed": _score(score_of(results, lambda one: one.baseline)),
        "random_constants": {
            "mean": random["random_mean"],
            "best": random["random_best"],
            "quartiles": random["random_quartiles"],
        },
        "simulators": {
            name: _score(score_of(results, _simulator(name))) for name in _simulators(results)
        },
        "not_reproduced": [
            one.finding.id for one in results if one.counts and one.surrogate != "reproduced"
        ],
    }


def _simulators(results: Sequence[Scored]) -> list[str]:
    return list(results[0].simulators) if results else []


def _simulator(name: str) -> Callable[[Scored], Verdict]:
    return lambda one: one.simulators[name]


def _score(score: Score) -> dict[str, Any]:
    return {
        "reproduced": score.reproduced,
        "contradicted": score.contradicted,
        "outside_range": score.outside_range,
        "total": score.total,
        "share": round(score.share, 4),
    }


def _finding(one: Scored) -> dict[str, Any]:
    finding = one.finding
    return {
        "id": finding.id,
        "title": finding.title,
        "source": finding.source,
        "doi": finding.doi,
        "pmc": finding.pmc,
        "status": finding.status,
        "days": finding.days,
        "doses": finding.doses,
        "item": finding.item,
        "topic": finding.topic,
        "scale": finding.scale,
        "endpoint": finding.setting.endpoint,
        "split": finding.split,
        "scored": one.counts,
        "expected": list(finding.expected),
        "surrogate": one.surrogate,
        "measures": {
            name: [round(float(value), 9) for value in values]
            for name, values in one.measures.items()
        },
        "scenarios": dict(one.scenarios),
        "supports": finding.supports,
        "tumor_bed": one.baseline,
        "simulators": dict(one.simulators),
        "outside": one.reason,
    }


def evidence_report(results: Sequence[Scored], requirements: Sequence[Requirement]) -> str:
    """The verdicts for a person: scores, requirements, and every finding with its arms."""
    names = _simulators(results)
    parts: list[object] = [
        "Does the model give the published orders? Training half: the default constants were "
        "chosen on it. Held back: looked at afterwards. Only findings with a verified source "
        "count; outside the range counts as not reproduced.",
        "",
        _scores(results, names),
        "",
        "Required at every horizon",
        *(f"  {'holds' if r.holds else 'FAILS'}  {r.statement}" for r in requirements),
        "",
    ]
    for split in SPLITS:
        half = _half(results, split)
        if half:
            title = f"{split.replace('_', ' ').capitalize()} ({len(half)} findings)"
            parts += [title, _findings(half, names), *_reasons(half), ""]
    parts += [
        "yes: reproduced at every horizon; no: contradicted; -: outside the range. Two words: a "
        "contested finding under preblockade-helps and preblockade-harms. *: not scored (no "
        "verified source, or contested).",
        "",
    ]
    return plain_text([*parts, DISCLAIMER])


def _scores(results: Sequence[Scored], names: Sequence[str]) -> object:
    table = plain_table("", "", "training", "held back")
    columns: list[tuple[str, Callable[[Scored], Verdict]]] = [
        ("surrogate", lambda one: one.surrogate),
        ("tumor BED alone", lambda one: one.baseline),
        *((name, _simulator(name)) for name in names),
    ]
    for label, which in columns:
        cells = []
        for split in SPLITS:
            score = score_of(_half(results, split), which)
            cells.append(f"{score.reproduced} of {score.total} ({score.outside_range} outside)")
        table.add_row(label, *cells)
    calibration = json.loads(CALIBRATION.read_text(encoding="utf-8"))["scores"]
    table.add_row(
        "random constants, mean",
        *(f"{100 * calibration[split]['random_mean']:.0f} %" for split in SPLITS),
    )
    return table


def _findings(results: Sequence[Scored], names: Sequence[str]) -> object:
    table = plain_table("", "", "finding", "BED", "simulators")
    table.columns[1].no_wrap = True
    for one in results:
        told = [
            (name, one.simulators[name])
            for name in names
            if one.simulators[name] in ("reproduced", "contradicted")
        ]
        table.add_row(
            _surrogate(one),
            one.finding.id + ("" if one.counts else " *"),
            SHORT[one.baseline],
            ", ".join(f"{name} {SHORT[verdict]}" for name, verdict in told) or "-",
        )
    return table


def _surrogate(one: Scored) -> str:
    """The verdict in a word; of a contested finding, that under each scenario."""
    if one.surrogate != "scenario":
        return SHORT[one.surrogate]
    return "/".join(SHORT[verdict] for verdict in one.scenarios.values())


def _reasons(results: Sequence[Scored]) -> list[str]:
    return [f"  {one.finding.id}: {one.reason}" for one in results if one.reason is not None]
