"""Fit control of a population to published local control, by the studies that are not held out.

    python benchmarks/studies/local_control.py structures   # by studies left out (half an hour)
    python benchmarks/studies/local_control.py fit          # with profiles (minutes)
    python benchmarks/studies/local_control.py              # tables only

All write the tables of `docs/local-control.md`, the first two also
`instances/evidence/local_control_fit.json`. Structures are compared by the log likelihood of each
training study when it is left out; no held-out study takes part in either.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import numpy as np
from local_control_model import (
    GROUPS,
    VISIBLE_DOUBLING_DAYS,
    YEARLY_DOUBLING,
    Parameters,
    Row,
    Structure,
    log_likelihood,
    rows_of,
)
from local_control_page import blocks, write
from scipy.optimize import minimize

from abscopt.instances.evidence.local_control import FILE, Study, local_control
from abscopt.models.arrays import FloatArray

FIT = FILE.with_name("local_control_fit.json")
NO_SPREAD = 0.02  # of alpha, where patients are taken for alike: a step as far as figures can tell
DROP = 1.92
"""Of the log likelihood at the ends of a 95 % interval of one parameter (chi-squared, 1 degree)."""

START_ALPHA = {
    "lung primary": 0.28,
    "stage III": 0.23,
    "colorectal metastasis": 0.14,
    "visceral metastasis": 0.23,
    "bone, spine, nodes": 0.44,
}  # per Gy, near the answer: from one start for all the search strays to alpha_cv 0.05
START = {"alpha_cv": 0.5, "study_spread": 0.2, "regrowth": 6.0, "regrowth_spread": 1.2}
BOUNDS = {
    "alpha_cv": (0.05, 5.0),
    "study_spread": (0.01, 1.5),
    "regrowth": (0.2, 80.0),
    "regrowth_spread": (0.05, 3.0),
}
ALPHA = (0.01, 3.0)  # bounds of each group's

FREE = Structure(group_spread=None)
STRUCTURES = {
    "as fitted: groups shrunk to each other by 0.3": Structure(),
    "shrunk likewise, colorectal with others": Structure(groups="colorectal with others"),
    "groups free": FREE,
    "groups free, nodes with viscera": replace(FREE, groups="nodes with viscera"),
    "groups free, colorectal with others": replace(FREE, groups="colorectal with others"),
    "all sites one group": replace(FREE, groups="one"),
    "groups free, plain LQ at every dose": replace(FREE, lql=False),
    "groups free, no repopulation in the course": replace(FREE, repopulation=False),
    "groups free, one rate of regrowth": replace(FREE, rates=False),
    "groups free, median regrowth of 139 days": replace(FREE, regrowth="139 days"),
    "groups free, Gompertz, 139 days when seen": replace(FREE, regrowth="gompertz"),
    "groups free, studies alike": replace(FREE, studies=False),
    "groups free, patients alike": replace(FREE, patients=False),
}
"""The spread of 0.3 between groups was chosen among free, 0.3 and one group."""


def training() -> list[Study]:
    """Studies to fit: those with figures that aren't held out."""
    return [study for study in local_control() if study.fitted and not study.held_out]


def rows_of_all(studies: Sequence[Study], structure: Structure) -> list[Row]:
    """Rows of several studies."""
    return [row for study in studies for row in rows_of(study, structure)]


class Fit:
    """Maximum of the likelihood over the logs of the parameters."""

    def __init__(self, rows: Sequence[Row], structure: Structure) -> None:
        self.rows, self.structure = rows, structure
        self.groups = [group for group in GROUPS if any(row.group == group for row in rows)]
        start = [*(START_ALPHA[group] for group in self.groups), *START.values()]
        bounds = [ALPHA] * len(self.groups) + list(BOUNDS.values())
        self.start = np.log(start)
        self.bounds = [(math.log(low), math.log(high)) for low, high in bounds]
        self.names = [*self.groups, *START]

    def parameters(self, logs: FloatArray) -> Parameters:
        """What a point stands for; what the structure leaves out is fixed."""
        values = dict(zip(self.names, np.exp(logs).tolist(), strict=True))
        built = self.structure
        regrowth = values["regrowth"]
        if built.regrowth == "139 days":
            regrowth = YEARLY_DOUBLING / VISIBLE_DOUBLING_DAYS
        return Parameters(
            {group: values[group] for group in self.groups},
            values["alpha_cv"] if built.patients else NO_SPREAD,
            values["study_spread"] if built.studies else 0.0,
            regrowth,
            values["regrowth_spread"] if built.rates else 0.0,
        )

    def loss(self, logs: FloatArray) -> float:
        """Minus the log likelihood."""
        found = log_likelihood(self.rows, self.parameters(logs), self.structure)
        total = sum(found.values())
        if self.structure.group_spread is not None:
            alphas = logs[: len(self.groups)]
            total -= (
                0.5
                * float(np.sum((alphas - alphas.mean()) ** 2))
                / (self.structure.group_spread**2)
            )
        return -total

    def best(
        self, start: FloatArray | None = None, fixed: dict[str, float] | None = None
    ) -> tuple[float, FloatArray]:
        """Least loss and where, with some logs fixed."""
        at = np.array(self.start if start is None else start)
        fixed = fixed or {}
        for name, value in fixed.items():
            at[self.names.index(name)] = value
        free = [i for i, name in enumerate(self.names) if name not in fixed]

        def loss(some: FloatArray) -> float:
            at[free] = some
            return self.loss(at)

        found = minimize(
            loss,
            at[free].copy(),
            method="L-BFGS-B",
            bounds=[self.bounds[i] for i in free],
            options={"maxiter": 100, "ftol": 1e-6},
        )
        at[free] = found.x
        return float(found.fun), at

    def profile(self, name: str, best: tuple[float, FloatArray]) -> tuple[float, float]:
        """Ends of the 95 % interval by profile likelihood; a bound where it doesn't end before."""
        place = self.names.index(name)
        return self._end(place, best, -1), self._end(place, best, 1)

    def _end(self, place: int, best: tuple[float, FloatArray], sign: int) -> float:
        least, at = best
        limit = self.bounds[place][max(sign, 0)]
        inside, outside, start, step = float(at[place]), None, at, 0.1
        while outside is None or abs(outside - inside) > 0.01:
            if outside is None:
                there = inside + sign * step
                step *= 2.0
            else:
                there = (inside + outside) / 2.0
            if sign * (there - limit) > 0.0:
                there = limit
            value, reached = self.best(start, {self.names[place]: there})
            if value - least > DROP:
                outside = there
            else:
                inside, start = there, reached
                if there == limit:
                    break
        return math.exp(inside)


def left_out(structure: Structure) -> dict[str, float]:
    """Log likelihood of each training study under the fit to the others."""
    studies = training()
    everything = Fit(rows_of_all(studies, structure), structure)
    _, start = everything.best()
    scores: dict[str, float] = {}
    for study in studies:
        others = Fit([row for row in everything.rows if row.study != study.id], structure)
        assert others.names == everything.names
        _, at = others.best(start)
        own = rows_of(study, structure)
        scores |= log_likelihood(own, others.parameters(at), structure)
    return scores


def compare_structures() -> dict[str, dict[str, float]]:
    """Each structure's log likelihood on the studies it was fitted to, and on those left out."""
    scores = {}
    for name, structure in STRUCTURES.items():
        fit = Fit(rows_of_all(training(), structure), structure)
        each = left_out(structure)
        at = fit.parameters(fit.best()[1])
        scores[name] = {
            "fitted": round(sum(log_likelihood(fit.rows, at, structure).values()), 2),
            "left_out": round(sum(each.values()), 2),
        }
        print(name, scores[name], flush=True)
    return scores


def digest() -> str:
    """Of the figures that are fitted."""
    fitted = [
        {"id": study.id, "site": study.site, "histology": study.histology}
        | {"figures": [figure.model_dump(exclude_none=True) for figure in study.fitted]}
        for study in training()
    ]
    return sha256(json.dumps(fitted, sort_keys=True).encode()).hexdigest()


def stored() -> tuple[dict[str, Any], Parameters]:
    """The file of the fit, and its parameters."""
    document = json.loads(FIT.read_text(encoding="utf-8"))
    values = {name: one["value"] for name, one in document["parameters"].items()}
    alphas = {group: values[group] for group in GROUPS}
    others = (values[name] for name in START)
    return document, Parameters(alphas, *others)


def save(document: dict[str, Any]) -> None:
    """Write the file of the fit."""
    FIT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def fit_all(structures: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Document of the fit to all training studies, with profile intervals."""
    structure = Structure()
    fit = Fit(rows_of_all(training(), structure), structure)
    random = np.random.default_rng(0)
    best = fit.best()
    for _ in range(3):
        best = min(best, fit.best(best[1] + random.normal(0.0, 0.2, len(best[1]))), key=_loss)
    parameters = {}
    for name, value in zip(fit.names, np.exp(best[1]), strict=True):
        low, high = fit.profile(name, best)
        parameters[name] = {
            "value": float(f"{value:.4g}"),
            "low": float(f"{low:.3g}"),
            "high": float(f"{high:.3g}"),
        }
        print(name, parameters[name], flush=True)
    return {
        "format": 1,
        "status": "calibrated",
        "provenance": "benchmarks/studies/local_control.py, by the figures of local_control.toml "
        "that are not held out; docs/local-control.md",
        "sha256_of_fitted_figures": digest(),
        "studies": len(training()),
        "figures": len(fit.rows),
        "structure": asdict(structure),
        "clonogens": {group: density * volume for group, (density, volume) in GROUPS.items()},
        "penalized_log_likelihood": round(-best[0], 3),
        "parameters": parameters,
        "structures": structures,
    }


def _loss(found: tuple[float, FloatArray]) -> float:
    return found[0]


def main(wanted: str) -> None:
    """Do one of the three."""
    if wanted == "structures":
        save(stored()[0] | {"structures": compare_structures()})
    elif wanted == "fit":
        save(fit_all(stored()[0]["structures"] if FIT.exists() else {}))
    elif wanted != "page":
        raise SystemExit(__doc__)
    document, at = stored()
    write(blocks(document, at, Structure()))


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "page")
