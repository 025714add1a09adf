"""Tables of `docs/surrogate.md`, from what the two studies find.

Written text of the page stays; a study replaces the lines between its own two marks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from reference_optima import machine
from surrogate_losses import reading, turning

from abscopt.optimizer.results.result import versions
from abscopt.optimizer.simulation import MODELS

if TYPE_CHECKING:
    from simulated_optima import CaseOptima, Pair
    from surrogate_error import Agreement, CaseStudy, Study

PAGE = Path(__file__).parents[2] / "docs" / "surrogate.md"
SHOWN = 0.05
"""Least change of tau that a row of a case names."""

MOST_TERMS = 3


def replace_block(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put lines between the two marks of a block.

    Raises
    ------
    ValueError
        The page has no such marks.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, first, rest = page.read_text(encoding="utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"{page}: no marks {begin} and {end}")
    body = "\n".join(["", "", *lines, "", ""])
    page.write_text(f"{before}{begin}{body}{end}{after}", encoding="utf-8")


def environment() -> list[str]:
    """What the figures were measured on."""
    return ["Environment: `" + json.dumps({"machine": machine(), "versions": versions()}) + "`", ""]


def random_tables(results: Sequence[CaseStudy]) -> list[str]:
    """Tables of the random schedules."""
    return [
        *environment(),
        "### Each model over all cases",
        "",
        *_table(SUMMARY, _summary(results)),
        "",
        "### Models among themselves",
        "",
        *_table(("models", "tau effect", "tau score"), _among(results)),
        "",
        "### Each case",
        "",
        *_table(ROWS, _rows(results)),
        "",
        "### Which terms matter",
        "",
        "Systemic effect:",
        "",
        *_terms(results, lambda study: study.effect),
        "",
        "Score:",
        "",
        *_terms(results, lambda study: study.score),
        "",
        "### Left out",
        "",
        *_left_out(results),
    ]


SUMMARY = (
    "model", "cases", "schedules", "tau effect", "tau score", "regret, median", "regret, worst",
    "random, median", "percentile, median", "percentile, worst",
)  # fmt: skip


def _summary(results: Sequence[CaseStudy]) -> Iterable[list[str]]:
    for model in _models(results):
        found = [(one.case, s) for one in results for s in one.studies if s.model == model]
        kept = [(case, s) for case, s in found if s.chosen is not None]
        if not kept:
            yield [model, "0", "0", *["-"] * 7]
            continue
        regrets = [(s.chosen.regret, case) for case, s in kept if s.chosen]
        places = [(s.chosen.percentile, case) for case, s in kept if s.chosen]
        worst, lowest = max(regrets), min(places)
        yield [
            model,
            str(len(kept)),
            str(sum(s.accepted for _, s in kept)),
            _spread([s.effect.tau for _, s in kept if s.effect]),
            _spread([s.score.tau for _, s in kept if s.score]),
            f"{np.median([value for value, _ in regrets]):.2f}",
            f"{worst[0]:.2f} ({worst[1]})",
            f"{np.median([s.chosen.random for _, s in kept if s.chosen]):.2f}",
            f"{np.median([value for value, _ in places]):.0f}",
            f"{lowest[0]:.0f} ({lowest[1]})",
        ]


def _among(results: Sequence[CaseStudy]) -> Iterable[list[str]]:
    found = [pair for one in results for pair in one.among]
    for key in dict.fromkeys((pair.first, pair.second) for pair in found):
        mine = [pair for pair in found if (pair.first, pair.second) == key]
        yield [
            " and ".join(key),
            _spread([pair.effect for pair in mine]),
            _spread([pair.score for pair in mine]),
        ]


ROWS = (
    "case", "schedules", "model", "accepted", "tau effect", "rho effect", "tau score", "rho score",
    "regret", "random", "percentile", "tied %", "terms in the effect", "terms in the score",
)  # fmt: skip


def _rows(results: Sequence[CaseStudy]) -> Iterable[list[str]]:
    for one in results:
        number = f"{one.schedules}" + (" (all)" if one.every else "")
        for study in one.studies:
            if study.chosen is not None:
                yield [f"`{one.case}`", number, *_row(study)]


def _row(study: Study) -> list[str]:
    assert study.chosen is not None
    choice = study.chosen
    effect, score = study.effect, study.score
    return [
        study.model,
        str(study.accepted),
        *_correlations(effect),
        *_correlations(score),
        f"{choice.regret:.2f}",
        f"{choice.random:.2f}",
        f"{choice.percentile:.0f}",
        f"{100 * choice.tied:.0f}",
        _strongest(effect),
        _strongest(score),
    ]


def _correlations(found: Agreement | None) -> list[str]:
    return ["-", "-"] if found is None else [_number(found.tau), _number(found.rho)]


def _strongest(found: Agreement | None) -> str:
    if found is None:
        return "-"
    order = sorted(found.terms.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    shown = [f"{name} {change:+.2f}" for name, change in order if abs(change) >= SHOWN]
    return ", ".join(shown[:MOST_TERMS]) or "none"


def _terms(
    results: Sequence[CaseStudy], part: Callable[[Study], Agreement | None]
) -> Iterable[str]:
    """Median, range and number of cases of each term's change of tau, by model."""
    changes: dict[str, dict[str, list[float]]] = {}
    for one in results:
        for study in one.studies:
            found = part(study)
            for term, change in (found.terms if found else {}).items():
                changes.setdefault(term, {}).setdefault(study.model, []).append(change)
    models = [m for m in _models(results) if any(m in by for by in changes.values())]
    rows = [
        [term, *(_spread(changes[term].get(model, [])) for model in models)]
        for term in sorted(changes, key=lambda term: -_weight(changes[term]))
    ]
    return _table(("term", *models), rows)


def _weight(by_model: dict[str, list[float]]) -> float:
    return float(np.max([np.mean(np.abs(values)) for values in by_model.values()]))


def _left_out(results: Sequence[CaseStudy]) -> Iterable[str]:
    """Models that accept too few schedules of a case, and what models refuse."""
    for model in _models(results):
        few = [
            f"{one.case} ({study.accepted})"
            for one in results
            for study in one.studies
            if study.model == model and study.chosen is None
        ]
        reasons: dict[str, int] = {}
        for one in results:
            for study in one.studies:
                if study.model == model:
                    for reason, count in study.refused:
                        reasons[reason] = reasons.get(reason, 0) + count
        if few or reasons:
            why = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
            yield f"* **{model}** refuses: {why or 'nothing'}. Too few accepted: " + (
                ", ".join(few) or "none"
            )


def _models(results: Sequence[CaseStudy]) -> list[str]:
    return list(dict.fromkeys(study.model for one in results for study in one.studies))


def _spread(values: Sequence[float | None]) -> str:
    """Median, range and number of the values that there are."""
    found = [value for value in values if value is not None]
    if not found:
        return "-"
    return (
        f"{_number(float(np.median(found)))} ({_number(min(found))} to {_number(max(found))}; "
        f"{len(found)})"
    )


def _number(value: float | None, digits: int = 2) -> str:
    """A number without a sign at zero; a dash where there is none."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def optima_tables(results: Sequence[CaseOptima]) -> list[str]:
    """Tables of optimum against standard."""
    pairs = [pair for one in results for pair in one.pairs]
    return [
        *environment(),
        "### Wins, ties and losses",
        "",
        *_table(COUNTS, _counts(pairs)),
        "",
        "### Each case",
        "",
        *_table(OPTIMA, _optima(results)),
        "",
        "### Each loss",
        "",
        *_table(LOSSES, (_loss(pair) for pair in pairs if pair.outcome == "loss")),
        "",
        "### Refused",
        "",
        *_table(("case", "model", "reason"), _refused(results)),
        "",
        "### The schedules",
        "",
        *_table(
            ("case", "optimum", "standard regimen", "gain", "standard breaks"), _plans(results)
        ),
    ]


COUNTS = ("model", "quantity", "win", "tie", "loss", "beyond validity: win", "tie", "loss")


def _counts(pairs: Sequence[Pair]) -> Iterable[list[str]]:
    order = [model.name for model in MODELS]
    keys = dict.fromkeys((pair.model, pair.quantity) for pair in pairs)
    for key in sorted(keys, key=lambda key: order.index(key[0])):
        mine = [pair for pair in pairs if (pair.model, pair.quantity) == key]
        counts = [
            str(sum(p.outcome == outcome and bool(p.beyond) == beyond for p in mine))
            for beyond in (False, True)
            for outcome in ("win", "tie", "loss")
        ]
        yield [*key, *counts]


OPTIMA = (
    "case",
    "model",
    "effect: optimum",
    "standard",
    "",
    "score: optimum",
    "standard",
    "",
    "range",
)


def _optima(results: Sequence[CaseOptima]) -> Iterable[list[str]]:
    for one in results:
        for model in dict.fromkeys(pair.model for pair in one.pairs):
            mine = [pair for pair in one.pairs if pair.model == model]
            cells = [_number(v) for p in mine for v in (p.optimum, p.standard)]
            if len(mine) == 1:
                parts = ["-", "-", "-", *cells, mine[0].outcome]
            else:
                parts = [*cells[:2], mine[0].outcome, *cells[2:], mine[1].outcome]
            yield [f"`{one.case}`", model, *parts, _beyond(mine[0])]


def _beyond(pair: Pair) -> str:
    return "beyond validity: " + ", ".join(pair.beyond) if pair.beyond else "kept"


LOSSES = (
    "case", "model", "quantity", "loses by", "surrogate", "the surrogate turns without",
    "what does it in the model",
)  # fmt: skip


def _loss(pair: Pair) -> list[str]:
    return [
        f"`{pair.case}`",
        pair.model + (" (beyond validity)" if pair.beyond else ""),
        pair.quantity,
        f"{-pair.by:.2f}",
        f"{pair.surrogate_by:+.2f}",
        turning(pair),
        reading(pair),
    ]


def _refused(results: Sequence[CaseOptima]) -> Iterable[list[str]]:
    for one in results:
        models: dict[tuple[str, ...], list[str]] = {}
        for model, reasons in one.refused.items():
            models.setdefault(reasons, []).append(model)
        for reasons, names in models.items():
            yield [f"`{one.case}`", ", ".join(names), "; ".join(reasons)]


def _plans(results: Sequence[CaseOptima]) -> Iterable[list[str]]:
    for one in results:
        broken = ", ".join(one.broken) or "nothing"
        yield [f"`{one.case}`", one.optimum, one.standard, f"{one.gain:+.2f}", broken]
