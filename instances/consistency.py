"""Cross-checks of a whole instance: names that refer to nothing, windows outside the horizon.

Each problem is (place, value, rule). Everything here needs no solving; a case that breaks a
rule is wrong input, not an infeasible problem.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from abscopt.instances.limits import (
    AlcLimit,
    BedLimit,
    DoseByFractionsLimit,
    DrugLimit,
    EdricLimit,
    LogisticsLimit,
    MeanEqd2Limit,
    MeanLimit,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance, Lesion

Problem = tuple[str, object, str]


def problems(instance: Instance) -> list[Problem]:
    """All broken cross-references and contradictions of a case."""
    checks = (_names, _horizons, _shares, _sparing, _courses, _limits, _systemic, _standard)
    return [problem for check in checks for problem in check(instance)]


def _repeated(place: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield place, name, "names must be unique"


def _names(instance: Instance) -> Iterator[Problem]:
    yield from _repeated("lesions", (lesion.name for lesion in instance.lesions))
    yield from _repeated("limits", (limit.name for limit in instance.limits))
    yield from _repeated("agents", (agent.name for agent in instance.agents))


def _horizons(instance: Instance) -> Iterator[Problem]:
    days = instance.horizon_days
    if any(b <= a for a, b in itertools.pairwise(days)):
        yield "horizon_days", list(days), "horizons must increase"


def _shares(instance: Instance) -> Iterator[Problem]:
    for key in ("effector_share", "precursor_share"):
        total = sum(getattr(lesion, key) for lesion in instance.lesions)
        if total > 1 + 1e-9:
            yield f"lesions.{key}", round(total, 9), "the shares of all lesions must not exceed 1"


def _treatment_days(lesion: Lesion, instance: Instance) -> range | tuple[int, ...]:
    course = lesion.course
    if course is None:
        return ()
    if course.form == "free":
        return course.days
    return range(course.first_start_day, instance.days)


def _sparing(instance: Instance) -> Iterator[Problem]:
    for i, lesion in enumerate(instance.lesions):
        for organ, points in lesion.sparing.items():
            place = f"lesions[{i}].sparing.{organ}"
            if organ not in instance.organs:
                yield place, organ, f"unknown organ; [organs] has {sorted(instance.organs)}"
            for point, factor in points.items():
                if isinstance(factor, float | int):
                    continue
                if lesion.course is not None and lesion.course.form != "free":
                    yield f"{place}.{point}", "by day", "daily factors need a free course"
                    continue
                missing = set(_treatment_days(lesion, instance)) - set(factor.days)
                if missing:
                    yield f"{place}.{point}.days", sorted(missing), "every course day needs a value"
    for i, moment in enumerate(instance.cross_second_moments):
        place = f"cross_second_moments[{i}]"
        if moment.organ not in instance.organs:
            yield f"{place}.organ", moment.organ, "unknown organ"
        known = {lesion.name for lesion in instance.lesions}
        for name in moment.lesions:
            if name not in known:
                yield f"{place}.lesions", name, "unknown lesion"


def _courses(instance: Instance) -> Iterator[Problem]:
    from abscopt.instances.calendar import is_machine_day

    for i, lesion in enumerate(instance.lesions):
        place, course = f"lesions[{i}].course", lesion.course
        if course is None:
            continue
        if course.form == "free":
            for day in course.days:
                if day >= instance.days:
                    yield f"{place}.days", day, f"outside the horizon of {instance.days} days"
                elif not is_machine_day(instance.calendar, day):
                    yield f"{place}.days", day, "not a machine day of the calendar"
            growth, fast = (
                lesion.growth_doubling_time_days,
                lesion.repopulation_doubling_time_days,
            )
            if growth is not None and fast is not None and fast > growth:
                yield (
                    f"lesions[{i}].repopulation_doubling_time_days",
                    fast,
                    "must not be slower than untreated growth in a free course",
                )
            if instance.objective.kind == "default" and (
                lesion.immunogenicity > 0 or lesion.precursor_share > 0
            ):
                yield (
                    f"lesions[{i}].immunogenicity",
                    lesion.immunogenicity,
                    "a free course has no immune release yet: set immunogenicity and "
                    "precursor_share to 0",
                )
        elif course.last_start_day >= instance.days:
            yield (
                f"{place}.last_start_day",
                course.last_start_day,
                f"window outside the horizon of {instance.days} days",
            )


def _limits(instance: Instance) -> Iterator[Problem]:
    treated = [lesion for lesion in instance.lesions if lesion.irradiable]
    for i, limit in enumerate(instance.limits):
        place = f"limits[{i}]"
        if isinstance(limit, BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit):
            if limit.organ not in instance.organs:
                yield f"{place}.organ", limit.organ, "unknown organ"
                continue
            point = getattr(limit, "point", "mean")
            stated = [lesion for lesion in treated if point in lesion.sparing.get(limit.organ, {})]
            if treated and not stated:
                yield f"{place}", f"{limit.organ}.{point}", "no lesion states this sparing factor"
            if isinstance(limit, MeanEqd2Limit):
                for lesion in stated:
                    if "second_moment" not in lesion.sparing[limit.organ]:
                        yield (
                            f"lesions.{lesion.name}.sparing.{limit.organ}",
                            "mean",
                            "a mean_eqd2 limit needs second_moment = mean(delta^2)",
                        )
        elif isinstance(limit, EdricLimit):
            for lesion in treated:
                if lesion.integral_dose_cm3 is None:
                    yield (
                        f"lesions.{lesion.name}.integral_dose_cm3",
                        None,
                        "an edric limit needs the integral dose of every irradiable lesion",
                    )
        elif isinstance(limit, AlcLimit):
            if limit.floor_1e9_per_l >= instance.lymphocytes.initial_1e9_per_l:
                yield (
                    f"{place}.floor_1e9_per_l",
                    limit.floor_1e9_per_l,
                    "contradiction: the count before treatment is already at or below the floor",
                )
        elif isinstance(limit, DrugLimit):
            if limit.drug not in instance.drugs:
                yield f"{place}.drug", limit.drug, f"unknown drug; known {sorted(instance.drugs)}"
        elif (
            isinstance(limit, LogisticsLimit)
            and limit.floor is not None
            and limit.floor > len(treated)
        ):
            yield (
                f"{place}.floor",
                limit.floor,
                f"contradiction: only {len(treated)} lesions may be irradiated",
            )


def _systemic(instance: Instance) -> Iterator[Problem]:
    given: Counter[str] = Counter()
    for i, agent in enumerate(instance.agents):
        place = f"agents[{i}]"
        if agent.last_start_day >= instance.days:
            yield (
                f"{place}.last_start_day",
                agent.last_start_day,
                f"window outside the horizon of {instance.days} days",
            )
        drugs: set[str] = set()
        for name in agent.regimens:
            if name not in instance.regimens:
                yield f"{place}.regimens", name, "unknown regimen"
                continue
            drugs |= {dose.drug for dose in instance.regimens[name].doses}
        given.update(drugs)
    for drug, count in given.items():
        if count > 1:
            yield "agents", drug, "one drug may belong to one agent only"
    for name, regimen in instance.regimens.items():
        for dose in regimen.doses:
            if dose.drug not in instance.drugs:
                yield f"regimens.{name}.doses", dose.drug, "unknown drug"


def _standard(instance: Instance) -> Iterator[Problem]:
    from abscopt.instances.calendar import course_days

    standard = instance.standard
    if standard is None:
        return
    yield from _repeated("standard.courses", (course.lesion for course in standard.courses))
    by_name = {lesion.name: lesion for lesion in instance.lesions}
    for i, course in enumerate(standard.courses):
        place = f"standard.courses[{i}]"
        lesion = by_name.get(course.lesion)
        if lesion is None or not lesion.irradiable:
            yield f"{place}.lesion", course.lesion, "must name an irradiable lesion"
        days = course_days(
            instance.calendar, course.start_day, course.fractions, course.interval_days
        )
        if days is None:
            yield f"{place}.start_day", course.start_day, "not a machine day of the calendar"
        elif days[-1] >= instance.days:
            yield f"{place}", days[-1], f"ends outside the horizon of {instance.days} days"
        elif lesion is not None and lesion.course is not None and lesion.course.form == "free":
            missing = sorted(set(days) - set(lesion.course.days))
            if missing:
                yield f"{place}", missing, "not days of the lesion's free course"
    agents = {agent.name: agent for agent in instance.agents}
    for i, given in enumerate(standard.agents):
        place = f"standard.agents[{i}]"
        agent = agents.get(given.agent)
        if agent is None:
            yield f"{place}.agent", given.agent, f"unknown agent; known {sorted(agents)}"
        elif given.regimen is not None and given.regimen not in agent.regimens:
            yield f"{place}.regimen", given.regimen, f"not a regimen of {given.agent}"
