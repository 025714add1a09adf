"""Published findings and local control that the biology has to answer to, and their splits."""

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
from abscopt.instances.evidence.local_control import Figure, Study, local_control

__all__ = [
    "Arm",
    "Block",
    "Drug",
    "Effect",
    "Figure",
    "Finding",
    "Fraction",
    "Ordering",
    "Setting",
    "Study",
    "findings",
    "local_control",
]
