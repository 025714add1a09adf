"""The ensemble of a case: stated in it, of the library, or in a file; drawn or listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, library, with_ensemble
from abscopt.instances.reading.read import parse_case
from abscopt.optimizer.ensemble.draws import Draws, option_changes
from abscopt.optimizer.ensemble.members import Ensemble, Member, refuse_other_offers

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.ensemble import Ensemble as Stated
    from abscopt.models.arrays import FloatArray

OWN = "of the case"


def ensemble_of(
    case: Instance, named: str | None = None, *, size: int | None = None, seed: int | None = None
) -> Ensemble:
    """Members of a case.

    Parameters
    ----------
    named : ensemble of the library, or a TOML or JSON file that states one (with or without the
        heading `[ensemble]`); the case's own if None
    size, seed : in place of those stated

    Raises
    ------
    InputError
        If there is no such ensemble, a key is not the case's, a value is not one that it may have,
        or members would differ in what may be chosen.
    """
    stated = stated_ensemble(case, named)
    changes = {k: v for k, v in (("size", size), ("seed", seed)) if v is not None}
    name = stated.use or (OWN if named is None else Path(named).stem)
    if stated.members:
        in_file = {"size": stated.size} if "size" in stated.model_fields_set else {}
        _refuse_drawing(case, name, len(stated.members), in_file | changes)
    elif changes:
        stated = stated.model_copy(update=changes)
    asked = {key: None for key in ("ensemble", "observation") if getattr(case, key) is not None}
    bare = case.with_(asked) if asked else case
    if stated.members:
        listed = [(m.name, m.weight, option_changes(bare, m)) for m in stated.members]
        return _built(name, bare, [(n, w, tuple(c)) for n, w, c in listed], (), stated)
    draws = Draws(bare, stated)
    points = sobol_points(stated.size, len(draws.dimensions), stated.seed)
    digits = len(str(stated.size))
    drawn = [(f"m{i + 1:0{digits}}", 1.0, draws.changes(point)) for i, point in enumerate(points)]
    return _built(name, bare, drawn, tuple(draws.left_out), stated)


def _refuse_drawing(case: Instance, name: str, listed: int, changes: dict[str, int]) -> None:
    """Raise InputError where another number or seed is asked for than that of listed members."""
    rule = f"lists its {listed} members, none is drawn: leave size and seed out, or state ranges"
    wrong = {key: value for key, value in changes.items() if (key, value) != ("size", listed)}
    if wrong:
        places = [(f"ensemble {name}: {key}", value) for key, value in wrong.items()]
        raise InputError([Problem(case.name, place, str(value), rule) for place, value in places])


def stated_ensemble(case: Instance, named: str | None) -> Stated:
    """What an ensemble of a case, of the library or of a file states; raises InputError."""
    if named is None:
        if case.ensemble is None:
            rule = f"states no ensemble: name one of {sorted(library('ensembles'))}, or a file"
            raise InputError([Problem(case.name, "ensemble", "none", rule)])
        return case.ensemble
    table: dict[str, Any] = {"use": named}
    if Path(named).suffix.lower() in (".toml", ".json") and named not in library("ensembles"):
        table = _read(named)
    stated = with_ensemble(case, table).ensemble
    assert stated is not None
    return stated


def _read(file: str) -> dict[str, Any]:
    path = Path(file)
    try:
        if not path.exists():
            raise InputError([Problem(file, "path", file, "no such file")])
        raw = parse_case(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(file, "path", reason, "must be readable")]) from None
    table = raw.get("ensemble", raw)
    if not isinstance(table, dict):
        raise InputError([Problem(file, "ensemble", str(table)[:80], "must be a table")])
    return table


def sobol_points(size: int, dimensions: int, seed: int) -> FloatArray:
    """(size, dimensions) points of a scrambled Sobol' sequence in the unit cube.

    The first `size` of the next power of two, at which the sequence is balanced.
    """
    import numpy as np
    from scipy.stats import qmc  # type: ignore[import-untyped]

    if dimensions == 0:
        return np.zeros((size, 0))
    sequence = qmc.Sobol(dimensions, scramble=True, seed=np.random.default_rng(seed))
    points: FloatArray = sequence.random_base2((size - 1).bit_length())[:size]
    return points


def _built(
    name: str,
    case: Instance,
    drawn: list[tuple[str, float, tuple[Change, ...]]],
    absent: tuple[str, ...],
    stated: Stated,
) -> Ensemble:
    """Members with their cases; wrong values of all members are named together."""
    total = sum(weight for _, weight, _ in drawn)
    members, problems = [], []
    for member, weight, changes in drawn:
        try:
            instance = case.with_(changes)
        except InputError as error:
            problems += [
                Problem(p.file, f"ensemble member {member}: {p.place}", p.value, p.rule)
                for p in error.problems
            ]
            continue
        members.append(Member(member, weight / total, changes, instance))
    if problems:
        raise InputError(problems)
    refuse_other_offers(case, tuple(members))
    return Ensemble(name, case, tuple(members), absent, stated)
