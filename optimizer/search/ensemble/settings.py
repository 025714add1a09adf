"""What the search over members can be tuned by: none of it makes an answer false."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One field per constant; in brackets its unit.

    Attributes
    ----------
    step : [nat of ln Z] between points at which values are tabulated. A value lies above its chord
        by at most an eighth of its curvature times the square: some 1e-3 nat for each lesion.
    ground : [share of the greatest effect] that is added to an effect that may be zero, so that its
        log is bounded below; the bound rises by a price of some 0.3 nat times it.
    first_ground : [share of the greatest effect] the same in the first bound of a plan, in which
        ranges are wide: half as many points to tabulate, for 0.3 nat times it by the price above
        (0.03 nat, an estimate, where ranges cost a nat).
    shrinking : [share of combinations] that a round must leave no more of to be followed by another
        one: a round costs a tenth of what two parts cost.
    most_rounds : [column generations] of one linearization.
    new_columns : [columns] of a lesion that enter the master at once.
    fine : [share of the gap] within which master and bound count as equal.
    elastic_price : [nat per part of a cap] of a hard row exceeded, to keep the master feasible.
    improve_every : [nodes] that a bound does not close: of so many one begins a local search, which
        takes longer than its bounds (an estimate: three times as long).
    shortlist : [courses] of a lesion that best responses look at, those of the least loss.
    pair_courses : [courses] of either lesion of a pair of which all changes are valued: their
        number is its square, and each is valued in every member.
    weighted_rounds : [rounds] of best responses by weighted means before those by a tail.
    tail_reach : [times what a tail holds] of members that count from a schedule on: those of a tail
        change with the schedule, and others are a miss that a bound has to be made anew for.
    lacking : [share of the slack] by which members left out must lower the risk for a bound to be
        made anew: less does not close a node.
    few : [schedules] of a node that are valued in every member at once.
    join_limit : [combinations] of a node that are joined and screened by the tabulated values.
    join_chunk : [rows] joined at once: some 10 MB.
    plans_ahead : [plans] whose propagators are computed in one go.
    plans_kept : [bytes] of coefficients of plans that are kept.
    """

    step: float = 0.2
    ground: float = 1e-4
    first_ground: float = 0.1
    shrinking: float = 0.5
    most_rounds: int = 40
    new_columns: int = 10
    fine: float = 0.05
    elastic_price: float = 1e4
    improve_every: int = 5
    shortlist: int = 150
    pair_courses: int = 20
    weighted_rounds: int = 4
    tail_reach: float = 2.0
    lacking: float = 0.25
    few: int = 3000
    join_limit: int = 30_000
    join_chunk: int = 100_000
    plans_ahead: int = 32
    plans_kept: int = 400_000_000


CURRENT = Settings()
