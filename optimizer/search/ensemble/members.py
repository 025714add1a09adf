"""Candidates of every member of an ensemble: one offer, many parameter sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.limits.registry import plan_loads
from abscopt.optimizer.candidates.reuse import early_tables
from abscopt.optimizer.candidates.table import Candidates, Parts
from abscopt.optimizer.candidates.tables.effects import MOST_BYTES, EffectTables
from abscopt.optimizer.candidates.tables.limits import LimitTables
from abscopt.optimizer.candidates.tables.loads import BeamTables
from abscopt.optimizer.candidates.tables.menus import MenuTables
from abscopt.optimizer.candidates.tables.plans import PlanTables
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import BoolArray, FloatArray

WITHIN_CHANCE = 1e-9
"""Weights are sums of floats: a share of broken members counts as no more than allowed up to it."""


@dataclass(frozen=True, eq=False)
class Members:
    """What may be chosen in a case, and what it does in each member.

    Attributes
    ----------
    nominal : of the case as it is stated, whose limits and rules are always kept
    candidates : of each member, with the courses and plans of `nominal` in their order
    weights : (members,) probabilities, summing to 1
    chance : share of the weights whose members may break a limit, rule or demand of their own
    """

    nominal: Candidates
    candidates: tuple[Candidates, ...]
    weights: FloatArray
    chance: float = 0.0

    @classmethod
    def of(
        cls,
        instance: Instance,
        members: Sequence[Instance],
        weights: FloatArray,
        chance: float = 0.0,
        *,
        searched: bool = True,
    ) -> Members:
        """Candidates of a case and of its members.

        Parameters
        ----------
        searched : by the search over members, which knows uniform courses only

        Raises
        ------
        InputError
            If a course to be searched is free, or a member offers something else than the case.
        """
        nominal = Candidates(instance)
        if searched:
            refuse_free(instance)
        candidates: list[Candidates] = []
        built = Built(nominal)
        for number, member in enumerate(members):
            tick()
            of_member = None
            if _offer(member) == _offer(instance):
                of_member = built.like(member)
            if of_member is None or not _same_offer(nominal, of_member):
                rule = "a member offers the same courses and drugs as the case"
                raise InputError([Problem(instance.name, "ensemble", f"member {number}", rule)])
            of_member = _capped(of_member, MOST_BYTES // (1 + len(members)))
            candidates.append(of_member)
            built.add(of_member)
        return cls(nominal, tuple(candidates), np.asarray(weights, dtype=float), chance)

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def own_limits(self) -> BoolArray:
        """(members,) whether a member's limits or demands may be kept where the case's are not."""
        stated = of_limits(self.nominal.instance)
        return np.array(
            [
                _demanding(self.nominal) or _demanding(c) or of_limits(c.instance) != stated
                for c in self.candidates
            ],
            dtype=bool,
        )


def refuse_free(instance: Instance) -> None:
    """Raise InputError where a course is free: the search over members does not know days apart."""
    free = [x.name for x in instance.lesions if x.course is not None and x.course.form == "free"]
    if free:
        rule = (
            "the search over members knows uniform courses only: state fractions and doses "
            "(form = 'uniform') in place of the free course"
        )
        raise InputError([Problem(instance.name, "lesions", ", ".join(free), rule)])


class Built:
    """Candidates that there are so far, found by what their tables depend on."""

    def __init__(self, nominal: Candidates):
        self.nominal = nominal
        self._early: dict[str, list[Candidates]] = {}
        self._recursion: dict[str, Candidates] = {}
        self.add(nominal)

    def add(self, candidates: Candidates) -> None:
        """Know some more."""
        instance = candidates.instance
        self._early.setdefault(repr(early_tables(instance)), []).append(candidates)
        if instance.immune.effect_per_effector > 0.0:
            self._recursion.setdefault(repr(_of_recursion(instance)), candidates)

    def like(self, instance: Instance) -> Candidates:
        """Candidates of a member, with tables of one that is alike in what they depend on."""
        for earlier in self._early.get(repr(early_tables(instance)), []):
            _ = earlier.parts.effects.propagators  # only what is there is taken over
            same = earlier.taken_over(instance)
            if same is not None and same.parts.menus is earlier.parts.menus:
                return same
        limits, plans, effects = LimitTables.of(instance), None, None
        menus = _menus(self.nominal, instance, limits)
        beams = BeamTables(instance, limits, tuple(table.beams for table in menus.lesions))
        alike = self._recursion.get(repr(_of_recursion(instance)))
        if alike is not None:
            plans = alike.parts.plans
            of_effector = instance.immune.effect_per_effector
            scale = of_effector / alike.instance.immune.effect_per_effector
            taken = tuple(
                tuple(of_way.scaled(scale) for of_way in of_lesion)
                for of_lesion in alike.parts.effects.propagators
            )
            effects = EffectTables(instance, menus, plans, taken)
        plans = plans or PlanTables.of(instance)
        return Candidates(instance, Parts.joined(instance, limits, beams, menus, plans, effects))


def _menus(nominal: Candidates, instance: Instance, limits: LimitTables) -> MenuTables:
    """Menus of a member: those of the case where no limit tells them apart, but for the beams."""
    menus = nominal.parts.menus
    if of_limits(instance) != of_limits(nominal.instance):
        return MenuTables.of(instance, limits, menus)
    lesions = []
    for table in menus.lesions:
        lesion, before = instance.lesions[table.menu.lesion], nominal.lesion_of(table)
        beams = ((lesion.ways[before.ways.index(way)], slots) for _, way, slots in table.beams)
        lesions.append(replace(table, beams=tuple((lesion, *beam) for beam in beams)))
    return replace(menus, lesions=tuple(lesions))


def _capped(candidates: Candidates, most_bytes: int) -> Candidates:
    """The same with fewer coefficients kept: plans are gone through one by one."""
    tables = candidates.parts
    effects = replace(tables.effects, most_bytes=most_bytes)
    loads = replace(tables.loads, effects=effects)
    return Candidates(candidates.instance, replace(tables, effects=effects, loads=loads))


def _offer(instance: Instance) -> list[Any]:
    """What a case offers and is asked for."""
    lesions = [
        (lesion.name, lesion.irradiable, lesion.course, tuple(way.name for way in lesion.ways))
        for lesion in instance.lesions
    ]
    asked = (instance.objective.kind, instance.horizon_days, instance.calendar)
    return [lesions, asked, instance.agents, instance.regimens]


def _alike(one: FloatArray | IntArray | None, other: FloatArray | IntArray | None) -> bool:
    """Whether both are the same array, or none."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _same_offer(nominal: Candidates, member: Candidates) -> bool:
    """Whether courses and plans are the same, one by nominal."""
    if nominal.plans != member.plans or len(nominal.lesions) != len(member.lesions):
        return False
    menus = [(a.menu, b.menu) for a, b in zip(nominal.lesions, member.lesions, strict=True)]
    return all(
        a.lesion == b.lesion
        and np.array_equal(a.pattern, b.pattern)
        and np.array_equal(a.dose, b.dose)
        and np.array_equal(a.technique, b.technique)
        and np.array_equal(a.patterns.days, b.patterns.days)
        and np.array_equal(a.patterns.slot, b.patterns.slot)
        and _alike(a.each, b.each)
        and _alike(a.patterns.way, b.patterns.way)
        for a, b in menus
    )


EFFECTORS = {"precursor_share", "effector_kill_per_fraction"}
"""Constants of a lesion that the recursion of effectors knows."""

TUMOR = {
    "alpha_per_gy", "alpha_beta_gy", "alpha_cv", "clonogens", "repopulation_doubling_time_days",
    "kick_off_days", "oxygen_modification_factor", "reoxygenation_days", "immunogenicity",
    "effector_share", "precursor_share", "effector_kill_per_fraction",
}  # fmt: skip
"""Constants of a lesion that no limit knows; a demand of a lesion may."""

OF_RELEASE = {
    "gate_low_gy", "gate_low_exponent", "gate_high_gy", "gate_high_exponent", "volume_exponent",
    "release_factor", "release_regrowth", "repeat_release", "share_factor", "preblockade_sign",
    "suppression_above_gy", "suppression_per_gy", "suppression_after_days", "suppression_per_day",
    "burden_limit_cm3", "burden_blockade", "effect_per_effector", "effect_maximum_nats",
    "gate_plateau", "liver_release_factor", "ctla4_depletion",
}  # fmt: skip
"""Constants of the immune response that the recursion of effectors does not know, or is linear in
(`effect_per_effector`)."""

LIMITING = {"limit_set", "limits", "organs", "prior_doses", "cross_second_moments"}
"""Tables of a case that only limits know."""

ASIDE = {
    "name", "title", "provenance", "objective", "standard", "immune", "ensemble", "observation",
    "changes",
}  # fmt: skip
"""Tables of a case that no limit knows."""


def _demanding(candidates: Candidates) -> bool:
    """Whether some lesion demands dose or control, which no limit says."""
    return bool(candidates.controlled) or bool(candidates.demanding.any())


def _of_recursion(instance: Instance) -> dict[str, Any]:
    """All of a case that the recursion of effectors and the effects of plans may know.

    But for the effect of an effector, in which the recursion is linear; and limits of drugs, which
    say what plans there are.
    """
    aside: dict[str, Any] = dict.fromkeys((ASIDE - {"immune"}) | LIMITING, True)
    of_tumor = (TUMOR | {"growth_doubling_time_days"}) - EFFECTORS
    tables = instance.model_dump(
        exclude=aside | {"immune": OF_RELEASE, "lesions": {"__all__": of_tumor}}
    )
    return tables | {"of_plans": [load.limit.model_dump() for load in plan_loads(instance)]}


def of_limits(instance: Instance) -> dict[str, Any]:
    """All of a case that limits may know: growth, where tumors seed before they are treated."""
    seeding = any(limit.measure == "new_sites" for limit in instance.limits)
    of_tumor = TUMOR if seeding else TUMOR | {"growth_doubling_time_days"}
    return instance.model_dump(
        exclude={**dict.fromkeys(ASIDE, True), "lesions": {"__all__": of_tumor}}
    )
