"""The posterior as an ensemble: members with weights, for `solve --ensemble` and `robustness`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.changes.text import toml
from abscopt.optimizer.ensemble.members import Ensemble, Member, refuse_other_offers
from abscopt.optimizer.learning.tempering import systematic

if TYPE_CHECKING:
    from abscopt.optimizer.learning.sample import Sample
    from abscopt.optimizer.learning.space import Space

LEAST_WEIGHT = 1e-6
"""Of all members together: one below it changes no mean that is printed, and costs a solve."""
AFTER = "after observations"


def posterior_ensemble(space: Space, after: Sample, moved: bool, seed: int) -> Ensemble:
    """Members of the prior with their weights, or as many particles as it has members.

    Particles are thinned systematically; equal ones become one member with their weight.
    """
    prior = space.ensemble
    if moved:
        rng = np.random.default_rng([seed, 2])
        indices = systematic_of(after, len(prior.members), rng)
        drawn = Counter(int(i) for i in indices)
        digits = len(str(len(drawn)))
        listed = [
            (f"p{k + 1:0{digits}}", count / len(indices), after.changes[i])
            for k, (i, count) in enumerate(sorted(drawn.items()))
        ]
    else:
        held = np.flatnonzero(after.weights >= LEAST_WEIGHT)
        total = float(after.weights[held].sum())
        listed = [
            (prior.members[i].name, float(after.weights[i]) / total, after.changes[i]) for i in held
        ]
    members = tuple(
        Member(name, weight, changes, prior.case.with_(changes)) for name, weight, changes in listed
    )
    refuse_other_offers(prior.case, members)
    return Ensemble(f"{prior.name} {AFTER}", prior.case, members, prior.left_out)


def systematic_of(sample: Sample, count: int, rng: np.random.Generator) -> list[int]:
    """Indices of a sample drawn by its weights; those equal in their changes by the first."""
    first = {changes: i for i, changes in reversed(list(enumerate(_keys(sample))))}
    keys = _keys(sample)
    return [first[keys[i]] for i in systematic(sample.weights, count, rng)]


def _keys(sample: Sample) -> list[tuple[str, ...]]:
    return [tuple(map(str, changes)) for changes in sample.changes]


def ensemble_toml(posterior: Ensemble, note: str) -> str:
    """Text of a file that `--ensemble` takes."""
    table = {
        "title": f"{len(posterior.members)} members: {posterior.name}",
        "source": f"abscopt update of {posterior.case.name}",
        "status": "derived",
        "note": note,
        "members": [
            {
                "name": member.name,
                "weight": member.weight,
                "set": {change.key: change.value for change in member.changes},
            }
            for member in posterior.members
        ],
    }
    return toml({"ensemble": table})
