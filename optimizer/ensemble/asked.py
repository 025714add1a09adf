"""A measure of risk over the members of an ensemble, as a user writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.search.ensemble.risk import RiskKind


@dataclass(frozen=True)
class Asked:
    """A measure of risk as a user writes it.

    Attributes
    ----------
    level : of `cvar`: the share of the weights that it is the mean of
    """

    kind: RiskKind
    level: float = 1.0

    @classmethod
    def of(cls, text: str, chance: float = 0.0) -> Asked:
        """Read `mean`, `cvar:0.2`, `worst` or `regret`; InputError for these and for chance."""
        if not 0.0 <= chance < 1.0:
            rule = "must be a share of the members, from 0 to below 1"
            raise InputError([Problem("chance", "--chance", str(chance), rule)])
        kind, _, level = text.partition(":")
        if kind in ("mean", "worst", "regret") and not level:
            return cls(kind)  # type: ignore[arg-type]
        if kind == "cvar":
            try:
                share = float(level)
            except ValueError:
                share = math.nan
            if 0.0 < share <= 1.0:
                return cls("cvar", share)
        rule = "must be mean, worst, regret, or cvar:SHARE with a share above 0 and at most 1"
        raise InputError([Problem("risk", "--risk", text[:40], rule)])

    @property
    def text(self) -> str:
        """As a user writes it."""
        return f"cvar:{self.level:g}" if self.kind == "cvar" else self.kind

    @property
    def words(self) -> str:
        """For a report."""
        return {
            "mean": "mean over the members",
            "cvar": f"mean of the worst {100 * self.level:g} % of the members",
            "worst": "worst member",
            "regret": "least of the greatest regret (as a negative number)",
        }[self.kind]
