"""Organ limits, lymphocyte counts and EDRIC: linear rows in the choice of columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from abscopt.instances.limits import AlcLimit, EdricLimit
from abscopt.models import lymphocytes
from abscopt.optimizer.programme.choice import treated_days

if TYPE_CHECKING:
    from abscopt.optimizer.programme.build import Data

FloatArray = NDArray[np.float64]

COEFFICIENT_FLOOR = 1e-12


def organ_loads(model: Any, data: Data) -> None:
    """sum_j load[j, l] x[j] <= 1 for every organ limit l, loads as parts of the cap.

    `bed` D(1 + D/r)/B, `mean` D/B, `mean_eqd2` (delta d + q d^2/r)/(1 + 2/r)/B,
    `dose_by_fractions` Miner fractions; each fraction as if alone on its day. Shared days add
    load; schedules that break a limit through them are excluded as they are met.
    """
    loads = data.columns.loads

    def rule(m: Any, row: int) -> Any:
        used = [j for j in range(len(data.columns)) if loads[j, row] > COEFFICIENT_FLOOR]
        if not used:
            return pyo.Constraint.Skip
        return sum(float(loads[j, row]) * m.x[j] for j in used) <= 1

    model.organ_loads = pyo.Constraint(range(loads.shape[1]), rule=rule)


def lymphocyte_count(model: Any, data: Data) -> None:
    """sum_j loss[j, day] x[j] + sum_k chemo[k] y[k] <= ln(ALC0 / floor) on every fraction day."""
    floors = [limit for limit in data.instance.limits if isinstance(limit, AlcLimit)]
    before = data.instance.lymphocytes.initial_1e9_per_l
    days = [int(day) for day in treated_days(data)] or [0]

    def rule(m: Any, i: int, day: int) -> Any:
        allowance = math.log(before / floors[i].floor_1e9_per_l)
        column = data.columns.alc_loss[:, day]
        used = [j for j in range(len(data.columns)) if column[j] > COEFFICIENT_FLOOR]
        chemo = sum(
            float(data.chemo[k]) * data.chosen(m, k) for k in range(data.plans) if data.chemo[k] > 0
        )
        terms = sum(float(column[j]) * m.x[j] for j in used) + chemo
        return pyo.Constraint.Skip if isinstance(terms, int) else terms <= allowance

    model.lymphocyte_count = pyo.Constraint(range(len(floors)), days, rule=rule)


def edric(model: Any, data: Data) -> None:
    """EDRIC with N fractions in all: one row per N, active at its level z[N].

    sum_j (.12 lung_j + .08 heart_j + (.45 + .2975 sqrt(N/45)) ITD_j / 62 000) x[j]
    <= cap + M_N (1 - z[N]);  sum_N z[N] = 1;  sum_N N z[N] = sum_j n_j x[j].
    """
    caps = [limit for limit in data.instance.limits if isinstance(limit, EdricLimit)]
    if not caps:
        return
    columns = data.columns
    most = sum(
        float(columns.fractions[members].max())
        for members in [*data.of_free_day.values()]
        + [data.of_lesion[s] for s in data.of_lesion if s not in data.free]
    )
    lung, heart, integral = _edric_doses(data)
    numbers = range(int(most) + 1)
    model.fraction_level = pyo.Var(numbers, domain=pyo.Binary)
    model.edric_level = pyo.Constraint(expr=sum(model.fraction_level[n] for n in numbers) == 1)
    count = sum(
        float(columns.fractions[j]) * model.x[j]
        for j in range(len(columns))
        if columns.fractions[j] > 0
    )
    model.edric_number = pyo.Constraint(
        expr=sum(n * model.fraction_level[n] for n in numbers) == count
    )

    def rule(m: Any, i: int, n: int) -> Any:
        load = lymphocytes.edric(lung, heart, integral, n)
        load = load / caps[i].cap_gy
        greatest = sum(
            float(load[members].max())
            for members in [*data.of_free_day.values()]
            + [data.of_lesion[s] for s in data.of_lesion if s not in data.free]
        )
        if greatest <= 1:
            return pyo.Constraint.Skip
        terms = sum(
            float(load[j]) * m.x[j] for j in range(len(columns)) if load[j] > COEFFICIENT_FLOOR
        )
        return terms <= 1 + (greatest - 1) * (1 - m.fraction_level[n])

    model.edric = pyo.Constraint(range(len(caps)), numbers, rule=rule)


def _edric_doses(data: Data) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(J,) mean lung dose, mean heart dose and integral dose of every column."""
    lung, heart, integral = (np.zeros(len(data.columns)) for _ in range(3))
    pairs = zip(data.columns.lesion.tolist(), data.columns.day.tolist(), strict=True)
    for j, (s, day) in enumerate(pairs):
        lesion, dose = data.instance.lesions[s], float(data.columns.prescribed[j])
        lung[j] = lesion.sparing_factor("lungs", "mean", max(day, 0)) * dose
        heart[j] = lesion.sparing_factor("heart", "mean", max(day, 0)) * dose
        integral[j] = (lesion.integral_dose_cm3 or 0.0) * dose
    return lung, heart, integral
