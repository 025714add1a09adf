"""Judge every trial arm of the library on its bundled case, beside the published outcome.

    python benchmarks/studies/trial_arms.py [--write]

Prints one table per case as Markdown; `--write` puts them into `docs/trials.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from abscopt.instances import load, names
from abscopt.instances.schema import Instance
from abscopt.instances.trials import Published, TrialArm, trial_arms
from abscopt.models.tumor import lq
from abscopt.optimizer.evaluation import Evaluation
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.trials import ArmVerdict, judged_arm, on_menu

PAGE = Path(__file__).parents[2] / "docs" / "trials.md"
ALPHA_BETA_GY = 10.0
MOST_SHOWN = 4
"""Cases named for each arm; the rest is counted."""
COLUMNS = (
    "arm", "n x d, Gy", "lesions", "BED10, Gy", "judged BED, Gy", "hard limits broken",
    "EDRIC, Gy", "lymphocyte nadir", "effect, nats", "control", "objective", "gain",
    "published numbers", "published result", "status of the outcome", "status of the days",
)  # fmt: skip
NUMBERS = {
    "orr_pct": "ORR {:g} %",
    "oof_orr_pct": "out of field {:g} %",
    "pfs_months": "PFS {:g} mo",
    "os_months": "OS {:g} mo",
    "hr_pfs": "HR PFS {:g}",
    "hr_os": "HR OS {:g}",
}

HEAD = f"""# Trial arms on the bundled cases

{DISCLAIMER}

The arms of published trials are named schedules (`instances/library/trials.toml`). Each is judged
here, as it is, on the bundled case that its patients resemble most; the published outcome stands
beside it. The table is no prediction of a trial: a case is one constructed patient, not a
population, and its volumes, sparing factors and immune constants are assumed for the most part.
What may be compared are rows of one table with each other, and only in their order.

`abscopt evaluate CASE --regimen ARM` judges an arm on any case that it fits. The first table says
which cases offer an arm as a choice of their own, so that their optimum is held against it; whether
the hard limits hold is told apart.

* **n x d**: fractions and dose per fraction of each lesion; dose levels are separated by `;`.
* **BED10**: n d (1 + d/10), nothing else. **judged BED**: of the first lesion of a level as the
  judge counts it, with the lesion's own alpha/beta, its linear tail at high dose (LQ-L), hypoxia
  and sensitizers.
* **hard limits broken**: names of the case's limits; `(table)` marks a dose per fraction
  beyond what the limit's table of fraction numbers covers.
* **EDRIC**: dose to circulating immune cells. **lymphocyte nadir**: 10^9/L.
* **effect**: systemic effect at the last horizon. **control**: probability for each lesion then.
* **objective** and **gain** over the case's standard regimen (the first row): unit of the case.
* **published**: ORR, objective response; out of field, response of unirradiated lesions; PFS, OS,
  medians in months (early stage: event-free); HR against the comparator of that trial.
* **status**: verified, read in the source; derived, follows from it; recalled, not read; assumed,
  chosen here; `(dose assumed)` where the dose is less well known than the days. Infusions on or
  after the last horizon are not judged.

Written by `python benchmarks/studies/trial_arms.py --write`.
"""


def number(value: float | None, digits: int = 2) -> str:
    """A number without a sign at zero; a dash where there is none."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def levels(arm: TrialArm) -> str:
    """Fractions and dose of each level."""
    return "; ".join(f"{c.fractions} x {c.dose_gy:g}" for c in arm.radiation) or "-"


def plain_bed(arm: TrialArm) -> str:
    """n d (1 + d/10) of each level."""
    found = [c.fractions * float(lq.bed(c.dose_gy, ALPHA_BETA_GY)) for c in arm.radiation]
    return "; ".join(number(bed, 1) for bed in found) or "-"


def judged_bed(verdict: ArmVerdict) -> str:
    """BED of the first lesion of each level, as judged."""
    found = []
    for course in verdict.arm.radiation:
        outcome = next(
            lesion
            for lesion in verdict.evaluation.lesions
            if (lesion.fractions, lesion.dose_per_fraction_gy) == (course.fractions, course.dose_gy)
        )
        found.append(number(outcome.bed_gy, 1))
    return "; ".join(found) or "-"


def broken(evaluation: Evaluation) -> str:
    """Hard limits that are not kept."""
    found = [
        f"{use.name} (table)" if use.value is None and use.kind == "dose_by_fractions" else use.name
        for use in evaluation.limits
        if use.broken
    ]
    return ", ".join(found) or "none"


def published_numbers(outcome: Published | None) -> str:
    """The numbers of an outcome, those that there are."""
    values = {key: getattr(outcome, key, None) for key in NUMBERS}
    found = [NUMBERS[key].format(value) for key, value in values.items() if value is not None]
    return ", ".join(found) or "-"


def published_result(arm: TrialArm) -> str:
    """The outcome in words, with its note and reference."""
    outcome = arm.published
    if outcome is None:
        return "-"
    text = outcome.result if outcome.note is None else f"{outcome.result} ({outcome.note})"
    text += "" if arm.contested is None else f"; *contested*: {arm.contested}"
    return text if arm.doi is None else f"{text} [doi](https://doi.org/{arm.doi})"


def judged_cells(evaluation: Evaluation, gain: float | None) -> list[str]:
    """What the judge says, from the limits to the gain."""
    blood = evaluation.lymphocytes
    control = (f"{x.name} {number(x.control_probability[-1])}" for x in evaluation.lesions)
    return [
        broken(evaluation),
        number(blood["edric_gy"]),
        number(blood["nadir_1e9_per_l"]),
        number(evaluation.immune["systemic_effect_nats"][-1]),
        ", ".join(control),
        number(evaluation.objective),
        number(gain),
    ]


def arm_cells(verdict: ArmVerdict) -> list[str]:
    """Row of an arm."""
    arm = verdict.arm
    return [
        f"`{arm.name}`: {arm.title}",
        levels(arm),
        ", ".join(verdict.lesions) or "none",
        plain_bed(arm),
        judged_bed(verdict),
        *judged_cells(verdict.evaluation, verdict.gain),
        published_numbers(arm.published),
        published_result(arm),
        "-" if arm.published is None else arm.published.status,
        arm.days_summary(),
    ]


def standard_cells(instance: Instance, evaluation: Evaluation) -> list[str]:
    """Row of the case's standard regimen."""
    treated = [lesion for lesion in evaluation.lesions if lesion.fractions]
    assert instance.standard is not None
    doses = (f"{x.fractions} x {number(x.dose_per_fraction_gy, 1)}" for x in treated)
    return [
        f"*standard*: {instance.standard.name}",
        "; ".join(dict.fromkeys(doses)),
        ", ".join(lesion.name for lesion in treated),
        "-",
        "; ".join(number(lesion.bed_gy, 1) for lesion in treated),
        *judged_cells(evaluation, 0.0),
        *("-", "-", "-", "-"),
    ]


def row(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def table(instance: Instance, verdicts: list[ArmVerdict]) -> list[str]:
    """Heading and table of one case, its standard regimen first."""
    lines = ["", f"## {instance.name}: {instance.title}", ""]
    lines += [row(list(COLUMNS)), "|" + "---|" * len(COLUMNS)]
    standard = verdicts[0].standard
    if standard is not None:
        lines.append(row(standard_cells(instance, standard)))
    return lines + [row(arm_cells(verdict)) for verdict in verdicts]


def offers() -> list[str]:
    """Which bundled cases offer each arm as a choice of their own: Markdown."""
    cases = {name: load(name) for name in names()}
    cases = {name: case for name, case in cases.items() if case.objective.kind != "tumor_bed"}
    offering = {
        arm.name: [name for name, instance in cases.items() if on_menu(instance, arm)]
        for arm in trial_arms().values()
    }
    some = sum(bool(found) for found in offering.values())
    at_home = sum(trial_arms()[name].case in found for name, found in offering.items())
    lines = ["", "## Which cases offer which arms", ""]
    lines.append(
        f"{some} of {len(offering)} arms are on the menu of some bundled case, {at_home} on that "
        "of the case they resemble most. *Contested* are arms whose idea is an open question."
    )
    lines += ["", row(["arm", "resembles most", "on the menu of", "contested"])]
    lines.append("|---|---|---|---|")
    for name, found in offering.items():
        arm = trial_arms()[name]
        marked = "yes" if arm.contested else "-"
        first = sorted(found, key=lambda each: each != arm.case)[:MOST_SHOWN]
        shown = ", ".join(f"`{each}`" for each in first) or "none"
        shown += f" and {len(found) - len(first)} more" if len(found) > len(first) else ""
        lines.append(row([f"`{name}`", f"`{arm.case}`", shown, marked]))
    return lines


def page() -> str:
    """The whole page."""
    by_case: dict[str, list[TrialArm]] = {}
    for arm in trial_arms().values():
        by_case.setdefault(arm.case, []).append(arm)
    lines = HEAD.splitlines() + offers()
    for case, arms in by_case.items():
        instance = load(case)
        lines += table(instance, [judged_arm(instance, arm) for arm in arms])
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables and perhaps write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/trials.md")
    arguments = parser.parse_args()
    text = page()
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
