"""Published findings that the biology has to answer to, and their split."""

from abscopt.instances.evidence.effects import Effect
from abscopt.instances.evidence.findings import (
    Arm,
    Block,
    Drug,
    Finding,
    Fraction,
    Ordering,
    Setting,
    findings,
)

__all__ = [
    "Arm",
    "Block",
    "Drug",
    "Effect",
    "Finding",
    "Fraction",
    "Ordering",
    "Setting",
    "findings",
]
