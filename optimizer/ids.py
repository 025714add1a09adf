"""Numbers that name courses, kinds, day patterns and plans: types that mypy keeps apart.

At run time they are plain integers and arrays of them. To mypy the ids of one sort that are picked
from an array of them stay ids of this sort, and where an id of another sort is wanted, they are
refused. What numpy computes from ids is a number again: who knows that it is an id says so, as in
``CourseIds(np.flatnonzero(allowed))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, NewType, TypeVar, cast, overload

import numpy as np

from abscopt.models.arrays import IntArray

CourseId = NewType("CourseId", int)
"""Position of a course on the menu of its lesion; 0 is no course."""
KindId = NewType("KindId", int)
"""Position of a kind among those of a menu under one group of plans; 0 is no course."""
PatternId = NewType("PatternId", int)
"""Position of a set of treatment days among those of a menu; 0 has none."""
PlanId = NewType("PlanId", int)
"""Position of a systemic plan among those of the candidates."""

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    Id = TypeVar("Id", bound=int)

    class Ids(np.ndarray[Any, np.dtype[np.int64]], Generic[Id]):
        """What picking from ids gives: one of them, or some of them."""

        def __new__(cls, numbers: IntArray) -> Self:
            """Numbers that are known to be ids of this sort."""

        @overload  # type: ignore[override]
        def __getitem__(self, key: int | np.integer[Any]) -> Id: ...
        @overload
        def __getitem__(self, key: Any) -> Self: ...
        def __getitem__(self, key: Any) -> Any: ...
        def copy(self, order: Any = "C") -> Self:
            """The same ids."""

        def tolist(self) -> list[Id]:  # type: ignore[override]
            """The same ids."""

        def __iter__(self) -> Iterator[Id]: ...  # type: ignore[override]

    class CourseIds(Ids[CourseId]):
        """Ids of courses; a row of them with a further axis is a row among rows."""

        @overload  # type: ignore[override]
        def __getitem__(self, key: tuple[None, slice] | None) -> CourseRows: ...
        @overload
        def __getitem__(self, key: int | np.integer[Any]) -> CourseId: ...
        @overload
        def __getitem__(self, key: Any) -> Self: ...
        def __getitem__(self, key: Any) -> Any: ...

    class CourseRows(np.ndarray[Any, np.dtype[np.int64]]):
        """Rows of courses: (schedules, lesions); a row, or a column, is ids of courses."""

        def __new__(cls, numbers: IntArray) -> Self:
            """Numbers that are known to be such rows."""

        @overload  # type: ignore[override]
        def __getitem__(self, key: int | np.integer[Any]) -> CourseIds: ...
        @overload
        def __getitem__(self, key: tuple[Any, int]) -> CourseIds: ...
        @overload
        def __getitem__(self, key: Any) -> Self: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __iter__(self) -> Iterator[CourseIds]: ...  # type: ignore[override]

    class KindIds(Ids[KindId]):
        """Ids of kinds."""

    class PatternIds(Ids[PatternId]):
        """Ids of day patterns."""

    class PlanIds(Ids[PlanId]):
        """Ids of plans."""

else:
    CourseIds = NewType("CourseIds", IntArray)
    CourseRows = NewType("CourseRows", IntArray)
    KindIds = NewType("KindIds", IntArray)
    PatternIds = NewType("PatternIds", IntArray)
    PlanIds = NewType("PlanIds", IntArray)

Rows = TypeVar("Rows", CourseIds, CourseRows)
"""A row of courses, or rows."""


def plan_ids(count: int) -> Sequence[PlanId]:
    """Ids of this many plans."""
    return cast("Sequence[PlanId]", range(count))
