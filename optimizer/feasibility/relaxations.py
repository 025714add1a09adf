"""The smallest changes that make an infeasible case feasible, each with a schedule that shows it.

What mends a case with one change must touch every conflict, so only members of a conflict are
tried. The smallest step is found between one that a search has proved too small and one for which
there is a schedule; steps loosen a case more and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.optimizer.feasibility.conflict import minimal_conflict
from abscopt.optimizer.feasibility.members import Member, without
from abscopt.optimizer.feasibility.steps import Looser, Steps, gone, steps_of

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.feasibility.oracle import Oracle
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True)
class Relaxation:
    """Changes that restore feasibility.

    Attributes
    ----------
    words : what to change
    changes : the same as `--set` and `--remove` take it
    places : what is loosened, such as `limits.alc`
    schedule : keeps every limit, rule and demand of the changed case
    """

    words: str
    changes: tuple[str, ...]
    places: tuple[str, ...]
    schedule: Schedule


def smallest(oracle: Oracle, steps: Steps, low: int = 0) -> tuple[int, Looser] | None:
    """The first step after which a case is feasible; None if no step is enough.

    Parameters
    ----------
    low : a step that is known not to be enough
    """
    high = _first_known(oracle, steps)
    if high is None:
        return None
    stride = 1
    while high - low > 1:
        trial = max(low + 1, high - stride) if stride else (low + high) // 2
        looser = steps(trial)
        if looser is not None and oracle.schedule(looser.instance) is not None:
            high, stride = trial, 2 * stride
        else:
            low, stride = trial, 0
    looser = steps(high)
    assert looser is not None
    return high, looser


def _first_known(oracle: Oracle, steps: Steps) -> int | None:
    """A step that is enough, by a schedule that is known or found."""
    k = 1
    while True:
        looser = steps(k)
        if looser is None:
            return _last(oracle, steps, k)
        if oracle.among_known(looser.instance) is not None:
            return k
        k *= 2


def _last(oracle: Oracle, steps: Steps, beyond: int) -> int | None:
    """The last step there is, if it is enough."""
    low, high = beyond // 2, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if steps(middle) is None else (middle, high)
    looser = steps(low) if low else None
    if looser is None or oracle.schedule(looser.instance) is None:
        return None
    return low


def single_changes(
    oracle: Oracle, instance: Instance, conflict: Sequence[Member]
) -> Iterator[Relaxation]:
    """For each member of a conflict that would do alone: the smallest change of it."""
    for member in conflict:
        schedule = oracle.schedule(without(instance, [member]))
        if schedule is not None:
            yield _least_change(oracle, instance, member, schedule)


def _least_change(
    oracle: Oracle, instance: Instance, member: Member, schedule: Schedule
) -> Relaxation:
    step = smallest(oracle, steps_of(instance, member))
    looser = gone(instance, member) if step is None else step[1]
    mended = oracle.schedule(looser.instance) or schedule
    words = looser.words + _left_out(instance, member, mended)
    return Relaxation(words, looser.changes, (member.place,), mended)


def _left_out(instance: Instance, member: Member, schedule: Schedule) -> str:
    """`, without vertebra`, where fewer lesions are asked for."""
    limit = next((x for x in instance.limits if x.name == member.name), None)
    if member.table != "limits" or limit is None or limit.least_lesions == 0:
        return ""
    treated = {fraction.lesion for fraction in schedule.fractions}
    names = [instance.lesions[i].name for i in instance.irradiable]
    without_course = [name for name in names if name not in treated]
    return f", without {', '.join(without_course)}" if without_course else ""


def joint_change(
    oracle: Oracle, instance: Instance, members: Sequence[Member]
) -> tuple[Relaxation | None, tuple[tuple[Member, ...], ...]]:
    """One change of several members where no single one is enough, and all conflicts met.

    A minimal set of members without which the case is feasible; each of them is loosened as little
    as the steps of those before it allow.
    """
    conflicts: list[tuple[Member, ...]] = []
    removed: list[Member] = []
    while True:
        conflict = minimal_conflict(
            oracle, without(instance, removed), [m for m in members if m not in removed]
        )
        if conflict is None:
            break
        if not conflict:
            return None, tuple(conflicts)
        conflicts.append(conflict)
        removed += conflict
    for member in tuple(removed):
        fewer = [other for other in removed if other != member]
        if oracle.schedule(without(instance, fewer)) is not None:
            removed = fewer
    return _loosened(oracle, instance, removed), tuple(conflicts)


def _loosened(oracle: Oracle, instance: Instance, members: Sequence[Member]) -> Relaxation | None:
    """Each member of a set loosened by as little as is enough, one after the other."""
    looser = instance
    words: list[str] = []
    changes: list[str] = []
    for i, member in enumerate(members):
        later = members[i + 1 :]
        steps = steps_of(looser, member)

        def beside_later(
            k: int, steps: Steps = steps, later: Sequence[Member] = later
        ) -> Looser | None:
            step = steps(k)
            if step is None:
                return None
            return Looser(without(step.instance, later), step.words, step.changes)

        oracle.schedule(without(looser, [member, *later]))  # known from here on
        step = smallest(oracle, beside_later)
        chosen = None if step is None else steps(step[0])
        chosen = chosen or gone(looser, member)
        looser = chosen.instance
        words.append(chosen.words)
        changes += chosen.changes
    schedule = oracle.schedule(looser)
    if schedule is None:
        return None
    places = tuple(member.place for member in members)
    return Relaxation(" and ".join(words), tuple(changes), places, schedule)
