"""The study of the surrogate against the simulators, on a small case, and the page it writes."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from benchmark_scripts import script

from abscopt.instances import load, names
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.simulation.pooled import CHO
from abscopt.optimizer.simulation.terms import terms_of, without

ROOT = Path(__file__).parents[1]
CASE, NUMBER = "pulsar", 30
BLOCKS = ("random", "optima")


@pytest.fixture(scope="module")
def scripts() -> dict[str, ModuleType]:
    wanted = ("random_schedules", "surrogate_error", "surrogate_page", "simulated_optima")
    return {name: script(name) for name in wanted}


@lru_cache(maxsize=1)
def page() -> str:
    return (ROOT / "docs" / "surrogate.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    return page().partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]


def cases_in(text: str) -> set[str]:
    """Names in the first column of the tables."""
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `")]
    return {row.strip("`") for row in rows}


def test_sample_is_distinct_feasible_and_the_same_again(scripts: dict[str, ModuleType]) -> None:
    instance = load("resistance")
    sample = scripts["random_schedules"].sample
    drawn, again = (sample(instance, 40, 0) for _ in range(2))
    assert drawn.schedules == again.schedules
    assert len(set(drawn.schedules)) == 40 and not drawn.every
    assert sample(instance, 40, 1).schedules != drawn.schedules
    judge = Judge(instance)
    assert all(judge.evaluate(one).feasible for one in drawn.schedules)
    treated = {frozenset(f.lesion for f in one.fractions) for one in drawn.schedules}
    assert {frozenset(["large"]), frozenset(["small"])} <= treated


def test_sample_of_a_small_menu_is_all_of_it(scripts: dict[str, ModuleType]) -> None:
    drawn = scripts["random_schedules"].sample(load(CASE), 1000, 0)
    assert drawn.every and len(set(drawn.schedules)) == len(drawn.schedules) < 1000
    some = scripts["random_schedules"].sample(load(CASE), NUMBER, 0)
    assert not some.every and set(some.schedules) < set(drawn.schedules)


def test_sample_of_free_courses(scripts: dict[str, ModuleType]) -> None:
    instance = load("mixed-free")
    drawn = scripts["random_schedules"].sample(instance, 10, 0)
    judge = Judge(instance)
    assert len(set(drawn.schedules)) == 10 and drawn.rows is None
    assert all(judge.evaluate(one).feasible for one in drawn.schedules)
    free = [{f.dose_gy for f in one.fractions if f.lesion == "free"} for one in drawn.schedules]
    assert any(len(doses) > 1 for doses in free)


def test_study_of_a_small_case(scripts: dict[str, ModuleType]) -> None:
    found = scripts["surrogate_error"].study(CASE, NUMBER)
    assert found.schedules == NUMBER
    by_model = {one.model: one for one in found.studies}
    assert by_model["cho"].accepted == NUMBER
    assert by_model["icd"].chosen is None and by_model["icd"].refused
    for one in found.studies:
        for part in (one.effect, one.score):
            if part is None or part.tau is None:
                continue
            assert -1.0 <= part.tau <= 1.0 and -1.0 <= part.rho <= 1.0
            assert all(-2.0 <= change <= 2.0 for change in part.terms.values())
        if one.chosen is not None:
            assert one.chosen.regret >= 0.0 and one.chosen.random >= 0.0
            assert 0.0 <= one.chosen.percentile <= 100.0
            assert 0.0 < one.chosen.tied <= 1.0


def test_study_is_the_same_again(scripts: dict[str, ModuleType]) -> None:
    error, instance = scripts["surrogate_error"], load(CASE)
    once, again = (
        error.studied(error.run(instance, CHO, drawn), error.Surrogate(instance, drawn))
        for drawn in (scripts["random_schedules"].sample(instance, 12, 0) for _ in range(2))
    )
    assert once == again


def test_surrogate_is_the_judge_with_all_terms_and_with_none(
    scripts: dict[str, ModuleType],
) -> None:
    instance = load(CASE)
    drawn = scripts["random_schedules"].sample(instance, NUMBER, 0)
    bare = without(instance, *terms_of(instance))
    for case in (instance, bare):
        values = scripts["surrogate_error"].surrogate(case, drawn)
        judge = Judge(case)
        verdicts = [judge.evaluate(one) for one in drawn.schedules]
        assert all(len(column) == NUMBER for column in values.values())
        effect = [v.immune["systemic_effect_nats"][-1] for v in verdicts]
        assert np.allclose(values["effect"], effect)
        assert np.allclose(values["objective"], [v.objective for v in verdicts])
        assert np.allclose(values["nadir"], [v.lymphocytes["nadir_1e9_per_l"] for v in verdicts])


def test_choice_costs_nothing_where_the_orders_agree(scripts: dict[str, ModuleType]) -> None:
    chosen = scripts["surrogate_error"].chosen
    score = np.array([0.0, 1.0, 2.0, 4.0])
    best = chosen(score, score)
    assert (best.regret, best.percentile, best.random) == (0.0, 100.0, 2.5)
    worst = chosen(score, -score)
    assert (worst.regret, worst.percentile) == (4.0, 0.0)
    # Of equals in the surrogate, the worst.
    assert chosen(score, np.array([0.0, 0.0, 5.0, 5.0])).regret == 2.0
    assert chosen(np.ones(4), score).percentile == 50.0


def test_a_loss_is_explained(scripts: dict[str, ModuleType]) -> None:
    optima = scripts["simulated_optima"]
    found = optima.compared("partial-bulky")
    losses = [pair for pair in found.pairs if pair.outcome == "loss"]
    assert losses
    for pair in losses:
        assert pair.by < -0.01 and pair.exchanged is not None
        # A contradicted surrogate names terms or says that none explains it; no other loss does.
        assert (pair.terms is None) == (pair.surrogate_by <= 0.01)
        text = scripts["surrogate_page"]._loss(pair)
        assert all(text) and not any(math.isnan(value) for value in (pair.by, *pair.scores))


def test_refused_schedules_are_marked(scripts: dict[str, ModuleType]) -> None:
    found = scripts["simulated_optima"].compared("young-timing")
    beyond = {pair.model for pair in found.pairs if pair.beyond}
    assert {"kosinsky", "gonzalez-crespo"} <= beyond and "cho" not in beyond
    assert found.refused.get("icd")


def test_described_schedule(scripts: dict[str, ModuleType]) -> None:
    assert scripts["simulated_optima"].described(Schedule()) == "nothing"


@pytest.mark.parametrize("name", BLOCKS)
def test_every_base_case_is_on_the_page(name: str, scripts: dict[str, ModuleType]) -> None:
    shown = cases_in(block(name))
    assert shown <= set(names())
    assert set(scripts["surrogate_error"].study_cases()) <= shown


def test_every_case_left_out_says_why(scripts: dict[str, ModuleType]) -> None:
    studied = set(scripts["surrogate_error"].study_cases())
    left = {n for n in names() if n not in studied} - set(scripts["surrogate_error"].LATER)
    assert all(f"`{name}`" in page() for name in scripts["surrogate_error"].LATER)
    variants = {n for n in left if any(n.startswith(f"{base}-") for base in studied)}
    assert {n.partition("-")[0] for n in left - variants} == {"toy", "mr"}
    assert variants <= cases_in(block("optima"))


def test_page_has_notice_environment_and_figure() -> None:
    assert "not for clinical use" in page()
    assert all("Environment: " in block(name) for name in BLOCKS)
    assert "(surrogate.svg)" in page()
    assert 0 < (ROOT / "docs" / "surrogate.svg").stat().st_size < 300_000


def test_block_is_replaced_and_the_rest_stays(
    tmp_path: Path, scripts: dict[str, ModuleType]
) -> None:
    place = tmp_path / "page.md"
    place.write_text("a\n<!-- random: begin -->\nold\n<!-- random: end -->\nb\n", encoding="utf-8")
    replace_block = scripts["surrogate_page"].replace_block
    replace_block("random", ["new"], place)
    text = place.read_text(encoding="utf-8")
    assert text.startswith("a\n") and text.endswith("\nb\n")
    assert "new" in text and "old" not in text
    with pytest.raises(ValueError, match="marks"):
        replace_block("optima", [], place)
