"""One solve with one setting changed, in a process of its own, and which settings a case reads."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from types import ModuleType
from typing import Any

from growth import sized

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import Memory, solve
from abscopt.optimizer.ensemble.decide import decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.fronts.tradeoff import pareto
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.ensemble import settings as ensemble
from abscopt.optimizer.search.free import settings as free
from abscopt.optimizer.search.uniform import settings as uniform
from abscopt.optimizer.tuning import using

ROOMS: dict[str, ModuleType] = {
    "uniform": uniform,
    "free": free,
    "programme": programme,
    "ensemble": ensemble,
}
FRONTS = {"front": "toxicity", "front-visits": "visits"}
"""Measure by what a case is tried by."""
MEMBERS, WORST, POINTS = 5, "cvar:0.4", 5
LOADED_ONCE = [
    "abscopt.optimizer.ensemble.decide",
    "abscopt.optimizer.programme.single",
    "abscopt.optimizer.search.free.explore",
    "abscopt.optimizer.search.uniform.explore",
    "pyomo.environ",
]
"""What every process imports."""

Value = float | tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """A bundled case, what is changed of it, and how it is solved."""

    name: str
    of: str
    by: str = "auto"
    removed: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    gap: float | None = None
    lesions: int = 0

    def before(self) -> Instance:
        """The bundled case without what is removed, or with lesions copied as in `growth.py`."""
        case = sized(self.lesions) if self.lesions else load(self.of)
        return case.with_(dict.fromkeys(self.removed)) if self.removed else case

    def changed(self) -> Instance:
        """The case that is timed."""
        return self.before().with_(self.changes) if self.changes else self.before()


@dataclass(frozen=True)
class Run:
    """One solve: CPU seconds, nodes, and what it answered."""

    seconds: float
    nodes: int
    status: str
    answer: str


def run(case: Case, room: str, changed: dict[str, Value], limit: float) -> Run:
    """Solve a case with some fields of a room changed."""
    settings = ROOMS[room]
    with using(settings, replace(settings.CURRENT, **changed)):
        return _solved(case, limit)


def _solved(case: Case, limit: float) -> Run:
    """Time and answer of the solve that a case is about."""
    instance, memory = case.changed(), Memory()
    if case.by == "again":
        solve(case.before(), time_limit=limit, memory=memory)
    if case.by == "begun":
        instance = begun(instance, solve(instance, time_limit=limit).schedule)
    begin = time.process_time()
    if case.by == "members":
        members = ensemble_of(instance, "radiobiology", size=MEMBERS)
        best = decide(members, WORST, time_limit=limit)
        schedule = None if best.answer is None else best.answer.schedule
        seconds, nodes, status = time.process_time() - begin, best.nodes, best.status
        return Run(seconds, nodes, status, repr((status, best.objective, best.bound, schedule)))
    if case.by in FRONTS:
        points = [point for _, point in pareto(instance, FRONTS[case.by], count=POINTS).points]
        seconds, nodes = time.process_time() - begin, sum(point.solver.nodes for point in points)
        answers = [(p.status, p.objective, p.bound, p.schedule) for p in points]
        return Run(seconds, nodes, " ".join(sorted({p.status for p in points})), repr(answers))
    method = "single" if case.by == "single" else "auto"
    result = solve(instance, time_limit=limit, method=method, memory=memory, gap=case.gap)
    seconds, nodes, status = time.process_time() - begin, result.solver.nodes, result.status
    answer = repr((status, result.objective, result.bound, result.schedule))
    return Run(seconds, nodes, status, answer)


def table_of(schedule: Schedule, today: int, missed: tuple[str, int]) -> dict[str, object]:
    """What was given before a day, and the plan; one lesion missed one day."""

    def events(cut: int, skip: tuple[str, int] | None) -> dict[str, object]:
        return {
            "fractions": [
                {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy}
                | {"fraction_of_day": f.slot + 1}
                | ({"technique": f.technique} if f.technique else {})
                for f in schedule.fractions
                if f.day < cut and (f.lesion, f.day) != skip
            ],
            "doses_of_drugs": [
                {"agent": i.drug, "day": i.day, "dose_mg": i.dose_mg}
                for i in schedule.infusions
                if i.day < cut
            ],
        }

    return {"today": today, "plan": events(10**6, None), **events(today, missed)}


def begun(case: Instance, schedule: Schedule) -> Instance:
    """The case after a third of the fraction days of a schedule, a lesion missed on the last."""
    days = sorted({fraction.day for fraction in schedule.fractions})
    last = days[max(0, len(days) // 3 - 1)]
    lesion = next(fraction.lesion for fraction in schedule.fractions if fraction.day == last)
    return with_past(case, table_of(schedule, last + 1, (lesion, last)))


def reads(case: Case, limit: float) -> set[str]:
    """Settings that a solve asks for, as `room.field`."""
    asked: set[str] = set()
    for room, settings in ROOMS.items():
        settings.__dict__["CURRENT"] = _watched(room, settings, asked)
    _solved(case, limit)
    return asked


def _watched(room: str, settings: ModuleType, asked: set[str]) -> Any:
    """The usual settings of a room, which note what is read of them."""
    own = {field.name for field in fields(settings.Settings)}

    class Watched(settings.Settings):  # type: ignore[misc, name-defined]
        def __getattribute__(self, name: str) -> Any:
            if name in own:
                asked.add(f"{room}.{name}")
            return object.__getattribute__(self, name)

    return Watched()


def fresh(call: Any, *arguments: Any) -> Any:
    """A call in a process of its own, so that nothing is known before."""
    context = get_context("forkserver")
    context.set_forkserver_preload(LOADED_ONCE)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(call, *arguments).result()
