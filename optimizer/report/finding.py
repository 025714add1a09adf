"""A case with a judged schedule and what was proved of it, from a result or from its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, names
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.changed import restated
from abscopt.optimizer.results.files import load_case, read_file
from abscopt.optimizer.results.recheck import check_notes, checked_schedule
from abscopt.optimizer.results.result import check_document
from abscopt.optimizer.results.schedule_files import read_document
from abscopt.optimizer.schedule import Schedule, standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import Result


@dataclass(frozen=True)
class Finding:
    """One answer to one case.

    Attributes
    ----------
    label : what tells it from others on the same page
    schedule, evaluation : None where nothing was found
    regimen, standard : the standard regimen and its verdict; None where the case has none
    document : the result as `solve --json` writes it
    """

    label: str
    case: Instance
    schedule: Schedule | None
    evaluation: Evaluation | None
    regimen: Schedule | None
    standard: Evaluation | None
    document: dict[str, Any]

    @classmethod
    def of_result(cls, result: Result, case: Instance) -> Finding:
        """An answer of `solve`."""
        return cls(
            case.name, case, result.schedule, result.evaluation, standard_schedule(case),
            result.standard, result.to_json(case),
        )  # fmt: skip

    @classmethod
    def of_file(cls, file: str, case_name: str | None = None) -> Finding:
        """A result file, checked against its case and judged again.

        Parameters
        ----------
        case_name : name or file of its case; else the bundled case that it names

        Raises
        ------
        InputError
            If the file is no result, or does not belong to the case.
        """
        raw = _result(file)
        name = case_name or str(raw.get("instance"))
        if case_name is None and name not in names():
            rule = "no bundled case of this name: give its file with --case"
            raise InputError([Problem(file, "instance", name[:80], rule)])
        case = load_case(name)
        case = restated(raw, name, case) or case
        judge, regimen, schedule = Judge(case), standard_schedule(case), None
        if raw.get("schedule") is None and raw.get("status") in ("infeasible", "unknown"):
            check_document(raw, case, file)
            check_notes(raw, case, file)
        else:
            schedule = checked_schedule(raw, case, file)
        return cls(
            file,
            case,
            schedule,
            None if schedule is None else judge.evaluate(schedule),
            regimen,
            None if regimen is None else judge.evaluate(regimen),
            raw,
        )


def _result(file: str) -> dict[str, Any]:
    """A document that says that it is a result; raises InputError."""
    raw = read_file(file, read_document).raw
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or kind != "result":
        rule = "must be a result (what `solve --json` and `solve --out` write)"
        raise InputError([Problem(file, "kind", str(kind)[:80], rule)])
    return raw
