"""Text for a person: an instance, a judged schedule, a result; and its files as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from abscopt.optimizer.audit import evaluation_notes
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import (
    NOT_JUDGED,
    course_rows,
    date_words,
    no_radiation_words,
    note_lines,
    title_lines,
)

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation, LesionOutcome, LimitUse
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.results.text.plain import Table
    from abscopt.optimizer.schedule import Schedule

HEADLINES = {
    "optimal": "Optimal within the stated gap.",
    "feasible": "A schedule that keeps every limit; its distance from the optimum is the gap.",
    "infeasible": "Infeasible: proven that no schedule of this case keeps every hard limit.",
    "unknown": "No schedule was found in the time given, and none was excluded.",
}


def solve_report(
    result: Result, instance: Instance, robustness: Sequence[str] = (NOT_JUDGED,)
) -> str:
    """Everything a result says: schedule, outcome, limits, proof, standard regimen.

    Parameters
    ----------
    robustness : lines on how the answer fares in an ensemble
    """
    head: list[object] = [*title_lines(instance), HEADLINES[result.status]]
    if result.schedule is not None:
        head += robustness
    lines: list[object] = [*head, *note_lines(result.notes), ""]
    if result.schedule is not None and result.evaluation is not None:
        reason = no_radiation_words(instance, result.schedule, result.notes)
        lines += schedule_parts(result.schedule, instance, reason)
        lines += evaluation_parts(result.evaluation, instance)
    lines += _proof_parts(result, instance)
    if result.standard is not None:
        lines += _standard_parts(result, instance)
    return plain_text([*lines, "", DISCLAIMER])


def evaluation_report(evaluation: Evaluation, schedule: Schedule, instance: Instance) -> str:
    """The judge's verdict on one schedule."""
    notes = note_lines(evaluation_notes(instance, evaluation))
    verdict = [_verdict(evaluation), *_menu_lines(evaluation)]
    head = [*title_lines(instance), *verdict, *notes, ""]
    objective = f"Objective  {_amount(evaluation.objective, evaluation.unit)}"
    return plain_text(
        [
            *head,
            *schedule_parts(schedule, instance),
            *evaluation_parts(evaluation, instance),
            objective,
            "",
            DISCLAIMER,
        ]
    )


def schedule_parts(
    schedule: Schedule, instance: Instance, without: str = "No radiation."
) -> list[object]:
    """Radiation and drugs as tables, or words where there are none."""
    paragraphs: list[object] = []
    if schedule.fractions:
        table = plain_table("Radiation", "Lesion", ">Fractions", "First", "Last", "Days")
        for lesion in instance.lesions:
            ways = schedule.techniques(lesion.name)
            runs = groupby(zip(ways, schedule.course(lesion.name), strict=True), lambda f: f[0])
            for way, run in runs:
                name = f"{lesion.name} ({way})" if way else lesion.name
                for row in course_rows([fraction for _, fraction in run], instance):
                    table.add_row(name, *row)
        paragraphs.append(table)
    else:
        paragraphs += [without, ""]
    if schedule.infusions:
        table = plain_table("Drugs", "Drug", ">Doses", "Dates (day)")
        by_drug = sorted(schedule.infusions, key=lambda i: (i.drug, i.dose_mg, i.day))
        for (drug, milligrams), infusions in groupby(by_drug, key=lambda i: (i.drug, i.dose_mg)):
            days = [i.day for i in infusions]
            dates = [date_words(instance, day) for day in days]
            lines = [", ".join(dates[i : i + 3]) for i in range(0, len(dates), 3)]
            table.add_row(drug, f"{len(days)} x {milligrams:g} mg", ",\n".join(lines))
        paragraphs.append(table)
    else:
        paragraphs += ["No drugs.", ""]
    return paragraphs


def evaluation_parts(evaluation: Evaluation, instance: Instance) -> list[object]:
    """What the judge finds: lesions, limits, rules, lymphocytes, systemic effect."""
    lines: list[object] = [
        _lesion_outcomes(evaluation, instance),
        *_spread_lines(instance),
        *_clone_lines(evaluation, instance),
    ]
    if evaluation.limits:
        lines.append(_limit_uses(evaluation, instance))
    else:
        lines += ["The case states no limits.", ""]
    if evaluation.exceeded_soft:
        names = ", ".join(evaluation.exceeded_soft)
        lines += [f"Soft limits exceeded  {names}: {evaluation.soft_cost:.4f} {evaluation.unit}"]
    lines += [f"Broken rule: {rule}" for rule in evaluation.broken_rules]
    counts = evaluation.lymphocytes
    nadir = f"Lymphocytes  nadir {counts['nadir_1e9_per_l']:.3f} x 1e9/L"
    if counts["nadir_day"] is None:
        nadir += " (no fraction day)"
    else:
        nadir += f" on {date_words(instance, counts['nadir_day'])}"
    effect = zip(instance.horizon_days, evaluation.immune["systemic_effect_nats"], strict=True)
    lines += [
        f"{nadir}; before treatment {counts['initial_1e9_per_l']:g}",
        "Systemic effect  " + ", ".join(f"{z:.4f} nat to day {day}" for day, z in effect),
        "",
    ]
    return lines


def _lesion_outcomes(evaluation: Evaluation, instance: Instance) -> Table:
    last = instance.horizon_days[-1]
    table = plain_table(
        "Lesions", "Lesion", ">Dose Gy", ">Fractions", ">Gy each", ">BED Gy", ">Tumor BED Gy",
        f">Control day {last}",
    )  # fmt: skip
    for outcome in evaluation.lesions:
        per_fraction = outcome.dose_per_fraction_gy
        table.add_row(
            outcome.name,
            f"{outcome.dose_gy:g}" if outcome.fractions else "-",
            str(outcome.fractions) if outcome.fractions else "-",
            f"{per_fraction:g}"
            if per_fraction is not None
            else ("varies" if outcome.fractions else "-"),
            f"{outcome.bed_gy:.2f}" if outcome.fractions else "-",
            f"{outcome.tumor_bed_gy:.2f}" if outcome.fractions else "-",
            _control(outcome),
        )
    return table


def _control(outcome: LesionOutcome) -> str:
    chance = f"{100 * outcome.control_probability[-1]:.2f} %"
    return f"conceded ({chance})" if outcome.conceded else chance


def _spread_lines(instance: Instance) -> list[object]:
    """Whose control is that of a population of patients."""
    spread = [f"{lesion.name} {lesion.alpha_cv:g}" for lesion in instance.lesions if lesion.spread]
    if not spread:
        return []
    return [
        "Control is a mean over patients; coefficient of variation of alpha: " + ", ".join(spread),
        "",
    ]


def _clone_lines(evaluation: Evaluation, instance: Instance) -> list[object]:
    """Log burden clone by clone, and lesions too large for the systemic effect."""
    lines: list[object] = []
    for outcome, lesion in zip(evaluation.lesions, instance.lesions, strict=True):
        if lesion.clones:
            burdens = ", ".join(
                f"{clone.name} {burden[-1]:.2f}"
                for clone, burden in zip(lesion.clones, outcome.clone_log_burden, strict=True)
            )
            lines.append(
                f"Clones of {outcome.name}  ln clonogens on day {instance.days}: {burdens}"
            )
    barred = [outcome.name for outcome in evaluation.lesions if not outcome.credited]
    if barred:
        lines.append(f"Too large for systemic effect  {', '.join(barred)}")
    return [*lines, ""] if lines else []


def _limit_uses(evaluation: Evaluation, instance: Instance) -> Table:
    table = plain_table(
        "Limits (* binding, ~ soft)", "", "Limit", ">Value", "", ">Bound", "Unit", ">Use %"
    )  # fmt: skip
    for use, limit in zip_longest(evaluation.limits, instance.limits):
        unknown = "-" if use.kept else "beyond the table"
        table.add_row(
            _mark(use),
            use.name,
            unknown if use.value is None else f"{use.value:.5g}",
            ">=" if _is_floor(use, limit) else "<=",
            f"{use.bound:g}",
            use.unit,
            "-" if use.use is None else f"{100 * use.use:.1f}",
        )
    return table


def _mark(use: LimitUse) -> str:
    if use.broken:
        return "BROKEN"
    soft = "~" if use.soft else ""
    return soft + ("exceeded" if not use.kept else "*" if use.binding else "")


def _is_floor(use: LimitUse, limit: AnyLimit | None) -> bool:
    """Whether a limit is one from below; demands of lesions are no limits of the case's list."""
    return limit is None or limit.from_below(use.value)


def _proof_parts(result: Result, instance: Instance) -> list[object]:
    unit, run = result.unit, result.solver
    lines: list[object] = [
        f"Objective  {_amount(result.objective, unit)}",
        f"Bound      {_amount(result.bound, unit)}",
        f"Gap        {_amount(result.gap, unit)} (asked for {result.requested_gap:g} {unit})",
        f"Proved     {result.certificate.claim}",
    ]
    if result.certificate.objective_form:
        lines.append(f"Stated as  {result.certificate.objective_form}")
    if result.certificate.reductions:
        steps = (f"{step.pairs} ({step.name})" for step in result.certificate.reductions)
        lines.append(f"Reduced    pairs of plan and course: {', then '.join(steps)}")
    for name, size in result.certificate.approximation_errors.items():
        lines.append(f"Inside it  {name}: {size:.3g} {unit}")
    return [
        *lines,
        f"Second stage  {result.certificate.second_stage}{_preferred(instance)}; "
        f"best objective before it {_amount(result.certificate.best_objective, unit)}",
        f"Proved by  {run.proved_by or 'nothing'}",
        f"Solver     {run.name} {run.version}, method {run.method}, {run.seconds:.2f} s, seed "
        f"{result.seed}; {run.columns} choices for lesions and {run.plans} systemic plans "
        f"considered, {run.nodes} nodes",
    ]


def _preferred(instance: Instance) -> str:
    """What the case prefers among schedules within the gap."""
    wanted = instance.objective.prefer
    return "" if wanted is None else f" by {', '.join(wanted)}"


def _standard_parts(result: Result, instance: Instance) -> list[object]:
    standard, regimen = result.standard, instance.standard
    assert standard is not None
    assert regimen is not None
    lines: list[object] = ["", f"Standard regimen: {regimen.name} ({regimen.source})"]
    lines.append(f"  Objective  {_amount(standard.objective, standard.unit)}")
    if result.objective is not None:
        gain = result.objective - standard.objective
        lines.append(f"  Gain of the schedule above  {gain:+.4f} {standard.unit}")
    chances = (f"{outcome.name} {_control(outcome)}" for outcome in standard.lesions)
    lines.append(f"  Control on day {instance.days}  " + ", ".join(chances))
    lines += ["  " + line for line in (_verdict(standard), *_menu_lines(standard))]
    return lines


def _verdict(evaluation: Evaluation) -> str:
    broken = []
    if evaluation.feasible:
        soft = len(evaluation.exceeded_soft)
        broken.append(f"Keeps every {'hard ' if soft else ''}limit and rule of the case.")
    if evaluation.broken_limits:
        broken.append("Breaks the limits: " + ", ".join(evaluation.broken_limits) + ".")
    if evaluation.broken_rules:
        broken.append("Breaks the rules: " + "; ".join(evaluation.broken_rules) + ".")
    return " ".join(broken)


def _menu_lines(evaluation: Evaluation) -> list[str]:
    """What of a schedule the case does not offer; the verdict does not depend on it."""
    return [f"Not on the menu: {'; '.join(evaluation.off_menu)}."] if evaluation.off_menu else []


def _amount(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.4f} {unit}"
