"""Enumeration by the judge: every schedule built from menus and regimens, no engine code."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from abscopt.instances.lesions import Lesion
from abscopt.instances.menus.courses import CourseBlock, FreeCourse, UniformCourse
from abscopt.instances.menus.phases import Phase, PhasesCourse
from abscopt.instances.regimens import infusions
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import course_days, date_of, is_machine_day
from abscopt.instances.tables.systemic import AgentChoice
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.results.result import Result
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

Course = tuple[Fraction, ...]
Plan = tuple[Infusion, ...]


def courses(instance: Instance, lesion: Lesion) -> list[Course]:
    """Every distinct course of a lesion's menu: techniques, blocks, days; the first is 'none'."""
    found: dict[Course, None] = {(): None}
    menu = lesion.course
    if menu is None:
        return list(found)
    if menu.form == "free":
        return _free_courses(lesion, menu)
    if menu.form == "phases":
        return [(), *_phased_courses(instance, lesion, menu)]
    for technique in [way.name for way in lesion.techniques] or [""]:
        for block in [menu, *menu.also]:
            days_and_doses = itertools.product(
                _treatment_days(instance, menu, block), _doses(block)
            )
            for days, dose in days_and_doses:
                found[
                    tuple(
                        Fraction(day, lesion.name, dose, slot, technique)
                        for day in days
                        for slot in range(block.fractions_per_day)
                    )
                ] = None
    return list(found)


def _free_courses(lesion: Lesion, menu: FreeCourse) -> list[Course]:
    """Every choice of a dose, or none, on each day of a free course; the first is 'none'."""
    most = len(menu.days) if menu.max_fractions is None else menu.max_fractions
    way = lesion.ways[0].name
    chosen = itertools.product((None, *menu.levels_gy), repeat=len(menu.days))
    return [
        tuple(
            Fraction(day, lesion.name, dose, 0, way)
            for day, dose in zip(menu.days, doses, strict=True)
            if dose is not None
        )
        for doses in chosen
        if sum(dose is not None for dose in doses) <= most
    ]


def _phased_courses(instance: Instance, lesion: Lesion, menu: PhasesCourse) -> list[Course]:
    """Every distinct course of phases, one phase after another from every start day."""
    found: dict[Course, None] = {}
    for phases in (menu, *menu.also):
        for start in range(menu.first_start_day, menu.last_start_day + 1, menu.start_step_days):
            if course_days(instance.calendar, start, 1, 1) is None:
                continue
            begun: list[Course] = [()]
            for phase in phases.phases:
                longer = [
                    (*course, *further)
                    for course in begun
                    for further in _next_phase(instance, lesion, phase, course, start)
                ]
                begun = [*longer, *(begun if phase.optional else ())]
            found |= dict.fromkeys(course for course in begun if course)
    return [course for course in found if course[-1].day < instance.days]


def _next_phase(
    instance: Instance, lesion: Lesion, phase: Phase, before: Course, start: int
) -> Iterator[Course]:
    """A phase after a beginning: every number, rhythm, gap, repeat, dose and technique."""
    length = instance.days + 400
    open_days = [
        day
        for day in range(length)
        if is_machine_day(instance.calendar, day)
        and (phase.weekdays is None or date_of(instance.calendar, day).weekday() in phase.weekdays)
    ]

    def first_from(day: int) -> int:
        return min((t for t in open_days if t >= day), default=length)

    gaps = [first_from(before[-1].day + gap) for gap in phase.gap_days] if before else [start]
    names = [way.name for way in lesion.ways if phase.technique in (None, way.name)]
    repeats = [(n, every) for n in phase.times for every in (phase.every_days or (1,))]
    for begin, number, interval, (times, every), dose, name in itertools.product(
        gaps, phase.fractions, phase.interval_days, repeats, phase.levels_gy, names
    ):
        days: list[int] = []
        cluster: list[int] = []
        for _ in range(times):
            cluster = [first_from(max(days[-1] + 1, cluster[0] + every)) if days else begin]
            while len(cluster) < number // phase.fractions_per_day:
                cluster.append(first_from(cluster[-1] + interval))
            days += cluster
        if set(days) <= set(open_days):
            yield tuple(
                Fraction(day, lesion.name, dose, slot, name)
                for day in days
                for slot in range(phase.fractions_per_day)
            )


def _treatment_days(
    instance: Instance, menu: UniformCourse, block: CourseBlock
) -> Iterator[tuple[int, ...]]:
    """Treatment days of every course of one block that fits into the case."""
    start = menu.first_start_day
    while start <= menu.last_start_day:
        for count in block.fractions:
            for interval in block.interval_days:
                number = count // block.fractions_per_day
                days = course_days(instance.calendar, start, number, interval)
                if days is not None and days[-1] < instance.days:
                    yield days
        start += menu.start_step_days


def _doses(block: CourseBlock) -> list[float]:
    if isinstance(block.doses_gy, tuple):
        return list(block.doses_gy)
    return list(block.levels_gy)


def plans(instance: Instance) -> list[Plan]:
    """Every distinct systemic plan."""
    per_agent: list[list[Plan]] = []
    for agent in instance.agents:
        options: list[Plan] = [()] if agent.optional else []
        for name, start in itertools.product(agent.regimens, agent.start_days):
            given = _on_infusion_days(
                instance, agent, infusions(instance, name, start, agent.cycles)
            )
            if given is not None:
                options.append(given)
        per_agent.append(options)
    found = {tuple(sorted(itertools.chain(*choice))) for choice in itertools.product(*per_agent)}
    return sorted(found)


def _on_infusion_days(
    instance: Instance, agent: AgentChoice, planned: Iterable[tuple[str, int, float]]
) -> Plan | None:
    """Planned doses on infusion days, by trying delays; None if the rule finds no place.

    Every dose tries delays of 0, 1, ... days; doses of one drug that are planned on different
    days stay in order on different days, and the first planned day does not move.
    """
    calendar, moved = instance.calendar, []
    weekdays = agent.infusion_weekdays or calendar.infusion_weekdays
    holidays = calendar.holidays
    if calendar.infusion_holidays is not None:
        holidays = calendar.infusion_holidays
    tolerance = calendar.infusion_tolerance_days
    if agent.infusion_tolerance_days is not None:
        tolerance = agent.infusion_tolerance_days
    rows = list(planned)
    for drug, day, mg in rows:
        most = 0 if day == rows[0][1] else tolerance
        delays = [0] if instance.drugs[drug].taken_at_home else range(most + 1)
        for delay in delays:
            date = calendar.start_date + datetime.timedelta(days=day + delay)
            closed = date.weekday() not in weekdays or date in holidays
            taken = any(
                name == drug and (day + delay <= given if day > before else day + delay < given)
                for name, before, given, _ in moved
            )
            if not taken and (not closed or instance.drugs[drug].taken_at_home):
                moved.append((drug, day, day + delay, mg))
                break
        else:
            return None
    return tuple(Infusion(day, drug, mg) for drug, _, day, mg in moved if day < instance.days)


def schedules(instance: Instance) -> Iterator[Schedule]:
    """Every schedule of a case."""
    menus = [courses(instance, lesion) for lesion in instance.lesions]
    for plan in plans(instance):
        for choice in itertools.product(*menus):
            yield Schedule.of(itertools.chain(*choice), plan)


@dataclass
class Enumeration:
    """What the judge says of all schedules of a case.

    `without[name]` is the best objective when the limit `name` alone is forgotten, and
    `without["rules"]` when the interval rules are; `objectives` holds all feasible schedules.
    """

    count: int = 0
    best: float | None = None
    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    without: dict[str, float] = field(default_factory=dict)
    objectives: dict[Schedule, float] = field(default_factory=dict)


def enumerate_by_judge(instance: Instance, judge: Judge) -> Enumeration:
    """Judge every schedule of a case."""
    found = Enumeration()
    for schedule in schedules(instance):
        verdict = judge.evaluate(schedule)
        found.count += 1
        broken = [*verdict.broken_limits, *(["rules"] if verdict.obstacles else [])]
        if not broken:
            assert verdict.admissible
            found.objectives[schedule] = verdict.objective
            if found.best is None or verdict.objective > found.best:
                found.best = verdict.objective
                found.schedule, found.evaluation = schedule, verdict
        elif len(broken) == 1:
            known = found.without.get(broken[0])
            found.without[broken[0]] = (
                verdict.objective if known is None else max(known, verdict.objective)
            )
    return found


def binding(found: Enumeration, margin: float = 1e-6) -> set[str]:
    """Limits without which the optimum were better (`rules` for the interval rules)."""
    if found.best is None:
        return set()
    return {name for name, value in found.without.items() if value > found.best + margin}


def greedy(instance: Instance, judge: Judge) -> float | None:
    """Lesions by weight take their best feasible course in turn, then the best plan."""
    options = plans(instance)
    if not options:
        return None
    chosen: dict[str, Course] = {}
    plan = options[0]
    order = sorted(
        (lesion for lesion in instance.lesions if lesion.irradiable), key=lambda s: -s.weight
    )
    for lesion in order:
        best: tuple[float, Course] | None = None
        for course in courses(instance, lesion):
            trial = chosen | {lesion.name: course}
            verdict = judge.evaluate(Schedule.of(itertools.chain(*trial.values()), plan))
            if verdict.admissible and (best is None or verdict.objective > best[0]):
                best = (verdict.objective, course)
        chosen[lesion.name] = best[1] if best else ()
    values = [
        verdict.objective
        for option in options
        if (verdict := judge.evaluate(Schedule.of(itertools.chain(*chosen.values()), option)))
        and verdict.admissible
    ]
    return max(values, default=None)


def agrees(result: Result, best: float | None, gap: float, tolerance: float = 1e-9) -> bool:
    """Same status, objective within the gap of the best and bound not below it."""
    if best is None:
        return result.status == "infeasible" and result.schedule is None
    if result.status != "optimal" or result.objective is None or result.bound is None:
        return False
    slack = tolerance * max(1.0, abs(best))
    return (
        best - gap - slack <= result.objective <= best + slack
        and result.bound >= best - slack
        and result.bound - result.objective <= gap + slack
    )
