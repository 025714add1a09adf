"""The bins of histograms as a case keeps them, per Gy prescribed."""

from __future__ import annotations

from collections.abc import Sequence

from abscopt.instances.dvh.factors import organ_curve
from abscopt.instances.dvh.mapping import BODY, Map
from abscopt.instances.dvh.measures import bins_of
from abscopt.instances.dvh.plans import Plan
from abscopt.instances.sources import Raw, library

WIDTH = 0.005
"""Greatest width of a bin per Gy prescribed: 0.25 Gy of 50 Gy, a sixth of what dose calculation and
set-up leave open (3 %, recalled). Doses at the points of limits are read from the whole curve."""
DIGITS = 6
"""Of doses and shares, as of sparing factors."""


def kept(plans: Sequence[Plan], answers: Map) -> dict[str, dict[str, Raw]]:
    """By lesion and organ: bins of every organ that is mapped and whose tissue is known."""
    organs = dict.fromkeys(answers.structures.values())
    known = {*library("tissues"), *answers.rest.get("organs", {})} - {BODY, *answers.lesions}
    histograms: dict[str, dict[str, Raw]] = {}
    for plan in plans:
        if plan.leader is None:
            curves = {organ: _bins(plan, answers, organ) for organ in organs if organ in known}
            histograms[plan.lesion] = {organ: bins for organ, bins in curves.items() if bins}
    return histograms


def _bins(plan: Plan, answers: Map, organ: str) -> Raw:
    curve = organ_curve(plan, answers, organ)
    if curve is None:
        return {}
    doses, shares = bins_of(curve, WIDTH * plan.rx.total_gy)
    volume = {} if curve.volume_cm3 is None else {"volume_cm3": _rounded(curve.volume_cm3)}
    return {
        **volume,
        "source": f"SHA-256 {', '.join(plan.sha256)}",
        "doses": [_rounded(dose / plan.rx.total_gy) for dose in doses.tolist()],
        "shares": [_rounded(share) for share in shares.tolist()],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
