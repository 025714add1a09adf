"""Ensembles: draws against closed forms, members as cases of their own, what is refused."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from abscopt.instances import InputError, load
from abscopt.instances.changes.change import Change
from abscopt.instances.changes.values import values_at
from abscopt.instances.load import library
from abscopt.instances.tables.ensemble import Spread
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.draws import Draws, quantile
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.ensemble.written import members_csv, write_members
from abscopt.optimizer.evaluation import evaluate
from abscopt.optimizer.results.result import instance_digest
from abscopt.optimizer.schedule import standard_schedule

SOURCE = {"source": "test", "status": "assumed"}
FOUR = load("oligomet-4")
ALPHAS = [f"lesions.{name}.alpha_per_gy" for name in ("lung", "liver", "adrenal")]
WRONG = [{"keys": ["a", "b"], "value": 1}]
IMPOSSIBLE = [{"keys": list(pair), "value": -0.9} for pair in combinations(ALPHAS, 2)]


def drawn(case: Any = FOUR, **stated: Any) -> Ensemble:
    """Ensemble of a case that states it."""
    return ensemble_of(case.with_({"ensemble": SOURCE | stated}))


def vary(key: str, **numbers: Any) -> dict[str, Any]:
    """One key that is drawn, lognormal unless stated."""
    return {"key": key, "distribution": "lognormal", "median": 1, "sigma": 0.2} | numbers


def alphas(ensemble: Ensemble) -> Any:
    """Log factors of alpha, (members, lesions)."""
    lesions = [
        [lesion.alpha_per_gy for lesion in instance.lesions] for instance in ensemble.instances
    ]
    stated = np.array([lesion.alpha_per_gy for lesion in FOUR.lesions])
    return np.log(np.array(lesions) / stated)


@pytest.mark.parametrize(
    ("numbers", "truth"),
    [
        ({"distribution": "lognormal", "median": 2, "sigma": 0.4}, stats.lognorm(0.4, scale=2)),
        ({"distribution": "normal", "mean": 3, "sd": 0.5}, stats.norm(3, 0.5)),
        (
            {"distribution": "normal", "mean": 3, "sd": 0.5, "low": 2.8, "high": 4},
            stats.truncnorm(-0.4, 2, 3, 0.5),
        ),
        ({"distribution": "uniform", "low": 1, "high": 4}, stats.uniform(1, 3)),
        ({"distribution": "loguniform", "low": 1, "high": 4}, stats.loguniform(1, 4)),
    ],
)
def test_quantiles_are_those_of_the_distributions(numbers: dict[str, Any], truth: Any) -> None:
    spread = Spread.model_validate({"key": "x", **numbers})
    for share in (0.001, 0.1, 0.5, 0.77, 0.999):
        assert quantile(spread, share) == pytest.approx(truth.ppf(share), rel=1e-9)


def test_a_lognormal_is_cut_off_where_it_says() -> None:
    spread = Spread(key="x", distribution="lognormal", median=1, sigma=1, low=0.5, high=2)
    values = [quantile(spread, share) for share in np.linspace(0, 1, 101)]
    assert min(values) == pytest.approx(0.5)
    assert max(values) == pytest.approx(2)
    assert values[50] == pytest.approx(1)
    assert values == sorted(values)


def test_moments_and_correlation_between_lesions() -> None:
    ensemble = drawn(size=256, vary=[vary("lesions.*.alpha_per_gy", between_lesions=0.5)])
    logs = alphas(ensemble)
    np.testing.assert_allclose(logs.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(logs.std(axis=0), 0.2, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(logs.T)[np.triu_indices(5, 1)], 0.5, atol=0.05)
    common = alphas(drawn(size=8, vary=[vary("lesions.*.alpha_per_gy")]))
    np.testing.assert_allclose(common, common[:, :1] * np.ones(5), atol=1e-5)  # six digits


@pytest.mark.parametrize("rho", [0.0, 0.4, 1.0])
def test_correlated_keys(rho: float) -> None:
    keys = ["lesions.*.alpha_per_gy", "lesions.*.growth_doubling_time_days"]
    ensemble = drawn(
        size=256,
        vary=[vary(key, between_lesions=rho) for key in keys],
        correlations=[{"keys": keys, "value": -0.7}],
    )
    alpha = alphas(ensemble)
    growth = np.log(
        [[x.growth_doubling_time_days for x in i.lesions] for i in ensemble.instances]  # type: ignore[misc]
    )
    within = [np.corrcoef(alpha[:, i], growth[:, i])[0, 1] for i in range(5)]
    np.testing.assert_allclose(within, -0.7, atol=0.05)
    across = np.corrcoef(alpha[:, 0], growth[:, 1])[0, 1]
    assert across == pytest.approx(-0.7 * rho, abs=0.06)


def test_members_are_the_same_every_time_and_differ_by_seed() -> None:
    first = ensemble_of(FOUR, "radiobiology", size=4)
    assert members_csv(first) == members_csv(ensemble_of(FOUR, "radiobiology", size=4))
    assert members_csv(first) != members_csv(ensemble_of(FOUR, "radiobiology", size=4, seed=1))
    longer = ensemble_of(FOUR, "radiobiology", size=6)
    shorter = ensemble_of(FOUR, "radiobiology", size=5)
    assert [m.changes for m in longer.members[:5]] == [m.changes for m in shorter.members]
    np.testing.assert_allclose(shorter.weights, 0.2)
    assert shorter.instances[0].ensemble is None


def test_choices_take_shares_of_the_members_and_factors_act_on_them() -> None:
    options = [
        {"name": "as-stated", "weight": 1},
        {"name": "off", "weight": 2, "set": {"immune.use": "off"}},
        {"name": "strong", "weight": 1, "times": {"immune.effect_per_effector": 2}},
    ]
    ensemble = drawn(
        size=64,
        choices=[{"name": "immunity", "options": options}],
        vary=[vary("immune.effect_per_effector", distribution="uniform", low=0.999, high=1.001,
                   median=None, sigma=None)],
    )  # fmt: skip
    effects = np.array([i.immune.effect_per_effector for i in ensemble.instances])
    assert np.sum(effects == 0) == 32
    assert np.sum(np.isclose(effects, 0.06, rtol=2e-3)) == 16
    assert np.sum(np.isclose(effects, 0.12, rtol=2e-3)) == 16


def test_listed_members_have_their_weights() -> None:
    ensemble = drawn(
        members=[
            {"name": "slow", "weight": 3, "set": {"lesions.*.growth_doubling_time_days": 400}},
            {"name": "fast", "times": {"lesions.*.growth_doubling_time_days": 0.5}},
        ]
    )
    assert [member.name for member in ensemble.members] == ["slow", "fast"]
    np.testing.assert_allclose(ensemble.weights, [0.75, 0.25])
    assert ensemble.members[0].changes == (
        Change(("lesions", "*", "growth_doubling_time_days"), 400),
    )
    days = [i.lesions[0].growth_doubling_time_days for i in ensemble.instances]
    assert days == [400, 0.5 * FOUR.lesions[0].growth_doubling_time_days]


DRAWN = sorted(name for name, entry in library("ensembles").items() if "vary" in entry)
LISTED = sorted(name for name, entry in library("ensembles").items() if "members" in entry)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("case", ["oligomet-4", "stage3-crt", "toy-blockade", "pulsar"])
def test_library_ensembles_fit_every_kind_of_case(name: str, case: str) -> None:
    ensemble = ensemble_of(load(case), name, size=2)
    assert len({instance_digest(i) for i in ensemble.instances}) == 2
    for member in ensemble.members:
        for change in member.changes:
            ((_, value),) = values_at(member.instance, change.path)
            assert value == change.value


@pytest.mark.parametrize("case", ["oligomet-4", "toy-blockade", "toy-fractionation", "toy-free-20"])
def test_listed_ensembles_fit_every_kind_of_case(case: str) -> None:
    """All members differ, and where immunity is off it stays off."""
    ensemble = ensemble_of(load(case), "plausible-20")
    assert len({instance_digest(i) for i in ensemble.instances}) == len(ensemble.members) == 20
    off = ensemble.case.immune.effect_per_effector == 0.0
    assert all((i.immune.effect_per_effector == 0.0) == off for i in ensemble.instances)


def test_listed_ensembles_are_as_many_as_they_say_and_ask_all_signs() -> None:
    assert set(LISTED) >= {"plausible-20", "plausible-100"}
    for name in ("plausible-20", "plausible-100"):
        members = library("ensembles")[name]["members"]
        assert len(members) == int(name.rpartition("-")[2])
        signs = [member["set"]["immune.preblockade_sign"] for member in members]
        assert all(signs.count(sign) >= len(members) // 4 for sign in (-0.5, 0, 1))


def test_of_listed_members_no_other_number_is_drawn() -> None:
    case = load("toy-blockade")
    whole = ensemble_of(case, "plausible-20")
    assert members_csv(ensemble_of(case, "plausible-20", size=20)) == members_csv(whole)
    with pytest.raises(InputError, match=r"ensemble plausible-20: size: 5: lists its 20 members"):
        ensemble_of(case, "plausible-20", size=5)
    with pytest.raises(InputError, match=r"plausible-20: seed: 3: lists its 20 members"):
        ensemble_of(case, "plausible-20", seed=3)
    stating = case.with_({"ensemble": {"use": "plausible-20", "size": 5}})
    with pytest.raises(InputError, match=r"size: 5: lists its 20 members, none is drawn"):
        ensemble_of(stating)


def test_every_value_of_the_library_has_a_source() -> None:
    for entry in library("ensembles").values():
        for part in (*entry.get("vary", ()), *entry.get("choices", ())):
            assert part["source"]
            assert part["status"]


def test_members_can_be_solved_and_judged_alone(tmp_path: Path) -> None:
    ensemble = ensemble_of(load("toy-blockade"), "radiobiology", size=3)
    files = write_members(ensemble, str(tmp_path / "members"))
    assert [path.name for path in files] == [
        *(f"toy-blockade-m{i}.toml" for i in (1, 2, 3)),
        "members.csv",
    ]
    for path, member in zip(files, ensemble.members, strict=False):
        case = load(path)
        assert case.name == path.stem
        schedule = standard_schedule(case)
        assert schedule is not None
        assert evaluate(case, schedule).objective == (evaluate(member.instance, schedule).objective)
        texts = {str(change) for change in member.changes}
        assert texts <= set(case.changes or ())


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ({"vary": [vary("lesions.*.alpha_per_gi")]}, "the case states no such value"),
        ({"vary": [vary("lesions.*.reoxygenation_days")]}, "the case states no such value"),
        ({"vary": [vary("lesions.*.organ")]}, "must be a number to be drawn"),
        ({"vary": [vary("lesions.lung.weight")]}, "what may be chosen or what is wanted"),
        ({"vary": [vary("lesions.lung.course.last_start_day")]}, "what is wanted (lesions)"),
        ({"vary": [vary("lesions.lung.alpha_per_gy", of="value", median=40)]}, "ensemble member m"),
        ({"vary": [vary("lesions.lung.alpha_per_gy", sigma=None)]}, "needs median and sigma"),
        ({"vary": [vary("lesions.lung.alpha_per_gy", mean=2)]}, "mean does not belong"),
        ({"vary": [vary("lesions.lung.alpha_per_gy", between_lesions=0)]}, "goes with a *"),
        ({"vary": [vary("lesions.lung.alpha_per_gy")] * 2}, "must be unique"),
        ({}, "give members, or vary and choices"),
        ({"use": "radiobilogy"}, "did you mean 'radiobiology'?"),
        ({"vary": [vary("lesions.lung.weight")], "correlations": WRONG}, "two different keys"),
        ({"vary": [vary(key) for key in ALPHAS], "correlations": IMPOSSIBLE}, "these correlations"),
    ],
)  # fmt: skip
def test_wrong_ensembles_are_refused(stated: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        drawn(size=2, **stated)
    assert any(line in str(problem) for problem in caught.value.problems), str(caught.value)


def test_keys_that_a_case_lacks_may_be_left_out() -> None:
    ensemble = drawn(
        size=2,
        vary=[
            vary("lesions.*.alpha_per_gy"),
            vary("lesions.*.reoxygenation_days", if_stated=True),
        ],
        choices=[
            {
                "name": "drug",
                "if_stated": True,
                "options": [{"name": "a"}, {"name": "b", "times": {"drugs.x.sign": 2}}],
            }
        ],
    )
    assert set(ensemble.left_out) == {"lesions.*.reoxygenation_days", "drug"}


def test_dimensions_of_the_cube() -> None:
    case = FOUR.with_({"ensemble": {"use": "radiobiology"}})
    assert case.ensemble is not None
    draws = Draws(FOUR, case.ensemble)
    labels = [dimension.label(case.ensemble) for dimension in draws.dimensions]
    assert labels[:3] == [
        "lesions.*.alpha_per_gy", "lesions.*.alpha_per_gy (lung)", "lesions.*.alpha_per_gy (liver)",
    ]  # fmt: skip
    assert len(labels) == len(set(labels)) == 6 + 1 + 6 + 1
    median = {c.key: c.value for c in draws.changes(np.full(len(labels), 0.5))}
    assert median["lesions.lung.alpha_per_gy"] == FOUR.lesions[0].alpha_per_gy
