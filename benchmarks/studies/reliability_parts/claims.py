"""Whether what an answer claims holds: by the judge, and where they are few by all schedules."""

from __future__ import annotations

import math
import warnings
from typing import Any

from brute_force import courses, enumerate_by_judge, plans

from abscopt.instances.schema import Instance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import read_schedule
from reliability_parts.tally import HangError, Tally, time_box

CHECKED_SECONDS = 6.0


MOST_ENUMERATED = 300


def false_proof(document: dict[str, Any], instance: Instance, tally: Tally) -> str | None:
    """What is wrong with an answer; None if nothing is, as far as the judge sees."""
    tally.counts[f"answer {document['status']}"] += 1
    objective, bound = document["objective"], document["bound"]
    if objective is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule = read_schedule(document["schedule"], instance, "answer")
            verdict = Judge(instance).evaluate(schedule)
        if not verdict.admissible or not math.isclose(
            verdict.objective, objective, rel_tol=1e-9, abs_tol=1e-9
        ):
            return (
                f"claims {objective!r}, the judge finds {verdict.objective!r}, {verdict.admissible}"
            )
    if document["status"] not in ("optimal", "infeasible") and bound is None:
        return None
    return _beaten(document, instance, tally)


def _beaten(document: dict[str, Any], instance: Instance, tally: Tally) -> str | None:
    """A schedule that contradicts what is claimed to be proved; only where there are few."""
    try:
        size = len(plans(instance))
        for lesion in instance.lesions:
            course = lesion.course
            if course is not None and course.form == "free" and len(course.days) > 5:
                return None
            size *= len(courses(instance, lesion)) if size <= MOST_ENUMERATED else 1
        if size > MOST_ENUMERATED:
            return None
        with warnings.catch_warnings(), time_box(CHECKED_SECONDS):
            warnings.simplefilter("ignore")
            found = enumerate_by_judge(instance, Judge(instance))
    except HangError:
        return None
    tally.counts["proofs checked by enumeration"] += 1
    bound, best = document["bound"], found.best
    says = f"{document['status']} {document['objective']!r} <= {bound!r}, enumeration {best!r}"
    if best is None:
        return None if document["status"] in ("infeasible", "unknown") else says
    if document["status"] == "infeasible":
        return says
    slack = 1e-6 * max(1.0, abs(best))
    if bound is not None and bound < best - slack:
        return says
    if (
        document["status"] == "optimal"
        and document["objective"] < best - document["requested_gap"] - slack
    ):
        return says
    return None
