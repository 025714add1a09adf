"""Protocols and criteria of CERR's ROE (radiotherapy outcomes explorer) as a map for histograms.

A protocol states a prescription and names its criteria; criteria state, for each structure with its
alpha/beta, limits for a number of fractions (github.com/cerr/CERR, `sampleFilesForROE`: verified
there). ROE corrects doses for fraction size before it compares them (recalled). A limit of L Gy in
n fractions at alpha/beta r is therefore one on BED, `L (1 + L / (n r))`, whatever the schedule:

| function | as a limit |
|---|---|
| calc_maxDose | `bed` at `max` |
| calc_Dx, calc_Vx | `dose_volume` of the EQD2 at the hottest part |
| calc_meanDose | `mean_eqd2`, which is never above what ROE allows |

(the dose in n fractions is concave in BED). Everything else, `ntcp` of a model file for example, is
named and left out. Guidelines are soft limits where a penalty is given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abscopt.instances.changes.text import toml
from abscopt.instances.reading.problems import InputError, refused
from abscopt.instances.reading.read import parse_json
from abscopt.instances.sources import Raw
from abscopt.models.tumor import lq

ASKED = "?"
KINDS = {"criteria": "", "guidelines": "_guideline"}
"""Tables of a structure, and what the names of their limits end in."""


@dataclass(frozen=True)
class Bound:
    """One criterion of a structure.

    Attributes
    ----------
    place : in its file
    organ, name : of the limit
    fractions, alpha_beta_gy : for which it is stated
    """

    file: str
    place: str
    organ: str
    name: str
    fractions: int
    alpha_beta_gy: float
    stated: Raw

    def number(self, key: str, *path: str) -> float:
        """A positive number of it; raises InputError."""
        value: Any = self.stated
        for part in (*path, key):
            value = value.get(part) if isinstance(value, dict) else None
        return _positive(value, self.file, ".".join((self.place, *path, key)))

    def eqd2(self, total_gy: float) -> float:
        """EQD2 of a total dose in its number of fractions."""
        return float(lq.eqd2(self.bed(total_gy), self.alpha_beta_gy))

    def bed(self, total_gy: float) -> float:
        """L (1 + L / (n r))."""
        return total_gy * (1.0 + total_gy / (self.fractions * self.alpha_beta_gy))


def answer(
    protocol: str,
    criteria: str | None = None,
    target: str | None = None,
    tumor: str | None = None,
    where: str | None = None,
    penalty: float | None = None,
) -> tuple[str, list[str], bool]:
    """Map of a protocol, what is said beside it, and whether nothing is left to be filled in.

    Parameters
    ----------
    criteria : file of them; else the one that the protocol names, beside it or in `../Criteria`
    target, tumor, where : structure, tumor of the library and organ of the lesion; asked if None
    penalty : of guidelines, in the objective's unit; they are left out without it

    Raises
    ------
    InputError
        With file, place, value and rule of what is wrong.
    """
    stated = _table(protocol)
    number = _positive(stated.get("numFractions"), protocol, "numFractions")
    total = _positive(stated.get("totalDose"), protocol, "totalDose")
    path = criteria or _beside(protocol, stated.get("criteriaFile"))
    file = _table(path)
    remarks = [
        f"models of the protocol are not used: {', '.join(models)}"
        for models in [stated.get("models")]
        if isinstance(models, dict) and models
    ]
    limits: list[Raw] = []
    organs: dict[str, Raw] = {}
    structures: dict[str, str] = {}
    source = f"{file.get('name', 'criteria')}, SHA-256 {_sha(path)}"
    for bound in _bounds(path, file, structures, organs, source):
        soft = bound.name.endswith(KINDS["guidelines"])
        limit = _limit(bound)
        if isinstance(limit, str):
            remarks.append(f"not in the map: {bound.name}: {limit}")
        elif soft and penalty is None:
            remarks.append(f"not in the map: {bound.name}: a guideline, and no --penalty is given")
        else:
            extra = {"penalty": penalty} if soft else {}
            limits.append({"name": bound.name, **limit, **extra, "source": source,
                           "status": "assumed"})  # fmt: skip
    rx = f"{total:g}/{number:g}"
    lesion = {"name": "target", "organ": where or ASKED, "use": tumor or ASKED,
              "prescriptions": [rx]}  # fmt: skip
    text = toml({
        "name": _name(str(stated.get("name", "protocol")), protocol, "name"),
        "title": f"{stated.get('name', 'Protocol')}: {rx}",
        "structures": {**structures, target or ASKED: "target"},
        "organs": organs,
        "limits": limits,
        "lesions": [lesion],
    })  # fmt: skip
    return text, remarks, None not in (target, tumor, where)


def _table(path: str) -> Raw:
    """A JSON object of a file."""
    if not Path(path).exists():
        raise refused(path, "path", "no such file", "must be a file of CERR-ROE")
    raw = parse_json(Path(path))
    if not isinstance(raw, dict):
        raise refused(path, "file", type(raw).__name__, "must be one JSON object")
    return raw


def _sha(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _beside(protocol: str, name: object) -> str:
    """The criteria that a protocol names."""
    if not isinstance(name, str) or not name:
        raise refused(protocol, "criteriaFile", name or "missing", "name the file with --criteria")
    folder = Path(protocol).parent
    for path in (folder / Path(name).name, folder.parent / "Criteria" / Path(name).name):
        if path.is_file():
            return str(path)
    rule = "not beside the protocol nor in ../Criteria: name it with --criteria"
    raise refused(protocol, "criteriaFile", name, rule)


def _positive(value: object, file: str, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        shown = "missing" if value is None else value
        raise refused(file, place, shown, "must be a positive number")
    return float(value)


def _name(text: str, file: str, place: str) -> str:
    """A name as cases have them: other characters become `_`."""
    name = re.sub(r"[^A-Za-z0-9_.+@-]", "_", text).strip("_.+@-")[:60]
    if not name:
        raise refused(file, place, text, "must have letters or digits")
    return name


def _bounds(
    path: str, file: Raw, structures: dict[str, str], organs: dict[str, Raw], source: str
) -> Iterator[Bound]:
    """Criteria and guidelines of every structure; fills structures and organs as it goes."""
    number = _positive(file.get("numFrx"), path, "numFrx")
    tables = file.get("structures")
    if not isinstance(tables, dict) or not tables:
        raise refused(path, "structures", "missing", "must be a table of structures")
    for structure, table in tables.items():
        place = f"structures.{structure}"
        if not isinstance(table, dict):
            raise refused(path, place, type(table).__name__, "must be a table")
        organ, ratio = _name(structure, path, place), table.get("abRatio")
        if organ in organs:
            raise refused(path, place, structure, "two structures of one name")
        r = _positive(ratio, path, f"{place}.abRatio")
        structures[structure] = organ
        organs[organ] = {"alpha_beta_gy": r, "source": source, "status": "assumed"}
        for kind, ending in KINDS.items():
            listed = table.get(kind, {})
            if not isinstance(listed, dict) or not all(
                isinstance(e, dict) for e in listed.values()
            ):
                raise refused(path, f"{place}.{kind}", type(listed).__name__, "must be a table")
            for name, stated in listed.items():
                full = _name(f"{organ}_{name}", path, place) + ending
                yield Bound(path, f"{place}.{kind}.{name}", organ, full, int(number), r, stated)


def _limit(bound: Bound) -> Raw | str:
    """The limit of a criterion, or why it has none."""
    function = bound.stated.get("function")
    shared = {"organ": bound.organ}
    ratio = {"alpha_beta_gy": bound.alpha_beta_gy}
    if function == "calc_maxDose":
        cap = _rounded(bound.bed(bound.number("limit")))
        return {"kind": "bed", **shared, "point": "max", **ratio, "cap_gy": cap}
    if function == "calc_meanDose":
        cap = _rounded(bound.eqd2(bound.number("limit")))
        return {"kind": "mean_eqd2", **shared, **ratio, "cap_gy": cap}
    if function not in ("calc_Vx", "calc_Dx"):
        return f"function {function} is no limit on one dose"
    x, limit = bound.number("val", "parameters", "x"), bound.number("limit")
    total, volume = (x, limit) if function == "calc_Vx" else (limit, x)
    point = _point(bound, volume, share=function == "calc_Vx")
    cap = _rounded(bound.eqd2(total))
    return {"kind": "dose_volume", **shared, "point": point, "dose": "eqd2", **ratio, "cap_gy": cap}


def _point(bound: Bound, volume: float, share: bool) -> str:
    """`d30pct` or `d2cm3`, by `volumeType` (1: relative); V_x counts relative volumes up to 1."""
    parameters = bound.stated.get("parameters")
    table = parameters.get("volumeType") if isinstance(parameters, dict) else None
    kind = table.get("val") if isinstance(table, dict) else None
    if kind not in (0, 1):
        rule = "must be 1 (part of the volume) or 0 (cm3)"
        place = f"{bound.place}.parameters.volumeType.val"
        raise refused(bound.file, place, "missing" if kind is None else kind, rule)
    if kind == 0:
        return f"d{_digits(volume)}cm3"
    percent = 100.0 * volume if share else volume
    if percent > 100:
        where = "limit" if share else "parameters.x.val"
        raise _beyond(bound, where, volume, "a part of the volume is at most all of it")
    return f"d{_digits(percent)}pct"


def _beyond(bound: Bound, key: str, value: float, rule: str) -> InputError:
    return refused(bound.file, f"{bound.place}.{key}", f"{value:g}", rule)


def _digits(value: float) -> str:
    """A number as it stands in the name of a point: 0.035 is `0_035`."""
    return f"{value:.6g}".replace(".", "_")


def _rounded(value: float) -> float:
    """Down, so that rounding never allows more."""
    return int(value * 1e6) / 1e6
