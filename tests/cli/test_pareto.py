"""`abscopt pareto`: what its options refuse."""

from typing import Any

import pytest

CASE = "toy-two-lesions"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "robustness", "--threads", 2), "--threads does not act"),
        (("--against", "visits", "--ensemble", "plausible-20"), "--ensemble goes with"),
        (("--against", "beauty"), "beauty"),
    ],
)
def test_options_that_would_not_act_are_refused(
    run: Any, arguments: tuple[Any, ...], words: str
) -> None:
    refused = run("pareto", CASE, *arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_points_are_printed(run: Any) -> None:
    points = run("pareto", CASE, "--against", "sites", "--threads", 2)
    assert points.exit_code == 0
    assert "No other point exists." in points.stdout
