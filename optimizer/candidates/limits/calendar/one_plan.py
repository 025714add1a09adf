"""Lesions of one plan: equal days, and doses in a fixed ratio.

Two courses are of one plan where the days of their fractions and each dose d / r are equal: they
have one *key*. Rows of sums follow from that for each lesion s beside the first one: for every
feature f of keys (treated, fractions, first and last day, total dose over r)

    sum_c f(key c) x[1, c] = sum_c f(key c) x[s, c]

Which keys are equal is looked at in rows of courses, and stated where courses are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import OnePlanLimit
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.protocol import CourseLoad, CourseProgramme
from abscopt.optimizer.ids import CourseRows, PlanId

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.menus.courses import Menu, Patterns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated

DIGITS = 6
"""Decimals of d / r in Gy: doses are stated with up to nine, quotients round in the last."""
FEATURES = 5

Key = tuple[tuple[int, ...], tuple[float, ...]]
"""Day and d / r of each fraction; of the first one only, where all are equal."""


def keys_of(
    patterns: Patterns, pattern: IntArray, doses: FloatArray, ratio: float
) -> list[Key | None]:
    """(courses,) days of all fractions and their d / r; None without fractions.

    Parameters
    ----------
    doses : (courses, most fractions) Gy of each fraction, or (courses, 1) where all are equal
    """
    days = [tuple(row[row >= 0].tolist()) for row in patterns.days]
    relative = np.round(doses / ratio, DIGITS)
    return [
        (days[p], _shortest(row[: len(days[p])])) if days[p] else None
        for p, row in zip(pattern.tolist(), relative.tolist(), strict=True)
    ]


def _shortest(doses: list[float]) -> tuple[float, ...]:
    """Doses of a course; one, where all are equal."""
    return (doses[0],) if all(dose == doses[0] for dose in doses) else tuple(doses)


class OnePlan(CourseLoad[OnePlanLimit]):
    """Part of a schedule keeps it where no two treated lesions differ; the whole where all are
    treated, or none (`complete`).
    """

    measure = "one_plan"
    of_doses = True

    def __init__(self, limit: OnePlanLimit):
        super().__init__(limit)
        self._last: tuple[list[Menu], list[tuple[int, IntArray]]] | None = None

    @property
    def grows(self) -> bool:
        """A lesion that is missing may be added."""
        return False

    @property
    def tied_to_days(self) -> bool:
        """Always."""
        return True

    @property
    def counts(self) -> bool:
        """Nothing is used up."""
        return False

    def members(self, candidates: Candidates) -> list[tuple[int, float]]:
        """(lesion table, ratio) of each lesion."""
        names = [candidates.lesion_of(table).name for table in candidates.lesions]
        return [
            (names.index(name), ratio)
            for name, ratio in zip(self.limit.lesions, self.limit.ratios, strict=True)
        ]

    def _numbers(self, candidates: Candidates) -> list[tuple[int, IntArray]]:
        """Per lesion: number of the key of each course, -1 for 'no course'; the last are kept."""
        menus = [candidates.lesions[s].menu for s, _ in self.members(candidates)]
        if self._last is not None and all(
            menu is before for menu, before in zip(menus, self._last[0], strict=True)
        ):
            return self._last[1]
        place: dict[Key, int] = {}
        numbers = []
        for s, ratio in self.members(candidates):
            menu = candidates.lesions[s].menu
            keys = keys_of(menu.patterns, menu.pattern, menu.doses, ratio)
            number = [-1 if key is None else place.setdefault(key, len(place)) for key in keys]
            numbers.append((s, np.array(number, dtype=np.int64)))
        self._last = menus, numbers
        return numbers

    def _chosen(self, tabulated: Tabulated, rows: CourseRows) -> IntArray:
        """(lesions, schedules) numbers of keys."""
        numbers = self._numbers(tabulated.candidates)
        return np.stack([number[rows[:, s]] for s, number in numbers])

    def use(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) 0 where it is kept, 2 where not."""
        kept = self.kept(tabulated, rows) & self.complete(tabulated, rows)
        return np.where(kept, 0.0, 2.0)

    def kept(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) whether the lesions that are treated have one key."""
        chosen = self._chosen(tabulated, rows)
        greatest = chosen.max(axis=0)
        same: BoolArray = ((chosen < 0) | (chosen == greatest)).all(axis=0)
        return same

    def extendable(self, tabulated: Tabulated, rows: CourseRows, log_loss: FloatArray) -> BoolArray:
        """(schedules,) as `kept`: others may still receive what these do."""
        return self.kept(tabulated, rows)

    def complete(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) whether all lesions are treated, or none."""
        treated = self._chosen(tabulated, rows) >= 0
        together: BoolArray = np.asarray(treated.all(axis=0) | ~treated.any(axis=0))
        return together

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """0 for both directions of each feature of each lesion but the first."""
        return [0.0] * (2 * FEATURES * (len(self.limit.lesions) - 1))

    def _signs(self, candidates: Candidates, s: int) -> list[tuple[int, float, float]]:
        """(pair, sign, ratio) of the rows that a lesion takes part in."""
        members = self.members(candidates)
        if s == members[0][0]:
            return [(pair, 1.0, members[0][1]) for pair in range(len(members) - 1)]
        return [(pair, -1.0, ratio) for pair, (t, ratio) in enumerate(members[1:]) if t == s]

    def _rows(
        self,
        shape: tuple[int, ...],
        features: dict[int, FloatArray],
        signs: list[tuple[int, float, float]],
    ) -> FloatArray:
        """Rows +f and -f of each feature; the others are 0."""
        load = np.zeros((*shape, 2 * FEATURES * (len(self.limit.lesions) - 1)))
        for pair, sign, _ in signs:
            for number, feature in features.items():
                row = 2 * (FEATURES * pair + number)
                load[..., row], load[..., row + 1] = sign * feature, -sign * feature
        return load

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, rows) treated, fractions, first and last day."""
        table = candidates.lesions[s]
        patterns = table.menu.patterns
        treated = (patterns.count > 0).astype(float)
        features = {
            0: treated,
            1: patterns.count.astype(float),
            2: treated * patterns.first,
            3: treated * patterns.last,
        }
        shape = len(candidates.lesion_of(table).ways), patterns.count.size
        return self._rows(shape, features, self._signs(candidates, s))

    def of_kinds(self, candidates: Candidates, s: int, plan: PlanId) -> FloatArray | None:
        """(kinds, rows) total dose over the ratio."""
        menu = candidates.shared(plan)[s].kinds.menu
        signs = self._signs(candidates, s)
        ratio = signs[0][2] if signs else 1.0
        total = np.round(menu.total / ratio, DIGITS - 1)
        return self._rows((len(menu),), {4: total}, signs)

    def columns_by_key(
        self, candidates: Candidates, columns: Columns
    ) -> list[dict[Key, list[int]]]:
        """Per lesion: columns of a programme by their key."""
        by_key = []
        for s, ratio in self.members(candidates):
            menu = candidates.lesions[s].menu
            keys = keys_of(menu.patterns, menu.pattern, menu.doses, ratio)
            groups: dict[Key, list[int]] = {}
            for j in np.flatnonzero(columns.lesion == menu.lesion).tolist():
                key = keys[int(columns.course[j])]
                if key is not None:
                    groups.setdefault(key, []).append(j)
            by_key.append(groups)
        return by_key

    def state(self, programme: CourseProgramme) -> None:
        """sum of the courses of lesion 1 with a key = that of lesion s, for every key."""
        by_key: list[dict[Key, list[int]]] = []
        for name, ratio in zip(self.limit.lesions, self.limit.ratios, strict=True):
            s = programme.number_of(name)
            pattern, patterns = programme.pattern(s)
            groups: dict[Key, list[int]] = {}
            keys = keys_of(patterns, pattern, programme.doses(s), ratio)
            for column, key in zip(programme.columns(s).tolist(), keys, strict=True):
                if key is not None:
                    groups.setdefault(key, []).append(column)
            by_key.append(groups)
        for groups in by_key[1:]:
            for key in {**by_key[0], **groups}:
                plus, minus = by_key[0].get(key, []), groups.get(key, [])
                columns = np.array([*plus, *minus], dtype=np.int64)
                values = np.append(np.ones(len(plus)), -np.ones(len(minus)))
                programme.row(columns, values, 0.0)
                programme.row(columns, -values, 0.0)
