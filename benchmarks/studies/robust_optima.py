"""Optima of one parameter set, of the mean, of a tail and of regret, judged out of sample.

    python benchmarks/studies/robust_optima.py [CASE ...] [--write] [--seconds 60]

For every bundled case of uniform courses with a standard regimen that keeps the limits: the
optimum of the case as it is stated, and the schedules that `solve --ensemble` decides for members
of a library ensemble by mean, conditional value at risk (the worst fifth) and regret. Each is
judged in other members: of the same ensemble with another seed, and of a misspecified one, whose
spreads are twice as wide. All gains are over the standard regimen in the same members. Cases are
left out of the page where no time was left for a decision; it says which bound was open.

Prints the rows; --write stores them beside this script and writes docs/robustness.md and its
figure. Rows of cases that are not named are kept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reference_optima import machine

from abscopt.instances import load, names
from abscopt.instances.load import InputError
from abscopt.instances.schema import Instance
from abscopt.optimizer import decide, solve
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Schedule, standard_schedule

HERE = Path(__file__)
FILE = HERE.with_name("robust_optima.json")
DOCS = HERE.resolve().parents[2] / "docs"
PAGE, FIGURE = DOCS / "robustness.md", DOCS / "robustness.svg"
ENSEMBLE = "radiobiology"
FITTED, JUDGED = (16, 0), (64, 1)
"""Size and seed of the members that are decided for, and of those that schedules are judged in."""
WIDER = 2.0
GAP = 0.05
RISKS = ("mean", "cvar:0.2", "regret")


@dataclass(frozen=True)
class Row:
    """One case and one way to decide; gains over the standard regimen, in the case's unit.

    Attributes
    ----------
    mean, low, share : over the judged members: mean, tenth percentile, part of them with a gain
    broken : part of them in which the schedule breaks a limit
    wide_mean, wide_low : mean and tenth percentile over the misspecified members
    gap : of the decision; None where nothing was proved
    """

    case: str
    policy: str
    unit: str
    mean: float
    low: float
    share: float
    broken: float
    wide_mean: float
    wide_low: float
    gap: float | None
    cpu: float


def wider(case: Instance) -> Instance:
    """The case with the ensemble stated in it, its spreads twice as wide."""
    stated = case.with_({"ensemble": {"use": ENSEMBLE}}).ensemble
    assert stated is not None
    vary = [
        spread.model_copy(update={"sigma": WIDER * spread.sigma, "low": None, "high": None})
        if spread.sigma is not None
        else spread
        for spread in stated.vary
    ]
    changed = stated.model_copy(update={"vary": tuple(vary), "use": None})
    return case.with_({"ensemble": changed.model_dump(mode="json", exclude_none=True)})


def judged(schedule: Schedule, ensemble: Ensemble) -> tuple[np.ndarray[Any, Any], float]:
    """Objective in every member, and the part of them in which a limit is broken."""
    verdicts = [Judge(member).evaluate(schedule) for member in ensemble.instances]
    broken = [not verdict.feasible for verdict in verdicts]
    return np.array([verdict.objective for verdict in verdicts]), float(np.mean(broken))


def policies(
    case: Instance, seconds: float
) -> list[tuple[str, Schedule | None, float | None, float]]:
    """Name, schedule, open gap and CPU seconds of each way to decide."""
    begin = time.process_time()
    nominal = solve(case, gap=GAP, time_limit=seconds)
    found = [("as stated", nominal.schedule, nominal.gap, time.process_time() - begin)]
    members = ensemble_of(case, ENSEMBLE, size=FITTED[0], seed=FITTED[1])
    for risk in RISKS:
        begin = time.process_time()
        result = decide(members, risk, gap=GAP, time_limit=seconds)
        schedule = None if result.answer is None else result.answer.schedule
        found.append((risk, schedule, result.gap, time.process_time() - begin))
    return found


def rows_of(name: str, seconds: float) -> list[Row]:
    """All ways to decide one case; none where it cannot be decided for members or compared."""
    case = load(name)
    standard = standard_schedule(case)
    if standard is None or not Judge(case).evaluate(standard).feasible:
        return []
    try:
        other = ensemble_of(case, ENSEMBLE, size=JUDGED[0], seed=JUDGED[1])
        wide = ensemble_of(wider(case), size=JUDGED[0], seed=JUDGED[1] + 1)
        ways = policies(case, seconds)
    except InputError as error:
        print(f"{name}: left out, {error}", flush=True)
        return []
    usual, _ = judged(standard, other)
    usual_wide, _ = judged(standard, wide)
    rows = []
    for policy, schedule, gap, cpu in ways:
        if schedule is None:
            continue
        values, broken = judged(schedule, other)
        gains, wide_gains = values - usual, judged(schedule, wide)[0] - usual_wide
        rows.append(
            Row(
                name, policy, case.objective.unit, float(gains.mean()),
                float(np.quantile(gains, 0.1)), float((gains > 0).mean()), broken,
                float(wide_gains.mean()), float(np.quantile(wide_gains, 0.1)), gap, cpu,
            )
        )  # fmt: skip
    return rows


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """The page: what it shows, the table, what falls short."""
    cases = list(dict.fromkeys(row.case for row in rows))
    by_case = {case: {row.policy: row for row in rows if row.case == case} for case in cases}
    better = [c for c in cases if by_case[c]["mean"].mean >= by_case[c]["as stated"].mean - 1e-9]
    behind = [c for c in cases if by_case[c]["mean"].mean < 0]
    lines = [
        "# Deciding under what is not known",
        "",
        f"Written by `benchmarks/studies/robust_optima.py --write`. Of {len(cases)} bundled cases "
        "whose standard regimen keeps the limits, schedules were decided in four ways: as the case "
        f"is stated, and for {FITTED[0]} members of the ensemble `{ENSEMBLE}` by mean, by the mean "
        "of the worst fifth and by regret. They are judged out of sample, in "
        f"{JUDGED[0]} other members (another seed), and in {JUDGED[0]} members of a misspecified "
        "ensemble with twice the spreads. Numbers are gains over the standard regimen in the same "
        "members. The ensemble moves radiosensitivity and growth only: what immunity does is as "
        "stated, so that gains are those of local dose for the most part.",
        "",
        "![Mean gain over the standard regimen, out of sample](robustness.svg)",
        "",
        "* Out of sample the optimum of the mean is at least as good as that of the stated case "
        f"in {len(better)} of {len(cases)} cases.",
        f"* It is worse than the standard regimen in the mean in {len(behind)} cases"
        + (f": {', '.join(behind)}." if behind else "."),
        "",
        "| case | decided by | mean gain | 10 % | gain in | limits broken in | twice the spreads: "
        "mean | 10 % | open gap | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gap = "-" if row.gap is None else f"{row.gap:.3f}"
        lines.append(
            f"| {row.case} | {row.policy} | {row.mean:+.3f} | {row.low:+.3f} "
            f"| {100 * row.share:.0f} % | {100 * row.broken:.0f} % | {row.wide_mean:+.3f} "
            f"| {row.wide_low:+.3f} | {gap} | {row.cpu:.1f} |"
        )
    machine_words = ", ".join(f"{key} {value}" for key, value in about.items())
    return "\n".join([*lines, "", f"Gaps asked for: {GAP}. Measured on: {machine_words}.", ""])


def figure(rows: Sequence[Row]) -> None:
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
        ax.set_yticks(range(len(cases)), cases)
        ax.set_ylim(len(cases) - 0.4, -0.6)
        ax.set_xlabel(
            "mean gain over the standard regimen out of sample (nat; log scale beyond 0.1)"
        )
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=8)
        drawn.savefig(FIGURE, format="svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Decide, judge, print; with --write store and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    stored: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"rows": []}
    rows = [Row(**row) for row in stored["rows"]]
    for name in options.cases or names():
        found = rows_of(name, options.seconds)
        for row in found:
            print(row, flush=True)
        rows = [row for row in rows if row.case != name] + found
        if options.write:
            order = {case: number for number, case in enumerate(names())}
            rows.sort(key=lambda row: order.get(row.case, 0))
            about = machine() | versions()
            table = {"about": about, "rows": [asdict(row) for row in rows]}
            FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if options.write:
        PAGE.write_text(page(rows, json.loads(FILE.read_text())["about"]), encoding="utf-8")
        figure(rows)


if __name__ == "__main__":
    main()
