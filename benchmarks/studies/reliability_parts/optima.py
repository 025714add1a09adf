"""Part `optima`: search, free search, the one programme and enumeration agree on tiny cases.

Of every case the judge sees all schedules. `solve` must give the same optimum within its gap, a
bound that is not below it, or `infeasible` where nothing is feasible; by search (or free search,
or the programme, as the case asks) and by `single`, with HiGHS' presolve and without.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from brute_force import Enumeration, binding, enumerate_by_judge
from edge_limits import limited_edge_case
from edge_regimes import regimes_of
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances import InputError
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs import solver
from abscopt.optimizer.results.result import Result
from reliability_parts.tally import HangError, Tally, one_line, time_box

GAPS = (1e-4, 1e-4, 1e-4, 1e-2, 1e-6)
SINGLE_GAPS = (1e-4, 1e-4, 1e-6)
"""The one programme is as exact as rows of a MILP: HiGHS keeps them to 1e-6."""
NAMED = re.compile(
    r"no schedule that the case offers is better than the bound, if one is given; the programme "
    r"cannot be refined further: (\S+) is the smallest gap that its margins and the solver's "
    r"tolerances allow here"
)
"""All that may be said where nothing stopped a solve, and the gap is open."""
SEARCH_SECONDS, SINGLE_SECONDS, HANG_SECONDS = 30.0, 4.0, 120.0
JUDGED = 1e-9
ROWS = 1e-6
MOST = 300
"""Schedules of a case of the other two streams; beyond, enumeration takes too long."""


def examine(seed: int) -> Tally:
    """Solve one case in several ways and compare with enumeration."""
    tally = Tally()
    try:
        with time_box(HANG_SECONDS):
            raw = case(seed)
            instance = build(raw)
            found = enumerate_by_judge(instance, Judge(instance))
    except InputError as error:
        tally.counts["refused"] += 1
        tally.counts[f"refused: {error.problems[0].rule[:60]}"] += 1
        return tally
    _count(tally, instance, found)
    for method, presolve, gap in ways(seed):
        try:
            _compare(tally, seed, instance, found, method, presolve, gap)
        except (Exception, HangError) as error:
            name = f"seed {seed} {method}{'' if presolve else ' without presolve'} gap {gap:g}"
            tally.faults.append(f"{name}: {one_line(error)}")
    return tally


def case(seed: int) -> dict[str, Any]:
    """An edge case, or one of the plain (every 19th) or the widened stream (every 23rd)."""
    if seed % 19 == 7:
        return random_case(100_000 + seed)
    if seed % 23 == 17:
        return widened_case(20_000 + seed)
    return limited_edge_case(seed)


def ways(seed: int) -> Iterator[tuple[Literal["auto", "single"], bool, float]]:
    """Method, presolve and gap of the solves of one case."""
    gap = GAPS[seed % len(GAPS)]
    yield "auto", seed % 4 != 3, gap
    if (seed % 19 != 7 and seed % 23 != 17) or seed % 3 == 0:
        yield "single", seed % 4 != 1, SINGLE_GAPS[seed % len(SINGLE_GAPS)]


def _count(tally: Tally, instance: Instance, found: Enumeration) -> None:
    tally.counts.update(["cases", *regimes_of(instance)])
    tally.counts["schedules judged"] += found.count
    kinds = {limit.name: limit for limit in instance.limits}
    for name in binding(found):
        limit = kinds.get(name)
        tally.counts[f"binding {getattr(limit, 'kind', name)}"] += 1
    tally.counts["infeasible"] += found.best is None
    if found.schedule is not None:
        tally.counts["irradiated"] += bool(found.schedule.fractions)
        tally.counts["drugs given"] += bool(found.schedule.infusions)


def _compare(
    tally: Tally,
    seed: int,
    instance: Instance,
    found: Enumeration,
    method: Literal["auto", "single"],
    presolve: bool,
    gap: float,
) -> None:
    seconds = SEARCH_SECONDS if method == "auto" else SINGLE_SECONDS
    with warnings.catch_warnings(), time_box(HANG_SECONDS), presolving(presolve):
        warnings.simplefilter("error")
        result = solve(instance, gap=gap, method=method, time_limit=seconds)
    tally.counts[f"solved by {method}{'' if presolve else ' without presolve'}"] += 1
    late = result.solver.seconds > 0.9 * seconds and result.status in ("feasible", "unknown")
    tally.counts[f"out of time {method}"] += late
    tally.counts[f"smallest gap named {method}"] += named_gap(result) is not None
    wrong = disagreement(result, found.best, gap, ROWS if method == "single" else JUDGED, late)
    if wrong is not None:
        what = f"{method}{'' if presolve else ' without presolve'} gap {gap:g}"
        tally.faults.append(f"seed {seed} {what}: {wrong}")


def disagreement(
    result: Result, best: float | None, gap: float, tolerance: float, late: bool = False
) -> str | None:
    """What is wrong with a result, by the best of all schedules; None if nothing is.

    A result that ran out of time may be `feasible` or `unknown`, but its bound must be true. One
    that did not may be `feasible` only where its certificate names the gap that is left.
    """
    says = f"{result.status} {result.objective!r} <= {result.bound!r}, enumeration {best!r}"
    if best is None:
        fine = result.status == "infeasible" or (late and result.status == "unknown")
        return None if fine and result.schedule is None else says
    slack = tolerance * max(1.0, abs(best))
    bound = math.inf if result.bound is None else result.bound
    objective = -math.inf if result.objective is None else result.objective
    if result.status == "infeasible" or bound < best - slack or objective > best + slack:
        return says
    if late:
        return None
    named = named_gap(result)
    if named is not None and result.status == "feasible" and bound - objective > gap:
        fine = bound - objective <= named and objective >= best - named - slack
        return None if fine else says
    closed = result.status == "optimal" and objective >= best - gap - slack
    return None if closed and bound - objective <= gap + slack else says


def named_gap(result: Result) -> float | None:
    """The smallest gap that a certificate says can be closed; None where it says nothing of it."""
    found = NAMED.fullmatch(result.certificate.claim)
    return None if found is None else float(found[1])


@contextmanager
def presolving(presolve: bool) -> Iterator[None]:
    """Switch HiGHS' presolve off within the block."""
    if presolve:
        yield
        return
    before = solver._quiet

    def without(threads: int, seed: int) -> Any:
        highs = before(threads, seed)
        solver._option(highs, "presolve", "off")
        return highs

    solver._quiet = without
    try:
        yield
    finally:
        solver._quiet = before
