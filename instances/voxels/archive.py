"""Plain arrays in a NumPy archive (.npz), as pyRadPlan or any other program can save them.

`dose_per_fraction_gy` (z, y, x), `spacing_mm` (x, y, z), `fractions` if it is known, and an array
of that shape for each structure, 1 or true inside, named `structure NAME`.
"""

from __future__ import annotations

import zipfile

import numpy as np

from abscopt.instances.reading.problems import refused
from abscopt.instances.voxels.patient import Fraction, Patient, cube, fraction_count, spacing
from abscopt.models.arrays import BoolArray

DOSE, SPACING, FRACTIONS, STRUCTURE = (
    "dose_per_fraction_gy", "spacing_mm", "fractions", "structure ",
)  # fmt: skip
KEYS = f"{DOSE}, {SPACING}, {FRACTIONS} and one '{STRUCTURE}NAME' for each structure"


def read_archive(file: str) -> tuple[Patient, Fraction]:
    """What an archive holds; raises InputError."""
    arrays = _arrays(file)
    for key in (DOSE, SPACING):
        if key not in arrays:
            raise refused(file, key, "missing", f"must hold {KEYS}")
    unknown = [k for k in arrays if k not in (DOSE, SPACING, FRACTIONS) and STRUCTURE not in k]
    if unknown:
        raise refused(file, "array", unknown[0], f"is not known; known: {KEYS}")
    dose = cube(arrays[DOSE], file, DOSE)
    x, y, z = spacing(arrays[SPACING], file, SPACING)
    masks: dict[str, BoolArray] = {}
    unusable: dict[str, str] = {}
    for key, array in arrays.items():
        if not key.startswith(STRUCTURE):
            continue
        name = key.removeprefix(STRUCTURE)
        if array.shape != dose.shape:
            shapes = f"{' x '.join(map(str, array.shape))}"
            rule = f"must have the shape of {DOSE}, {' x '.join(map(str, dose.shape))}"
            raise refused(file, key, shapes, rule)
        if array.dtype.kind not in "biuf" or not np.all((array == 0) | (array == 1)):
            raise refused(file, key, str(array.dtype), "must be 0 or 1, or false or true")
        if array.any():
            masks[name] = array.astype(bool)
        else:
            unusable[name] = "it has no voxels"
    count = fraction_count(arrays[FRACTIONS], file, FRACTIONS) if FRACTIONS in arrays else None
    shape = (dose.shape[0], dose.shape[1], dose.shape[2])
    return Patient(shape, (z, y, x), masks, unusable), Fraction(dose, count)


def _arrays(file: str) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        text = (str(error).splitlines() or ["unreadable"])[0][:80]
        raise refused(file, "file", text, f"must be an archive of numpy.savez: {KEYS}") from None
