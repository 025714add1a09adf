"""Verdicts on the findings as a JSON document and as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import abscopt.instances.evidence
from abscopt.optimizer.evidence.likelihood import Comparison, comparisons, fits, predicted
from abscopt.optimizer.evidence.score import Score, Scored, score_of
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT
from abscopt.optimizer.results.text.plain import plain_table, plain_text

if TYPE_CHECKING:
    from abscopt.instances.evidence import Effect
    from abscopt.optimizer.evidence.measures import Verdict
    from abscopt.optimizer.evidence.requirements import Requirement

BASELINES = Path(abscopt.instances.evidence.__file__).with_name("baselines.json")
SPLITS = ("training", "held_back")
RIVALS = {
    "model": "model",
    "model_times_factor": "model times a factor",
    "constant": "one constant whatever the schedule",
    "no_effect": "no effect",
}
SHORT = {
    "reproduced": "yes",
    "contradicted": "no",
    "outside_range": "-",
    "not_informative": "none",
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
        "effect_sizes": _effect_sizes(results),
        "requirements": [
            {"statement": r.statement, "holds": r.holds, "numbers": dict(r.numbers)}
            for r in requirements
        ],
        "findings": [_finding(scored) for scored in results],
    }


def baselines() -> dict[str, Any]:
    """Scores of random constants, see benchmarks/studies/evidence_baselines.py."""
    scores: dict[str, Any] = json.loads(BASELINES.read_text(encoding="utf-8"))
    return scores


def _effect_sizes(results: Sequence[Scored]) -> dict[str, Any]:
    """Published effects beside the model's, and the likelihood of the model and its rivals."""
    return {
        split: _sizes(compared)
        | {"random_constants_log_likelihood": baselines()[split]["log_likelihood"]}
        for split in SPLITS
        for compared in [comparisons(_half(results, split))]
    } | {
        "all": _sizes(comparisons(results)),
        "local": _sizes(comparisons(results, local=True)),
    }


def _sizes(compared: Sequence[Comparison]) -> dict[str, Any]:
    return {
        "comparisons": len(compared),
        "cohorts": len({comparison.finding.patients for comparison in compared}),
        "inside_interval": sum(comparison.inside for comparison in compared),
        "fits": {
            name: {
                "log_likelihood": round(fit.log_likelihood, 4),
                "chi_square": round(fit.chi_square, 4),
            }
            for name, fit in fits(compared).items()
        },
    }


def _half(results: Sequence[Scored], split: str) -> list[Scored]:
    return [scored for scored in results if scored.finding.split == split]


def _summary(results: Sequence[Scored], split: str) -> dict[str, Any]:
    return {
        "surrogate": _score(score_of(results)),
        "tumor_bed": _score(score_of(results, lambda scored: scored.baseline)),
        "random_constants": baselines()[split]["reproduced"],
        "simulators": {
            name: _score(score_of(results, _simulator(name))) for name in _simulators(results)
        },
        "not_reproduced": [
            scored.finding.id
            for scored in results
            if scored.counts and scored.surrogate != "reproduced"
        ],
    }


def _simulators(results: Sequence[Scored]) -> list[str]:
    return list(results[0].simulators) if results else []


def _simulator(name: str) -> Callable[[Scored], Verdict]:
    return lambda scored: scored.simulators[name]


def _score(score: Score) -> dict[str, Any]:
    return {
        "reproduced": score.reproduced,
        "contradicted": score.contradicted,
        "outside_range": score.outside_range,
        "total": score.total,
        "share": round(score.share, 4),
    }


def _finding(scored: Scored) -> dict[str, Any]:
    finding = scored.finding
    return {
        "id": finding.id,
        "title": finding.title,
        "source": finding.source,
        "doi": finding.doi,
        "pmc": finding.pmc,
        "study": finding.study,
        "cohort": finding.patients,
        "status": finding.status,
        "days": finding.days,
        "doses": finding.doses,
        "item": finding.item,
        "topic": finding.topic,
        "scale": finding.scale,
        "endpoint": finding.setting.endpoint,
        "split": finding.split,
        "first_split": finding.first_split,
        "scored": scored.counts,
        "expected": list(finding.expected),
        "effects": [_effect(scored, effect) for effect in finding.effects],
        "surrogate": scored.surrogate,
        "measures": {
            name: [round(float(value), 9) for value in values]
            for name, values in scored.measures.items()
        },
        "scenarios": dict(scored.scenarios),
        "supports": finding.supports,
        "tumor_bed": scored.baseline,
        "simulators": dict(scored.simulators),
        "outside": scored.reason,
    }


def _effect(scored: Scored, effect: Effect) -> dict[str, Any]:
    """A published effect as a log ratio, more is better for `of`, beside the model's."""
    low, high = effect.log_interval
    return {
        "of": effect.of,
        "against": effect.against,
        "endpoint": effect.endpoint,
        "kind": effect.kind,
        "randomized": effect.randomized,
        "status": effect.status,
        "log_ratio": round(effect.log_value, 6),
        "interval": [round(low, 6), round(high, 6)],
        "model": round(predicted(scored, effect), 6) if scored.measures else None,
    }


def evidence_report(results: Sequence[Scored], requirements: Sequence[Requirement]) -> str:
    """The verdicts for a person: scores, requirements, and every finding with its arms."""
    names = _simulators(results)
    lines: list[object] = [
        "Does the model give the published orders and sizes? The halves are split by cohort of "
        "patients or mice. Only findings with a verified source count; outside the range counts as "
        "not reproduced; alike counts only where a published interval lies within the margin.",
        "",
        _scores(results, names),
        "",
        "Published sizes: randomized comparisons of patients, one weight per cohort; log "
        "likelihood (more is better) and chi square. Factor and constant are fitted to the other "
        "cohorts.",
        _likelihoods(results),
        "",
        "Required at every horizon",
        *(f"  {'holds' if r.holds else 'FAILS'}  {r.statement}" for r in requirements),
        "",
    ]
    for split in SPLITS:
        half = _half(results, split)
        if half:
            title = f"{split.replace('_', ' ').capitalize()} ({len(half)} findings)"
            lines += [title, _findings(half, names), *_reasons(half), ""]
    lines += [
        "yes: reproduced at every horizon; no: contradicted; -: outside the range; none: no "
        "interval narrow enough to say that the arms are alike. Two words: a "
        "contested finding under preblockade-helps and preblockade-harms. *: not scored (no "
        "verified source, or contested).",
        "",
    ]
    return plain_text([*lines, DISCLAIMER])


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
    for label in ("mean", "best"):
        shares = [baselines()[split]["reproduced"][label] for split in SPLITS]
        table.add_row(
            f"random constants, {label} (whole list)", *(f"{100 * share:.0f} %" for share in shares)
        )
    return table


def _likelihoods(results: Sequence[Scored]) -> object:
    """Model and rivals, per half and together."""
    halves = {split: comparisons(_half(results, split)) for split in SPLITS}
    halves["all"] = comparisons(results)
    titles = [f"{split.replace('_', ' ')} ({len(half)})" for split, half in halves.items()]
    table = plain_table("", "", *titles)
    columns = [fits(half) for half in halves.values()]
    for name, label in RIVALS.items():
        cells = [
            f"{column[name].log_likelihood:.1f} ({column[name].chi_square:.1f})"
            for column in columns
        ]
        table.add_row(label, *cells)
    random = [baselines()[split]["log_likelihood"]["mean"] for split in SPLITS]
    table.add_row("random constants, mean (whole list)", *(f"{value:.1f}" for value in random), "")
    return table


def _findings(results: Sequence[Scored], names: Sequence[str]) -> object:
    table = plain_table("", "", "finding", "BED", "simulators")
    table.columns[1].no_wrap = True
    for scored in results:
        verdicts = [
            (name, scored.simulators[name])
            for name in names
            if scored.simulators[name] in ("reproduced", "contradicted")
        ]
        table.add_row(
            _surrogate(scored),
            scored.finding.id + ("" if scored.counts else " *"),
            SHORT[scored.baseline],
            ", ".join(f"{name} {SHORT[verdict]}" for name, verdict in verdicts) or "-",
        )
    return table


def _surrogate(scored: Scored) -> str:
    """The verdict in a word; of a contested finding, that under each scenario."""
    if scored.surrogate != "scenario":
        return SHORT[scored.surrogate]
    return "/".join(SHORT[verdict] for verdict in scored.scenarios.values())


def _reasons(results: Sequence[Scored]) -> list[str]:
    return [
        f"  {scored.finding.id}: {scored.reason}" for scored in results if scored.reason is not None
    ]
