"""Settings of searches and programme trade time: no answer becomes false by them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace
from types import ModuleType

import pytest

from abscopt.instances import build, load
from abscopt.instances.load import CASES
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.search.free import settings as free
from abscopt.optimizer.search.uniform import settings as uniform
from abscopt.optimizer.tuning import using

COARSE_FREE = replace(free.CURRENT, fine_patterns=0.2, label_chunk=64, rounds=5, labels=500)
COARSE_UNIFORM = replace(
    uniform.CURRENT, few=0, first_cells=2, new_prices=2, levels=3, most_leaves=8, narrow_from=0,
    course_limit=0, timing_lot=50, shortlist=20, enumerated=0, long_kinds=0,
)  # fmt: skip


def first_days(name: str, days: int) -> Instance:
    """A case with the first days of its free course."""
    raw = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
    raw["lesions"][0]["course"]["days"] = raw["lesions"][0]["course"]["days"][:days]
    del raw["standard"]
    return build(raw)


@pytest.mark.parametrize(
    ("name", "settings", "coarse"),
    [("toy-free-20", free, COARSE_FREE), ("dual-checkpoint", uniform, COARSE_UNIFORM)],
)
def test_other_settings_prove_the_same_optimum_and_end_with_their_block(
    name: str, settings: ModuleType, coarse: object
) -> None:
    case = first_days(name, 10) if name == "toy-free-20" else load(name)
    before = settings.CURRENT
    usual = solve(case)
    with using(settings, coarse):
        assert settings.CURRENT is coarse
        other = solve(case)
    assert settings.CURRENT is before
    assert (usual.status, other.status) == ("optimal", "optimal")
    assert usual.objective is not None
    assert usual.requested_gap is not None
    assert other.objective == pytest.approx(usual.objective, abs=usual.requested_gap)


@pytest.mark.parametrize("settings", [free, uniform, programme])
def test_every_setting_has_a_unit_and_a_reason(settings: ModuleType) -> None:
    described = re.findall(r"^    (\w+) : \[[^\]]+\]", settings.Settings.__doc__, re.MULTILINE)
    assert described == [field.name for field in fields(settings.Settings)]
