"""From curves and a map to a case: sparing factors at the points that a limit set counts.

The factors are those of `factors`. A plan is one lesion: its histogram is the sum over all that it
irradiates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abscopt.instances.changes.text import toml
from abscopt.instances.dvh.factors import DIGITS, Factors, Supplied, integral_dose, supplied
from abscopt.instances.dvh.files.read import DvhFile
from abscopt.instances.dvh.kept import kept
from abscopt.instances.dvh.mapping import Map, prescription
from abscopt.instances.dvh.plans import Plan, plans_of
from abscopt.instances.dvh.points import NO_SET, measured
from abscopt.instances.dvh.shared import SHARED, shared_plans, times
from abscopt.instances.menus.prescriptions import blocks
from abscopt.instances.reading.problems import InputError, Problem, refused
from abscopt.instances.sources import Raw, library

DAYS = ("first_start_day", "last_start_day", "start_step_days")
OURS = ("files", "rx", "no_dose", "prescriptions", "interval_days", *DAYS)
"""Keys of a lesion of the map that are of the import, not of the case."""


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
    made = supplied(plans, answers, limit_set)
    bins = kept(plans, answers)
    raw = _case(plans, answers, limit_set, made, bins, files)
    structures = dict.fromkeys(structure for file in files for structure in file.structures)
    unused = [structure for structure in structures if structure not in answers.structures]
    lines = [*made.lines, *_further(plans, measures)]
    text = _text(raw, limit_set, made.lacking)
    return Imported(raw, text, lines, made.lacking, unused)


def _case(
    plans: Sequence[Plan],
    answers: Map,
    limit_set: str,
    made: Supplied,
    bins: dict[str, dict[str, Raw]],
    files: Sequence[DvhFile],
) -> Raw:
    rest, factors = dict(answers.rest), made.factors
    organs = dict.fromkeys(organ for plan in plans for organ in factors[plan.lesion])
    organs |= dict.fromkeys(organ for histograms in bins.values() for organ in histograms)
    stated = rest.pop("organs", {})
    first = plans[0].rx
    raw: Raw = {
        "format": 1,
        "name": rest.pop("name", "imported-plan"),
        "title": rest.pop("title", f"A plan of {first.total_gy:g} Gy in {first.fractions}"),
        **({} if limit_set == NO_SET else {"limit_set": limit_set}),
        **{key: rest.pop(key) for key in list(rest) if not isinstance(rest[key], dict | list)},
        "provenance": rest.pop("provenance", _provenance(plans, files, answers)),
        "organs": {organ: _tissue(organ, answers) for organ in organs} | stated,
        "limits": [
            *({"use": name} for name in made.limits),
            *shared_plans(plans),
            *rest.pop("limits", []),
        ],
        "lesions": _lesions(plans, answers, factors, bins),
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
            "histograms: bins of the structures of each organ, at most 0.5 % of the prescription "
            "wide",
            "volumes of lesions: those of their structures",
        ],
        "assumed": [
            "doses scale with the prescription: the plan is the same in every fractionation",
            "structures of one organ or lesion do not overlap",
            *_no_dose(leaders, answers),
            *(["doses of several plans at a point add"] if len(leaders) > 1 else []),
            *([SHARED] if len(plans) > len(leaders) else []),
            "no systemic effect, unless the map states agents, immune or effector_share",
            "everything else: tumors and tissues of the library, what the map states",
        ],
    }


def _no_dose(plans: Sequence[Plan], answers: Map) -> list[str]:
    """What the map says that no histogram does."""
    return [
        f"no dose from the plan of {plan.lesion}: {', '.join(organs)}"
        for plan in plans
        if (organs := answers.lesions[plan.lesion].get("no_dose"))
    ]


def _lesions(
    plans: Sequence[Plan], answers: Map, factors: Factors, bins: dict[str, dict[str, Raw]]
) -> list[Raw]:
    by_name = {plan.lesion: plan for plan in plans}
    lesions = {
        name: _lesion(by_name[name], entry, answers, factors[name]) if name in by_name else entry
        for name, entry in answers.lesions.items()
    }
    for name, histograms in bins.items():
        stated = lesions[name].get("histograms", {})
        lesions[name] |= {"histograms": histograms | stated} if histograms or stated else {}
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
    integral = integral_dose(plan, answers) if plan.leader is None else None
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
