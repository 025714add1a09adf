"""What commands do for all members of an ensemble."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.options import from_the_start
from abscopt.optimizer.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ensemble.members import Ensemble
    from abscopt.optimizer.schedule import Schedule


EXIT_CODES = {"optimal": 0, "feasible": 0, "infeasible": 3, "unknown": 4}


def decided(
    ensemble: Ensemble,
    start_file: str | None,
    out: str | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Solve for all members of an ensemble; say and write the answer; exit code."""
    from abscopt.optimizer.ensemble.decide import decide
    from abscopt.optimizer.ensemble.shown import decided_document, decided_report, write_decided

    def of(start: Schedule | None, listener: ProgressLine) -> Any:
        return decide(ensemble, **from_the_start(options), listener=listener, start=start)

    return _said(ensemble, start_file, out, as_json, of, decided_document, decided_report,
                 write_decided)  # fmt: skip


def replanned_under(
    ensemble: Ensemble,
    start_file: str | None,
    out: str | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Choose the rest for all members of an ensemble, beside the plan resumed; exit code."""
    from abscopt.optimizer.ensemble.shown import write_decided
    from abscopt.optimizer.replanning.under import replan_under, under_document, under_report

    def of(start: Schedule | None, listener: ProgressLine) -> Any:
        return replan_under(ensemble, **from_the_start(options), listener=listener, start=start)

    def write(folder: Path, study: Any, document: str, report: str) -> None:
        write_decided(folder, study.result, document, report)

    return _said(ensemble, start_file, out, as_json, of, under_document, under_report, write)


def observed(
    ensemble: Ensemble,
    observe: str | Instance,
    start_file: str | None,
    out: str | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Solve in two stages, before and after an observation; exit code.

    Parameters
    ----------
    observe : as of `--observe`, or the case that states it
    """
    from abscopt.optimizer.ensemble.observation.decide import (
        decide_observed,
        refuse_other_measures,
    )
    from abscopt.optimizer.ensemble.observation.shown import (
        observed_document,
        observed_report,
        write_observed,
    )
    from abscopt.optimizer.ensemble.observation.spec import Observation

    refuse_other_measures(options.pop("risk"), options.pop("chance"), options.pop("method"))
    for always in ("perfect", "threads"):
        options.pop(always)

    seen = observe if isinstance(observe, str) else Observation.stated(observe)
    assert seen is not None

    def of(start: Schedule | None, listener: ProgressLine) -> Any:
        limited = from_the_start(options)
        return decide_observed(ensemble, seen, **limited, listener=listener, start=start)

    return _said(ensemble, start_file, out, as_json, of, observed_document, observed_report,
                 write_observed)  # fmt: skip


def _said(
    ensemble: Ensemble,
    start_file: str | None,
    out: str | None,
    as_json: bool,
    solved: Callable[[Schedule | None, ProgressLine], Any],
    documented: Callable[[Any], dict[str, Any]],
    reported: Callable[[Any], str],
    write: Callable[[Path, Any, str, str], None],
) -> int:
    """Solve, then say and write the answer; exit code."""
    from abscopt.optimizer.results.files import result_folder
    from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

    start = None
    if start_file is not None:
        start = schedule_of_file(start_file, ensemble.case, cross=True)
    folder = None if out is None else result_folder(out, "--out")
    with ProgressLine() as progress:
        result = solved(start, progress)
    document = json.dumps(documented(result), indent=2, allow_nan=False)
    report = reported(result)
    try:
        if folder is not None:
            write(folder, result, document, report)
    finally:  # a full disk must not cost the answer
        say(document if as_json else report.rstrip("\n"))
    return EXIT_CODES[getattr(result, "result", result).status]
