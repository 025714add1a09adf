"""Plans: which files belong to which lesion, with which prescription, and whether units fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.dvh.mapping import Map, prescription
from abscopt.instances.dvh.measures import Curve, mean
from abscopt.instances.dvh.read import DvhFile
from abscopt.instances.prescriptions import Prescription
from abscopt.instances.reading.problems import refused

TARGET_RANGE = (0.5, 2.0)
"""Mean dose of a target over its prescription: SABR goes to 1.4; beyond, units do not fit."""
MOST_FACTOR = 3.0
"""Greatest dose of a structure over the prescription, as for sparing factors of a case."""


@dataclass(frozen=True)
class Plan:
    """What one lesion's plan gives: curves in Gy by structure, and its prescription."""

    lesion: str
    rx: Prescription
    curves: dict[str, Curve]


def plans_of(files: Sequence[DvhFile], answers: Map, rx: str | None) -> list[Plan]:
    """One plan for each lesion that a structure is mapped to.

    Raises
    ------
    InputError
        If a file would count twice, or doses do not fit the prescription.
    """
    names = [name for name in answers.lesions if answers.mapped_to(name)]
    if not names:
        rule = "no structure is mapped to a lesion: one at least is the target of the plan"
        raise refused(answers.label, "structures", "no target", rule)
    plans = [_plan(name, files, answers, rx, alone=len(names) == 1) for name in names]
    used: dict[str, str] = {}
    for name in names:
        for file in _files(name, files, answers, alone=len(names) == 1):
            if file.label in used:
                rule = (
                    f"the plan of this file is that of lesion {used[file.label]} already; its "
                    "dose would count twice: map the targets of one plan to one lesion"
                )
                raise refused(answers.label, f"lesions.{name}", Path(file.label).name, rule)
            used[file.label] = name
    return plans


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


def _plan(name: str, files: Sequence[DvhFile], answers: Map, rx: str | None, alone: bool) -> Plan:
    own_files = _files(name, files, answers, alone)
    stated = answers.lesions[name].get("rx", rx) or _stated_by(own_files)
    if stated is None:
        rule = "the prescription of the plan is missing: --rx 50/5, or rx in its lesion"
        raise refused(answers.label, f"lesions.{name}.rx", "missing", rule)
    place = f"lesions.{name}.rx" if "rx" in answers.lesions[name] else "--rx"
    plan = prescription(stated, answers.label if place != "--rx" else "--rx", place)
    curves: dict[str, Curve] = {}
    for file in own_files:
        if file.prescribed_gy is not None and abs(file.prescribed_gy - plan.total_gy) > 1e-6:
            rule = f"the file states {file.prescribed_gy:g} Gy as prescribed"
            raise refused(file.label, "prescription", f"{plan.total_gy:g} Gy", rule)
        if file.fractions is not None and file.fractions != plan.fractions:
            rule = f"the file states {file.fractions} fractions"
            raise refused(file.label, "prescription", f"{plan.fractions} fractions", rule)
        for structure, curve in file.curves.items():
            if structure in curves:
                rule = f"structure twice in the files of lesion {name}"
                raise refused(file.label, f"structure {structure}", structure, rule)
            curves[structure] = curve.in_gy(plan.total_gy)
            _check_doses(file.label, curves[structure], plan)
    found = Plan(name, plan, curves)
    _check_target(found, answers)
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
