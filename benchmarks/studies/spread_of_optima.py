"""The optimum of every bundled case against its standard regimen, over patients of other tumors.

    python benchmarks/studies/spread_of_optima.py [CASE ...]

A patient's alpha and alpha/beta are those of the case times two factors, the same for all of the
patient's lesions, each lognormal with mean 1 and a coefficient of variation of 20 %, independent;
beside the spread that a lesion's control is averaged over. Both schedules are judged for each
patient, 7 x 7 nodes of Gauss and Hermite; the schedule is that of the case as it stands.
Prints a table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from abscopt.instances import load, names
from abscopt.optimizer import solve
from abscopt.optimizer.audit.patients import gains
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import standard_schedule

NODES = 7


@dataclass(frozen=True)
class Row:
    """One case; gains of the optimum over the standard regimen in the case's unit.

    Attributes
    ----------
    gain : for the mean patient
    average, worst : over patients: mean, and least at any node
    share : of patients for whom the optimum is not worse
    kept : whether the standard regimen keeps the limits
    """

    case: str
    unit: str
    gain: float
    average: float
    worst: float
    share: float
    kept: bool


def compared(name: str) -> Row | None:
    """Optimum and standard regimen of one case over patients; None without a standard regimen."""
    instance = load(name)
    standard = standard_schedule(instance)
    schedule = solve(instance).schedule
    if standard is None or schedule is None:
        return None
    found, judge = gains(instance, schedule, standard, NODES), Judge(instance)
    usual = judge.evaluate(standard)
    return Row(
        name,
        instance.objective.unit,
        judge.evaluate(schedule).objective - usual.objective,
        found.mean,
        found.worst,
        found.share_not_worse,
        usual.admissible,
    )


HEAD = """\
| case | gain, mean patient | mean over patients | worst node | not worse in | standard |
|---|---|---|---|---|---|"""


def line(row: Row) -> str:
    """One line of the table."""
    return (
        f"| {row.case} | {row.gain:+.3f} {row.unit} | {row.average:+.3f} | {row.worst:+.3f} |"
        f" {100 * row.share:.0f} % | {'keeps limits' if row.kept else 'breaks limits'} |"
    )


def main() -> None:
    """Compare the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=names())
    arguments = parser.parse_args()
    print(HEAD)
    rows = []
    for name in arguments.cases:
        row = compared(name)
        if row is not None:
            rows.append(row)
            print(line(row), flush=True)
    worse = [row.case for row in rows if row.kept and row.average < 0]
    print(f"\non average worse than a standard regimen that keeps the limits: {worse or 'none'}")


if __name__ == "__main__":
    main()
