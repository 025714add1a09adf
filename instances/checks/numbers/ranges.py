"""Plausible ranges of the numbers of a case: what lies outside is refused unless it is meant.

The schema itself holds hard rules (signs, probabilities within 0 and 1, what the calendar can
count). The ranges here are a second layer, some ten times wider than anything published or
bundled: beyond them a slip is likelier than a patient, and formulas lose their digits. A case with
`allow_unusual = true` goes beyond them on its own responsibility.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from abscopt.instances.checks.numbers.usual import Usual
from abscopt.instances.tables.fields import tables_of

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.fields import Table

KEY = "allow_unusual = true"

_ALPHA_BETA = Usual(0.1, 50, "Gy", "tissues and tumors have 0.5 to 30 Gy")
_OF_KEY = Usual(-1e12, 1e12, "", "of the key's own unit, or a factor near 1")
_BLOOD = Usual(0, 5, "nat", "a dose that kills 99 % has 4.6")
_CAP = Usual(1e-4, 2000, "Gy", "caps of published limits are 1 to 500 Gy")
_DOSE = Usual(0.05, 100, "Gy", "fractions are 0.5 to 34 Gy")
_DOUBLING = Usual(0.5, 10_000, "days", "tumors double in 2 to 1000 days; leave it out for none")
_EFFECTOR_KILL = Usual(0, 10, "nat", "e^-10 leaves none")
_EXPONENT = Usual(0.2, 20, "", "steeper than 20 is a step")
_HILL = Usual(0.2, 20, "", "binding curves have 0.5 to 4, changes of clearance up to 8")
_INTEGRAL = Usual(0, 1e5, "cm3", "the whole body has some 7e4 cm3")
_PENALTY = Usual(0, 1e6, "", "a log control of a lesion is some 1 to 30 nats")
_RATE = Usual(0, 10, "per day", "constants of the project are below 1")
_REPAIR = Usual(0.05, 100, "hours", "half times of repair are 0.3 to 10 hours")
_SQUARE = Usual(0, 10, "", "squares of sparing factors of at most 3")
_VOLUME_L = Usual(1e-5, 100, "L", "volumes of distribution of antibodies are 2 to 10 L")
_CLEARANCE = Usual(1e-6, 100, "L per day", "antibodies have 0.1 to 1 L per day")

RANGES: dict[str, dict[str, Usual]] = {
    "Ensemble": {"seed": Usual(0, 2**31 - 1, "", "seeds of numpy")},
    "Option": {"weight": Usual(1e-6, 1e6, "", "relative weights")},
    "Spread": {
        "median": Usual(1e-12, 1e12, "", "of the key's own unit, or a factor near 1"),
        "mean": _OF_KEY,
        "sd": _OF_KEY,
        "low": _OF_KEY,
        "high": _OF_KEY,
    },
    "Objective": {"gap": Usual(1e-9, 10, "", "below, no arithmetic of 16 digits can prove it")},
    "Immune": {
        "gate_low_gy": Usual(0.05, 100, "Gy", "priming begins at some 2 to 8 Gy"),
        "gate_high_gy": Usual(0.1, 200, "Gy", "TREX1 switches priming off at 12 to 18 Gy"),
        "gate_low_exponent": _EXPONENT,
        "gate_high_exponent": _EXPONENT,
        "volume_exponent": Usual(0, 2, "", "0 is no volume, 1 in proportion"),
        "clearance_per_day": Usual(1e-3, 5, "per day", "0.1725 is measured"),
        "precursors_initial": Usual(0, 1e4, "", "1 is immunity before treatment"),
        "precursor_inflow_per_day": Usual(0, 100, "per day", "in units of initial precursors"),
        "effect_per_effector": Usual(0, 100, "nat", "the project's value is 0.06"),
        "blockade_effect": _RATE,
        "effect_maximum_nats": Usual(0.01, 1000, "nat", "1e13 cells are 30 nats"),
        "suppression_above_gy": Usual(0, 200, "Gy", "none below 15 Gy in the default set"),
        "suppression_per_gy": Usual(0, 10, "per Gy", "1 stops release within a Gy"),
        "suppression_after_days": Usual(0, 1500, "days", "a course lasts at most 60 days"),
        "suppression_per_day": _RATE,
        "liver_siphon_nats": Usual(0, 20, "nat", "0.7 is the loss of half of the effectors"),
        "burden_limit_cm3": Usual(1e-6, 1e4, "cm3", "volumes of lesions are 0.01 to 5000 cm3"),
        "burden_blockade": Usual(0, 100, "", "a share of the effect by blockade"),
    },
    "Lymphocytes": {
        "initial_1e9_per_l": Usual(0.05, 20, "1e9 per L", "healthy counts are 1 to 4"),
        "recovery_half_time_days": Usual(1, 2000, "days", "counts recover in weeks to months"),
    },
    "CrossMoment": {"value": _SQUARE},
    "Histogram": {"volume_cm3": Usual(0.01, 2e5, "cm3", "the whole body has some 7e4 cm3")},
    "Organ": {"alpha_beta_gy": _ALPHA_BETA, "repair_half_time_hours": _REPAIR},
    "PriorDose": {
        "dose_gy": Usual(1e-4, 100, "Gy", "a diagnostic scan gives some mGy"),
        "second_moment_gy2": Usual(0, 1e4, "Gy2", "squares of doses per fraction"),
    },
    "StandardCourse": {"dose_gy": _DOSE},
    "InfusionEntry": {"dose_mg": Usual(1e-3, 1e5, "mg", "infusions are 1 to 5000 mg")},
    "Lesion": {
        "weight": Usual(1e-4, 100, "", "relative importance"),
        "volume_cm3": Usual(0.001, 5000, "cm3", "0.001 cm3 is a sphere of 1.2 mm"),
        "alpha_per_gy": Usual(0.005, 2, "per Gy", "tumors have 0.03 to 0.7 per Gy"),
        "alpha_beta_gy": _ALPHA_BETA,
        "lql_transition_gy": Usual(0.5, 100, "Gy", "some 2 alpha/beta"),
        "clonogens": Usual(1e-3, 1e14, "cells", "1 kg of tumor has 1e12 cells"),
        "clonogens_per_cm3": Usual(1e-3, 1e10, "per cm3", "1 cm3 of tumor has 1e9 cells"),
        "reoxygenation_days": Usual(0.5, 1000, "days", "tumors reoxygenate within days to weeks"),
        "repair_half_time_hours": _REPAIR,
        "growth_doubling_time_days": _DOUBLING,
        "repopulation_doubling_time_days": _DOUBLING,
        "immunogenicity": Usual(0, 1000, "", "1 is a typical lesion"),
        "effector_kill_per_fraction": _EFFECTOR_KILL,
        "integral_dose_cm3": _INTEGRAL,
    },
    "Clone": {
        "alpha_per_gy": Usual(0.001, 2, "per Gy", "resistant clones have a tenth of the lesion's"),
        "alpha_beta_gy": _ALPHA_BETA,
    },
    "Technique": {
        "integral_dose_cm3": _INTEGRAL,
        "effector_kill_per_fraction": _EFFECTOR_KILL,
    },
    "CourseBlock": {"doses_gy": _DOSE},
    "Phase": {"doses_gy": _DOSE},
    "FreeCourse": {"doses_gy": _DOSE},
    "DoseGrid": {
        "min_gy": _DOSE,
        "max_gy": _DOSE,
        "step_gy": Usual(0.001, 100, "Gy", "machines deliver steps of about 0.01 Gy"),
    },
    "Limit": {
        "penalty": _PENALTY,
        "cap_gy": _CAP,
        "limits_gy": _CAP,
        "alpha_beta_gy": _ALPHA_BETA,
        "floor_1e9_per_l": Usual(1e-9, 20, "1e9 per L", "grade 4 lymphopenia is below 0.2"),
        "td50_gy": Usual(0.5, 500, "Gy", "published values are 10 to 80 Gy"),
        "m": Usual(0.01, 5, "", "published values are 0.1 to 0.6"),
        "slope_per_gy": Usual(1e-3, 5, "per Gy", "published slopes are 0.03 to 0.3 per Gy"),
        "intercept": Usual(-50, 10, "", "log odds without dose are -2 to -10"),
    },
    "DrugLimit": {"cap": Usual(1e-4, 1e6, "", "cumulative doses are at most some 1e5 mg")},
    "NewSitesLimit": {
        "cap": Usual(1e-6, 100, "", "expected new sites are 0.01 to some"),
        "rate_per_day": Usual(0, 1, "per day", "published delays have 0.001 to 0.01"),
        "reference_cm3": Usual(0.01, 1e4, "cm3", "volumes of lesions are 0.01 to 5000 cm3"),
        "exponent": Usual(0.05, 3, "", "0.66 and 1 are published"),
    },
    "Drug": {
        "clearance_l_per_day": _CLEARANCE,
        "intercompartmental_clearance_l_per_day": Usual(
            0,
            100,
            "L per day",
            "antibodies have 0.3 to 1; next to none is one compartment",
        ),
        "central_volume_l": _VOLUME_L,
        "peripheral_volume_l": _VOLUME_L,
        "clearance_t50_days": Usual(0.5, 2000, "days", "published values are 20 to 110 days"),
        "clearance_hill": _HILL,
        "ec50_mg_per_l": Usual(1e-6, 1e5, "mg/L", "antibodies have 1e-3 to 100 mg/L"),
        "occupancy_hill": _HILL,
        "lymphocyte_log_loss_per_dose": _BLOOD,
    },
    "ReferenceDose": {"amount": Usual(1e-3, 1e5, "", "in the unit of the dose")},
    "RegimenDose": {"amount": Usual(1e-3, 1e5, "", "in the unit of the dose")},
}
"""Table -> key -> plausible range; a table has the ranges of those it extends, too.

All reasons are recalled. Keys that the schema bounds on both sides are not repeated.
"""


def ranges_of(table: type[Any]) -> dict[str, Usual]:
    """Plausible ranges of the keys of a table."""
    found: dict[str, Usual] = {}
    for kind in reversed(table.__mro__):
        found |= RANGES.get(kind.__name__, {})
    return {key: usual for key, usual in found.items() if key in table.model_fields}


def outside(instance: Instance) -> Iterator[tuple[str, object, str]]:
    """(place, value, rule) of every number outside its range; none with `allow_unusual`."""
    if instance.allow_unusual:
        return
    for place, table in tables_of(instance):
        for key, value, usual in _outside(table):
            span = f"{usual.low:g} to {usual.high:g} {usual.unit}".strip()
            rule = f"usual is {span} ({usual.reason}); {KEY} at the top of the case goes beyond"
            yield f"{place}.{key}" if place else key, value, rule


def _outside(table: Table) -> Iterator[tuple[str, float, Usual]]:
    for key, usual in ranges_of(type(table)).items():
        value = getattr(table, key)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, int | float) and not usual.holds(one):
                yield key, one, usual
                break


def add_to_schema(definitions: dict[str, Any], tables: Iterator[type[Any]]) -> None:
    """Write the ranges into the definitions of a JSON Schema, key by key."""
    for table in tables:
        for key, usual in ranges_of(table).items():
            entry = definitions.get(table.__name__, {}).get("properties", {}).get(key)
            if entry is not None:
                entry["usual_range"] = {
                    "minimum": usual.low,
                    "maximum": usual.high,
                    "unit": usual.unit,
                    "reason": usual.reason,
                }
