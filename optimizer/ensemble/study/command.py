"""The command `robustness`: a case, a schedule or none, and an ensemble, in the time allowed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.study.document import findings
from abscopt.optimizer.ensemble.study.robustness import Robustness, robustness
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.progress import Listener
from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.results.result import Result

SOLVE_SHARE = 0.25
"""Part of the time limit for the case itself where no schedule is named."""


@dataclass(frozen=True)
class Draw:
    """Which ensemble, how many members, which seed; None for what the ensemble states."""

    name: str | None = None
    size: int | None = None
    seed: int | None = None


def robustness_of(
    case: Instance,
    file: str | None,
    draw: Draw,
    progress: Callable[[], AbstractContextManager[Listener]],
    time_left: Callable[[], float | None],
    *,
    cross: bool = False,
    estimate: bool = False,
    time_limit: float | None = None,
    **options: Any,
) -> Robustness:
    """Robustness of the schedule in a file, or of the case's own optimum.

    Parameters
    ----------
    progress : opens a listener
    time_left : seconds until the command is to end
    time_limit : of the whole command; only whether there is one counts here
    options : those of `robustness`

    Raises
    ------
    InputError
        Wrong ensemble or schedule, or a case without a schedule to judge.
    """
    ensemble = ensemble_of(case, draw.name, size=draw.size, seed=draw.seed)
    schedule = None if file is None else schedule_of_file(file, case, cross=cross)
    with progress() as listener:
        if schedule is None:
            seconds = time_left()
            share = None if seconds is None else SOLVE_SHARE * seconds
            solving = {key: options[key] for key in ("gap", "threads", "seed")}
            result = solve(case, time_limit=share, listener=listener, **solving)
            if result.schedule is None:
                rule = f"the case has no schedule to judge: {result.certificate.claim}"
                raise InputError([Problem(case.name, "schedule", result.status, rule)])
            schedule = result.schedule
        return robustness(
            case,
            schedule,
            ensemble,
            exact=not estimate,
            time_limit=None if time_limit is None else time_left(),
            listener=listener,
            **options,
        )


def answer_in(
    ensemble: Ensemble, result: Result, options: dict[str, Any], listener: Listener
) -> tuple[dict[str, Any] | None, dict[str, list[str]]]:
    """An answer that was just found, in an ensemble: findings, and lines its report begins with.

    Parameters
    ----------
    options : of the solve; those that are of members, too, are used
    """
    if result.schedule is None:
        return None, {}
    wanted = {key: options[key] for key in ("gap", "time_limit", "threads", "seed")}
    study = robustness(ensemble.case, result.schedule, ensemble, **wanted, listener=listener)
    return findings(study), {"robustness": study.lines()}
