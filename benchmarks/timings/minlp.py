"""The same problem as a nonlinear program for a global solver: SCIP through its expressions.

    python benchmarks/timings/minlp.py [--write] [--limit 120] [--cases CASE ...] [--logs FOLDER]

What a competent user of SCIP would write, with our coefficient tables as given: a binary per course
and per systemic plan, their products as continuous variables (the transport form, tight), linear
rows for limits, and the biology as it stands, with no bands and no tangents: effectors times
`exp(-(A - a_s))`, saturation, log control as `exp(-t) + exp(u - t) <= 1`, a binary where a lesion
is conceded, products of daily doses where two lesions share an organ. Gap, seed and one thread as
ours, fast presolving (SCIP's default probes the binaries of the larger cases for minutes before it
begins); otherwise SCIP's defaults. Each case is solved by us, then by SCIP for as long as we took
(building the model not counted) and for `--limit` seconds. Every schedule is judged again; SCIP's
bound is its own claim. `--logs` keeps SCIP's logs.

Needs `pip install 'abscopt[solvers]'`. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyscipopt import Model
from pyscipopt.scip import PY_SCIP_PARAMSETTING
from scip_programme import chosen, programme
from scip_sums import Programme
from shared import machine

from abscopt.instances.load import CASES as FOLDER
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("minlp.json")
INFINITE = 1e19


@dataclass(frozen=True)
class Cut:
    """A bundled case with fewer courses and plans; what is None stays as it is."""

    case: str
    step_gy: float | None = None
    last_start_day: int | None = None
    interval_days: tuple[int, ...] | None = None
    drug_step_days: int | None = None

    def instance(self) -> Instance:
        """The case, cut."""
        raw = tomllib.loads((FOLDER / f"{self.case}.toml").read_text(encoding="utf-8"))
        for lesion in raw["lesions"]:
            lesion["alpha_cv"] = 0.0  # the nonlinear program states one tumor, not a population
        for course in (lesion["course"] for lesion in raw["lesions"] if "course" in lesion):
            if self.step_gy is not None:
                course["doses_gy"]["step_gy"] = self.step_gy
            if self.last_start_day is not None:
                course["last_start_day"] = self.last_start_day
            if self.interval_days is not None:
                course["interval_days"] = list(self.interval_days)
        for agent in raw.get("agents", []):
            if self.drug_step_days is not None:
                agent["start_step_days"] = self.drug_step_days
        if self != Cut(self.case):
            raw.pop("standard", None)
        return build(raw)


CASES = {
    "toy-blockade": Cut("toy-blockade"),
    "toy-two-lesions": Cut("toy-two-lesions"),
    "pulsar": Cut("pulsar"),
    "young-timing": Cut("young-timing"),
    "early-sabr-xs": Cut("early-sabr", 2.5, 0, (1,), 14),
    "early-sabr-s": Cut("early-sabr", 1.0, 4, (1, 2), 7),
    "early-sabr-m": Cut("early-sabr", 0.5, 14, (1, 2, 7), 7),
    "early-sabr": Cut("early-sabr"),
    "sequencing-s": Cut("sequencing", 2.5, 12, (2,), 14),
    "sequencing-m": Cut("sequencing", 1.0, 18, (1, 2), 14),
    "pembro-rt-s": Cut("pembro-rt", 2.0, 8, (1, 2), 14),
}


def by_scip(
    instance: Instance, stated: Programme, seconds: float, log: Path | None
) -> dict[str, Any]:
    """One run of SCIP: its schedule judged again, its bound as it claims it."""
    model = stated.model
    model.hideOutput(log is None)
    if log is not None:
        model.setLogfile(str(log))
    model.setPresolve(PY_SCIP_PARAMSETTING.FAST)
    model.setParam("limits/time", seconds)
    model.setParam("limits/absgap", instance.objective.gap)
    model.setParam("parallel/maxnthreads", 1)
    model.setParam("randomization/randomseedshift", 0)
    begin = time.perf_counter()
    model.optimize()
    spent = time.perf_counter() - begin
    bound = float(model.getDualbound())
    run: dict[str, Any] = {
        "status": model.getStatus(),
        "seconds": round(spent, 2),
        "nodes": int(model.getNTotalNodes()),
        "claimed": None,
        "objective": None,
        "bound": bound if abs(bound) < INFINITE else None,
    }
    if model.getNSols():
        plan, row = chosen(stated)
        verdict = Judge(instance).evaluate(schedule_of_row(stated.candidates, plan, row))
        run["claimed"] = float(model.getObjVal())
        run["objective"] = verdict.objective if verdict.admissible else None
        run["feasible"] = verdict.admissible
    return run


def compared(name: str, limit: float, logs: Path | None) -> dict[str, Any]:
    """One case by us, and by SCIP at equal time and with its own limit."""
    instance = CASES[name].instance()
    result = solve(instance)
    candidates = Candidates(instance)
    row: dict[str, Any] = {
        "case": name,
        "courses": [len(table.menu) for table in candidates.lesions],
        "plans": len(candidates.plans),
        "ours": {
            "seconds": round(result.solver.seconds, 2),
            "objective": result.objective,
            "bound": result.bound,
            "status": result.status,
        },
    }
    for kind, seconds in (("equal", result.solver.seconds), ("long", limit)):
        begin = time.perf_counter()
        stated = programme(candidates)
        built = time.perf_counter() - begin
        log = None if logs is None else logs / f"{name}-{kind}.log"
        row[kind] = by_scip(instance, stated, seconds, log)
        row["size"] = stated.size | {"built_in_seconds": round(built, 2)}
        print(name, kind, row[kind], flush=True)
    print(name, "ours", row["ours"], row["size"], flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--limit", type=float, default=120.0, help="seconds of the long run")
    parser.add_argument("--logs", type=Path, help="folder for SCIP's logs")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
    environment = {
        "machine": machine(),
        "versions": versions()
        | {"pyscipopt": version("pyscipopt"), "scip": str(Model().version())},
        "limit": options.limit,
        "settings": {
            "presolving": "fast (by default it probes binaries for minutes)",
            "limits/absgap": "the gap of the case",
            "parallel/maxnthreads": 1,
            "randomization/randomseedshift": 0,
        },
    }
    print(json.dumps(environment))
    rows = [compared(name, options.limit, options.logs) for name in options.cases]
    if options.write:
        text = json.dumps(environment | {"cases": rows}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
