"""What waiting costs: by scenario, beside what patients showed, and what a horizon rewards.

    python benchmarks/studies/waiting.py [--write]

Solves `stage3-crt` in every scenario of the library with radiation from day 0, from day 28 and from
day 56; `--write` puts the tables into `docs/waiting.md`.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from abscopt.instances import build, load, names
from abscopt.instances.load import library, library_limits
from abscopt.instances.schema import Instance
from abscopt.models.tumor.dissemination import expected_new_sites
from abscopt.optimizer import solve
from abscopt.optimizer.audit.horizons import days_until_expressed
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.schedule import Schedule, standard_schedule

PAGE = Path(__file__).parents[2] / "docs" / "waiting.md"
CASE = "stage3-crt"
WAITS = (28, 56)
VOLUMES_CM3 = (20.0, 50.0, 110.0)
"""Of early stage, of `hfrt-crt` and of `stage3-crt`."""
FORMER = {"stage3-crt": (84, 180)}
"""Horizons before the decision of this page."""

TUMOR, GUESS = "stage3_nsclc", "nsclc_primary"
"""Of the library: the tumor of the cases, and an older guess that toys and findings keep."""


def doubling_days(tumor: str) -> float:
    """Growth doubling time of a tumor of the library."""
    return float(library("tumors")[tumor]["growth_doubling_time_days"])


def growth_nats(tumor: str) -> float:
    """Log of what a tumor grows by in eight weeks: ln 2 t / T."""
    return math.log(2.0) * 56.0 / doubling_days(tumor)


HEAD = f"""# What waiting costs

{DISCLAIMER}

Growth alone makes waiting nearly free. Tumors of the bundled cases double in
{doubling_days(TUMOR):g} days (`{TUMOR}` of the library; the median of untreated tumors of stage I
to III, PMC3933267), which is {growth_nats(TUMOR):.2f} nat in eight weeks, of some 17 that radiation
has to kill; by the older guess of {doubling_days(GUESS):g} days
(`{GUESS}`, which toys and findings keep) it is {growth_nats(GUESS):.2f} nat. And a drug that
is given first may be worth more. What patients lose while they wait is that the tumor spreads.
The limit `new_sites` (M38 of `docs/reference/model.md`) counts it: the expected number of new
metastases that a lesion seeds before its first fraction, one nat for each, the log of the
probability that there is none. The bundled stage III cases state it.

Written by `python benchmarks/studies/waiting.py --write`.
"""

FINDING = f"""
## Beside what patients showed

The rate (0.004 a day for 100 cm3, in proportion to volume) is derived from the first row, its
form is assumed; the other rows were not used. Intervals are Wilson's, 95 %. The model's share is
1 - exp(-M) of one lesion that doubles in {doubling_days(TUMOR):g} days, as those of the cases do;
with {doubling_days(GUESS):g} days no share is lower by more than {{slower:.1f}} percentage points.
"""

SCENARIOS = """
## By scenario

Best schedule of `stage3-crt` with radiation from day 0 on, and the least that it loses if
radiation begins four or eight weeks later: its objective less the proven bound of the schedules
that wait.
"""

HORIZONS = """
## What a horizon rewards

A horizon counts all kill of the days before it and none of the days after it. A course is
therefore worth as much if it ends the day before as if it ended weeks before, and loses what a
fraction does for each that comes later. The table says by how much: the standard regimen of each
case with its fractions and chemotherapy moved (checkpoint inhibitors stay), in nats, for each
week in which the last fraction goes from day 69 to 76, to 83 and to 90. The third is the week in
which it passes day 84. With a horizon there that week costs up to 3.0 nat, and others hardly a
tenth: a course that may start late does best to end by day 83. With late horizons the third week
is as the others.

Decision: horizons come late. `stage3-crt` and its variants have a first horizon four weeks after
the last course on offer; no bundled case of patients but `oligomet-4` (courses once a week until
day 105) offers a course that ends within {wanted} days before a horizon or after one that is not
the last, the days in which 95 % of dying cells are cleared. An answer in which a course ends so
close before a horizon says so (`ends_before_horizon`). The other way, kill that counts as it is
expressed, was not taken: control asks whether a cell is left that can grow, and that is decided
when it is irradiated.
"""


@dataclass(frozen=True)
class Observed:
    """A share of patients with new sites or a higher stage."""

    source: str
    what: str
    day: int
    events: int
    patients: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        z, n = 1.959963984540054, self.patients
        share = self.events / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        return middle - half, middle + half


OBSERVED = (
    Observed("O'Rourke 2000", "incurable after a median of 54 days (18-131)", 54, 6, 29),
    Observed("Everitt 2014", "new sites or stage, scanned within 58 days", 29, 1, 21),
    Observed("Everitt 2014", "new sites or stage, scanned later", 84, 6, 13),
)


def predicted(volume_cm3: float, day: int, tumor: str = TUMOR) -> float:
    """Probability of a new site before a day, by the limit of the library."""
    limit = library_limits("systemic")["new_sites"]
    number = expected_new_sites(
        volume_cm3,
        doubling_days(tumor),
        day,
        rate_per_day=limit["rate_per_day"],
        reference_cm3=limit["reference_cm3"],
        exponent=limit["exponent"],
    )
    return -math.expm1(-float(number))


def most_lowered() -> float:
    """Percentage points by which slower growth lowers the model's shares at most."""
    rows = itertools.product(VOLUMES_CM3, (each.day for each in OBSERVED))
    return max(100 * (predicted(v, day) - predicted(v, day, GUESS)) for v, day in rows)


def observed_table() -> list[str]:
    """Published shares beside the model's."""
    volumes = [f"model, {volume:g} cm3" for volume in VOLUMES_CM3]
    lines = [_row(["source", "what", "day", "events", "share (95 %)", *volumes])]
    lines.append("|---" * (5 + len(volumes)) + "|")
    for each in OBSERVED:
        low, high = each.interval
        share = f"{each.events / each.patients:.1%} ({low:.0%} to {high:.0%})"
        cells = [each.source, each.what, str(each.day), f"{each.events} of {each.patients}", share]
        lines.append(_row([*cells, *(f"{predicted(v, each.day):.0%}" for v in VOLUMES_CM3)]))
    return lines


def started(scenario: str, first_day: int) -> Instance:
    """The case in a scenario, with radiation from a day on."""
    raw = load(CASE).model_dump(mode="json", exclude_none=True)
    precursors = raw["immune"]["precursors_initial"]
    raw["immune"] = {"use": scenario, "precursors_initial": precursors}
    raw["lesions"][0]["course"]["first_start_day"] = first_day
    return build(raw)


def scenario_rows() -> Iterator[list[str]]:
    """Objective, first and last fraction at once, and the least cost of waiting."""
    for scenario in library("scenarios"):
        now = solve(started(scenario, 0))
        assert now.schedule is not None and now.objective is not None
        days = [fraction.day for fraction in now.schedule.fractions]
        cells = [f"`{scenario}`", f"{now.objective:.3f}", f"{min(days)}-{max(days)}"]
        for wait in WAITS:
            bound = solve(started(scenario, wait)).bound
            assert bound is not None
            cells.append(f"{now.objective - bound:.3f}")
        yield cells


def moved(instance: Instance, schedule: Schedule, last: int) -> float:
    """Objective with fractions and chemotherapy moved so that the last fraction is on a day."""
    by = last - max(fraction.day for fraction in schedule.fractions)
    fractions = tuple(replace(each, day=each.day + by) for each in schedule.fractions)
    infusions = tuple(
        replace(each, day=each.day + by * (instance.drugs[each.drug].kind == "chemotherapy"))
        for each in schedule.infusions
    )
    later = replace(schedule, fractions=fractions, infusions=infusions)
    return Judge(instance).evaluate(later).objective


def horizon_rows() -> Iterator[list[str]]:
    """What a week costs before and at day 84, by case."""
    for name in names():
        instance = load(name)
        schedule = standard_schedule(instance)
        if schedule is None or instance.days < 180 or "toy" in name or not schedule.fractions:
            continue
        former = FORMER.get(name)
        changed = [instance.model_copy(update={"horizon_days": former})] if former else []
        for each in (*changed, instance):
            values = [moved(each, schedule, last) for last in (69, 76, 83, 90)]
            weeks = [b - a for a, b in itertools.pairwise(values)]
            horizons = ", ".join(map(str, each.horizon_days))
            yield [f"`{name}`", horizons, *(f"{week:+.3f}" for week in weeks)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    """The whole page."""
    wanted = math.ceil(days_until_expressed(load(CASE)))
    lines = [
        HEAD.strip(),
        *FINDING.format(slower=most_lowered()).splitlines(),
        "",
        *observed_table(),
        *SCENARIOS.splitlines(),
        "",
    ]
    lines.append(_row(["scenario", "objective", "days", "4 weeks cost", "8 weeks cost"]))
    lines.append("|---|---|---|---|---|")
    lines += [_row(cells) for cells in scenario_rows()]
    lines += [*HORIZONS.format(wanted=wanted).splitlines(), ""]
    lines.append(_row(["case", "horizons", "to day 76", "to day 83", "to day 90"]))
    lines.append("|---|---|---|---|---|")
    lines += [_row(cells) for cells in horizon_rows()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables and perhaps write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/waiting.md")
    arguments = parser.parse_args()
    text = page()
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
