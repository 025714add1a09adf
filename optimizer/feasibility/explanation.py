"""Why a case is infeasible, and why a lesion of an answer is untreated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError, Problem, case_of
from abscopt.optimizer.feasibility.conflict import minimal_conflict
from abscopt.optimizer.feasibility.demanded import treated
from abscopt.optimizer.feasibility.members import Member, members_of
from abscopt.optimizer.feasibility.offers import offers
from abscopt.optimizer.feasibility.oracle import Oracle
from abscopt.optimizer.feasibility.relaxations import Relaxation, joint_change, single_changes
from abscopt.optimizer.feasibility.words import conflict_words, lesion_words
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.schedule import read_schedule

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

MOST_OFFERED = 3
"""Lesions whose menus are extended: each is up to a dozen searches."""


@dataclass(frozen=True)
class Conflict:
    """Members that no schedule keeps together, while without any one of them there is one."""

    members: tuple[Member, ...]
    words: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """`limits.alc`, `lesions.lung.least_bed_gy`."""
        return tuple(member.place for member in self.members)


@dataclass
class Explanation:
    """What forbids a case, or one lesion beside others.

    Attributes
    ----------
    feasible : whether some schedule keeps everything; None if the time was over before it was known
    subject : lesion that is asked about; '' for the case
    beside : lesions that are treated as well
    conflicts : minimal ones; several where no single change is enough
    relaxations : the smallest changes that mend it, each with its schedule
    complete : whether everything was tried; else the time was over
    schedule : one that keeps everything, if there is one
    """

    case: Instance
    subject: str = ""
    beside: tuple[str, ...] = ()
    feasible: bool | None = None
    conflicts: tuple[Conflict, ...] = ()
    relaxations: list[Relaxation] = field(default_factory=list)
    complete: bool = False
    schedule: Schedule | None = None
    searches: int = 0
    seconds: float = 0.0


@raises_interrupted
def explain(
    case: Instance | str | Path,
    *,
    time_limit: float | None = None,
    listener: Listener | None = None,
    seed: int = 0,
) -> Explanation:
    """Why no schedule keeps what a case asks for, and what would mend it.

    Parameters
    ----------
    case : a case, the name of a bundled one, or a path
    time_limit : seconds; then what is known so far
    """
    instance = case_of(case)
    clock = Clock(time_limit, listener)
    return _explained(Explanation(instance), instance, members_of(instance), clock, seed, ())


@raises_interrupted
def explain_lesion(
    case: Instance | str | Path,
    schedule: Schedule,
    lesion: str,
    *,
    time_limit: float | None = None,
    listener: Listener | None = None,
    seed: int = 0,
) -> Explanation:
    """Why a lesion cannot be treated beside those that a schedule treats, whatever the doses.

    Raises
    ------
    InputError
        If the case has no such lesion, or it must not be irradiated.
    """
    instance = case_of(case)
    schedule = read_schedule(schedule.to_json(instance), instance, "schedule")
    names = [instance.lesions[i].name for i in instance.irradiable]
    if lesion not in names:
        rule = f"no lesion that may be irradiated; known {names}"
        raise InputError([Problem(instance.name, "lesion", lesion, rule)])
    beside = {fraction.lesion for fraction in schedule.fractions} - {lesion}
    wanted = {lesion, *beside}
    lesions = tuple(
        entry if not entry.irradiable else treated(entry) if entry.name in wanted else entry
        for entry in instance.lesions
    )
    asked = instance.unchecked({"lesions": lesions, "standard": None})
    explanation = Explanation(instance, lesion, tuple(name for name in names if name in beside))
    clock = Clock(time_limit, listener)
    return _explained(explanation, asked, members_of(instance), clock, seed, (lesion,))


def _explained(
    explanation: Explanation,
    asked: Instance,
    members: Sequence[Member],
    clock: Clock,
    seed: int,
    lesions: Iterable[str],
) -> Explanation:
    """Fill an explanation of why `asked` is infeasible by its members, as far as time allows."""
    oracle = Oracle(clock, seed)
    with clock.running("explaining"):
        try:
            explanation.schedule = oracle.schedule(asked)
            explanation.feasible = explanation.schedule is not None
            if not explanation.feasible:
                _conflicts(explanation, oracle, asked, members)
                _relaxations(explanation, oracle, asked, members, lesions)
            explanation.complete = True
        except Stopped:
            pass
    explanation.searches, explanation.seconds = oracle.searches, clock.elapsed
    return explanation


def _conflicts(
    explanation: Explanation, oracle: Oracle, asked: Instance, members: Sequence[Member]
) -> None:
    """The first minimal conflict, in words."""
    conflict = minimal_conflict(oracle, asked, members) or ()
    explanation.conflicts = (_conflict(oracle, explanation, asked, conflict),)


def _conflict(
    oracle: Oracle, explanation: Explanation, asked: Instance, members: tuple[Member, ...]
) -> Conflict:
    words = conflict_words(oracle, explanation.case, members)
    if explanation.subject and not members:
        lesion = next(x for x in asked.lesions if x.name == explanation.subject)
        without_limits = asked.unchecked({"limits": ()})
        words += filter(None, [lesion_words(oracle, without_limits, lesion)])
    return Conflict(members, tuple(words))


def _relaxations(
    explanation: Explanation,
    oracle: Oracle,
    asked: Instance,
    members: Sequence[Member],
    lesions: Iterable[str],
) -> None:
    """Changes of one member, of menus, and of several members where one is not enough."""
    conflict = explanation.conflicts[0].members
    for relaxation in single_changes(oracle, asked, conflict):
        explanation.relaxations.append(relaxation)
    if conflict and not explanation.relaxations:
        joint, conflicts = joint_change(oracle, asked, members)
        if joint is not None:
            explanation.relaxations.append(joint)
        explanation.conflicts = tuple(
            _conflict(oracle, explanation, asked, found) for found in conflicts
        )
    for name in tuple(lesions) or _suspects(explanation, asked, conflict):
        lesion = next(lesion for lesion in asked.lesions if lesion.name == name)
        fails = _fails_alone(explanation, name)
        explanation.relaxations += offers(oracle, asked, lesion, fails)


def _suspects(explanation: Explanation, asked: Instance, conflict: Sequence[Member]) -> list[str]:
    """Lesions whose menus may be at fault: those that fail alone, or whose demand contradicts."""
    demanded = [member.name for member in conflict if member.table == "lesions"]
    names = [asked.lesions[i].name for i in asked.irradiable]
    failing = [name for name in names if _fails_alone(explanation, name)]
    return list(dict.fromkeys([*failing, *demanded]))[:MOST_OFFERED]


def _fails_alone(explanation: Explanation, name: str) -> bool:
    """Whether no course of a lesion keeps a conflict by itself."""
    lines = (line for conflict in explanation.conflicts for line in conflict.words)
    return any(line.startswith(f"{name}: no course") for line in lines)
