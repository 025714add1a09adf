"""In plain words: why the optimum loses to the standard regimen in a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.simulation.compare import TOLERANCE

if TYPE_CHECKING:
    from simulated_optima import Pair

MOST_SETS = 3
HELD_NATS = (-3.0, -0.5)
"""Burden scores of a tumor that `cho` holds by drugs alone, about a level above its start."""

BLOOD = {"maclennan", "edric"}


def turning(pair: Pair) -> str:
    """The terms of the surrogate that set it apart from the model."""
    if pair.terms is None:
        return "nothing to turn: the surrogate does not contradict"
    sets = [" and ".join(terms) for terms in pair.terms]
    text = ", or ".join(sets[:MOST_SETS]) or "no one or two terms explain it"
    return text + (f", or {len(sets) - MOST_SETS} more" if len(sets) > MOST_SETS else "")


def reading(pair: Pair) -> str:
    """What in the two schedules makes the difference in the model itself."""
    if pair.model in BLOOD:
        return _blood(pair)
    if pair.quantity == "systemic effect":
        parts = [_effect(pair), _cause(pair)]
    else:
        parts = [_cause(pair), *_differences(pair)]
        if pair.averaged is not None and pair.averaged > TOLERANCE:
            parts.append(f"in the mean over all days its burden is lower, by {pair.averaged:.2f}")
    low, high = HELD_NATS
    if pair.model == "cho" and all(low <= score <= high for score in pair.scores):
        parts.append("both tumors swing about the level at which the drugs hold them")
    return "; ".join(parts)


def _blood(pair: Pair) -> str:
    mine, other = pair.facts.fractions
    if pair.model == "maclennan":
        return f"{mine} fractions instead of {other}, all that the law knows"
    return (
        "EDRIC counts the dose to lungs, heart and body, which is more, the surrogate a loss per "
        f"fraction; fractions {mine} and {other}, "
        f"lesions out of the field: {pair.facts.outside[0] or 'none'}, "
        f"standard {pair.facts.outside[1] or 'none'}"
    )


def _effect(pair: Pair) -> str:
    by = pair.scores[0] - pair.scores[1]
    if by > TOLERANCE:
        return "it leaves less tumor, which needs less immune kill"
    if by >= -TOLERANCE:
        return "the tumors end alike"
    return "it also leaves more tumor"


def _cause(pair: Pair) -> str:
    """Radiation or drugs, from what each does with the other half of the standard regimen."""
    assert pair.exchanged is not None
    radiation, drugs = (by < -TOLERANCE for by in pair.exchanged)
    first, second = pair.exchanged
    numbers = f"(radiation alone exchanged {first:+.2f}, drugs alone {second:+.2f})"
    if radiation and drugs:
        return f"both radiation and drugs {numbers}"
    if radiation:
        return f"the radiation {numbers}"
    return f"the drugs {numbers}" if drugs else f"radiation and drugs only together {numbers}"


def _differences(pair: Pair) -> list[str]:
    facts = pair.facts
    mine, other = facts.bed
    parts = [f"BED10 {mine:.0f} instead of {other:.0f} Gy"]
    if facts.outside[0] != facts.outside[1]:
        names = [name or "none" for name in facts.outside]
        parts.append(f"out of the field: {names[0]}, standard {names[1]}")
    if facts.unknown:
        parts.append(f"not in the model: {', '.join(facts.unknown)}")
    return parts
