"""A case completed from elsewhere: `extends`, `remove`, `limit_set`, `use`, `points`, `scale_caps`.

Every name that is looked up in vain is noted, and the rest is completed all the same, so that the
schema can be asked about it in the same run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.apply import Reader, changed, removed
from abscopt.instances.reading.bins import with_points_of_bins
from abscopt.instances.reading.problems import (
    MOST_LIMITS,
    MOST_SHOWN,
    Problem,
    listing,
    nearest,
    short,
)
from abscopt.instances.reading.read import MOST_DIGITS, parse_case
from abscopt.instances.reading.shorthand import translated
from abscopt.instances.sources import Raw, bundled, library, library_limits, names

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change

MOST_EXTENSIONS = 5
MOST_POINTS = 100
"""Points of one limit: a longer list would make that many limits."""


@dataclass
class Lookups:
    """What was looked up in vain while a case was completed.

    `unresolved` are the places of the tables that lack what the name would have given; `unknown`
    of '' stands for the whole case.
    """

    label: str
    problems: list[Problem] = field(default_factory=list)
    unresolved: set[str] = field(default_factory=set)

    def add(self, place: str, value: object, rule: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.label, place, short(value), rule))

    def missed(
        self, place: str, name: object, what: str, known: Iterable[str], table: str | None
    ) -> None:
        """Note a name that is not known, and the table that was to be filled from it."""
        known = sorted(known)
        like = nearest(name, known) if len(self.problems) < MOST_SHOWN else ""
        self.add(place, name, f"no such {what}{like or f'; known: {listing(known)}'}")
        if table is not None:
            self.unresolved.add(table)


def completed(
    raw: Raw, label: str, folder: Path | None = None, changes: Sequence[Change] = ()
) -> tuple[Raw, Raw, Lookups]:
    """Case with everything that it takes from other cases and from the library.

    Parameters
    ----------
    folder : where relative paths of `extends` begin; the working directory if None
    changes : what is to differ from what the case states

    Returns
    -------
    case : complete
    stated : the same before the library, changes included
    lookups : what was looked up in vain
    """
    found = Lookups(label)
    stated = _extended(raw, found, folder or Path())
    if changes:
        stated, problems = changed(stated, changes, _reader(label), label)
        found.problems += problems
    return translated(_with_library(stated, found), found.add), stated, found


def _reader(label: str) -> Reader:
    """How a case that `label` names is read, for changes of it."""

    def in_effect(stated: Raw) -> Raw:
        from abscopt.instances.load import build

        return build(stated, label).model_dump(mode="json")

    return Reader(
        completed=lambda stated: _with_library(stated, Lookups("")),
        in_effect=in_effect,
        by_point=lambda limit: _by_point(limit, 0, Lookups("")),
    )


def _filled(entry: Any, place: str, found: Lookups, entries: Raw, what: str) -> Any:
    if not isinstance(entry, dict) or "use" not in entry:
        return entry
    name = entry["use"]
    if not isinstance(name, str) or name not in entries:
        found.missed(f"{place}.use", name, what, entries, place)
        return entry
    base = dict(entries[name])
    if "clonogens" in entry:
        base.pop("clonogens_per_cm3", None)
    return base | entry


def _with_library(raw: Raw, found: Lookups) -> Raw:
    """Case with library values under every `use`, and the drugs its regimens need."""
    case = dict(raw)
    scenarios = library("scenarios")
    immune = case.get("immune", {"use": "default"})
    case["immune"] = _filled(immune, "immune", found, scenarios, "scenario")
    if "ensemble" in case:
        case["ensemble"] = _filled(
            case["ensemble"], "ensemble", found, library("ensembles"), "ensemble"
        )
    _each(case, "organs", lambda e, p: _filled(e, p, found, library("tissues"), "tissue"))
    _each(case, "lesions", lambda e, p: _filled(e, p, found, library("tumors"), "tumor"))
    _fill_limits(case, found)
    _fill_systemic(case, found)
    return _scaled(with_points_of_bins(case), found)


def _extended(raw: Raw, found: Lookups, folder: Path) -> Raw:
    """A case that `extends` another one: tables merged key by key, named entries by name.

    What it says to `remove` is taken out of the other case first. `scale_caps` multiplies every
    dose cap of the limits, library values included.
    """
    chain = [raw]
    while "extends" in chain[-1]:
        path = _base(chain[-1]["extends"], folder, found)
        if path is None:
            break
        if len(chain) > MOST_EXTENSIONS:
            found.add("extends", chain[-1]["extends"], "cases extend each other in a circle")
            found.unresolved.add("")
            break
        chain.append(parse_case(path))
        folder = path.parent
    case = {k: v for k, v in chain.pop().items() if k != "extends"}
    if "remove" in case:
        found.add("remove", case.pop("remove"), "belongs to a case that extends another one")
    while chain:
        change = {k: v for k, v in chain.pop().items() if k != "extends"}
        if "remove" in change:
            case, problems = removed(case, change.pop("remove"), _reader(found.label), found.label)
            found.problems += problems
        case = _merged(case, change)
    return case


def _base(name: Any, folder: Path, found: Lookups) -> Path | None:
    """File of the case that another one extends: bundled by its name, or a path."""
    if isinstance(name, str) and name in bundled():
        return bundled()[name]
    if isinstance(name, str) and Path(name).suffix.lower() in (".toml", ".json"):
        path = folder / name
        try:
            if path.exists():
                return path
        except (OSError, ValueError):
            pass
        found.add("extends", name, f"no such file from {folder.absolute()}")
        found.unresolved.add("")
        return None
    found.missed("extends", name, "bundled case", names(), "")
    return None


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


def _scaled(case: Raw, found: Lookups) -> Raw:
    """The case with its dose caps multiplied by `scale_caps`."""
    if "scale_caps" not in case:
        return case
    factor = case["scale_caps"]
    case = {key: value for key, value in case.items() if key != "scale_caps"}
    if not isinstance(factor, int | float) or isinstance(factor, bool) or not 0 < factor < 100:
        found.add("scale_caps", factor, "must be a number between 0 and 100")
        return case
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


def _limit_entries(case: Raw, found: Lookups) -> Raw | None:
    """Entries of the case's limit set; None if there is no set of this name."""
    chosen, sets = case.get("limit_set"), library("limits")["sets"]
    if chosen is None:
        return {}
    if isinstance(chosen, str) and chosen in sets:
        return library_limits(chosen)
    found.missed("limit_set", chosen, "set", sets, None)
    return None


def _fill_limits(case: Raw, found: Lookups) -> None:
    entries, organs = _limit_entries(case, found), case.get("organs", {})
    what = f"limit in set {case.get('limit_set')!r}"

    def fill(entry: Any, place: str) -> Any:
        if not isinstance(entry, dict):
            return entry
        if entries is None and "use" in entry:  # the set is named already
            found.unresolved.add(place)
        elif "use" in entry and "limit_set" not in case:
            found.add(
                f"{place}.use",
                entry["use"],
                "no such limit: name its limit_set at the top of the case",
            )
            found.unresolved.add(place)
        else:
            entry = _filled(entry, place, found, entries or {}, what)
        if "name" not in entry and isinstance(entry.get("use"), str):
            entry = {"name": entry["use"], **entry}
        return _with_ratio(entry, organs)

    _each(case, "limits", fill)
    limits = case.get("limits")
    if isinstance(limits, list):
        parts = [part for i, entry in enumerate(limits) for part in _by_point(entry, i, found)]
        if len(parts) > MOST_LIMITS:
            value = f"{len(parts)} limits, one for each point"
            found.add("limits", value, f"at most {MOST_LIMITS}")
        case["limits"] = parts[:MOST_LIMITS]


def _with_ratio(entry: Raw, organs: Any) -> Raw:
    """A limit that needs an alpha/beta with that of its organ, unless it states its own."""
    as_eqd2 = entry.get("kind") in ("ntcp", "dose_volume") and entry.get("dose") == "eqd2"
    if not (entry.get("kind") in ("bed", "mean_eqd2") or as_eqd2) or "alpha_beta_gy" in entry:
        return entry
    name = entry.get("organ")
    organ = organs.get(name) if isinstance(organs, dict) and isinstance(name, str) else None
    if not isinstance(organ, dict) or "alpha_beta_gy" not in organ:
        return entry
    return {**entry, "alpha_beta_gy": organ["alpha_beta_gy"]}


def _by_point(entry: Any, index: int, found: Lookups) -> list[Any]:
    """A limit with `points = [...]` as one limit per point, named `name@point`."""
    points = entry.get("points") if isinstance(entry, dict) else None
    if not isinstance(points, list) or not points or "point" in entry:
        return [entry]
    base = {key: value for key, value in entry.items() if key != "points"}
    if len(points) > MOST_POINTS:
        found.add(f"limits[{index}].points", f"{len(points)} points", f"at most {MOST_POINTS}")
        points = points[:1]
    return [{**base, "name": f"{entry.get('name')}@{point}", "point": point} for point in points]


def _fill_systemic(case: Raw, found: Lookups) -> None:
    _each(case, "regimens", lambda e, p: _filled(e, p, found, library("regimens"), "regimen"))
    _each(case, "drugs", lambda e, p: _filled(e, p, found, library("drugs"), "drug"))
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
