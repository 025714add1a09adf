"""The standard regimen of a case as events: fractions and infusions on its calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.tables.calendar import course_days, treatment_days

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance, Standard

GivenFraction = tuple[int, str, float, int, str]
"""Day, lesion, Gy, position in the day from 0, technique."""
GivenDose = tuple[int, str, float]
"""Day, drug, mg."""


def standard_events(
    instance: Instance, standard: Standard
) -> tuple[list[GivenFraction], list[GivenDose]]:
    """Every fraction and infusion of the regimen."""
    fractions: list[GivenFraction] = []
    begun: set[str] = set()
    for course in standard.courses:
        per_day = course.fractions_per_day
        walk = treatment_days if course.lesion in begun else course_days  # a later phase
        begun.add(course.lesion)
        days = walk(
            instance.calendar, course.start_day, course.fractions // per_day, course.interval_days
        )
        assert days is not None  # checked with the instance
        lesion = next(lesion for lesion in instance.lesions if lesion.name == course.lesion)
        technique = course.technique or lesion.ways[0].name
        fractions += [
            (day, course.lesion, course.dose_gy, slot, technique)
            for day in days
            for slot in range(per_day)
        ]
    doses: list[GivenDose] = []
    for choice in standard.agents:
        agent = next(agent for agent in instance.agents if agent.name == choice.agent)
        regimen = choice.regimen or agent.regimens[0]
        cycles = agent.cycles if choice.cycles is None else choice.cycles
        infusions = given_infusions(instance, agent, regimen, choice.start_day, cycles)
        assert infusions is not None  # checked with the instance
        doses += [(day, drug, milligrams) for drug, day, milligrams in infusions]
    return fractions, doses
