"""CPU seconds of re-planning a treatment that has begun, against a fresh solve of the case.

    python benchmarks/timings/replan.py [--repeats 2] [CASE ...]

Each case is solved, then the rest of its answer is chosen after a third and after two thirds of its
fraction days with one treatment day missed. CPU seconds of `solve` and of `replan` (which solves
and judges what else could be done), in turn, the least of the repeats: other work on the machine
only adds to them. A small case before loads what is loaded once. Prints the environment and writes
`benchmarks/timings/REPLAN.md`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.optimizer import replan, solve
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Schedule

CASES = (
    "early-sabr", "pembro-rt", "oligomet-3", "oligomet-4", "stage3-crt", "co-targets",
    "dual-checkpoint", "sequencing", "hfrt-crt", "lymphopenia", "central-sbrt",
)  # fmt: skip
SHARES = (1 / 3, 2 / 3)
LIMIT = 300.0


def table_of(schedule: Schedule, today: int, missed: tuple[str, int]) -> dict[str, object]:
    """What was given before a day, and the plan; one lesion missed one day."""

    def events(cut: int, skip: tuple[str, int] | None) -> dict[str, object]:
        return {
            "fractions": [
                {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy}
                | {"fraction_of_day": f.slot + 1}
                | ({"technique": f.technique} if f.technique else {})
                for f in schedule.fractions
                if f.day < cut and (f.lesion, f.day) != skip
            ],
            "doses_of_drugs": [
                {"agent": i.drug, "day": i.day, "dose_mg": i.dose_mg}
                for i in schedule.infusions
                if i.day < cut
            ],
        }

    return {"today": today, "plan": events(10**6, None), **events(today, missed)}


def seconds_of(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and what it returns."""
    begin = time.process_time()
    answer = run()
    return time.process_time() - begin, answer


def measured(name: str, repeats: int) -> tuple[list[float], list[str]]:
    """Least CPU seconds of the fresh solve and of each re-planning, with their statuses."""
    least, statuses = [float("inf")] * (1 + len(SHARES)), [""] * (1 + len(SHARES))
    for _ in range(repeats):
        case = load(name)  # anew: a case remembers what was derived from it
        seconds, fresh = seconds_of(lambda case=case: solve(case, time_limit=LIMIT))
        least[0], statuses[0] = min(least[0], seconds), fresh.status
        days = sorted({f.day for f in fresh.schedule.fractions})
        for i, share in enumerate(SHARES, 1):
            last = days[max(0, min(len(days) - 2, round(share * len(days)) - 1))]
            lesion = next(f.lesion for f in fresh.schedule.fractions if f.day == last)
            table = table_of(fresh.schedule, last + 1, (lesion, last))
            begun = load(name)
            seconds, study = seconds_of(
                lambda begun=begun, table=table: replan(begun, table, time_limit=LIMIT)
            )
            least[i], statuses[i] = min(least[i], seconds), study.result.status
    return least, statuses


def row_of(name: str, seconds: list[float], statuses: list[str]) -> str:
    """One line of the page."""
    cells = [name, f"{seconds[0]:.2f}", statuses[0]]
    for passed, status in zip(seconds[1:], statuses[1:], strict=True):
        cells += [f"{passed:.2f}", f"{passed / seconds[0]:.2f}", status]
    return "| " + " | ".join(cells) + " |"


HEAD = """# Re-planning against a fresh solve

CPU seconds (`benchmarks/timings/replan.py`): a case as `solve` finds it, and the rest of its answer
after a third and two thirds of the fraction days, one treatment day missed; each also as a share.

{environment}

| case | solve | status | one third | share | status | two thirds | share | status |
|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    environment = ", ".join(f"{key} {value}" for key, value in {**machine(), **versions()}.items())
    print(environment, flush=True)
    solve(load("toy-blockade"))
    rows, sums = [], [0.0] * (1 + len(SHARES))
    for name in asked.cases:
        seconds, statuses = measured(name, asked.repeats)
        sums = [total + more for total, more in zip(sums, seconds, strict=True)]
        rows.append(row_of(name, seconds, statuses))
        print(rows[-1], flush=True)
    rows.append(row_of("all", sums, [""] * len(sums)))
    print(rows[-1])
    page = Path(__file__).with_name("REPLAN.md")
    text = HEAD.format(environment=environment) + "\n".join(rows) + "\n"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
