"""Reports for a person, on results made by hand."""

import csv
import io
from dataclasses import replace

import pytest
from standard_results import standard_result

from abscopt.instances import build, load, names
from abscopt.optimizer import evaluate
from abscopt.optimizer.candidates.reduction import Step
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.results.text.plain import WIDTH
from abscopt.optimizer.results.text.report import evaluation_report, solve_report
from abscopt.optimizer.results.text.result_tables import csv_files
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule


@pytest.mark.parametrize("name", names())
def test_solve_report_says_everything_once(name: str) -> None:
    case = load(name)
    result = standard_result(case)
    report = solve_report(result, case)
    words = " ".join(report.split())
    assert report.count(DISCLAIMER) == 1
    assert max(len(line) for line in report.splitlines()) <= WIDTH
    assert "\x1b" not in report
    for limit in case.limits:
        assert limit.name in words
    for lesion in case.lesions:
        assert lesion.name in words
    assert case.standard is not None
    for part in (
        case.title,
        f"Gap 1.0000 {result.unit} (asked for {case.objective.gap:g} {result.unit})",
        "Proved bound on every schedule",
        f"lymphocyte bands: 0.0012 {result.unit}",
        "Second stage optimal",
        "HiGHS 1.15.1",
        "1.25 s, seed 42; 25 choices for lesions and 5 systemic plans considered, 7 nodes",
        " ".join(case.standard.name.split()),
        f"Gain of the schedule above +0.2500 {result.unit}",
        "Lymphocytes nadir",
        f"nat to day {case.days}",
    ):
        assert part in words
    assert solve_report(result, case) == report


def test_reductions_are_one_line_if_there_were_any() -> None:
    case = load("toy-blockade")
    result = standard_result(case)
    assert "Reduced" not in solve_report(result, case)
    steps = (Step("offered", 120), Step("dominance", 7))
    reduced = replace(result, certificate=replace(result.certificate, reductions=steps))
    line = "Reduced    pairs of plan and course: 120 (offered), then 7 (dominance)"
    assert line in solve_report(reduced, case).splitlines()


def test_runs_of_equal_weeks_are_one_line() -> None:
    case = load("stage3-crt")
    schedule = standard_schedule(case)
    assert schedule is not None
    report = evaluation_report(evaluate(case, schedule), schedule, case)
    line = next(line for line in report.splitlines() if "30 x 2 Gy" in line)
    assert line.split()[-7:] == ["Mon", "Tue", "Wed", "Thu", "Fri,", "6", "weeks"]
    assert "2026-01-05 (0)" in line
    assert "2026-02-13 (39)" in line


def test_unequal_fractions_are_separate_lines() -> None:
    case = load("toy-blockade")
    fractions = [Fraction(day, "tumor", dose) for day, dose in ((0, 8.0), (1, 8.0), (7, 5.0))]
    schedule = Schedule.of(fractions, [])
    report = evaluation_report(evaluate(case, schedule), schedule, case)
    rows = [line.split() for line in report.splitlines() if line.startswith(" tumor")]
    assert rows[0][1:4] == ["2", "x", "8"]
    assert rows[0][-2:] == ["Mon", "Tue"]
    assert rows[1][1:4] == ["1", "x", "5"]
    assert "varies" in rows[2]
    assert "No drugs." in report


def test_whose_control_is_a_mean_over_patients_is_named() -> None:
    case = load("early-sabr", {"lesions.primary.alpha_cv": 0.0})
    raw = case.model_dump(mode="json", exclude_none=True)
    assert "mean over patients" not in solve_report(standard_result(case), case)
    raw["lesions"][0]["alpha_cv"] = 0.3
    spread = build(raw)
    text = solve_report(standard_result(spread), spread)
    assert "Control is a mean over patients; coefficient of variation of alpha: primary 0.3" in text


def test_conceded_lesions_are_named() -> None:
    case = load("toy-two-lesions")
    report = evaluation_report(evaluate(case, Schedule()), Schedule(), case)
    assert report.count("conceded (") == 2
    assert "No radiation." in report


def test_binding_and_broken_limits_are_marked() -> None:
    case = load("toy-fractionation")
    for dose, mark in ((5.0, "*"), (6.0, "BROKEN")):
        days = [day for day in range(12) if day % 7 < 5]
        schedule = Schedule(tuple(Fraction(day, "tumor", dose) for day in days))
        report = evaluation_report(evaluate(case, schedule), schedule, case)
        row = next(line.split() for line in report.splitlines() if "Gy BED3" in line)
        assert row[:2] == [mark, "organ"]


def test_an_infeasible_result_says_so_and_what_was_proved() -> None:
    case = load("toy-blockade")
    nothing = replace(
        standard_result(case),
        status="infeasible",
        objective=None,
        bound=None,
        schedule=None,
        evaluation=None,
    )
    report = solve_report(nothing, case)
    assert "Infeasible: proven" in report
    assert "Proved     bound on every schedule" in report
    assert "Radiation" not in report
    files = csv_files(nothing, case)
    assert all(len(text.splitlines()) == 1 for text in files.values())


def test_csv_files_hold_the_whole_answer() -> None:
    case = load("early-sabr")
    result = standard_result(case)
    tables = {
        name: list(csv.DictReader(io.StringIO(text)))
        for name, text in csv_files(result, case).items()
    }
    assert result.schedule is not None
    assert result.evaluation is not None
    events = len(result.schedule.fractions) + len(result.schedule.infusions)
    assert len(tables["schedule.csv"]) == events
    assert [row["name"] for row in tables["limits.csv"]] == [limit.name for limit in case.limits]
    chance = float(tables["lesions.csv"][0]["control_probability_day_180"])
    assert chance == result.evaluation.lesions[0].control_probability[-1]


def test_drugs_without_radiation() -> None:
    case = load("stage3-crt")
    standard = standard_schedule(case)
    assert standard is not None
    schedule = Schedule((), standard.infusions)
    report = evaluation_report(evaluate(case, schedule), schedule, case)
    assert "No radiation." in report
    assert "(no fraction day); before treatment 1.7" in report
