"""Published local control: enough, dosed, and nothing fitted that was not read."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from abscopt.instances.evidence.local_control import Figure, Study, local_control

STUDIES = local_control()


def test_enough_figures_of_enough_studies_and_sites() -> None:
    fitted = [study for study in STUDIES if study.fitted]
    assert len(fitted) >= 20
    assert sum(len(study.fitted) for study in fitted) >= 40
    assert {study.site for study in fitted} >= {
        "lung_primary",
        "lung_metastasis",
        "liver_metastasis",
        "adrenal_metastasis",
        "spine_metastasis",
        "bone_metastasis",
        "node_metastasis",
        "stage3",
    }


def test_more_dose_at_one_time_controls_more_within_a_study() -> None:
    """A slip of the pen in a dose or a share turns an order round; in two trials it truly was."""
    turned = set()
    for study in STUDIES:
        dosed = [figure for figure in study.figures if figure.bed10 is not None]
        for one in dosed:
            for other in dosed:
                same = one.years == other.years and one.diameter_cm == other.diameter_cm
                less = (one.bed10 or 0) > 1.1 * (other.bed10 or 0)
                if same and less and one.control_percent < other.control_percent:
                    turned.add(study.id)
    assert turned == {"rtog-0617-stage3", "rtog-0915-early-lung"}


def test_every_third_study_of_a_site_by_hash_is_held_out() -> None:
    fitted = [study for study in STUDIES if study.fitted]
    held_out = {study.id for study in STUDIES if study.held_out}
    expected = set()
    for site in {study.site for study in fitted}:
        ids = [study.id for study in fitted if study.site == site]
        expected |= set(sorted(ids, key=lambda name: sha256(name.encode()).hexdigest())[1::3])
    assert held_out == expected
    assert 10 <= len(held_out) <= len(fitted) // 2


def figure(**changes: Any) -> dict[str, Any]:
    sound = {"n": 40, "counted": "lesions", "dose_gy": 48.0, "fractions": 4, "dose": "all"}
    return sound | {"years": 2.0, "control_percent": 90.0} | changes


def test_bed10_is_stated_or_that_of_the_fractions() -> None:
    assert Figure.model_validate(figure()).bed10 == pytest.approx(105.6)
    assert Figure.model_validate(figure(bed10_gy=100.0)).bed10 == 100.0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"fractions": None}, "go together"),
        ({"dose": None}, "a dose needs"),
        ({"interval_percent": (91.0, 95.0)}, "must hold"),
        ({"n": None}, "needs a dose and n"),
        ({"control_percent": 101.0}, "less than or equal"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_broken_figure_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Figure.model_validate(figure(**changes))


def test_what_was_not_read_is_never_fitted() -> None:
    known = next(study for study in STUDIES if study.fitted).model_dump(exclude_none=True)
    with pytest.raises(ValidationError, match="report only"):
        Study.model_validate(known | {"status": "recalled"})
