"""Answers as documents, files and text: written, read back, held against the judge.

Enter: schedules, verdicts of the judge, certificates, notes. A room for what a person or another
program reads; it knows nothing of how a schedule was found (no candidates, programme or search).
"""
