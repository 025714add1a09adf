"""Show that each biological term changes the best decision of some bundled case.

    python benchmarks/studies/terms.py [TERM ...] [--write]

Each entry names a term, a case and how to switch the term off in the parsed case. The case is
solved with and without it, and each of the two decisions is also judged under the other: a term
counts only where the decision found without it is worse with it by more than the gap of the case,
or not allowed. `--write` puts the table into `docs/terms.md`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abscopt.instances.load import build, locate
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.schedule import Schedule

PAGE = Path(__file__).parents[2] / "docs" / "terms.md"
Raw = dict[str, Any]
Edit = Callable[[Raw], None]


@dataclass(frozen=True)
class Term:
    """One biological term, the case that shows it, and its switch."""

    name: str
    case: str
    switch: str
    off: Edit


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
        _set(
            "drugs",
            value={
                name: {"use": name, "sensitizer_enhancement_ratio": 1.0}
                for name in ("carboplatin", "cisplatin")
            },
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
        "stage3-crt",
        "no exposures",
        _all(
            _set("limits", "pneumonitis", "exposures", value=[]),
            _set("limits", "esophagitis_acute", "exposures", value=[]),
        ),
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
)


@dataclass(frozen=True)
class Row:
    """What one term does. Losses: of keeping the other decision; None if it is not allowed."""

    term: Term
    unit: str
    gap: float
    decision: tuple[str, str]
    objective: tuple[float, float]
    loss: tuple[float | None, float | None]

    @property
    def changes(self) -> bool:
        """Whether the decision found without the term is no longer a best one with it."""
        return self.loss[0] is None or self.loss[0] > self.gap


def raw_case(name: str) -> Raw:
    """A bundled case as it is written, library and base not merged in."""
    return tomllib.loads(locate(name).read_text(encoding="utf-8"))


def both(term: Term) -> tuple[Instance, Instance]:
    """The case with the term and without it."""
    changed = raw_case(term.case)
    term.off(changed)
    return build(raw_case(term.case), term.case), build(changed, term.case)


def examine(term: Term, time_limit: float | None = None) -> Row:
    """Solve with and without a term, and judge each decision under the other."""
    cases = both(term)
    schedules, objectives = [], []
    for case in cases:
        result = solve(case, time_limit=time_limit)
        if result.status != "optimal" or result.schedule is None or result.objective is None:
            raise RuntimeError(f"{term.name}: {case.name} is {result.status}")
        schedules.append(result.schedule)
        objectives.append(result.objective)
    losses: list[float | None] = []
    for i, case in enumerate(cases):
        try:
            verdict = evaluate(case, schedules[1 - i])
        except ValueError:  # a technique that only one of the two cases has
            losses.append(None)
            continue
        losses.append(objectives[i] - verdict.objective if verdict.feasible else None)
    return Row(
        term=term,
        unit=cases[0].objective.unit,
        gap=cases[0].objective.gap,
        decision=(decision(cases[0], schedules[0]), decision(cases[1], schedules[1])),
        objective=(objectives[0], objectives[1]),
        loss=(losses[0], losses[1]),
    )


def decision(case: Instance, schedule: Schedule) -> str:
    """One line: courses by lesion, first and number of doses by drug."""
    parts = []
    for lesion in case.lesions:
        course = schedule.course(lesion.name)
        if not course:
            continue
        doses = sorted({dose for _, dose, _ in course})
        each = f"{doses[0]:g}" if len(doses) == 1 else "/".join(f"{d:g}" for _, d, _ in course)
        days = sorted({day for day, _, _ in course})
        twice = f" {len(course) // len(days)}/day" if len(course) > len(days) else ""
        way = f" {name}" if (name := schedule.technique(lesion.name)) else ""
        parts.append(f"{lesion.name} {len(course)} x {each} Gy{twice}{way} d{days[0]}-{days[-1]}")
    drugs: dict[str, list[int]] = {}
    for infusion in schedule.infusions:
        drugs.setdefault(infusion.drug, []).append(infusion.day)
    parts += [f"{drug} d{min(days)} ({len(days)})" for drug, days in sorted(drugs.items())]
    return "; ".join(parts) or "nothing"


def _number(loss: float | None) -> str:
    return "not allowed" if loss is None else f"{loss:.3f}"


def page(rows: Iterable[Row]) -> str:
    """The table as Markdown."""
    lines = [
        "# What each biological term decides",
        "",
        "Each term changes the best decision of the bundled case named here. `without` is the same",
        "case with the term switched off as stated, solved again. The last two columns are what it",
        "would cost to keep the other decision: the one found without the term, judged with it,",
        "and the reverse (in the unit of the objective; `not allowed`: it breaks a limit or rule).",
        "The former is above the gap of the case in every row, so none is a tie; the latter may be",
        "0 where a drug that does nothing costs nothing. d7-11: first and last fraction day;",
        "d35 (6): first infusion day and number of infusions.",
        "",
        "Written by `python benchmarks/studies/terms.py --write`.",
        "",
        "| term | case | switched off by | decision with | decision without"
        " | objective with | without | loss with | loss without |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        term = row.term
        cells = [term.name, term.case, term.switch, *row.decision]
        cells += [f"{value:.4f}" for value in row.objective] + [_number(x) for x in row.loss]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Examine the terms, print them, and perhaps write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("terms", nargs="*", help="names of terms; all if none is given")
    parser.add_argument("--write", action="store_true", help="write docs/terms.md")
    parser.add_argument("--time-limit", type=float, default=120.0)
    arguments = parser.parse_args()
    chosen = [term for term in TERMS if not arguments.terms or term.name in arguments.terms]
    rows, failed = [], []
    for term in chosen:
        try:
            row = examine(term, arguments.time_limit)
        except RuntimeError as error:
            failed.append(str(error))
            print(f"FAILED  {error}", flush=True)
            continue
        rows.append(row)
        verdict = "changes" if row.changes else "SAME   "
        print(f"{verdict} {term.name} [{term.case}]", flush=True)
        print(f"   with    {row.objective[0]:.4f} loss {_number(row.loss[0])}: {row.decision[0]}")
        print(f"   without {row.objective[1]:.4f} loss {_number(row.loss[1])}: {row.decision[1]}")
    if arguments.write and not arguments.terms and not failed:
        PAGE.write_text(page(rows), encoding="utf-8")
    return int(bool(failed) or not all(row.changes for row in rows))


if __name__ == "__main__":
    sys.exit(main())
