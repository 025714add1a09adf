"""Every problem of a wrong case in one run.

The schema stops at its first stage: cross-checks are made only of cases whose values are all
valid. Here a wrong value is noted and replaced by a plausible one, and the case is asked again,
until nothing but cross-checks is left. What only follows from a fault that is noted already, such
as a missing value of a table whose library entry does not exist, is left out.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from abscopt.instances.reading.fill import Lookups
from abscopt.instances.reading.problems import (
    MOST_SHOWN,
    Problem,
    follows,
    nearest_names,
    place_of,
    place_of_item,
    short,
    suggested,
    untagged,
    value_and_rule,
)
from abscopt.instances.reading.sample import node_at, sample
from abscopt.instances.tables.fields import tables_of

if TYPE_CHECKING:
    from abscopt.instances.sources import Raw

MOST_ROUNDS = 12
"""Replacements in a row; each stage of the schema (types, then tables) takes one or two."""

MOST_MENDED = 2 * MOST_SHOWN
"""Messages of one round above which nothing is replaced: more problems than are listed."""


def all_problems(case: Raw, lookups: Lookups) -> list[Problem]:
    """Problems of a completed case: look-ups, schema, contradictions and cross-checks.

    Parameters
    ----------
    case : completed case as plain JSON; wrong values in it are replaced
    lookups : what was looked up in vain while it was completed
    """
    from pydantic import ValidationError

    from abscopt.instances.schema import Instance

    if len(lookups.problems) > MOST_MENDED:
        return lookups.problems
    gathered = _Gathered(case, lookups)
    for _ in range(MOST_ROUNDS):
        context: dict[str, Any] = {"contradictions": []}
        try:
            instance = Instance.model_validate_json(json.dumps(case), context=context)
        except ValidationError as error:
            items = error.errors(include_url=False)
        else:
            gathered.add_contradictions(instance, context["contradictions"])
            gathered.add_cross_checks(instance)
            break
        gathered.note(items)
        if len(items) > MOST_MENDED or not gathered.mend(items):
            break
    return gathered.problems


class _Gathered:
    """Problems so far, and the places whose values are replaced."""

    def __init__(self, case: Raw, lookups: Lookups):
        self.case, self.label = case, lookups.label
        self.problems = list(lookups.problems)
        self.replaced: set[str] = set()
        self.unresolved = lookups.unresolved
        self.meant: set[str] = set()
        self.seen = {(problem.place, problem.rule) for problem in self.problems}

    def add(self, place: str, value: object, rule: str) -> None:
        """Note a problem, once."""
        if (place, rule) not in self.seen:
            self.seen.add((place, rule))
            self.problems.append(Problem(self.label, place, short(value), rule))

    def note(self, items: list[Any]) -> None:
        """Note messages of pydantic, except those that follow from replaced values."""
        unknown = [item for item in items if item["type"] == "extra_forbidden"][:MOST_SHOWN]
        hints = {item["loc"]: self._like(item["loc"]) for item in unknown}
        for item in items:
            place = place_of_item(item)
            if not follows(item) and not self._known(place, item["type"]):
                value, rule = value_and_rule(item)
                self.add(place or "file", value, rule + hints.get(item["loc"], ""))

    def _known(self, place: str, kind: str) -> bool:
        """Whether a message only follows from a replaced value, or from a name not found."""
        missing = kind in ("missing", "union_tag_not_found")
        if place in self.meant and missing:
            return True
        if missing and any(not table or _inside(place, table) for table in self.unresolved):
            return True
        return any(_inside(place, other) for other in self.replaced)

    def _like(self, location: tuple[int | str, ...]) -> str:
        """Known keys most like one that is unknown, or that the key was split at a point."""
        *above, key = untagged(location)
        table = _at(self.case, above)
        entry = table.get(key) if isinstance(table, dict) else None
        split = _split_key(above[-1] if above else "", key, entry)
        if split is not None:
            self.unresolved.add(place_of(tuple(above)))
            return f'; a point splits a key: write "{split}" in quotes'
        node = node_at(self.case, above)
        if node is not None and (kinds := node.kinds_with(str(key))):
            return f" of this kind; {', '.join(map(repr, kinds))} have it"
        like = nearest_names(key, node.keys()) if node is not None else []
        self.meant |= {place_of((*above, name)) for name in like}
        return suggested(like)

    def mend(self, items: list[Any]) -> bool:
        """Replace wrong values; whether anything could be replaced."""
        done = False
        for item in items:
            if follows(item):
                continue
            path = untagged(item["loc"])
            if item["type"] == "extra_forbidden":
                table = _at(self.case, path[:-1])
                if isinstance(table, dict) and path[-1] in table:
                    del table[path[-1]]
                    done = True
            elif path:
                done |= self._replace(path)
        return done

    def _replace(self, path: list[int | str]) -> bool:
        """Put a plausible value in a place; its table in turn where there is no such place."""
        table, node = _at(self.case, path[:-1]), node_at(self.case, path)
        key = path[-1]
        if node is None:
            return len(path) > 1 and self._replace(path[:-1])
        if not isinstance(table, dict) and _at(self.case, path) is None:
            return False
        table[key] = sample(node)
        self.replaced.add(place_of(tuple(path)))
        return True

    def add_contradictions(self, instance: Any, contradictions: list[tuple[Any, str]]) -> None:
        """Note what tables say against themselves."""
        if not contradictions:
            return
        places = {id(table): place or "file" for place, table in tables_of(instance)}
        for table, rule in contradictions:
            place = places.get(id(table), type(table).__name__.lower())
            meant = any(place_of((place, key)) in self.meant for key in re.findall(r"\w+", rule))
            if not self._touches(place) and not meant:
                self.add(place, getattr(table, "name", "the table"), rule)

    def add_cross_checks(self, instance: Any) -> None:
        """Note problems between tables, except where a value of either is replaced."""
        from abscopt.instances.checks.consistency import checks
        from abscopt.instances.checks.size import too_large

        large = any(True for _ in too_large(instance))
        for check in (too_large,) if large else checks:
            try:
                for place, value, rule in check(instance):
                    if not self._touches(place) and not self._depends(rule):
                        self.add(place, value, rule)
            except Exception:
                # A check may rely on what a contradiction noted above has broken; it is made when
                # that is mended. Without such a fault it must not fail.

                if not self.problems:
                    raise

    def _touches(self, place: str) -> bool:
        """Whether a replaced value lies in a place, or the place in it."""
        place = self._by_index(place)
        return any(_inside(place, other) or _inside(other, place) for other in self.replaced)

    def _by_index(self, place: str) -> str:
        """`lesions[0].key` for `lesions.name.key`."""
        lesions = self.case.get("lesions")
        for i, lesion in enumerate(lesions if isinstance(lesions, list) else ()):
            named = f"lesions.{lesion.get('name')}" if isinstance(lesion, dict) else None
            if named is not None and _inside(place, named):
                return f"lesions[{i}]{place.removeprefix(named)}"
        return place

    def _depends(self, rule: str) -> bool:
        """Whether a problem between tables may rest on a value that is replaced elsewhere."""
        return any(
            re.search(words, rule) and any(re.fullmatch(places, other) for other in self.replaced)
            for words, places in DEPENDENCE
        )


DEPENDENCE = (
    ("horizon", "horizon_days.*"),
    ("machine day|infusion day", "calendar.*"),
    ("no lesion states", r"lesions(\[\d+\](\.(sparing|techniques|irradiable|volume_cm3).*)?)?"),
    ("unknown lesion|irradiable", r"lesions(\[\d+\](\.(name|irradiable))?)?"),
    ("shares of all lesions", "lesions.*"),
    ("unknown organ", "organs"),
    ("unknown drug", r"drugs|regimens(\.[^.]*(\.doses.*)?)?"),
    ("unknown regimen|not a regimen", r"regimens|agents(\[\d+\](\.regimens.*)?)?"),
    ("unknown agent", r"agents(\[\d+\](\.name)?)?"),
    ("no limit counts", "limits.*"),
)
"""Rules between tables, and the places whose replacement may be what breaks them."""


def _split_key(outer: int | str, key: int | str, entry: Any) -> str | None:
    """The key `d0.1cc` that TOML, without quotes, reads as a table `d0` with a key `1cc`."""
    names = (outer, key)
    if isinstance(entry, dict) and len(entry) == 1:
        names = (key, next(iter(entry)))
    first, second = (str(name) for name in names)
    return f"{first}.{second}" if first[-1:].isdigit() and second[:1].isdigit() else None


def _inside(place: str, outer: str) -> bool:
    return place == outer or place.startswith((f"{outer}.", f"{outer}["))


def _at(value: Any, path: list[int | str]) -> Any:
    """Value at a path of keys and indices; None if there is none."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
