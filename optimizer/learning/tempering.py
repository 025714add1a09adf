"""Particles moved from prior to posterior through tempered likelihoods.

At temperature phi particles stand for prior x likelihood^phi. Each stage raises phi as far as the
effective number of particles allows (bisection), draws particles by their weights, and moves them
by Metropolis steps that leave that distribution as it is: a normal step shaped like the particles
in continuous coordinates, a fresh draw in discrete ones (Del Moral, Doucet and Jasra 2006,
Sequential Monte Carlo samplers; Neal 2001, Annealed importance sampling). The prior is standard
normal in every coordinate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray

TARGET = 0.5
"""Of the particles: their effective number after each rise of the temperature."""
BISECTIONS = 60
"""Halvings of the rise: more than a double has digits."""
MOST_MOVES = 12
"""Metropolis steps in a stage at most."""
ACCEPTANCES = 1.5
"""Mean number of accepted steps of a particle at which a stage ends before."""
ACCEPTED = 0.25
"""Share of accepted steps that the step width is adapted to (Roberts, Gelman and Gilks 1997)."""
REFRESH = 0.3
"""Chance with which a discrete coordinate is drawn afresh in a step."""
SHRINK = 0.1
"""Of the covariance of the particles that is taken from its diagonal: few particles, many keys."""

Values = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Particles:
    """Equally weighted particles of the posterior.

    Attributes
    ----------
    scores : (particles, coordinates)
    log_likelihood : (particles,)
    log_evidence : ln of the mean likelihood over the prior
    temperatures : of each stage, the last is 1
    acceptance : share of accepted steps in each stage
    evaluations : how often a likelihood was computed
    """

    scores: FloatArray
    log_likelihood: FloatArray
    log_evidence: float
    temperatures: tuple[float, ...]
    acceptance: tuple[float, ...]
    evaluations: int


def effective(weights: FloatArray) -> float:
    """Effective number of weights: (sum w)^2 / sum w^2 (Kish 1965); 0 where all are 0."""
    square = float((weights**2).sum())
    return float(weights.sum() ** 2 / square) if square > 0.0 else 0.0


def weighed(prior: FloatArray, log_likelihood: FloatArray) -> tuple[FloatArray, float]:
    """Weights in proportion to w e^l, adding up to 1, and ln sum w e^l of weights that do.

    All 0 and minus infinity where nothing has a likelihood.
    """
    top = float(log_likelihood.max(initial=-np.inf))
    if not np.isfinite(top):
        return np.zeros_like(prior), -np.inf
    raised = prior / prior.sum() * np.exp(log_likelihood - top)
    total = float(raised.sum())
    return raised / total, top + float(np.log(total))


def systematic(weights: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """(count,) indices drawn by weights that add up to 1, each floor(n w) times or once more.

    i_k = min {i : w_0 + ... + w_i > (k + U) / n}
    """
    places = (np.arange(count) + rng.random()) / count
    reached = np.cumsum(weights)
    indices = np.searchsorted(reached / reached[-1], places, side="right")
    return np.minimum(indices, len(weights) - 1)


def tempered(
    scores: FloatArray,
    log_likelihood: FloatArray,
    values: Values,
    discrete: BoolArray,
    rng: np.random.Generator,
    stage: Callable[[float], None] = lambda temperature: None,
) -> Particles:
    """Posterior particles from equally weighted ones of the prior.

    Parameters
    ----------
    scores, log_likelihood : (particles, coordinates) and (particles,) of the prior
    values : log likelihood (n,) of scores (n, coordinates); minus infinity for what cannot be
    discrete : (coordinates,) those that are drawn afresh and not stepped
    stage : called with each temperature
    """
    if not np.isfinite(log_likelihood).any():
        raise ValueError("no particle has a likelihood")
    temperature, evidence, width = 0.0, 0.0, 2.38 / np.sqrt(max(1, int((~discrete).sum())))
    temperatures, acceptance, evaluations = [], [], 0
    equal = np.full(len(scores), 1.0 / len(scores))
    while temperature < 1.0:
        rise = _rise(log_likelihood, 1.0 - temperature)
        temperature = 1.0 if rise >= 1.0 - temperature else temperature + rise
        stage(temperature)
        weights, gained = weighed(equal, _scaled(log_likelihood, rise))
        evidence += gained
        chosen = systematic(weights, len(scores), rng)
        scores, log_likelihood = scores[chosen], log_likelihood[chosen]
        root = _shape(scores, discrete)
        accepted, moves = 0.0, 0
        while moves < MOST_MOVES and accepted < ACCEPTANCES:
            proposed = _proposed(scores, root, width, discrete, rng)
            moved = values(proposed)
            evaluations += len(proposed)
            prior = 0.5 * ((scores**2 - proposed**2)[:, ~discrete]).sum(axis=1)
            odds = _scaled(moved, temperature) - _scaled(log_likelihood, temperature) + prior
            taken = np.log(rng.random(len(scores))) < odds
            scores = np.where(taken[:, None], proposed, scores)
            log_likelihood = np.where(taken, moved, log_likelihood)
            share = float(taken.mean())
            width *= float(np.exp(share - ACCEPTED))
            accepted, moves = accepted + share, moves + 1
        temperatures.append(temperature)
        acceptance.append(accepted / moves)
    return Particles(
        scores, log_likelihood, evidence, tuple(temperatures), tuple(acceptance), evaluations
    )


def _scaled(log_likelihood: FloatArray, power: float) -> FloatArray:
    """Logarithm of likelihood^power, also where the likelihood is 0."""
    return np.where(np.isfinite(log_likelihood), power * log_likelihood, -np.inf)


def _rise(log_likelihood: FloatArray, most: float) -> float:
    """Greatest rise of the temperature that keeps the effective number, at most `most`.

    ESS(d) = (sum e^(d l))^2 / sum e^(2 d l) falls from the number of particles with a likelihood:
    the target is a share of that.
    """
    target = TARGET * float(np.isfinite(log_likelihood).sum())
    equal = np.ones(len(log_likelihood))

    def number(rise: float) -> float:
        return effective(weighed(equal, _scaled(log_likelihood, rise))[0])

    if number(most) >= target:
        return most
    low, high = 0.0, most
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if number(middle) >= target else (low, middle)
    return high


def _shape(scores: FloatArray, discrete: BoolArray) -> FloatArray:
    """L with L L^T = (1 - g) S + g diag(S), S the covariance of the continuous coordinates."""
    centered = scores[:, ~discrete] - scores[:, ~discrete].mean(axis=0)
    covariance = centered.T @ centered / len(scores)
    diagonal = np.diag(np.diag(covariance)) + 1e-12 * np.eye(len(covariance))
    return np.linalg.cholesky((1.0 - SHRINK) * covariance + SHRINK * diagonal)


def _proposed(
    scores: FloatArray,
    root: FloatArray,
    width: float,
    discrete: BoolArray,
    rng: np.random.Generator,
) -> FloatArray:
    """x' = x + width L z in continuous coordinates, fresh normal numbers in some discrete ones."""
    proposed = scores.copy()
    proposed[:, ~discrete] += width * rng.standard_normal((len(scores), len(root))) @ root.T
    for column in np.flatnonzero(discrete):
        fresh = rng.random(len(scores)) < REFRESH
        proposed[fresh, column] = rng.standard_normal(int(fresh.sum()))
    return proposed
