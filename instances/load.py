"""Instances from files and from the bundled set: read, merge the library, check.

Any problem raises `InputError`, which lists file, place, value and rule of each.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

    from abscopt.instances.schema import Instance

CASES = Path(__file__).parent / "cases"
LIBRARY = Path(__file__).parent / "library"
MAX_BYTES = 5_000_000
MOST_DIGITS = 18

Raw = dict[str, Any]


def printable(text: str) -> str:
    """Text on one line: characters that a terminal would obey or hide are written as escapes."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where it is, what it says, which rule it breaks."""

    file: str
    place: str
    value: str
    rule: str

    def __str__(self) -> str:
        """One line: file, place, value, rule; what cannot be printed is escaped."""
        return printable(f"{self.file}: {self.place}: {self.value}: {self.rule}")


class InputError(Exception):
    """Wrong input; `problems` has one entry per problem, `str()` one line per problem."""

    def __init__(self, problems: list[Problem]):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def _fail(file: str, place: str, value: object, rule: str) -> InputError:
    return InputError([Problem(file, place, _short(value), rule)])


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, str) else value
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."


def _bundled() -> dict[str, Path]:
    """Files of the bundled cases by name; `cases/A/b.toml` is variant `A-b` of case `A`."""
    found = {path.stem: path for path in CASES.glob("*.toml")}
    return found | {f"{path.parent.name}-{path.stem}": path for path in CASES.glob("*/*.toml")}


def names() -> list[str]:
    """Names of the bundled cases, in alphabetical order (numbers in numerical order)."""

    def order(name: str) -> tuple[str, int]:
        stem, _, tail = name.rpartition("-")
        return (stem, int(tail)) if tail.isdigit() and stem == "mr-linac" else (name, 0)

    return sorted(_bundled(), key=order)


def titles() -> dict[str, str]:
    """Title of every bundled case, read without the checking machinery."""
    files = _bundled()
    return {name: str(_parse(files[name])["title"]) for name in names()}


def locate(name_or_path: str | Path) -> Path:
    """Path of a bundled case or of a file; raises InputError if there is none."""
    bundled = _bundled().get(str(name_or_path))
    if bundled is not None:
        return bundled
    path = Path(name_or_path)
    try:
        found = path.exists()
    except (OSError, ValueError):
        found = False
    if not found:
        rule = "no such file, and no bundled case of this name (see `abscopt instances list`)"
        raise _fail(str(name_or_path), "path", str(name_or_path), rule)
    return path


def load(name_or_path: str | Path) -> Instance:
    """Read, complete and check a bundled case or an instance file (TOML or JSON)."""
    path = locate(name_or_path)
    return build(_parse(path), str(name_or_path))


def build(raw: Raw, label: str = "instance") -> Instance:
    """Complete a parsed case from the library and check it; `label` names it in errors."""
    from pydantic import ValidationError

    from abscopt.instances.schema import Instance

    if not isinstance(raw, dict):
        raise _fail(label, "file", type(raw).__name__, "must be one table")
    merged = _with_library(_extended(raw, label), label)
    try:
        text = json.dumps(merged, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise _fail(label, "file", type(error).__name__, "must be plain TOML or JSON") from None
    try:
        return Instance.model_validate_json(text)
    except ValidationError as error:
        raise InputError(list(problems_of(error, label))) from None


def read_text(path: Path) -> str:
    """Text of an input file; refuses folders, huge and binary files."""
    label = str(path)
    if path.is_dir():
        raise _fail(label, "path", "a folder", "must be a file")
    if path.exists() and not path.is_file():
        raise _fail(label, "path", "no regular file", "must be a file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _fail(label, "file", "too long", f"must not exceed {MAX_BYTES} bytes")
    except OSError as error:
        raise _fail(label, "path", error.strerror or "unreadable", "must be readable") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _fail(label, f"byte {error.start}", "binary", "must be UTF-8 text") from None
    if "\0" in text:
        raise _fail(label, f"byte {text.index(chr(0))}", "NUL", "must be UTF-8 text")
    return text


def parse_json(path: Path) -> Any:
    """Parsed JSON file; duplicate keys are errors."""
    text = read_text(path)

    def unique(pairs: list[tuple[str, Any]]) -> Raw:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _fail(str(path), twice, twice, "key given twice")
        return table

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            raise _fail(str(path), "file", _short(digits), "number with too many digits")
        return int(digits)

    try:
        return json.loads(text, object_pairs_hook=unique, parse_int=whole)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise _fail(str(path), place, error.msg, "must be valid JSON") from None
    except (RecursionError, ValueError) as error:
        raise _fail(str(path), "file", str(error), "must be valid JSON") from None


def _parse(path: Path) -> Raw:
    if path.suffix.lower() == ".json":
        raw = parse_json(path)
        if not isinstance(raw, dict):
            raise _fail(str(path), "file", type(raw).__name__, "must be one JSON object")
        return raw
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fail(str(path), "file", str(error), "must be valid TOML") from None
    except (RecursionError, ValueError) as error:
        raise _fail(str(path), "file", str(error), "must be valid TOML") from None


def problems_of(error: ValidationError, label: str) -> Iterator[Problem]:
    """One `Problem` per message of a pydantic error."""
    for item in error.errors(include_url=False):
        place = _place(item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if "\t" in message:
            for line in message.split("\n"):
                where, value, rule = line.split("\t")
                yield Problem(label, where, _short(value), rule)
            continue
        given = item["input"]
        if item["type"] == "value_error" and isinstance(given, dict):
            given = given.get("name", "the table")
        value = "missing" if item["type"] == "missing" else _short(given)
        rule = message[:1].lower() + message[1:]
        if item["type"] == "extra_forbidden":
            value, rule = place.rpartition(".")[2], "unknown key"
        yield Problem(label, place or "file", value, rule)


def _place(location: tuple[int | str, ...]) -> str:
    """`lesions[0].volume_cm3`; the tags that pydantic adds for unions are left out."""
    place = ""
    for i, part in enumerate(location):
        before = location[i - 1] if i else None
        tag = before == "course" or (
            isinstance(before, int) and i > 1 and location[i - 2] == "limits"
        )
        if isinstance(part, int):
            place += f"[{part}]"
        elif part in ("number", "table", "levels", "grid"):
            continue
        elif not (tag and part in _UNION_TAGS):
            place += f".{part}" if place else part
    return place


_UNION_TAGS = {
    "bed",
    "mean",
    "mean_eqd2",
    "dose_by_fractions",
    "ntcp",
    "alc",
    "edric",
    "drug",
    "logistics",
    "uniform",
    "free",
}


@lru_cache(maxsize=16)
def library(table: str) -> Raw:
    """One library file (`tumors`, `tissues`, `limits`, `drugs`, `regimens`, `scenarios`)."""
    return tomllib.loads((LIBRARY / f"{table}.toml").read_text(encoding="utf-8"))


def library_limits(limit_set: str) -> Raw:
    """Limits of a library set, with those a composite takes from other sets filled in."""
    sets = library("limits")["sets"]
    found: Raw = {}
    for name, entry in sets[limit_set]["limits"].items():
        if "from" in entry:
            other, _, key = entry["from"].rpartition(".")
            entry = library_limits(other)[key] | {k: v for k, v in entry.items() if k != "from"}
        found[name] = entry
    return found


def _filled(entry: Any, place: str, label: str, entries: Raw, what: str) -> Any:
    if not isinstance(entry, dict) or "use" not in entry:
        return entry
    name = entry["use"]
    if not isinstance(name, str) or name not in entries:
        raise _fail(label, f"{place}.use", name, f"no such {what}; known: {sorted(entries)}")
    base = dict(entries[name])
    if "clonogens" in entry:
        base.pop("clonogens_per_cm3", None)
    return base | entry


def _with_library(raw: Raw, label: str) -> Raw:
    """Case with library values under every `use`, and the drugs its regimens need."""
    case = dict(raw)
    case["immune"] = _filled(
        case.get("immune", {"use": "default"}), "immune", label, library("scenarios"), "scenario"
    )
    _each(case, "organs", lambda e, p: _filled(e, p, label, library("tissues"), "tissue"))
    _each(case, "lesions", lambda e, p: _filled(e, p, label, library("tumors"), "tumor"))
    _fill_limits(case, label)
    _fill_systemic(case, label)
    return _scaled(case, label)


MOST_EXTENSIONS = 5


def _extended(raw: Raw, label: str) -> Raw:
    """A case that `extends` a bundled one: tables merged key by key, named entries by name.

    `scale_caps` multiplies every dose cap of the limits, library values included.
    """
    chain = [raw]
    while "extends" in chain[-1]:
        base = chain[-1]["extends"]
        if not isinstance(base, str) or base not in _bundled():
            raise _fail(label, "extends", base, f"no such bundled case; known: {names()}")
        if len(chain) > MOST_EXTENSIONS:
            raise _fail(label, "extends", base, "cases extend each other in a circle")
        chain.append(_parse(_bundled()[base]))
    case = chain.pop()
    while chain:
        case = _merged(case, {k: v for k, v in chain.pop().items() if k != "extends"})
    return case


def _merged(base: Any, change: Any) -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {k: _merged(base[k], v) if k in base else v for k, v in change.items()}
    named = all(
        isinstance(part, list)
        and part
        and all(isinstance(entry, dict) and ({"name", "use"} & set(entry)) for entry in part)
        for part in (base, change)
    )
    if not named:
        return change
    keys = [entry.get("name", entry.get("use")) for entry in base]
    result = list(base)
    for entry in change:
        key = entry.get("name", entry.get("use"))
        if key in keys:
            result[keys.index(key)] = _merged(result[keys.index(key)], entry)
        else:
            result.append(entry)
    return result


def _scaled(case: Raw, label: str) -> Raw:
    """The case with its dose caps multiplied by `scale_caps`."""
    if "scale_caps" not in case:
        return case
    factor = case["scale_caps"]
    if not isinstance(factor, int | float) or isinstance(factor, bool) or not 0 < factor < 100:
        raise _fail(label, "scale_caps", factor, "must be a number between 0 and 100")
    case = {key: value for key, value in case.items() if key != "scale_caps"}
    limits = case.get("limits")

    def times(cap: Any) -> Any:
        """A cap as it is scaled; anything else is left to the schema to refuse."""
        plain = isinstance(cap, float) or (type(cap) is int and abs(cap) < 10**MOST_DIGITS)
        return round(cap * factor, 9) if plain and math.isfinite(cap) else cap

    def scaled(limit: Any) -> Any:
        if not isinstance(limit, dict):
            return limit
        changed = dict(limit)
        if "cap_gy" in limit:
            changed["cap_gy"] = times(limit["cap_gy"])
        if isinstance(limit.get("limits_gy"), list):
            changed["limits_gy"] = [times(cap) for cap in limit["limits_gy"]]
        return changed

    if isinstance(limits, list):
        case["limits"] = [scaled(limit) for limit in limits]
    return case


def _each(case: Raw, key: str, fill: Callable[[Any, str], Any]) -> None:
    table = case.get(key)
    if isinstance(table, dict):
        case[key] = {name: fill(entry, f"{key}.{name}") for name, entry in table.items()}
    elif isinstance(table, list):
        case[key] = [fill(entry, f"{key}[{i}]") for i, entry in enumerate(table)]


def _fill_limits(case: Raw, label: str) -> None:
    chosen, sets = case.get("limit_set"), library("limits")["sets"]
    entries: Raw = {}
    if chosen is not None:
        if not isinstance(chosen, str) or chosen not in sets:
            raise _fail(label, "limit_set", chosen, f"no such set; known: {sorted(sets)}")
        entries = library_limits(chosen)
    organs = case.get("organs", {})

    def fill(entry: Any, place: str) -> Any:
        entry = _filled(entry, place, label, entries, f"limit in set {chosen!r}")
        if not isinstance(entry, dict):
            return entry
        if "name" not in entry and isinstance(entry.get("use"), str):
            entry = {"name": entry["use"], **entry}
        voxels = entry.get("kind") == "ntcp" and entry.get("dose") == "eqd2"
        if (entry.get("kind") in ("bed", "mean_eqd2") or voxels) and "alpha_beta_gy" not in entry:
            name = entry.get("organ")
            known = isinstance(organs, dict) and isinstance(name, str)
            organ = organs.get(name) if known else None
            if isinstance(organ, dict) and "alpha_beta_gy" in organ:
                entry = {**entry, "alpha_beta_gy": organ["alpha_beta_gy"]}
        return entry

    _each(case, "limits", fill)
    limits = case.get("limits")
    if isinstance(limits, list):
        case["limits"] = [part for entry in limits for part in _by_point(entry)]


def _by_point(entry: Any) -> list[Any]:
    """A limit with `points = [...]` as one limit per point, named `name@point`."""
    points = entry.get("points") if isinstance(entry, dict) else None
    if not isinstance(points, list) or not points or "point" in entry:
        return [entry]
    base = {key: value for key, value in entry.items() if key != "points"}
    return [{**base, "name": f"{entry.get('name')}@{point}", "point": point} for point in points]


def _fill_systemic(case: Raw, label: str) -> None:
    _each(case, "regimens", lambda e, p: _filled(e, p, label, library("regimens"), "regimen"))
    _each(case, "drugs", lambda e, p: _filled(e, p, label, library("drugs"), "drug"))
    regimens, drugs = case.get("regimens", {}), case.get("drugs", {})
    if not isinstance(regimens, dict) or not isinstance(drugs, dict):
        return
    agents = case.get("agents", [])
    for agent in agents if isinstance(agents, list) else []:
        wanted = agent.get("regimens", []) if isinstance(agent, dict) else []
        for name in wanted if isinstance(wanted, list) else []:
            if isinstance(name, str) and name not in regimens and name in library("regimens"):
                regimens = {**regimens, name: library("regimens")[name]}
    for regimen in regimens.values():
        doses = regimen.get("doses", []) if isinstance(regimen, dict) else []
        for dose in doses if isinstance(doses, list) else []:
            name = dose.get("drug") if isinstance(dose, dict) else None
            if isinstance(name, str) and name not in drugs and name in library("drugs"):
                drugs = {**drugs, name: library("drugs")[name]}
    case["regimens"], case["drugs"] = regimens, drugs
