"""Courses on the menus of a case, with all that does not depend on the systemic plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from abscopt.instances.history.rests import continued
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.blood.alc import alc_unit, kappa_of
from abscopt.optimizer.candidates.menus.courses import Menu, Patterns, enumerate_menu
from abscopt.optimizer.candidates.menus.loads import Beam, menu_loads
from abscopt.optimizer.ids import CourseIds, PatternIds, Rows
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.tables.limits import LimitTables

MOST_PAIRS = 1_000_000
"""Pairs of day patterns whose shared days are stored: 8 MB; beyond, they are counted when asked."""


@dataclass(frozen=True)
class LesionTable:
    """Courses of one uniform lesion with all that does not depend on the plan.

    Attributes
    ----------
    kept : (courses of the lesion in the case,) those that limits left in its own menu
    alc_unit : (patterns, days) log loss of lymphocytes at a loss of 1 per fraction
    kappa : (courses,) loss per fraction
    variant : (courses,) index into `beams`; of no meaning where fractions have techniques of their
        own
    beams : the techniques and numbers of fractions a day on the menu
    """

    menu: Menu
    kept: BoolArray
    alc_unit: FloatArray
    kappa: FloatArray
    variant: IntArray
    beams: tuple[Beam, ...]

    @property
    def of_several_ways(self) -> bool:
        """Whether fractions have techniques of their own."""
        return self.menu.patterns.way is not None

    def alc_loss(self, courses: CourseIds) -> FloatArray:
        """(courses, days) log loss of lymphocytes of some courses on each day."""
        loss: FloatArray = self.kappa[courses, None] * self.alc_unit[self.menu.pattern[courses]]
        return loss


def must_be_irradiated(instance: Instance, table: LesionTable) -> bool:
    """Whether 'no course' is no choice: a dose is demanded, or fractions were given already."""
    lesion = instance.lesions[table.menu.lesion]
    begun = continued(instance, lesion)
    return lesion.least_bed is not None or (begun is not None and begun.must)


@dataclass(frozen=True, eq=False)
class MenuTables:
    """The menus of all lesions.

    Attributes
    ----------
    lesions : tables of the lesions without a free course, 'no course' the first of each
    free : lesions of the case with a free course, which have no menu here
    own_patterns : per lesion the day patterns of the case's own menus
    origin : per lesion (courses,) which courses of the case's own menus these are; None for all
    """

    lesions: tuple[LesionTable, ...]
    free: tuple[int, ...]
    own_patterns: tuple[Patterns, ...]
    origin: tuple[CourseIds, ...] | None = None
    _common: dict[tuple[int, int], FloatArray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, instance: Instance, limits: LimitTables, like: MenuTables | None = None
    ) -> MenuTables:
        """Menus of a case; courses that break a hard limit by themselves are left out.

        Parameters
        ----------
        like : menus of a case that offers the same; those courses are left out that it leaves out
        """
        free = tuple(
            i
            for i in instance.irradiable
            if (course := instance.lesions[i].course) is not None and course.form == "free"
        )
        lesions = tuple(
            _table(instance, i, limits, None if like is None else like.lesions[place].kept)
            for place, i in enumerate(i for i in range(len(instance.lesions)) if i not in free)
        )
        return cls(
            lesions,
            free,
            own_patterns=tuple(table.menu.patterns for table in lesions),
        )

    def hold(self, instance: Instance, limits: LimitTables) -> bool:
        """Whether these menus have every course that another case allows."""
        return not any(
            (fitting(instance, enumerate_menu(instance, table.menu.lesion), limits) & ~table.kept)
            .any()
            for table in self.lesions
        )  # fmt: skip

    def narrowed(self, courses: Sequence[CourseIds]) -> tuple[MenuTables, list[PatternIds]]:
        """Menus of some courses of each lesion, and which of the day patterns these use.

        'No course' must be among them, in order.
        """
        used = [
            np.unique(table.menu.pattern[chosen], return_inverse=True)
            for table, chosen in zip(self.lesions, courses, strict=True)
        ]
        lesions = tuple(
            _smaller(table, chosen, PatternIds(patterns), PatternIds(pattern.reshape(-1)))
            for table, chosen, (patterns, pattern) in zip(self.lesions, courses, used, strict=True)
        )
        origin = tuple(
            chosen if self.origin is None else self.origin[s][chosen]
            for s, chosen in enumerate(courses)
        )
        smaller = MenuTables(lesions, self.free, self.own_patterns, origin)
        return smaller, [PatternIds(patterns) for patterns, _ in used]

    def as_case(self) -> MenuTables:
        """The same menus as those of a case that offers no other courses."""
        patterns = tuple(table.menu.patterns for table in self.lesions)
        return MenuTables(self.lesions, self.free, own_patterns=patterns)

    def in_case(self, row: Rows) -> Rows:
        """A row, or rows (schedules, lesions), of these courses among those of the case."""
        if self.origin is None:
            return row
        columns = np.moveaxis(row, -1, 0)
        in_case = [o[c] for o, c in zip(self.origin, columns, strict=True)]
        return cast("Rows", np.stack(in_case, axis=-1))

    def of_case(self, row: CourseIds) -> CourseIds | None:
        """A row of the case's courses among these; None if some course is not among them."""
        if self.origin is None:
            return row
        places = [np.flatnonzero(o == c) for o, c in zip(self.origin, row, strict=True)]
        return CourseIds(np.concatenate(places)) if all(map(len, places)) else None

    @cached_property
    def treated(self) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, days up to the last fraction of all) days with fractions."""
        last = max(int(table.menu.patterns.last.max()) for table in self.lesions)
        return tuple(table.menu.patterns.incidence[:, : last + 1] > 0 for table in self.lesions)

    def common_days(self, i: int, j: int, of_i: PatternIds, of_j: PatternIds) -> FloatArray:
        """(n,) number of treatment days that patterns of lesion i and of lesion j share.

        common[a, b] = sum_t incidence_i[a, t] incidence_j[b, t]
        """
        first, second = (self.lesions[k].menu.patterns for k in (i, j))
        if len(first.count) * len(second.count) > MOST_PAIRS:
            both = self.treated[i][of_i] & self.treated[j][of_j]
            return np.asarray(both.sum(axis=1), dtype=np.float64)
        if (i, j) not in self._common:
            tick()
            self._common[i, j] = first.incidence @ second.incidence.T
        common: FloatArray = self._common[i, j][of_i, of_j]
        return common


def fitting(instance: Instance, menu: Menu, limits: LimitTables) -> BoolArray:
    """(courses,) whether each course by itself keeps every hard cap, no drug acting."""
    lesion = instance.lesions[menu.lesion]
    if menu.each is not None:
        loads = menu_loads(instance, menu, limits.on_organs, np.zeros(instance.days, bool))
        alone: BoolArray = limits.within(loads)
        alone[0] = True
        return alone
    levels, dose = np.unique(menu.dose, return_inverse=True)
    ways, slots = len(lesion.ways), int(menu.patterns.per_day.max()) + 1
    key = ((menu.fractions * len(levels) + dose) * ways + menu.technique) * slots + menu.per_day
    _, first, shape = np.unique(key, return_index=True, return_inverse=True)
    tick()
    loads = menu_loads(instance, menu.take(first), limits.on_organs, np.zeros(instance.days, bool))
    keep: BoolArray = limits.within(loads)[shape.reshape(-1)]
    keep[0] = True
    return keep


def _table(
    instance: Instance, index: int, limits: LimitTables, kept: BoolArray | None
) -> LesionTable:
    menu, lesion = enumerate_menu(instance, index), instance.lesions[index]
    keep = fitting(instance, menu, limits) if kept is None else kept
    slots = int(menu.patterns.per_day.max()) + 1
    menu = menu.take(keep)
    beam = menu.technique * slots + menu.per_day
    beams, variant = np.unique(beam, return_inverse=True)
    if menu.patterns.way is not None:
        return _of_several_ways(instance, menu, keep)
    return LesionTable(
        menu=menu,
        kept=keep,
        alc_unit=alc_unit(instance, menu),
        kappa=kappa_of(lesion, menu)[menu.technique],
        variant=variant.reshape(-1),
        beams=tuple((lesion, lesion.ways[int(b) // slots], int(b) % slots) for b in beams),
    )


def _of_several_ways(instance: Instance, menu: Menu, keep: BoolArray) -> LesionTable:
    """The table of courses whose fractions have techniques of their own."""
    lesion = instance.lesions[menu.lesion]
    numbers, ways = menu.patterns.number[menu.pattern], menu.way_by_day
    slots = int(menu.patterns.per_day.max()) + 1
    beam = (ways * slots + numbers.astype(np.int64))[numbers > 0]
    beams = np.unique(np.append(beam, 1))  # 'no course' is one a day of the first technique
    return LesionTable(
        menu=menu,
        kept=keep,
        alc_unit=alc_unit(instance, menu),
        kappa=np.ones(len(menu)),
        variant=np.zeros(len(menu), dtype=np.int64),
        beams=tuple((lesion, lesion.ways[int(b) // slots], int(b) % slots) for b in beams),
    )


def _smaller(
    table: LesionTable, courses: CourseIds, used: PatternIds, pattern: PatternIds
) -> LesionTable:
    """A table with some of the courses, and only the day patterns they use."""
    menu, patterns = table.menu, table.menu.patterns
    fewer = Menu(
        menu.lesion,
        patterns.take(used),
        pattern,
        menu.dose[courses],
        menu.technique[courses],
        None if menu.each is None else menu.each[courses],
    )
    return replace(
        table,
        menu=fewer,
        alc_unit=table.alc_unit[used],
        kappa=table.kappa[courses],
        variant=table.variant[courses],
    )
