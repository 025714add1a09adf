"""Plans near the best against enumeration by the judge; what is said where they are not all."""

from __future__ import annotations

import pytest
from near_plans import DIFFER, compared, enumerated, tree_alone
from plain_cases import lesion, plain_case
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances.load import InputError, build, load
from abscopt.optimizer import alternatives
from abscopt.optimizer.near import alternatives as room
from abscopt.optimizer.near.differences import differences
from abscopt.optimizer.near.selection import by_group
from abscopt.optimizer.near.shown import COLUMNS, document, report, statement
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule
from abscopt.optimizer.search.uniform import near, settings
from abscopt.optimizer.tuning import using

ALL = 1000
WITHIN = 0.2


@pytest.mark.parametrize("drawn", [random_case(1), random_case(5), widened_case(8)])
def test_plans_are_those_of_enumeration(drawn: dict[str, object]) -> None:
    """By a tree alone too: in small cases everything is else valued at once."""
    case = build(drawn)
    for (within, differ), known in enumerated(case, (WITHIN,)).items():
        assert not compared(
            case, known, alternatives(case, within=within, differ=differ, count=ALL)
        )
        with using(settings, tree_alone()):
            by_tree = alternatives(case, within=within, differ=differ, count=ALL)
        assert not compared(case, known, by_tree)


def test_what_is_not_listed_is_stated() -> None:
    case = load("toy-two-lesions")
    known = enumerated(case, (5.0,))[5.0, None]
    assert len(known) > 3
    found = alternatives(case, within=5.0, count=3)
    assert found.ending == "complete" and len(found.plans) == 3 and found.known == len(known)
    assert f"{len(known) - 3} are not listed" in statement(found)
    assert sum(number for _, number in found.by_group) == len(known)
    assert found.plans[0].below == 0.0 and not found.plans[0].differs
    assert list(found.frame().columns) == list(COLUMNS) and len(found.frame()) == 3


def test_one_of_each_group_comes_first() -> None:
    a, b, c = ((("dose", name),) for name in "abc")
    chosen, sizes = by_group([(), a, a, a, b, c, b], 5)
    assert chosen == [0, 1, 2, 4, 5]
    assert sizes == (((), 1), (a, 3), (b, 2), (c, 1))
    assert by_group([], 3) == ([], ())


@pytest.mark.parametrize("differ", DIFFER[:-1])
def test_too_many_are_asked_for_decision_by_decision(
    differ: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one class allowed the search gives up; each decision's best is that of enumeration."""
    case = build(random_case(5))
    known = enumerated(case, (WITHIN,))[WITHIN, differ]
    monkeypatch.setattr(room, "MOST_CLASSES", 1)
    found = alternatives(case, within=WITHIN, differ=differ, count=ALL)
    if len(known) == 1:
        assert found.ending == "complete"
        return
    assert found.ending == "many" and all(answered for _, answered in found.asked)
    assert "more" in statement(found)
    top = max(entry.best for entry in known.values())
    second = sorted((entry.best for entry in known.values()), reverse=True)[1]
    values = sorted((plan.evaluation.objective for plan in found.plans), reverse=True)
    assert values[0] == pytest.approx(top, abs=1e-9)
    gap = found.solved.requested_gap / 2
    assert values[1] >= second - gap - 1e-9
    assert all(any(abs(v - e.best) <= gap + 1e-9 for e in known.values()) for v in values)


def test_a_search_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is over in the middle of the tree, not by chance but at its first node."""

    def stopped(self: near.NearSearch) -> bool:
        raise near.Stopped

    monkeypatch.setattr(near.NearSearch, "_next", stopped)
    with using(settings, tree_alone()):
        found = alternatives("toy-two-lesions", within=5.0)
    assert found.ending == "stopped" and found.plans
    assert "stopped" in statement(found) and "Not complete" in report(found)
    assert document(found)["ending"] == "stopped"


@pytest.mark.parametrize(
    ("case", "options", "words"),
    [
        ("early-sabr", {"within": -1.0}, "within"),
        ("early-sabr", {"within": float("nan")}, "within"),
        ("early-sabr", {"count": 0}, "count"),
        ("early-sabr", {"differ": "color"}, "differ"),
        ("toy-free-pair", {}, "free"),
        ("no-such-case", {}, "no-such-case"),
    ],
)
def test_wrong_questions_are_refused(case: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        alternatives(case, **options)  # type: ignore[arg-type]


def test_a_difference_is_told_in_words() -> None:
    case = load("toy-two-lesions")
    large, small = (lesion.name for lesion in case.lesions[:2])
    usual = Schedule.of([Fraction(d, large, 10.0) for d in (0, 2, 4)], ())
    other = Schedule.of(
        [*(Fraction(d, large, 8.0) for d in (0, 1, 2, 3)), Fraction(1, small, 6.0)],
        [Infusion(3, "drug", 200.0)],
    )
    told = {(d.aspect, d.name): d.words for d in differences(case, other, usual)}
    assert told == {
        ("fractions", large): f"{large} 4 x 8 Gy, not 3 x 10 Gy",
        ("dose", large): f"{large} 4 x 8 Gy, not 3 x 10 Gy",
        ("days", large): f"{large} on days 0 1 2 3, not days 0 2 4",
        ("sites", small): f"{small} 1 x 6 Gy, not spared",
        ("regimen", "drug"): "drug 200 mg once, not left out",
    }


def test_days_are_other_ones_whatever_techniques_are_used_on_them() -> None:
    """Phases that name no technique have each timing once for every one: one plan is listed."""
    phase = {"fractions": [1], "doses_gy": [7.5], "technique": None}
    course = {
        "form": "phases",
        "phases": [phase, {**phase, "gap_days": [1, 2]}],
        "first_start_day": 0,
        "last_start_day": 1,
    }
    ways = [{"name": "beam"}, {"name": "near", "irradiated_share": 0.999}]
    tumor = lesion(course=course, techniques=ways)
    case = build(plain_case([tumor], [], horizon_days=[30], objective="log_kill"))
    known = enumerated(case, (5.0,))[5.0, "days"]
    found = alternatives(case, within=5.0, count=1000, differ="days")
    assert len(found.plans) == len(known) == 4
    assert compared(case, known, found) == []
