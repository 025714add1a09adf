"""Doses of fractions as plain arrays, with the voxels of structures: matRad, pyRadPlan.

`matlab` and `archive` read files, `patient` checks what was read, `histogram` counts, `command`
goes on as `import dvh` does. Formats are public; nothing of those programs is used.
"""
