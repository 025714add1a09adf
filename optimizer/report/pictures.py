"""Names of the pictures of an answer, which cost no import of what draws them."""

PICTURES = ("calendar", "limits", "control", "curves", "proof")
