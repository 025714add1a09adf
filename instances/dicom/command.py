"""What `abscopt import dicom` does and says: histograms of what the map names, then as `dvh`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from abscopt.instances.dicom.files import read_all
from abscopt.instances.dicom.histogram import curve
from abscopt.instances.dicom.plans import RtPlan, plans_of, summed
from abscopt.instances.dvh.command import Answer, asking, check_set, completed
from abscopt.instances.dvh.files.read import DvhFile, usable
from abscopt.instances.dvh.mapping import Map, map_of
from abscopt.instances.reading.problems import refused


def answer(
    paths: Sequence[str],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    measures: Sequence[str] = (),
) -> Answer:
    """The case of DICOM RT objects and a map; without a map, a map to fill in.

    Raises
    ------
    InputError
        With file, place, value and rule of each problem.
    """
    check_set(limit_set, rx)
    objects, skipped = read_all(paths)
    plans = plans_of(objects)
    _check_labels(plans)
    note = [f"{skipped} files of folders are no RT objects"] if skipped else []
    if map_file is None:
        made = asking([_file(plan, frozenset()) for plan in plans], limit_set, rx or _rx(plans))
    else:
        answers, groups = _grouped(map_of(map_file), plans)
        wanted = frozenset(answers.structures)
        files = [_file(group, wanted) for group in groups]
        made = completed(files, answers, limit_set, rx, measures)
    return replace(made, remarks=[*made.remarks, *note])


def _check_labels(plans: Sequence[RtPlan]) -> None:
    names: set[str] = set()
    for plan in plans:
        if Path(plan.label).name in names:
            rule = "two doses of one file name: `files` of the map could not tell them apart"
            raise refused(plan.label, "file", Path(plan.label).name, rule)
        names.add(Path(plan.label).name)


def _rx(plans: Sequence[RtPlan]) -> str | None:
    """What the first plan prescribes, as the map writes it."""
    total, fractions = plans[0].prescribed_gy, plans[0].fractions
    return f"{total:g}/{fractions}" if total is not None and fractions is not None else None


def _file(plan: RtPlan, wanted: frozenset[str]) -> DvhFile:
    """Histograms of the structures that are wanted."""
    curves, unusable = usable(
        (name, curve(structure, plan.doses))
        for name, structure in plan.structures.items()
        if name in wanted
    )
    return DvhFile(
        plan.label,
        ", ".join(plan.hashes),
        curves,
        unusable,
        plan.prescribed_gy,
        fractions=plan.fractions,
        others=tuple(name for name in plan.structures if name not in wanted),
        kind="DICOM RT doses, structures and plans",
    )


def _grouped(answers: Map, plans: Sequence[RtPlan]) -> tuple[Map, list[RtPlan]]:
    """Plans with those added that are one lesion's, and the map that names the sums."""
    known = {Path(plan.label).name: plan for plan in plans}
    lesions, sums, used = dict(answers.lesions), [], set()
    for name, entry in lesions.items():
        files = entry.get("files")
        if files is None and len(lesions) == 1:
            files = list(known)
        if not isinstance(files, list) or not all(file in known for file in files):
            continue  # what `files` must be is said with the plans
        if len(files) > 1 and len(set(files)) == len(files):
            place = f"lesions.{name}.files"
            sums.append(summed([known[file] for file in files], place))
            lesions[name] = entry | {"files": [files[0]]}
            used |= set(files)
    rest = [plan for file, plan in known.items() if file not in used]
    return replace(answers, lesions=lesions), [*sums, *rest]
