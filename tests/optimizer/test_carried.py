"""State carried exactly: past and rest judged at once, and the rest from what the past left."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from binned_instances import binned_case
from histories import random_schedule
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral_terms import OFF, terms_of, without
from phased_cases import phased
from random_instances import random_case
from widened_instances import FURTHER, REPEATED, widened_case

from abscopt.instances.load import InputError, build
from abscopt.instances.schema import Instance
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.carried import Outlook, at_first, carry, go_on
from abscopt.optimizer.evaluation.observed import before_day
from abscopt.optimizer.evaluation.verdict import Evaluation
from abscopt.optimizer.schedule import Fraction, Schedule

Raw = dict[str, Any]
CLOSE = 1e-10
TERMS = sorted(term for term in OFF if not term.startswith("soft "))  # what uses cost is no state
SEEDS = (*range(26), *range(REPEATED, REPEATED + 4), *range(FURTHER, FURTHER + 10))


def history(instance: Instance, rng: np.random.Generator) -> Schedule:
    """A schedule of the case, some of it with other doses or days than any menu has."""
    schedule = random_schedule(instance, rng)
    fractions: list[Fraction] = []
    for f in schedule.fractions:
        later = int(rng.integers(0, 3)) if rng.random() < 0.3 else 0
        dose = f.dose_gy * (rng.uniform(0.5, 1.5) if rng.random() < 0.3 else 1.0)
        if f.slot == 0 and f.day + later < instance.days:
            fractions.append(Fraction(f.day + later, f.lesion, dose, 0, f.technique))
        else:
            fractions.append(Fraction(f.day, f.lesion, dose, f.slot, f.technique))
    places = {(f.day, f.lesion, f.slot): f for f in fractions}
    return Schedule.of(places.values(), schedule.infusions)


def differences(judged: Evaluation, outlook: Outlook) -> list[str]:
    """What two verdicts disagree on, relative to what is of the size of 1 or more."""
    found = []

    def compare(what: str, value: float | None, other: float | None) -> None:
        if value is None or other is None:
            if value is not other:
                found.append(f"{what}: {value} and {other}")
        elif not math.isclose(value, other, rel_tol=CLOSE, abs_tol=CLOSE):
            found.append(f"{what}: {value!r} and {other!r}")

    compare("objective", judged.objective, outlook.objective)
    for raw, nats in zip(
        judged.immune["unsaturated_effect_nats"], outlook.unsaturated_nats, strict=True
    ):
        compare("effect", raw, nats)
    for lesion, after in zip(judged.lesions, outlook.lesions, strict=True):
        for key in ("fractions", "dose_gy", "bed_gy", "tumor_bed_gy", "lymphocyte_factor"):
            compare(f"{lesion.name} {key}", getattr(lesion, key), getattr(after, key))
        for u, v in zip(lesion.log_burden, after.log_burden, strict=True):
            compare(f"{lesion.name} burden", u, v)
        for clone, same in zip(lesion.clone_log_burden, after.clone_log_burden, strict=True):
            for u, v in zip(clone, same, strict=True):
                compare(f"{lesion.name} clone", u, v)
        assert lesion.credited == after.credited
    uses = {use.name: use for use in judged.limits if use.kind != "one_plan"}
    assert list(uses) == [use.name for use in outlook.limits]
    for use in outlook.limits:
        compare(f"{use.name} value", uses[use.name].value, use.value)
        compare(f"{use.name} use", uses[use.name].use, use.use)
        assert uses[use.name].kept == use.kept
    return found


def agree(instance: Instance, schedule: Schedule, *days: int) -> list[str]:
    """Differences where the state is carried from one of some days to the next."""
    carried = at_first(instance)
    for day in days:
        given_then = before_day(_from(schedule, carried.today), day)
        carried = carry(instance, carried, given_then, day)
    judged = Judge(instance.unchecked({"delivered": None})).evaluate(schedule)
    return differences(judged, go_on(instance, carried, _from(schedule, carried.today)))


def _from(schedule: Schedule, day: int) -> Schedule:
    return Schedule(
        tuple(f for f in schedule.fractions if f.day >= day),
        tuple(i for i in schedule.infusions if i.day >= day),
    )


@cache
def drawn() -> list[tuple[Raw, list[str]]]:
    """Random cases with the terms that each has."""
    raws = [widened_case(seed) for seed in SEEDS]
    return [(raw, terms_of(raw)) for raw in raws]


def has(raw: Raw, term: str) -> bool:
    return without(raw, term) != raw


def alone(raw: Raw, terms: list[str], term: str) -> Raw:
    """A case with one term only, of those that it can lose without it."""
    for other in terms:
        if other != term and has(less := without(raw, other), term):
            raw = less
    return raw


@pytest.mark.parametrize("term", TERMS)
def test_each_term_by_itself(term: str) -> None:
    cases = [(seed, *case) for seed, case in enumerate(drawn()) if term in case[1]]
    assert cases, term
    for seed, raw, terms in cases[:2]:
        try:
            instance = build(alone(raw, terms, term))
        except InputError:  # something that is left needs what was left out
            instance = build(raw)
        rng = np.random.default_rng([181, seed])
        schedule = history(instance, rng)
        today = int(rng.integers(0, instance.days))
        assert not agree(instance, schedule, today), (term, seed, today)


@settings(max_examples=60)
@given(
    st.sampled_from([random_case, widened_case]),
    st.one_of(st.integers(0, 60), st.integers(FURTHER, FURTHER + 60)),
    st.integers(0, 2**20),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_all_terms_together_on_random_histories(
    make: Any, seed: int, draw: int, first: float, second: float
) -> None:
    instance = build(make(seed))
    schedule = history(instance, np.random.default_rng([182, draw]))
    days = sorted(int(share * (instance.days - 1)) for share in (first, second))
    assert not agree(instance, schedule, *days)


@pytest.mark.parametrize("seed", range(6))
def test_phases_and_bins(seed: int) -> None:
    rng = np.random.default_rng([183, seed])
    raw = phased(random_case(seed), seed)
    binned = binned_case(seed)
    for case in (raw, *([binned] if binned is not None else [])):
        instance = build(case)
        schedule = history(instance, rng)
        assert not agree(instance, schedule, int(rng.integers(0, instance.days)))


def test_days_outside_are_refused_and_a_state_says_what_is_left() -> None:
    instance = build(random_case(3))
    schedule = history(instance, np.random.default_rng(3))
    day = max(f.day for f in schedule.fractions)
    with pytest.raises(ValueError, match="are not from"):
        carry(instance, at_first(instance), schedule, day)
    carried = carry(instance, at_first(instance), before_day(schedule, day), day)
    judge = Judge(instance)
    for lesion, left in zip(instance.lesions, carried.lesions, strict=True):
        early = before_day(schedule, day).course(lesion.name)
        assert left.fractions == len(early)
        if early:
            assert (left.first_day, left.last_day) == (early[0][0], early[-1][0])
    effects = judge.lesion_effects(before_day(schedule, day))
    for effect, left in zip(effects, carried.lesions, strict=True):
        if day > 0:
            assert float(left.immune.effectors) == pytest.approx(effect.effectors[day - 1])
            assert float(left.immune.precursors) == pytest.approx(effect.precursors[day - 1])
