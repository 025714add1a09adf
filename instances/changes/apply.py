"""Changes applied to a case as it is stated, before the library completes and the schema checks it.

What the case leaves to the library is changed in its place: a key that is set beside `use` counts
instead of the entry's. Where the case scales its caps, a cap that is set is final.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from abscopt.instances.changes.change import FOLLOWS, Change, path_of
from abscopt.instances.reading.problems import InputError, Problem, listing, nearest, short
from abscopt.instances.reading.sample import node_at
from abscopt.instances.sources import Raw

NAMES = ("name", "use", "lesion", "agent")
"""Keys by which entries of lists are addressed, the first that an entry has."""
FIXED = ("extends", "remove", "changes", "format")
"""Keys of a file that say nothing of the patient."""
SCALE = "scale_caps"
SCALED = ("cap_gy", "limits_gy")
LIBRARY_TABLES = ("drugs", "regimens")
"""Tables whose entries a case has from the library without stating them."""
OF_RADIATION = (
    "course",
    "prescriptions",
    "sparing",
    "histograms",
    "techniques",
    "least_bed_gy",
    "least_eqd2_gy",
)
"""What a lesion that may not be irradiated does not have."""
ALTERNATIVES = {"clonogens": "clonogens_per_cm3", "clonogens_per_cm3": "clonogens"}
"""Keys of which a table has one: who sets it takes the other away."""

Place = list[int | str]


@dataclass(frozen=True)
class Reader:
    """How a case is read, as far as changes need to know.

    Attributes
    ----------
    completed : a stated case with what the library adds
    in_effect : every value of a stated case as it is read, defaults included; raises InputError
    by_point : a limit with `points` as one limit for each
    """

    completed: Callable[[Raw], Raw]
    in_effect: Callable[[Raw], Raw]
    by_point: Callable[[Any], list[Any]]


def changed(
    stated: Raw, changes: Sequence[Change], reader: Reader, label: str
) -> tuple[Raw, list[Problem]]:
    """A stated case with changes, and what is wrong with them.

    The case says in `changes` what was changed, and what followed from it.
    """
    work = _Work(copy.deepcopy(stated), reader, label)
    before = copy.deepcopy(work.case)
    work.prepare(changes)
    for change in changes:
        work.apply(change)
    said = [*stated.get("changes", ()), *map(str, changes)] if changes else []
    if said:
        work.case["changes"] = [*said, *_follow(before, work.case)]
    return work.case, work.problems


class _Work:
    """A case that is being changed."""

    def __init__(self, case: Raw, reader: Reader, label: str):
        self.case, self.reader, self.label = case, reader, label
        self.problems: list[Problem] = []
        self._values: Raw | None = None

    def refuse(self, place: str, value: object, rule: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.label, place, short(value), rule))

    def prepare(self, changes: Sequence[Change]) -> None:
        """State what the changes address and the case has from elsewhere."""
        addressed = {change.path[0] for change in changes}
        if "immune" in addressed:
            self.case.setdefault("immune", {"use": "default"})
        for table in addressed.intersection(LIBRARY_TABLES):
            known = self.reader.completed(self.case).get(table)
            wanted = {part for change in changes if change.path[0] == table for part in change.path}
            stated = self.case.setdefault(table, {})
            for name in known if isinstance(known, dict) and isinstance(stated, dict) else ():
                if name in wanted or "*" in wanted:
                    stated.setdefault(name, {"use": name})
        for change in changes:
            if change.path == (SCALE,):
                self._scale(change)
        if "limits" in addressed and isinstance(self.case.get("limits"), list):
            limits = [_with_name(limit) for limit in self.case["limits"]]
            self.case["limits"] = [part for limit in limits for part in self.reader.by_point(limit)]
            self._state_caps()

    def _scale(self, change: Change) -> None:
        """Set or multiply the factor of all caps."""
        earlier = self.case.get("scale_caps", 1)
        if change.kind == "remove":
            self.case.pop("scale_caps", None)
        elif change.kind == "times" and isinstance(earlier, int | float):
            self.case["scale_caps"] = earlier * change.value
        else:
            self.case["scale_caps"] = change.value

    def _state_caps(self) -> None:
        """State the caps that `scale_caps` makes, so that those set now are not scaled."""
        if "scale_caps" not in self.case:
            return
        scaled = self.reader.completed(self.case)["limits"]
        for limit, other in zip(self.case["limits"], scaled, strict=True):
            if isinstance(limit, dict) and isinstance(other, dict):
                limit |= {key: other[key] for key in SCALED if key in other}
        del self.case["scale_caps"]

    def apply(self, change: Change) -> None:
        """Make one change, wherever it applies."""
        if change.path[0] in FIXED:
            self.refuse(change.key, change.path[0], "is no property of the patient: not changed")
        if change.path[0] in (*FIXED, SCALE):
            return
        noted = len(self.problems)
        places = list(self._places(change))
        done = [self._at(place, change) for place in reversed(places)]  # from the end of lists
        if not any(done) and len(self.problems) == noted:
            self.refuse(change.key, "*", "no entry has it")

    def _places(self, change: Change) -> Iterator[Place]:
        """Every place of the case that a path names."""
        reference = self.reader.completed(self.case)
        yield from self._below(self.case, [], change.path, change, reference)

    def _below(
        self, value: Any, place: Place, path: tuple[str, ...], change: Change, reference: Raw
    ) -> Iterator[Place]:
        if not path:
            yield place
            return
        if isinstance(value, list):
            for i in self._entries(value, path[0], place, change):
                yield from self._below(value[i], [*place, i], path[1:], change, reference)
            return
        if value is None and len(place) > 1 and "*" in change.path[: len(place)]:
            return
        if value is None or isinstance(value, dict):
            for key, further in self._keys(value or {}, path, place, change, reference):
                below = (value or {}).get(key)
                yield from self._below(below, [*place, key], further, change, reference)
            return
        self.refuse(change.key, value, f"{_typed(place)} is one value: nothing lies below it")

    def _entries(self, entries: list[Any], part: str, place: Place, change: Change) -> list[int]:
        """Places of the entries of a list that a name, a place or `*` addresses."""
        if part == "*":
            return list(range(len(entries)))
        if part.startswith("["):
            index = int(part[1:-1])
            if index < len(entries):
                return [index]
            self.refuse(change.key, part, f"{_typed(place)} has {len(entries)} entries, from [0]")
            return []
        names = [_name(entry) for entry in entries]
        same = [i for i, name in enumerate(names) if name == part]
        same = same or [i for i, name in enumerate(names) if name and name.startswith(f"{part}@")]
        if not same:
            what = str(place[-1]).removesuffix("s") if place else "entry"
            known = [name for name in names if name]
            like = nearest(part, known) or f"; known: {listing(known)}"
            self.refuse(change.key, part, f"no such {what}{like}")
        elif len(same) > 1 and len({names[i] for i in same}) == 1:
            rule = f"several have this name: address one by place, as [{same[0]}]"
            self.refuse(change.key, part, rule)
            return []
        return same

    def _keys(
        self, table: Raw, path: tuple[str, ...], place: Place, change: Change, reference: Raw
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Keys of a table that a path names, and what is left of the path."""
        if path[0] == "*":
            yield from ((key, path[1:]) for key in table)
            return
        for count in range(len(path), 1, -1):  # `d0.1cc`, typed without quotes
            joined = ".".join(path[:count])
            if joined in table:
                yield joined, path[count:]
                return
        above = node_at(reference, place)
        if path[0] not in table and node_at(reference, [*place, path[0]]) is None:
            kinds = above.kinds_with(path[0]) if above is not None else []
            like = nearest(path[0], above.keys()) if above is not None else ""
            if kinds:
                like = f" of this kind; {', '.join(map(repr, kinds))} have it"
            self.refuse(change.key, path[0], f"unknown key{like}")
            return
        yield path[0], path[1:]

    def _at(self, place: Place, change: Change) -> bool:
        """Make a change in one place; whether there was anything to change."""
        table: Any = self.case
        for part, following in pairwise(place):
            if isinstance(table, dict) and part not in table and isinstance(following, str):
                table[part] = {}
            table = table[part]
        key: Any = place[-1]
        if change.kind == "remove":
            return self._remove(table, key, change)
        value = change.value
        if change.kind == "times":
            value = self._multiplied(place, change)
            if value is None:
                return False
        self._values = None
        table[key] = copy.deepcopy(value)
        if key in ALTERNATIVES and isinstance(table, dict) and place[0] == "lesions":
            table.pop(ALTERNATIVES[key], None)
        return True

    def _remove(self, table: Any, key: Any, change: Change) -> bool:
        if isinstance(table, dict) and key not in table:
            rule = "the case does not state it; what library and schema supply is set, not removed"
            self.refuse(change.key, str(key), rule)
            return False
        self._values = None
        del table[key]
        return True

    def _multiplied(self, place: Place, change: Change) -> Any:
        """The value in effect at a place, multiplied; None, with a problem, where there is none."""
        if self._values is None:
            self._values = self.reader.in_effect(self.case)
        value: Any = self._values
        for part in place:
            value = value.get(part) if isinstance(value, dict) else value[part]
        if value is None and "*" in change.path:
            return None
        product = _times(value, change.value)
        if product is None:
            rule = "must be a number, or a list of numbers, to be multiplied"
            self.refuse(change.key, value, rule)
        return product


def _times(value: Any, factor: float) -> Any:
    """Product of a number or of each number of a list; None of anything else.

    Whole numbers stay whole: they are rounded.
    """
    if isinstance(value, list) and value:
        products = [_times(entry, factor) for entry in value]
        return None if None in products else products
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    product = value * factor
    whole = isinstance(value, int) and math.isfinite(product)
    return round(product) if whole else product


def removed(case: Raw, keys: Any, reader: Reader, label: str) -> tuple[Raw, list[Problem]]:
    """A case without the entries that a file which extends it names in `remove`."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        rule = 'must be a list of keys, such as ["lesions.liver"]'
        return case, [Problem(label, "remove", short(keys), rule)]
    problems: list[Problem] = []
    paths = []
    for key in keys:
        try:
            paths.append(path_of(key, label))
        except InputError as error:
            problems += error.problems
    changes = [Change(path, kind="remove") for path in paths]
    result, wrong = changed(case, changes, reader, label)
    result.pop("changes", None)
    if "changes" in case:
        result["changes"] = case["changes"]
    return result, [*problems, *wrong]


def _follow(before: Raw, case: Raw) -> list[str]:
    """Take out what names lesions and agents that are gone; what was taken out, in words."""
    switched = [
        lesion
        for lesion, earlier in _pairs(case.get("lesions"), before.get("lesions"))
        if lesion.get("irradiable") is False and earlier.get("irradiable", True) is not False
    ]
    for lesion in switched:
        for key in OF_RADIATION:
            lesion.pop(key, None)
    lesions = _gone(before, case, "lesions") | {_name(lesion) for lesion in switched}
    agents = _gone(before, case, "agents")
    told = []
    standard = case.get("standard")
    if isinstance(standard, dict):
        for key, named, absent in (("courses", "lesion", lesions), ("agents", "agent", agents)):
            entries = standard.get(key)
            for entry in list(entries) if isinstance(entries, list) else ():
                if isinstance(entry, dict) and entry.get(named) in absent:
                    standard[key] = [other for other in standard[key] if other is not entry]
                    told.append(f"{FOLLOWS}the standard regimen is without {entry[named]})")
    moments = case.get("cross_second_moments")
    if isinstance(moments, list) and lesions:
        kept = [moment for moment in moments if not _names_any(moment, lesions)]
        if len(kept) < len(moments):
            case["cross_second_moments"] = kept
            told.append(f"{FOLLOWS}{len(moments) - len(kept)} cross_second_moments went with it)")
    return told


def _names_any(moment: Any, lesions: set[str | None]) -> bool:
    named = moment.get("lesions") if isinstance(moment, dict) else None
    return isinstance(named, list) and any(lesion in lesions for lesion in named)


def _pairs(after: Any, before: Any) -> Iterator[tuple[Raw, Raw]]:
    """Tables of the same name in two lists."""
    earlier = {_name(entry): entry for entry in before} if isinstance(before, list) else {}
    for entry in after if isinstance(after, list) else ():
        if isinstance(entry, dict) and _name(entry) in earlier:
            yield entry, earlier[_name(entry)]


def _gone(before: Raw, case: Raw, table: str) -> set[str | None]:
    names = [
        {_name(entry) for entry in one.get(table, ())}
        if isinstance(one.get(table), list)
        else set()
        for one in (before, case)
    ]
    return names[0] - names[1] - {None}


def _name(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    return next((str(entry[key]) for key in NAMES if isinstance(entry.get(key), str)), None)


def _with_name(limit: Any) -> Any:
    """A limit with the name that it has from its `use`."""
    if isinstance(limit, dict) and "name" not in limit and isinstance(limit.get("use"), str):
        return {"name": limit["use"], **limit}
    return limit


def _typed(place: Place) -> str:
    """A place as it is typed."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "the case"
