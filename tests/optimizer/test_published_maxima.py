"""Tables whose limit(n)/n does not fall: looked up for one course, a safe envelope elsewhere."""

from __future__ import annotations

import random

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from plain_cases import Raw, lesion, limit, plain_case, uniform

from abscopt.instances.checks.audit import input_notes
from abscopt.instances.load import build
from abscopt.models.organs import toxicity
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

RTOG = {
    "cord": ((1, 3, 4, 5), (14.0, 18.0, 26.0, 30.0)),
    "ribs": ((1, 3, 4), (30.0, 30.0, 40.0)),
    "skin": ((1, 3, 4, 5), (26.0, 24.0, 36.0, 32.0)),
}
"""Protocol maxima of RTOG 0618, 0915 and 0813 (verified-secondary)."""


def table(name: str, **fields: object) -> Raw:
    fractions, limits = RTOG[name]
    return limit("dose_by_fractions", name, organ=name, fractions=list(fractions),
                 limits_gy=list(limits), **fields)  # fmt: skip


def published(name: str, count: int, dose: float) -> bool:
    """Whether a row of the table allows a course of equal fractions to the organ."""
    fractions, limits = RTOG[name]
    return count * dose <= dict(zip(fractions, limits, strict=True))[count] * (1 + 1e-9)


def alone(factors: dict[str, float], counts: list[int], **more: object) -> Raw:
    doses = {"min_gy": 6, "max_gy": 30, "step_gy": 0.5}
    course = {"form": "uniform", "fractions": counts, "doses_gy": doses, "interval_days": [2]}
    sparing = {name: {"max": factor} for name, factor in factors.items()}
    return plain_case([lesion("lung", course=course, sparing=sparing)],
                      [table(name) for name in factors], horizon_days=[60], **more)  # fmt: skip


def test_the_best_course_that_published_rows_allow() -> None:
    factors = {"cord": 0.4, "ribs": 0.7, "skin": 0.5}
    result = solve(build(alone(factors, [1, 3, 4])), gap=1e-6, time_limit=60)
    beds = {
        (count, dose): count * dose * (1 + dose / 10)
        for count in (1, 3, 4)
        for dose in np.arange(6, 30.5, 0.5).tolist()
        if all(published(name, count, factor * dose) for name, factor in factors.items())
    }
    best = max(beds, key=lambda course: beds[course])
    assert best == (4, 14.0)
    assert [f.dose_gy for f in result.schedule.fractions] == [14.0] * 4
    assert result.objective == pytest.approx(134.4)
    ribs = next(use for use in result.evaluation.limits if use.name == "ribs")
    assert ribs.use == pytest.approx(39.2 / 40)


@pytest.mark.parametrize("name", RTOG)
def test_what_the_envelope_allows_every_row_allows(name: str) -> None:
    fractions, limits = RTOG[name]
    safe = toxicity.safe_table(fractions, limits)
    assert toxicity.falls(*safe)
    least = np.inf
    for i, (count, cap) in enumerate(zip(fractions, limits, strict=True)):
        least = min(least, min(limits[i:]) / count)
        for dose in np.linspace(0.2, 1.3, 400) * cap / count:
            allowed = count * float(toxicity.miner_fraction(dose, *safe)) <= 1 + 1e-9
            assert not allowed or published(name, count, float(dose) / (1 + 1e-8))
        assert count * float(toxicity.miner_fraction(least, *safe)) <= 1 + 1e-9  # none is larger


def test_tables_that_fall_are_as_they_were() -> None:
    fractions, limits = (1, 3, 5), (14.0, 21.9, 30.0)
    assert toxicity.safe_table(fractions, limits) == (fractions, limits)


def test_limits_between_rows_and_beyond() -> None:
    counts = [1, 2, 3, 4, 5, 8]
    assert toxicity.limit_of(counts, *RTOG["skin"]).tolist() == [26, 24, 24, 36, 32, 32]
    assert float(toxicity.limit_of(2, (3, 5), (10.0, 12.0))) == 0


OTHER = {
    "another lesion": {"second": 0.1},
    "prior dose": {"prior_doses": [
        {"organ": "cord", "point": "max", "fractions": 1, "dose_gy": 0.1, "source": "test"}]},
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER)
def test_elsewhere_the_envelope_counts(what: str) -> None:
    raw = alone({"cord": 1.0}, [4])
    four = Schedule(tuple(Fraction(2 * i, "lung", 6.4) for i in range(4)))
    assert Judge(build(raw)).evaluate(four).limits[0].use == pytest.approx(25.6 / 26)
    more = dict(OTHER[what])
    if "second" in more:
        factor = more.pop("second")
        other = lesion("b", course=uniform([1], [6.0]), sparing={"cord": {"max": factor}})
        raw["lesions"] = [*raw["lesions"], other]
    case = build(raw | more)
    assert not Judge(case).evaluate(four).limits[0].kept  # 6.4 > 18 / 3
    noted = [note for note in input_notes(case) if note.kind == "envelope"]
    assert len(noted) == 1 and "14/18/24/30 Gy in 1/3/4/5" in noted[0].text
    assert not any(
        note.kind == "envelope" for note in input_notes(build(alone({"cord": 1.0}, [4])))
    )


def test_unequal_fractions_count_by_the_envelope() -> None:
    doses = (6.4, 6.4, 6.4, 6.3)
    unequal = Schedule(tuple(Fraction(2 * i, "lung", dose) for i, dose in enumerate(doses)))
    assert not Judge(build(alone({"cord": 1.0}, [4]))).evaluate(unequal).limits[0].kept


def drawn(seed: int) -> Raw:
    """A lesion at a table that does not fall, one beside it, which may reach the organ too."""
    rng = random.Random(seed)
    fractions = [1, 2, 3, 4]
    limits = [float(rng.randint(8, 24)) for _ in fractions]
    factors = [rng.choice([0.5, 1.0]), rng.choice([0.0, 0.0, 0.3])]
    lesions = [
        lesion(name, weight=rng.choice([1, 2]), sparing={"cord": {"max": factor}},
               course=uniform(rng.sample(fractions, 3), rng.sample([3, 5, 6, 8, 10, 12], 3),
                              last_start_day=rng.choice([0, 1])))
        for name, factor in zip("ab", factors, strict=True)
    ]  # fmt: skip
    rule = limit("dose_by_fractions", "maxima", organ="cord", fractions=fractions, limits_gy=limits)
    if seed % 5 == 4:
        rule["penalty"] = 1.5
    limits_of_case = [rule]
    if seed % 3 == 0:
        limits_of_case.append(limit("logistics", "both", quantity="lesions", floor=2))
    kind = rng.choice(["tumor_bed", "log_control", "default"])
    return plain_case(lesions, limits_of_case, horizon_days=[12], objective=kind)


@pytest.mark.parametrize("seed", range(20))
def test_random_cases_are_solved_as_by_enumeration(seed: int) -> None:
    instance = build(drawn(seed))
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert agrees(solve(instance, gap=1e-4, time_limit=60), best, 1e-4)
    if seed % 10 == 0:
        assert agrees(solve(instance, gap=1e-3, method="single", time_limit=60), best, 1e-3)


def test_a_lesion_that_only_more_fractions_let_in_is_not_excluded() -> None:
    # 3 x 6.2 Gy is beyond 18 Gy, 4 x 6.2 Gy within 26 Gy
    course = uniform([3, 4], [6.2])
    raw = plain_case([lesion(course=course, sparing={"cord": {"max": 1.0}})], [table("cord")],
                     horizon_days=[12])  # fmt: skip
    result = solve(build(raw), gap=1e-4, time_limit=60)
    assert len(result.schedule.fractions) == 4
    assert not any(note.kind == "fails_alone" for note in result.notes)
