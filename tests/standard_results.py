"""Results without a solve: the standard regimen, called feasible."""

from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate
from abscopt.optimizer.results.result import Certificate, Result, SolverRun
from abscopt.optimizer.schedule import standard_schedule


def standard_result(case: Instance) -> Result:
    """The standard regimen, called feasible."""
    schedule = standard_schedule(case)
    assert schedule is not None
    verdict = evaluate(case, schedule)
    return Result(
        instance=case.name,
        status="feasible",
        objective=verdict.objective + 0.25,
        bound=verdict.objective + 1.25,
        unit=verdict.unit,
        requested_gap=case.objective.gap,
        certificate=Certificate("bound on every schedule", {"lymphocyte bands": 0.0012}, "optimal"),
        schedule=schedule,
        evaluation=verdict,
        standard=verdict,
        solver=SolverRun("HiGHS", "1.15.1", "auto", 1.25, 7, 25, 5),
        seed=42,
    )
