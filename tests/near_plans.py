"""Plans near the best by enumeration: every schedule judged, classes by what the schedule says.

As a script, `python tests/near_plans.py FIRST LAST [tree]` compares `alternatives` with it on
random cases; with `tree` no node is small enough to be valued at once.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from brute_force import plans, schedules
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances.load import InputError, build
from abscopt.instances.regimens import infusions
from abscopt.instances.schema import Instance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.near.alternatives import Alternatives, alternatives
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.settings import Settings
from abscopt.optimizer.tuning import using

MARGIN = 1e-7
"""Objectives so close to the edge of the margin may count or not: judge and tables round."""
WITHIN = (0.003, 0.05, 0.4)
DIFFER = (None, "sites", "dose", "fractions", "drug-start", "days")


@dataclass
class Class:
    """Schedules of one class: their best objective, and first days of those within the margin."""

    best: float
    first: dict[str, set[int]] = field(default_factory=dict)
    count: int = 0


def regimen_names(case: Instance) -> dict[frozenset[tuple[int, str, float]], tuple[str, ...]]:
    """Names of the regimens that give some infusions, where no rule moves an infusion."""
    per_agent = [
        [("", ())] * agent.optional
        + [
            (name, tuple(infusions(case, name, start, agent.cycles)))
            for name, start in itertools.product(agent.regimens, agent.start_days)
        ]
        for agent in case.agents
    ]
    names: dict[frozenset[tuple[int, str, float]], tuple[str, ...]] = {}
    for choice in itertools.product(*per_agent):
        doses = frozenset((d, n, mg) for _, rows in choice for n, d, mg in rows if d < case.days)
        names.setdefault(doses, tuple(name for name, _ in choice))
    return names


def moved(case: Instance) -> bool:
    """Whether some plan has an infusion that is not on its planned day."""
    names = regimen_names(case)
    return any(frozenset((i.day, i.drug, i.dose_mg) for i in p) not in names for p in plans(case))


def sort_of(case: Instance, schedule: Schedule, differ: str | None, names: object) -> Hashable:
    """What the schedule is a class by, told from its fractions and infusions alone."""
    courses = [schedule.course(lesion.name) for lesion in case.lesions]
    days = [[day for day, _, _ in course] for course in courses]
    fractions = [(len(d), max((d.count(x) for x in d), default=0)) for d in days]
    dose = [tuple(sorted({gy for _, gy, _ in course})) for course in courses]
    if differ == "sites":
        return tuple(map(bool, courses))
    if differ == "dose":
        return tuple(dose)
    if differ == "fractions":
        return tuple(fractions)
    if differ == "days":
        return tuple(map(tuple, days))
    first = {i.drug: i.day for i in reversed(schedule.infusions)}
    if differ == "drug-start":
        return tuple(sorted(first.items()))
    ways = tuple(schedule.technique(lesion.name) for lesion in case.lesions)
    assert isinstance(names, dict)
    given = frozenset((i.day, i.drug, i.dose_mg) for i in schedule.infusions)
    return (tuple(fractions), tuple(dose), ways, names[given])


def enumerated(
    case: Instance, margins: tuple[float, ...]
) -> dict[tuple[float, str | None], dict[Hashable, Class]]:
    """Classes within each margin, by what they may be asked to differ in."""
    judge, names, feasible = Judge(case), regimen_names(case), []
    for schedule in schedules(case):
        verdict = judge.evaluate(schedule)
        if verdict.feasible:
            feasible.append((verdict.objective, schedule))
    top = max((value for value, _ in feasible), default=0.0)
    found: dict[tuple[float, str | None], dict[Hashable, Class]] = {}
    for margin, differ in itertools.product(margins, DIFFER):
        classes = found.setdefault((margin, differ), {})
        for value, schedule in feasible:
            if value < top - margin:
                continue
            entry = classes.setdefault(sort_of(case, schedule, differ, names), Class(value))
            entry.best, entry.count = max(entry.best, value), entry.count + 1
            for lesion in case.lesions:
                for day, _, _ in schedule.course(lesion.name)[:1]:
                    entry.first.setdefault(lesion.name, set()).add(day)
            for drug, day in {i.drug: i.day for i in reversed(schedule.infusions)}.items():
                entry.first.setdefault(drug, set()).add(day)
    return found


def compared(case: Instance, known: dict[Hashable, Class], found: Alternatives) -> list[str]:
    """What `alternatives` says otherwise than the enumeration; nothing is right."""
    names, wrong = regimen_names(case), []
    listed = {sort_of(case, p.schedule, found.differ, names): p for p in found.plans}
    if found.ending != "complete" or len(listed) != len(found.plans):
        wrong.append(f"{found.ending}, {len(found.plans)} plans of {len(listed)} classes")
    top = max((c.best for c in known.values()), default=0.0)
    for key in known.keys() ^ listed.keys():
        value = known[key].best if key in known else listed[key].evaluation.objective
        if abs(value - top + found.within) > MARGIN:
            wrong.append(f"only in {'judge' if key in known else 'list'}: {key} {value - top}")
    for key in known.keys() & listed.keys():
        plan, entry = listed[key], known[key]
        if abs(plan.evaluation.objective - entry.best) > MARGIN:
            wrong.append(f"{key}: {plan.evaluation.objective} is not the best, {entry.best}")
        if found.differ is None:
            ranges = plan.reach.lesions | plan.reach.drugs
            expected = {name: (min(days), max(days)) for name, days in entry.first.items()}
            if ranges != expected or plan.reach.timings != entry.count:
                wrong.append(f"{key}: {plan.reach}, not {expected} of {entry.count}")
    return wrong


def tree_alone() -> Settings:
    """Settings that leave nothing to be valued at once."""
    return replace(Settings(), few=0, course_limit=0.0, combinations=4.0, join_limit=50.0)


def main(first: int, last: int, tree: bool) -> None:
    """Compare on random cases; print what is wrong."""
    cases = wrong = largest = 0
    for seed in range(first, last):
        case = build((random_case if seed % 2 else widened_case)(seed))
        if moved(case) or any(s.course and s.course.form == "free" for s in case.lesions):
            continue
        cases += 1
        print(f"{seed}: {cases} cases, {wrong} wrong", file=sys.stderr, flush=True)
        for (margin, differ), known in enumerated(case, WITHIN).items():
            largest = max(largest, len(known))
            if len(known) > 900:
                continue
            try:
                with using(settings, tree_alone() if tree else Settings()):
                    found = alternatives(case, within=margin, count=1000, differ=differ)
            except InputError as error:
                print(seed, error)
                break
            for words in compared(case, known, found):
                wrong += 1
                print(seed, margin, differ, words)
    print(f"{cases} cases, {wrong} wrong, at most {largest} classes")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "tree" in sys.argv)
