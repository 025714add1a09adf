"""Which doses are one plan, what they were planned on, and what was prescribed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from abscopt.instances.dicom.doses import Dose, dose_of
from abscopt.instances.dicom.files import DOSE, PLAN, STRUCTURES, RtFile
from abscopt.instances.dicom.structures import Structure, structures_of
from abscopt.instances.reading.problems import refused

WHOLE = ("PLAN", "MULTI_PLAN")
"""`DoseSummationType` of a dose that is complete as it is (PS3.3, C.8.8.3)."""


@dataclass(frozen=True)
class RtPlan:
    """One plan.

    Attributes
    ----------
    label : file of its dose, for messages and the map
    doses : that add
    structures : by name
    prescribed_gy, fractions : None where no RT Plan says it, or several things
    plan_uids : of the RT Plans in it
    hashes : SHA-256 of all files that count
    """

    label: str
    doses: tuple[Dose, ...]
    structures: dict[str, Structure]
    prescribed_gy: float | None
    fractions: int | None
    plan_uids: frozenset[str]
    hashes: tuple[str, ...]


def plans_of(files: Sequence[RtFile]) -> list[RtPlan]:
    """Plans of one patient's objects; raises InputError where they do not fit together."""
    _check_together(files)
    by_kind = {kind: [f for f in files if f.kind == kind] for kind in (DOSE, STRUCTURES, PLAN)}
    for kind, what in ((DOSE, "RT dose"), (STRUCTURES, "RT structure set")):
        if not by_kind[kind]:
            raise refused(files[0].label, "objects", f"no {what}", f"must hold an {what}")
    contours = {file.label: structures_of(file) for file in by_kind[STRUCTURES]}
    plans = {_uid(file): file for file in by_kind[PLAN]}
    return [
        _plan(doses, plans, by_kind[STRUCTURES], contours)
        for doses in _groups(by_kind[DOSE], plans)
    ]


def summed(plans: Sequence[RtPlan], place: str) -> RtPlan:
    """Several plans as one: doses add at every point; the prescription is to be stated."""
    if len(plans) == 1:
        return plans[0]
    seen: set[str] = set()
    for plan in plans:
        if seen & plan.plan_uids:
            rule = "its plan is in the sum already: its dose would count twice"
            raise refused(plan.label, place, "plan twice", rule)
        seen |= plan.plan_uids
        if plan.structures != plans[0].structures:
            rule = "plans that add must be on one structure set"
            raise refused(plan.label, place, "another structure set", rule)
    return RtPlan(
        plans[0].label,
        tuple(dose for plan in plans for dose in plan.doses),
        plans[0].structures,
        None,
        None,
        frozenset(seen),
        tuple(dict.fromkeys(sha for plan in plans for sha in plan.hashes)),
    )


def _check_together(files: Sequence[RtFile]) -> None:
    """One patient, and no object twice."""
    objects: dict[str, str] = {}
    for file in files:
        if str(file.data.get("PatientID", "")) != str(files[0].data.get("PatientID", "")):
            rule = f"all objects must be of one patient; {files[0].label} is of another"
            raise file.wrong("patient", "another patient", rule)
        if _uid(file) in objects:
            rule = f"the same object as {objects[_uid(file)]}"
            raise file.wrong("SOPInstanceUID", "an object twice", rule)
        objects[_uid(file)] = file.label


def _uid(file: RtFile) -> str:
    return str(file.needed(file.data, "SOPInstanceUID"))


def _referenced(holder: object, sequence: str) -> list[str]:
    """UIDs of the objects that a sequence refers to."""
    entries = getattr(holder, sequence, None) or ()
    return [str(entry.get("ReferencedSOPInstanceUID", "")) for entry in entries]


def _groups(doses: Sequence[RtFile], plans: dict[str, RtFile]) -> Iterator[list[RtFile]]:
    """Doses that are one plan: of all beams, or whole as they are."""
    beams: dict[str, list[RtFile]] = {}
    seen: dict[str, str] = {}
    for file in doses:
        kind = str(file.needed(file.data, "DoseSummationType"))
        uids = _referenced(file.data, "ReferencedRTPlanSequence")
        if kind == "BEAM" and len(uids) == 1:
            beams.setdefault(uids[0], []).append(file)
        elif kind in WHOLE:
            if kind == "PLAN" and uids and uids[0] in seen:
                rule = f"a dose of the same plan as {seen[uids[0]]}: export each plan once"
                raise file.wrong("ReferencedRTPlanSequence", "plan twice", rule)
            seen.update((uid, file.label) for uid in uids if kind == "PLAN")
            yield [file]
        else:
            rule = "must be the dose of a plan (PLAN, MULTI_PLAN), or of all of its beams (BEAM)"
            raise file.wrong("DoseSummationType", kind, rule)
    for uid, files in beams.items():
        if uid in seen:
            rule = f"the whole plan is in {seen[uid]}: its dose would count twice"
            raise files[0].wrong("DoseSummationType", "BEAM", rule)
        _check_beams(files, plans.get(uid))
        yield files


def _check_beams(files: Sequence[RtFile], plan: RtFile | None) -> None:
    """All treatment beams of a plan, each once."""
    if plan is None:
        rule = "doses of beams need their RT plan, which says how many there are"
        raise files[0].wrong("DoseSummationType", "BEAM", rule)
    wanted = sorted(
        int(beam.ReferencedBeamNumber)
        for group in plan.data.get("FractionGroupSequence") or ()
        for beam in group.get("ReferencedBeamSequence") or ()
        if float(beam.get("BeamMeterset") or 0) > 0
    )
    beams = sorted(
        int(beam.ReferencedBeamNumber)
        for file in files
        for entry in file.data.ReferencedRTPlanSequence
        for group in entry.get("ReferencedFractionGroupSequence") or ()
        for beam in group.get("ReferencedBeamSequence") or ()
    )
    if wanted != beams or not wanted:
        rule = f"must be every beam of the plan once: {wanted}"
        raise files[0].wrong("beams", beams, rule)


def _plan(
    files: Sequence[RtFile],
    plans: dict[str, RtFile],
    sets: Sequence[RtFile],
    contours: dict[str, dict[str, Structure]],
) -> RtPlan:
    doses = tuple(dose_of(file) for file in files)
    frames = {dose.frame_of_reference for dose in doses}
    if len(frames) > 1:
        rule = "doses that add must be in one frame of reference"
        raise files[-1].wrong("FrameOfReferenceUID", "another one", rule)
    uids = _referenced(files[0].data, "ReferencedRTPlanSequence")
    known = [plans[uid] for uid in uids if uid in plans]
    structures = _set_of(files[0], frames, known, sets, contours)
    total, fractions = _prescribed(known[0]) if len(uids) == len(known) == 1 else (None, None)
    hashes = tuple(file.sha256 for file in (*files, structures, *known))
    label = files[0].label
    return RtPlan(
        label, doses, contours[structures.label], total, fractions, frozenset(uids), hashes
    )


def _set_of(
    dose: RtFile,
    frames: set[str],
    plans: Sequence[RtFile],
    sets: Sequence[RtFile],
    contours: dict[str, dict[str, Structure]],
) -> RtFile:
    """The structure set of a plan: the one that it names, or the only one in its frame."""
    fitting = [
        file
        for file in sets
        if frames & {structure.frame_of_reference for structure in contours[file.label].values()}
    ]
    if not fitting:
        rule = "no structure set is in its frame of reference: they belong to different images"
        raise dose.wrong("FrameOfReferenceUID", "another one", rule)
    uids = {uid for p in plans for uid in _referenced(p.data, "ReferencedStructureSetSequence")}
    named = [file for file in fitting if _uid(file) in uids]
    if len(named) == 1:
        return named[0]
    if len(fitting) > 1:
        rule = "several structure sets are in its frame of reference: give one of them"
        raise dose.wrong("structures", [file.label for file in fitting], rule)
    return fitting[0]


def _prescribed(plan: RtFile) -> tuple[float | None, int | None]:
    """Total dose and number of fractions, where the plan says one of each."""
    data = plan.data
    totals = {
        float(entry.TargetPrescriptionDose)
        for entry in data.get("DoseReferenceSequence") or ()
        if str(entry.get("DoseReferenceType", "")) == "TARGET"
        and entry.get("TargetPrescriptionDose") is not None
    }
    counts = [
        int(group.NumberOfFractionsPlanned)
        for group in data.get("FractionGroupSequence") or ()
        if group.get("NumberOfFractionsPlanned") is not None
    ]
    return (
        next(iter(totals)) if len(totals) == 1 else None,
        counts[0] if len(counts) == 1 else None,
    )
