"""Published effects on one scale: sign, interval, counts, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from abscopt.instances.evidence import Effect

STATED: dict[str, Any] = {
    "of": "a",
    "against": "b",
    "kind": "hazard_ratio",
    "value": 0.5,
    "interval": (0.25, 1.0),
    "endpoint": "PFS",
    "status": "verified",
    "randomized": True,
}
COUNTED = STATED | {
    "kind": "odds_ratio",
    "value": None,
    "interval": None,
    "counts": (12, 32, 9, 33),
}


@pytest.mark.parametrize(
    ("kind", "value", "interval", "log_value"),
    [
        ("hazard_ratio", 0.5, (0.25, 1.0), math.log(2)),
        ("odds_ratio", 0.5, (0.25, 1.0), -math.log(2)),
        ("ratio", 2.0, (1.0, 4.0), math.log(2)),
        ("difference", -1.0, (-2.0, 0.0), -1.0),
    ],
)
def test_more_is_better(
    kind: str, value: float, interval: tuple[float, float], log_value: float
) -> None:
    effect = Effect.model_validate(STATED | {"kind": kind, "value": value, "interval": interval})
    assert effect.log_value == pytest.approx(log_value)
    low, high = effect.log_interval
    assert low < effect.log_value < high
    assert effect.standard_error == pytest.approx((high - low) / 3.919928)


def test_counts_give_the_log_odds_ratio_of_woolf() -> None:
    """12 of 32 against 9 of 33, by hand: (12.5 x 24.5) / (20.5 x 9.5)."""
    effect = Effect.model_validate(COUNTED)
    assert effect.log_value == pytest.approx(math.log(12.5 * 24.5 / (20.5 * 9.5)))
    variance = 1 / 12.5 + 1 / 20.5 + 1 / 9.5 + 1 / 24.5
    assert effect.standard_error == pytest.approx(math.sqrt(variance))
    nobody = Effect.model_validate(COUNTED | {"counts": (0, 10, 0, 10)})
    assert nobody.log_value == 0.0
    assert math.isfinite(nobody.standard_error)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"against": "a"}, "two different arms"),
        ({"interval": None}, "value and interval, or counts"),
        ({"value": 2.0}, "must contain the value"),
        ({"value": 0.5, "interval": (0.5, 0.5)}, "must contain the value"),
        ({"interval": (0.0, 1.0)}, "positive"),
        ({"counts": (1, 2, 1, 2)}, "in place of"),
        ({"kind": "odds_ratio", "value": None, "interval": None, "counts": (3, 2, 1, 2)}, "more"),
        ({"kind": "risk"}, "Input should be"),
    ],
)
def test_broken_effect_is_refused(change: dict[str, Any], rule: str) -> None:
    Effect.model_validate(STATED)
    with pytest.raises(ValidationError, match=rule):
        Effect.model_validate(STATED | change)
