"""Limits of every kind for the tiny cases, with caps on the loads of their own schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from brute_force import schedules
from edge_further import with_demands
from edge_instances import Raw, Rng, edge_case, generator_of_limits
from random_instances import CITED, pick, uniform

from abscopt.instances.load import build
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.schedule import Schedule

LOOSE_GY = 1900.0
"""A cap in Gy that nothing here reaches, below the largest that a case may state."""
BESIDE = (0.0, 0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 0.1, -1e-7, -1e-6, -1e-5, -1e-3, -0.1)
"""Relative distance of a cap from the load it is put beside: solver tolerances, and plain ones."""
FORBIDS_THE_BEST = 0.7
"""Share of the caps, where there is a choice, that lie below the load of the best schedule."""
TABLE = (1, 2, 3, 5, 8, 10, 15)
ON_ORGAN = ("bed", "mean", "mean_eqd2", "dose_by_fractions", "ntcp")

Verdicts = list[tuple[Schedule, Evaluation]]


def limited_edge_case(seed: int) -> Raw:
    """A tiny random case with none to three limits, and demands; deterministic in the seed."""
    raw, rng = edge_case(seed), generator_of_limits(seed)
    number = int(pick(rng, (0, 0, 1, 1, 1, 2, 2, 3)))
    names = [str(kind) for kind in rng.permutation(list(LOOSE))][: 3 * number]
    loose = [found for name in names if (found := LOOSE[name](rng, raw)) is not None][:number]
    trial = {**raw, "limits": loose}
    instance = build(trial)
    judge = Judge(instance)
    verdicts = [(one, judge.evaluate(one)) for one in schedules(instance)]
    raw = with_demands(seed, raw, instance.lesions, [verdict for _, verdict in verdicts])
    limits = [_capped(rng, trial, place, verdicts) for place in range(len(loose))]
    kept = [limit for limit in limits if limit is not None]
    case = {**raw, "limits": kept}
    if rng.random() < 0.15:
        case["prior_doses"] = [_prior(rng, limit) for limit in kept if limit["kind"] in ON_ORGAN][
            :1
        ]
    return case


def _states(raw: Raw, organ: str = "organ") -> bool:
    return any(organ in lesion.get("sparing", {}) for lesion in raw["lesions"])


def _on_organ(kind: str, **fields: Any) -> Callable[[Rng, Raw], Raw | None]:
    def found(rng: Rng, raw: Raw) -> Raw | None:
        if not _states(raw):
            return None
        limit = {"kind": kind, "organ": "organ", "cap_gy": LOOSE_GY, **fields}
        if kind in ("bed", "mean_eqd2"):
            limit["alpha_beta_gy"] = uniform(rng, 1.5, 5)
        if kind == "bed" and rng.random() < 0.2:
            limit["point"] = "mean"
        return _named(kind, limit)

    return found


def _table(rng: Rng, raw: Raw) -> Raw | None:
    if not _states(raw):
        return None
    power = uniform(rng, 0.3, 0.7)
    limits = [100.0 * n**power for n in TABLE]
    table = {"fractions": list(TABLE), "limits_gy": limits}
    return _named("dose_by_fractions", {"kind": "dose_by_fractions", "organ": "organ", **table})


def _ntcp(rng: Rng, raw: Raw) -> Raw | None:
    if not _states(raw):
        return None
    limit: Raw = {"kind": "ntcp", "organ": "organ", "cap": 0.9999}
    if rng.random() < 0.5:
        limit |= {"dose": "eqd2", "alpha_beta_gy": uniform(rng, 2, 5)}
    if rng.random() < 0.5:
        limit |= {"model": "logistic", "intercept": uniform(rng, -5, -2.5), "slope_per_gy": 0.2}
    else:
        limit |= {"model": "lkb", "td50_gy": uniform(rng, 8, 30), "m": uniform(rng, 0.2, 0.45)}
    if raw.get("agents") and rng.random() < 0.6:
        days = {"days_before": int(pick(rng, (0, 7))), "days_after": int(pick(rng, (0, 30)))}
        drugs = pick(rng, ("chemotherapy", "checkpoint_inhibitor"))
        limit["exposures"] = [{"drugs": drugs, **days, "risk_ratio": uniform(rng, 1.2, 4)}]
    return _named("ntcp", limit)


def _alc(rng: Rng, raw: Raw) -> Raw | None:
    return _named("alc", {"kind": "alc", "floor_1e9_per_l": 1e-3})


def _edric(rng: Rng, raw: Raw) -> Raw | None:
    return _named("edric", {"kind": "edric", "cap_gy": LOOSE_GY})


def _drug(rng: Rng, raw: Raw) -> Raw | None:
    drugs = [dose["drug"] for one in raw.get("regimens", {}).values() for dose in one["doses"]]
    if not drugs:
        return None
    quantity = pick(rng, ("dose_mg", "dose_mg_per_m2", "doses", "irae_risk"))
    cap = 0.9999 if quantity == "irae_risk" else 1e5
    return _named(
        "drug", {"kind": "drug", "drug": pick(rng, drugs), "quantity": quantity, "cap": cap}
    )


def _logistics(quantity: str, windowed: bool = False) -> Callable[[Rng, Raw], Raw | None]:
    def found(rng: Rng, raw: Raw) -> Raw | None:
        limit: Raw = {"kind": "logistics", "quantity": quantity, "cap": 9999}
        if windowed:
            limit["first_day"] = int(pick(rng, (0, 1, 3)))
            limit["last_day"] = limit["first_day"] + int(pick(rng, (0, 1, 6)))
        return _named(f"{quantity}{'_window' if windowed else ''}", limit)

    return found


def _floor(rng: Rng, raw: Raw) -> Raw | None:
    return _named("floor", {"kind": "logistics", "quantity": "lesions", "floor": 0})


def _gap_days(rng: Rng, raw: Raw) -> Raw | None:
    if sum("course" in lesion for lesion in raw["lesions"]) < 2:
        return None
    return _named("gap", {"kind": "logistics", "quantity": "course_gap_days", "floor": 1})


def _named(name: str, limit: Raw) -> Raw:
    return {"name": name, **limit, **CITED}


LOOSE: dict[str, Callable[[Rng, Raw], Raw | None]] = {
    "bed": _on_organ("bed"),
    "mean": _on_organ("mean"),
    "mean_eqd2": _on_organ("mean_eqd2"),
    "dose_by_fractions": _table,
    "ntcp": _ntcp,
    "alc": _alc,
    "edric": _edric,
    "drug": _drug,
    "floor": _floor,
    "gap": _gap_days,
    "lesions": _logistics("lesions"),
    "visits": _logistics("visits"),
    "lesions_per_day": _logistics("lesions_per_day"),
    "overall_days": _logistics("overall_days"),
    "machine_days": _logistics("machine_days"),
    "visits_window": _logistics("visits", True),
    "machine_days_window": _logistics("machine_days", True),
}


def _capped(rng: Rng, trial: Raw, place: int, verdicts: Verdicts) -> Raw | None:
    """The limit with its cap beside the load of one schedule; None where nothing loads it."""
    loose = trial["limits"][place]
    values = [verdict.limits[place].value for _, verdict in verdicts]
    loads = sorted({value for value in values if value is not None and value > 0})
    if not loads:
        return None
    best = max(verdicts, key=lambda pair: pair[1].objective)[1].limits[place].value
    lower = [load for load in loads if best is not None and load < best]
    if lower and rng.random() < FORBIDS_THE_BEST:
        loads = lower
    load = float(loads[int(rng.integers(len(loads)))])
    beside = load * (1.0 + pick(rng, BESIDE))
    limit = _with_cap(rng, loose, beside, load, trial)
    hard = "floor" in limit or ("floor_1e9_per_l" in limit and rng.random() < 0.5)
    if not hard and rng.random() < 0.25 and limit.get("cap", 1) != 0:
        limit["penalty"] = float(10 ** rng.uniform(-2, 2))
    return limit


def _with_cap(rng: Rng, loose: Raw, beside: float, load: float, trial: Raw) -> Raw:
    kind = loose["kind"]
    if kind == "alc":
        before = trial["lymphocytes"]["initial_1e9_per_l"]
        return {**loose, "floor_1e9_per_l": min(max(beside, 1e-3), 0.999999 * before)}
    if "floor" in loose:
        return {**loose, "floor": max(1, round(load))}
    if kind == "logistics":
        return {**loose, "cap": max(0, round(load) - int(pick(rng, (0, 0, 1))))}
    if kind == "dose_by_fractions":
        # The Miner sum grows as a power of the dose: the scale is near 1 over a root of the sum.
        scale = max(load, 1e-6) ** pick(rng, (0.5, 0.6, 1.0))
        return {
            **loose,
            "limits_gy": [float(np.clip(v * scale, 1e-3, 1900)) for v in loose["limits_gy"]],
        }
    if kind == "ntcp":
        return {**loose, "cap": min(max(beside, 0.05), 0.999)}
    if kind == "drug":
        top = 0.99 if loose["quantity"] == "irae_risk" else 1e5
        return {**loose, "cap": min(max(beside, 1e-3), top)}
    return {**loose, "cap_gy": min(max(beside, 1e-3), LOOSE_GY)}


def _prior(rng: Rng, limit: Raw) -> Raw:
    point = "max" if limit["kind"] == "dose_by_fractions" else "mean"
    point = limit.get("point", "max") if limit["kind"] == "bed" else point
    dose = uniform(rng, 0.05, 1.0)
    prior: Raw = {"organ": "organ", "point": point, "source": "random", "dose_gy": dose}
    prior |= {"fractions": int(rng.integers(1, 10)), "recovered": pick(rng, (0.0, 0.5))}
    if point == "mean":
        prior["second_moment_gy2"] = math.ceil(dose**2 * 1.3e6) / 1e6
    return prior
