"""How large a case is, counted before anything is built from it.

The numbers bound what the optimizer would have to tabulate: courses of a lesion on its menu,
doses by days of a free course, combinations of what the agents may do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock
    from abscopt.instances.schema import Instance

MOST_COURSES, USUAL_COURSES = 3_000_000, 50_000
"""Of one lesion's menu; ten million courses of six lesions were searched in 4 GB, and the largest
bundled menu has 29 754."""
MOST_FREE, USUAL_FREE = 50_000, 2_000
"""Days times doses of a free course: a binary variable of the programme for each."""
MOST_PHASED, USUAL_PHASED = 200_000, 20_000
"""Of one menu of phases: each course is listed with the dose of every fraction and of every day,
some seconds and 300 MB for the most."""
MOST_PLANS, USUAL_PLANS = 1_000_000, 5_000
"""What all agents may do together; the largest bundled case has 430 plans."""
MOST_PATTERN_DAYS = 30_000_000
"""Day patterns of one menu (start, interval, number) times days of the case: ten bytes for each;
the largest bundled case has 1 % of it."""
MOST_INFUSIONS = 400_000
"""Doses of all cycles of an agent's regimens times its start days: each date is looked up, 2 us."""
MOST_LOADS = 500_000_000
"""Courses of all lesions times limits: each load is a number of 8 bytes, stored once for courses
that differ in their days only."""


def menu_size(lesion: Lesion) -> int:
    """Number of courses of a menu, of phases at most; doses times days of a free one; 0 without."""
    course = lesion.course
    if course is None:
        return 0
    if course.form == "free":
        return len(course.days) * _levels(course.doses_gy)
    if course.form == "phases":
        return course.sizes(len(lesion.ways))[0]
    return len(lesion.ways) * len(course.start_days) * sum(_shapes(b) for b in course.blocks)


def _shapes(block: CourseBlock) -> int:
    counts, intervals = len(set(block.fractions)), len(set(block.interval_days))
    return counts * intervals * _levels(block.doses_gy)


def _patterns(lesion: Lesion) -> int:
    """Starts, intervals and numbers of fractions of a uniform menu."""
    course = lesion.course
    if course is None or course.form == "free":
        return 0
    if course.form == "phases":
        return course.sizes(len(lesion.ways))[1]
    each = (len(set(b.fractions)) * len(set(b.interval_days)) for b in course.blocks)
    return len(course.start_days) * sum(each)


def _levels(doses: object) -> int:
    from abscopt.instances.tables.doses import DoseGrid

    if isinstance(doses, DoseGrid):
        return int((doses.max_gy - doses.min_gy) / doses.step_gy + 1e-9) + 1
    assert isinstance(doses, tuple)
    return len(set(doses))


def number_of_plans(instance: Instance) -> int:
    """Number of combinations of regimens and start days of all agents, 'not given' included."""
    return math.prod(
        int(agent.optional) + len(agent.regimens) * len(agent.start_days)
        for agent in instance.agents
    )


def too_large(instance: Instance) -> Iterator[tuple[str, object, str]]:
    """(place, value, rule) of every size that no memory holds."""
    large = False
    for i, lesion in enumerate(instance.lesions):
        size, free = menu_size(lesion), lesion.course is not None and lesion.course.form == "free"
        most = MOST_FREE if free else MOST_COURSES
        if lesion.course is not None and lesion.course.form == "phases":
            most = MOST_PHASED
        if size > most:
            large = True
            what = "doses on days" if free else "courses"
            rule = f"at most {most} on one menu: give fewer doses, numbers, intervals or start days"
            yield f"lesions[{i}].course", f"{size} {what}", rule
        elif not free and _patterns(lesion) * instance.days > MOST_PATTERN_DAYS:
            large = True
            value = f"{_patterns(lesion)} day patterns over {instance.days} days"
            rule = f"at most {MOST_PATTERN_DAYS // instance.days}: give fewer start days, intervals"
            yield f"lesions[{i}].course", value, rule + " or numbers of fractions"
    loads = sum(map(menu_size, instance.lesions)) * max(1, len(instance.limits))
    if loads > MOST_LOADS and not large:
        value = f"{loads} loads of courses on limits"
        yield "lesions", value, f"at most {MOST_LOADS} in a case: shorten the menus"
    for i, agent in enumerate(instance.agents):
        known = [instance.regimens[r] for r in agent.regimens if r in instance.regimens]
        doses = sum(len(doses) for r in known for _, doses in r.cycles_in_order(r.all_cycles))
        if doses * len(agent.start_days) > MOST_INFUSIONS:
            value = f"{doses} doses from {len(agent.start_days)} start days"
            rule = f"at most {MOST_INFUSIONS} in all: fewer start days, cycles or doses of a cycle"
            yield f"agents[{i}]", value, rule
    plans = number_of_plans(instance)
    if plans > MOST_PLANS:
        rule = f"at most {MOST_PLANS} combinations of all agents: widen start_step_days"
        yield "agents", f"{plans} plans", rule


def unusual_sizes(instance: Instance) -> Iterator[tuple[str, dict[str, object]]]:
    """(place, facts) of every size that may take long, or much memory."""
    for i, lesion in enumerate(instance.lesions):
        size, free = menu_size(lesion), lesion.course is not None and lesion.course.form == "free"
        usual = USUAL_FREE if free else USUAL_COURSES
        if lesion.course is not None and lesion.course.form == "phases":
            usual = USUAL_PHASED
        if size > usual:
            what = "doses on days" if free else "courses"
            facts = {"what": f"the menu of {lesion.name}", "size": size, "of": what, "usual": usual}
            yield f"lesions[{i}].course", facts
    plans = number_of_plans(instance)
    if plans > USUAL_PLANS:
        facts = {"what": "what the agents may do", "size": plans, "of": "plans"}
        yield "agents", {**facts, "usual": USUAL_PLANS}
