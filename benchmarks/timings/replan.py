"""CPU seconds of re-planning a treatment that has begun, against a fresh solve of the case.

    python benchmarks/timings/replan.py [CASE ...]

Each case is solved, then re-planned after a third and after two thirds of its fraction days with
one treatment day missed. Writes `benchmarks/timings/REPLAN.md`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import replan, solve
from abscopt.optimizer.schedule import Schedule

CASES = ("early-sabr", "pembro-rt", "oligomet-3", "oligomet-4", "stage3-crt")
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


def row_of(case: Instance) -> str:
    """One line of the page."""
    begin = time.process_time()
    fresh = solve(case, time_limit=LIMIT)
    seconds = time.process_time() - begin
    assert fresh.schedule is not None
    days = sorted({f.day for f in fresh.schedule.fractions})
    cells = [case.name, f"{seconds:.2f}", fresh.status]
    for share in (1 / 3, 2 / 3):
        last = days[max(0, min(len(days) - 2, round(share * len(days)) - 1))]
        lesion = next(f.lesion for f in fresh.schedule.fractions if f.day == last)
        begin = time.process_time()
        table = table_of(fresh.schedule, last + 1, (lesion, last))
        study = replan(case, table, time_limit=LIMIT)
        passed = time.process_time() - begin
        cells += [f"{passed:.2f}", f"{passed / seconds:.2f}", study.result.status]
    return "| " + " | ".join(cells) + " |"


HEAD = """# Re-planning against a fresh solve

CPU seconds (`benchmarks/timings/replan.py`): a case as `solve` finds it, and the rest of its answer
after a third and two thirds of the fraction days, one treatment day missed; each also as a share.

| case | solve | status | one third | share | status | two thirds | share | status |
|---|---|---|---|---|---|---|---|---|
"""


def main(names: tuple[str, ...]) -> None:
    """Measure and write."""
    rows = []
    for name in names:
        rows.append(row_of(load(name)))
        print(rows[-1], flush=True)
    page = Path(__file__).with_name("REPLAN.md")
    page.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or CASES)
