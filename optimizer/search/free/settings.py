"""What the search for free courses can be tuned by: none of it makes an answer false.

Bounds hold for all positive values, which trade time and memory for how soon bound and schedule
meet. `CURRENT` is what the modules read, at each use; `optimizer.tuning.using` sets others
for a while.
Where half and double are said to give the same answer, they did on the cases of
`benchmarks/timings/ABLATION.md`, and the number is of the right size for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One field per constant; in brackets its unit.

    Attributes
    ----------
    coarse_patterns : [per course day] patterns of later days of the coarse stages; more is tighter
        and slower in proportion. Coarse bounds only order the plans: a few per day do.
    fine_patterns : [per pair of course days] the same of fine stages; one half is as
        many as there are pairs of days.
    count_ratio : [ratio] stages serve all fraction numbers up to the next power of it; smaller
        keeps more tables of fewer patterns each. At most half as many again as asked for.
    first_width : [nats] logarithmic width within which patterns are joined at first; a relative
        error of 1e-4 of what a state is worth.
    wider : [ratio] by which the width grows until few enough are left; small steps lose least.
    least_regrowth : [nats] accelerated regrowth that is kept apart first, then doubling; less than
        the kill of most fractions: half and double give the same answer in as many nodes.
    key_patterns : [ratio] patterns at least for each different key; below 1 no width would do.
    bounds_at_once : [numbers] held at once in completion bounds: 3 MB as doubles.
    label_chunk : [labels] handled at once: bounds the memory of what is computed for them.
    merge_rounds : [rounds] of dominance in a stage; later rounds join little: half and double give
        the same answer in as many nodes.
    widest : [shares of a cap] at which widths are no longer doubled: all loads are equal there.
    moved_days : [course days] by which a course is moved in exchanges; farther moves are reached
        in steps.
    ground : [share of the most effect] and
    least_ground : [effect] added where lesions at rest have none, so that its logarithm exists;
        smaller makes the first cell wider, larger the bound weaker.
    breaks : [points] of majorants of the curved range, and of effect; the master's value falls with
        the square of their distance, its size grows with them: half and double give the same
        answer in as many nodes.
    wide_breaks : [points] over the whole range of a burden, where values are nearly linear.
    curved : [nats] on both sides of log burden 0 within which the value is curved: e^-6 is 0.2 %.
    missed : [objective per nat or fraction] price of what a mixture lacks to reach its ranges;
        above 1, the greatest slope of the value at weight 1, and of a size that solvers scale well.
    tangent_levels : [tangents] of ln G; the error falls with the square of their distance: half and
        double give the same answer in as many nodes.
    deep : [ratio] of the lowest tangent to the highest effect; below it effect is of no weight.
    rounds : [rounds] of column generation in a node at most; it ends earlier by `close`.
    step : [share] of the way from the best multipliers to the master's; 1 oscillates, less is slow.
    close : [objective] by which better multipliers could lower a bound and are left; below gaps.
    fair : [share] of the excess over the target, likewise: the rest is for branching.
    idle : [rounds] without gain after which multipliers are left.
    remembered : [multipliers] of a node that bound its children too; each costs one row of numbers.
    violated : [share of a cap] by which a mixture breaks a shared day before it gets a row.
    most_rows : [rows] of shared days of a plan; all loads of all labels have a column for each.
    rows_gain : [share of the excess] that a round of rows must lower the bound by to have another.
    root_rows : [rounds] of rows at the root, where all nodes gain by them;
    node_rows : [rounds] in a node, where only its own do.
    narrow : [nats] below which a range of kill or effect is not split: within the gap by then.
    loose : [share of the excess] that a majorant's gap must be to be split: most of it at once.
    fractional : [fractions] from a whole number at which a mixed number is taken for whole.
    edge : [share of a range] that each child has at least, so that both shrink.
    mixed_day : [share of a mixture] with a fraction on a day above which the day is split.
    pieces : [pieces] that a range is cut in to tighten it; each costs one evaluation per price.
    thin : [nats] width below which it is not cut.
    narrowed : [ratio] of a range to what it was below which it is priced again: half gives
        another answer within the gap, in as many nodes.
    tightened : [rounds] of tightening and pricing in a node.
    rough_rounds : [rounds] of column generation for the first bound of each plan.
    beam : [labels] per day in the search for good courses; more finds more: half and double give
        the same answer in as many nodes.
    dive : [share of the gap] at which their labels join.
    searched : [plans] in which good courses are searched that way, the best bounds first.
    polished : [schedules] improved by exchanges each time, the best first.
    judged : [schedules] of an exploration offered to the judge.
    promising : [schedules] valued of what a master or a beam gives.
    few_labels : [labels] per day before a node is split instead, where a split lowers the bound;
    labels : [labels] where it does not: some 100 numbers each, or 50 MB;
    fair_labels : [labels] of several lesions, whose courses are multiplied.
    finer : [ratio] of tolerance and widths between explorations: two are a decade.
    finest : [explorations] of a node at most.
    apart_from : [explorations] after which labels of different fraction days are kept apart.
    table_error : [objective] that steps of a table over kill and effect felt may cost; below gaps.
    table_points : [points] of it at most: 15 nodes of each are some 5 MB and 10 ms.
    tables : [tables] of a plan that are kept: one for each lesion, horizon and range.
    spread_kills : [points] of kill and
    spread_felt : [points] of effect felt of a master's majorant over both: half and double give the
        same answer in as many nodes.
    join_chunk : [rows] of joined courses valued at once: some 10 MB.
    join_limit : [rows] above which courses are not joined but the node is split: half and double
        give the same answer in as many nodes.
    joined_rows : [rows] above the threshold that are kept.
    checked : [rows] whose limits are checked at once; the first of them mostly keeps all.
    exchange_pairs : [pairs] of small changes of two lesions, a sample beyond.
    """

    coarse_patterns: int = 4
    fine_patterns: float = 0.5
    count_ratio: float = 1.5
    first_width: float = 1e-4
    wider: float = 1.25
    least_regrowth: float = 0.25
    key_patterns: float = 1.5
    bounds_at_once: int = 400_000
    label_chunk: int = 4096
    merge_rounds: int = 12
    widest: float = 16.0
    moved_days: int = 3
    ground: float = 1e-6
    least_ground: float = 1e-9
    breaks: int = 31
    wide_breaks: int = 9
    curved: float = 6.0
    missed: float = 20.0
    tangent_levels: int = 16
    deep: float = 1e-3
    rounds: int = 40
    step: float = 0.6
    close: float = 2e-4
    fair: float = 0.1
    idle: int = 8
    remembered: int = 30
    violated: float = 2e-3
    most_rows: int = 80
    rows_gain: float = 0.05
    root_rows: int = 12
    node_rows: int = 2
    narrow: float = 0.02
    loose: float = 0.3
    fractional: float = 0.02
    edge: float = 0.25
    mixed_day: float = 0.1
    pieces: int = 24
    thin: float = 1e-3
    narrowed: float = 0.7
    tightened: int = 6
    rough_rounds: int = 12
    beam: int = 200
    dive: float = 0.2
    searched: int = 4
    polished: int = 2
    judged: int = 40
    promising: int = 40_000
    few_labels: int = 4_000
    labels: int = 60_000
    fair_labels: int = 20_000
    finer: float = 0.3
    finest: int = 6
    apart_from: int = 2
    table_error: float = 2e-4
    table_points: int = 30_000
    tables: int = 60
    spread_kills: int = 21
    spread_felt: int = 9
    join_chunk: int = 200_000
    join_limit: float = 4e7
    joined_rows: int = 400_000
    checked: int = 2_000
    exchange_pairs: int = 40_000


CURRENT = Settings()
