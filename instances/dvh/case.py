"""From curves and a map to a case: sparing factors at the points that a limit set counts.

A sparing factor is a dose of the plan over its prescription; a second moment is a mean square over
the prescription squared. A limit whose points no structure supplies stays out of the case and is
named. A plan is one lesion: its histogram is the sum over all that it irradiates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from abscopt.instances.changes.text import toml
from abscopt.instances.dvh.mapping import BODY, Map, prescription
from abscopt.instances.dvh.measures import Curve, mean, union
from abscopt.instances.dvh.plans import Plan, plans_of
from abscopt.instances.dvh.points import Asked, asked, asked_by, dose_at, measured
from abscopt.instances.dvh.read import DvhFile
from abscopt.instances.dvh.shared import SHARED, shared_plans, times
from abscopt.instances.lesions import SECOND_MOMENT
from abscopt.instances.prescriptions import blocks
from abscopt.instances.reading.problems import InputError, Problem, refused
from abscopt.instances.sources import Raw, library

DAYS = ("first_start_day", "last_start_day", "start_step_days")
OURS = ("files", "rx", "prescriptions", "interval_days", *DAYS)
"""Keys of a lesion of the map that are of the import, not of the case."""
DIGITS = 6
"""Of a factor: more than a histogram has."""


@dataclass(frozen=True)
class Imported:
    """A case and what is to be said of it.

    Attributes
    ----------
    raw : the case, as a file states it
    text : its file
    measures : lines of doses and factors
    lacking : limits of the set that are not in the case, and why
    unused : structures that the map leaves out
    """

    raw: Raw
    text: str
    measures: list[str]
    lacking: list[str]
    unused: list[str]


def imported(
    files: Sequence[DvhFile],
    answers: Map,
    limit_set: str,
    rx: str | None,
    measures: Sequence[str] = (),
) -> Imported:
    """The case of some DVH files and a map.

    Parameters
    ----------
    rx : prescription of plans whose lesion states none, such as `50/5`
    measures : further ones to print of every structure, such as `V20Gy`

    Raises
    ------
    InputError
        With file or map, place, value and rule of what is wrong.
    """
    plans = plans_of(files, answers, rx)
    limits, lacking, factors, lines = _factors(plans, answers, limit_set)
    raw = _case(plans, answers, limit_set, limits, factors, files)
    structures = dict.fromkeys(structure for file in files for structure in file.structures)
    unused = [structure for structure in structures if structure not in answers.structures]
    lines += _further(plans, measures)
    text = _text(raw, limit_set, lacking)
    return Imported(raw, text, lines, lacking, unused)


def _organ(plan: Plan, answers: Map, organ: str) -> Curve | None:
    """Curve of the structures that are one organ in a plan; None if there is none."""
    curves = [plan.curves[s] for s in answers.mapped_to(organ) if s in plan.curves]
    if not curves:
        return None
    try:
        return union(curves)
    except ValueError as error:
        raise refused(answers.label, f"structures ({organ})", organ, str(error)) from None


Factors = dict[str, dict[str, dict[str, float]]]


def _factors(
    plans: Sequence[Plan], answers: Map, limit_set: str
) -> tuple[list[str], list[str], Factors, list[str]]:
    """Limits that every plan supplies, those lacking, factors by lesion and organ, and lines."""
    limits, lacking, lines = [], [], []
    followers = [plan for plan in plans if plan.leader is not None]
    plans = [plan for plan in plans if plan.leader is None]
    factors: Factors = {plan.lesion: {} for plan in plans}
    organs = {
        (plan.lesion, organ): _organ(plan, answers, organ)
        for plan in plans
        for organ in {*answers.structures.values()} - {*answers.lesions}
    }
    stated = asked_by(answers.rest.get("limits"))
    for limit in (*asked(limit_set), *stated):
        reasons = dict.fromkeys(_missing(limit, plans, answers, organs))
        if reasons and limit in stated:
            raise refused(answers.label, "limits", limit.name, "; ".join(reasons))
        if reasons:
            lacking.append(f"{limit.name}: {'; '.join(reasons)}")
            continue
        if limit not in stated:
            limits.append(limit.name)
        for plan in plans:
            for organ, point in limit.points:
                into = factors[plan.lesion].setdefault(organ, {})
                if point in into or _by_hand(answers, plan.lesion, organ, point):
                    continue
                curve = organs[plan.lesion, organ]
                assert curve is not None
                dose = dose_at(curve, point, answers.absolute_max)
                assert isinstance(dose, float)
                power = 2 if point == SECOND_MOMENT else 1
                into[point] = float(f"{dose / plan.rx.total_gy**power:.{DIGITS}g}")
                unit = "Gy2" if power == 2 else "Gy"
                lines.append(
                    f"{plan.lesion}: {organ} {point} {dose:.4g} {unit}, {into[point]:.4g} per "
                    f"{unit} prescribed"
                )
    for plan in followers:
        assert plan.leader is not None
        factors[plan.lesion] = {
            organ: dict.fromkeys(points, 0.0) for organ, points in factors[plan.leader].items()
        }
    return limits, lacking, factors, lines


def _by_hand(answers: Map, lesion: str, organ: str, point: str) -> bool:
    """Whether the map states a factor itself."""
    stated = answers.lesions[lesion].get("sparing", {})
    return isinstance(stated, dict) and point in stated.get(organ, {})


def _missing(
    limit: Asked,
    plans: Sequence[Plan],
    answers: Map,
    organs: dict[tuple[str, str], Curve | None],
) -> Iterator[str]:
    """Why a limit cannot be stated."""
    if not limit.points:
        yield "no limit on doses of organs; write it under [[limits]] of the map if it is meant"
    for plan in plans:
        for organ, point in limit.points:
            if _by_hand(answers, plan.lesion, organ, point):
                continue
            curve = organs.get((plan.lesion, organ))
            if curve is None:
                yield f"no structure of the plan of {plan.lesion} is mapped to {organ}"
            else:
                dose = dose_at(curve, point, answers.absolute_max)
                if isinstance(dose, str):
                    yield f"{organ} {point}: {dose}"
        if limit.integral and _integral(plan, answers) is None:
            yield f'no structure of the plan of {plan.lesion} is mapped to "{BODY}"'


def _integral(plan: Plan, answers: Map) -> float | None:
    """Integral dose of the body in Gy cm3 per Gy prescribed; None without it."""
    stated = answers.lesions[plan.lesion].get("integral_dose_cm3")
    if isinstance(stated, int | float):
        return float(stated)
    curve = _organ(plan, answers, BODY)
    if curve is None or curve.volume_cm3 is None:
        return None
    return float(f"{mean(curve) * curve.volume_cm3 / plan.rx.total_gy:.{DIGITS}g}")


def _case(
    plans: Sequence[Plan],
    answers: Map,
    limit_set: str,
    limits: Sequence[str],
    factors: Factors,
    files: Sequence[DvhFile],
) -> Raw:
    rest = dict(answers.rest)
    organs = dict.fromkeys(organ for plan in plans for organ in factors[plan.lesion])
    stated = rest.pop("organs", {})
    first = plans[0].rx
    raw: Raw = {
        "format": 1,
        "name": rest.pop("name", "imported-plan"),
        "title": rest.pop("title", f"A plan of {first.total_gy:g} Gy in {first.fractions}"),
        "limit_set": limit_set,
        **{key: rest.pop(key) for key in list(rest) if not isinstance(rest[key], dict | list)},
        "provenance": rest.pop("provenance", _provenance(plans, files, answers)),
        "organs": {organ: _tissue(organ, answers) for organ in organs} | stated,
        "limits": [
            *({"use": name} for name in limits),
            *shared_plans(plans),
            *rest.pop("limits", []),
        ],
        "lesions": _lesions(plans, answers, factors),
    }
    if "immune" not in rest and not _immune_meant(answers):
        raw["immune"] = {"use": "off"}
    standard = _standard(plans, raw["lesions"], rest)
    return raw | rest | ({"standard": standard} if standard else {})


def _immune_meant(answers: Map) -> bool:
    """Whether the map states anything that a systemic effect would act through."""
    shares = any("effector_share" in lesion for lesion in answers.lesions.values())
    return shares or "agents" in answers.rest


def _tissue(organ: str, answers: Map) -> Raw:
    if organ in library("tissues"):
        return {"use": organ}
    if organ in answers.rest.get("organs", {}):
        return {}
    rule = "no such tissue in the library: state alpha/beta under [organs] of the map"
    raise InputError([Problem(answers.label, f"organs.{organ}", "missing", rule)])


def _provenance(plans: Sequence[Plan], files: Sequence[DvhFile], answers: Map) -> Raw:
    hashes = ", ".join(dict.fromkeys(sha for file in files for sha in file.sha256.split(", ")))
    command = "dvh" if files[0].kind == DvhFile.kind else "dicom"
    point = "the greatest dose" if answers.absolute_max else "D0.035cm3"
    leaders = [plan for plan in plans if plan.leader is None]
    doses = ", ".join(f"{p.lesion} {p.rx.total_gy:g} Gy in {p.rx.fractions}" for p in plans)
    return {
        "source": f"{files[0].kind} with SHA-256 {hashes}, by `abscopt import {command}`",
        "measured": [
            f"sparing factors: doses of the plan over its prescription ({doses}); max is {point}",
            "volumes of lesions: those of their structures",
        ],
        "assumed": [
            "doses scale with the prescription: the plan is the same in every fractionation",
            "structures of one organ or lesion do not overlap",
            *(["doses of several plans at a point add"] if len(leaders) > 1 else []),
            *([SHARED] if len(plans) > len(leaders) else []),
            "no systemic effect, unless the map states agents, immune or effector_share",
            "everything else: tumors and tissues of the library, what the map states",
        ],
    }


def _lesions(plans: Sequence[Plan], answers: Map, factors: Factors) -> list[Raw]:
    by_name = {plan.lesion: plan for plan in plans}
    lesions = {
        name: _lesion(by_name[name], entry, answers, factors[name]) if name in by_name else entry
        for name, entry in answers.lesions.items()
    }
    for plan in plans:
        if plan.leader is not None:
            ratio = plan.rx.dose_gy / by_name[plan.leader].rx.dose_gy
            menu = times(lesions[plan.leader]["course"], ratio, answers.label)
            lesions[plan.lesion] = {
                "lymphocyte_loss_per_fraction": 0.0, **lesions[plan.lesion], "course": menu
            }  # fmt: skip
    return list(lesions.values())


def _lesion(plan: Plan, entry: Raw, answers: Map, factors: dict[str, dict[str, float]]) -> Raw:
    raw = {key: value for key, value in entry.items() if key not in (*OURS, "sparing", "course")}
    if "volume_cm3" not in raw:
        volumes = [plan.curves[s].volume_cm3 for s in answers.mapped_to(plan.lesion)]
        if None in volumes:
            rule = "the file has no volumes in cm3: state volume_cm3 of the lesion"
            raise refused(answers.label, f"lesions.{plan.lesion}.volume_cm3", "missing", rule)
        raw["volume_cm3"] = float(f"{sum(v for v in volumes if v is not None):.{DIGITS}g}")
    integral = _integral(plan, answers) if plan.leader is None else None
    if integral is not None:
        raw["integral_dose_cm3"] = integral
    stated = entry.get("sparing", {})
    raw["sparing"] = {
        organ: factors.get(organ, {}) | stated.get(organ, {})
        for organ in dict.fromkeys([*factors, *stated])
    }
    if plan.leader is None:
        raw["course"] = entry.get("course") or _menu(plan, entry, answers)
    return raw


def _menu(plan: Plan, entry: Raw, answers: Map) -> Raw:
    """Uniform courses of the prescriptions, one block for each number of fractions."""
    listed = entry.get("prescriptions")
    place = f"lesions.{plan.lesion}.prescriptions"
    if listed is not None and (not isinstance(listed, list) or not listed):
        raise refused(answers.label, place, listed, "must be a list such as ['50/5', '54/3']")
    menu = [plan.rx] if listed is None else [prescription(p, answers.label, place) for p in listed]
    interval = {"interval_days": entry["interval_days"]} if "interval_days" in entry else {}
    first, *others = blocks(menu, interval)
    days = {key: entry[key] for key in DAYS if key in entry}
    return {"form": "uniform", **first, **days, **({"also": others} if others else {})}


def _standard(plans: Sequence[Plan], lesions: Sequence[Raw], rest: Raw) -> Raw | None:
    """The plans as prescribed, from their first days; agents are the map's to state."""
    stated = rest.pop("standard", None)
    if stated is None and rest.get("agents"):
        return None
    if isinstance(stated, dict) and "courses" in stated:
        return stated
    menus = {lesion["name"]: lesion["course"] for lesion in lesions if "course" in lesion}
    courses = [
        {
            "lesion": plan.lesion,
            "fractions": plan.rx.fractions,
            "dose_gy": plan.rx.dose_gy,
            "start_day": menus[plan.lesion].get("first_start_day", 0),
            "interval_days": min(menus[plan.lesion].get("interval_days", [1])),
        }
        for plan in plans
    ]
    doses = ", ".join(f"{plan.rx.total_gy:g} Gy in {plan.rx.fractions}" for plan in plans)
    return {"name": f"as planned: {doses}", "source": "prescription of the plan"} | (
        stated or {}
    ) | {"courses": courses}  # fmt: skip


def _further(plans: Sequence[Plan], measures: Sequence[str]) -> list[str]:
    lines = []
    for name in measures:
        for plan in (plan for plan in plans if plan.leader is None):
            for structure, curve in plan.curves.items():
                value = measured(curve, name, plan.rx.total_gy)
                if value is None:
                    raise refused("--measure", "name", name, "must be such as D2cc, D95% or V20Gy")
                lines.append(f"{structure}: {name} {value}")
    return lines


def _text(raw: Raw, limit_set: str, lacking: Sequence[str]) -> str:
    head = [f"# Limits of {limit_set} that the histograms do not supply, and that do not count:"]
    remarks = [*head, *(f"#   {line}" for line in lacking), ""] if lacking else []
    return "\n".join([*remarks, toml(raw)])
