"""What an answer is as a row of figures, and calls in processes of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from abscopt.instances.schema import Instance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule

GAP = 0.01
Row = dict[str, Any]


def without_folders(text: str) -> str:
    """A text with the names of files only, not where they lie on this machine."""
    return re.sub(r"(?<![\w.])/(?:[\w.-]+/)+", "", text)


def isolated(function: Callable[..., Row], *arguments: Any) -> Row:
    """A call in a new process; a crash of a solver is a row, too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except Exception as error:
            return {"status": f"failed: {type(error).__name__}: {error}"[:300]}


def judged(instance: Instance, schedule: Schedule | None, bound: float | None) -> Row:
    """Judged objective, bound and gap of an answer."""
    verdict = None if schedule is None else Judge(instance).evaluate(schedule)
    value = verdict.objective if verdict is not None and verdict.admissible else None
    gap = None if value is None or bound is None else max(0.0, bound - value)
    closed = gap is not None and gap <= GAP * (1 + 1e-9)
    return {
        "status": "optimal" if closed else "limit",
        "objective": value,
        "bound": bound,
        "gap": gap,
    }
