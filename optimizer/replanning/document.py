"""A rest chosen anew, for a person and as one document: old plan and new side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from abscopt.instances.history.past import past_of
from abscopt.instances.history.rests import missed_days
from abscopt.optimizer.replanning.left_behind import left_behind, left_lines
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.report import solve_report
from abscopt.optimizer.results.text.wording import NOT_JUDGED, date_words
from abscopt.optimizer.schedule import given_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.replanning.replan import Judged, Replan
    from abscopt.optimizer.results.text.plain import Table
    from abscopt.optimizer.schedule import Schedule


def document(study: Replan) -> dict[str, Any]:
    """One JSON document."""
    case, past = study.case, past_of(study.case)
    return {
        "format": FORMAT,
        "kind": "replan",
        "notice": DISCLAIMER,
        "instance": case.name,
        "today": None if past is None else past.today,
        "left_behind": None if past is None else left_behind(case, past),
        "unit": study.result.unit,
        "planned": _judged(study.planned, case),
        "resumed": _judged(study.resumed, case),
        "stopped": _judged(study.stopped, case),
        "interruption_cost": study.cost,
        "gain": study.gain,
        "changes": [
            {"what": step.what, "gain_alone": step.gain, "text": text}
            for step, text in zip(study.steps, change_texts(study), strict=True)
        ],
        "obstacle": study.obstacle,
        "result": study.result.to_json(case),
    }


def _judged(judged: Judged | None, case: Instance) -> dict[str, Any] | None:
    if judged is None:
        return None
    verdict = judged.evaluation
    return {
        "objective": verdict.objective,
        "feasible": verdict.feasible,
        "broken_limits": list(verdict.broken_limits),
        "broken_rules": list(verdict.broken_rules),
        **({"off_menu": list(verdict.off_menu)} if verdict.off_menu else {}),
        "schedule": judged.schedule.to_json(case),
    }


def text(study: Replan) -> str:
    """The comparison, then the report of the new rest."""
    old = None if study.resumed is None else study.resumed.schedule
    table = rest_table(study.case, old, study.result.schedule)
    lines = [*start_lines(study.case), "", table, *_values(study), *_why(study), ""]
    report = solve_report(study.result, study.case, (NOT_JUDGED,))
    return plain_text(lines).rstrip("\n") + "\n\n" + report


def start_lines(case: Instance) -> Iterator[str]:
    """What was given and missed until today."""
    past = past_of(case)
    if past is None:
        yield f"{case.name}: nothing was given yet; this is the answer of solve."
        return
    yield f"{case.name}: the rest of a treatment, from {date_words(case, past.today)} on"
    so_far = [*_lesions_given(case), *_drugs(given_schedule(case))]
    yield f"Given    {', '.join(so_far) or 'nothing'}"
    missed = [
        f"{lesion.name} {days} treatment day{'s' * (days > 1)}"
        for lesion in case.lesions
        if (days := missed_days(case, past, lesion.name))
    ]
    if missed:
        yield f"Missed   {', '.join(missed)}"
    yield from left_lines(case, past)
    if past.planned_fractions is None:
        yield "Planned  not known: state a plan to see what the interruption costs"


def _lesions_given(case: Instance) -> Iterator[str]:
    past = past_of(case)
    assert past is not None
    for lesion in case.lesions:
        course = past.course(lesion.name)
        if course:
            yield f"{lesion.name} {doses_words(course)}"


def _drugs(schedule: Schedule) -> Iterator[str]:
    ordered = sorted(schedule.infusions, key=lambda i: (i.drug, i.dose_mg))
    for (drug, mg), group in groupby(ordered, key=lambda i: (i.drug, i.dose_mg)):
        yield f"{drug} {len(list(group))} x {mg:g} mg"


def doses_words(course: Sequence[tuple[int, float, int]]) -> str:
    """`10 x 2 Gy`, `5 x 2 Gy + 3 x 3 Gy`."""
    runs = [(gy, len(list(group))) for gy, group in groupby(gy for _, gy, _ in course)]
    return " + ".join(f"{number} x {gy:g} Gy" for gy, number in runs)


def rest_words(course: Sequence[tuple[int, float, int]], today: int) -> str:
    """`25 x 2 Gy, days 21 to 46, 5 with two`; `nothing more`."""
    further = [fraction for fraction in course if fraction[0] >= today]
    if not further:
        return "nothing more"
    days = [day for day, _, _ in further]
    doubled = len(days) - len(set(days))
    span = f"day {days[0]}" if days[0] == days[-1] else f"days {days[0]} to {days[-1]}"
    return f"{doses_words(further)}, {span}" + (f", {doubled} with two" if doubled else "")


def _infusion_words(schedule: Schedule, drug: str, today: int) -> str:
    days = [i.day for i in schedule.infusions if i.drug == drug and i.day >= today]
    if not days:
        return "nothing more"
    return f"{len(days)} doses, day {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "")


def rest_table(case: Instance, old: Schedule | None, answer: Schedule | None) -> Table:
    """The plan resumed and the new rest side by side."""
    table = plain_table("The rest", "", "Plan resumed", "New")
    past = past_of(case)
    today = 0 if past is None else past.today
    for lesion in case.lesions:
        if lesion.irradiable:
            table.add_row(
                lesion.name,
                "-" if old is None else rest_words(old.course(lesion.name), today),
                "-" if answer is None else rest_words(answer.course(lesion.name), today),
            )
    drugs = {i.drug for schedule in (old, answer) if schedule for i in schedule.infusions}
    for drug in sorted(drugs):
        table.add_row(
            drug,
            "-" if old is None else _infusion_words(old, drug, today),
            "-" if answer is None else _infusion_words(answer, drug, today),
        )
    return table


def _values(study: Replan) -> Iterator[str]:
    """What each way is worth, and what the interruption costs."""
    unit = study.result.unit
    if study.planned is not None:
        yield f"Plan as it was   {_worth(study.planned.evaluation, rules=False)}"
    if study.resumed is not None:
        cost = "" if study.cost is None else f"; the interruption costs {study.cost:.4f} {unit}"
        yield f"Plan resumed     {_worth(study.resumed.evaluation)}{cost}"
    yield f"Nothing more     {_worth(study.stopped.evaluation)}"
    if study.result.objective is not None:
        gain = ""
        if study.gain is not None:
            feasible = study.resumed is not None and study.resumed.evaluation.admissible
            gain = f"; {study.gain:+.4f} {unit} against the plan resumed"
            gain += "" if feasible else ", which may not be given"
        yield f"New              {study.result.objective:.4f} {unit}{gain}"
    if study.obstacle is not None:
        yield f"Infeasible       {study.obstacle}"


def _worth(verdict: Evaluation, rules: bool = True) -> str:
    """Objective, and what is broken; of a plan that is past only limits, not days closed since."""
    worth = f"{verdict.objective:.4f} {verdict.unit}"
    broken = [*verdict.broken_limits, *(verdict.obstacles if rules else ())]
    return worth + (f" (breaks {'; '.join(broken)})" if broken else "")


def _why(study: Replan) -> Iterator[str]:
    for line in change_texts(study):
        yield f"Change           {line}"
    if study.resumed is not None and study.result.schedule is not None and not study.steps:
        yield "Change           none: the plan resumed is the best rest"
    verdict = study.result.evaluation
    binding = [] if verdict is None else [use.name for use in verdict.limits if use.binding]
    if binding:
        yield f"Binding          {', '.join(binding)}"


def change_texts(study: Replan) -> list[str]:
    """What changes in each lesion or drug against the plan resumed, and what it is worth."""
    return [_change(study, step.what, step.gain) for step in study.steps]


def _change(study: Replan, what: str, gain: float | None) -> str:
    old, schedule = study.resumed, study.result.schedule
    verdict_now = study.result.evaluation
    assert old is not None and schedule is not None and verdict_now is not None
    past = past_of(study.case)
    today = 0 if past is None else past.today
    names = [lesion.name for lesion in study.case.lesions]
    if what in names:
        before, after = old.schedule.course(what), schedule.course(what)
        words = f"{what}: {rest_words(after, today)} in place of {rest_words(before, today)}"
        first, second = (
            next(lesion for lesion in verdict.lesions if lesion.name == what)
            for verdict in (old.evaluation, verdict_now)
        )
        words += (
            f"; tumor BED {first.tumor_bed_gy:.2f} to {second.tumor_bed_gy:.2f} Gy, control "
            f"{100 * first.control_probability[-1]:.1f} to "
            f"{100 * second.control_probability[-1]:.1f} %"
        )
    else:
        words = (
            f"{what}: {_infusion_words(schedule, what, today)} in place of "
            f"{_infusion_words(old.schedule, what, today)}"
        )
    alone = "not by itself within the limits" if gain is None else f"by itself {gain:+.4f}"
    return f"{words} ({alone}{'' if gain is None else ' ' + study.result.unit})"
