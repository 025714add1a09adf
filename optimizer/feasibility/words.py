"""Members of a conflict in clinical words, and what each lesion has to do with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from abscopt.instances.lesions import DEMANDS
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer.audit.breaks import Break, breaks_of, words_of, worst
from abscopt.optimizer.audit.least import least_courses
from abscopt.optimizer.evaluation.limits import limit_uses
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.feasibility.demanded import treated
from abscopt.optimizer.feasibility.least import least_loading
from abscopt.optimizer.feasibility.members import GIVEN, Member, asks, members_of, without
from abscopt.optimizer.schedule import Fraction, Schedule

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.feasibility.oracle import Oracle

DEMAND_WORDS = {
    "least_bed_gy": "a BED of at least {:g} Gy is demanded",
    "least_eqd2_gy": "an EQD2 of at least {:g} Gy is demanded",
    "least_control": "a control probability of at least {:g} is demanded",
}
RULE_WORDS = {
    "min_days_after_radiation": "starts at least {} d after the last fraction",
    "max_days_after_radiation": "starts at most {} d after the last fraction",
    "min_days_before_radiation": "starts at least {} d before the first fraction",
    "max_days_before_radiation": "starts at most {} d before the first fraction",
    "min_days_between_dose_and_fraction": "every infusion is at least {} d from any fraction",
}
MOST_COURSES = 4_000
"""Courses of one lesion whose uses are looked at: a tenth of a millisecond per limit each."""


def member_words(instance: Instance, member: Member) -> str:
    """`all_sites: 4 lesions are required`."""
    if member.table == "limits":
        limit = next(limit for limit in instance.limits if limit.name == member.name)
        if limit.least_lesions > 0 and member.key != "cap":
            number = limit.least_lesions
            noun = "lesion is" if number == 1 else "lesions are"
            return f"{member.name}: {number} {noun} required"
        return f"{member.name}: {limit.words}"
    if member.table == "lesions":
        lesion = next(lesion for lesion in instance.lesions if lesion.name == member.name)
        return f"{member.name}: " + DEMAND_WORDS[member.key].format(getattr(lesion, member.key))
    if member.key == GIVEN:
        return f"{member.name}: must be given"
    agent = next(agent for agent in instance.agents if agent.name == member.name)
    return f"{member.name}: " + RULE_WORDS[member.key].format(getattr(agent, member.key))


def conflict_words(oracle: Oracle, instance: Instance, conflict: Sequence[Member]) -> list[str]:
    """Each member of a conflict, then the lesions that its caps forbid alone."""
    caps = only(instance, [m for m in conflict if m.table == "limits" and not asks(instance, m)])
    lines = [member_words(instance, member) for member in conflict]
    demanded = {member.name for member in conflict if member.table == "lesions"}
    floors = [m for m in conflict if m.table == "limits" and asks(instance, m)]
    for index in instance.irradiable:
        lesion = instance.lesions[index]
        own_demands = [m for m in conflict if (m.table, m.name) == ("lesions", lesion.name)]
        if demanded and not own_demands and not floors:
            continue
        line = lesion_words(oracle, caps, lesion)
        if line is not None:
            lines.append(line)
    return lines


def only(instance: Instance, members: Sequence[Member]) -> Instance:
    """The case with some limits alone; demands of lesions stay."""
    return without(
        instance,
        [m for m in members_of(instance) if m not in set(members) and m.table != "lesions"],
    )


def lesion_words(oracle: Oracle, caps: Instance, lesion: Lesion) -> str | None:
    """What forbids every course of a lesion alone: `no course keeps cord_max, least use 120 %`.

    None where some course of it keeps the limits of the case `caps`.
    """
    limits = tuple(limit for limit in caps.limits if limit.counts_alone)
    case = alone(caps.unchecked({"limits": limits}), lesion)
    if oracle.schedule(case) is not None:
        return None
    nearest = _nearest(case, lesion)
    if nearest is None:
        return f"{lesion.name}: no course of its menu fits into the case"
    course, breaks = nearest
    if not breaks or oracle.schedule(case.unchecked({"limits": ()})) is None:
        return f"{lesion.name}: no course of its menu has what is demanded"
    names = " and ".join(broken.limit for broken in breaks)
    example = words_of(course)
    return (
        f"{lesion.name}: no course keeps {names} even alone, least use "
        f"{100 * worst(breaks):.4g} % ({example})"
    )


def alone(caps: Instance, lesion: Lesion) -> Instance:
    """The case in which one lesion must be treated, and no other may be."""
    lesions = tuple(
        treated(entry) if entry.name == lesion.name else untreated(entry) for entry in caps.lesions
    )
    return caps.unchecked({"lesions": lesions, "agents": ()})


Nearest = tuple[tuple[Fraction, ...], tuple[Break, ...]]
"""A course, and what it breaks."""


def untreated(lesion: Lesion) -> Lesion:
    """The lesion that cannot be treated, and of which nothing is demanded."""
    nothing: dict[str, object] = {
        "irradiable": False,
        "course": None,
        "techniques": (),
        "sparing": {},
        "histograms": None,
    }
    return lesion.unchecked(nothing | dict.fromkeys(DEMANDS))


def _nearest(
    case: Instance, lesion: Lesion
) -> tuple[tuple[Fraction, ...], tuple[Break, ...]] | None:
    """The course that breaks the limits of a case least, and what it breaks."""
    state = systemic_state(case, ())
    best: Nearest | None = None
    for i, course in enumerate(_courses(case, lesion)):
        if i == MOST_COURSES:
            break
        schedule = Schedule.of(course, ())
        uses = limit_uses(case, schedule, state)
        breaks = breaks_of(case, schedule, case.limits, uses)
        if best is None or _use(breaks) < _use(best[1]):
            best = course, breaks
    return best


def _use(breaks: tuple[Break, ...]) -> float:
    return worst(breaks) if breaks else 0.0


def _courses(case: Instance, lesion: Lesion) -> Iterator[tuple[Fraction, ...]]:
    """Courses that load least, at the greatest of the doses that may be asked for."""
    index = next(i for i, entry in enumerate(case.lesions) if entry.name == lesion.name)
    menu = least_loading(case).lesions[index].course
    if menu is None or menu.form == "free":
        return
    if menu.form == "phases":
        yield from itertools.chain.from_iterable(least_courses(case, lesion))
        return
    for way in lesion.ways:
        for block in menu.blocks:
            dose, per_day = block.levels_gy[-1], block.fractions_per_day
            for number in block.fractions:
                for interval in block.interval_days:
                    for start in menu.start_days:
                        days = course_days(case.calendar, start, number // per_day, interval)
                        if days is not None and days[-1] < case.days:
                            yield tuple(
                                Fraction(day, lesion.name, dose, slot, way.name)
                                for day in days
                                for slot in range(per_day)
                            )
