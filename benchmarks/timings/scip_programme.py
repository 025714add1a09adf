"""The mathematical program of uniform courses as nonlinear expressions of SCIP.

Exact where the binaries are integral: no bands, no tangents, no reductions beyond those of the menu
itself (courses that break a cap alone). A case with a feature that is not stated here is refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyscipopt import Model, exp, quicksum, sqrt
from scip_sums import Programme, of_courses

from abscopt.instances.limits import (
    AlcLimit,
    BedLimit,
    DoseByFractionsLimit,
    DrugLimit,
    EdricLimit,
    LogisticsLimit,
    MeanEqd2Limit,
    OrganLimit,
)
from abscopt.models.arrays import IntArray
from abscopt.models.immunity import lymphocytes
from abscopt.models.tumor import outcome
from abscopt.optimizer.candidates.limits.blood.edric import edric_alone
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated


def programme(candidates: Candidates) -> Programme:
    """State a case.

    Raises
    ------
    ValueError
        If the case has a feature that is not stated here.
    """
    tables = [Tabulated(candidates, plan) for plan in range(len(candidates.plans))]
    _refuse(candidates, tables)
    model = Model()
    model.hideOutput()
    stated = Programme(
        model,
        candidates,
        tables,
        [[model.addVar(vtype="B") for _ in range(len(t.menu))] for t in candidates.lesions],
        [model.addVar(vtype="B") for _ in tables],
        [],
    )
    _choice(stated)
    _rules(stated)
    _organs(stated)
    _blood(stated)
    _logistics(stated)
    if candidates.instance.objective.of_dose_alone:
        goal = quicksum(
            float(weight) * stated.table(s, "tumor_bed")
            for s, weight in enumerate(tables[0].weights)
        )
    else:
        goal = _value(stated, _systemic(stated))
    total = model.addVar(lb=None, ub=None)
    model.addCons(total <= goal - stated.plan_sum(np.array([t.plan_cost for t in tables])))
    model.setObjective(total, "maximize")
    return stated


def chosen(stated: Programme) -> tuple[int, IntArray]:
    """Plan and courses of the best solution."""
    value = stated.model.getVal
    plan = int(np.argmax([value(y) for y in stated.plan]))
    courses = [int(np.argmax([value(x) for x in menu])) for menu in stated.course]
    return plan, np.array(courses, dtype=np.int64)


def _refuse(candidates: Candidates, tables: list[Tabulated]) -> None:
    instance = candidates.instance
    active = [s for s, t in enumerate(candidates.lesions) if len(t.menu) > 1]
    counted = ("lesions", "lesions_per_day", "machine_days")
    problems = {
        "free courses": bool(candidates.free),
        "clones": any(len(lesion.populations) > 1 for lesion in instance.lesions),
        "soft limits": any(limit.penalty is not None for limit in instance.limits),
        "exposures": bool(candidates.exposures),
        "objective": instance.objective.kind not in ("default", "log_control", "tumor_bed"),
        "shares that depend on the course": any(
            np.ptp(table.effects[s].share) > 0 for table in tables for s in range(len(table.loads))
        ),
        "logistics": any(
            limit.quantity not in counted
            for limit in instance.limits
            if isinstance(limit, LogisticsLimit)
        ),
        "several techniques that share an organ": len(active) > 1
        and any(len(candidates.lesions[s].beams) > 2 for s in active),
        "organ loads that depend on the plan": any(
            not np.array_equal(of_courses(table, s, "loads"), of_courses(tables[0], s, "loads"))
            for table in tables
            for s in range(len(table.loads))
        ),
    }
    alone = any(
        isinstance(limit, LogisticsLimit)
        and limit.quantity in ("lesions", "lesions_per_day")
        and limit.cap == 1
        for limit in instance.limits
    )
    problems["tables by fraction number on shared days"] = not alone and any(
        isinstance(limit, DoseByFractionsLimit)
        and sum(bool((tables[0].loads[s][:, row] > 0).any()) for s in active) > 1
        for row, limit in enumerate(load.limit for load in candidates.on_organs)
    )
    found = [name for name, there in problems.items() if there]
    if found:
        raise ValueError(f"not stated: {', '.join(found)}")


def _choice(stated: Programme) -> None:
    """One course per lesion, one plan; w[j, k] = x[j] y[k], as rows and columns add up to x, y."""
    model = stated.model
    model.addCons(quicksum(stated.plan) == 1)
    for s, menu in enumerate(stated.course):
        model.addCons(quicksum(menu) == 1)
        both = {
            (j, k): model.addVar(lb=0, ub=1)
            for k, table in enumerate(stated.tables)
            for j in np.flatnonzero(table.allowed[s]).tolist()
        }
        by_course: list[list[Any]] = [[] for _ in menu]
        by_plan: list[list[Any]] = [[] for _ in stated.plan]
        for (j, k), w in both.items():
            by_course[j].append(w)
            by_plan[k].append(w)
        for x, own in zip(menu, by_course, strict=True):
            model.addCons(quicksum(own) == x)
        for y, own in zip(stated.plan, by_plan, strict=True):
            model.addCons(quicksum(own) == y)
        stated.both.append(both)


def _rules(stated: Programme) -> None:
    """Some course must end late, or start early, enough for the plan if any lesion is treated."""
    for k, table in enumerate(stated.tables):
        for need, end in ((table.end_needed, "last"), (table.start_needed, "first")):
            if need < 0:
                continue
            fitting, given = [], []
            for s in stated.active:
                menu = stated.candidates.lesions[s].menu
                day = getattr(menu.patterns, end)[menu.pattern]
                fits = (day >= need) if end == "last" else (day <= need)
                own = [(j, w) for (j, plan), w in stated.both[s].items() if plan == k and j > 0]
                fitting += [w for j, w in own if fits[j]]
                given.append(quicksum(w for _, w in own))
            for treated in given:
                stated.model.addCons(treated <= quicksum(fitting))


def _organs(stated: Programme) -> None:
    """Load of the courses, and twice the product of doses of one day, at most the cap."""
    candidates, model = stated.candidates, stated.model
    doses: dict[tuple[int, int], Any] = {}
    for row, limit in enumerate(load.limit for load in candidates.on_organs):
        total = quicksum(
            stated.course_sum(s, of_courses(stated.tables[0], s, "loads")[:, row])
            for s in stated.active
        )
        if isinstance(limit, BedLimit | MeanEqd2Limit):
            for a, i in enumerate(stated.active):
                for j in stated.active[:a]:
                    factor = float(candidates.cross[i, j][row].max(initial=0.0))
                    if factor:
                        total += factor * quicksum(
                            _daily(stated, doses, i, day) * _daily(stated, doses, j, day)
                            for day in _shared_days(candidates, i, j)
                        )
        model.addCons(total <= 1.0 - float(candidates.prior[row]))


def _shared_days(candidates: Candidates, i: int, j: int) -> list[int]:
    one, two = (candidates.lesions[s].menu.patterns.incidence.any(axis=0) for s in (i, j))
    return np.flatnonzero(one & two).tolist()


def _daily(stated: Programme, doses: dict[tuple[int, int], Any], s: int, day: int) -> Any:
    """Gy of one lesion on one day, as a variable."""
    if (s, day) not in doses:
        menu = stated.candidates.lesions[s].menu
        given = menu.patterns.number[menu.pattern, day] * menu.dose
        doses[s, day] = stated.model.addVar(lb=0, ub=float(given.max()))
        stated.model.addCons(doses[s, day] == stated.course_sum(s, given))
    return doses[s, day]


def _blood(stated: Programme) -> None:
    """Lymphocytes day by day; EDRIC with the root of the number of fractions."""
    instance, candidates, model = stated.candidates.instance, stated.candidates, stated.model
    chemo = stated.plan_sum(np.array([table.chemo for table in stated.tables]))
    for limit in instance.limits:
        if isinstance(limit, AlcLimit):
            allowance = math.log(instance.lymphocytes.initial_1e9_per_l / limit.floor_1e9_per_l)
            loss = {
                s: candidates.lesions[s].alc_loss(np.arange(len(stated.course[s])))
                for s in stated.active
            }
            last = max(int(candidates.lesions[s].menu.patterns.last.max()) for s in stated.active)
            for day in range(last + 1):
                total = quicksum(stated.course_sum(s, loss[s][:, day]) for s in stated.active)
                model.addCons(total + chemo <= allowance)
        elif isinstance(limit, EdricLimit):
            _edric(stated, limit.cap_gy)
        elif not isinstance(limit, OrganLimit | DrugLimit | LogisticsLimit):
            raise ValueError(f"not stated: {limit.kind}")


def _edric(stated: Programme, cap_gy: float) -> None:
    tables = stated.candidates.lesions
    parts = {s: edric_alone(stated.candidates.instance, tables[s].menu) for s in stated.active}
    if len(stated.active) == 1:
        s = stated.active[0]
        used = lymphocytes.edric(*parts[s], tables[s].menu.fractions)
        stated.model.addCons(stated.course_sum(s, used) <= cap_gy)
        return
    lung, heart, integral = (
        quicksum(stated.course_sum(s, parts[s][i]) for s in stated.active) for i in range(3)
    )
    number = quicksum(
        stated.course_sum(s, tables[s].menu.fractions.astype(float)) for s in stated.active
    )
    of_lung, of_heart, rest = (
        float(lymphocytes.edric(a, b, c, 0)) for a, b, c in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    per_root = float(lymphocytes.edric(0, 0, 1, 1)) - rest
    most = max(int(tables[s].menu.fractions.max()) for s in stated.active) * len(stated.active)
    root = stated.model.addVar(lb=0, ub=math.sqrt(most))
    dose = stated.model.addVar(lb=0, ub=None)
    stated.model.addCons(root >= sqrt(number))
    stated.model.addCons(dose == integral)
    stated.model.addCons(
        of_lung * lung + of_heart * heart + rest * dose + per_root * root * dose <= cap_gy
    )


def _logistics(stated: Programme) -> None:
    instance, candidates = stated.candidates.instance, stated.candidates
    for limit in instance.limits:
        if not isinstance(limit, LogisticsLimit):
            continue
        if limit.quantity == "lesions":
            count = quicksum(1 - stated.course[s][0] for s in stated.active)
            if limit.cap is not None:
                stated.model.addCons(count <= limit.cap)
            if limit.floor is not None:
                stated.model.addCons(count >= limit.floor)
            continue
        menus = {s: candidates.lesions[s].menu for s in stated.active}
        per_day = [
            quicksum(
                stated.course_sum(s, menu.patterns.incidence[menu.pattern, day])
                for s, menu in menus.items()
            )
            for day in limit.days(instance.days)
        ]
        if limit.quantity == "machine_days":
            per_day = [quicksum(per_day)]
        for total in per_day:
            stated.model.addCons(total <= limit.cap)


def _systemic(stated: Programme) -> list[Any]:
    """Per horizon: Z <= saturated sum over lesions of effect_s exp(-(A - a_s))."""
    model, instance, tables = stated.model, stated.candidates.instance, stated.tables
    loss = [stated.table(s, "loss") for s in range(len(stated.course))]
    chemo = np.array([table.chemo for table in tables])
    worst = [max(float(t.effects[s].loss.max()) for t in tables) for s in range(len(loss))]
    factors: list[Any] = []
    for s in range(len(loss)):
        most = float(chemo.max()) + sum(worst) - worst[s]
        if most == 0:
            factors.append(None)
            continue
        others = model.addVar(lb=0, ub=most)
        model.addCons(
            others == stated.plan_sum(chemo) + quicksum(a for t, a in enumerate(loss) if t != s)
        )
        factor = model.addVar(lb=math.exp(-most), ub=1)
        model.addCons(factor <= exp(-others))
        factors.append(factor)
    found = []
    saturation = instance.immune.effect_maximum_nats
    for h in range(len(instance.horizon_days)):
        parts, top = [], 0.0
        for s, factor in enumerate(factors):
            most = max(float(table.effects[s].effect[:, h].max()) for table in tables)
            if most <= 0:
                continue
            top += most
            own = model.addVar(lb=0, ub=most)
            model.addCons(own == stated.table(s, "effect", h))
            parts.append(own if factor is None else own * factor)
        raw = model.addVar(lb=0, ub=top)
        model.addCons(raw <= quicksum(parts))
        if saturation is None:
            found.append(raw)
            continue
        systemic = model.addVar(lb=0, ub=saturation * top / (saturation + top))
        model.addCons(systemic + saturation**2 / (raw + saturation) <= saturation)
        found.append(systemic)
    return found


def _value(stated: Programme, systemic: list[Any]) -> Any:
    """Weighted mean over horizons of log control, or of the line where a lesion is conceded."""
    model, tables = stated.model, stated.tables
    goal = stated.candidates.instance.objective
    total = []
    for s, weight in enumerate(tables[0].weights):
        share = float(tables[0].effects[s].share.max())
        for h, effect in enumerate(systemic):
            local = [table.effects[s].local[:, h, 0] for table in tables]
            high = max(float(one.max()) for one in local)
            low = min(float(one.min()) for one in local) - share * float(effect.getUbOriginal())
            burden = model.addVar(lb=low, ub=high)
            model.addCons(burden == stated.table(s, "local", h) - share * effect)
            worst = -float(outcome.log_control(high))
            lost = model.addVar(lb=0, ub=worst + 1.0)
            model.addCons(exp(-lost) + exp(burden - lost) <= 1)
            value = model.addVar(lb=-worst - 1.0, ub=0)
            total.append(float(weight) / len(systemic) * value)
            if goal.kind == "log_control":
                model.addCons(value <= -lost)
                continue
            edge = outcome.concession_burden(goal.conceded_at_nats)
            conceded = model.addVar(vtype="B")
            model.addCons(value <= -lost + (worst + 1.0) * conceded)
            line = -goal.conceded_at_nats - goal.conceded_slope * (burden - edge)
            slack = goal.conceded_at_nats + goal.conceded_slope * max(0.0, high - edge)
            model.addCons(value <= line + slack * (1 - conceded))
            model.addCons(value <= -goal.conceded_at_nats * conceded)
    return quicksum(total)
