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
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.sweeps.runs import Run

REFUSED, FAILED = "refused", "failed"
"""Status of a run whose input is wrong, and of one that an error of ours ended."""

_ONE_AT_A_TIME = threading.Lock()
"""Workers of a cluster may have several threads; each solve counts on its process for itself."""


Rows = tuple[dict[str, Any], ...]


class Abandoned(BaseException):
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
    lesions: Rows = ()
    limits: Rows = ()
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
        if run.solver != "abscopt":
            return _by_solver(run, instance, listener)
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
    text = json.dumps(document, allow_nan=False)
    return Outcome(row, *_judged(run, result.evaluation), text)


def _by_solver(run: Run, instance: Instance, listener: Listener | None) -> Outcome:
    """What another solver makes of the one MILP, judged; it leaves no document."""
    from abscopt.optimizer.crosscheck.compare import find
    from abscopt.optimizer.crosscheck.engines import ENGINES

    options = {"gap": run.gap, "time_limit": run.time_limit, "threads": run.threads}
    engine = ENGINES[run.solver]
    finding = find(instance, engine, **options, seed=run.seed, listener=listener)  # type: ignore[arg-type]
    if finding.status in ("error", "breaks_limits"):
        return failure(run, FAILED, finding.message)
    if finding.status in ("not_installed", "too_large", "size_licence"):
        return failure(run, REFUSED, finding.message)
    gap = instance.objective.gap if run.gap is None else run.gap
    row = {
        "run": run.number,
        "status": finding.status,
        "objective": finding.value,
        "bound": finding.bound,
        "gap": finding.gap,
        "unit": instance.objective.unit,
        "requested_gap": gap,
        "nodes": finding.nodes,
        "proved_by": f"{finding.name} {finding.version}",
        "instance_digest": instance_digest(instance),
        "message": finding.message,
    }
    return Outcome(row, *_judged(run, finding.evaluation))


def _judged(run: Run, evaluation: Evaluation | None) -> tuple[Rows, Rows]:
    """Rows of lesions and limits; none without a schedule."""
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
    return lesions, limits
