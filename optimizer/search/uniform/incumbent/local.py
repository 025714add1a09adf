"""Good schedules fast: exact best response over one lesion, and over pairs of lesions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.ids import CourseIds, CourseRows
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.tabulated import Tabulated


Options = list[CourseIds]
"""Per lesion the courses that are tried."""

Offer = Callable[[CourseIds, float], None]


def _to_nobody(row: CourseIds, value: float) -> None:
    """Offer a row to nobody."""


def every_course(tabulated: Tabulated) -> Options:
    """All courses; of very long menus evenly spaced ones."""
    sizes = [len(table.menu) for table in tabulated.candidates.lesions]
    steps = [-(-size // settings.CURRENT.long_menu) for size in sizes]
    return [CourseIds(np.arange(0, n, step)) for n, step in zip(sizes, steps, strict=True)]


def best_response(
    tabulated: Tabulated, row: CourseIds, s: int, floor: float, options: Options
) -> tuple[int, float]:
    """Best feasible course of lesion s with the others fixed; its own if none is above floor."""
    tick()
    rows = _with(row, s, options[s][tabulated.beside(row, s, options[s])])
    value = tabulated.value(rows)
    order = np.argsort(-value, kind="stable")
    first = _first_feasible(tabulated, rows, order[value[order] > floor + 1e-12])
    return (int(row[s]), floor) if first is None else (int(rows[first, s]), float(value[first]))


def _with(row: CourseIds, s: int, courses: CourseIds) -> CourseRows:
    """(courses, lesions) a row with each of some courses for one lesion."""
    rows = CourseRows(np.repeat(row[None, :], len(courses), axis=0))
    rows[:, s] = courses
    return rows


def _first_feasible(
    tabulated: Tabulated, rows: CourseRows, order: IntArray, floors: bool = True
) -> int | None:
    """Number of the first feasible one of some rows in order."""
    begin, size = 0, settings.CURRENT.first_lot
    while begin < len(order):
        tick()
        lot = order[begin : begin + size]
        feasible = np.flatnonzero(tabulated.feasible(rows[lot], floors))
        if len(feasible):
            return int(lot[feasible[0]])
        begin += size
        size *= 2
    return None


def enough_sites(tabulated: Tabulated, order: list[int], options: Options) -> CourseIds:
    """A row that treats the least number of lesions, as far as they can be added one by one.

    Those that must be treated come first.
    """
    row = CourseIds(np.zeros(len(tabulated.candidates.lesions), dtype=np.int64))
    for s in sorted(order, key=lambda i: not tabulated.candidates.demanding[i]):
        if tabulated.sites_reached(row[None, :])[0]:
            break
        row[s] = _best_real(tabulated, row, s, options)
    return row


def in_sequence(tabulated: Tabulated, order: list[int], options: Options) -> CourseIds:
    """A row in which each lesion in turn starts as early as costs it little.

    Of the feasible courses c with v_c >= v_0 + 0.9 (max v - v_0), v_0 without a course, those that
    start first, of them the best: what comes later on a full calendar still finds room.
    """
    row = CourseIds(np.zeros(len(tabulated.candidates.lesions), dtype=np.int64))
    for s in order:
        tick()
        menu = tabulated.candidates.lesions[s].menu
        rows = _with(row, s, options[s])
        feasible = np.flatnonzero(tabulated.feasible(rows, floors=False))
        feasible = feasible[options[s][feasible] > 0]
        if not len(feasible):
            continue
        value = tabulated.value(rows[feasible])
        nothing = float(tabulated.value(row[None, :])[0])
        gain = float(value.max()) - nothing
        if gain <= 0 and not tabulated.candidates.demanding[s]:
            continue
        threshold = nothing + min(settings.CURRENT.early_gain * gain, gain)
        nearly_best = options[s][feasible[value >= threshold]]
        start = menu.patterns.first[menu.pattern[nearly_best]]
        earliest = nearly_best[start == start.min()]
        row[s] = earliest[int(tabulated.value(_with(row, s, earliest)).argmax())]
    return row


def reaching(tabulated: Tabulated, order: list[int], options: Options) -> CourseIds:
    """A row that comes close to the demands for control: best responses by what is missed."""
    row = enough_sites(tabulated, order, options)
    missed, improved = float(tabulated.shortfall(row[None, :])[0]), True
    while improved and missed > 0:
        improved = False
        for s in order:
            rows = _with(row, s, options[s][tabulated.beside(row, s, options[s])])
            rows = rows[tabulated.sites_reached(rows) | ~tabulated.sites_reached(row[None, :])]
            lacking = tabulated.shortfall(rows)
            nearest = np.argsort(lacking, kind="stable")
            nearest = nearest[lacking[nearest] < missed - 1e-12]
            first = _first_feasible(tabulated, rows, nearest, floors=False)
            if first is not None:
                row, missed, improved = rows[first], float(lacking[first]), True
    return row


Construction = Callable[["Tabulated", list[int], Options], CourseIds]


def constructions(tabulated: Tabulated) -> tuple[Construction, ...]:
    """Ways to a first row; where lesions demand control, one that looks at it alone."""
    plain = (enough_sites, in_sequence)
    return (*plain, reaching) if tabulated.candidates.controlled else plain


def _best_real(tabulated: Tabulated, row: CourseIds, s: int, options: Options) -> int:
    """Best feasible course of lesion s other than 'no course'; 0 if there is none."""
    fits = tabulated.beside(row, s, options[s]) & (options[s] > 0)
    rows = _with(row, s, options[s][fits])
    order = np.argsort(-tabulated.value(rows), kind="stable")
    first = _first_feasible(tabulated, rows, order, floors=False)
    return 0 if first is None else int(rows[first, s])


def climb(
    tabulated: Tabulated,
    row: CourseIds,
    value: float,
    order: list[int],
    options: Options,
    offer: Offer = _to_nobody,
) -> tuple[CourseIds, float]:
    """Single-lesion best responses until none improves; value is -inf for an infeasible row.

    Parameters
    ----------
    offer : told each feasible row, for the case that the clock stops it
    """
    row, improved = row.copy(), True
    if value > -np.inf:
        offer(row, value)
    while improved:
        improved = False
        for s in order:
            course, better = best_response(tabulated, row, s, value, options)
            if better > value + 1e-12:
                row[s], value, improved = course, better, True
                offer(row, value)
    return row, value


def repaired(tabulated: Tabulated, row: CourseIds) -> CourseIds:
    """The row if it is feasible, else one close to it: one course changed, or some left out.

    While no change of a single course makes it feasible, the course s is left out for which
    uses(row without s), rows (treated, lesions), is least.
    """
    row, options = row.copy(), every_course(tabulated)
    while not tabulated.feasible(row[None, :])[0]:
        treated = np.flatnonzero(row)
        changed = [best_response(tabulated, row, int(s), -np.inf, options) for s in treated]
        if any(np.isfinite(value) for _, value in changed):
            best = max(range(len(treated)), key=lambda i: changed[i][1])
            row[treated[best]] = changed[best][0]
        elif len(treated):
            rows = CourseRows(np.repeat(row[None, :], len(treated), axis=0))
            rows[np.arange(len(treated)), treated] = 0
            row = rows[int(tabulated.uses(rows).argmin())]
        else:
            break
    return row


def pair_moves(
    tabulated: Tabulated, row: CourseIds, value: float, shortlist: list[CourseIds]
) -> tuple[CourseIds, float]:
    """Best feasible change of two lesions at once within shortlists; the row itself if none.

    2-exchange neighborhood: per pair (s, t) all (c_s, c_t), rows (n_s n_t, lesions) by falling
    value.
    """
    best, best_value, count = row, value, settings.CURRENT.pair_courses
    lesions = [s for s in range(len(row)) if len(shortlist[s]) > 1]
    for i, s in enumerate(lesions):
        for t in lesions[:i]:
            tick()
            courses_s, courses_t = shortlist[s][:count], shortlist[t][:count]
            rows = CourseRows(np.repeat(best[None, :], len(courses_s) * len(courses_t), axis=0))
            rows[:, s], rows[:, t] = (
                np.repeat(courses_s, len(courses_t)),
                np.tile(courses_t, len(courses_s)),
            )
            values = tabulated.value(rows)
            order = np.flatnonzero(values > best_value + 1e-12)
            order = order[np.argsort(-values[order], kind="stable")]
            first = _first_feasible(tabulated, rows, order)
            if first is not None:
                best, best_value = rows[first], float(values[first])
    return best, best_value


def _crowded(tabulated: Tabulated) -> bool:
    """Whether a limit couples the calendars of the lesions."""
    return any(limit.on_calendar for limit in tabulated.candidates.on_courses)


def local_search(
    tabulated: Tabulated,
    shortlist: list[CourseIds],
    starts: list[CourseIds],
    options: Options,
    rng: np.random.Generator,
    offer: Offer = _to_nobody,
) -> tuple[CourseIds | None, float]:
    """Best row found from given and random starts; (None, -inf) if none is feasible.

    Parameters
    ----------
    shortlist : per lesion the courses tried in pair moves, most promising first
    starts : rows to begin from; as few lesions as the case allows are always tried
    options : per lesion the courses tried one by one
    offer : told each feasible row, for the case that the clock stops it
    """
    lesions = len(tabulated.candidates.lesions)
    active = [s for s in range(lesions) if len(tabulated.candidates.lesions[s].menu) > 1]
    tries = [(start, active) for start in starts]
    further = range(settings.CURRENT.restarts - 1)
    orders = [active, *([int(s) for s in rng.permutation(active)] for _ in further)]
    tries += [(enough_sites(tabulated, order, options), order) for order in orders]
    if _crowded(tabulated):
        more = range(settings.CURRENT.sequences)
        orders += [[int(s) for s in rng.permutation(active)] for _ in more]
        tries += [(in_sequence(tabulated, order, options), order) for order in orders]
    best, best_value = None, -np.inf
    for start, order in tries:
        row, value = climb(tabulated, start, worth(tabulated, start), order, options, offer)
        if value > best_value:
            best, best_value = row, value
    while best is not None:
        row, value = pair_moves(tabulated, best, best_value, shortlist)
        row, value = climb(tabulated, row, value, active, options, offer)
        if value <= best_value + 1e-12:
            return best, best_value
        best, best_value = row, value
    return None, -np.inf


def worth(tabulated: Tabulated, row: CourseIds) -> float:
    """Value of one row; -inf if it is not feasible."""
    feasible = bool(tabulated.feasible(row[None, :])[0])
    return float(tabulated.value(row[None, :])[0]) if feasible else -np.inf


def rounded(tabulated: Tabulated, choices: list[CourseIds], order: list[int]) -> CourseIds:
    """A feasible row that takes each lesion's least loss in turn, as far as there is room.

    Losses charge what a course takes from the others (`bound`), so that the first lesions leave
    room for the last. Where nothing fits a lesion stays without a course.

    Parameters
    ----------
    choices : per lesion some courses, least Lagrangian loss first
    """
    row = CourseIds(np.zeros(len(choices), dtype=np.int64))
    for s in order:
        fit = np.flatnonzero(tabulated.beside(row, s, choices[s]))
        first = _first_feasible(tabulated, _with(row, s, choices[s]), fit, floors=False)
        if first is not None:
            row[s] = choices[s][first]
    return row


def climbed(
    tabulated: Tabulated, starts: list[CourseIds], options: list[CourseIds], offer: Offer
) -> tuple[CourseIds | None, float]:
    """Best of some starts after single-lesion best responses."""
    lesions = list(range(len(tabulated.candidates.lesions)))
    best: tuple[CourseIds | None, float] = (None, -np.inf)
    for start in starts:
        row, value = climb(tabulated, start, worth(tabulated, start), lesions, options, offer)
        if value > best[1]:
            best = row, value
    return best
