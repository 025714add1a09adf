"""Part `faults`: whatever the solver answers, no false proof: the right status, or an error.

The truth is known beforehand: of tiny cases by enumeration, of bundled ones by their reference.
Faults: limits and infeasibilities that there are not, errors, NaN and infinities, perturbed points
and bounds, spoiled multipliers. Apart, as `lies`, a solver that overlooks choices and is consistent
about it: nobody who only asks that solver can know, so those that go unseen are counted, not called
faults of ours.
"""

from __future__ import annotations

import json
import math
import warnings
from contextlib import AbstractContextManager
from functools import cache
from typing import Literal

import numpy as np
from brute_force import enumerate_by_judge
from random_instances import LARGER, random_case

from abscopt.instances import load
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import canary
from abscopt.optimizer.results.result import Result
from reliability_parts import documents, injection
from reliability_parts.injection import Injector
from reliability_parts.schedules import REFERENCE
from reliability_parts.tally import HangError, Tally, one_line, time_box

BUNDLED = (
    "toy-blockade", "toy-two-lesions", "mr-linac-1", "mixed-free", "dual-checkpoint", "capacity",
    "sequencing", "toy-free-20",
)  # fmt: skip
"""Cases of every search; the last take seconds, and are stopped."""
LARGER_SEEDS = (10_000, 10_001, 10_002, 10_003, 10_005, 10_006, 10_007, 10_008, 10_010)
"""Random cases of four lesions whose search asks for multipliers."""
LIMIT, HANG_SECONDS = 6.0, 60.0
TOLERANCE = 2e-6
"""What the one programme may be off by, relative; rows of a MILP are kept to 1e-6."""
CARELESS = (IndexError, KeyError, TypeError, AttributeError, ZeroDivisionError, AssertionError)
"""Errors that say nothing to a reader: a fault of the solver is told in a sentence."""


@cache
def truth(name: str) -> tuple[Instance, float | None]:
    """A case and its best known objective; None where nothing is feasible."""
    kind, _, seed = name.partition(" ")
    if kind == "tiny":
        instance = build(documents.edge(int(seed)))
        return instance, enumerate_by_judge(instance, Judge(instance)).best
    if kind == "larger":
        instance = build(random_case(int(seed), LARGER))
        return instance, solve(instance, gap=GAP).objective
    entry = json.loads(REFERENCE.read_text(encoding="utf-8"))[name]
    return load(name), float(entry["objective"])


GAP = 1e-4


def drawn(rng: np.random.Generator) -> tuple[str, Literal["auto", "single"], str]:
    """Case, method and kind of fault: multipliers are asked for by the larger cases only."""
    if rng.random() < 0.45:
        large = f"larger {rng.choice(LARGER_SEEDS)}"
        name = large if rng.random() < 0.75 else str(rng.choice(BUNDLED))
        return name, "auto", str(rng.choice(["duals", "duals", "weights", "errors"]))
    kinds = [*injection.OUTCOMES, "errors", "lies"]
    return f"tiny {rng.integers(documents.EDGES)}", "single", str(rng.choice(kinds))


def examine(seed: int) -> Tally:
    """Solve one case with one kind of fault."""
    tally, rng = Tally(), np.random.default_rng([2032, seed])
    name, method, kind = drawn(rng)
    injector = Injector(rng, float(rng.choice([0.3, 1.0, 1.0])), int(rng.choice([0, 0, 1, 3])))
    instance, best = truth(name)
    canary()
    says = f"seed {seed} {name} {method} {kind}"
    gap = None if name in BUNDLED else GAP
    try:
        with warnings.catch_warnings(), time_box(HANG_SECONDS), _fault(kind, injector):
            warnings.simplefilter("ignore")
            result = solve(instance, gap=gap, method=method, time_limit=LIMIT)
    except HangError as error:
        tally.faults.append(f"{says}: hang: {error}")
        return tally
    except Exception as error:
        _count(tally, kind, injector, type(error).__name__)
        if isinstance(error, CARELESS) or len(str(error).split()) < 3:
            tally.faults.append(f"{says}: not told in a sentence: {one_line(error)}")
        return tally
    _count(tally, kind, injector, result.status)
    wrong = falsehood(result, best)
    if wrong is not None and kind == "lies":
        tally.counts["lies not seen"] += 1
    elif wrong is not None:
        tally.faults.append(f"{says}: {wrong}")
    return tally


def _count(tally: Tally, kind: str, injector: Injector, ending: str) -> None:
    if injector.happened:
        tally.counts.update(["solves with a fault", f"{kind}", f"ended {ending}"])
        tally.counts["injected"] += injector.happened
    else:
        tally.counts["solves that never asked"] += 1


def _fault(kind: str, injector: Injector) -> AbstractContextManager[None]:
    if kind == "errors":
        return injection.errors(injector)
    if kind == "lies":
        return injection.lies(injector)
    if kind in ("duals", "weights"):
        return injection.vectors(kind, injector)
    return injection.outcomes(kind, injector)


def falsehood(result: Result, best: float | None) -> str | None:
    """What a result claims against the truth; None if nothing is."""
    says = f"{result.status} {result.objective!r} <= {result.bound!r}, true {best!r}"
    if best is None:
        return says if result.schedule is not None or result.status == "optimal" else None
    slack = TOLERANCE * max(1.0, abs(best))
    if result.status == "infeasible":
        return says
    if result.bound is not None and not result.bound >= best - slack:
        return says
    objective = -math.inf if result.objective is None else result.objective
    if result.status == "optimal" and not objective >= best - result.requested_gap - slack:
        return says
    return None
