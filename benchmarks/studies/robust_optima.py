"""Optima of one parameter set, of the mean, of a tail and of regret, judged out of sample.

    python benchmarks/studies/robust_optima.py [CASE ...] [--write] [--seconds 60] [--page]

For bundled cases of uniform courses with a standard regimen: the optimum of the case as it is
stated, and the schedules that `solve --ensemble` decides for the members of `plausible-20` by mean,
conditional value at risk (the worst fifth) and regret. Each is judged in members that it was not
decided for: 100 drawn as `plausible-100` is with another seed, and 100 of a misspecified ensemble,
whose radiobiology spreads twice as wide while an effector has half the effect. All gains are over
the standard regimen in the same members. A decision whose gap was open when its time was over
stands there with that gap.

Prints the rows; --write stores them beside this script, decision by decision, and writes
docs/robustness.md and its figure. Rows of cases that are not named are kept, those that are stored
for the same text of a case are not computed again. --page writes page and figure from what is
stored.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ensemble import FACTORS, members
from reference_optima import machine

from abscopt.instances import load, names
from abscopt.instances.load import InputError, library
from abscopt.instances.schema import Instance
from abscopt.optimizer import decide, solve
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evidence.settings import default_constants
from abscopt.optimizer.results.result import instance_digest, versions
from abscopt.optimizer.schedule import Schedule, standard_schedule

HERE = Path(__file__)
FILE = HERE.with_name("robust_optima.json")
DOCS = HERE.resolve().parents[2] / "docs"
PAGE, FIGURE = DOCS / "robustness.md", DOCS / "robustness.svg"
ENSEMBLE, SOURCE = "plausible-20", "plausible-100"
"""Members that are decided for, and those whose immune constants are drawn from again."""
JUDGED, SEED = 100, 1
"""Number and seed of the members that schedules are judged in."""
WIDER, WEAKER = 2.0, 0.5
"""Misspecified: factor of the spreads of radiobiology, factor of the effect of an effector."""
GAP = 0.05
RISKS = ("mean", "cvar:0.2", "regret")
STATED = "as stated"
SMALL = 10.0
"""CPU seconds up to which an ensemble could be the default."""
SHORT = 0.01
"""Of a gain that is none: the gap at which cases are solved as they are stated."""


@dataclass(frozen=True)
class Row:
    """One case and one way to decide; gains over the standard regimen, in the case's unit.

    Attributes
    ----------
    digest : of the case that was decided
    keeps : whether the standard regimen keeps the limits of the case
    mean, low, share : over the judged members: mean, tenth percentile, part of them with a gain
    broken : part of them in which the schedule breaks a limit
    wide_mean, wide_low : mean and tenth percentile over the misspecified members
    gap : of the decision; None where nothing was proved
    """

    case: str
    digest: str
    policy: str
    unit: str
    keeps: bool
    mean: float
    low: float
    share: float
    broken: float
    wide_mean: float
    wide_low: float
    gap: float | None
    cpu: float


def other_members() -> list[dict[str, Any]]:
    """Members drawn as those of the library, with another seed."""
    default = default_constants()
    listed = []
    for member in library("ensembles")[SOURCE]["members"]:
        values = {key.removeprefix("immune."): value for key, value in member["set"].items()}
        values.pop("preblockade_sign")
        factors = {
            name: member["times"][f"immune.{name}"] * getattr(default, name) for name in FACTORS
        }
        listed.append(values | factors)
    return members(listed, np.full(len(listed), 1.0 / len(listed)), JUDGED, SEED)


def misspecified(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with lognormal factors of lesions of `WIDER` times the spread, weaker effectors."""
    wide = []
    for member in listed:
        times = {
            key: value**WIDER if key.startswith("lesions.") else value
            for key, value in member["times"].items()
        }
        times["immune.effect_per_effector"] *= WEAKER
        wide.append(member | {"times": times})
    return wide


def ensemble_with(case: Instance, listed: list[dict[str, Any]]) -> Ensemble:
    """A case with members that are listed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "listed.json"
        about = {"source": "benchmarks/studies/ensemble.py", "status": "derived"}
        file.write_text(json.dumps(about | {"members": listed}), encoding="utf-8")
        return ensemble_of(case.with_({"allow_unusual": True}), str(file))


def judged(schedule: Schedule, ensemble: Ensemble) -> tuple[np.ndarray[Any, Any], float]:
    """Objective in every member, and the part of them in which a limit is broken."""
    verdicts = [Judge(member).evaluate(schedule) for member in ensemble.instances]
    broken = [not verdict.admissible for verdict in verdicts]
    return np.array([verdict.objective for verdict in verdicts]), float(np.mean(broken))


def decided(case: Instance, policy: str, seconds: float) -> tuple[Schedule | None, float | None]:
    """Schedule and open gap of one way to decide."""
    if policy == STATED:
        nominal = solve(case, gap=GAP, time_limit=seconds)
        return nominal.schedule, nominal.gap
    result = decide(ensemble_of(case, ENSEMBLE), policy, gap=GAP, time_limit=seconds)
    return None if result.answer is None else result.answer.schedule, result.gap


def row_of(case: Instance, policy: str, seconds: float) -> Row | None:
    """One way to decide one case; None where it found no schedule, or cases cannot be compared."""
    standard = standard_schedule(case)
    if standard is None:
        return None
    keeps = Judge(case).evaluate(standard).admissible
    try:
        listed = other_members()
        other = ensemble_with(case, listed)
        wide = ensemble_with(case, misspecified(listed))
        begin = time.process_time()
        schedule, gap = decided(case, policy, seconds)
        cpu = time.process_time() - begin
    except InputError as error:
        print(f"{case.name}: left out, {error}", flush=True)
        return None
    if schedule is None:
        return None
    values, broken = judged(schedule, other)
    gains = values - judged(standard, other)[0]
    wide_gains = judged(schedule, wide)[0] - judged(standard, wide)[0]
    return Row(
        case.name, instance_digest(case), policy, case.objective.unit, keeps,
        float(gains.mean()), float(np.quantile(gains, 0.1)), float((gains > 0).mean()), broken,
        float(wide_gains.mean()), float(np.quantile(wide_gains, 0.1)), gap, cpu,
    )  # fmt: skip


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """The page: what it shows, the table, what falls short."""
    cases = list(dict.fromkeys(row.case for row in rows))
    by_case = {case: {row.policy: row for row in rows if row.case == case} for case in cases}
    of_mean = {case: ways["mean"] for case, ways in by_case.items() if "mean" in ways}
    both = [case for case in of_mean if STATED in by_case[case]]
    better = [c for c in both if of_mean[c].mean >= by_case[c][STATED].mean - SHORT]
    keeping = [case for case, row in of_mean.items() if row.keeps]
    breaking = [case for case in cases if not next(iter(by_case[case].values())).keeps]
    behind = [case for case in keeping if of_mean[case].mean < 0.0]
    lines = [
        "# Deciding under what is not known",
        "",
        f"Written by `benchmarks/studies/robust_optima.py --write`. {len(cases)} bundled cases "
        f"({', '.join(cases)}) were decided in four ways: as the case is stated, and for the "
        f"members of the ensemble `{ENSEMBLE}` by mean, by the mean of the worst fifth and by "
        f"regret. Schedules are judged out of sample: in {JUDGED} members that were drawn as "
        f"`{SOURCE}` was, with another seed, and in {JUDGED} members of a misspecified ensemble, "
        f"whose radiobiology spreads {WIDER:g} times as wide while an effector has {WEAKER:g} of "
        "the effect. Numbers are gains over the standard regimen in the same members. Limits are "
        "those of the stated case, which no member moves.",
        "",
        "![Mean gain over the standard regimen, out of sample](robustness.svg)",
        "",
        "* Out of sample the optimum of the mean is at least as good in the mean as that of the "
        f"stated case (to {SHORT:g}) in {len(better)} of {len(both)} cases"
        + _except([case for case in both if case not in better]),
        "* It beats the standard regimen in the mean in "
        f"{len(keeping) - len(behind)} of {len(keeping)} cases whose standard keeps the limits"
        + _except(behind),
    ]
    open_gaps = [row for row in rows if row.gap is not None and row.gap > GAP * (1 + 1e-9)]
    if open_gaps:
        lines.append(
            f"* {len(open_gaps)} of {len(rows)} decisions were stopped with a gap above {GAP:g} "
            "(the column says which): their schedules are the best known, not proved."
        )
    if breaking:
        lines.append(
            f"* The standard regimen breaks limits of {', '.join(breaking)}: gains over it are "
            "those of a schedule that keeps them."
        )
    lines += [
        "",
        "| case | decided by | mean gain | 10 % | gain in | limits broken in | misspecified: mean "
        "| 10 % | open gap | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gap = "-" if row.gap is None else f"{row.gap:.3f}"
        lines.append(
            f"| {row.case} | {row.policy} | {row.mean:+.3f} | {row.low:+.3f} "
            f"| {100 * row.share:.0f} % | {100 * row.broken:.0f} % | {row.wide_mean:+.3f} "
            f"| {row.wide_low:+.3f} | {gap} | {row.cpu:.1f} |"
        )
    lines += [
        "",
        "CPU seconds are of the whole decision, with the solve of the stated case that `solve "
        f"--ensemble` begins with. The mean over `{ENSEMBLE}` takes more than 10 s in "
        f"{sum(r.cpu > SMALL or (r.gap or 0) > GAP * (1 + 1e-9) for r in of_mean.values())} of "
        f"{len(of_mean)} cases (or was stopped): it is an option, not the default.",
    ]
    machine_words = ", ".join(f"{key} {value}" for key, value in about.items())
    end = (
        f"Gaps asked for: {GAP}. Other bundled cases were not run. Digests of these cases stand in "
        "`benchmarks/studies/robust_optima.json`. Measured on a machine with other work: "
        f"{machine_words}."
    )
    return "\n".join([*lines, "", end, ""])


def _except(cases: Sequence[str]) -> str:
    return f"; not in {', '.join(cases)}." if cases else "."


def figure(rows: Sequence[Row], file: Path) -> None:
    """Mean gains of the ways to decide, case by case."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from abscopt.optimizer.report.plots import COLORS, STYLE

    cases = list(dict.fromkeys(row.case for row in rows))
    ways = list(dict.fromkeys(row.policy for row in rows))
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(8.0, 1.2 + 0.42 * len(cases)), layout="constrained")
        ax = drawn.subplots()
        for number, policy in enumerate(ways):
            of_way = {row.case: row for row in rows if row.policy == policy}
            at = [i + 0.18 * (number - 1.5) for i, case in enumerate(cases) if case in of_way]
            gains = [of_way[case].mean for case in cases if case in of_way]
            ax.plot(
                gains,
                at,
                "os^D"[number],
                color=COLORS[number],
                markeredgecolor="black",
                label=policy,
            )
        ax.axvline(0.0, color="0.4", linewidth=0.8)
        ax.set_xscale("symlog", linthresh=0.1)
        if all(row.mean > 0.0 for row in rows):
            ax.set_xlim(left=0.0)
        ax.set_xlim(right=1.5 * max(row.mean for row in rows))
        ax.set_yticks(range(len(cases)), cases)
        ax.set_ylim(len(cases) - 0.4, -0.6)
        ax.set_xlabel(
            "mean gain over the standard regimen out of sample, in the objective's unit\n"
            "(nat; Gy of mr-linac; log scale beyond 0.1)"
        )
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=8)
        drawn.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})


def stored() -> list[Row]:
    """Rows beside this script."""
    table: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"rows": []}
    return [Row(**row) for row in table["rows"]]


def store(row: Row) -> None:
    """Put a row in place of an earlier one."""
    others = [r for r in stored() if (r.case, r.policy) != (row.case, row.policy)]
    order = {case: number for number, case in enumerate(names())}
    ways = (STATED, *RISKS)
    rows = sorted([*others, row], key=lambda r: (order.get(r.case, 0), ways.index(r.policy)))
    table = {"about": machine() | versions(), "rows": [asdict(r) for r in rows]}
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Decide, judge, print; with --write store and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    for name in () if options.page else options.cases or names():
        case = load(name)
        done = {(r.case, r.digest, r.policy) for r in stored()} if options.write else set()
        for policy in (STATED, *RISKS):
            if (name, instance_digest(case), policy) in done:
                continue
            row = row_of(case, policy, options.seconds)
            print(row, flush=True)
            if row is not None and options.write:
                store(row)
    if options.write or options.page:
        rows = stored()
        PAGE.write_text(page(rows, json.loads(FILE.read_text())["about"]), encoding="utf-8")
        figure(rows, FIGURE)


if __name__ == "__main__":
    main()
