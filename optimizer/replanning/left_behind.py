"""What the past of a treatment has left behind this morning, for a person and for a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.evaluation.carried import at_first, carry
from abscopt.optimizer.evaluation.carried.treatment import surviving_share
from abscopt.optimizer.schedule import given_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.instances.history.past import Past
    from abscopt.instances.schema import Instance


def left_behind(case: Instance, past: Past) -> dict[str, Any]:
    """Lesions, drugs and blood on the morning of today."""
    state = carry(case, at_first(case), given_schedule(case), past.today)
    loss = state.loads.blood.left + state.drugs.lymphocyte_log_loss
    return {
        "lesions": [
            {
                "name": lesion.name,
                "fractions": carried.fractions,
                "dose_gy": carried.dose_gy,
                "last_day": carried.last_day,
                "surviving_share": surviving_share(lesion, carried),
                "precursors": float(carried.immune.precursors),
                "effectors": float(carried.immune.effectors),
            }
            for lesion, carried in zip(case.lesions, state.lesions, strict=True)
        ],
        "drugs_mg_per_l": {
            name: level.amounts_mg[0] / (case.drugs[name].central_volume_l or math.nan)
            for name, level in state.drugs.levels.items()
        },
        "lymphocytes_1e9_per_l": case.lymphocytes.initial_1e9_per_l * math.exp(-loss),
    }


def left_lines(case: Instance, past: Past) -> Iterator[str]:
    """The same in a line each."""
    found = left_behind(case, past)
    lesions = [
        f"{lesion['name']} {lesion['surviving_share']:.2g} of its clonogens"
        for lesion in found["lesions"]
        if lesion["fractions"]
    ]
    drugs = [f"{name} {level:.1f} mg/L" for name, level in found["drugs_mg_per_l"].items()]
    before = case.lymphocytes.initial_1e9_per_l
    blood = f"lymphocytes {found['lymphocytes_1e9_per_l']:.2f} of {before:g} x 10^9/L"
    yield f"Left     {', '.join([*lesions, *drugs, blood])}"
