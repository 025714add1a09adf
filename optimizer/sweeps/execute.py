"""One run: the case changed, solved, and what is kept of it as rows; a failure is a row as well."""

from __future__ import annotations

import json
import platform
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.results.result import instance_digest

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.sweeps.runs import Run

REFUSED, FAILED = "refused", "failed"
"""Status of a run whose input is wrong, and of one that an error of ours ended."""

_ONE_AT_A_TIME = threading.Lock()
"""Workers of a cluster may have several threads; each solve counts on its process for itself."""


class Abandoned(Exception):
    """The sweep is over; what this run has found is dropped."""


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    Attributes
    ----------
    row : columns of `results`
    lesions, limits : rows of these tables
    document : what `solve --json` prints; None for a failure
    """

    row: dict[str, Any]
    lesions: tuple[dict[str, Any], ...] = ()
    limits: tuple[dict[str, Any], ...] = ()
    document: str | None = None


def execute(run: Run, case: Instance, listener: Listener | None = None) -> Outcome:
    """Solve one run of a study.

    Parameters
    ----------
    case : before the run's changes
    listener : may raise `Abandoned`, which ends the run
    """
    with _ONE_AT_A_TIME:
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = _executed(run, case, listener)
    times = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "host": platform.node(),
    }
    return Outcome(outcome.row | times, outcome.lesions, outcome.limits, outcome.document)


def _executed(run: Run, case: Instance, listener: Listener | None) -> Outcome:
    try:
        instance = case.with_(run.changes) if run.changes else case
        result = solve(
            instance,
            gap=run.gap,
            time_limit=run.time_limit,
            threads=run.threads,
            seed=run.seed,
            method=run.method,  # type: ignore[arg-type]
            listener=listener,
        )
        return _outcome(run, result, instance)
    except Abandoned:
        raise
    except InputError as error:
        return failure(run, REFUSED, str(error))
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return failure(run, FAILED, text)


def failure(run: Run, status: str, message: str) -> Outcome:
    """The row of a run that has no answer."""
    return Outcome({"run": run.number, "status": status, "message": message})


def _outcome(run: Run, result: Result, instance: Instance) -> Outcome:
    document = result.to_json(instance)
    standard = result.standard
    row = {
        "run": run.number,
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "unit": result.unit,
        "requested_gap": result.requested_gap,
        "standard_objective": None if standard is None else standard.objective,
        "standard_keeps_limits": None if standard is None else standard.feasible,
        "nodes": result.solver.nodes,
        "columns": result.solver.columns,
        "plans": result.solver.plans,
        "proved_by": result.solver.proved_by,
        "instance_digest": instance_digest(instance),
        "result_digest": document["digest"],
        "message": "",
    }
    evaluation = result.evaluation
    lesions = tuple(
        {
            "run": run.number,
            "lesion": lesion.name,
            "technique": lesion.technique,
            "fractions": lesion.fractions,
            "dose_gy": lesion.dose_gy,
            "bed_gy": lesion.bed_gy,
            "log_burden": lesion.log_burden[-1],
            "control_probability": lesion.control_probability[-1],
            "conceded": lesion.conceded,
        }
        for lesion in (evaluation.lesions if evaluation else ())
    )
    limits = tuple(
        {
            "run": run.number,
            "limit_name": use.name,
            "kind": use.kind,
            "value": use.value,
            "cap": use.bound,
            "unit": use.unit,
            "use": use.use,
            "kept": use.kept,
            "cost": use.cost,
        }
        for use in (evaluation.limits if evaluation else ())
    )
    return Outcome(row, lesions, limits, json.dumps(document, allow_nan=False))
