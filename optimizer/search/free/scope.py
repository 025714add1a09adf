"""Which cases the search for free courses covers; the programme takes all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.lesions import DEMANDS
from abscopt.optimizer.candidates.columns import countable

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.candidates.table import Candidates


def applies(candidates: Candidates) -> bool:
    """Whether `solve_free` is exact for a case, and worth while.

    Some lesions have free courses, others menus of uniform ones or of phases in one way with one
    fraction a day; all are of one clone. The days of a course matter (if not, the programme counts
    doses, but not with a mean over radiosensitivities), and every limit is a hard one on
    organs, lymphocyte counts or the number of fractions, visits and lesions (those on drugs may be
    soft). No demands of lesions, no burden rule, no exposure states, no rule that asks for a
    fraction near an infusion. A lesion whose control is a mean over radiosensitivities has all of
    its clonogens in the beam.
    """
    instance = candidates.instance
    if not candidates.free or not candidates.plans:
        return False
    plans = candidates.plan_ids
    return (
        len(instance.lesions) <= MOST_LESIONS
        and all(len(lesion.populations) == 1 for lesion in instance.lesions)
        and all(_one_kill(lesion) for lesion in instance.lesions)
        and all(getattr(lesion, key) is None for lesion in instance.lesions for key in DEMANDS)
        and not instance.objective.of_dose_alone
        and instance.immune.burden_limit_cm3 is None
        and not candidates.exposures
        and all(_plain(candidates, s) for s in range(len(candidates.lesions)))
        and all(limit.covered_by_free_search for limit in candidates.every_limit)
        and all(candidates.latest_end_needed(k) < 0 for k in plans)
        and all(candidates.earliest_start_needed(k) < 0 for k in plans)
        and (any(lesion.spread for lesion in instance.lesions) or not countable(candidates))
    )


MOST_LESIONS = 12
"""Ranges, prices and rows are per lesion: more have not been tried."""
MOST_COURSES = 100_000
"""Of a menu, all of which are valued at each set of prices."""


def _one_kill(lesion: Lesion) -> bool:
    """Whether all tumors of a spread have the same kill, but for the factor of alpha."""
    if not lesion.spread or not lesion.irradiable:
        return True
    way, clones = lesion.ways[0], lesion.populations
    return len(lesion.ways) == 1 and all(way.share_of(clone.name) == 1.0 for clone in clones)


def _plain(candidates: Candidates, s: int) -> bool:
    """Whether a menu is a short list of courses of one way, one fraction a day."""
    table = candidates.lesions[s]
    one_way = len(candidates.lesion_of(table).ways) == 1 and int(table.menu.per_day.max()) == 1
    return len(table.menu) == 1 or (one_way and len(table.menu) <= MOST_COURSES)
