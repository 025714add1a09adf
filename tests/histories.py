"""Random pasts of random cases: a schedule on offer, cut on some day, as it really went."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from brute_force import courses, plans

from abscopt.instances.history.doses import continued_doses
from abscopt.instances.history.rests import continued, from_today
from abscopt.instances.lesions import Lesion
from abscopt.instances.load import InputError
from abscopt.instances.schema import Instance
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

Raw = dict[str, Any]


def random_schedule(instance: Instance, rng: np.random.Generator) -> Schedule:
    """Some course of every lesion and some plan, whatever the limits say."""
    fractions: list[Fraction] = []
    for lesion in instance.lesions:
        menu = courses(instance, lesion)
        fractions += menu[int(rng.integers(len(menu)))]
    options = plans(instance)
    return Schedule.of(fractions, options[int(rng.integers(len(options)))] if options else ())


def table_of(schedule: Schedule, today: int) -> Raw:
    """What was given before a day, and the plan."""

    def events(fractions: list[Fraction], doses: list[Infusion]) -> Raw:
        return {
            "fractions": [
                {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy}
                | {"fraction_of_day": f.slot + 1}
                | ({"technique": f.technique} if f.technique else {})
                for f in fractions
            ],
            "doses_of_drugs": [
                {"agent": i.drug, "day": i.day, "dose_mg": i.dose_mg} for i in doses
            ],
        }

    given = events(
        [f for f in schedule.fractions if f.day < today],
        [i for i in schedule.infusions if i.day < today],
    )
    plan = events(list(schedule.fractions), list(schedule.infusions))
    return {"today": today, **given, "plan": plan}


def begun(instance: Instance, seed: int, *, menus: Raw | None = None) -> Instance | None:
    """A case with a random past: cut on a random day, doses and days not always as planned."""
    rng = np.random.default_rng([18, seed])
    schedule = random_schedule(instance, rng)
    days = [f.day for f in schedule.fractions]
    if not days:
        return None
    today = int(rng.integers(1, min(max(days) + 3, instance.days)))
    table = table_of(schedule, today)
    if rng.random() < 0.5:  # a whole treatment day is missed
        gone = {(f["lesion"], f["day"]) for f in table["fractions"]}
        if gone:
            lost = sorted(gone)[int(rng.integers(len(gone)))]
            rows = table["fractions"]
            table["fractions"] = [f for f in rows if (f["lesion"], f["day"]) != lost]
    if rng.random() < 0.5:  # other doses than planned on one day
        for lesion, day in {(f["lesion"], f["day"]) for f in table["fractions"][:1]}:
            for row in table["fractions"]:
                if (row["lesion"], row["day"]) == (lesion, day):
                    row["dose_gy"] = round(0.5 * row["dose_gy"], 3)
    wanted = menus or {}
    table["rest"] = [
        {"lesion": lesion.name, **wanted}
        for lesion in instance.lesions
        if lesion.irradiable and wanted and lesion.course and lesion.course.form == "uniform"
    ]
    try:
        return with_past(instance, table)
    except InputError as error:
        if any("proportional" in problem.rule for problem in error.problems):
            return None
        raise


def rests(instance: Instance, lesion: Lesion) -> list[tuple[Fraction, ...]]:
    """Every course of a lesion in a case with a past."""
    begun_course = continued(instance, lesion)
    if begun_course is None:
        menu = courses(instance, lesion)
        return [c for c in menu if not c or from_today(instance, [c[0].day])]
    listed = [
        tuple(Fraction(d, lesion.name, gy, slot, way) for d, gy, slot, way in course)
        for course in begun_course.fractions
    ]
    return listed if begun_course.must else [(), *listed]


def all_rests(instance: Instance) -> list[Schedule]:
    """Every schedule of a case with a past."""
    per_agent = [
        [[Infusion(day, drug, mg) for drug, day, mg in doses] for doses in options]
        for options in (continued_doses(instance, agent) for agent in instance.agents)
    ]
    menus = [rests(instance, lesion) for lesion in instance.lesions]
    return [
        Schedule.of(itertools.chain(*choice), itertools.chain(*plan))
        for plan in itertools.product(*per_agent)
        for choice in itertools.product(*menus)
    ]
