"""A past with measurements and under an ensemble: judged as whole histories, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from histories import table_of

from abscopt.instances import InputError, load
from abscopt.instances.schema import Instance
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.learning.measured.observations import observations_of
from abscopt.optimizer.learning.measured.predicted import alc, living_shares
from abscopt.optimizer.learning.update import refuse_unknown_days, treatment_of, update
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.replanning.under import replan_under, under_document, under_report
from abscopt.optimizer.schedule import (
    Schedule,
    given_schedule,
    resumed_schedule,
    standard_schedule,
)

Raw = dict[str, Any]


def _missed(case: Instance, number: int) -> tuple[Instance, Schedule]:
    """The standard regimen begun, its treatment day of that number missed."""
    plan = standard_schedule(case)
    assert plan is not None
    days = sorted({f.day for f in plan.fractions})
    table = table_of(plan, days[number] + 1)
    table["fractions"] = [f for f in table["fractions"] if f["day"] != days[number]]
    return with_past(case, table), plan


def _count(day: int) -> Raw:
    return {"observations": [{"kind": "alc", "day": day, "value": 1.2}]}


def test_measurements_of_a_past_are_judged_as_whole_histories() -> None:
    case = load("early-sabr")
    started, plan = _missed(case, 1)
    assert started.delivered is not None and started.delivered.today is not None
    today, resumed = started.delivered.today, resumed_schedule(started)
    assert resumed is not None and resumed != plan
    assert treatment_of(None, started) == resumed
    for day in (0, today - 1, today, today + 10):
        assert alc(started, resumed, day) == alc(case, resumed, day)
        living, whole = (living_shares(c, resumed, day) for c in (started, case))
        assert living.keys() == whole.keys()
        assert all((living[name] == whole[name]).all() for name in whole)
    assert alc(case, plan, today) < alc(started, resumed, today)  # one fraction was missed


def test_a_schedule_with_another_past_and_unknown_days_are_refused() -> None:
    case = load("early-sabr")
    started, plan = _missed(case, 1)
    with pytest.raises(InputError, match="no fraction was given on day"):
        treatment_of(plan, started)
    assert started.delivered is not None
    table = started.delivered.model_dump(mode="json", exclude_none=True)
    del table["plan"]
    table["fractions"][0]["dose_gy"] += 0.25  # no beginning of the standard regimen
    unplanned = with_past(case, table)
    assert treatment_of(None, unplanned) == given_schedule(unplanned)
    today = table["today"]
    with pytest.raises(InputError, match="no plan says what is given until then"):
        update(unplanned, None, _count(today + 1), ensemble_of(unplanned, "plausible-20"))
    refuse_unknown_days(unplanned, observations_of(_count(today), unplanned), "counts")
    refuse_unknown_days(started, observations_of(_count(today + 9), started), "counts")


def test_under_an_ensemble_the_ways_stand_side_by_side() -> None:
    case = load("early-sabr")
    started, plan = _missed(case, 1)
    ensemble = ensemble_of(started, "radiobiology", size=2)
    study = replan_under(ensemble, gap=0.2, time_limit=120)
    resumed = resumed_schedule(started)
    assert resumed is not None and study.resumed is not None and study.planned is not None
    assert study.new is not None and study.result.answer is not None
    assert np.allclose(study.new.values, study.result.answer.values, rtol=1e-12)
    for number, member in enumerate(ensemble.instances):
        whole = member.unchecked({"delivered": None})
        planned = Judge(whole).evaluate(plan).objective
        gone_on = Judge(member).evaluate(resumed)
        assert study.cost is not None and study.gain is not None
        assert study.cost[number] == pytest.approx(planned - gone_on.objective, abs=1e-12)
        assert study.resumed.allowed[number] == gone_on.admissible
        if len(study.gains) == 1:
            (alone,) = study.gains.values()
            assert alone[number] == pytest.approx(study.gain[number], abs=1e-12)
    report = under_report(study)
    assert "Interruption costs" in report and "Plan resumed" in report and "Missed" in report
    comparison = under_document(study)["replan"]
    assert comparison["interruption_cost"] == pytest.approx(study.cost.tolist())
    assert len(comparison["changes"]) == len(study.gains)
