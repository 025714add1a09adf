"""Published findings that the biology has to answer to, and their split."""

from abscopt.instances.evidence.findings import Arm, Drug, Finding, Fraction, Setting, findings

__all__ = ["Arm", "Drug", "Finding", "Fraction", "Setting", "findings"]
