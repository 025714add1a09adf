"""What the first bound of a plan over members rests on: effects by place, sums over members."""

from __future__ import annotations

import numpy as np
import pytest
from ensembles import ensemble

from abscopt.optimizer.search.ensemble.bounds.bound import Mixture
from abscopt.optimizer.search.ensemble.bounds.opening import pooled, spans
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.plan import Plans
from abscopt.optimizer.search.ensemble.risk import Risk
from abscopt.optimizer.search.join import every_row

SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_effects_by_place_are_those_of_each_member(seed: int) -> None:
    """g = e^a v and a, v and a of the tables of a member alone."""
    case, cases, weights = ensemble(seed)
    members = Members.of(case, cases, weights)
    plans = Plans(members)
    for plan in members.nominal.plan_ids:
        tables = plans.of(plan).tables(plans.of(plan).usable, np.arange(len(members)))
        for s, courses in enumerate(tables.courses):
            for m, candidates in enumerate(members.candidates):
                alone = candidates.effects(plan)[s]
                kept = np.exp(alone.loss[courses])
                gain = (kept[:, None] * alone.effect[courses]).T[: tables.gain[s].shape[1]]
                assert tables.gain[s][m] == pytest.approx(gain, rel=1e-12)
                assert tables.loss[s][m] == pytest.approx(alone.loss[courses], rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_bound_holds_for_all_schedules(seed: int) -> None:
    """q . V(x) <= C + sum_s W_s(x_s) of every row, also with members that do not count."""
    case, cases, weights = ensemble(seed)
    members = Members.of(case, cases, weights)
    plans, risk = Plans(members), Risk("mean", weights)
    some = weights.copy()
    some[0] = 0.0
    some /= some.sum()
    for plan in members.nominal.plan_ids:
        releases, under = plans.releases.of(plan), plans.of(plan)
        if releases is None or any(not len(c) for c in under.usable):
            continue
        rows = every_row(under.usable)
        values = under.values(rows)
        mixture = Mixture.of_row(rows[len(rows) // 2])
        every = np.arange(len(members))
        wide = spans(under, releases, every)
        places = every_row([np.arange(len(c)) for c in under.usable])
        tables = under.tables(under.usable, every)
        total, lost = wide.ground, under.chemo
        for s in range(len(under.usable)):
            total = total + tables.gain[s][:, :, places[:, s]].transpose(2, 0, 1)
            lost = lost + tables.loss[s][:, places[:, s]].T
        log_kill = np.log(total) - lost[:, :, None]
        assert (log_kill >= wide.low).all()
        assert (log_kill <= wide.high).all()
        for q in (weights, some):
            linear = pooled(under, releases, risk, q, under.usable, mixture)
            bounds = linear.constant[0] + sum(
                value[0, places[:, s]] for s, value in enumerate(linear.values)
            )
            assert (values @ q <= bounds + 1e-9).all()


def test_most_small_cases_are_opened_with_sums_over_members() -> None:
    """Cases whose members tell kinds apart otherwise are few."""
    opened = 0
    for seed in SEEDS:
        case, cases, weights = ensemble(seed)
        members = Members.of(case, cases, weights)
        plans = Plans(members)
        opened += any(plans.releases.of(plan) is not None for plan in members.nominal.plan_ids)
    assert opened >= len(SEEDS) // 2
