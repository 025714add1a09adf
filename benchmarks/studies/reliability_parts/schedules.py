"""Part `schedules`: no feasible schedule of a bundled case is better than the case's proven bound.

A block of seeds draws schedules of one case from its menus, without any engine code: at random,
then by changing one lesion's course or the drugs of the best schedule so far, so that many lie
near the optimum. The judge tells which keep every limit. The bound is that of
`instances/reference.json` where it was written for the case as it is, else a new solve's.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from abscopt.instances import load, names
from abscopt.instances.lesions import Lesion
from abscopt.instances.menus.courses import FreeCourse, UniformCourse
from abscopt.instances.regimens import infusions
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule, standard_schedule
from reliability_parts.tally import Tally

REFERENCE = Path(__file__).resolve().parents[3] / "instances" / "reference.json"
DRAWS = 200
"""Schedules judged for one seed."""
AT_RANDOM = 0.3
"""Share of the draws that do not start from the best schedule so far."""
SOLVE_SECONDS = 60.0
TOLERANCE = 1e-9

Rng = np.random.Generator
Course = tuple[Fraction, ...]
Plan = tuple[Infusion, ...]


@cache
def bound_of(name: str) -> float | None:
    """A proven bound of a bundled case."""
    instance = load(name)
    entry = json.loads(REFERENCE.read_text(encoding="utf-8")).get(name, {})
    if entry.get("instance_digest") == instance_digest(instance):
        return float(entry["bound"])
    return solve(instance, time_limit=SOLVE_SECONDS).bound


@dataclass
class Climb:
    """A walk over the schedules of a case: the best feasible one so far, part by part."""

    instance: Instance
    judge: Judge
    courses: dict[str, Course]
    plan: Plan
    objective: float | None = None

    def schedule(self) -> Schedule:
        """All parts together."""
        return Schedule.of(itertools.chain(*self.courses.values()), self.plan)


def examine(seed: int) -> Tally:
    """Judge some schedules of the bundled case whose turn it is."""
    tally = Tally()
    name = names()[seed % len(names())]
    instance, bound = load(name), bound_of(name)
    if bound is None:
        tally.counts["cases without a bound"] += 1
        return tally
    rng, seen = np.random.default_rng([2031, seed]), set[Schedule]()
    walk = _begin(instance)
    for _ in range(DRAWS):
        courses, plan = _drawn(rng, walk)
        one = Schedule.of(itertools.chain(*courses.values()), plan)
        if one in seen:
            continue
        seen.add(one)
        verdict = walk.judge.evaluate(one)
        tally.counts["schedules judged"] += 1
        if not verdict.admissible:
            continue
        tally.counts["feasible schedules"] += 1
        tally.counts[f"feasible of {name}"] += 1
        if verdict.objective > bound + TOLERANCE * max(1.0, abs(bound)):
            found = json.dumps(one.to_json(instance))[:300]
            tally.faults.append(f"seed {seed} {name}: {verdict.objective!r} > {bound!r}: {found}")
        if walk.objective is None or verdict.objective > walk.objective:
            walk.courses, walk.plan, walk.objective = courses, plan, verdict.objective
    if walk.objective is not None:
        tally.counts["walks within 1 of the bound"] += bound - walk.objective < 1.0
    return tally


def _begin(instance: Instance) -> Climb:
    """The standard regimen where it is feasible, else nothing at all."""
    judge, standard = Judge(instance), standard_schedule(instance)
    walk = Climb(instance, judge, {lesion.name: () for lesion in instance.lesions}, ())
    if standard is not None and judge.evaluate(standard).admissible:
        for name in walk.courses:
            walk.courses[name] = tuple(f for f in standard.fractions if f.lesion == name)
        walk.plan, walk.objective = standard.infusions, judge.evaluate(standard).objective
    return walk


def _drawn(rng: Rng, walk: Climb) -> tuple[dict[str, Course], Plan]:
    """Courses and plan: all new, or one part of the best so far changed."""
    instance = walk.instance
    sites = [lesion for lesion in instance.lesions if lesion.irradiable]
    if walk.objective is None or rng.random() < AT_RANDOM:
        treated = rng.random(len(sites)) < rng.random()
        courses = {lesion.name: () for lesion in instance.lesions} | {
            lesion.name: course(rng, instance, lesion) if one else ()
            for lesion, one in zip(sites, treated, strict=True)
        }
        return courses, plan(rng, instance)
    place = int(rng.integers(len(sites) + bool(instance.agents)))
    if place == len(sites):
        return walk.courses, plan(rng, instance)
    lesion = sites[place]
    new = course(rng, instance, lesion, walk.courses[lesion.name])
    return walk.courses | {lesion.name: new}, walk.plan


def course(rng: Rng, instance: Instance, lesion: Lesion, near: Course = ()) -> Course:
    """A course of a lesion's menu; for free courses often one day or dose from `near`."""
    menu = lesion.course
    if menu is None or rng.random() < 0.05:
        return ()
    if isinstance(menu, FreeCourse):
        return _free(rng, lesion, menu, near)
    return _uniform(rng, instance, lesion, menu)


def _uniform(rng: Rng, instance: Instance, lesion: Lesion, menu: UniformCourse) -> Course:
    way = lesion.ways[int(rng.integers(len(lesion.ways)))].name
    for _ in range(30):
        block = menu.blocks[int(rng.integers(len(menu.blocks)))]
        start = menu.start_days[int(rng.integers(len(menu.start_days)))]
        per_day = block.fractions_per_day
        count = int(rng.choice(block.fractions)) // per_day
        days = course_days(instance.calendar, start, count, int(rng.choice(block.interval_days)))
        if days is not None and days[-1] < instance.days:
            dose = float(rng.choice(block.levels_gy))
            slots = range(per_day)
            return tuple(
                Fraction(day, lesion.name, dose, slot, way) for day in days for slot in slots
            )
    return ()


def _free(rng: Rng, lesion: Lesion, menu: FreeCourse, near: Course) -> Course:
    doses = {fraction.day: fraction.dose_gy for fraction in near}
    most = len(menu.days) if menu.max_fractions is None else menu.max_fractions
    if not doses or rng.random() < 0.2:
        days = rng.choice(
            menu.days, size=int(rng.integers(1, min(most, len(menu.days)) + 1)), replace=False
        )
        level = float(rng.choice(menu.levels_gy))
        doses = {int(day): level for day in days}
    for _ in range(int(rng.integers(1, 3))):
        day = int(rng.choice(menu.days))
        doses.pop(day, None)
        if rng.random() < 0.7 and len(doses) < most:
            doses[day] = float(rng.choice(menu.levels_gy))
    way = lesion.ways[0].name
    return tuple(Fraction(day, lesion.name, dose, 0, way) for day, dose in sorted(doses.items()))


def plan(rng: Rng, instance: Instance) -> Plan:
    """What the agents give: each a regimen and a start day, or nothing."""
    given: list[Infusion] = []
    for agent in instance.agents:
        if agent.optional and rng.random() < 0.3:
            continue
        regimen = agent.regimens[int(rng.integers(len(agent.regimens)))]
        start = agent.start_days[int(rng.integers(len(agent.start_days)))]
        doses = infusions(instance, regimen, start, agent.cycles)
        given += [Infusion(day, drug, milligrams) for drug, day, milligrams in doses]
    return tuple(sorted(given))
