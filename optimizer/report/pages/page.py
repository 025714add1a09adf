"""Answers on one HTML page that needs nothing else: no network, no script.

Texts of a case are escaped by Jinja2; pictures are inline SVG. The page is the same bytes for the
same answers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from abscopt.optimizer.report import plots
from abscopt.optimizer.report.pages.inline import Styles, inline_svg
from abscopt.optimizer.report.pages.parameters import Group, by_source, parameters
from abscopt.optimizer.report.words import (
    decision,
    gain_words,
    percent,
    prescription,
    proof_words,
    robustness_words,
    untreated_words,
)
from abscopt.optimizer.results.result import DISCLAIMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.report.finding import Finding

INNERMOST = re.compile(r"\{[^{}\[\]]*\}")
"""Objects of JSON without others in them."""
TEMPLATE = Path(__file__).parent / "page.html.jinja"
PICTURES = {
    "calendar": "Days of fractions (squares, with their dose in Gy) and of infusions (diamonds); "
    "shaded days have no radiation.",
    "limits": "Use of each limit in percent of what it allows; the line is the limit.",
    "control": "Probability of control of each lesion at the end of the case.",
    "curves": "Burden of each lesion, T cells, drug and lymphocytes over time, as the judge "
    "computes them.",
}
"""Pictures of a page and what they show, which is also their text for readers."""


@dataclass(frozen=True)
class LesionRow:
    """One lesion on the page; doses in Gy."""

    name: str
    organ: str
    prescription: str
    bed: float | None
    eqd2: float | None
    control: str
    standard: str
    standard_control: str


@dataclass(frozen=True)
class Section:
    """What the page says of one answer."""

    finding: Finding
    label: str
    anchor: str
    decision: list[str]
    gain: str
    proof: str
    robustness: str
    untreated: list[str]
    notes: list[str]
    lesions: list[LesionRow]
    pictures: list[tuple[str, str, Markup]]
    parameters: list[Group]
    shared: dict[str, list[str]]
    input: Markup
    versions: dict[str, str]


def page(findings: Sequence[Finding]) -> str:
    """The page of one or several answers."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    styles, listed = Styles(), dict[Group, str]()
    sections = [
        section(finding, number, label, styles, listed)
        for number, (finding, label) in enumerate(
            zip(findings, labels(findings), strict=True), start=1
        )
    ]
    return template.render(
        sections=sections,
        disclaimer=DISCLAIMER,
        percent=percent,
        styles_of_pictures=Markup(styles.css()),
    )


def labels(findings: Sequence[Finding]) -> list[str]:
    """What tells answers apart on a page: the case, and the file where cases repeat."""
    cases = Counter(finding.case.name for finding in findings)
    return [
        finding.case.name
        if cases[finding.case.name] == 1
        else f"{finding.case.name}, {finding.label}"
        for finding in findings
    ]


def section(
    finding: Finding, number: int, label: str, styles: Styles, listed: dict[Group, str]
) -> Section:
    """One answer.

    Styles of its pictures go to `styles`, parameters that it lists to `listed`, with its label;
    those that an answer before it lists are only named.
    """
    notes = finding.document.get("notes") or []
    groups = by_source(parameters(finding.case))
    shared: dict[str, list[str]] = {}
    for group in groups:
        if group in listed:
            shared.setdefault(listed[group], []).append(group[0].table)
    new = [group for group in groups if group not in listed]
    listed.update(dict.fromkeys(new, label))
    return Section(
        finding=finding,
        label=label,
        anchor=f"answer-{number}",
        decision=decision(finding),
        gain=gain_words(finding),
        proof=proof_words(finding),
        robustness=robustness_words(finding),
        untreated=untreated_words(finding),
        notes=[str(note.get("text")) for note in notes],
        lesions=_lesions(finding),
        pictures=_pictures(finding, number, styles),
        parameters=new,
        shared=shared,
        input=_echo(finding),
        versions={
            key: str(value) for key, value in (finding.document.get("versions") or {}).items()
        },
    )


def _lesions(finding: Finding) -> list[LesionRow]:
    if finding.evaluation is None or finding.schedule is None:
        return []
    standard = {} if finding.standard is None else {s.name: s for s in finding.standard.lesions}
    rows = []
    for lesion, outcome in zip(finding.case.lesions, finding.evaluation.lesions, strict=True):
        treated = outcome.fractions > 0
        usual, regimen = standard.get(lesion.name), finding.regimen
        rows.append(
            LesionRow(
                name=lesion.name,
                organ=lesion.organ,
                prescription=prescription(finding.schedule, lesion.name),
                bed=outcome.bed_gy if treated else None,
                eqd2=lesion.eqd2(outcome.bed_gy) if treated else None,
                control=percent(outcome.control_probability[-1]),
                standard="" if regimen is None else prescription(regimen, lesion.name),
                standard_control="" if usual is None else percent(usual.control_probability[-1]),
            )
        )
    return rows


def _pictures(finding: Finding, number: int, styles: Styles) -> list[tuple[str, str, Markup]]:
    """Kind, text and SVG of each picture; ids of several answers differ."""
    if finding.schedule is None:
        return []
    pictures = []
    for kind, text in PICTURES.items():
        svg = plots.svg_text(plots.figure_of(finding, kind))
        pictures.append((kind, text, Markup(inline_svg(svg, f"a{number}{kind}", styles))))
    return pictures


def _echo(finding: Finding) -> Markup:
    """The schedule and the case's changes as JSON, a line for each fraction and infusion."""
    document = finding.document
    echoed: dict[str, Any] = {
        key: document.get(key)
        for key in ("instance", "instance_digest", "changes", "requested_gap", "seed", "schedule")
        if document.get(key) is not None
    }
    text = json.dumps(echoed, indent=1)
    flat = INNERMOST.sub(lambda match: " ".join(match[0].split()), text)
    return Markup(escape(flat, quote=False))
