"""The surrogate with one of its terms switched off, to name what sets it apart from a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance

Change = Callable[["Instance"], "Instance"]

OPEN_GATE_GY = (1e-6, 1e6)
NEVER_DAYS = 1e6


def terms_of(instance: Instance) -> tuple[str, ...]:
    """Names of the terms that a case has, in a fixed order."""
    return tuple(name for name, change in _TERMS.items() if change(instance) != instance)


def without(instance: Instance, *terms: str) -> Instance:
    """The case without some of its terms.

    It is made for the judge only: values may lie outside the ranges of the schema.
    """
    for term in terms:
        instance = _TERMS[term](instance)
    return instance


def _immune(**values: Any) -> Change:
    def change(instance: Instance) -> Instance:
        return instance.unchecked({"immune": instance.immune.unchecked(values)})

    return change


def _lesions(update: Callable[[Lesion], dict[str, Any]]) -> Change:
    def change(instance: Instance) -> Instance:
        lesions = tuple(one.unchecked(update(one)) for one in instance.lesions)
        return instance.unchecked({"lesions": lesions})

    return change


def _drugs(**values: Any) -> Change:
    def change(instance: Instance) -> Instance:
        drugs = {name: drug.unchecked(values) for name, drug in instance.drugs.items()}
        return instance.unchecked({"drugs": drugs})

    return change


def _per_fraction(*names: str) -> Change:
    """Set constants of lesions and, where they state their own, of techniques to 0."""

    def technique(way: Technique) -> Technique:
        stated = {name: 0.0 for name in names if getattr(way, name, None) is not None}
        return way.unchecked(stated)

    def update(lesion: Lesion) -> dict[str, Any]:
        stated = {name: 0.0 for name in names if getattr(lesion, name) is not None}
        return stated | {"techniques": tuple(technique(way) for way in lesion.techniques)}

    return _lesions(update)


def _both(first: Change, second: Change) -> Change:
    return lambda instance: second(first(instance))


def _always_mobilized(instance: Instance) -> Instance:
    """Mobilize every day as under full blockade, so that only the other effects of a drug count."""
    immune = instance.immune
    every_day = immune.mobilization_per_day + immune.blockade_mobilization_per_day
    return _immune(mobilization_per_day=every_day, blockade_mobilization_per_day=0.0)(instance)


def _recovery(instance: Instance) -> Instance:
    lymphocytes = instance.lymphocytes.unchecked({"recovery_half_time_days": NEVER_DAYS})
    return instance.unchecked({"lymphocytes": lymphocytes})


def _conceding(instance: Instance) -> Instance:
    if instance.objective.kind != "default":
        return instance
    plain = instance.objective.unchecked({"kind": "log_control"})
    return instance.unchecked({"objective": plain})


def _control(instance: Instance) -> Instance:
    if instance.objective.of_dose_alone:
        return instance
    plain = instance.objective.unchecked({"kind": "log_kill"})
    return instance.unchecked({"objective": plain})


_TERMS: dict[str, Change] = {
    "dose gate": _immune(gate_low_gy=OPEN_GATE_GY[0], gate_high_gy=OPEN_GATE_GY[1]),
    "effector kill by the beam": _per_fraction("effector_kill_per_fraction"),
    "lymphocyte loss": _both(
        _per_fraction("lymphocyte_loss_per_fraction", "lymphocyte_effect_per_fraction"),
        _drugs(lymphocyte_log_loss_per_dose=0.0),
    ),
    "lymphocyte recovery": _recovery,
    "precursor loss": _immune(precursor_loss_per_day=0.0),
    "precursor loss under chemotherapy": _drugs(precursor_log_loss_per_dose=0.0),
    "effector loss": _immune(effector_loss_per_day=0.0),
    "mobilization by blockade": _immune(blockade_mobilization_per_day=0.0),
    "waiting for blockade to mobilize": _always_mobilized,
    "effect of blockade on effectors": _immune(blockade_effect=0.0),
    "saturation": _immune(effect_maximum_nats=None),
    "priming delay": _immune(priming_delay_days=0),
    "priming by anti-CTLA-4": _immune(ctla4_threshold=1.0),
    "blockade before radiation": _immune(preblockade_sign=0.0),
    "volume in the release": _immune(volume_exponent=0.0),
    "node factor": _lesions(
        lambda one: {
            "techniques": tuple(way.unchecked({"node_factor": 1.0}) for way in one.techniques)
        }
    ),
    "suppression": _immune(suppression_per_gy=0.0, suppression_per_day=0.0),
    "PD-L1 up-regulation": _immune(pdl1_upregulation=0.0),
    "plateau of the gate": _immune(gate_plateau=0.0),
    "loss of a course's own effectors": _immune(own_loss=0.0),
    "liver": _immune(liver_release_factor=1.0, liver_siphon_nats=0.0),
    "mobilization by anti-CTLA-4": _immune(ctla4_mobilization_per_day=0.0),
    "depletion by anti-CTLA-4": _immune(ctla4_depletion=0.0),
    "count before treatment": _immune(count_exponent=0.0),
    "burden rule": _immune(burden_limit_cm3=None),
    "regrowth in the release": _immune(release_regrowth=0.0),
    "repeated release": _immune(repeat_release=0.0),
    "initial precursors": _immune(precursors_initial=0.0, precursor_inflow_per_day=0.0),
    "release": _immune(release_factor=0.0),
    "systemic effect": _lesions(lambda _: {"effector_share": 0.0}),
    "occult disease": _lesions(lambda one: {} if one.volume_cm3 else {"weight": 0.0}),
    "untreated growth": _lesions(lambda _: {"growth_doubling_time_days": None}),
    "accelerated repopulation": _lesions(lambda _: {"repopulation_doubling_time_days": None}),
    "spread of radiosensitivity": _lesions(lambda one: {"alpha_cv": 0.0} if one.spread else {}),
    "hypoxia": _lesions(lambda _: {"oxygen_modification_factor": 1.0}),
    "sensitization": _drugs(sensitizer_enhancement_ratio=1.0, equivalent_bed_gy_per_dose=0.0),
    "cytotoxic kill": _drugs(cytotoxic_log_kill_per_dose=0.0),
    "conceding": _conceding,
    "control rather than kill": _control,
    "soft limits": lambda instance: instance.unchecked(
        {"limits": tuple(one for one in instance.limits if one.penalty is None)}
    ),
}
