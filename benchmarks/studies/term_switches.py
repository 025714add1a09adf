"""Every biological term with a case that shows it, and how it is switched off there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EVIDENCE = "## What the evidence says of terms that are off"
"""Heading of the section of `docs/terms.md` that `terms_evidence.py` writes."""

Raw = dict[str, Any]
Edit = Callable[[Raw], None]


@dataclass(frozen=True)
class Term:
    """One biological term, the case that shows it, and its switch.

    `added` puts a term into a case that does not state it; the switch then takes it out again.
    """

    name: str
    case: str
    switch: str
    off: Edit
    added: Edit | None = None


def _place(raw: Raw, path: tuple[str, ...]) -> Any:
    """The table or list at a path; a step into a list is the name of an entry."""
    place: Any = raw
    for step in path:
        if isinstance(place, list):
            place = next(e for e in place if step in (e.get("name"), e.get("use")))
        else:
            place = place.setdefault(step, {})
    return place


def _set(*path: str, value: Any) -> Edit:
    """Set a value; a step into a list is an entry's name."""

    def edit(raw: Raw) -> None:
        place = _place(raw, path[:-1])
        place[path[-1]] = value

    return edit


def _drop(*path: str) -> Edit:
    """Remove a key, or the entry of a list that has this name."""

    def edit(raw: Raw) -> None:
        place = _place(raw, path[:-1])
        if isinstance(place, list):
            place[:] = [e for e in place if path[-1] not in (e.get("name"), e.get("use"))]
        else:
            del place[path[-1]]

    return edit


def _all(*edits: Edit) -> Edit:
    def edit(raw: Raw) -> None:
        for each in edits:
            each(raw)

    return edit


def _immune(**constants: float) -> Edit:
    """State some constants of the immune response."""

    def edit(raw: Raw) -> None:
        raw["immune"] = raw.get("immune", {"use": "default"}) | constants

    return edit


def _further(name: str, case: str, key: str, size: float, neutral: float, *more: Edit) -> Term:
    """A term that no bundled case states, at a size."""
    switch = f"`{key}` {neutral:g} instead of {size:g}"
    return Term(name, case, switch, _immune(**{key: neutral}), _all(_immune(**{key: size}), *more))


def _complete_repair(raw: Raw) -> None:
    for owner in (*raw["organs"].values(), *raw["lesions"]):
        owner.pop("repair_half_time_hours", None)


DEFAULT = _set("immune", value={"use": "default"})


TERMS = (
    Term("incomplete repair", "bid-hyperfractionation", "no repair half-times", _complete_repair),
    Term(
        "hypoxia",
        "hypoxic-bulky",
        "no oxygen modification",
        _all(
            _drop("lesions", "bulky", "oxygen_modification_factor"),
            _drop("lesions", "bulky", "reoxygenation_days"),
        ),
    ),
    Term(
        "reoxygenation",
        "hypoxic-bulky",
        "no `reoxygenation_days`",
        _drop("lesions", "bulky", "reoxygenation_days"),
    ),
    Term("clones", "resistant-clone", "no clones", _drop("lesions", "adrenal", "clones")),
    Term(
        "node-sparing technique",
        "nodes-or-not",
        "`node_factor` 1 of the elective technique",
        _set("lesions", "primary", "techniques", "elective", "node_factor", value=1.0),
    ),
    Term(
        "partial volume",
        "partial-bulky",
        "no partial technique",
        _drop("lesions", "bulky", "techniques", "partial"),
    ),
    Term(
        "sensitizer",
        "stage3-crt",
        "ratio 1 of both platinum drugs",
        _all(
            *(
                _set("drugs", drug, "sensitizer_enhancement_ratio", value=1.0)
                for drug in ("carboplatin", "cisplatin")
            )
        ),
    ),
    Term(
        "equivalent BED",
        "hfrt-crt",
        "no equivalent BED",
        _set("drugs", "carboplatin", "equivalent_bed_gy_per_dose", value=0.0),
    ),
    Term(
        "cytotoxic kill",
        "hfrt-crt",
        "no cytotoxic kill",
        _set("drugs", "carboplatin", "cytotoxic_log_kill_per_dose", value=0.0),
    ),
    Term(
        "lymphocyte cost of chemotherapy",
        "hfrt-crt-frail",
        "no lymphocyte loss per dose",
        _all(
            _set("drugs", "carboplatin", "lymphocyte_log_loss_per_dose", value=0.0),
            _set("drugs", "paclitaxel", "lymphocyte_log_loss_per_dose", value=0.0),
        ),
    ),
    Term(
        "precursor cost of chemotherapy",
        "hfrt-crt-frail",
        "no precursor loss per dose",
        _set("drugs", "carboplatin", "precursor_log_loss_per_dose", value=0.0),
    ),
    Term(
        "suppression by dose",
        "co-targets",
        "no suppression per Gy",
        _set("immune", "suppression_per_gy", value=0.0),
    ),
    Term(
        "suppression by duration",
        "lymphopenia",
        "no suppression per day",
        _set("immune", "suppression_per_day", value=0.0),
    ),
    Term(
        "regrowth between fractions",
        "pulsar",
        "no regrowth",
        _set("immune", "release_regrowth", value=0.0),
    ),
    Term(
        "repeated release",
        "pulsar-daily",
        "no repeat",
        _set("immune", "repeat_release", value=0.0),
    ),
    Term(
        "burden rule",
        "partial-bulky-burden",
        "no burden limit",
        _drop("immune", "burden_limit_cm3"),
    ),
    Term("antigen loss", "resistance-antigen-loss", "scenario `default`", DEFAULT),
    Term(
        "PD-L1 up-regulation",
        "ctla4-or-pd1",
        "no up-regulation",
        _set("immune", "pdl1_upregulation", value=0.0),
    ),
    Term("exhaustion", "resistance-exhaustion", "scenario `default`", DEFAULT),
    Term(
        "Treg/TGF-beta",
        "young-timing",
        "no suppression",
        _all(
            _set("immune", "suppression_per_gy", value=0.0),
            _set("immune", "suppression_per_day", value=0.0),
        ),
    ),
    Term("pre-blockade sign", "resistance-preblockade-harms", "scenario `default`", DEFAULT),
    Term(
        "agent phase: priming",
        "young-timing",
        "strength 0 of the OX40 agonist",
        _set("drugs", "anti-ox40", "strength", value=0.0),
    ),
    Term(
        "agent phase: mobilization",
        "co-targets",
        "strength 0 of the 4-1BB agonist",
        _set("drugs", "utomilumab", "strength", value=0.0),
    ),
    Term(
        "agent phase: effector",
        "co-targets",
        "strength 0 of anti-LAG-3",
        _set("drugs", "relatlimab", "strength", value=0.0),
    ),
    Term(
        "agent phase: suppression",
        "young-timing",
        "strength 0 of anti-CTLA-4",
        _set("drugs", "anti-ctla4", "strength", value=0.0),
    ),
    Term(
        "combination rule",
        "co-targets-two-agonists",
        "only the strongest agent of a phase counts",
        _set("immune", "combination", value="strongest"),
    ),
    Term(
        "organ enhancement by a sensitizer",
        "stage3-crt",
        "ratio 1 of the esophagus",
        _drop("organs", "esophagus", "sensitizer_enhancement_ratio"),
    ),
    Term(
        "exposures of NTCP",
        "stage3-crt-tight",
        "no exposures of pneumonitis (at most 42 % instead of 44 %)",
        _set("limits", "pneumonitis", "exposures", value=[]),
        _set("limits", "pneumonitis", "cap", value=0.42),
    ),
    Term("soft limit", "central-sbrt", "no soft limit", _drop("limits", "heart_optimal")),
    Term("prior dose", "reirradiation", "no prior doses", _set("prior_doses", value=[])),
    Term("irAE risk", "dual-checkpoint", "no limit of risk", _drop("limits", "irae_risk")),
    Term(
        "machine days",
        "capacity",
        "no limits of slots",
        _all(_drop("limits", "slots_first_week"), _drop("limits", "slots")),
    ),
    Term("course gap", "capacity", "no gap", _drop("limits", "gap_between_courses")),
    Term(
        "radiation before the drug",
        "hfrt-crt",
        "no `min_days_after_radiation`",
        _drop("agents", "durvalumab", "min_days_after_radiation"),
    ),
    Term(
        "drug before the radiation",
        "dual-checkpoint",
        "no `min_days_before_radiation`",
        _drop("agents", "ipilimumab", "min_days_before_radiation"),
    ),
    Term(
        "release of a free course",
        "mixed-free",
        "immunogenicity 0",
        _set("lesions", "free", "immunogenicity", value=0.0),
    ),
    _further("plateau of the gate", "ctla4-or-pd1", "gate_plateau", 0.6, 0.0),
    _further("a course's own lymphocyte loss", "co-targets", "own_loss", 1.0, 0.0),
    _further("release in the liver", "pembro-rt", "liver_release_factor", 0.3, 1.0),
    _further(
        "siphon of the liver (`small` in the liver)",
        "resistance",
        "liver_siphon_nats",
        0.7,
        0.0,
        _set("lesions", "small", "organ", value="liver"),
    ),
    _further(
        "mobilization by anti-CTLA-4", "dual-checkpoint", "ctla4_mobilization_per_day", 0.03, 0.0
    ),
    _further("depletion by anti-CTLA-4", "ctla4-or-pd1", "ctla4_depletion", 1.5, 0.0),
    _further(
        "count before treatment (1.0e9 per L)",
        "resistance",
        "count_exponent",
        2.0,
        0.0,
        _set("lymphocytes", "initial_1e9_per_l", value=1.0),
    ),
)
