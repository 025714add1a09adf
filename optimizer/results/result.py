"""The answer to a case: schedule, verdict, certificate; written, read back and checked."""

from __future__ import annotations

import copy
import hashlib
import html
import json
import math
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.differences import excess

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from abscopt.instances.checks.notes import Note
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.reduction import Step
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule

FORMAT = 1
DISCLAIMER = "Research software. Not a medical device; not for clinical use."

ResultStatus = Literal["optimal", "feasible", "infeasible", "unknown"]


@dataclass(frozen=True)
class Certificate:
    """What was proved, and every approximation inside the bound.

    Attributes
    ----------
    claim : one sentence saying what the bound is a bound of
    approximation_errors : name -> size in the objective's unit; each is already inside the gap
    second_stage : status of the choice among schedules within the gap
    best_objective : best objective in hand before the second stage
    objective_form : how the objective enters the proof: exactly, or bounded by tangents
    reductions : what was dropped before one MILP was stated, step by step, with the pairs of plan
        and course that each step left; empty where it was stated over all that the case offers
    doubts : what was refused on the way: bounds that a judged schedule or the solver itself refutes
    """

    claim: str
    approximation_errors: dict[str, float] = field(default_factory=dict)
    second_stage: str = "none"
    best_objective: float | None = None
    objective_form: str = ""
    reductions: tuple[Step, ...] = ()
    doubts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "claim": self.claim,
            "approximation_errors": dict(self.approximation_errors),
            "second_stage": self.second_stage,
            "best_objective": self.best_objective,
            "objective_form": self.objective_form,
            "reductions": [dict(vars(step)) for step in self.reductions],
            "doubts": list(self.doubts),
        }


@dataclass(frozen=True)
class SolverRun:
    """Who solved it, how long it took and how much was considered.

    Attributes
    ----------
    name, version : the solver of linear and mixed-integer programs
    seconds : wall time
    nodes : of the search, or of the solver in all rounds
    columns : what lesions may receive, 'no course' included: for the search, the allowed kinds (of
        courses that differ in their days only, one) of each lesion, again for each group of plans
        that act alike on tumors and organs; for the programme, courses that reductions left; for a
        free course, doses by day, or without their days where these do not matter
    plans : systemic plans of the case
    proved_by : what stated and closed the bound, in words; empty where nothing was searched
    """

    name: str
    version: str
    method: str
    seconds: float
    nodes: int
    columns: int
    plans: int
    proved_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


@dataclass(frozen=True, repr=False)
class Result:
    """The answer. Objective, bound and gap share one unit; absent values are None.

    Attributes
    ----------
    instance, case : name of the case, and the case itself where the result carries it
    """

    instance: str
    status: ResultStatus
    objective: float | None
    bound: float | None
    unit: str
    requested_gap: float
    certificate: Certificate
    schedule: Schedule | None
    evaluation: Evaluation | None
    standard: Evaluation | None
    solver: SolverRun
    seed: int
    notes: tuple[Note, ...] = ()
    case: Instance | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        numbers = [
            f"{name} {value:.4f}"
            for name, value in (("objective", self.objective), ("bound", self.bound))
            if value is not None
        ]
        return f"Result({self.instance}: {', '.join([self.status, *numbers])} {self.unit})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def summary(self) -> str:
        """The report that `solve` prints."""
        from abscopt.optimizer.results.text.report import solve_report

        return solve_report(self, self.of(None))

    def of(self, case: Instance | None) -> Instance:
        """The case that is given, else the one that the result carries; ValueError without both."""
        if case is None and self.case is None:
            raise ValueError(f"this result does not carry its case: give {self.instance}")
        return case or self.case  # type: ignore[return-value]

    def plot(self, kind: str = "calendar") -> Figure:
        """A picture: `calendar`, `limits`, `control`, `curves` or `proof` (extra `report`)."""
        from abscopt.optimizer.report.finding import Finding
        from abscopt.optimizer.report.plots import figure_of

        return figure_of(Finding.of_result(self, self.of(None)), kind)

    def save(self, file: str | Path) -> None:
        """Write the document that `solve --json` prints; raises InputError."""
        from abscopt.optimizer.results.files import write_file

        text = json.dumps(self.to_json(), indent=2, allow_nan=False)
        write_file(str(file), text + "\n", "file")

    @classmethod
    def load(cls, file: str | Path, case: str | None = None) -> Result:
        """A result read back from its file, checked against its case and judged again.

        Parameters
        ----------
        case : name or file of the case, unless it is a bundled one

        Raises
        ------
        InputError
            If the file is no result, was edited, or does not belong to the case.
        """
        from abscopt.optimizer.results.reading.loaded import result_of_file

        return result_of_file(str(file), case)

    @property
    def gap(self) -> float | None:
        """Bound minus objective; None without both."""
        return excess(self.bound, self.objective)

    def schedule_frame(self, instance: Instance | None = None) -> pd.DataFrame:
        """One row per fraction or infusion, with the dates of the case."""
        from abscopt.optimizer.schedule import Schedule

        return (self.schedule or Schedule()).frame(self.of(instance))

    def lesions_frame(self) -> pd.DataFrame:
        """One row per lesion; empty without a schedule."""
        import pandas as pd

        return self.evaluation.lesions_frame() if self.evaluation else pd.DataFrame()

    def limits_frame(self) -> pd.DataFrame:
        """One row per limit; empty without a schedule."""
        import pandas as pd

        return self.evaluation.limits_frame() if self.evaluation else pd.DataFrame()

    def to_json(
        self,
        instance: Instance | None = None,
        simulation: dict[str, Any] | None = None,
        robustness: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The result document, with its digest; `simulation` and `robustness` join it if given."""
        instance = self.of(instance)
        document: dict[str, Any] = {
            "format": FORMAT,
            "kind": "result",
            "notice": DISCLAIMER,
            "instance": self.instance,
            "instance_digest": instance_digest(instance),
            **stated_changes(instance),
            "status": self.status,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "gap_unit": self.unit,
            "requested_gap": self.requested_gap,
            "certificate": self.certificate.to_json(),
            "schedule": self.schedule.to_json(instance) if self.schedule else None,
            "evaluation": self.evaluation.to_json() if self.evaluation else None,
            "standard": self.standard.to_json() if self.standard else None,
            "notes": [note.to_json() for note in self.notes],
            "solver": self.solver.to_json(),
            "versions": versions(),
            "seed": self.seed,
        }
        if simulation is not None:
            document["simulation"] = simulation
        if robustness is not None:
            document["robustness"] = robustness
        return sealed(document)


def heading(kind: str, case: Instance) -> dict[str, Any]:
    """What every document about one case begins with."""
    return {
        "format": FORMAT,
        "kind": kind,
        "notice": DISCLAIMER,
        "instance": case.name,
        "instance_digest": instance_digest(case),
        **stated_changes(case),
    }


def stated_changes(instance: Instance) -> dict[str, list[str]]:
    """`changes` of a document: what was changed in its case; empty where nothing was."""
    return {"changes": list(instance.changes)} if instance.changes else {}


def versions() -> dict[str, str]:
    """Versions that determine the answer."""
    packages = ("abscopt", "highspy", "numpy", "pydantic", "pyomo")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def instance_digest(instance: Instance) -> str:
    """SHA-256 of the complete case, library values included; what is absent does not count.

    Nor do the words on what was changed: what the case says counts.
    """
    text = instance.model_dump_json(exclude_none=True, exclude={"changes"})
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """Document with `digest`, a SHA-256 over every other leaf but the time taken.

    The time has its own check, so that equal runs have equal digests: seconds are rounded to
    milliseconds and digits four to six after the point are computed from them.
    """
    document = copy.deepcopy(document)
    if "solver" in document:
        document["solver"]["seconds"] = _checked_seconds(document["solver"]["seconds"])
    document["digest"] = _digest(document)
    return document


def _checked_seconds(seconds: float) -> float:
    milliseconds = round(seconds * 1000)
    check = int(hashlib.sha256(str(milliseconds).encode()).hexdigest(), 16) % 1000
    return float(f"{milliseconds // 1000}.{milliseconds % 1000:03d}{check:03d}")


def _digest(document: dict[str, Any]) -> str:
    bare = {key: value for key, value in document.items() if key != "digest"}
    if isinstance(bare.get("solver"), dict):
        bare["solver"] = {k: v for k, v in bare["solver"].items() if k != "seconds"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def check_document(document: dict[str, Any], instance: Instance, label: str) -> None:
    """Raise InputError if a result was made for another case or edited since it was written."""
    problems = []
    if document.get("instance_digest") != instance_digest(instance):
        rule = "the result belongs to another case, or to another version of this case"
        problems.append(
            Problem(label, "instance_digest", str(document.get("instance_digest"))[:12], rule)
        )
    try:
        check_seal(document, label)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)


def check_seal(document: dict[str, Any], label: str) -> None:
    """Raise InputError if a document was edited since it was written."""
    problems = []
    solver = document.get("solver")
    seconds = solver.get("seconds") if isinstance(solver, dict) else None
    if "solver" in document and not _honest_seconds(seconds):
        rule = "was changed after the result was written"
        problems.append(Problem(label, "solver.seconds", str(seconds), rule))
    if document.get("digest") != _digest(document):
        rule = "does not match the document: something in it was changed after it was written"
        problems.append(Problem(label, "digest", str(document.get("digest"))[:12], rule))
    if problems:
        raise InputError(problems)


def _honest_seconds(seconds: object) -> bool:
    if not isinstance(seconds, float) or not 0 <= seconds < 1e9:
        return False
    return seconds == _checked_seconds(round(seconds * 1_000_000) // 1000 / 1000)


def differences(claimed: Any, judged: Any, place: str, tolerance: float = 1e-9) -> list[str]:
    """Places where two JSON trees differ (numbers up to a relative tolerance)."""
    if isinstance(claimed, dict) and isinstance(judged, dict):
        keys = sorted(set(claimed) | set(judged))
        return [
            line
            for key in keys
            for line in differences(
                claimed.get(key, ...),
                judged.get(key, ...),
                f"{place}.{key}" if place else key,
                tolerance,
            )
        ]
    if isinstance(claimed, list) and isinstance(judged, list) and len(claimed) == len(judged):
        return [
            line
            for i, (a, b) in enumerate(zip(claimed, judged, strict=True))
            for line in differences(a, b, f"{place}[{i}]", tolerance)
        ]
    if (
        isinstance(claimed, int | float)
        and isinstance(judged, int | float)
        and isinstance(claimed, bool) == isinstance(judged, bool)
    ):
        same = math.isclose(claimed, judged, rel_tol=tolerance, abs_tol=1e-12)
    else:
        same = type(claimed) is type(judged) and claimed == judged
    return [] if same else [place]
