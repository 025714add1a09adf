"""Notes: what a case leaves open, assumes or loses without being wrong, in words.

Which note holds is decided elsewhere (`checks.audit`, `optimizer.audit`); the sentences stand here
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXTS = {
    "sparing_not_stated": (
        "{lesion} states no dose per Gy for points that limits count: {points}; each counts as 0: "
        "write 0 where it is 0"
    ),
    "loss_not_stated": (
        "{lesion} states no lymphocyte_loss_per_fraction, which limit {limit} counts: "
        "it counts as 0; write 0 where it is 0"
    ),
    "value_assumed": "{key} is not stated: assumed {value:g} {unit}{effect}",
    "cycles_beyond_regimen": "asks for {asked} cycles; {regimen} has {most} and gives no more",
    "doses_cut": (
        "the horizon of {days} days cuts {regimen}: {given} of {total} doses when it starts on day "
        "{start}; later ones are not part of the case"
    ),
    "menu_empty": "{lesion} has no course to choose: {reason}; it cannot be irradiated",
    "courses_cut": "the horizon of {days} days cuts courses of {lesion}: {cut}",
    "unusual_value": "{what} is {value:g} {unit}, usual is {low:g} to {high:g} {unit} ({reason})",
    "unusual_fraction": (
        "{what}: {value:g} Gy per fraction is more than {most:g} Gy ({reason}); "
        "is it a total dose? dose_gy and doses_gy are doses per fraction"
    ),
    "unusual_total": (
        "{what}: {count} x {dose:g} Gy is {total:g} Gy in all (BED10 {bed:.0f} Gy, more than "
        "{most:g} Gy: {reason}); is {dose:g} Gy a total dose? dose_gy and doses_gy are doses per "
        "fraction"
    ),
    "unusual_size": (
        "{what} has {size} {of}, usual is at most {usual}: it may take long, and much memory"
    ),
    "body_mismatch": (
        "weight_kg {weight:g} and bsa_m2 {area:g} belong to a height of {height:.0f} cm (Mosteller)"
    ),
    "no_effector_share": (
        "every effector_share is 0: no lesion feels the systemic effect, so no drug and no release "
        "changes the control of any"
    ),
    "no_precursor_share": (
        "every precursor_share is 0: no lesion has initial precursors, so blockade without "
        "radiation does nothing"
    ),
    "agent_without_effect": (
        "{agent} changes nothing in this case: {reason}"
    ),
    "term_without_effect": "immune.{key} changes nothing in this case: {reason}",
    "envelope": (
        "the table of {limit} allows more per fraction in more fractions: where one lesion alone "
        "loads {point}, with equal fractions once a day and nothing before, it is looked up by "
        "their number; here its safe envelope counts, {limits} Gy in {fractions}"
    ),
    "bins_apart": (
        "the mean of {organ} is stated as {stated:.4g} per Gy, its bins have {mean:.4g}: limits on "
        "the mean count the one, limits by bins the other"
    ),
    "prior_over_soft": "prior dose alone uses {use:.1f} % of the soft limit {limit}",
    "fails_alone": (
        "every course of {lesion} breaks a limit even alone; nearest is {course}: {breaks}"
    ),
    "floor_unreachable": (
        "limit {limit} wants at least {floor} treated lesions, but only {possible} of them have a "
        "course that keeps every limit alone ({without} cannot be irradiated): infeasible"
    ),
    "demand_unreachable": (
        "{lesion} demands a least dose, but no course of it keeps every limit: infeasible"
    ),
    "starts_not_offered": "{sentence}",
    "untreated": "{lesion} is not irradiated: {reason}",
    "worse_on_average": (
        "where alpha and alpha/beta of all lesions of a patient vary by {variation:g} % between "
        "patients, this answer is on average {loss:.4g} {unit} worse than the standard regimen, "
        "which keeps the limits: decide for an ensemble (--ensemble)"
    ),
    "no_gain": (
        "{lesion} receives {course} ({total:g} Gy) and its control stays below {least:g} % "
        "({control:.2g} % on day {day}): the course gains nothing in control"
    ),
    "ends_before_horizon": (
        "{lesion} ends on day {last}, {before} days before the horizon of day {horizon}, which "
        "counts its kill in full and no fraction after it: the course may stand there for that "
        "reason; a horizon at least {wanted} days after every course on offer has no such reward"
    ),
}  # fmt: skip
"""Kind of note -> sentence with its facts in braces."""

REMARKS = {
    "doses_cut", "courses_cut", "starts_not_offered", "untreated", "no_gain", "ends_before_horizon",
    "envelope", "worse_on_average",
}  # fmt: skip
"""Kinds that state what follows from a horizon, a calendar or an answer as it was meant; all others
point to a probable mistake."""


@dataclass(frozen=True)
class Note:
    """One thing to know about a case or an answer: its kind, where it stands, a sentence."""

    kind: str
    place: str
    text: str
    meant: bool = False
    """Whether the case says that what is unusual is meant (`allow_unusual = true`)."""

    @property
    def level(self) -> str:
        """`warning` for a probable mistake, which `--strict` refuses; else `note`."""
        return "note" if self.meant or self.kind in REMARKS else "warning"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {"kind": self.kind, "level": self.level, "place": self.place, "text": self.text}


def note(kind: str, place: str, **facts: object) -> Note:
    """A note of one kind with its facts filled into the sentence."""
    return Note(kind, place, TEXTS[kind].format(**facts))
