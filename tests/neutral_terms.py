"""Every term of the widened model, and how a plain case loses it.

`without(raw, term)` is the case with one term at its neutral value (or left out, where a term has
none); a case has a term if that changes it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

Raw = dict[str, Any]
Switch = Callable[[Raw], None]
Test = Callable[[Raw], bool]


def without(raw: Raw, term: str) -> Raw:
    """The case with one term switched off."""
    other: Raw = pickle.loads(pickle.dumps(raw))
    OFF[term](other)
    return other


def terms_of(raw: Raw) -> list[str]:
    """Terms that a case has."""
    return [term for term in OFF if without(raw, term) != raw]


def lesions(raw: Raw) -> list[Raw]:
    found: list[Raw] = raw["lesions"]
    return found


def clones(raw: Raw) -> list[Raw]:
    return [clone for lesion in lesions(raw) for clone in lesion.get("clones", [])]


def techniques(raw: Raw) -> list[Raw]:
    return [way for lesion in lesions(raw) for way in lesion.get("techniques", [])]


def drugs(raw: Raw) -> list[Raw]:
    return list(raw.get("drugs", {}).values())


def organs(raw: Raw) -> list[Raw]:
    return list(raw["organs"].values())


def immune(raw: Raw) -> list[Raw]:
    return [raw["immune"]]


def agents(raw: Raw) -> list[Raw]:
    found: list[Raw] = raw.get("agents", [])
    return found


def exposures(raw: Raw) -> list[Raw]:
    return [found for limit in raw["limits"] for found in limit.get("exposures", [])]


def dropping(tables: Callable[[Raw], list[Raw]], *keys: str, default: Any = None) -> Switch:
    """Leave keys out of some tables, or set them where the library would fill them in."""

    def off(raw: Raw) -> None:
        for table in tables(raw):
            for key in keys:
                if key in table and default is not None:
                    table[key] = default
                table.pop(key, None) if default is None else None

    return off


def without_clones(raw: Raw) -> None:
    for lesion in lesions(raw):
        lesion.pop("clones", None)
        for way in lesion.get("techniques", []):
            if isinstance(way.get("irradiated_share"), dict):
                del way["irradiated_share"]


def first_technique_only(raw: Raw) -> None:
    for lesion in lesions(raw):
        if "techniques" in lesion:
            lesion["techniques"] = lesion["techniques"][:1]


def share(kind: type) -> Switch:
    """Whole lesions in the beam, where a share is stated as a number or clone by clone."""

    def off(raw: Raw) -> None:
        for way in techniques(raw):
            if isinstance(way.get("irradiated_share"), kind):
                del way["irradiated_share"]

    return off


def blocks(which: Callable[[Raw], bool]) -> Switch:
    """Menus without some of their further blocks."""

    def off(raw: Raw) -> None:
        for lesion in lesions(raw):
            course = lesion.get("course", {})
            if "also" in course:
                course["also"] = [block for block in course["also"] if not which(block)]
                if not course["also"]:
                    del course["also"]

    return off


def phase(name: str) -> Switch:
    """Drugs that act on a phase with strength 0."""

    def off(raw: Raw) -> None:
        for drug in drugs(raw):
            if drug.get("phase") == name:
                drug["strength"] = 0.0

    return off


def several_on_one_phase(raw: Raw) -> bool:
    acting = [drug["phase"] for drug in drugs(raw) if "phase" in drug]
    return len(set(acting)) < len(acting)


def plain_rule(raw: Raw) -> None:
    if several_on_one_phase(raw):
        raw["immune"].pop("combination", None)


def limit_gone(which: Test) -> Switch:
    """The case without some limits (and prior doses that no other limit counts)."""

    def off(raw: Raw) -> None:
        raw["limits"] = [limit for limit in raw["limits"] if not which(limit)]
        _drop_uncounted(raw)

    return off


def hardened(which: Test) -> Switch:
    """Soft limits made hard."""

    def off(raw: Raw) -> None:
        for limit in raw["limits"]:
            if which(limit):
                limit.pop("penalty", None)

    return off


def point_of(limit: Raw) -> str:
    given = limit.get("point", "mean" if limit["kind"] == "ntcp" else "max")
    return "mean" if limit["kind"] in ("mean", "mean_eqd2") else given


def counted(raw: Raw, limit: Raw) -> Iterator[Raw]:
    """Prior doses that a limit counts."""
    for prior in raw.get("prior_doses", []):
        if (prior["organ"], prior["point"]) == (limit.get("organ"), point_of(limit)):
            yield prior


def _drop_uncounted(raw: Raw) -> None:
    used = [prior for limit in raw["limits"] for prior in counted(raw, limit)]
    if "prior_doses" in raw:
        raw["prior_doses"] = [prior for prior in raw["prior_doses"] if prior in used]


def unirradiated(kind: str) -> Switch:
    """Nothing given before to what limits of one kind protect."""

    def off(raw: Raw) -> None:
        gone = [p for limit in raw["limits"] if limit["kind"] == kind for p in counted(raw, limit)]
        if gone:
            raw["prior_doses"] = [prior for prior in raw["prior_doses"] if prior not in gone]

    return off


def unwindowed(raw: Raw) -> None:
    for limit in raw["limits"]:
        limit.pop("first_day", None)
        limit.pop("last_day", None)


def objective(kind: str) -> Switch:
    """The default objective instead of another one."""

    def off(raw: Raw) -> None:
        if raw["objective"]["kind"] == kind:
            raw["objective"]["kind"] = "default"

    return off


def of_kind(kind: str) -> Test:
    return lambda limit: limit["kind"] == kind


def counting(quantity: str) -> Test:
    return lambda limit: limit.get("quantity") == quantity


ORGAN = ("bed", "mean", "mean_eqd2", "dose_by_fractions", "ntcp")
SOFT = (*ORGAN, "alc", "edric", "drug", "logistics")

OFF: dict[str, Switch] = {
    "twice a day": blocks(lambda block: block.get("fractions_per_day", 1) > 1),
    "further blocks": blocks(lambda block: block.get("fractions_per_day", 1) == 1),
    "repair in tumors": dropping(lesions, "repair_half_time_hours"),
    "repair in organs": dropping(organs, "repair_half_time_hours"),
    "hypoxia": dropping(lesions, "oxygen_modification_factor", "reoxygenation_days"),
    "reoxygenation": dropping(lesions, "reoxygenation_days"),
    "clones": without_clones,
    "clones: effector share": dropping(clones, "effector_share_factor"),
    "clones: drug kill": dropping(clones, "drug_kill_factor"),
    "techniques": first_technique_only,
    "techniques: node": dropping(techniques, "node_factor"),
    "techniques: share": share(float),
    "techniques: share by clone": share(dict),
    "techniques: sparing": dropping(techniques, "sparing"),
    "techniques: effector kill": dropping(techniques, "effector_kill_per_fraction"),
    "techniques: lymphocytes": dropping(
        techniques, "lymphocyte_loss_per_fraction", "lymphocyte_effect_per_fraction"
    ),
    "techniques: integral dose": dropping(techniques, "integral_dose_cm3"),
    "sensitizer": dropping(drugs, "sensitizer_enhancement_ratio", default=1.0),
    "equivalent BED": dropping(drugs, "equivalent_bed_gy_per_dose"),
    "cytotoxic kill": dropping(drugs, "cytotoxic_log_kill_per_dose"),
    "precursor loss": dropping(drugs, "precursor_log_loss_per_dose"),
    "suppression by dose": dropping(immune, "suppression_per_gy"),
    "suppression by days": dropping(immune, "suppression_per_day"),
    "PD-L1 up-regulation": dropping(immune, "pdl1_upregulation"),
    "plateau of the gate": dropping(immune, "gate_plateau"),
    "own loss": dropping(immune, "own_loss"),
    "liver: release": dropping(immune, "liver_release_factor"),
    "liver: siphon": dropping(immune, "liver_siphon_nats"),
    "mobilization by anti-CTLA-4": dropping(immune, "ctla4_mobilization_per_day"),
    "depletion by anti-CTLA-4": dropping(immune, "ctla4_depletion"),
    "count before treatment": dropping(immune, "count_exponent"),
    "burden rule": dropping(immune, "burden_limit_cm3"),
    "burden and blockade": dropping(immune, "burden_blockade"),
    "release factor": dropping(immune, "release_factor"),
    "share factor": dropping(immune, "share_factor"),
    "regrowth": dropping(immune, "release_regrowth"),
    "repeated release": dropping(immune, "repeat_release"),
    "preblockade sign": dropping(immune, "preblockade_sign"),
    **{
        f"phase: {name}": phase(name)
        for name in ("priming", "mobilization", "effector", "suppression")
    },
    "combination rule": plain_rule,
    "ntcp": limit_gone(of_kind("ntcp")),
    "ntcp: logistic": limit_gone(lambda limit: limit.get("model") == "logistic"),
    "ntcp: lkb": limit_gone(lambda limit: limit.get("model") == "lkb"),
    "ntcp: physical": limit_gone(
        lambda limit: limit["kind"] == "ntcp" and limit.get("dose") != "eqd2"
    ),
    "ntcp: eqd2": limit_gone(lambda limit: limit.get("dose") == "eqd2"),
    "ntcp: risk ratio": dropping(exposures, "risk_ratio"),
    "ntcp: odds ratio": dropping(exposures, "odds_ratio"),
    **{f"soft {kind}": hardened(of_kind(kind)) for kind in SOFT},
    **{f"prior {kind}": unirradiated(kind) for kind in ORGAN},
    "organ SER": dropping(organs, "sensitizer_enhancement_ratio"),
    "irae risk": limit_gone(counting("irae_risk")),
    "machine days": limit_gone(counting("machine_days")),
    "windows": unwindowed,
    "course gap": limit_gone(counting("course_gap_days")),
    "min days before": dropping(agents, "min_days_before_radiation"),
    "max days before": dropping(agents, "max_days_before_radiation"),
    **{
        f"objective {kind}": objective(kind)
        for kind in ("log_control", "expected_control", "log_kill", "tumor_bed")
    },
}
