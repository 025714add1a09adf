"""What stands beside the answers to a case: its standard regimen, a baseline, the known optimum."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from abscopt.instances.load import CASES
from abscopt.optimizer.crosscheck.arguments import judged_schedule
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.reading.schedule_files import read_document
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.crosscheck.compare import Finding

REFERENCES = CASES.parent / "reference.json"
SAME = 1e-6
"""Relative difference of objectives that rounding explains."""

ReferenceVerdict = Literal["agree", "above", "below", "open", "other_case", "absent"]


@dataclass(frozen=True)
class Beside:
    """Of one case; absent values are None.

    Attributes
    ----------
    standard : verdict on the standard regimen
    baseline : verdict on the schedule that the others are held against
    reference : entry of `instances/reference.json`
    """

    standard: Evaluation | None
    baseline: Evaluation | None
    reference: dict[str, Any] | None

    def cells(self, finding: Finding) -> dict[str, Any]:
        """Columns of a finding's row."""
        standard, baseline, known = self.standard, self.baseline, self.reference or {}
        return {
            "control": control(finding.evaluation),
            "standard_breaks": [] if standard is None else broken(standard),
            "baseline_objective": None if baseline is None else baseline.objective,
            "gain_over_baseline": _gain(finding, baseline),
            "baseline_control": control(baseline),
            "reference_objective": known.get("objective"),
            "reference_bound": known.get("bound"),
            "reference_verdict": held_against(finding, known) if known else None,
        }


def beside(
    instance: Instance, baseline: str | None, by_reference: bool, cross: bool = False
) -> Beside:
    """What stands beside the answers to a case.

    Parameters
    ----------
    baseline : file of a result or schedule; one that belongs to another case counts with `cross`
    by_reference : whether the known optimum is looked up

    Raises
    ------
    InputError
        If the baseline cannot be read or names what the case does not have.
    """
    schedule = standard_schedule(instance)
    standard = None if schedule is None else Judge(instance).evaluate(schedule)
    judged = None
    if baseline is not None and (cross or _is_of(baseline, instance)):
        judged = judged_schedule(baseline, instance, True).evaluation
    reference = None
    if by_reference:
        reference = dict(references().get(instance.name, {})) or {"absent": True}
        if "absent" not in reference:
            reference["here"] = reference["instance_digest"] == instance_digest(instance)
    return Beside(standard, judged, reference)


def _is_of(file: str, instance: Instance) -> bool:
    """Whether a file belongs to a case: it names it, or none."""
    raw = read_file(file, read_document).raw
    named = raw.get("instance") if isinstance(raw, dict) else None
    return named is None or named == instance.name


@cache
def references() -> dict[str, dict[str, Any]]:
    """Known optima of the bundled cases, by name."""
    listed: dict[str, dict[str, Any]] = json.loads(REFERENCES.read_text(encoding="utf-8"))
    return listed


def held_against(finding: Finding, known: dict[str, Any]) -> ReferenceVerdict:
    """How an answer stands to the known optimum, which lies from its objective to its bound.

    `above`: a judged schedule beats the known bound; `below`: the answer's bound excludes the
    known schedule; both mean that one of the two is wrong. `open`: the answer is not proved.
    """
    if "absent" in known:
        return "absent"
    if not known["here"]:
        return "other_case"
    objective, bound = known["objective"], known["bound"]
    small = SAME * max(1.0, abs(objective or 0.0))
    if finding.value is not None and bound is not None and finding.value > bound + small:
        return "above"
    if objective is not None:
        excluded = finding.status == "infeasible"
        limit = finding.claimed_bound if finding.claimed_bound is not None else finding.bound
        if excluded or (limit is not None and limit < objective - small):
            return "below"
    return "agree" if finding.status in ("optimal", "infeasible") else "open"


def control(evaluation: Evaluation | None) -> dict[str, float]:
    """Probability of control of each lesion at the last horizon."""
    lesions = evaluation.lesions if evaluation else ()
    return {lesion.name: lesion.control_probability[-1] for lesion in lesions}


def broken(evaluation: Evaluation) -> list[str]:
    """Rules and limits that a schedule breaks."""
    return [*evaluation.broken_rules, *evaluation.broken_limits]


def _gain(finding: Finding, baseline: Evaluation | None) -> float | None:
    if finding.value is None or baseline is None:
        return None
    return finding.value - baseline.objective
