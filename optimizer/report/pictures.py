"""Names of the pictures, which cost no import of what draws them."""

PICTURES = ("calendar", "limits", "control", "curves", "proof")
"""Of a result."""
STUDIES = {
    "spread": ("abscopt robustness --json", "robustness"),
    "identification": ("abscopt robustness --json", "robustness"),
    "frontier": ("abscopt pareto --json", "pareto"),
    "progress": ("abscopt solve --log", "solve_log"),
}
"""Of what other commands write: the command, and the `kind` of its document."""
