"""What the search for uniform courses can be tuned by: none of it makes an answer false.

Bounds hold for all positive values, which trade time and memory for how soon bound and schedule
meet. `CURRENT` is what the modules read, at each use; `optimizer.tuning.using` sets others
for a while.
Where half and double are said to give the same answer, they did on the cases of
`benchmarks/timings/ABLATION.md`, and the number is of the right size for them.
`benchmarks/timings/ablation.py` measures what each is worth.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One field per constant; in brackets its unit.

    Attributes
    ----------
    few : [schedules] of a node or a family that are valued at once instead of bounded: half gives
        a fifth more nodes in 0.84 of the time on three cases, double twice the time.
    enough : [gaps] within which a bound that was known before ends a search; the rest of the gap is
        left to the second stage. Below 2, the gap that the user asked for.
    late : [groups of plans] whose ceilings are computed although the time is over, at most for
    late_seconds : [s]: the tables of a menu of a million courses take a second each.
    last_seconds : [s] in which the incumbent of a stopped search is improved: a best response takes
        25 ms on a menu of 20 000 courses, a round of them with eight lesions 0.2 s.
    ruling_rounds : [rounds] in which a schedule in hand rules out courses before the search, each
        by what those before left: the third still halves what is left, the fifth changes little.
    ruling_most : [schedules] that their own kill may leave for bounds of plans and courses to rule
        out more: where more are left, the limits decide, which these bounds do not know.
    probed_plans : [plans] of the highest bounds, whose schedules with
    probed : [rows of courses] of the highest bounds are valued for a better schedule: hundredths of
        a second.
    ruling_plan_levels : [levels] of systemic effect at which lesions are valued for that, by plan.
    ruling_levels : [levels] of systemic effect at which other lesions are valued for that; more
        cost a value of every kind each, fewer round up more.
    first_cells : [cells per horizon] of systemic effect at a root; they are halved where the bound
        asks for it, so that few do: double gives as many nodes, half one more in 77.
    recalled_cells : [cells per horizon] of a root that remembered prices bound: these say at once
        where more are needed, so that half of the others do.
    nearly : [gaps] between a schedule in hand and a bound known before, within which the search
        may end with the best responses from it: they take 0.1 s, a short search 0.3 s.
    fine : [share of the gap] to which prices and cells are refined; what is left adds to the gap
        that stays open at the end, and finer takes more rounds of column generation.
    new_prices : [column generations] in a node before it is split, each where those before bound
        least: half and double give the same answer in as many nodes.
    inherited : [prices] of a node that are tried on its parts, those of the worst cells: half and
        double give the same answer in as many nodes.
    mixed : [share of the excess over the threshold] that a lesion loses by being decided, treated
        or not, below which it is split; above it, a spread of a mixture is split by burden: half
        and double give the same answer in as many nodes.
    plans_first : [share of the excess] that the best plan alone must be bounded lower for a node to
        be split by plans: half and double give the same answer in as many nodes.
    recall_rounds : [rounds] of halving cells by remembered prices; later ones tell little: half and
        double give the same answer in as many nodes.
    most_prices : [prices] remembered for a node of a tree, for related cases; the oldest go.
    best_bytes : [bytes] of what day patterns do under sets of plans, kept for related cases: of the
        first such sets; those of a small case take a few MB.
    kept_duals : [families of plans] whose values of leaves are kept for the next related case: each
        may take `memo_bytes` for every lesion.
    most_ends : [leaves] of a remembered tree above which it is forgotten: bounding them anew would
        cost what a new search costs.
    narrow_from : [kinds] above which tables of a node's own pay for being built,
    narrow_share : [share of the kinds] of which may be left for it.
    join_limit : [combinations of kinds] above which a box is split instead of joined: half and
        double give the same answer in as many nodes.
    combinations : [combinations of kinds] of a node up to which each is bounded by its own value:
        about as long as the prices of a node.
    combination_chunk : [combinations] bounded at once: some 10 MB.
    combination_levels : [values per kind and horizon] among which theirs are looked up; the error
        is at most their distance in nats of effect, 1e-3 of a box of factor 2.
    combination_tangents : [tangents] of ln G in their effect; the error falls with the square.
    screened : [plans times courses and combinations] of a node up to which every plan is bounded by
        itself: with the tangents some 50 MB.
    best_combinations : [combinations of kinds] of which schedules are looked for before plans that
        they leave are searched: 30 ms each, where a search is seconds.
    best_doublings : [doublings] of the slack, up to all of it, in which such combinations are
        looked for under a cap on days: a look costs some hundredths of a second.
    most_calendars : [calendars] of some blocks that are kept: 1 MB.
    joined_calendars : [calendars] of some blocks formed at once, up to which they are looked at:
        a few tenths of a second, 60 MB.
    calendar_tangents : [tangents] of ln G of which one counts on calendars: every one would take
        four times as long, and what they leave is valued exactly.
    calendars_valued : [schedules] valued on calendars in one node, a second or two; what is left is
        split.
    course_limit : [combinations of courses] valued outright instead of by kinds first: half and
        double give the same answer in as many nodes.
    most_timings : [timings] of one box that are valued, some ten seconds; a box with more is split.
    few_timings : [timings] that are valued, some tenths of a second, before days go to an integer
        programme.
    timing_levels : [levels of effect] at which a combination's timings are valued where control is
        a mean over radiosensitivities; a step costs about 1e-3 nat, a table milliseconds.
    looked_up : [timings] of one combination from which on such a table is built: its values cost as
        much as some thousand timings.
    join_chunk : [rows] joined at once: some 10 MB.
    narrow_cell : [ratio - 1] of a cell's ends below which it is not halved: at slope 1 its width
        costs 1e-3.
    open_programmes : [integer programmes] over days that may end open before no more are tried.
    date_courses : [courses] above which HiGHS takes longer to read and presolve them than the
        search to split the node.
    date_nodes : [nodes] of one such programme; a number, so that the answer does not depend on the
        machine.
    date_cuts : [programmes] in which choices that break what no row states are cut off: half and
        double give the same answer in as many nodes.
    timing_lot : [timings] valued in one go: tens of megabytes, a tenth of a second or two.
    ceiling_levels : [tangents] of ln G in ceilings of combinations of kinds; the error falls with
        the square of their distance: half and double give the same answer in as many nodes.
    most_leaves : [leaves] of kinds that are bounded together; more bound better and cost in
        proportion. Menus of up to so many kinds are bounded kind by kind.
    few_leaves : [share of the leaves] alive below which their numbers are not remembered.
    value_chunk : [cells] valued at once: with four corners and all leaves 8 MB.
    memo_bytes : [bytes] of remembered numbers of leaves of a lesion, forgotten beyond: half and
        double give the same answer in as many nodes.
    most_cells : [cells] of a node above which they are not halved further: half and double give the
        same answer in as many nodes.
    most_halvings : [halvings] in a row before prices are looked for again: half and double give the
        same answer in as many nodes.
    worst_cells : [cells] among which the next point for prices is looked for: half and double give
        the same answer in as many nodes.
    prices_at_once : [prices times cells] bounded between two looks at the clock: half and double
        give the same answer in as many nodes.
    ground : [share of the greatest effect] added where an effect may be 0, so that its logarithm
        exists; smaller makes the first cell wider, larger the bound weaker.
    new_columns : [columns] per lesion that enter a master in one round; few rounds or small LPs.
    most_rounds : [rounds] of a column generation; it ends earlier when no column is missing.
    kept_columns : [columns] per lesion with which the next generation begins.
    elastic_price : [objective per cap] for exceeding a hard row in the master: above what any
        course gains by it, of a size that solvers scale well.
    steepest : [objective per nat] price of systemic effect that the master lacks: above 1, the
        steepest value at weight 1.
    levels : [tangents] of ln G in the master; the bound itself uses the best tangent.
    sparse : [share of a block] alive below which its kinds are priced apart from the others.
    most_rivals : [schedules] that other caps might admit and that are noted for related cases.
    shortlist : [courses] per lesion that a local search looks at, the best by the prices.
    thorough : [looks] for better schedules with changes of pairs, before single changes only.
    patience : [looks in vain] after which they become seldom: one in
    seldom : [looks]; of another node each, most of which hold nothing better.
    begun_thorough : [looks], and
    begun_patience : [looks in vain], and
    begun_shortlist : [courses] of a treatment that has begun, whose plan resumed is at hand: four
        cases end after as many nodes in 0.7 to 0.9 of the time.
    pair_courses : [courses] of either lesion of a pair of which all changes are valued.
    restarts : [orders of lesions], random ones but the first, and
    sequences : [orders] more where calendars couple lesions.
    early_gain : [share of the greatest gain] that a course must have to be preferred for its start.
    long_menu : [courses] of a menu above which best responses try evenly spaced ones.
    first_lot : [rows] whose limits are checked at once, best first, then twice as many and so on:
        the first mostly keeps all.
    searched_groups : [groups of plans] searched for a first schedule of a programme, and
    searched_plans : [plans] in each.
    idle_plans : [plans in vain] after which a group is left.
    idle_sets : [plans left open, in vain] after which fixing looks for schedules seldom.
    sharp : [share of the gap] that the width of a cell may cost when pairs are fixed.
    fixing_prices : [column generations] for one set of plans when pairs are fixed.
    fixing_cells : [cells] of one plan above which they are not halved, then.
    plain_coefficients : [plans times courses times horizons] up to which a programme is stated
        without fixing: HiGHS solves those in moments.
    enumerated : [schedules] that the second stage compares outright.
    long_kinds : [courses] of a menu above which the second stage drops kinds by a bound first.
    key_chunk : [rows] whose keys are compared at once.
    plan_lot : [plans] valued between two looks at the clock.
    """

    few: int = 100_000
    enough: float = 1.5
    late: int = 2
    late_seconds: float = 0.2
    last_seconds: float = 0.3
    ruling_rounds: int = 5
    ruling_most: int = 1_000_000
    probed_plans: int = 8
    probed: int = 64
    ruling_plan_levels: int = 24
    ruling_levels: int = 12
    first_cells: int = 8
    recalled_cells: int = 4
    nearly: float = 3.0
    fine: float = 0.05
    new_prices: int = 10
    inherited: int = 4
    mixed: float = 0.1
    plans_first: float = 0.05
    recall_rounds: int = 4
    most_prices: int = 12
    best_bytes: int = 200_000_000
    kept_duals: int = 4
    most_ends: int = 2000
    narrow_from: int = 500
    narrow_share: float = 0.2
    join_limit: float = 3e6
    combinations: float = 1e6
    combination_chunk: int = 20_000
    combination_levels: int = 512
    combination_tangents: int = 17
    screened: int = 200_000
    best_combinations: int = 4
    best_doublings: int = 4
    most_calendars: int = 20_000
    joined_calendars: int = 1_000_000
    calendar_tangents: int = 4
    calendars_valued: int = 3_000_000
    course_limit: float = 2e5
    most_timings: int = 3_000_000
    few_timings: int = 100_000
    timing_levels: int = 2048
    looked_up: int = 30_000
    join_chunk: int = 200_000
    narrow_cell: float = 1e-3
    open_programmes: int = 4
    date_courses: int = 20_000
    date_nodes: int = 20_000
    date_cuts: int = 60
    timing_lot: int = 100_000
    ceiling_levels: int = 9
    most_leaves: int = 2048
    few_leaves: float = 0.2
    value_chunk: int = 128
    memo_bytes: int = 60_000_000
    most_cells: int = 300
    most_halvings: int = 2
    worst_cells: int = 4
    prices_at_once: int = 64
    ground: float = 1e-9
    new_columns: int = 12
    most_rounds: int = 60
    kept_columns: int = 40
    elastic_price: float = 200.0
    steepest: float = 5.0
    levels: int = 7
    sparse: float = 0.5
    most_rivals: int = 200_000
    shortlist: int = 1500
    thorough: int = 3
    patience: int = 3
    seldom: int = 10
    begun_thorough: int = 1
    begun_patience: int = 0
    begun_shortlist: int = 30
    pair_courses: int = 60
    restarts: int = 2
    sequences: int = 6
    early_gain: float = 0.9
    long_menu: int = 40_000
    first_lot: int = 32
    searched_groups: int = 4
    searched_plans: int = 6
    idle_plans: int = 3
    idle_sets: int = 6
    sharp: float = 0.1
    fixing_prices: int = 8
    fixing_cells: int = 400
    plain_coefficients: int = 10_000
    enumerated: int = 60_000
    long_kinds: int = 20_000
    key_chunk: int = 500
    plan_lot: int = 256


CURRENT = Settings()
