"""Dose-volume histograms in: text exports of planning systems become a case.

`files` makes curves of what planning systems write; `measures` has the formulas; `mapping` says
what a person must answer, `case` writes what follows. Nothing that identifies a person goes on from
here: of a file only its SHA-256, its numbers and the names of its structures.
"""
