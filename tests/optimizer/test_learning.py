"""What measurements say: predictions against the judge, weights and particles against theory."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import chi2, multivariate_normal

from abscopt.instances import load
from abscopt.instances.load import InputError
from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer import evaluate, update
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.learning.learned import choice_information, information
from abscopt.optimizer.learning.measured import errors
from abscopt.optimizer.learning.measured.likelihood import Likelihood
from abscopt.optimizer.learning.measured.observations import Observation, observations_of
from abscopt.optimizer.learning.measured.predicted import log_predicted
from abscopt.optimizer.learning.sample import Values
from abscopt.optimizer.learning.space import Space
from abscopt.optimizer.learning.tempering import effective, systematic, tempered, weighed
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule

BLOOD = {
    "source": "test", "status": "assumed", "size": 32,
    "vary": [
        {"key": "lesions.tumor.lymphocyte_loss_per_fraction", "distribution": "lognormal",
         "median": 1.0, "sigma": 0.5},
        {"key": "lymphocytes.recovery_half_time_days", "distribution": "lognormal",
         "median": 1.0, "sigma": 0.4},
    ],
}  # fmt: skip


def toy(**changes: Any) -> Instance:
    return load("toy-blockade", changes)


def standard(case: Instance) -> Schedule:
    schedule = standard_schedule(case)
    assert schedule is not None
    return schedule


def counts(*days_and_values: tuple[int, float], sd: float = 0.13) -> list[Observation]:
    return [Observation("alc", day, value, sd) for day, value in days_and_values]


def listed(case: Instance, key: str, values: FloatArray, weights: FloatArray) -> Ensemble:
    members = [
        {"name": f"m{i}", "weight": float(w), "set": {key: float(v)}}
        for i, (v, w) in enumerate(zip(values, weights, strict=True))
    ]
    stated = {"source": "test", "status": "assumed", "members": members}
    return ensemble_of(case.with_({"ensemble": stated}))


def test_volume_and_ctdna_are_those_of_the_judge_up_to_the_day() -> None:
    case = toy(horizon_days=[40, 84])
    schedule = standard(case)
    observations = [
        Observation("volume", 40, 5.0, 0.15, "tumor"),
        Observation("ctdna", 40, 1e-4, 0.3),
    ]
    volume, ctdna = np.exp(log_predicted(case, schedule, observations, 1e-3))
    cut = Schedule(schedule.fractions, tuple(i for i in schedule.infusions if i.day < 40))
    burden = evaluate(case, cut).lesions[0].log_burden[0]
    living = 8.0 * math.exp(burden - math.log(1e5))
    assert ctdna == pytest.approx(living * errors.CTDNA_PER_CM3.value, rel=1e-12)
    assert volume == pytest.approx(living + errors.LEAST_CM3.value, abs=1e-6)
    slow = math.exp(log_predicted(case, schedule, observations, 1e9)[0])
    assert slow == pytest.approx(8.0 + errors.LEAST_CM3.value, rel=1e-6)  # no growth, no loss


def test_counts_are_those_of_the_judge_recovered_since() -> None:
    case = toy()
    schedule = standard(case)
    trace = evaluate(case, schedule).lymphocytes["trace"]
    half = case.lymphocytes.recovery_half_time_days
    for day in (1, 7, 8, 30):
        last = max(d for d in trace["day"] if d < day)
        loss = -math.log(trace["alc_1e9_per_l"][trace["day"].index(last)] / 1.7)
        wanted = 1.7 * math.exp(-loss * 2.0 ** (-(day - last) / half))
        alc, nlr = np.exp(
            log_predicted(
                case, schedule, [*counts((day, 1.0)), Observation("nlr", day, 3.0, 0.26)], 45.0
            )
        )
        assert alc == pytest.approx(wanted, rel=1e-12)
        assert nlr == pytest.approx(errors.NEUTROPHILS.value / wanted, rel=1e-12)
    assert np.exp(log_predicted(case, schedule, counts((0, 1.0)), 45.0)) == pytest.approx(1.7)


def test_what_is_given_later_changes_no_prediction() -> None:
    case = toy()
    schedule = standard(case)
    longer = Schedule.of((*schedule.fractions, Fraction(30, "tumor", 8.0)), schedule.infusions)
    observations = [
        *counts((10, 1.0), (30, 1.0)),
        Observation("volume", 30, 5.0, 0.15, "tumor"),
        Observation("ctdna", 20, 1e-4, 0.3),
    ]
    first, second = (log_predicted(case, s, observations, 45.0) for s in (schedule, longer))
    assert (first == second).all()
    later = [Observation("ctdna", 31, 1e-4, 0.3)]
    assert log_predicted(case, longer, later, 45.0) < log_predicted(case, schedule, later, 45.0)


def test_a_ratio_of_the_same_sample_adds_nothing_to_its_count() -> None:
    both = [*counts((10, 1.4)), Observation("nlr", 10, 4.0, 0.26)]
    predicted = np.log([[1.2, 4.5 / 1.2], [1.6, 4.5 / 1.6], [0.7, 4.5 / 0.7]])
    alone = Likelihood(both[:1]).log_likelihood(predicted[:, :1])
    together = Likelihood(both).log_likelihood(predicted)
    assert together - together[0] == pytest.approx(alone - alone[0], abs=1e-10)
    ratio = Likelihood(both[1:]).log_likelihood(predicted[:, 1:])
    assert abs(ratio[2] - ratio[0]) < abs(alone[2] - alone[0])  # neutrophils are unknown


def test_limits_of_detection_are_probabilities() -> None:
    unseen = [Observation("ctdna", day, 1e-4, 0.3, seen=False) for day in (10, 20)]
    seen = [Observation("ctdna", 0, 2e-3, 0.3)]
    predicted = np.log([[1e-3, 2e-4, 5e-5], [1e-3, 1e-6, 1e-7]])
    likelihood = Likelihood([*seen, *unseen])
    values = likelihood.log_likelihood(predicted)
    covariance = likelihood.covariance
    for row, value in zip(likelihood.residuals(predicted), values, strict=True):
        gain = covariance[1:, 0] / covariance[0, 0]
        block = covariance[1:, 1:] - np.outer(gain, covariance[0, 1:])
        chance = multivariate_normal(gain * row[0], block).cdf(row[1:])
        density = multivariate_normal(np.zeros(1), covariance[:1, :1]).logpdf(row[:1])
        assert value == pytest.approx(density + math.log(chance), abs=1e-5)


def test_weights_of_the_conjugate_case() -> None:
    case, prior_sd, sd = toy(), 0.3, 0.1
    scores = np.linspace(-5.0, 5.0, 81)
    values = 1.7 * np.exp(prior_sd * scores)
    weights = np.exp(-0.5 * scores**2)
    prior = listed(case, "lymphocytes.initial_1e9_per_l", values, weights)
    learned = update(case, None, counts((0, 1.2), sd=sd), prior)
    error = math.hypot(sd, errors.ALC_LEVEL_SD.value)
    logs = np.log(values)
    wanted = weights * np.exp(-0.5 * ((math.log(1.2) - logs) / error) ** 2)
    wanted /= wanted.sum()
    assert learned.members.weights == pytest.approx(wanted, abs=1e-6)
    precision = 1 / prior_sd**2 + 1 / error**2
    mean = (math.log(1.7) / prior_sd**2 + math.log(1.2) / error**2) / precision
    weight = learned.members.weights
    assert weight @ logs == pytest.approx(mean, abs=1e-6)
    assert weight @ (logs - mean) ** 2 == pytest.approx(1 / precision, abs=1e-6)
    evidence = multivariate_normal(math.log(1.7), prior_sd**2 + error**2).logpdf(math.log(1.2))
    assert learned.log_evidence == pytest.approx(evidence, abs=1e-6)
    assert not learned.resampled
    gained = information(logs, weights / weights.sum(), logs, weight)
    ratio = 1 / precision / prior_sd**2
    shift = (mean - math.log(1.7)) / prior_sd
    assert gained == pytest.approx(0.5 * (ratio + shift**2 - 1 - math.log(ratio)), rel=0.02)
    held = {m.name: m.weight for m in learned.posterior.members}
    assert held["m40"] == pytest.approx(wanted[40], rel=1e-3)


def gaussian(data: FloatArray) -> Any:
    """Log likelihood of data, means x_0 + x_1 and x_0, errors of 0.3 and 0.5."""
    design = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    sd = np.array([0.3, 0.5])

    def values(scores: FloatArray) -> FloatArray:
        return np.asarray(-0.5 * (((data - scores @ design.T) / sd) ** 2).sum(axis=1))

    return values, design, np.diag(sd**2)


def test_particles_of_a_linear_model_are_those_of_theory() -> None:
    data = np.array([3.0, -0.5])
    values, design, noise = gaussian(data)
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((4000, 3))
    discrete = np.array([False, False, True])
    moved = tempered(scores, values(scores), values, discrete, rng)
    precision = np.eye(2) + design[:, :2].T @ np.linalg.inv(noise) @ design[:, :2]
    mean = np.linalg.solve(precision, design[:, :2].T @ np.linalg.solve(noise, data))
    assert moved.temperatures[-1] == 1.0 and len(moved.temperatures) > 2
    assert moved.scores[:, :2].mean(axis=0) == pytest.approx(mean, abs=0.04)
    assert np.cov(moved.scores[:, :2].T) == pytest.approx(np.linalg.inv(precision), abs=0.03)
    assert np.std(moved.scores[:, 2]) == pytest.approx(1.0, abs=0.05)
    marginal = noise + design @ design.T
    total = multivariate_normal(np.zeros(2), marginal).logpdf(data)
    constant = multivariate_normal(np.zeros(2), noise).logpdf(np.zeros(2))
    assert moved.log_evidence == pytest.approx(total - constant, abs=0.1)


def uniform(ranks: list[int], bins: int) -> float:
    """Chance of a histogram of ranks that is at least as uneven."""
    heights = np.bincount(ranks, minlength=bins)
    expected = len(ranks) / bins
    return float(chi2.sf(((heights - expected) ** 2 / expected).sum(), bins - 1))


def test_ranks_of_the_truth_among_particles_are_uniform() -> None:
    rng = np.random.default_rng(11)
    ranks: list[list[int]] = [[], []]
    for _ in range(200):
        truth = rng.standard_normal(3)
        _, design, noise = gaussian(np.zeros(2))
        data = design @ truth + np.sqrt(np.diag(noise)) * rng.standard_normal(2)
        values = gaussian(data)[0]
        scores = rng.standard_normal((60, 3))
        moved = tempered(scores, values(scores), values, np.array([False, False, True]), rng)
        thinned = moved.scores[rng.choice(60, 7, replace=False)]
        for k in range(2):
            ranks[k].append(int((thinned[:, k] < truth[k]).sum()))
    assert min(uniform(ranks[k], 8) for k in range(2)) > 0.005


def test_ranks_of_simulated_patients_are_uniform() -> None:
    """200 patients drawn from the ensemble, with errors as stated; posteriors by importance."""
    case = toy()
    schedule, rng = standard(case), np.random.default_rng(2)
    plan = [
        Observation("volume", 40, 5.0, 0.3, "tumor"),
        *counts((8, 1.0), (16, 1.0), sd=0.3),
        Observation("nlr", 20, 3.0, 0.26),
    ]
    stated = BLOOD | {"vary": [*BLOOD["vary"], {
        "key": "lesions.tumor.alpha_per_gy", "distribution": "lognormal", "median": 1.0,
        "sigma": 0.3}]}  # fmt: skip
    prior = ensemble_of(case.with_({"ensemble": stated}))
    space = Space(prior, volumes=True)
    values = Values(space, Likelihood(plan), schedule, Clock())
    scores = space.prior(400, 3)
    assert space.size == 4
    equal = np.full(200, 1 / 200)
    sample = values.sample(scores[:200], equal)
    truths = values.sample(scores[200:], np.full(200, 1 / 200))
    root = np.linalg.cholesky(values.likelihood.covariance)
    ranks: list[list[int]] = [[] for _ in range(space.size)]
    numbers = []
    for k in range(200):
        noise = root @ rng.standard_normal(len(plan))
        measured = np.exp(truths.log_predicted[k] + noise)
        seen = [Observation(o.kind, o.day, m, o.sd, o.lesion)
                for o, m in zip(plan, measured, strict=True)]  # fmt: skip
        weights, _ = weighed(equal, Likelihood(seen).log_likelihood(sample.log_predicted))
        numbers.append(effective(weights))
        drawn = scores[rng.choice(200, 7, p=weights)]
        for i in range(space.size):
            ranks[i].append(int((drawn[:, i] < truths.scores[k, i]).sum()))
    assert min(numbers) > 2.0 and np.median(numbers) > 30.0
    assert min(uniform(of_key, 8) for of_key in ranks) > 0.005


def test_two_parameters_agree_with_emcee() -> None:
    emcee = pytest.importorskip("emcee")
    case = toy()
    prior = ensemble_of(case.with_({"ensemble": BLOOD}))
    observations = counts((8, 1.2), (15, 0.95), (30, 1.1), (70, 1.35), sd=0.05)
    learned = update(case, None, observations, prior, particles=128, seed=1)
    assert learned.resampled
    days = np.array([0.0, 7.0, 14.0])
    measured = np.log([o.value for o in observations])
    covariance = np.full((4, 4), errors.ALC_LEVEL_SD.value**2) + np.eye(4) * 0.05**2
    inverse = np.linalg.inv(covariance)

    def log_posterior(scores: FloatArray) -> FloatArray:
        loss = 0.08 * np.exp(0.5 * scores[:, 0])
        half = 35.0 * np.exp(0.4 * scores[:, 1])
        since = np.array([o.day for o in observations])[:, None] - days
        left = np.where(since > 0, 2.0 ** (-since / half[:, None, None]), 0.0).sum(axis=-1)
        residual = measured - (math.log(1.7) - loss[:, None] * left)
        square = np.einsum("ni,ij,nj->n", residual, inverse, residual)
        return np.asarray(-0.5 * square - 0.5 * (scores**2).sum(axis=1))

    start = np.random.default_rng(7)
    sampler = emcee.EnsembleSampler(40, 2, log_posterior, vectorize=True)
    sampler.random_state = np.random.RandomState(7).get_state()
    sampler.run_mcmc(start.standard_normal((40, 2)), 1500)
    chain = sampler.get_chain(discard=300, flat=True)
    ours = learned.after.scores
    for level in (0.1, 0.5, 0.9):
        theirs = np.quantile(chain, level, axis=0)
        assert np.quantile(ours, level, axis=0) == pytest.approx(theirs, abs=0.2)
    assert ours.mean(axis=0) == pytest.approx(chain.mean(axis=0), abs=0.12)
    assert ours.std(axis=0) == pytest.approx(chain.std(axis=0), abs=0.1)
    assert np.corrcoef(ours.T)[0, 1] == pytest.approx(np.corrcoef(chain.T)[0, 1], abs=0.15)
    rows = learned.frames()["parameters"]
    assert set(rows["parameter"]) == {v["key"] for v in BLOOD["vary"]}
    assert rows["learned"].any()


def test_members_keep_their_values_and_the_same_seed_gives_the_same_bytes() -> None:
    case = toy()
    prior = ensemble_of(case.with_({"ensemble": BLOOD}))
    observations = counts((8, 1.45))
    texts = []
    for _ in range(2):
        learned = update(case, None, observations, prior)
        assert not learned.resampled and learned.effective > 16
        texts.append(json.dumps(learned.to_json()))
    assert texts[0] == texts[1]
    for member, weight in zip(prior.members, learned.members.weights, strict=True):
        same = next(m for m in learned.posterior.members if m.name == member.name)
        assert same.instance == member.instance
        assert same.weight == pytest.approx(weight)
    sharp = counts((8, 1.2), (15, 0.95), (30, 1.1), (70, 1.35), sd=0.03)
    first, second, third = (
        update(case, None, sharp, prior, particles=24, seed=s) for s in (3, 3, 4)
    )
    assert first.resampled
    assert first.to_json() == second.to_json() != third.to_json()
    assert len(first.posterior.members) <= 32
    assert sum(m.weight for m in first.posterior.members) == pytest.approx(1.0)
    assert "Resampled" in first.report()


def test_a_patient_has_one_alpha() -> None:
    case = toy(**{"lesions.tumor.alpha_cv": 0.4})
    space = Space(ensemble_of(case, "radiobiology", size=4), volumes=False)
    assert space.spread == ("tumor",)
    scores = np.zeros(space.size)
    plain = space.patient(scores).instance.lesions[0]
    sd = math.sqrt(math.log(1.16))
    assert (plain.alpha_cv, plain.spread) == (0.0, False)
    assert plain.alpha_per_gy == pytest.approx(0.3 * math.exp(-0.5 * sd**2), rel=1e-5)
    scores[space.drawn] = 1.5
    scores[0] = ndtri(0.7)
    alpha = space.patient(scores).instance.lesions[0].alpha_per_gy
    scores[space.drawn] = 0.0
    assert alpha / space.patient(scores).instance.lesions[0].alpha_per_gy == pytest.approx(
        math.exp(1.5 * sd), rel=1e-5
    )


def test_observations_that_no_member_explains_are_refused_in_a_sentence() -> None:
    case = toy()
    with pytest.raises(InputError, match=r"ALC on day 8: 0.2 1e9/L: no member .* explains it"):
        update(case, None, counts((8, 0.2)), "radiobiology")
    odd = [Observation("ctdna", 0, 1e-3, 0.3), Observation("ctdna", 3, 1e-6, 0.3, seen=False)]
    with pytest.raises(InputError, match=r"ctDNA on day 3: below 1e-06 share: no member"):
        update(toy(**{"lesions.tumor.alpha_per_gy": 0.02, "allow_unusual": True}), None, odd,
               "radiobiology", particles=32)  # fmt: skip


def test_listed_members_that_collapse_are_said_to() -> None:
    case = toy()
    values = np.linspace(0.5, 3.0, 12)
    prior = listed(case, "lymphocytes.initial_1e9_per_l", values, np.ones(12))
    learned = update(case, None, counts((0, 1.2), sd=0.05), prior)
    assert learned.collapsed and not learned.resampled
    assert "cannot be moved" in learned.report()


def test_systematic_draws_and_effective_number() -> None:
    weights = np.array([0.5, 0.25, 0.25, 0.0])
    drawn = np.bincount(systematic(weights, 8, np.random.default_rng(0)), minlength=4)
    assert list(drawn) == [4, 2, 2, 0]
    assert effective(weights) == pytest.approx(1 / 0.375)
    assert choice_information(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize("name", errors.CONSTANTS)
def test_every_constant_lies_in_its_range_and_has_a_source(name: str) -> None:
    constant = errors.CONSTANTS[name]
    assert constant.low <= constant.value <= constant.high
    assert constant.source and constant.unit
    assert constant.status in ("verified", "derived", "recalled", "assumed")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "alc", "value": 1.0}, "needs a day"),
        ({"kind": "alc", "day": 5}, "value: neither: give value, or below"),
        ({"kind": "alc", "day": 5, "value": -1.0}, "greater than 0"),
        ({"kind": "alc", "day": 85, "value": 1.0}, "outside of the case"),
        ({"kind": "alc", "date": "2026-01-01", "value": 1.0}, "outside of the case"),
        ({"kind": "alc", "day": 5, "date": "2026-01-12", "value": 1.0}, "is 2026-01-10"),
        ({"kind": "alc", "day": 5, "value": 1200.0}, "at most 20 1e9/L"),
        ({"kind": "alc", "day": 5, "value": 1.2, "unit": "1e6/L"}, "must be one of"),
        ({"kind": "alc", "day": 5, "below": 1.2}, "only ctdna has a limit"),
        ({"kind": "alc", "day": 5, "value": 1.2, "lesion": "tumor"}, "of the patient"),
        ({"kind": "ctdna", "day": 5, "value": 0.1}, "needs one of ['share', '%']"),
        ({"kind": "volume", "day": 5, "value": 3.0}, "needs one of ['tumor']"),
        ({"kind": "volume", "day": 5, "value": 3.0, "lesion": "occult"}, "states volume_cm3"),
        ({"kind": "ldh", "day": 5, "value": 3.0}, "kind"),
        ({"kind": "alc", "day": 5, "value": 1.2, "sd": 0.1}, "sd"),
        ({"kind": "alc", "day": 5, "value": 1.2, "cv": 3.0}, "cv"),
    ],
)
def test_wrong_observations_are_named(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        observations_of([entry], toy())
    assert words in str(caught.value)


def test_the_same_measurement_twice_and_units() -> None:
    case = toy()
    row = {"kind": "ctdna", "day": 5, "value": 0.1, "unit": "%"}
    (observation,) = observations_of([row], case)
    assert observation.value == pytest.approx(1e-3) and observation.unit == "share"
    with pytest.raises(InputError, match="given twice"):
        observations_of([row, row], case)
