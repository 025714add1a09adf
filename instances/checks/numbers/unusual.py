"""Numbers outside usual ranges: slips of unit, totals written as doses per fraction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.checks.notes import Note, note
from abscopt.instances.checks.numbers.usual import (
    AMOUNTS,
    BODY,
    GIVEN_MG,
    HEIGHT_CM,
    LYMPHOCYTES,
    MOST_BED10_GY,
    MOST_FRACTION_GY,
    SPARING,
    TOTAL_ALPHA_BETA_GY,
    VOLUME_CM3,
    Usual,
)
from abscopt.instances.checks.phases import phases_of
from abscopt.instances.checks.size import unusual_sizes
from abscopt.instances.regimens import dose_in_mg, places_of_doses

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.sparing import SparingFactor


def unusual_values(instance: Instance) -> Iterator[Note]:
    """Every number of a case that lies outside its usual range; remarks where it is meant."""
    for check in (_body, _lesions, _amounts, _menu_doses, _standard, _prior):
        for found in check(instance):
            yield replace(found, meant=bool(instance.allow_unusual))
    for place, facts in unusual_sizes(instance):
        yield note("unusual_size", place, **facts)


def _outside(place: str, what: str, value: float, usual: Usual) -> Iterator[Note]:
    if not usual.holds(value):
        facts = {"low": usual.low, "high": usual.high, "unit": usual.unit, "reason": usual.reason}
        yield note("unusual_value", place, what=what, value=value, **facts)


def _body(instance: Instance) -> Iterator[Note]:
    patient = instance.patient
    for key, usual in BODY.items():
        yield from _outside(f"patient.{key}", key, getattr(patient, key), usual)
    if {"weight_kg", "bsa_m2"} <= patient.model_fields_set:
        height = 3600 * patient.bsa_m2**2 / patient.weight_kg
        if not HEIGHT_CM[0] <= height <= HEIGHT_CM[1]:
            facts = {"weight": patient.weight_kg, "area": patient.bsa_m2, "height": height}
            yield note("body_mismatch", "patient", **facts)
    count = instance.lymphocytes.initial_1e9_per_l
    place = "lymphocytes.initial_1e9_per_l"
    yield from _outside(place, "the lymphocyte count before treatment", count, LYMPHOCYTES)


def _lesions(instance: Instance) -> Iterator[Note]:
    for i, lesion in enumerate(instance.lesions):
        place = f"lesions[{i}]"
        if lesion.volume_cm3 is not None:
            what = f"the volume of {lesion.name}"
            yield from _outside(f"{place}.volume_cm3", what, lesion.volume_cm3, VOLUME_CM3)
        tables = [(f"{place}.sparing", lesion.sparing)]
        tables += [
            (f"{place}.techniques[{j}].sparing", way.sparing)
            for j, way in enumerate(lesion.techniques)
        ]
        for where, sparing in tables:
            for organ, points in sparing.items():
                for point, factor in points.items():
                    if point != "second_moment":
                        what = f"the factor of {lesion.name} at {organ}.{point}"
                        spot = f"{where}.{organ}.{point}"
                        yield from _outside(spot, what, _greatest(factor), SPARING)


def _greatest(factor: SparingFactor) -> float:
    return factor if isinstance(factor, float) else max(factor.values)


def _amounts(instance: Instance) -> Iterator[Note]:
    """Doses of the regimens that agents may give."""
    names = dict.fromkeys(name for agent in instance.agents for name in agent.regimens)
    for name in names:
        for where, dose in places_of_doses(name, instance.regimens[name]):
            place, what = f"{where}.amount", f"the dose of {dose.drug}"
            found = list(_outside(place, what, dose.amount, AMOUNTS[dose.unit]))
            given = dose_in_mg(dose.amount, dose.unit, instance.patient)
            yield from found or _outside(place, f"{what} for this patient", given, GIVEN_MG)


def _menu_doses(instance: Instance) -> Iterator[Note]:
    """Menus with a dose per fraction, or with no total, that any common regimen has."""
    for i in instance.irradiable:
        lesion, place = instance.lesions[i], f"lesions[{i}].course"
        if lesion.course is None:
            continue
        if lesion.course.form == "free":
            yield from _doses(f"{place}.doses_gy", lesion.name, [1], lesion.course.levels_gy)
            continue
        if lesion.course.form == "phases":
            for where, phase in phases_of(lesion.course, place):
                counts = [n * times for n in phase.fractions for times in phase.times]
                yield from _doses(f"{where}.doses_gy", lesion.name, counts, phase.levels_gy)
            continue
        for j, block in enumerate(lesion.course.blocks):
            where = f"{place}.doses_gy" if j == 0 else f"{place}.also[{j - 1}].doses_gy"
            yield from _doses(where, lesion.name, block.fractions, block.levels_gy)


def _doses(place: str, what: str, counts: Sequence[int], levels: Sequence[float]) -> Iterator[Note]:
    """A note on the greatest dose per fraction, else on a number whose least total is too high."""
    if max(levels) > MOST_FRACTION_GY:
        facts: dict[str, object] = {"most": MOST_FRACTION_GY, "reason": "34 Gy x 1 of RTOG 0915"}
        yield note("unusual_fraction", place, what=what, value=max(levels), **facts)
        return
    dose = min(levels)
    for count in sorted(set(counts)):
        bed = count * dose * (1 + dose / TOTAL_ALPHA_BETA_GY)
        if bed > MOST_BED10_GY and not math.isclose(bed, MOST_BED10_GY):
            facts = {"count": count, "dose": dose, "total": count * dose, "bed": bed}
            reason = "the top of published escalation, 3 x 24 Gy"
            yield note(
                "unusual_total", place, what=what, most=MOST_BED10_GY, reason=reason, **facts
            )
            return


def _standard(instance: Instance) -> Iterator[Note]:
    for i, course in enumerate(instance.standard.courses if instance.standard else ()):
        what = f"the standard course of {course.lesion}"
        place = f"standard.courses[{i}].dose_gy"
        yield from _doses(place, what, [course.fractions], [course.dose_gy])


def _prior(instance: Instance) -> Iterator[Note]:
    for i, prior in enumerate(instance.prior_doses):
        what, place = f"the prior dose of {prior.organ}", f"prior_doses[{i}].dose_gy"
        yield from _doses(place, what, [prior.fractions], [prior.dose_gy])
