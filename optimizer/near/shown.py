"""Plans near the best as rows, JSON, CSV and text, with what was not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.optimizer.crosscheck import cells
from abscopt.optimizer.near.differences import TIMING, heading_of
from abscopt.optimizer.results.result import DISCLAIMER, heading, versions
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    from abscopt.optimizer.near.alternatives import Alternative, Alternatives

COLUMNS = (
    "rank", "group", "objective", "below", "differs", "sites", "doses", "drug_starts",
    "first_days", "first_days_complete", "timings", "binding_limits",
)  # fmt: skip

CLASSES = {
    None: "combinations of lesions, fractions, dose, technique and regimen",
    "sites": "sets of lesions",
    "dose": "choices of dose per fraction",
    "fractions": "choices of fraction numbers",
    "drug-start": "first days of drugs",
    "days": "choices of fraction days",
}


def rows(listing: Alternatives) -> list[dict[str, Any]]:
    """One row of plain data per plan, the optimum first; `rank` is that of the objective."""
    order = sorted(range(len(listing.plans)), key=lambda i: (listing.plans[i].below, i))
    rank = {place: number for number, place in enumerate(order)}
    return [
        {
            "rank": rank[place],
            "group": heading_of(plan.group) or "optimum",
            "objective": plan.evaluation.objective,
            "below": plan.below,
            "differs": _differs(plan),
            "sites": cells.sites(plan.schedule, listing.case),
            "doses": cells.doses(plan.schedule, listing.case),
            "drug_starts": cells.drug_starts(plan.schedule),
            "first_days": _first_days(plan),
            "first_days_complete": plan.reach.complete,
            "timings": plan.reach.timings,
            "binding_limits": cells.binding(plan.evaluation),
        }
        for place, plan in enumerate(listing.plans)
    ]


def _differs(plan: Alternative) -> list[str]:
    return list(dict.fromkeys(difference.words for difference in plan.differs))


def _first_days(plan: Alternative) -> list[str]:
    """Like `lung 0-4`: between which days each course and drug may begin."""
    ranges = plan.reach.lesions | plan.reach.drugs
    return [
        f"{name} {low}" if low == high else f"{name} {low}-{high}"
        for name, (low, high) in ranges.items()
    ]


def document(listing: Alternatives) -> dict[str, Any]:
    """What `alternatives --json` prints."""
    return {
        **heading("alternatives", listing.case),
        "within": listing.within,
        "unit": listing.solved.unit,
        "differ": listing.differ,
        "ending": listing.ending,
        "known": listing.known,
        "groups": [
            {"differs": heading_of(group) or "optimum", "known": number}
            for group, number in listing.by_group
        ],
        "asked": [{"decision": words, "answered": answered} for words, answered in listing.asked],
        "statement": statement(listing),
        "rows": [
            row | {"schedule": plan.schedule.to_json(listing.case)}
            for row, plan in zip(rows(listing), listing.plans, strict=True)
        ],
        "solved": {
            key: getattr(listing.solved, key) for key in ("status", "objective", "bound", "gap")
        },
        "seconds": round(listing.seconds, 3),
        "versions": versions(),
    }


def csv_text(listing: Alternatives) -> str:
    """The rows as CSV."""
    return csv_rows(COLUMNS, rows(listing))


def statement(listing: Alternatives) -> str:
    """What is listed of all that there is."""
    listed, what = len(listing.plans), CLASSES[listing.differ]
    margin = f"within {listing.within:g} {listing.solved.unit} of the best"
    if not listed:
        infeasible = listing.ending == "complete"
        return "No schedule is feasible." if infeasible else "No schedule was listing in the time."
    if listing.ending == "complete":
        if listing.known == 1:
            return f"Complete: of all {what}, no other is {margin}."
        if listed == listing.known:
            return f"Complete: of all {what}, these {listed} and no others are {margin}."
        unlisted = listing.known - listed
        return (
            f"A selection: {listing.known} {what} are {margin}; the best of each way to differ are "
            f"listed first, {unlisted} are not listed, and there are no others."
        )
    if listing.ending == "stopped":
        return (
            f"Not complete: the search was stopped. At least {listing.known} {what} are {margin}, "
            f"{listing.known - listed} of them are not listed, and there may be others, better "
            "ones among them."
        )
    return f"A selection: more {what} are {margin} than are looked at. {_asked(listing)}"


def _asked(listing: Alternatives) -> str:
    """What was asked instead of everything."""
    answered = [words for words, answer in listing.asked if answer]
    gap = f"{listing.solved.requested_gap / 2:g} {listing.solved.unit}"
    text = f"At least {listing.known} are known, {listing.known - len(listing.plans)} not listed."
    if answered:
        text += (
            f" Of what differs in one decision the best is known to {gap}, or that nothing is "
            f"within the margin: {'; '.join(answered)}."
        )
    unanswered = [words for words, answer in listing.asked if not answer]
    if unanswered:
        text += f" Not decided: {'; '.join(unanswered)}."
    return text


def report(listing: Alternatives) -> str:
    """The plans for a person, group by group."""
    title = (
        f"{listing.case.name}: plans within {listing.within:g} {listing.solved.unit} of the best"
    )
    lines: list[object] = [*change_lines(listing.case), title]
    group = None
    for row, plan in zip(rows(listing), listing.plans, strict=True):
        if plan.group != group:
            lines += ["", f"Other {row['group']}" if plan.group else "The best"]
        group = plan.group
        below = f"{plan.below:.4f} below: " if plan.group else ""
        first = ", ".join(row["first_days"]) or "nothing"
        wider = "" if plan.reach.complete else " (at least)"
        lines += [
            f"  {row['objective']:.4f}  {below}{'; '.join(_told(listing, plan, row))}",
            f"{'':11}begins on day  {first}{wider}",
        ]
        if row["binding_limits"]:
            lines.append(f"{'':11}uses up  {', '.join(row['binding_limits'])}")
    return plain_text([*lines, "", statement(listing), "", DISCLAIMER])


def _told(listing: Alternatives, plan: Alternative, row: dict[str, Any]) -> list[str]:
    """What differs; days only where they were asked for or nothing else does."""
    if not plan.group:
        return [*(row["doses"] or ["no radiation"]), *row["drug_starts"]]
    if listing.differ in TIMING:
        return list(row["differs"])
    decisions = set(plan.group)
    return list(dict.fromkeys(d.words for d in plan.differs if (d.aspect, d.name) in decisions))
