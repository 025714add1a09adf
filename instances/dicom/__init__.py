"""DICOM RT in: doses, structures and plans become dose-volume histograms, then a case.

`files` reads objects with pydicom (extra `dicom`; nothing else here knows it), `doses` and
`structures` hold what counts of them, `shape` fills contours, `histogram` samples the dose,
`plans` says which doses are one plan and what was prescribed. From there on the path is that of
`dvh`. Nothing that identifies a person goes on from here: no name, number, date, label or UID.
"""
