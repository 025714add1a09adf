"""Adaptive fractionation: our schedule of `mr-linac-1..8` against adaptfx and equal doses.

    python benchmarks/timings/adaptive.py [--write] [--python PATH]

Five fractions, one organ whose sparing factor changes by day, organ BED3 at most 90 Gy, largest
tumor BED10. The two do not solve the same problem: adaptfx is a policy that decides each day from
the factors seen so far and a distribution of those to come; we are given the whole sequence. Ours
is therefore an upper bound of what any policy can reach on these patients (within 0.01 Gy for the
dose grid of 0.1 Gy), not a method for the clinic's next day, and the difference is what knowing the
future is worth. In hindsight adaptfx offers only a local method (SLSQP in its `cost_func`), for the
opposite goal; the same call for this goal is shown.

adaptfx runs in an environment of its own: `--python` names an interpreter that has it, otherwise a
temporary one is made (`pip install adaptfx==0.2.1`, which needs Python <= 3.11 for its NumPy).
Priors are fitted by adaptfx's own functions to the other seven patients; the planning scan is its
first observation. Its algorithms: `tumor_old`, that of the paper, and `tumor`, newer. It rounds
doses to 0.01 Gy; where that breaks the limit, the last dose is lowered until it is kept. Every
schedule is judged again. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import Fraction, Schedule

FILE = Path(__file__).with_name("adaptive.json")
POLICY = Path(__file__).with_name("adaptfx_policy.py")
PACKAGE = "adaptfx==0.2.1"
PATIENTS = range(1, 9)
ORGAN_GY, TUMOR_RATIO, ORGAN_RATIO = 90.0, 10.0, 3.0
SLACK = 1e-9

# Sparing factor of the planning scan: organ D1cc over target D95 of the plans published with
# adaptfx (MIT licence), of the organ of the paper's table, to two digits. Status: derived.
PLANNING = (0.99, 0.90, 0.73, 0.94, 0.94, 1.04, 0.88, 0.77)

# Perez Haas et al., Phys Med Biol 2023;68:035003, Tables 1-3: tumor BED10 of d = 6/delta, and the
# upper bound. Status: verified.
PUBLISHED = (
    (49.1, 49.4), (55.6, 55.7), (81.0, 108.7), (49.7, 50.6),
    (49.7, 53.9), (43.4, 43.8), (50.0, 51.7), (71.3, 93.1),
)  # fmt: skip


@contextmanager
def interpreter(given: str | None) -> Iterator[str]:
    """An interpreter that has adaptfx; a temporary one if none is given."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        command = [python, "-m", "pip", "install", "--quiet", PACKAGE]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            reason = (installed.stderr.strip() or "pip failed").splitlines()[-1]
            raise SystemExit(f"{PACKAGE} does not install on Python {sys.version[:4]}: {reason}")
        yield python


def factors(instance: Instance) -> list[float]:
    """Sparing factor of each treatment day."""
    lesion = instance.lesions[0]
    return [lesion.sparing_factor("oar", "max", day, lesion.ways[0]) for day in range(5)]


def answers(python: str, instances: list[Instance]) -> dict[str, Any]:
    """What adaptfx gives on all patients."""
    question = {
        "patients": [
            {"planning": planning, "daily": factors(instance)}
            for planning, instance in zip(PLANNING, instances, strict=True)
        ],
        "oar_limit": ORGAN_GY,
        "abt": TUMOR_RATIO,
        "abn": ORGAN_RATIO,
    }
    done = subprocess.run(
        [python, str(POLICY)], input=json.dumps(question), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"adaptfx failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kept(doses: list[float], delta: list[float]) -> list[float]:
    """The doses, the last one lowered as far as rounding has broken the organ's limit."""
    given = list(doses)
    load = [d * s + (d * s) ** 2 / ORGAN_RATIO for d, s in zip(given, delta, strict=True)]
    for i in reversed(range(len(given))):
        if math.fsum(load) <= ORGAN_GY * (1 + SLACK):
            break
        room = max(0.0, ORGAN_GY - math.fsum(load) + load[i])
        share = ORGAN_RATIO / 2 * (math.sqrt(1 + 4 * room / ORGAN_RATIO) - 1)
        given[i] = share / delta[i]
        load[i] = room
    return given


def judged(instance: Instance, doses: list[float]) -> dict[str, Any]:
    """Tumor and organ BED of daily doses by our judge; off the menu, but within the limit."""
    name = instance.lesions[0].name
    given = [Fraction(day, name, dose) for day, dose in enumerate(doses) if dose > 0]
    schedule = Schedule.of(given, [])
    verdict = Judge(instance).evaluate(schedule)
    organ = next(use for use in verdict.limits if use.name == "oar")
    assert organ.value is not None and not verdict.broken_limits
    return {
        "tumor_bed_gy": round(verdict.objective, 3),
        "organ_bed_gy": round(organ.value, 3),
        "doses_gy": [round(dose, 2) for dose in doses],
    }


def equal(delta: list[float]) -> list[float]:
    """The largest equal dose that keeps the limit."""
    linear, square = math.fsum(delta), math.fsum(s * s for s in delta) / ORGAN_RATIO
    dose = (math.sqrt(linear**2 + 4 * square * ORGAN_GY) - linear) / (2 * square)
    return [dose * (1 - SLACK)] * len(delta)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="interpreter that has adaptfx; default: a temporary one")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    instances = [load(f"mr-linac-{patient}") for patient in PATIENTS]
    with interpreter(options.python) as python:
        theirs = answers(python, instances)
    environment = {
        "machine": machine(),
        "versions": versions(),
        "adaptfx_versions": theirs["versions"],
    }
    print(json.dumps(environment))
    rows = []
    for instance, runs, published in zip(instances, theirs["patients"], PUBLISHED, strict=True):
        delta = factors(instance)
        begin = time.perf_counter()
        result = solve(instance)
        row: dict[str, Any] = {
            "case": instance.name,
            "published_reference_gy": published[0],
            "published_bound_gy": published[1],
            "ours": {
                "tumor_bed_gy": result.objective,
                "bound_gy": result.bound,
                "status": result.status,
                "seconds": round(time.perf_counter() - begin, 2),
            },
            "equal doses": judged(instance, equal(delta)),
            "6 Gy to the organ every day": judged(instance, kept([6 / s for s in delta], delta)),
            "adaptfx": {
                name: judged(instance, kept(run["doses"], delta))
                | {"seconds": round(run["seconds"], 2)}
                for name, run in runs.items()
            },
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    if options.write:
        text = json.dumps(environment | {"cases": rows}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
