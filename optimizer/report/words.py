"""An answer in the words of a clinic: prescriptions, control, what is proved."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import date_of
from abscopt.optimizer.results.text.wording import WHY_NO_RADIATION

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.report.finding import Finding
    from abscopt.optimizer.schedule import Schedule

HIGH, LOW = 0.999, 0.001


def percent(chance: float) -> str:
    """`93.2 %`; what rounds to certainty is said as a bound."""
    if chance > HIGH:
        return "> 99.9 %"
    return "< 0.1 %" if chance < LOW else f"{100 * chance:.1f} %"


def prescription(schedule: Schedule, lesion: str) -> str:
    """`48 Gy in 4 fractions of 12 Gy`; several doses are listed; empty without a course."""
    doses = [dose for _, dose, _ in schedule.course(lesion)]
    if not doses:
        return ""
    counts = [(dose, len(list(group))) for dose, group in groupby(doses)]
    doses_text = " then ".join(f"{count} x {dose:g} Gy" for dose, count in counts)
    if len(counts) == 1:
        noun = "fraction" if len(doses) == 1 else "fractions"
        doses_text = f"{len(doses)} {noun} of {doses[0]:g} Gy"
    return f"{math.fsum(doses):g} Gy in {doses_text}"


def span_words(case: Instance, days: list[int]) -> str:
    """`5 to 9 Jan 2026`, or one date."""
    first, last = date_of(case.calendar, min(days)), date_of(case.calendar, max(days))
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {end}"
    begin = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return f"{begin} to {end}"


def decision(finding: Finding) -> list[str]:
    """What to irradiate and what to give, in two sentences."""
    case, schedule = finding.case, finding.schedule
    if schedule is None:
        return [STATUS.get(str(finding.document.get("status")), "")]
    treated = [
        f"{lesion.name} with {prescription(schedule, lesion.name)} "
        f"({span_words(case, [day for day, _, _ in schedule.course(lesion.name)])})"
        for lesion in case.lesions
        if schedule.course(lesion.name)
    ]
    untreated = [
        case.lesions[i].name for i in case.irradiable if not schedule.course(case.lesions[i].name)
    ]
    radiation = f"Irradiate {listed(treated)}" if treated else "Irradiate nothing"
    if untreated and treated:
        radiation += f"; leave {listed(untreated)} untreated"
    drugs = []
    for drug in dict.fromkeys(infusion.drug for infusion in schedule.infusions):
        doses = [infusion for infusion in schedule.infusions if infusion.drug == drug]
        begin = date_of(case.calendar, min(infusion.day for infusion in doses))
        noun = "dose" if len(doses) == 1 else "doses"
        drugs.append(f"{drug} from {begin.day} {begin:%b %Y} ({len(doses)} {noun})")
    return [f"{radiation}.", f"Give {listed(drugs)}." if drugs else "Give no drug."]


STATUS = {
    "infeasible": "Nothing that the case offers keeps every limit; this is proved.",
    "unknown": "No schedule was found in the time given, and none was excluded.",
}


def gain_words(finding: Finding) -> str:
    """What the schedule gains over the standard regimen, as far as this is known."""
    verdict, standard = finding.evaluation, finding.standard
    if verdict is None:
        return ""
    if standard is None:
        return "The case names no standard regimen to compare with."
    gain = verdict.objective - standard.objective
    words = (
        f"Under the case's parameters its objective is {abs(gain):.3f} {verdict.unit} "
        f"{'above' if gain >= 0 else 'below'} that of the standard regimen"
    )
    if standard.broken_limits or standard.broken_rules:
        words += ", which breaks " + listed([*standard.broken_limits, *standard.broken_rules])
    return f"{words}."


def robustness_words(finding: Finding) -> str:
    """How the answer fares in an ensemble, where it was asked; else that it was not."""
    lines = (finding.document.get("robustness") or {}).get("lines")
    if not lines:
        return UNKNOWN_ROBUSTNESS
    return " ".join(f"{line[:1].upper()}{line[1:]}." for line in map(str, lines))


UNKNOWN_ROBUSTNESS = (
    "How sure this is has not been asked: parameters are uncertain, and the answer holds for one "
    "set of them (see `abscopt robustness`)."
)


def proof_words(finding: Finding) -> str:
    """The certificate in one plain sentence."""
    document = finding.document
    bound, unit = document.get("bound"), document.get("gap_unit")
    if finding.evaluation is None:
        return STATUS.get(str(document.get("status")), "")
    if bound is None:
        return "Nothing is proved of how much better another schedule could be."
    gap = max(0.0, float(bound) - finding.evaluation.objective)
    closed = "" if document.get("status") == "optimal" else ", which is more than was asked for"
    return (
        f"Of all schedules that the case offers none is better by more than {gap:.3g} {unit}"
        f"{closed}. The schedule was judged again by code that shares nothing with the search but "
        "the formulas."
    )


def untreated_words(finding: Finding) -> list[str]:
    """Why lesions are left, as the notes of the result say it."""
    notes = finding.document.get("notes") or []
    return [str(note.get("text")) for note in notes if note.get("kind") in WHY_NO_RADIATION]


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}"
