"""Input files of other programs for fractionation become cases, or maps for histograms.

Formats are public; what a file asks that a case cannot say is refused or named, never dropped.
"""
