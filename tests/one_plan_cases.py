"""Cases in which one plan serves several lesions."""

from __future__ import annotations

import copy
import random

from plain_cases import EARLY_IMMUNE, Raw, lesion, limit, plain_case, uniform

NAMES = ("a", "b", "c")


def drawn(seed: int) -> Raw:
    """Two lesions of one plan (three in every fourth case), a third beside it, some limits."""
    rng = random.Random(seed)
    served = NAMES[: 3 if seed % 4 == 3 else 2]
    ratios = [1.0, *(rng.choice([1.0, 0.5, 2.0]) for _ in served[1:])]
    immune = seed % 2 == 1
    lesions, interval = [], rng.choice([1, 2])
    for i, name in enumerate(NAMES):
        ratio = ratios[i] if i < len(served) else 1.0
        doses = sorted(rng.sample([3, 4, 6, 8, 10, 12], 2))
        if i == 0:
            common = doses
        elif name in served:
            doses = sorted({rng.choice(common) * ratio, rng.choice([*common, 5, 7]) * ratio})
        menu = uniform(
            [2, rng.choice([1, 3])], doses, last_start_day=1, interval_days=[interval],
        )  # fmt: skip
        factor = 0.0 if 0 < i < len(served) else rng.choice([0.2, 0.5])
        fields: Raw = {"sparing": {"organ": {"max": factor, "mean": factor / 3}}}
        if immune:
            fields |= {
                "immunogenicity": 1,
                "effector_share": 0.3,
                "precursor_share": 0.2,
                "effector_kill_per_fraction": 0.2,
                "lymphocyte_loss_per_fraction": 0.05,
            }
        lesions.append(lesion(name, course=menu, weight=rng.choice([0.5, 1, 2]), **fields))
    limits = [
        limit("one_plan", "plan", lesions=list(served), dose_ratios=ratios),
        limit(
            "bed", "organ_bed", organ="organ", alpha_beta_gy=3.0, cap_gy=rng.choice([15, 30, 60])
        ),
    ]
    if rng.random() < 0.5:
        limits.append(limit("logistics", "days", quantity="visits", cap=rng.choice([2, 3, 4])))
    if rng.random() < 0.3:
        limits.append(limit("logistics", "some", quantity="lesions", floor=rng.choice([1, 2])))
    kind = rng.choice(["default", "log_control", "expected_control", "tumor_bed"])
    more: Raw = {"immune": EARLY_IMMUNE} if immune else {}
    return plain_case(lesions, limits, horizon_days=[10], objective=kind, **more)


def two(**fields: object) -> Raw:
    """Two lesions whose second receives half of the dose."""
    first = lesion("a", course=uniform([3], [8.0, 9.0]), sparing={"organ": {"max": 0.5}})
    second = lesion("b", course=uniform([3], [4.0, 4.5]), sparing={"organ": {"max": 0.0}})
    rule = limit("one_plan", "plan", lesions=["a", "b"], **({"dose_ratios": [2, 1]} | fields))
    return plain_case([first, second], [rule], horizon_days=[8])


def phased(seed: int) -> Raw:
    """A random case whose lesions of one plan have one or two fractions, and then others."""
    raw, rng = copy.deepcopy(drawn(seed)), random.Random(seed)
    gap, per_day = rng.choice([1, 3]), rng.choice([1, 1, 2])
    served = raw["limits"][0]["lesions"]
    for one in raw["lesions"]:
        if one["name"] not in served:
            continue
        doses = one["course"]["doses_gy"]
        one["course"] = {
            "form": "phases",
            "last_start_day": 1,
            "phases": [
                {"fractions": [1] if per_day == 2 else [1, 2], "doses_gy": doses},
                {"fractions": [per_day], "doses_gy": doses[-1:] if per_day == 2 else doses,
                 "fractions_per_day": per_day, "gap_days": [gap], "optional": True},
            ],
        }  # fmt: skip
    return raw
