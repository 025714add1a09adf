"""The studies that fit sizes and write ensembles: their shortcuts give what the long way gives."""

from __future__ import annotations

import tomllib
from types import ModuleType

import numpy as np
import pytest
from benchmark_scripts import script

from abscopt.instances.tables.immune import Immune
from abscopt.optimizer.evidence.likelihood import comparisons
from abscopt.optimizer.evidence.score import scored
from abscopt.optimizer.evidence.settings import default_constants, times_of_patients


@pytest.fixture(scope="module")
def studies() -> dict[str, ModuleType]:
    return {name: script(name) for name in ("evidence_fit", "evidence_sets", "ensemble")}


def test_tables_over_the_effect_give_the_sizes_of_changed_constants(
    studies: dict[str, ModuleType],
) -> None:
    changed = default_constants().model_copy(
        update={"release_factor": 0.5, "effect_per_effector": 0.15}
    )
    sizes = studies["evidence_fit"].Sizes("training")
    other = changed.model_copy(update={"effect_per_effector": 0.05})
    spread = times_of_patients()["effect_spread"]
    short = sizes.compared(sizes.effects(other), 3.0, spread)
    results = scored(changed, only=[one.finding.id for one in short])
    long = [*comparisons(results), *comparisons(results, local=True)]
    assert [one.finding.id for one in short] == [one.finding.id for one in long]
    found, expected = ([one.predicted for one in many] for many in (short, long))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_profile_says_where_it_is_not_bounded(studies: dict[str, ModuleType]) -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = studies["evidence_fit"].profile(values, np.array([-9.0, -1.0, 0.0, -1.5]), 4.0)
    assert found["best"] == 3.0
    assert found["interval"] == [2.0, 4.0] and found["interval_bounded"] == [True, False]
    assert found["dispersed"] == [2.0, 4.0]
    wider = studies["evidence_fit"].profile(values, np.array([-9.0, -1.0, 0.0, -1.5]), 5.0)
    assert wider["dispersed"] == [1.0, 4.0] and wider["dispersed_bounded"] == [False, False]


def test_sets_fill_their_ranges_and_are_the_same_again(studies: dict[str, ModuleType]) -> None:
    module = studies["evidence_sets"]
    sets = module.drawn(16, 0)
    assert sets == module.drawn(32, 0)[:16] != module.drawn(16, 1)
    for name, ends in module.RANGES.items():
        values = [one[name] for one in sets]
        assert ends.low - 1e-6 <= min(values) <= max(values) <= ends.high
        assert len({round(float(value), 9) for value in values}) >= min(4, len(values))
    assert all(isinstance(module.immune_of(one), Immune) for one in sets)


def test_members_follow_the_weights_and_leave_immunity_off(studies: dict[str, ModuleType]) -> None:
    """Sets of no weight are never drawn; signs are a third each; factors have median 1."""
    module = studies["ensemble"]
    sets = studies["evidence_sets"].drawn(4, 0)
    members = module.members(sets, np.array([0.0, 0.25, 0.75, 0.0]), 64)
    drawn = [one["set"]["immune.gate_low_gy"] for one in members]
    counts = [drawn.count(one["gate_low_gy"]) for one in sets]
    assert counts == [0, 16, 48, 0]
    signs = [one["set"]["immune.preblockade_sign"] for one in members]
    assert all(18 <= signs.count(sign) <= 24 for sign in (-0.5, 0, 1))
    assert not any("effect_per_effector" in key for one in members for key in one["set"])
    for name, spread in (("alpha_per_gy", 0.2), ("growth_doubling_time_days", 0.7)):
        factors = np.log([one["times"][f"lesions.*.{name}"] for one in members])
        assert abs(float(np.median(factors))) < 0.05 * spread
        assert float(factors.std()) == pytest.approx(spread, rel=0.1)


def test_an_ensemble_is_written_as_it_is(studies: dict[str, ModuleType]) -> None:
    module = studies["ensemble"]
    members = module.members(studies["evidence_sets"].drawn(2, 0), np.array([0.5, 0.5]), 4)
    said = {"requirements_met": 1, "sets": 2, "effective_number": 1.0}
    read = tomllib.loads(module.text_of(4, said, members))["plausible-4"]
    assert read["members"] == members
    assert {"title", "source", "status", "note"} <= set(read)
