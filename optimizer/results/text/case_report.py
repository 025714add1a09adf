"""Text and document of a case: what is asked, before anything is solved."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from abscopt.instances.checks.windows import infusion_rule, not_offered, start_days
from abscopt.instances.menus.phase_timings import phase_timings
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer.audit import case_audit
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT, instance_digest
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import (
    date_words,
    menu_words,
    note_lines,
    title_lines,
)

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.results.text.plain import Table


def instance_report(instance: Instance) -> str:
    """What a case asks, where it comes from, and how many choices it leaves."""
    birth = instance.provenance
    lines: list[object] = [
        *title_lines(instance),
        *note_lines(case_audit(instance).notes),
        "",
        f"Source      {birth.source}",
        f"DOI         {birth.doi or 'none'}",
        f"License     {birth.license}",
    ]
    lines += [f"Measured    {line}" for line in birth.measured]
    lines += [f"Assumed     {line}" for line in birth.assumed]
    lines += [
        f"Calendar    day 0 is {date_words(instance, 0)}; judged on day "
        + ", ".join(str(day) for day in instance.horizon_days),
        f"Objective   {instance.objective.kind}, proof complete at a gap of "
        f"{instance.objective.gap:g} {instance.objective.unit}",
        "",
        _lesion_menu(instance),
        *_limit_list(instance),
    ]
    lines += _systemic_lines(instance)
    lines += _ensemble_lines(instance)
    if instance.standard is not None:
        lines += ["", f"Standard    {instance.standard.name} ({instance.standard.source})"]
    return plain_text([*lines, "", DISCLAIMER])


def _ensemble_lines(instance: Instance) -> list[str]:
    """What is not known of the patient, in one line."""
    stated = instance.ensemble
    if stated is None:
        return []
    name = stated.use or "of the case"
    if stated.members:
        return ["", f"Ensemble    {name}: {len(stated.members)} parameter sets ({stated.source})"]
    drawn = [spread.key for spread in stated.vary] + [choice.name for choice in stated.choices]
    return [
        "",
        f"Ensemble    {name}: {stated.size} parameter sets, seed {stated.seed}; drawn are "
        f"{', '.join(drawn)} ({stated.source})",
    ]


def instance_document(instance: Instance) -> dict[str, Any]:
    """What `instances show --json` prints."""
    treated = [instance.lesions[i] for i in instance.irradiable]
    return {
        "format": FORMAT,
        "kind": "instance",
        "notice": DISCLAIMER,
        "name": instance.name,
        "title": instance.title,
        "instance_digest": instance_digest(instance),
        "raw_courses": {lesion.name: raw_courses(instance, lesion) for lesion in treated},
        "systemic_plans": systemic_plans(instance),
        "not_offered": not_offered(instance),
        "notes": [note.to_json() for note in case_audit(instance).notes],
        "instance": instance.model_dump(mode="json"),
    }


def raw_courses(instance: Instance, lesion: Lesion) -> int:
    """Courses one lesion may receive, 'none' not counted, before any reduction.

    Uniform: over all blocks, techniques x fractions x doses x machine-day starts x intervals
    that end within the horizon.
    Free: any dose level on any choice of at most `max_fractions` days.
    """
    course = lesion.course
    if course is None:
        return 0
    if course.form == "free":
        levels = len(course.levels_gy)
        longest = min(len(course.days), course.max_fractions or len(course.days))
        return sum(math.comb(len(course.days), k) * levels**k for k in range(1, longest + 1))
    if course.form == "phases":
        found = phase_timings(instance, lesion, past_starts=True)
        return sum(math.prod(len(phase.levels_gy) for phase in timing.phases) for timing in found)
    timings = (
        (len(block.levels_gy), _course_days(instance, block, start, fractions, interval))
        for block in course.blocks
        for fractions in block.fractions
        for start in course.start_days
        for interval in block.interval_days
    )
    fitting = (levels for levels, days in timings if days and days[-1] < instance.days)
    return len(lesion.ways) * sum(fitting)


def _course_days(
    instance: Instance, block: CourseBlock, start: int, fractions: int, interval: int
) -> tuple[int, ...] | None:
    treatment_days = fractions // block.fractions_per_day
    return course_days(instance.calendar, start, treatment_days, interval)


def systemic_plans(instance: Instance) -> int:
    """Systemic plans of a case: product over agents of regimens x start days, plus 'none'.

    Start days from which the calendar cannot place every dose do not count.
    """
    return math.prod(
        int(agent.optional) + sum(len(days.offered) for days in start_days(instance, agent))
        for agent in instance.agents
    )


def _lesion_menu(instance: Instance) -> Table:
    table = plain_table(
        "Lesions", "Lesion", "Organ", ">cm3", ">alpha/Gy", ">a/b Gy", "Status", "Course",
        ">Raw courses",
    )  # fmt: skip
    for lesion in instance.lesions:
        table.add_row(
            lesion.name,
            lesion.organ,
            "-" if lesion.volume_cm3 is None else f"{lesion.volume_cm3:g}",
            f"{lesion.alpha_per_gy:g}",
            f"{lesion.alpha_beta_gy:g}",
            lesion.status,
            menu_words(lesion),
            _count(raw_courses(instance, lesion)) if lesion.irradiable else "-",
        )
    return table


def _limit_list(instance: Instance) -> list[object]:
    if not instance.limits:
        return ["No limits."]
    table = plain_table("Limits", "Limit", "Rule", "Status", ">Source")
    sources: dict[str, int] = {}
    unit = instance.objective.unit
    for limit in instance.limits:
        source = limit.source + (f" (doi {limit.doi})" if limit.doi else "")
        number = sources.setdefault(source, len(sources) + 1)
        soft = "" if limit.penalty is None else f" (soft, {limit.penalty:g} {unit})"
        table.add_row(limit.name, limit.words + soft, limit.status, f"[{number}]")
    return [table, *(f"[{number}]  {source}" for source, number in sources.items()), ""]


def _systemic_lines(instance: Instance) -> list[object]:
    if not instance.agents:
        return ["No systemic agents."]
    table = plain_table("Systemic agents", "Agent", "Regimens", "Start days", "Optional")
    for agent in instance.agents:
        window = f"{agent.first_start_day} to {agent.last_start_day}"
        if agent.start_step_days > 1:
            window += f", every {agent.start_step_days}"
        regimens = ", ".join(agent.regimens)
        table.add_row(agent.name, regimens, window, "yes" if agent.optional else "no")
    return [
        table,
        f"Systemic plans  {_count(systemic_plans(instance))}",
        infusion_rule(instance),
        *not_offered(instance),
    ]


def _count(number: int) -> str:
    return str(number) if number < 10**12 else f"{Decimal(number):.2e}"
