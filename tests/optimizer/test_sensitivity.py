"""What an answer depends on, against enumeration by the judge with each value."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from multiprocessing import active_children
from typing import Any

import pytest
from brute_force import schedules
from plain_cases import lesion, limit, plain_case, uniform
from random_instances import random_case

from abscopt.instances.load import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.optimizer import sensitivity
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ranged import apart
from abscopt.optimizer.ranged import sensitivity as sensitivity_module
from abscopt.optimizer.ranged.axes import axes_of_ensemble, axes_of_limits, axis_of_text
from abscopt.optimizer.ranged.shown import COLUMNS, document, report
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.sweeps import workers

GAP = 1e-3
FURTHER = ("immune.gate_high_gy*=0.9:1.1", "lesions.*.alpha_beta_gy*=0.8:1.2")
VARY = ("lesions.*.alpha_per_gy*=0.6:1.6", "immune.effect_per_effector*=0.2:4")


def best_of(case: Instance) -> float | None:
    """The best objective of a case, by judging every schedule."""
    judge = Judge(case)
    verdicts = (judge.evaluate(schedule) for schedule in schedules(case))
    return max((v.objective for v in verdicts if v.feasible), default=None)


def kept_by(case: Instance, schedule: Schedule) -> float | None:
    """Objective of a schedule; None if it breaks something."""
    verdict = Judge(case).evaluate(schedule)
    return verdict.objective if verdict.feasible else None


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_changes_and_switches_are_those_of_enumeration(seed: int) -> None:
    case = build(random_case(seed))
    found = sensitivity(case, vary=VARY, gap=GAP, halvings=2)
    answer, before = found.solved.schedule, best_of(case)
    assert answer is not None and before is not None and found.complete
    assert [swing.size for swing in found.swings] == sorted(
        (swing.size for swing in found.swings), reverse=True
    )
    assert {"lesions.*.alpha_per_gy", "immune.effect_per_effector"} <= {
        swing.axis.name for swing in found.swings
    }
    for swing in found.swings:
        for varied in swing.varied:
            changed = case.with_(varied.changes)
            best, kept = best_of(changed), kept_by(changed, answer)
            assert varied.kept == kept
            if best is None:
                assert varied.result.status == "infeasible" and varied.change is None
                continue
            assert varied.change is not None
            assert varied.change[0] - 1e-9 <= best - before <= varied.change[1] + 1e-9
            if varied.stays == "stays":
                assert kept is not None and best - kept <= GAP + 2e-9
            if varied.stays == "fails":
                assert kept is None or best - kept > GAP
        for stays, fails in swing.switches:
            changed = case.with_(swing.axis.changes(fails))
            best, kept = best_of(changed), kept_by(changed, answer)
            assert kept is None or best is None or best - kept > GAP
            if stays == swing.axis.base:
                assert before - (kept_by(case, answer) or -1e9) <= GAP + 2e-9


def test_limits_are_tightened_and_relaxed_by_their_step() -> None:
    case = load("early-sabr")
    names = [limit.name for limit in case.limits]
    for axis in axes_of_limits(case, names, 0.1):
        limit = next(limit for limit in case.limits if limit.name == axis.name)
        for _, value in axis.ends:
            changed = case.with_(axis.changes(value))
            other = next(limit for limit in changed.limits if limit.name == axis.name)
            assert other != limit
            table = getattr(limit, "limits_gy", None)
            if table is not None:
                factors = [b / a for a, b in zip(table, other.limits_gy, strict=True)]
                assert factors == pytest.approx([value] * len(factors))


def test_ranges_are_those_of_an_ensemble() -> None:
    case = load("early-sabr")
    drawn = {axis.name: axis for axis in axes_of_ensemble(case, "radiobiology")}
    alpha = drawn["lesions.*.alpha_per_gy"]
    low, high = (value for _, value in alpha.ends)
    assert low * high == pytest.approx(1.0, rel=1e-6) and low == pytest.approx(0.7197, abs=1e-3)
    listed = {axis.name: axis for axis in axes_of_ensemble(case, "plausible-20")}
    assert listed["immune.priming_delay_days"].whole
    assert [value for _, value in listed["immune.priming_delay_days"].ends] == [2.0, 5.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vary": ["lesions.*.alpha_per_gy=2"]}, "LOW:HIGH"),
        ({"vary": ["lesions.*.alpha_per_gy=2:1"]}, "LOW:HIGH"),
        ({"vary": ["lesions.nobody.alpha_per_gy=0.1:1"]}, "no such value"),
        ({"vary": ["lesions.*.alpha_per_gy=0.1:1000"]}, "alpha_per_gy"),
        ({"vary": ["title=0:1"]}, "number"),
        ({"step": 1.5}, "step"),
        ({"halvings": 99}, "halvings"),
        ({"ensemble": "nobody"}, "nobody"),
    ],
)
def test_wrong_questions_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        sensitivity("toy-blockade", **options)


def test_a_table_has_a_row_for_each_solve() -> None:
    found = sensitivity("toy-two-lesions", vary=["lesions.*.alpha_per_gy*=0.5:2"], halvings=1)
    frame = found.frame()
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == sum(len(swing.varied) for swing in found.swings) >= 2
    assert document(found)["complete"] and "lesions.*.alpha_per_gy" in report(found)


def test_an_axis_without_one_value_has_no_base() -> None:
    case = load("oligomet-4")
    assert axis_of_text(case, "lesions.*.volume_cm3=5:30").base is None
    assert axis_of_text(case, "lesions.*.volume_cm3*=0.5:2").base == 1.0
    assert axis_of_text(case, "lesions.lung.volume_cm3=5:30").base == 25.0


def test_a_long_key_is_broken_at_its_dot() -> None:
    key = "immune.blockade_mobilization_per_day"
    study = sensitivity("toy-blockade", vary=[f"{key}*=0.9:1.1"], limits=False, halvings=0)
    lines = [line.strip() for line in report(study).splitlines()]
    first = next(n for n, line in enumerate(lines) if line.startswith("immune. "))
    assert lines[first + 1].startswith("blockade_mobilization_per_day ")
    assert max(map(len, report(study).splitlines())) <= 100


def test_a_complication_probability_is_varied_by_its_cap() -> None:
    """The dose that keeps it is no key of the limit."""
    case = build(
        plain_case(
            [lesion(course=uniform([3], [8.0]), sparing={"organ": {"max": 1.0}})],
            [
                limit(
                    "ntcp", "ntcp", organ="organ", model="lkb", td50_gy=20.0, m=0.3, cap=0.3,
                    point="max",
                )
            ],
            horizon_days=[40],
        )
    )  # fmt: skip
    (axis,) = axes_of_limits(case, ["ntcp"], 0.1)
    assert axis.base == 0.3
    assert [value for _, value in axis.ends] == pytest.approx([0.27, 0.33])


def without_times(study: sensitivity_module.Sensitivity) -> dict[str, Any]:
    """What `--json` prints, but for the seconds."""
    return {key: value for key, value in document(study).items() if key != "seconds"}


def test_processes_give_the_answer_of_one() -> None:
    pytest.importorskip("joblib")
    alone, apart_ = (
        sensitivity("early-sabr", vary=VARY + FURTHER, halvings=1, threads=threads)
        for threads in (1, 2)
    )
    assert len(alone.swings) > 3 and apart_.complete
    assert without_times(apart_) == without_times(alone)


def test_a_signal_ends_processes_with_the_swings_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal is seen after the first swing; a slow axis is still being solved then."""
    pytest.importorskip("joblib")
    waited = []

    def first(futures: set[Any], **_: Any) -> Any:
        waited.append(wait(futures, return_when=FIRST_COMPLETED))
        return waited[-1]

    monkeypatch.setattr(apart, "wait", first)
    monkeypatch.setattr(apart.interrupts, "asked", lambda: bool(waited))
    study = sensitivity("early-sabr", vary=VARY + FURTHER, halvings=2, threads=2)
    assert not study.complete
    assert 0 < len(study.swings) == len(waited[0].done)
    assert not active_children()


def test_several_at_a_time_need_joblib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"abscopt\[sweeps\]"):
        sensitivity("early-sabr", vary=VARY, threads=2)
