"""The kinds of limits: every module of this package that defines a class with a `measure`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.candidates import limits as package
from abscopt.optimizer.candidates.limits.protocol import LimitLoad, PlanLoad

if TYPE_CHECKING:
    from abscopt.instances.limits import Limit
    from abscopt.instances.schema import Instance


@cache
def kinds_of_limits() -> dict[str, type[LimitLoad[Any]]]:
    """By measure: the class that answers for limits of this kind.

    The modules are found, not listed: a new kind is a new module and nothing else here.
    """
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return {kind.measure: kind for kind in _derived(LimitLoad) if "measure" in vars(kind)}


def _derived(family: type[LimitLoad[Any]]) -> Iterator[type[LimitLoad[Any]]]:
    for kind in family.__subclasses__():
        yield kind
        yield from _derived(kind)


def load_of(limit: Limit) -> LimitLoad[Any]:
    """What a search asks of a limit."""
    return kinds_of_limits()[limit.measure](limit)


def plan_loads(instance: Instance) -> tuple[PlanLoad[Any], ...]:
    """The limits on drugs alone, in the order of the case."""
    loads = (load_of(limit) for limit in instance.limits)
    return tuple(load for load in loads if isinstance(load, PlanLoad))
