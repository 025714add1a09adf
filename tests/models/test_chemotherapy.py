"""The sensitizing window."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models import chemotherapy


def test_window_starts_on_the_day_of_the_dose() -> None:
    ratio = chemotherapy.sensitizer_enhancement(8, [1, 5], 1.2, 2)
    np.testing.assert_array_equal(ratio, [1, 1.2, 1.2, 1, 1, 1.2, 1.2, 1])


def test_overlaps_do_not_multiply_and_edges_are_cut() -> None:
    ratio = chemotherapy.sensitizer_enhancement(6, [-2, 3, 4, 99], 1.3, 3)
    np.testing.assert_array_equal(ratio, [1.3, 1, 1, 1.3, 1.3, 1.3])


def test_no_dose_no_enhancement() -> None:
    np.testing.assert_array_equal(chemotherapy.sensitizer_enhancement(4, [], 1.3, 3), np.ones(4))
    np.testing.assert_array_equal(chemotherapy.sensitizer_enhancement(4, [1], 1.3, 0), np.ones(4))


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(0, 6), st.integers(0, 30))
def test_another_dose_never_takes_days_away(doses: list[int], window: int, extra: int) -> None:
    before = chemotherapy.sensitizer_enhancement(30, doses, 1.1, window)
    after = chemotherapy.sensitizer_enhancement(30, [*doses, extra], 1.1, window)
    assert np.all(after >= before)
