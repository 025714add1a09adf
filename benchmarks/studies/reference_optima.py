"""Solve every bundled case and keep the reference optima in `instances/reference.json`.

    python benchmarks/studies/reference_optima.py [CASE ...] [--time-limit SECONDS]

An entry is replaced only by one that is not worse: a better objective, or the same objective
with a smaller gap; one for a changed case always is. `binding` names the limits that are used up
(to a thousandth, or at their floor) and the rules on days between drugs and radiation that hold
with equality (`AGENT.RULE`). Prints its environment and a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from abscopt.instances import load, names
from abscopt.instances.schema import Instance
from abscopt.instances.tables.systemic import AgentChoice
from abscopt.optimizer import solve
from abscopt.optimizer.results.result import Result, instance_digest, versions

FILE = Path(__file__).parents[2] / "instances" / "reference.json"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = lines[0].split(":")[1].strip() if lines else model
    return {"system": platform.system(), "cpu": model, "cores": os.cpu_count()}


def binding(instance: Instance, result: Result) -> list[str]:
    """Names of the limits and rules that the schedule uses up."""
    if result.evaluation is None:
        return []
    floors = {limit.name for limit in instance.limits if getattr(limit, "floor", None) is not None}
    found = [
        use.name
        for use in result.evaluation.limits
        if use.binding or (use.name in floors and use.value == use.bound)
    ]
    return found + [
        f"{agent.name}.{rule}"
        for agent in instance.agents
        for rule in _rules(agent, result, instance)
    ]


def _rules(agent: AgentChoice, result: Result, instance: Instance) -> list[str]:
    """Rules of one agent that hold with equality."""
    assert result.schedule is not None
    drugs = {dose.drug for name in agent.regimens for dose in instance.regimens[name].doses}
    given = [i.day for i in result.schedule.infusions if i.drug in drugs]
    days = [f.day for f in result.schedule.fractions]
    if not given or not days:
        return []
    after, before = min(given) - max(days), min(days) - min(given)
    actual = {
        "min_days_after_radiation": after,
        "max_days_after_radiation": after,
        "min_days_before_radiation": before,
        "max_days_before_radiation": before,
        "min_days_between_dose_and_fraction": min(abs(a - b) for a in given for b in days),
    }
    return [rule for rule, value in actual.items() if getattr(agent, rule) == value]


def entry(result: Result, instance: Instance) -> dict[str, Any]:
    """One reference optimum."""
    return {
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "unit": result.unit,
        "standard": None if result.standard is None else result.standard.objective,
        "seconds": round(result.solver.seconds, 2),
        "binding": binding(instance, result),
        "instance_digest": instance_digest(instance),
        "versions": versions(),
        "machine": machine(),
    }


def worse(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether an entry must not replace the old one of the same case."""
    if new["instance_digest"] != old["instance_digest"] or old["objective"] is None:
        return False
    if new["objective"] is None:
        return True
    if abs(new["objective"] - old["objective"]) > 1e-9:
        return bool(new["objective"] < old["objective"] and new["bound"] >= old["bound"])
    return bool(new["gap"] > old["gap"] + 1e-9)


def main() -> None:
    """Run the cases and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=names())
    parser.add_argument("--time-limit", type=float, default=600.0)
    arguments = parser.parse_args()
    print(json.dumps({"machine": machine(), "versions": versions()}))
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in arguments.cases:
        instance = load(name)
        new = entry(solve(instance, time_limit=arguments.time_limit), instance)
        if name not in known or not worse(new, known[name]):
            known[name] = new
        print(
            f"{name:28s} {new['status']:10s} {new['objective']!s:>22s} bound {new['bound']!s:>22s}"
            f" {new['seconds']:8.2f} s   standard {new['standard']!s}"
            f"   {', '.join(new['binding'])}",
            flush=True,
        )
    scratch = FILE.with_suffix(".tmp")
    scratch.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    scratch.replace(FILE)


if __name__ == "__main__":
    main()
