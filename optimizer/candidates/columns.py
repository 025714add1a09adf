"""Uniform and free courses as one flat list of columns, as the programme chooses them.

A column of a uniform lesion is a whole course ('no course' included); one of a free lesion is
one dose on one day. Coefficients add over the chosen columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import lq, lymphocytes, repopulation
from abscopt.optimizer.candidates.coefficients import fraction_load
from abscopt.optimizer.candidates.table import CAP

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """Everything the programme needs to know of what may be chosen; J columns, K plans.

    Attributes
    ----------
    lesion : (J,) index of the lesion in the case
    course : (J,) index in the lesion's menu; -1 for a column of a free lesion
    day, dose : (J,) day and Gy of a free column (day -1 for uniform courses)
    incidence : (J, days) 1 on fraction days
    loads : (J, organ limits) parts of the caps, without shared days
    alc_loss : (J, days) log loss of lymphocytes on each day
    prescribed : (J,) total Gy
    local : (groups, J, horizons) log burden of uniform courses; minus the kill of free columns
    tumor_bed : (groups, J)
    gain : (K, J, horizons) e^a v of uniform courses
    loss : (K, J) a
    allowed : (K, J)
    constant_local : (lesions of the case, horizons) log burden of a free lesion left alone
    """

    lesion: IntArray
    course: IntArray
    day: IntArray
    dose: FloatArray
    incidence: FloatArray
    loads: FloatArray
    alc_loss: FloatArray
    prescribed: FloatArray
    local: FloatArray
    tumor_bed: FloatArray
    gain: FloatArray
    loss: FloatArray
    allowed: NDArray[np.bool_]
    constant_local: FloatArray

    def __len__(self) -> int:
        return len(self.lesion)

    @property
    def fractions(self) -> FloatArray:
        """(J,) fractions per column."""
        count: FloatArray = self.incidence.sum(axis=1)
        return count

    @property
    def last(self) -> IntArray:
        """(J,) last fraction day, -1 for 'no course'."""
        days = np.arange(self.incidence.shape[1])
        result: IntArray = np.where(self.incidence > 0, days, -1).max(axis=1)
        return result

    @property
    def first(self) -> IntArray:
        """(J,) first fraction day, the horizon for 'no course'."""
        days = np.arange(self.incidence.shape[1])
        result: IntArray = np.where(self.incidence > 0, days, self.incidence.shape[1]).min(axis=1)
        return result


def columns_of(candidates: Candidates) -> Columns:
    """Flat columns of a case."""
    parts = [_uniform(candidates, s) for s in range(len(candidates.lesions))]
    parts += [_free(candidates, i) for i in candidates.free]
    joined = {
        key: np.concatenate([part[key] for part in parts], axis=AXIS.get(key, 0))
        for key in parts[0]
    }
    return Columns(**joined, constant_local=_constant_local(candidates.instance))


AXIS = {"local": 1, "tumor_bed": 1, "gain": 1, "loss": 1, "allowed": 1}


def _uniform(candidates: Candidates, s: int) -> dict[str, FloatArray]:
    table, plans = candidates.lesions[s], range(len(candidates.plans))
    menu = table.menu
    groups = candidates.plan_effects.group
    first_of_group = [int(np.flatnonzero(groups == g)[0]) for g in range(int(groups.max()) + 1)]
    effects = [candidates.effects(k)[s] for k in plans]
    size = len(menu)
    return {
        "lesion": np.full(size, menu.lesion),
        "course": np.arange(size),
        "day": np.full(size, -1),
        "dose": menu.dose,
        "incidence": menu.patterns.incidence[menu.pattern],
        "loads": table.loads,
        "alc_loss": table.alc_loss[menu.pattern],
        "prescribed": menu.fractions * menu.dose,
        "local": np.stack([effects[k].local for k in first_of_group]),
        "tumor_bed": np.stack([effects[k].tumor_bed for k in first_of_group]),
        "gain": np.stack([np.exp(e.loss)[:, None] * e.effect for e in effects]),
        "loss": np.stack([e.loss for e in effects]),
        "allowed": np.stack([candidates.allowed(k)[s] for k in plans]),
    }


def _free(candidates: Candidates, index: int) -> dict[str, FloatArray]:
    instance, effects = candidates.instance, candidates.plan_effects
    lesion, course = instance.lesions[index], instance.lesions[index].course
    assert course is not None and course.form == "free"
    levels = np.array(course.levels_gy)
    day = np.repeat(np.array(course.days, dtype=np.int64), len(levels))
    dose = np.tile(levels, len(course.days))
    loads = (
        np.stack(
            [
                np.concatenate([fraction_load(lesion, limit, levels, d) for d in course.days])
                for limit in candidates.limits
            ],
            axis=1,
        )
        if candidates.limits
        else np.zeros((len(day), 0))
    )
    keep = (loads <= CAP).all(axis=1)
    day, dose, loads = day[keep], dose[keep], loads[keep]
    horizon = np.arange(instance.days)
    incidence = (day[:, None] == horizon).astype(float)
    groups = effects.group
    first_of_group = [int(np.flatnonzero(groups == g)[0]) for g in range(int(groups.max()) + 1)]
    ser = np.stack([effects.sensitizer[k][day] for k in first_of_group])
    alpha, ratio, transition = (
        lesion.alpha_per_gy,
        lesion.alpha_beta_gy,
        lesion.lql_transition_gy,
    )
    kill = lq.log_kill(dose, alpha, ratio, transition, ser=ser)
    counted = (day[:, None] < np.array(instance.horizon_days)).astype(float)
    half = instance.lymphocytes.recovery_half_time_days
    since = horizon[None, :] - day[:, None]
    remaining = np.where(since >= 0, lymphocytes.recovery(since, half), 0.0)
    return {
        "lesion": np.full(len(day), index),
        "course": np.full(len(day), -1),
        "day": day,
        "dose": dose,
        "incidence": incidence,
        "loads": loads,
        "alc_loss": lesion.lymphocyte_loss_per_fraction * remaining,
        "prescribed": dose,
        "local": -kill[:, :, None] * counted,
        "tumor_bed": lq.bed(dose, ratio, transition, ser=ser),
        "gain": np.zeros((len(candidates.plans), len(day), len(instance.horizon_days))),
        "loss": lesion.effect_loss_per_fraction * effects.effect_weights[:, day],
        "allowed": _free_allowed(candidates, day),
    }


def _free_allowed(candidates: Candidates, day: IntArray) -> NDArray[np.bool_]:
    from abscopt.optimizer.candidates.courses import Patterns
    from abscopt.optimizer.candidates.plans import allowed_patterns

    distinct = sorted(set(day.tolist()))
    patterns = Patterns.of([(), *((d,) for d in distinct)], candidates.instance.days)
    row = {d: i + 1 for i, d in enumerate(distinct)}
    position = np.array([row[d] for d in day.tolist()], dtype=np.int64)
    return np.stack(
        [
            allowed_patterns(candidates.instance, plan, patterns)[position]
            for plan in (candidates.plans)
        ]
    )


def _constant_local(instance: Instance) -> FloatArray:
    return np.array(
        [
            [
                math.log(lesion.clonogen_number)
                + float(
                    repopulation.log_growth(
                        horizon,
                        lesion.growth_doubling_time_days,
                        lesion.repopulation_doubling_time_days,
                        0.0,
                    )
                )
                for horizon in instance.horizon_days
            ]
            for lesion in instance.lesions
        ]
    )
