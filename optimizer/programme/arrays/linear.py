"""Long sums of coefficients times variables, built fast."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pyomo.core.expr.numeric_expr import LinearExpression, MonomialTermExpression

from abscopt.optimizer.progress import tick


def terms(coefficients: Iterable[float], variables: Iterable[Any]) -> Any:
    """Return the sum of coefficients times variables, in order; 0 if there are none.

    The clock is read before each sum.
    """
    tick()
    monomials = [
        MonomialTermExpression((coefficient, variable))
        for coefficient, variable in zip(coefficients, variables, strict=True)
    ]
    return LinearExpression(monomials) if monomials else 0


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: it would walk through millions of terms, none of them garbage.

    Building is five times as fast without it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def building() -> Iterator[None]:
    """As `uncollected`, and Pyomo does not print that a rule raised.

    The clock is read in rules and stops them (`terms`); the exception goes on as it is, whereas
    Pyomo's words about it would go to stdout, which is our data channel.
    """
    logger = logging.getLogger("pyomo.core")
    was_off, logger.disabled = logger.disabled, True
    try:
        with uncollected():
            yield
    finally:
        logger.disabled = was_off
