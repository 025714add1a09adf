"""A signal inside somebody's process: the call stops, and its answer reaches the caller."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.optimizer import (
    Interrupted,
    Progress,
    alternatives,
    decide,
    evaluate,
    frontier,
    sensitivity,
    solve,
)
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.fronts.tradeoff import pareto
from abscopt.optimizer.process import interrupts

CASE = "pembro-rt"
NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_are_those_from_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    assert [signal.getsignal(number) for number in NUMBERS] == before


def raising(number: int, at: int = 1, times: int = 1) -> Callable[[Progress], None]:
    """A listener that sends signals to this process when it is told of an incumbent."""
    told = 0

    def listener(progress: Progress) -> None:
        nonlocal told
        told += progress.incumbent is not None
        if told == at:
            for _ in range(times):
                signal.raise_signal(number)

    return listener


@pytest.mark.parametrize("number", NUMBERS)
def test_the_answer_so_far_comes_with_the_exception(number: int) -> None:
    with pytest.raises(Interrupted) as stop:
        solve(CASE, listener=raising(number))
    result = stop.value.answer
    assert result.status == "feasible"
    assert result.bound is None or result.bound > result.objective
    assert evaluate(load(CASE), result.schedule).objective == result.objective
    whole = solve(CASE)
    assert whole.objective >= result.objective
    assert result.bound is None or whole.objective <= result.bound


def test_a_loop_over_cases_ends() -> None:
    solved = []

    def loop() -> None:
        for name in ("toy-blockade", CASE, "toy-two-lesions"):
            listener = raising(signal.SIGINT) if name == CASE else None
            solved.append(solve(name, listener=listener).case.name)

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert solved == ["toy-blockade"]


def test_the_second_interrupt_is_the_plain_one() -> None:
    with pytest.raises(KeyboardInterrupt) as stop:
        solve(CASE, listener=raising(signal.SIGINT, times=2))
    assert not isinstance(stop.value, Interrupted)


def test_a_handler_of_the_process_is_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        result = solve("toy-two-lesions", listener=raising(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    assert result.status == "optimal"


def test_a_front_ends_with_the_points_so_far() -> None:
    """The outermost call raises; the solve inside, which was asked, returned what it had."""
    with pytest.raises(Interrupted) as stop:
        pareto("toy-two-lesions", "visits", listener=raising(signal.SIGINT, at=2))
    trade = stop.value.answer
    whole = pareto("toy-two-lesions", "visits")
    assert not trade.complete
    assert 1 <= len(trade.points) < len(whole.points)
    for (value, point), (_, best) in zip(trade.points, whole.points, strict=False):
        assert value >= 0 and point.objective <= best.bound


def ending(number: int) -> Any:
    """A signal as soon as something asks whether one has come: in whatever a call does first."""
    original, sent = interrupts.asked, []

    def asked() -> bool:
        if not sent and interrupts._calls:
            sent.append(number)
            signal.raise_signal(number)
        return original()

    return asked


@pytest.mark.parametrize(
    "call",
    [
        lambda: alternatives(CASE, within=0.01, count=3),
        lambda: sensitivity("toy-blockade"),
        lambda: frontier(load("toy-blockade"), "organ_mean", [1.0, 2.0]),
        lambda: decide(ensemble_of(load("toy-blockade"), "radiobiology", size=3), "mean"),
    ],
    ids=["alternatives", "sensitivity", "frontier", "decide"],
)
def test_every_study_gives_what_it_has(
    call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "asked", ending(signal.SIGINT))
    with pytest.raises(Interrupted) as stop:
        call()
    assert stop.value.answer is not None
