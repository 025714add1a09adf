"""Values of kinds by level of systemic effect: cells of it, chords across them, leaves of kinds.

Enter: candidates of a lesion and prices as numbers. Nothing here knows how prices are found.
"""
