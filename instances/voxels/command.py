"""What `abscopt import matrad` does and says: histograms of what the map names, then as `dvh`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.dvh.command import Answer, asking, check_set, completed
from abscopt.instances.dvh.files.read import DvhFile, usable
from abscopt.instances.dvh.mapping import map_of, prescription
from abscopt.instances.reading.problems import refused
from abscopt.instances.voxels.archive import KEYS, read_archive
from abscopt.instances.voxels.histogram import curve
from abscopt.instances.voxels.matlab import Variables, fraction, patient, variables
from abscopt.instances.voxels.patient import Fraction, Patient

PHYSICAL = "physicalDose"
MOST_BYTES = 2_000_000_000
"""A CT of 512 x 512 x 400 voxels with its dose in double precision is 1.7 GB."""


@dataclass(frozen=True)
class Plan:
    """One file with a dose, the voxels that it refers to, and its hash."""

    file: str
    sha256: str
    patient: Patient
    fraction: Fraction


def answer(
    files: Sequence[str],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    quantity: str = PHYSICAL,
    measures: Sequence[str] = (),
) -> Answer:
    """The case of fraction doses and a map; without a map, a map to fill in.

    Raises
    ------
    InputError
        With file, place, value and rule of each problem.
    """
    check_set(limit_set, rx)
    plans = _plans(files, quantity)
    if map_file is None:
        return asking([_file(plan, frozenset(), rx) for plan in plans], limit_set, rx)
    answers = map_of(map_file)
    wanted = frozenset(answers.structures)
    return completed([_file(p, wanted, rx) for p in plans], answers, limit_set, rx, measures)


def _plans(files: Sequence[str], quantity: str) -> list[Plan]:
    """Files with a dose; `ct` and `cst` may stand in another file, for all of them."""
    hashes = {file: _hash(file) for file in files}
    if len(set(hashes)) < len(files) or len({Path(file).name for file in files}) < len(files):
        raise refused(files[0], "files", "a name twice", "must be named apart")
    plans: list[Plan] = []
    matlab: list[Variables] = []
    for file in files:
        if Path(file).suffix.lower() in (".npz", ".npy"):
            plans.append(Plan(file, hashes[file], *read_archive(file)))
        else:
            matlab.append(variables(file, _head(file)))
    anatomy = [given for given in matlab if {"ct", "cst"} <= given.values.keys()]
    shared = [given for given in anatomy if "resultGUI" not in given.values]
    for given in matlab:
        if "resultGUI" not in given.values:
            if given not in anatomy:
                held = ", ".join(given.values) or "none of them"
                rule = "must hold resultGUI, or ct and cst (and pln)"
                raise refused(given.file, "variables", held, rule)
            continue
        own = [given] if given in anatomy else shared
        if len(own) != 1:
            held = "missing" if not own else f"in {len(own)} files"
            rule = "must be saved with resultGUI, or in one file beside it"
            raise refused(given.file, "ct and cst", held, rule)
        sha = ", ".join(dict.fromkeys([hashes[given.file], hashes[own[0].file]]))
        plans.append(Plan(given.file, sha, patient(own[0]), fraction(given, quantity)))
    if not plans:
        raise refused(files[0], "resultGUI", "missing", "one file must hold a dose")
    for plan in plans:
        if plan.fraction.gy.shape != plan.patient.shape:
            shapes = [" x ".join(map(str, s)) for s in (plan.fraction.gy.shape, plan.patient.shape)]
            rule = f"must be on the voxels of ct.cubeDim, (z, y, x) {shapes[1]}"
            raise refused(plan.file, f"resultGUI.{quantity}", f"(z, y, x) {shapes[0]}", rule)
    return plans


def _file(plan: Plan, wanted: frozenset[str], rx: str | None) -> DvhFile:
    """Histograms of the structures that are wanted, of all fractions together."""
    count = plan.fraction.fractions
    if count is None:
        if rx is None:
            rule = "is missing: save pln, too, or give --rx"
            raise refused(plan.file, "number of fractions", "not stated", rule)
        count = prescription(rx, "--rx", "prescription").fractions
    total = plan.fraction.gy * count
    curves, unusable = usable(
        (name, curve(name, mask, total, plan.patient.spacing))
        for name, mask in plan.patient.masks.items()
        if name in wanted
    )
    return DvhFile(
        plan.file,
        plan.sha256,
        curves,
        plan.patient.unusable | unusable,
        None,
        fractions=count,
        others=tuple(name for name in plan.patient.masks if name not in wanted),
        kind="doses of a fraction and voxels of structures",
    )


def _head(file: str) -> bytes:
    with Path(file).open("rb") as stream:
        return stream.read(128)


def _hash(file: str) -> str:
    path = Path(file)
    if path.suffix.lower() == ".npy":
        rule = f"holds one array and no structures: save an archive with numpy.savez: {KEYS}"
        raise refused(file, "file", path.suffix, rule)
    try:
        if not path.is_file():
            value = "a folder" if path.is_dir() else "no such file"
            raise refused(file, "path", value, "must be a file of MATLAB (.mat) or NumPy (.npz)")
        if path.stat().st_size > MOST_BYTES:
            raise refused(file, "file", "too long", f"must not exceed {MOST_BYTES} bytes")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unreadable"
        raise refused(file, "path", reason, "must be readable") from None
