"""A case with a judged schedule and what was proved of it, from a result or from its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.reading.loaded import checked_document
from abscopt.optimizer.schedule import standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule


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
    def of_result(
        cls, result: Result, case: Instance, robustness: dict[str, Any] | None = None
    ) -> Finding:
        """An answer of `solve`, with what was found of it in an ensemble if that was asked."""
        return cls(
            case.name, case, result.schedule, result.evaluation, standard_schedule(case),
            result.standard, result.to_json(case, robustness=robustness),
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
        document = checked_document(file, case_name)
        case, schedule = document.case, document.schedule
        judge, regimen = Judge(case), standard_schedule(case)
        return cls(
            file,
            case,
            schedule,
            None if schedule is None else judge.evaluate(schedule),
            regimen,
            None if regimen is None else judge.evaluate(regimen),
            document.raw,
        )
