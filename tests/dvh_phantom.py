"""An analytic phantom, and its histogram in every shape that the import reads.

A sphere in a linear gradient: dose 0 at one pole, `top` at the other. With t = D / top

    V(D) = 1 - 3 t^2 + 2 t^3,   mean D = top / 2,   mean D^2 = 3 top^2 / 10

(a disk at height z has area proportional to 1 - z^2). A slab in the same gradient has
V(D) = 1 - t, mean top / 2, mean square top^2 / 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from abscopt.models.arrays import FloatArray

SECRETS = ("DOE^JANE", "MRN-4711-X", "1961-02-03", "DrHouse", "SecretPlan7")
"""What identifies a person in the exports, and must be in no output."""
RX_GY = 50.0
STRUCTURES = {"PTV 1": (60.0, 30.0), "Spinal Cord": (12.0, 45.0), "Lungs-GTV": (14.0, 3600.0)}
"""Dose at the top in Gy and volume in cm3; the target has 40 Gy more everywhere."""


def dose_and_share(name: str, step_gy: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Doses in Gy and V(D) of a structure."""
    top, _ = STRUCTURES[name]
    base = 40.0 if name == "PTV 1" else 0.0
    dose = np.round(np.arange(0.0, top + step_gy / 2, step_gy), 6)
    t = np.clip((dose - base) / (top - base), 0.0, 1.0)
    return dose, 1.0 - 3.0 * t**2 + 2.0 * t**3


def expected(name: str) -> tuple[float, float]:
    """(mean, mean square) of a structure, in Gy and Gy2."""
    top, _ = STRUCTURES[name]
    base = 40.0 if name == "PTV 1" else 0.0
    half = (top - base) / 2.0
    middle = base + half
    return middle, middle**2 + half**2 / 5.0


def plain(
    delimiter: str = ",",
    comma: bool = False,
    unit: str = "Gy",
    volume: str = "cm3",
    step: float = 0.05,
) -> str:
    """One column of doses, one for each structure; those with less dose end in zeros."""
    dose, _ = dose_and_share("PTV 1", step)
    factor = {"Gy": 1.0, "cGy": 100.0, "%": 100.0 / RX_GY}[unit]
    lines = [
        f"# Patient: {SECRETS[0]}, ID {SECRETS[1]}, born {SECRETS[2]}; plan {SECRETS[4]}",
        "# Rx: 50 Gy; cumulative DVH",
        delimiter.join([f"Dose [{unit}]", *(f"{name} [{volume}]" for name in STRUCTURES)]),
    ]
    columns = []
    for name, (_, total) in STRUCTURES.items():
        own_dose, share = dose_and_share(name, step)
        full = np.interp(dose, own_dose, share, right=0.0)
        columns.append(full * (100.0 if volume == "%" else total))
    for i, d in enumerate(dose):
        cells = [f"{d * factor:.6g}", *(f"{column[i]:.9g}" for column in columns)]
        lines.append(delimiter.join(cells).replace(".", "," if comma else "."))
    return "\n".join(lines) + "\n"


def differential(per_gy: bool = False, centers: bool = False) -> str:
    """Volumes of bins by their lower edges or centers, or densities."""
    step = 0.05
    name = "dVolume / dDose" if per_gy else "Volume"
    lines = [f"# Differential DVH; structure: {next(iter(STRUCTURES))}"]
    dose, share = dose_and_share("PTV 1", step)
    _, total = STRUCTURES["PTV 1"]
    if per_gy:
        t = np.clip((dose - 40.0) / 20.0, 0.0, 1.0)
        rows = list(zip(dose, total * 6.0 * t * (1.0 - t) / 20.0, strict=True))
        lines.append(f"Dose [Gy],{name} [cm³ / Gy]")
    else:
        shift = step / 2 if centers else 0.0
        rows = list(zip(dose[:-1] + shift, -np.diff(share) * total, strict=True))
        lines.append(f"Dose [Gy],{name} [cm3]")
    return "\n".join([*lines, *(f"{d:.6g},{v:.9g}" for d, v in rows)]) + "\n"


def long() -> str:
    """Rows of structure, dose and volume, with columns that name a person."""
    lines = ["Patient,Structure,Dose (Gy),Volume (%)"]
    for name in STRUCTURES:
        for d, v in zip(*dose_and_share(name), strict=True):
            lines.append(f"{SECRETS[0]},{name},{d:.6g},{100 * v:.9g}")
    return "\n".join(lines) + "\n"


def eclipse(relative: bool = False, percent: bool = True, kind: str = "Cumulative") -> str:
    """Text export of Eclipse."""
    lines = [
        f"Patient Name         : {SECRETS[0]}",
        f"Patient ID           : {SECRETS[1]}",
        "Comment              : DVHs for one plan",
        f"Exported by          : {SECRETS[3]}",
        f"Type                 : {kind} Dose Volume Histogram",
        f"Description          : The {kind.lower()} DVH displays the percentage (relative)",
        "                       or volume (absolute) of structures that receive a dose",
        "                       equal to or greater than a given dose.",
        "",
        f"Plan: {SECRETS[4]}",
        f"Plan Status: Treatment Approved {SECRETS[2]} by {SECRETS[3]}",
        "Prescribed dose [cGy]: 5000.0",
        "% for dose (%): 100.0",
    ]
    for name, (_, total) in STRUCTURES.items():
        lines += [
            "",
            f"Structure: {name}",
            "Approval Status: Approved",
            f"Plan: {SECRETS[4]}",
            f"Volume [cm³]: {total:.1f}",
            "Dose Cover.[%]: 100.0",
            "Min Dose [cGy]: 0.0",
            "",
        ]
        dose, share = dose_and_share(name)
        if kind == "Differential":
            top = STRUCTURES[name][0]
            base = 40.0 if name == "PTV 1" else 0.0
            t = np.clip((dose - base) / (top - base), 0.0, 1.0)
            lines.append("   Dose [cGy]   dVolume / dDose [cm³ / cGy]")
            density = total * 6 * t * (1 - t) / (top - base) / 100.0
            lines += [f"{100 * d:10.6g} {v:20.9g}" for d, v in zip(dose, density, strict=True)]
            continue
        volume = 100.0 * share if percent else total * share
        what = "Ratio of Total Structure Volume [%]" if percent else "Structure Volume [cm³]"
        first = "Relative dose [%]" if relative else "Dose [cGy]   Relative dose [%]"
        lines.append(f"     {first}   {what}")
        for d, v in zip(dose, volume, strict=True):
            both = f"{100 * d / RX_GY:.6g}" if relative else f"{100 * d:.6g} {100 * d / RX_GY:.6g}"
            lines.append(f"  {both}   {v:.9g}")
    return "\n".join(lines) + "\n"


def raystation(unit: str = "#Dose unit: cGy") -> str:
    """Text export of RayStation: dose and % of the volume."""
    lines = [f"#PatientName:{SECRETS[0]}", f"#PatientId:{SECRETS[1]}", f"#Dosename:{SECRETS[4]}"]
    for name, (_, total) in STRUCTURES.items():
        lines += [
            f"#RoiName:{name}",
            f"#RoiVolume: {total:g}",
            "#Roi volume fraction outside grid: 0 %",
            unit,
        ]
        for d, v in zip(*dose_and_share(name), strict=True):
            lines.append(f"{100 * d:.3f}\t{100 * v:.6f}")
    return "\n".join(lines) + "\n"


def monaco(volume: str = "cm³") -> str:
    """Text export of Monaco."""
    lines = [
        f"Patient ID: {SECRETS[0]}~{SECRETS[1]} | Plan Name: {SECRETS[4]} | Resolution: 0.30(cm) "
        f"| Bin Width: 0.05(Gy) | Dose Units: Gy | Volume Units: {volume}",
        "",
        "Structure Name      Bin       Volume",
    ]
    for name, (_, total) in STRUCTURES.items():
        for d, v in zip(*dose_and_share(name), strict=True):
            amount = 100.0 * v if volume == "%" else total * v
            lines.append(f"{name}      {d:.3f}      {amount:.6f}")
    return "\n".join([*lines, "", "2026-01-05-Mon 10:11:12"]) + "\n"


GERMAN = {
    "Type  ": "Typ   ",
    "Cumulative Dose Volume Histogram": "Kumulatives Dosis-Volumen-Histogramm",
    "Differential Dose Volume Histogram": "Differenzielles Dosis-Volumen-Histogramm",
    "Prescribed dose": "Verschriebene Dosis",
    "% for dose": "% für Dosis",
    "Structure: ": "Struktur: ",
    "Volume [cm³]:": "Volumen [cm³]:",
    "Relative dose": "Relative Dosis",
    "Ratio of Total Structure Volume": "Verhältnis zum Gesamtvolumen der Struktur",
    "dVolume / dDose": "dVolumen / dDosis",
    "Dose": "Dosis",
}
FRENCH = {
    "Cumulative Dose Volume Histogram": "Histogramme dose-volume cumulatif",
    "Differential Dose Volume Histogram": "Histogramme dose-volume différentiel",
    "Prescribed dose": "Dose prescrite",
    "% for dose": "% pour dose",
    "Structure: ": "Structure : ",
    "Relative dose": "Dose relative",
    "Ratio of Total Structure Volume": "Rapport du volume total de la structure",
}
SPANISH = {
    "Type  ": "Tipo  ",
    "Cumulative Dose Volume Histogram": "Histograma dosis-volumen acumulativo",
    "Differential Dose Volume Histogram": "Histograma dosis-volumen diferencial",
    "Prescribed dose": "Dosis prescrita",
    "% for dose": "% para dosis",
    "Structure: ": "Estructura: ",
    "Volume [cm³]:": "Volumen [cm³]:",
    "Relative dose": "Dosis relativa",
    "Ratio of Total Structure Volume": "Proporción del volumen total de la estructura",
    "dVolume / dDose": "dVolumen / dDosis",
    "Dose": "Dosis",
}


def translated(words: dict[str, str], kind: str = "Cumulative") -> str:
    """Eclipse in another language, with a decimal comma; its description stays out."""
    text = eclipse(kind=kind)
    head, _, rest = text.partition("Description")
    text = head + rest[rest.index("\n\n") :]
    for word, other in words.items():
        text = text.replace(word, other)
    return text.replace(".", ",")


def tomotherapy(volume: str = "Absolute Volume (cc)") -> str:
    """CSV of TomoTherapy: a column with the name of each structure, then doses and volumes."""
    heads = [cell for name in STRUCTURES for cell in (f"{name}(STANDARD)", "Dose (Gy)", volume)]
    columns = []
    for name, (_, total) in STRUCTURES.items():
        scale = 100.0 if "%" in volume else total
        columns.append(
            [f",{d:.6g},{scale * v:.9g}" for d, v in zip(*dose_and_share(name), strict=True)]
        )
    longest = max(map(len, columns))
    rows = zip(*(column + [",,"] * (longest - len(column)) for column in columns), strict=True)
    return "\n".join([",".join(heads), *(",".join(row) for row in rows)]) + "\n"


def oncentra() -> str:
    """Text export of Oncentra MasterPlan."""
    lines = [
        f"Patient: {SECRETS[0]}",
        f"Patient Id: {SECRETS[1]}",
        f"Plan: {SECRETS[4]}",
        "Cumulative mode",
        "Absolute dose - [cGy]",
        "Absolute volume - [ccm]",
    ]
    for name, (_, total) in STRUCTURES.items():
        lines += ["", f"ROI: {name}", "*****", "   Bin      Dose     Volume"]
        for number, (d, v) in enumerate(zip(*dose_and_share(name), strict=True)):
            lines.append(f"{number:6d} {100 * d:12.6g} {total * v:14.9g}")
    return "\n".join(lines) + "\n"


SHAPES: dict[str, tuple[Callable[[], str], bool]] = {
    "comma": (plain, True),
    "semicolon": (lambda: plain(";", comma=True), True),
    "spreadsheet": (lambda: "sep=;\r\n" + plain(";", comma=True), True),
    "tomotherapy": (tomotherapy, True),
    "tomotherapy-percent": (lambda: tomotherapy("Relative Volume (%)"), False),
    "tab": (lambda: plain("\t", unit="cGy"), True),
    "tab-comma": (lambda: plain("\t", comma=True, volume="cc"), True),
    "percent-dose": (lambda: plain(unit="%"), True),
    "percent-volume": (lambda: plain(volume="%"), False),
    "rows": (long, False),
    "eclipse": (eclipse, True),
    "eclipse-absolute": (lambda: eclipse(percent=False), True),
    "eclipse-relative": (lambda: eclipse(relative=True), True),
    "eclipse-differential": (lambda: eclipse(kind="Differential"), True),
    "eclipse-german": (lambda: translated(GERMAN), True),
    "eclipse-german-differential": (lambda: translated(GERMAN, "Differential"), True),
    "eclipse-french": (lambda: translated(FRENCH), True),
    "eclipse-french-differential": (lambda: translated(FRENCH, "Differential"), True),
    "eclipse-spanish": (lambda: translated(SPANISH), True),
    "eclipse-spanish-differential": (lambda: translated(SPANISH, "Differential"), True),
    "oncentra": (oncentra, True),
    "raystation": (raystation, True),
    "raystation-unit": (lambda: raystation("#Unit: cGy"), True),
    "monaco": (monaco, True),
    "monaco-percent": (lambda: monaco("%"), False),
}
"""Shapes by name, and whether they say volumes in cm3."""
