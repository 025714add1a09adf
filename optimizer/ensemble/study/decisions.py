"""What a schedule decides, and cases in which one decision is fixed.

Decisions of a case: which lesions are treated; of each lesion with a uniform menu the number of
fractions, dose, technique and interval; of each agent whether it is given, in which regimen, and
from which day. A case with one decision fixed offers exactly the schedules that decide so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer.feasibility.demanded import treated

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock, UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice
from abscopt.optimizer.schedule import Schedule

Kind = Literal["lesions", "fractions", "dose", "technique", "interval", "regimen", "start"]
Value = tuple[str, ...] | str | int | float | None
"""None: the lesion is not treated, the agent is not given."""

UNITS = {"fractions": "", "dose": " Gy", "interval": " d", "start": ""}
NAMES = {
    "lesions": "lesions treated",
    "dose": "dose per fraction",
    "interval": "days between fractions",
    "start": "first dose",
}


@dataclass(frozen=True)
class Decision:
    """One thing that a schedule decides, of a lesion or agent (`subject`, '' for all lesions)."""

    kind: Kind
    subject: str = ""

    @property
    def name(self) -> str:
        """`lung: fractions`."""
        words = NAMES.get(self.kind, self.kind)
        return f"{self.subject}: {words}" if self.subject else words

    def words(self, value: Value) -> str:
        """A value as a reader sees it."""
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        if value is None:
            return "none"
        if self.kind == "start":
            return f"day {value}"
        return f"{value:g}{UNITS[self.kind]}" if isinstance(value, int | float) else value


def decisions(case: Instance) -> list[Decision]:
    """Decisions of a case in which its menu leaves a choice."""
    listed: list[Decision] = []
    if len(case.irradiable) > 1:
        listed.append(Decision("lesions"))
    for lesion in (case.lesions[i] for i in case.irradiable):
        course = lesion.course
        if course is None or course.form != "uniform":
            continue
        listed.append(Decision("fractions", lesion.name))
        if len({dose for block in course.blocks for dose in block.levels_gy}) > 1:
            listed.append(Decision("dose", lesion.name))
        if len(lesion.ways) > 1:
            listed.append(Decision("technique", lesion.name))
        if len({days for block in course.blocks for days in block.interval_days}) > 1:
            listed.append(Decision("interval", lesion.name))
    for agent in case.agents:
        if len(agent.regimens) > 1:
            listed.append(Decision("regimen", agent.name))
        listed.append(Decision("start", agent.name))
    return listed


def decided(decision: Decision, schedule: Schedule, case: Instance) -> Value:
    """What a schedule decides; of intervals that give its days the least one."""
    if decision.kind == "lesions":
        return tuple(x.name for x in case.lesions if schedule.course(x.name))
    if decision.kind in ("regimen", "start"):
        regimen, start = _agent_plan(case, decision.subject, schedule)
        return regimen if decision.kind == "regimen" else start
    fractions = schedule.course(decision.subject)
    if not fractions:
        return None
    if decision.kind == "fractions":
        return len(fractions)
    if decision.kind == "dose":
        return fractions[0][1]
    if decision.kind == "technique":
        return schedule.technique(decision.subject)
    return min(_intervals(case, decision.subject, schedule), default=None)


def holds(decision: Decision, value: Value, schedule: Schedule, case: Instance) -> bool:
    """Whether a schedule is one of those with a decision fixed."""
    if decision.kind == "interval" and value is not None:
        return value in _intervals(case, decision.subject, schedule)
    return decided(decision, schedule, case) == value


def _intervals(case: Instance, name: str, schedule: Schedule) -> set[int]:
    """Intervals of a lesion's menu that give the days of its course."""
    lesion = next(lesion for lesion in case.lesions if lesion.name == name)
    days = tuple(sorted({day for day, _, _ in schedule.course(name)}))
    if not days or lesion.course is None or lesion.course.form != "uniform":
        return set()
    offered = {interval for block in lesion.course.blocks for interval in block.interval_days}
    return {x for x in offered if course_days(case.calendar, days[0], len(days), x) == days}


def _agent_plan(case: Instance, name: str, schedule: Schedule) -> tuple[str | None, int | None]:
    """(regimen, day of the first dose) of an agent; the regimen is None where none of it fits."""
    agent = next(agent for agent in case.agents if agent.name == name)
    drugs = {dose.drug for regimen in agent.regimens for dose in case.regimens[regimen].every_dose}
    doses = tuple((i.drug, i.day, i.dose_mg) for i in schedule.infusions if i.drug in drugs)
    if not doses:
        return None, None
    first = min(day for _, day, _ in doses)
    for regimen in agent.regimens:
        for start in agent.start_days:
            planned = given_infusions(case, agent, regimen, start, agent.cycles)
            if planned is not None and sorted(planned) == sorted(doses):
                return regimen, first
    return None, first


def fixed(case: Instance, decision: Decision, value: Value) -> Instance | None:
    """The case with what else it offers left out; None if nothing of it decides so.

    The copy is not checked as a file would be: limits may count what no lesion states any more.
    """
    if decision.kind in ("regimen", "start"):
        return _with_agent(case, decision, value)
    if decision.kind == "lesions":
        wanted = set(value) if isinstance(value, tuple) else set()
        lesions = [
            (treated(x) if x.name in wanted else _untreated(x)) if x.irradiable else x
            for x in case.lesions
        ]
    else:
        lesions = [
            x if x.name != decision.subject else _with_course(x, decision, value)
            for x in case.lesions
        ]
    if any(lesion is None for lesion in lesions):
        return None
    return case.unchecked({"lesions": tuple(lesions), "standard": None})


def _untreated(lesion: Lesion) -> Lesion | None:
    """The lesion without a menu; None if a dose of it is demanded."""
    if lesion.least_bed is not None:
        return None
    return lesion.unchecked(
        {"irradiable": False, "course": None, "techniques": (), "sparing": {}, "histograms": None}
    )


def _with_course(lesion: Lesion, decision: Decision, value: Value) -> Lesion | None:
    """The lesion treated as decided, or not at all."""
    if value is None:
        return _untreated(lesion)
    if decision.kind == "technique":
        ways = tuple(way for way in lesion.techniques if way.name == value)
        return treated(lesion.unchecked({"techniques": ways})) if ways else None
    course = lesion.course
    assert course is not None and course.form == "uniform"
    blocks = list(_blocks(course, decision, value))
    if not blocks:
        return None
    head = course.unchecked({key: getattr(blocks[0], key) for key in BLOCK})
    return treated(lesion.unchecked({"course": head.unchecked({"also": tuple(blocks[1:])})}))


BLOCK = ("fractions", "doses_gy", "fractions_per_day", "interval_days")


def _blocks(course: UniformCourse, decision: Decision, value: Value) -> Iterator[CourseBlock]:
    """Blocks of a menu with one of their choices fixed; those without it are left out."""
    from abscopt.instances.menus.courses import CourseBlock

    key = {"fractions": "fractions", "dose": "doses_gy", "interval": "interval_days"}[decision.kind]
    for block in course.blocks:
        offered = block.levels_gy if key == "doses_gy" else getattr(block, key)
        chosen = tuple(x for x in offered if x == value)
        if chosen:
            plain = {name: getattr(block, name) for name in BLOCK}
            yield CourseBlock.model_construct(**(plain | {key: chosen}))


def _with_agent(case: Instance, decision: Decision, value: Value) -> Instance | None:
    """The case with an agent given in one regimen or from one day, or without it."""
    agent = next(agent for agent in case.agents if agent.name == decision.subject)
    if value is None:
        if not agent.optional:
            return None
        without = tuple(x for x in case.agents if x is not agent)
        return case.unchecked({"agents": without, "standard": None})
    update: dict[str, object] = {"optional": False}
    if decision.kind == "regimen":
        if value not in agent.regimens:
            return None
        update["regimens"] = (value,)
    else:
        starts = [start for start in agent.start_days if _begins(case, agent, start) == value]
        if not starts:
            return None
        update |= {"first_start_day": starts[0], "last_start_day": starts[-1]}
    agents = tuple(x.unchecked(update) if x is agent else x for x in case.agents)
    return case.unchecked({"agents": agents, "standard": None})


def _begins(case: Instance, agent: AgentChoice, start: int) -> int | None:
    """Day of the first dose of an agent that is to start on a day; None if it cannot."""
    for regimen in agent.regimens:
        planned = given_infusions(case, agent, regimen, start, agent.cycles)
        if planned:
            return planned[0][1]
    return None
