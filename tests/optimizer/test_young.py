"""Timing of two agents around a single fraction, as Young 2016 found it in mice."""

from __future__ import annotations

import pytest

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

RADIATION_DAY = 7
BEFORE, AFTER = (0, 4), (8, 12, 16)


def value(judge: Judge, ctla4: int | None, ox40: int | None) -> float:
    """Objective of 20 Gy with one dose of each antibody on some day, or none."""
    doses = [("anti-ctla4", ctla4), ("anti-ox40", ox40)]
    schedule = Schedule.of(
        [Fraction(RADIATION_DAY, "irradiated", 20.0)],
        [Infusion(day, drug, 0.25) for drug, day in doses if day is not None],
    )
    return judge.evaluate(schedule).objective


def test_the_engine_gives_ctla4_before_and_the_agonist_one_day_after() -> None:
    result = solve(load("young-timing"))
    assert result.status == "optimal" and result.schedule is not None
    assert [(f.day, f.dose_gy) for f in result.schedule.fractions] == [(RADIATION_DAY, 20.0)]
    days = {dose.drug: dose.day for dose in result.schedule.infusions}
    assert days["anti-ctla4"] in BEFORE
    assert days["anti-ox40"] == RADIATION_DAY + 1


def test_each_antibody_alone_prefers_its_own_side() -> None:
    judge = Judge(load("young-timing"))
    neither = value(judge, None, None)
    assert min(value(judge, day, None) for day in BEFORE) > neither
    assert [value(judge, day, None) for day in AFTER] == pytest.approx([neither] * 3, abs=1e-9)
    agonist = {day: value(judge, None, day) for day in (*BEFORE, *AFTER)}
    assert max(agonist, key=agonist.__getitem__) == RADIATION_DAY + 1
    assert agonist[8] > agonist[12] > agonist[16] >= neither
