"""Infeasible random cases, and what enumeration says of a conflict and of changes that mend it."""

from __future__ import annotations

from brute_force import schedules
from demanding_instances import demanding_case
from random_instances import random_case

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer.feasibility.explanation import Explanation, explain
from abscopt.optimizer.feasibility.members import members_of, without
from abscopt.optimizer.feasibility.oracle import keeps
from abscopt.optimizer.feasibility.steps import steps_of
from abscopt.optimizer.schedule import Schedule


def case_of_seed(seed: int) -> Instance:
    """A random case with a floor on lesions, demands of BED, or caps that were lowered."""
    raw = demanding_case(seed, ("least_bed_gy",)) if seed % 2 else random_case(seed)
    if seed % 3 != 1:
        raw["scale_caps"] = 0.4
    sites = sum("course" in lesion for lesion in raw["lesions"])
    if seed % 4 != 3 and not any(x.get("quantity") == "lesions" for x in raw["limits"]):
        raw["limits"].append(
            {
                "kind": "logistics", "name": "sites", "quantity": "lesions", "floor": sites,
                "source": "random", "status": "assumed",
            }
        )  # fmt: skip
    return build(raw)


def some_keep(instance: Instance, listed: list[Schedule]) -> bool:
    """Whether the judge finds one of all schedules feasible."""
    return any(keeps(instance, schedule) for schedule in listed)


def faults(instance: Instance, found: Explanation) -> list[str]:
    """What enumeration says against an explanation; a case is rebuilt from the changes named."""
    listed = list(schedules(without(instance, members_of(instance))))  # drugs may be left out
    feasible = some_keep(instance, listed)
    if feasible != found.feasible:
        return [f"enumeration says feasible: {feasible}"]
    if feasible:
        return [] if found.schedule is not None else ["no schedule"]
    wrong = [] if found.complete else ["not complete"]
    for conflict in found.conflicts:
        members = set(conflict.members)
        outside = [member for member in members_of(instance) if member not in members]
        if some_keep(without(instance, outside), listed):
            wrong.append(f"{conflict.places} is no conflict")
        wrong += [
            f"{conflict.places} is not minimal: {member.place}"
            for member in members
            if not some_keep(without(instance, [*outside, member]), listed)
        ]
    if not found.relaxations:
        wrong.append("nothing mends it")
    for change in found.relaxations:
        mended = instance.with_(change.changes)
        if not some_keep(mended, list(schedules(mended))):
            wrong.append(f"{change.words} does not mend it")
        if some_keep(*_one_step_less(instance, change.changes)):
            wrong.append(f"less than {change.words} mends it")
        if not keeps(mended, change.schedule):
            wrong.append(f"{change.words}: its schedule breaks something")
    return wrong


def _one_step_less(instance: Instance, changes: tuple[str, ...]) -> tuple[Instance, list[Schedule]]:
    """The case a step before a change of one member, with its schedules; else the case itself."""
    for member in members_of(instance):
        steps = steps_of(instance, member)
        for k in range(1, 400):
            looser = steps(k)
            if looser is None:
                break
            if looser.changes == changes:
                before = instance if k == 1 else steps(k - 1)
                assert before is not None
                case = before if isinstance(before, Instance) else before.instance
                return case, list(schedules(case))
    return instance, []


def explained(seed: int) -> tuple[Instance, Explanation]:
    """A case and its explanation."""
    instance = case_of_seed(seed)
    return instance, explain(instance)
