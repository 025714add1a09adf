"""What commands do for all members of an ensemble."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.options import from_the_start
from abscopt.optimizer.progress import ProgressLine

if TYPE_CHECKING:
    from abscopt.optimizer.ensemble.members import Ensemble


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
    from abscopt.optimizer.results.files import result_folder
    from abscopt.optimizer.results.schedule_files import schedule_of_file

    start = None
    if start_file is not None:
        start = schedule_of_file(start_file, ensemble.case, cross=True)
    folder = None if out is None else result_folder(out, "--out")
    options.pop("threads")  # one linear program at a time
    with ProgressLine() as progress:
        result = decide(ensemble, **from_the_start(options), listener=progress, start=start)
    document = json.dumps(decided_document(result), indent=2, allow_nan=False)
    report = decided_report(result)
    try:
        if folder is not None:
            write_decided(folder, result, document, report)
    finally:  # a full disk must not cost the answer
        say(document if as_json else report.rstrip("\n"))
    return EXIT_CODES[result.status]
