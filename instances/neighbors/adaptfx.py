"""Instruction files of adaptfx (adaptive fractionation): sparing factors by day, goals, limits.

adaptfx (MIT license; github.com/openAFT/adaptfx, MANUAL and `work/example_*.json`) decides the dose
of each day with the organ's sparing factor of that day, and a distribution of those to come. A case
knows all days: its optimum is what no policy can do better than, on the same file.

| algorithm | asks for | as a case |
|---|---|---|
| oar | least organ BED, tumor BED >= `tumor_goal` | soft limit of 1 Gy, 1 Gy lost per Gy above it |
| frac | the same plus `c` per fraction | and a soft limit of 1 treatment day at `c` |
| tumor | greatest tumor BED, organ BED <= `oar_limit` | hard limit; `c` as above |
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.changes.text import toml
from abscopt.instances.load import build
from abscopt.instances.reading.problems import InputError, nearest, refused
from abscopt.instances.reading.read import parse_json
from abscopt.instances.sources import Raw
from abscopt.models.tumor import lq

ALGORITHMS = {
    "oar": "oar",
    "oar_old": "oar",
    "frac": "frac",
    "tumor": "tumor",
    "tumor_old": "tumor",
}
DEFAULTS: dict[str, float] = {
    "fraction": 0, "abt": 10, "abn": 3, "accumulated_oar_dose": 0, "accumulated_tumor_dose": 0,
    "min_dose": 0, "max_dose": -1, "c": 0,
}  # fmt: skip
"""Of keys that may be absent (adaptfx's constants; verified in its source)."""
OF_POLICY = ("prob_update", "fixed_mean", "fixed_std", "shape", "scale", "shape_inv", "scale_inv")
"""What adaptfx needs to guess factors to come."""
OTHERS = ("level", "log", "settings")
MOST_FRACTIONS = 60
LEAST_STEP, MOST_LEVELS = 0.01, 2000
SECONDARY = 1e-4
"""Weight of the tumor's BED above its goal where the organ's BED counts: below the gap (chosen)."""
GAP_GY = 0.005
"""Of the organ's BED: published answers have two digits."""


@dataclass(frozen=True)
class Instruction:
    """What a file asks for, with the doses of fractions that are done.

    Attributes
    ----------
    factors : sparing factor of each day to come
    goal, limit : BED in Gy still to reach, or left; None where the algorithm has none
    unused : keys that say nothing to a case
    """

    label: str
    algorithm: str
    factors: tuple[float, ...]
    numbers: dict[str, float]
    goal: float | None
    limit: float | None
    unused: tuple[str, ...]


def answer(path: str, step: float) -> tuple[str, list[str]]:
    """Text of the case of a file, and what is said beside it.

    Parameters
    ----------
    step : of the menu, in Gy of tumor BED

    Raises
    ------
    InputError
        With file, place, value and rule of what is wrong.
    """
    entry = _read(path)
    raw = _case(entry, step, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    build(raw, path)
    remarks = [
        "all sparing factors are known here: adaptfx, which learns them by day, cannot do better",
        "a day may go without dose, whatever min_dose says",
    ]
    if entry.unused:
        remarks.append(f"not used: {', '.join(entry.unused)}")
    return toml(raw), remarks


def _read(path: str) -> Instruction:
    if not Path(path).exists():
        raise refused(path, "path", "no such file", "must be an instruction file of adaptfx")
    raw = parse_json(Path(path))

    def wrong(place: str, value: object, rule: str) -> InputError:
        return refused(path, place, value, rule)

    if not isinstance(raw, dict) or not isinstance(raw.get("keys"), dict):
        raise wrong("keys", "missing", "must be an instruction file: algorithm, keys, settings")
    name = raw.get("algorithm")
    if not isinstance(name, str) or name not in ALGORITHMS:
        rule = f"must be one of {sorted(ALGORITHMS)}; two aims at once (tumor_oar) have no case"
        raise wrong("algorithm", name, rule)
    algorithm, keys = ALGORITHMS[name], raw["keys"]
    goals = {"oar": ("tumor_goal",), "frac": ("tumor_goal",), "tumor": ("oar_limit",)}[algorithm]
    known = (*DEFAULTS, "number_of_fractions", "sparing_factors", "tumor_goal", "oar_limit")
    for key in keys:
        if key not in (*known, *OF_POLICY):
            raise wrong(f"keys.{key}", keys[key], f"no key of adaptfx{nearest(key, known)}")
    numbers = {key: _number(keys.get(key, value), key, wrong) for key, value in DEFAULTS.items()}
    needed = {key: _number(keys.get(key), key, wrong) for key in ("number_of_fractions", *goals)}
    factors = _factors(keys.get("sparing_factors"), needed, numbers, wrong)
    _check(numbers, needed, wrong)
    goal = limit = None
    if algorithm == "tumor":
        limit = needed["oar_limit"] - numbers["accumulated_oar_dose"]
    else:
        goal = needed["tumor_goal"] - numbers["accumulated_tumor_dose"]
    left = goal if limit is None else limit
    if left is None or left <= 0:
        raise wrong(f"keys.{goals[0]}", needed[goals[0]], "is used up by the accumulated dose")
    also = [key for key in ("tumor_goal", "oar_limit") if key in keys and key not in goals]
    also += ["c"] if "c" in keys and algorithm == "oar" else []
    unused = (*(key for key in OF_POLICY if key in keys), *also, *(k for k in OTHERS if k in raw))
    return Instruction(path, algorithm, factors, numbers, goal, limit, unused)


Wrong = Callable[[str, object, str], InputError]


def _number(value: object, key: str, wrong: Wrong) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(f"keys.{key}", "missing" if value is None else value, "must be a number")
    return float(value)


def _factors(
    stated: object, needed: dict[str, float], numbers: dict[str, float], wrong: Wrong
) -> tuple[float, ...]:
    """Factors of the days to come; the first of the file is that of the planning scan."""
    count, begin = needed["number_of_fractions"], numbers["fraction"]
    if count != int(count) or not 1 <= count <= MOST_FRACTIONS:
        rule = f"must be a whole number from 1 to {MOST_FRACTIONS}"
        raise wrong("keys.number_of_fractions", count, rule)
    if begin != int(begin) or not 0 <= begin <= count:
        raise wrong("keys.fraction", begin, "must be 0 (all of them) or the number of a fraction")
    place = "keys.sparing_factors"
    if not isinstance(stated, list):
        raise wrong(place, stated, "must be a list: planning scan, then each fraction")
    if len(stated) != count + 1:
        rule = f"must be {int(count) + 1}: planning scan and each fraction; a case knows all days"
        raise wrong(place, f"{len(stated)} numbers", rule)
    factors = [_number(value, f"sparing_factors[{i}]", wrong) for i, value in enumerate(stated)]
    for i, factor in enumerate(factors):
        if not 0 < factor <= 3:
            raise wrong(f"{place}[{i}]", factor, "must be above 0 and at most 3")
    return tuple(factors[max(1, int(begin)) :])


def _check(numbers: dict[str, float], needed: dict[str, float], wrong: Wrong) -> None:
    for key, value in {**numbers, **needed}.items():
        positive = key in ("abt", "abn", "tumor_goal", "oar_limit")
        if key != "max_dose" and (value < 0 or (positive and value == 0)):
            raise wrong(f"keys.{key}", value, "must be positive" if positive else "must be >= 0")
    low, high = numbers["min_dose"], numbers["max_dose"]
    if high != -1 and high < max(low, 1e-9):
        raise wrong("keys.max_dose", high, "must be -1 (none) or at least min_dose")


def _dose(bed_gy: float, ratio: float) -> float:
    """Dose of one fraction of a BED: d + d^2 / r = b."""
    return (math.sqrt(ratio * ratio + 4 * ratio * bed_gy) - ratio) / 2


def _menu(entry: Instruction, step: float) -> list[float]:
    """Doses whose tumor BED is a multiple of the step, up to what can be of use."""
    ratio, low, high = (entry.numbers[key] for key in ("abt", "min_dose", "max_dose"))
    if not step >= LEAST_STEP:
        raise refused("--bed-step", "step", step, f"must be at least {LEAST_STEP} Gy")
    if entry.goal is not None:
        most = _dose(math.ceil(entry.goal / step - 1e-9) * step, ratio)
    else:
        assert entry.limit is not None
        most = _dose(entry.limit, entry.numbers["abn"]) / min(entry.factors)
    most = min(most, 100.0, math.inf if high == -1 else high)
    count = int(float(lq.bed(most, ratio)) / step + 1e-9)
    if count > MOST_LEVELS:
        raise refused("--bed-step", "step", step, f"makes {count} doses, at most {MOST_LEVELS}")
    doses = [round(_dose(i * step, ratio), 9) for i in range(1, count + 1)]
    menu = [dose for dose in doses if low - 1e-9 <= dose]
    if not menu:
        raise refused(entry.label, "keys.max_dose", most, f"no dose of steps of {step:g} Gy BED")
    return menu


def _case(entry: Instruction, step: float, sha256: str) -> Raw:
    ratio, organ_ratio = entry.numbers["abt"], entry.numbers["abn"]
    days = [7 * (i // 5) + i % 5 for i in range(len(entry.factors))]
    made = {"source": "adaptfx instruction file", "status": "assumed"}
    limits: list[Raw] = [
        {"name": "organ_bed", "kind": "bed", "organ": "organ", "alpha_beta_gy": organ_ratio,
         "cap_gy": entry.limit or 1.0, **({} if entry.limit else {"penalty": 1.0}), **made}
    ]  # fmt: skip
    if entry.algorithm != "oar" and entry.numbers["c"] > 0:
        limits.append(
            {"name": "fractions", "kind": "logistics", "quantity": "machine_days", "cap": 1,
             "penalty": entry.numbers["c"], **made}
        )  # fmt: skip
    lesion: Raw = {
        "name": "target", "organ": "not stated", "volume_cm3": 1, "clonogens": 1,
        "alpha_per_gy": 0.3, "alpha_beta_gy": ratio, **made,
        "sparing": {"organ": {"max": {"days": days, "values": list(entry.factors)}}},
        "course": {"form": "free", "days": days, "doses_gy": _menu(entry, step)},
    }  # fmt: skip
    if entry.goal is not None:
        lesion |= {"least_bed_gy": entry.goal, "weight": SECONDARY}
    uniform = {
        "lesion": "target",
        "fractions": len(days),
        "dose_gy": _uniform(entry),
        "start_day": 0,
    }
    return {
        "format": 1,
        "name": "adaptfx",
        "title": f"adaptfx, algorithm {entry.algorithm}, {len(days)} fractions",
        "provenance": {
            "source": f"adaptfx instruction file, SHA-256 {sha256}, by `abscopt import adaptfx`",
            "measured": ["sparing factors by day, goals, limits, alpha/beta"],
            "assumed": [
                "all days are known in advance", "weekdays from day 0",
                f"doses in steps of {step:g} Gy of tumor BED",
                "volume, clonogens and alpha, which the objective does not see",
            ],
        },
        "horizon_days": [days[-1] + 1],
        "objective": {"kind": "tumor_bed", "gap": _gap(entry, step)},
        "immune": {"use": "off"},
        "organs": {"organ": {"alpha_beta_gy": organ_ratio, **made}},
        "limits": limits,
        "lesions": [lesion],
        "standard": {"name": "equal doses", "source": "off the menu", "courses": [uniform]},
    }  # fmt: skip


def _gap(entry: Instruction, step: float) -> float:
    """Gap that proves an optimum: half a step where every objective is a multiple of the step."""
    in_steps = entry.algorithm == "tumor" and entry.numbers["c"] == 0
    return min(step / 2, 10.0) if in_steps else GAP_GY


def _uniform(entry: Instruction) -> float:
    """Equal doses that reach goal or limit: n (d + d^2/r) = b, sum_i (f_i d + f_i^2 d^2/r) = b."""
    if entry.goal is not None:
        return round(_dose(entry.goal / len(entry.factors), entry.numbers["abt"]) + 1e-6, 6)
    assert entry.limit is not None
    first, second = sum(entry.factors), sum(factor**2 for factor in entry.factors)
    ratio = entry.numbers["abn"] * first / second  # first (d + d^2 / ratio) = limit
    return round(_dose(entry.limit / first, ratio) - 1e-6, 6)
