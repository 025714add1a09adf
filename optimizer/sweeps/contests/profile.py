"""Performance profiles: how often each contestant is within a ratio of the best.

E. D. Dolan, J. J. More, Benchmarking optimization software with performance profiles, Math.
Program. 91 (2002) 201-213, doi:10.1007/s101070100263 (verified).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RATIOS = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
"""Ratios of the printed table."""


@dataclass(frozen=True)
class Profile:
    """Ratios of all contestants on the problems that somebody solved.

    Attributes
    ----------
    ratios : contestant -> ratio to the best on each problem; inf where it did not solve it
    """

    ratios: dict[str, tuple[float, ...]]

    @property
    def problems(self) -> int:
        """Problems that somebody solved."""
        return len(next(iter(self.ratios.values()), ()))

    def share(self, contestant: str, ratio: float) -> float:
        """rho_s(tau) = |{p : r_ps <= tau}| / |P|"""
        ratios = self.ratios[contestant]
        return sum(r <= ratio for r in ratios) / len(ratios) if ratios else 0.0

    def solved(self, contestant: str) -> float:
        """lim rho_s(tau): the share that was solved at all."""
        return self.share(contestant, math.nextafter(math.inf, 0.0))

    def steps(self, contestant: str) -> list[tuple[float, float]]:
        """(tau, rho) where the curve begins and at each of its steps."""
        finite = sorted({1.0, *(r for r in self.ratios[contestant] if math.isfinite(r))})
        return [(ratio, self.share(contestant, ratio)) for ratio in finite]


def profile(costs: Sequence[Mapping[str, float]]) -> Profile:
    """r_ps = t_ps / min_s t_ps, for each problem p that some contestant s solved.

    Parameters
    ----------
    costs : for each problem, the cost (seconds, nodes) of each contestant; inf: not solved

    Raises
    ------
    ValueError
        If a cost is negative or NaN, or the problems have different contestants.
    """
    contestants = list(costs[0]) if costs else []
    ratios: dict[str, list[float]] = {name: [] for name in contestants}
    for problem in costs:
        if set(problem) != set(contestants) or not all(cost >= 0 for cost in problem.values()):
            raise ValueError(f"costs of one problem: {dict(problem)}")
        best = min(problem.values())
        if not math.isfinite(best):
            continue
        for name in contestants:
            ratios[name].append(_ratio(problem[name], best))
    return Profile({name: tuple(listed) for name, listed in ratios.items()})


def _ratio(cost: float, best: float) -> float:
    """A best of 0 (no nodes) is equalled by 0 only."""
    if best > 0:
        return cost / best
    return 1.0 if cost == best else math.inf
