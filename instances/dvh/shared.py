"""Lesions that one plan serves: its limit in the case, and the menus of those beside the first."""

from __future__ import annotations

from collections.abc import Sequence

from abscopt.instances.dvh.plans import Plan
from abscopt.instances.reading.problems import refused
from abscopt.instances.sources import Raw

SHARED = (
    "lesions of one plan: its dose to organs and lymphocytes is stated of the first one; edric and "
    "machine_days count the fractions of each"
)
"""What a case assumes of them."""


def times(course: Raw, ratio: float, label: str) -> Raw:
    """A uniform menu with every dose times a ratio."""
    if course.get("form") != "uniform" or not isinstance(course.get("doses_gy"), list):
        rule = "lesions of one plan need a uniform menu with a list of doses, or prescriptions"
        raise refused(label, "lesions.course", course.get("form"), rule)
    scaled = course | {"doses_gy": [round(dose * ratio, 9) for dose in course["doses_gy"]]}
    if "also" in course:
        blocks = [times({"form": "uniform"} | block, ratio, label) for block in course["also"]]
        scaled["also"] = [
            {key: value for key, value in block.items() if key != "form"} for block in blocks
        ]
    return scaled


def shared_plans(plans: Sequence[Plan]) -> list[Raw]:
    """A limit for each plan that serves several lesions."""
    limits: list[Raw] = []
    for leader in plans:
        members = [leader, *(plan for plan in plans if plan.leader == leader.lesion)]
        if len(members) > 1:
            ratios = [round(plan.rx.dose_gy / leader.rx.dose_gy, 9) for plan in members]
            limits.append(
                {
                    "name": f"plan_of_{leader.lesion}",
                    "kind": "one_plan",
                    "lesions": [plan.lesion for plan in members],
                    **({} if set(ratios) == {1.0} else {"dose_ratios": ratios}),
                    "source": "one plan, one histogram",
                    "status": "assumed",
                }
            )
    return limits
