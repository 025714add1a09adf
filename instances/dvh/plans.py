"""Plans: which files belong to which lesion, with which prescription, and whether units fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.dvh.files.read import DvhFile
from abscopt.instances.dvh.mapping import Map, prescription
from abscopt.instances.dvh.measures import Curve, mean
from abscopt.instances.menus.prescriptions import Prescription
from abscopt.instances.reading.problems import refused

TARGET_RANGE = (0.5, 2.0)
"""Mean dose of a target over its prescription: SABR goes to 1.4; beyond, units do not fit."""
OF_MENU = (
    "prescriptions", "course", "interval_days", "first_start_day", "last_start_day",
    "start_step_days",
)  # fmt: skip
"""Keys of a lesion that say what is on its menu."""
MOST_FACTOR = 3.0
"""Greatest dose of a structure over the prescription, as for sparing factors of a case."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What one lesion's plan gives: curves in Gy by structure, its prescription, files and hashes.

    `leader` is the first lesion of the same plan, which has its dose to organs; None for that one.
    """

    lesion: str
    rx: Prescription
    curves: dict[str, Curve]
    leader: str | None = None
    files: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()


def plans_of(files: Sequence[DvhFile], answers: Map, rx: str | None) -> list[Plan]:
    """One plan for each lesion that a structure is mapped to; lesions of the same files share it.

    Raises
    ------
    InputError
        If a file would count twice, or doses do not fit the prescription.
    """
    names = [name for name in answers.lesions if answers.mapped_to(name)]
    if not names:
        rule = "no structure is mapped to a lesion: one at least is the target of the plan"
        raise refused(answers.label, "structures", "no target", rule)
    leaders: dict[frozenset[str], Plan] = {}
    used: dict[str, str] = {}
    plans = []
    for name in names:
        chosen = _files(name, files, answers, alone=len(names) == 1)
        leader = leaders.get(frozenset(file.label for file in chosen))
        for file in chosen if leader is None else ():
            if file.label in used:
                rule = (
                    f"the plan of this file is that of lesion {used[file.label]} already; its "
                    "dose would count twice: lesions of one plan have the same files"
                )
                raise refused(answers.label, f"lesions.{name}", Path(file.label).name, rule)
            used[file.label] = name
        plan = _plan(name, chosen, answers, rx, leader)
        leaders.setdefault(frozenset(file.label for file in chosen), plan)
        plans.append(plan)
    return plans


def _check_shared(plan: Plan, leader: Plan, answers: Map) -> None:
    """What lesions of one plan must have in common."""
    place = f"lesions.{plan.lesion}"
    if plan.rx.fractions != leader.rx.fractions:
        rule = f"one plan has one number of fractions: {leader.lesion} has {leader.rx.fractions}"
        raise refused(answers.label, f"{place}.rx", plan.rx.fractions, rule)
    stated = [key for key in (*OF_MENU, "no_dose") if key in answers.lesions[plan.lesion]]
    if stated:
        rule = f"belongs to lesion {leader.lesion}, whose plan it shares: days and doses follow it"
        raise refused(answers.label, f"{place}.{stated[0]}", stated[0], rule)


def _files(name: str, files: Sequence[DvhFile], answers: Map, alone: bool) -> list[DvhFile]:
    wanted = answers.lesions[name].get("files")
    place = f"lesions.{name}.files"
    if wanted is None:
        if alone or len(files) == 1:
            return list(files)
        rule = "several files and lesions: say which files are the plan of this lesion"
        raise refused(answers.label, place, "missing", rule)
    known = {Path(file.label).name: file for file in files}
    if not isinstance(wanted, list) or not wanted:
        raise refused(answers.label, place, wanted, "must be a list of file names")
    for file in wanted:
        if file not in known:
            raise refused(answers.label, place, file, f"no such file; known: {sorted(known)}")
    return [known[file] for file in wanted]


def _plan(
    name: str, files: Sequence[DvhFile], answers: Map, rx: str | None, leader: Plan | None
) -> Plan:
    stated = answers.lesions[name].get("rx", rx) or _stated_by(files)
    if stated is None:
        rule = "the prescription of the plan is missing: --rx 50/5, or rx in its lesion"
        raise refused(answers.label, f"lesions.{name}.rx", "missing", rule)
    place = f"lesions.{name}.rx" if "rx" in answers.lesions[name] else "--rx"
    plan = prescription(stated, answers.label if place != "--rx" else "--rx", place)
    curves: dict[str, Curve] = {}
    other_dose = leader is not None and "rx" in answers.lesions[name]
    for file in files:
        total = plan.total_gy if file.prescribed_gy is None or other_dose else file.prescribed_gy
        if abs(total - plan.total_gy) > 1e-6:
            rule = f"the file states {total:g} Gy as prescribed"
            raise refused(file.label, "prescription", f"{plan.total_gy:g} Gy", rule)
        if file.fractions is not None and file.fractions != plan.fractions:
            rule = f"the file states {file.fractions} fractions"
            raise refused(file.label, "prescription", f"{plan.fractions} fractions", rule)
        for structure, curve in file.curves.items():
            if structure in curves:
                rule = f"structure twice in the files of lesion {name}"
                raise refused(file.label, f"structure {structure}", structure, rule)
            curves[structure] = curve.in_gy((leader.rx if leader else plan).total_gy)
            _check_doses(file.label, curves[structure], plan)
    labels, hashes = (tuple(file.label for file in files), tuple(file.sha256 for file in files))
    found = Plan(name, plan, curves, leader.lesion if leader else None, labels, hashes)
    _check_target(found, answers)
    if leader is not None:
        _check_shared(found, leader, answers)
    return found


def _stated_by(files: Sequence[DvhFile]) -> str | None:
    """The prescription that one file states completely."""
    if len(files) == 1 and files[0].prescribed_gy is not None and files[0].fractions is not None:
        return f"{files[0].prescribed_gy:.9g}/{files[0].fractions}"
    return None


def _check_doses(file: str, curve: Curve, rx: Prescription) -> None:
    most = float(curve.dose[curve.share > 0][-1])
    if most > MOST_FACTOR * rx.total_gy:
        rule = f"at most {MOST_FACTOR:g} times the prescription: is the unit of the doses right?"
        raise refused(file, f"structure {curve.structure}", f"{most:g} Gy", rule)


def _check_target(plan: Plan, answers: Map) -> None:
    for structure in answers.mapped_to(plan.lesion):
        if structure not in plan.curves:
            rule = f"not in the files of lesion {plan.lesion}"
            raise refused(answers.label, f"structures.{structure}", structure, rule)
        dose = mean(plan.curves[structure])
        low, high = (factor * plan.rx.total_gy for factor in TARGET_RANGE)
        if not low <= dose <= high:
            rule = (
                f"a target has {low:g} to {high:g} Gy for {plan.rx.total_gy:g} Gy prescribed: "
                "are structure, unit and prescription right?"
            )
            place = f"structures.{structure}"
            raise refused(answers.label, place, f"mean dose {dose:.4g} Gy", rule)
