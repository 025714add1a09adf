"""The command `explain`: a case, an answer or none, and lesions that are asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.feasibility.explanation import Explanation, explain, explain_lesion
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.progress import Listener
    from abscopt.optimizer.schedule import Schedule


def explanations_of(
    case: Instance,
    file: str | None,
    lesions: Sequence[str],
    time_left: Callable[[], float | None],
    listener: Listener,
    *,
    cross: bool = False,
    options: dict[str, Any],
) -> list[Explanation]:
    """Of the case where it is infeasible, else of lesions that an answer leaves out.

    Parameters
    ----------
    file : with the answer; without it the case is solved
    lesions : asked about; those that are untreated if none are named
    time_left : seconds until the command is to end
    """
    schedule: Schedule | None = None
    if file is not None:
        schedule = schedule_of_file(file, case, cross=cross)
    else:
        of_case = explain(case, time_limit=time_left(), listener=listener, seed=options["seed"])
        if not of_case.feasible:
            return [of_case]
        wanted = {key: options[key] for key in ("gap", "threads", "seed")}
        result = solve(case, time_limit=time_left(), listener=listener, **wanted)
        if result.schedule is None:
            return [of_case]
        schedule = result.schedule
    treated = {fraction.lesion for fraction in schedule.fractions}
    offered = [case.lesions[i].name for i in case.irradiable]
    names = lesions or [name for name in offered if name not in treated]
    return [
        explain_lesion(
            case, schedule, name, time_limit=time_left(), listener=listener, seed=options["seed"]
        )
        for name in names
    ]
