"""Small ensembles of random cases: members with other tumors, other immunity, other organs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from brute_force import schedules
from random_instances import Raw, random_case

from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import is_machine_day
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE

RISKS = (("mean", 1.0), ("cvar", 0.2), ("cvar", 0.5), ("worst", 1.0), ("regret", 1.0))


def free_ensemble(seed: int) -> tuple[Instance, list[Instance], FloatArray]:
    """The same, where the first lesion may get one of two doses, or none, on each of three days."""
    rng = np.random.default_rng([31, seed])
    raw = random_case(seed)
    first, *others = raw["lesions"]
    course = first["course"]
    dose = max(course["doses_gy"])
    calendar = build(raw).calendar
    open_days = [day for day in range(1, 14) if is_machine_day(calendar, day)]
    days = sorted(int(day) for day in rng.choice(open_days, 3, replace=False))
    free = {"form": "free", "days": days, "doses_gy": sorted({round(dose / 2, 1), dose})}
    plain = {key: value for key, value in first.items() if key != "techniques"}
    raw["lesions"] = [plain | {"course": free}, *others]
    members = [_member(raw, rng, False, False, False) for _ in range(int(rng.integers(2, 4)))]
    return build(raw), [build(member) for member in members], rng.dirichlet(np.ones(len(members)))


def accepted(
    case: Instance, members: Sequence[Instance], weights: FloatArray, chance: float
) -> Iterator[tuple[Schedule, FloatArray]]:
    """Every schedule that keeps the case's limits and those of enough members, and its values."""
    nominal, judges = Judge(case), [Judge(member) for member in members]
    for schedule in schedules(case):
        if not nominal.evaluate(schedule).admissible:
            continue
        verdicts = [judge.evaluate(schedule) for judge in judges]
        broken = weights @ np.array([not verdict.admissible for verdict in verdicts])
        if broken <= chance + WITHIN_CHANCE:
            yield schedule, np.array([verdict.objective for verdict in verdicts])


def measure(
    kind: str, level: float, weights: FloatArray, values: FloatArray, best: FloatArray
) -> float:
    """A measure of values (members,) from its definition; `best` counts for regret."""
    if kind == "regret":
        return plain_risk("worst", 1.0, weights, (values - best).tolist())
    return plain_risk(kind, level, weights, values.tolist())


def ensemble(
    seed: int, least: int = 3, most: int = 8
) -> tuple[Instance, list[Instance], FloatArray]:
    """A random case, so many members of it (from least to most), and their weights."""
    rng = np.random.default_rng([17, seed])
    raw = random_case(seed)
    count = int(rng.integers(least, most + 1))
    organs, blood, spread = rng.random(3) < (0.3, 0.3, 0.4)
    members = [_member(raw, rng, organs, blood, spread) for _ in range(count)]
    return build(raw), [build(member) for member in members], rng.dirichlet(np.ones(count))


def _member(raw: Raw, rng: np.random.Generator, organs: bool, blood: bool, spread: bool) -> Raw:
    """One member: alpha, alpha/beta and effect of an effector by factors common to the patient."""
    alpha, ratio, effect, release, organ = np.exp(rng.normal(0.0, (0.2, 0.2, 0.6, 0.5, 0.1)))
    lesions = []
    for lesion in raw["lesions"]:
        changed = {}
        if "alpha_per_gy" in lesion:
            changed["alpha_per_gy"] = min(2.9, lesion["alpha_per_gy"] * alpha)
        if "alpha_beta_gy" in lesion:
            changed["alpha_beta_gy"] = lesion["alpha_beta_gy"] * ratio
        if spread:
            changed["alpha_cv"] = 0.3
        lesions.append(lesion | changed)
    member = raw | {
        "allow_unusual": True,
        "lesions": lesions,
        "immune": scaled(raw["immune"], effect, release),
    }
    if organs and raw.get("organs"):
        member["organs"] = {
            name: values | {"alpha_beta_gy": values["alpha_beta_gy"] * organ}
            for name, values in raw["organs"].items()
        }
    if blood and "lymphocytes" in raw:
        recovery = raw["lymphocytes"].get("recovery_half_time_days", 30.0)
        member["lymphocytes"] = raw["lymphocytes"] | {"recovery_half_time_days": recovery * organ}
    return member


def scaled(immune: Raw, effect: float, release: float) -> Raw:
    """Constants of the immune response with other effects of an effector and of release."""
    changed = dict(immune)
    if "effect_per_effector" not in immune:
        return changed
    changed["effect_per_effector"] = immune["effect_per_effector"] * effect
    changed["release_factor"] = min(9.0, immune.get("release_factor", 1.0) * release)
    return changed


def plain_risk(kind: str, level: float, weights: FloatArray, values: Sequence[float]) -> float:
    """A measure of risk from its definition, without the weights of its dual."""
    ranked = sorted(zip(values, weights, strict=True))
    if kind == "worst":
        return ranked[0][0]
    if kind == "mean":
        return float(np.dot(weights, values))
    left, total = level, 0.0
    for value, weight in ranked:
        share = min(left, weight)
        total += share * value
        left -= share
    return total / level
