"""Likelihood of published effects: by hand, one weight per cohort, each cohort from the others."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from abscopt.instances.evidence import Effect, Finding, findings
from abscopt.optimizer.evidence.likelihood import (
    Comparison,
    comparisons,
    constant,
    fit,
    fits,
    left_out,
    weights,
)
from abscopt.optimizer.evidence.score import Scored

RAW: dict[str, Any] = json.loads(
    next(f for f in findings() if f.id == "i-sabr-2023-nivolumab").model_dump_json()
)


def compared(
    cohort: str, log_value: float, error: float, predicted: float = 0.0, sign: int = 1
) -> Comparison:
    finding = Finding.model_validate_json(json.dumps(RAW | {"cohort": cohort}))
    half = 1.959963984540054 * error
    effect = Effect.model_validate(
        {
            "of": "a",
            "against": "b",
            "kind": "difference",
            "value": log_value,
            "interval": (log_value - half, log_value + half),
            "endpoint": "PFS",
            "status": "verified",
            "randomized": True,
        }
    )
    return Comparison(finding, effect, predicted, sign)  # type: ignore[arg-type]


def test_patients_of_one_cohort_count_once() -> None:
    """Three comparisons of a cohort weigh as one of another: by hand."""
    made = [compared("a", 0.3, 0.1)] * 3 + [compared("b", 0.5, 0.2)]
    np.testing.assert_allclose(weights(made), [1 / 3, 1 / 3, 1 / 3, 1])
    found = fit(made, np.full(4, 0.1))
    square = (0.2 / 0.1) ** 2, (0.4 / 0.2) ** 2
    assert found.chi_square == pytest.approx(sum(square))
    by_hand = -0.5 * sum(square) - math.log(0.1 * 0.2) - math.log(2 * math.pi)
    assert found.log_likelihood == pytest.approx(by_hand)


def test_a_cohort_is_predicted_from_the_others() -> None:
    made = [compared("a", 0.3, 0.1), compared("a", 9.0, 0.1), compared("b", 0.5, 0.1)]
    predictions = left_out(made, np.array([1.0, 1.0, 1.0]))
    np.testing.assert_allclose(predictions, [0.5, 0.5, (0.3 + 9.0) / 2])
    np.testing.assert_allclose(left_out(made[:1], np.ones(1)), [0.0])


def test_the_constant_knows_which_arm_has_more() -> None:
    made = [
        compared("a", 0.2, 0.1, sign=1),
        compared("b", -0.2, 0.1, sign=-1),
        compared("c", 0.9, 0.1, sign=0),
    ]
    assert constant(made) == pytest.approx(0.2)
    assert fits(made)["constant"].chi_square == pytest.approx(81.0)
    assert fits(made)["no_effect"].chi_square == pytest.approx(4.0 + 4.0 + 81.0)


def test_a_wrong_size_is_less_likely_though_its_sign_is_right() -> None:
    near, far = compared("a", 0.2, 0.1, 0.25), compared("a", 0.2, 0.1, 3.0)
    assert near.inside and not far.inside
    assert fits([near])["model"].log_likelihood > 300 + fits([far])["model"].log_likelihood


def scored_with(finding: dict[str, Any] | None = None, **changes: object) -> list[Scored]:
    """I-SABR with one effect and other changes, scored as the model would."""
    effect = {
        "of": "12.5x4+nivolumab",
        "against": "12.5x4",
        "kind": "hazard_ratio",
        "value": 0.38,
        "interval": [0.19, 0.75],
        "endpoint": "EFS",
        "status": "verified",
        "randomized": True,
    } | changes
    made = Finding.model_validate_json(json.dumps(RAW | {"effects": [effect]} | (finding or {})))
    sizes = np.array([1.0, 2.0]), np.array([0.5, 0.9])
    measures = dict(zip(made.arms, sizes, strict=True))
    return [Scored(made, "reproduced", "reproduced", measures)]


def test_only_randomized_effects_that_were_read_count() -> None:
    (one,) = comparisons(scored_with())
    assert one.predicted == pytest.approx((0.5 + 1.1) / 2)
    assert one.sign == 1
    (turned,) = comparisons(scored_with(of="12.5x4", against="12.5x4+nivolumab"))
    assert (turned.sign, turned.predicted) == (-1, pytest.approx(-0.8))
    assert comparisons(scored_with(randomized=False)) == []
    assert comparisons(scored_with(status="recalled")) == []


def test_local_treatment_is_kept_apart() -> None:
    """What is visible irradiated in one arm only, or irradiated lesions read."""
    arms = {"more": RAW["arms"]["12.5x4"], "less": {}}
    changes = {"arms": arms, "expected": ["more > less"]}
    setting = RAW["setting"]
    for lesions, endpoint, local in (
        (["primary", "occult"], "survival", True),
        (["primary", "distant"], "survival", False),
        (["primary", "distant"], "all_lesions", True),
    ):
        made = changes | {"setting": setting | {"lesions": lesions, "endpoint": endpoint}}
        (one,) = scored_with(of="more", against="less", finding=made)
        assert len(comparisons([one], local=True)) == local
        assert len(comparisons([one])) == (not local)
