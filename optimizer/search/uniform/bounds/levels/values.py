"""Values of all kinds of course at systemic log kills, and the greatest Lagrangian value of a cell.

A lesion's value falls with its log burdens without systemic effect and rises with its shares of
the effect. Kinds near each other in both form a leaf, whose corner - the least burdens, the
greatest shares - is worth at least as much as any of them: of very many kinds only those of a few
leaves are looked at one by one. Values of leaves are remembered by horizon, as a value is a mean
over horizons and cells, halved geometrically, meet at few kills.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.value import controllable, lesion_value
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.levels.cells import corners
from abscopt.optimizer.search.uniform.bounds.levels.chords import above_chord
from abscopt.optimizer.search.uniform.bounds.levels.leaves import Memo, leaves_of

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.table import Candidates


class LesionValues:
    """Weighted values of one lesion's kinds.

    Parameters
    ----------
    lesion : of the kinds
    shared : of the kinds under one group of plans
    share : (kinds, nodes x clones) of the systemic effect
    """

    def __init__(
        self,
        instance: Instance,
        lesion: Lesion,
        shared: Shared,
        share: FloatArray,
    ):
        """Leaves over local burdens and shares; corner[leaf] = (min local, max share) of its kinds.

        A value falls with local and rises with share: that of the corner is an upper bound.
        """
        self.instance, self.weight = instance, lesion.weight
        self.burden_limit, self.nodes = lesion.most_log_burden, lesion.sensitivities[1]
        self.systemic = not instance.objective.of_dose_alone
        self.horizons = len(instance.horizon_days) if self.systemic else 0
        self.local, self.share, self.tumor_bed = shared.local, share, shared.tumor_bed
        if not self.systemic:
            self.leaves = leaves_of(self.tumor_bed[:, None], len(self.tumor_bed))
            self._values, self._rises = [], []
            return
        features = [shared.local.reshape(len(shared.local), -1), share]
        self.leaves = leaves_of(np.concatenate(features, axis=1), settings.CURRENT.most_leaves)
        self.corner = self.leaves.least(shared.local), self.leaves.greatest(share)
        leaves = len(self.leaves.starts)
        self._values = [Memo(leaves, self.horizons) for _ in range(self.horizons)]
        self._rises = [Memo(leaves, self.horizons) for _ in range(self.horizons)]

    def at(self, kill: FloatArray, kinds: KindIds) -> FloatArray:
        """(n,) values of some kinds at a raw log kill (horizons,)."""
        if not self.systemic:
            return self.weight * self.tumor_bed[kinds]
        local, share = self.local[kinds], self.share[kinds]
        by_horizon = [self._part(h, local, share, kill[h]) for h in range(self.horizons)]
        total: FloatArray = np.sum(by_horizon, axis=0)
        return total

    def by_horizon(self, kills: FloatArray, kinds: KindIds) -> FloatArray:
        """(horizons, n, kinds) what each horizon adds to values of some kinds at raw log kills.

        Of dose alone, without horizons, (1, 1, kinds) their values.

        Parameters
        ----------
        kills : (horizons, n)
        """
        if not self.systemic:
            return self.weight * self.tumor_bed[None, None, kinds]
        local, share = self.local[kinds][None], self.share[kinds][None]
        return np.stack(
            [self._part(h, local, share, kill[:, None]) for h, kill in enumerate(kills)]
        )

    def reaches(self, kill: FloatArray, kinds: KindIds) -> BoolArray:
        """(n,) whether some kinds keep what the lesion demands at a raw log kill (horizons,)."""
        if self.burden_limit is None:
            return np.ones(len(kinds), dtype=bool)
        return self._reaches(self.local[kinds], self.share[kinds], kill[-1])

    def _reaches(self, local: FloatArray, share: FloatArray, kill: FloatArray | float) -> BoolArray:
        """Whether burdens keep the demand at raw log kills of the last horizon."""
        assert self.burden_limit is not None
        saturated = immune.saturate(kill, self.instance.immune.effect_maximum_nats)
        return controllable(self.nodes, local, share, np.asarray(saturated), self.burden_limit)

    def best_at(self, kills: FloatArray, terms: FloatArray) -> FloatArray:
        """(m, n) greatest value + term of any kind at raw log kills (n, horizons).

        Parameters
        ----------
        terms : (m, kinds) of multipliers; -inf for kinds that do not count
        """
        return self.best(kills, None, terms)[0][:, :, 0]

    def best(
        self, low: FloatArray, high: FloatArray | None, terms: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(m, cells, corners) max_k [ sum_h (v_kh(z_h) + rise_kh) + terms[m, k] ] at the corners z.

        rise_kh: how far the value of kind k in horizon h rises above its chord over the cell
        (`chords`). Kinds that fall short of a demand even at a cell's upper end do not count there.
        Corners of the cells (cells, horizons) in the order of `cells.corners`. Second, the rise of
        the leaf that is greatest. Without an upper end: of points.
        """
        greatest = self.leaves.greatest(terms.T).T
        live = np.flatnonzero((greatest > -np.inf).any(axis=0))
        shape = len(terms), len(low), 1 if high is None else 2**self.horizons
        value, rise = np.full(shape, -np.inf), np.zeros(shape)
        step = max(1, settings.CURRENT.value_chunk // len(terms))
        for begin in range(0, len(low) if len(live) else 0, step):
            tick()
            lot = slice(begin, begin + step)
            ends = None if high is None else high[lot]
            lot_result = self._opened(low[lot], ends, terms, live, greatest[:, live])
            value[:, lot], rise[:, lot] = lot_result
        return value, rise

    def _opened(
        self,
        low: FloatArray,
        high: FloatArray | None,
        terms: FloatArray,
        live: IntArray,
        greatest: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """(m, cells, corners) greatest value of the kinds; only leaves that may hold it are opened.

        upper[leaf] = value(corner of leaf) + rise + max_(k in leaf) terms[m, k]. For every (m,
        cell, corner), a row of `flat`, the leaf of the greatest upper bound is replaced by its
        exact maximum until the greatest entry is exact (best-first branch and bound, Land and Doig
        1960).
        """
        upper = self._leaf_values(low, high, live)
        rises = None if high is None else self._rises_of(low, high, live)
        if rises is not None:
            upper = upper + rises[:, None]
        if self.burden_limit is not None:
            upper = np.where(self._leaves_reach(low, high, live)[:, None], upper, -np.inf)
        cells, number, leaves = upper.shape
        flat = (upper + greatest[:, None, None]).reshape(-1, leaves)
        index, leaf = np.arange(len(flat)), flat.argmax(axis=1)
        function, place = np.divmod(index, cells * number)
        cell = place // number
        if not self.leaves.single:
            kills = low if high is None else corners(low, high).reshape(-1, self.horizons)
            rows, exact = index, np.zeros(flat.shape, dtype=bool)
            while len(rows):
                rows = rows[~exact[rows, leaf[rows]]]
                box = None if high is None else (low[cell[rows]], high[cell[rows]])
                flat[rows, leaf[rows]] = self._exact(
                    kills[place[rows]], box, live[leaf[rows]], terms, function[rows]
                )
                exact[rows, leaf[rows]] = True
                leaf[rows] = flat[rows].argmax(axis=1)
        rise = np.zeros(len(index)) if rises is None else rises[cell, leaf]
        shape = len(terms), cells, number
        return flat[index, leaf].reshape(shape), rise.reshape(shape)

    def _leaves_reach(self, low: FloatArray, high: FloatArray | None, live: IntArray) -> BoolArray:
        """(cells, live) whether the corner of a leaf keeps the demand at a cell's upper end."""
        local, share = self.corner
        end = (low if high is None else high)[:, [-1]]
        return self._reaches(local[live][None], share[live][None], end)

    def ceilings(
        self, low: FloatArray, high: FloatArray, terms: FloatArray, beside: FloatArray
    ) -> FloatArray:
        """(kinds,) max over cells and corners z of beside(z) + value(z) + rise, of a kind's leaf.

        Parameters
        ----------
        low, high : (cells, horizons)
        terms : (kinds,) -inf for kinds that do not count
        beside : (cells, corners) bound without this lesion
        """
        live = np.flatnonzero(self.leaves.greatest(terms) > -np.inf)
        ceiling = np.full(len(self.leaves.starts), -np.inf)
        for begin in range(0, len(low), settings.CURRENT.value_chunk):
            tick()
            lot = slice(begin, begin + settings.CURRENT.value_chunk)
            value = self._leaf_values(low[lot], high[lot], live) + beside[lot][:, :, None]
            of_leaf = value.max(axis=1) + self._rises_of(low[lot], high[lot], live)
            if self.burden_limit is not None:
                of_leaf = np.where(self._leaves_reach(low[lot], high[lot], live), of_leaf, -np.inf)
            ceiling[live] = np.maximum(ceiling[live], of_leaf.max(axis=0, initial=-np.inf))
        return np.where(terms > -np.inf, ceiling[self.leaves.of], -np.inf)

    def _exact(
        self,
        kills: FloatArray,
        ends: tuple[FloatArray, FloatArray] | None,
        leaf: IntArray,
        terms: FloatArray,
        function: IntArray,
    ) -> FloatArray:
        """(n,) greatest value + term of the kinds of one leaf each, at one kill each.

        max_(k in leaf) [ terms[function, k] + sum_h (v_kh(z_h) + rise_kh) ]. Arrays (n, largest
        leaf); shorter leaves repeat their last kind.

        Parameters
        ----------
        function : (n,) which of the terms (m, kinds)
        """
        sizes = self.leaves.sizes[leaf]
        offset = np.minimum(np.arange(int(sizes.max(initial=1))), sizes[:, None] - 1)
        kinds = self.leaves.order[self.leaves.starts[leaf][:, None] + offset]
        local, share = self.local[kinds], self.share[kinds]
        total = terms[function[:, None], kinds]
        for h in range(self.horizons):
            total += self._part(h, local, share, kills[:, h][:, None])
            if ends is not None:
                total += self._rise(h, local, share, *(end[:, h][:, None] for end in ends))
        if self.burden_limit is not None:
            end = kills if ends is None else ends[1]
            total = np.where(self._reaches(local, share, end[:, [-1]]), total, -np.inf)
        return np.asarray(total.max(axis=1))

    def _leaf_values(self, low: FloatArray, high: FloatArray | None, live: IntArray) -> FloatArray:
        """(cells, corners, live) sum_h v_h(corner of leaf, z_h): no kind of the leaf is worth more.

        Bit h of a corner's number says whether z_h is the upper end of the cell.
        """
        number = 1 if high is None else 2**self.horizons
        if not self.systemic:
            shape = len(low), number, len(live)
            return np.broadcast_to(self.weight * self.tumor_bed[live], shape)
        total = np.zeros((len(low), number, len(live)))
        for h in range(self.horizons):
            ends = low[None, :, h] if high is None else np.stack([low[:, h], high[:, h]])
            ends_values = self._rows(
                self._values[h], ends.reshape(-1, 1), live, partial(self._leaf_part, h)
            )
            upper = np.arange(number) >> h & 1
            total += ends_values.reshape(len(ends), len(low), -1)[upper].swapaxes(0, 1)
        return total

    def _rises_of(self, low: FloatArray, high: FloatArray, live: IntArray) -> FloatArray:
        """(cells, live) how far the values of some leaves rise above their chords."""
        total = np.zeros((len(low), len(live)))
        for h in range(self.horizons):
            ends = np.stack([low[:, h], high[:, h]], axis=1)
            total += self._rows(self._rises[h], ends, live, partial(self._leaf_rise, h))
        return total

    def _rows(
        self, memo: Memo, keys: FloatArray, live: IntArray, of: Callable[..., FloatArray]
    ) -> FloatArray:
        """(n, live) numbers of some leaves; remembered for all, or of few computed anew."""
        if len(live) < settings.CURRENT.few_leaves * len(self.leaves.starts):
            return of(keys, live)
        return memo.rows(keys, live, of)

    def _leaf_part(self, h: int, keys: FloatArray, live: IntArray | slice) -> FloatArray:
        local, share = self.corner
        return self._part(h, local[live][None], share[live][None], keys)

    def _leaf_rise(self, h: int, keys: FloatArray, live: IntArray | slice) -> FloatArray:
        local, share = self.corner
        return self._rise(h, local[live][None], share[live][None], keys[:, :1], keys[:, 1:])

    def _part(
        self, h: int, local: FloatArray, share: FloatArray, kill: FloatArray | float
    ) -> FloatArray:
        """What one horizon adds to weighted values; the arrays broadcast before their last axes."""
        saturated = immune.saturate(kill, self.instance.immune.effect_maximum_nats)
        weighted: FloatArray = (self.weight / self.horizons) * lesion_value(
            self.instance.objective,
            self.nodes,
            local[..., [h], :],
            share,
            np.asarray(saturated)[..., None],
        )
        return weighted

    def _rise(
        self, h: int, local: FloatArray, share: FloatArray, low: FloatArray, high: FloatArray
    ) -> FloatArray:
        """How far what one horizon adds rises above its chord between two kills."""
        goal, maximum = self.instance.objective, self.instance.immune.effect_maximum_nats
        rise = above_chord(goal, self.nodes, local[..., h, :], share, low, high, maximum)
        return (self.weight / self.horizons) * rise


class Values:
    """Values of the kinds of all lesions under one group of plans.

    Parameters
    ----------
    share : per lesion (kinds, nodes x clones) of the systemic effect
    """

    def __init__(
        self, candidates: Candidates, shared: tuple[Shared, ...], share: tuple[FloatArray, ...]
    ):
        self.lesions = tuple(
            LesionValues(candidates.instance, candidates.lesion_of(table), of_kinds, of_lesion)
            for table, of_kinds, of_lesion in zip(candidates.lesions, shared, share, strict=True)
        )
